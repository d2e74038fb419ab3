/*
 * The operators < <= > >= of tensors.
 *
 * Lua makes a boolean of what a comparison gives. A scalar is compared as a number, which suits
 * that. For other tensors a boolean would be wrong, so in a condition they are an error; but where
 * the program keeps the result (an argument, a value of a variable or a field, what a function
 * returns), it gets a tensor of dtype bool, as from x:less(y). The code behind the instruction says
 * which of the two it is, and Lua's debug interface puts the tensor in the boolean's place.
 *
 * Where the code stands is the one thing that Lua's public header does not tell. It is read from
 * the private part of lua_Debug, whose beginning is the same in all of Lua 5.4; a trial at the
 * first use sees whether all of this works, and if not, every such comparison is an error.
 */
#include "binding.h"

#include <stdint.h>
#include <string.h>

/* The beginning of Lua 5.4's CallInfo. */
typedef struct call_info {
  const void *function, *top, *previous, *next;
  const uint32_t *code; /* the next instruction */
} call_info;

/* Instructions of Lua 5.4 (lopcodes.h): 7 bits of code, then A, in comparisons k behind it. */
enum { LFALSESKIP = 6, LOADTRUE = 7, JMP = 56, LT = 58, LE = 59, LTI = 62, GEI = 65 };
#define OPCODE(i) ((i)&0x7f)
#define REGISTER(i) ((i) >> 7 & 0xff)
#define IS_PLAIN(i) ((i) >> 15 & 1)          /* k; a comparison under a `not` has 0 */
#define OVER_ONE(i) ((i) >> 7 == (1u << 24)) /* a jump over one instruction */

enum { INSTRUCTIONS = 2 }; /* until the boolean is there */

/* A comparison whose boolean a tensor replaces. */
static _Thread_local struct {
  const uint32_t *code; /* the instruction before which it is replaced */
  lua_Hook hook;        /* the program's own */
  int mask, count, register_;
  int uncounted; /* instructions that passed without the program's hook */
} replaced;

static const char value_key; /* in the registry: the value that replaces */

static const uint32_t *code_of(const lua_Debug *frame) {
  return ((const call_info *)(const void *)frame->i_ci)->code;
}

/** Where the Lua function that compares goes on, if it keeps the result; otherwise NULL. */
static const uint32_t *kept_behind(lua_State *L, bool *plain) {
  lua_Debug frame;
  if (!lua_getstack(L, 1, &frame) || !lua_getinfo(L, "S", &frame) || *frame.what == 'C')
    return NULL;
  const uint32_t *code = code_of(&frame);
  uint32_t opcode = OPCODE(code[-1]);
  if ((opcode != LT && opcode != LE && (opcode < LTI || opcode > GEI)) || OPCODE(code[0]) != JMP ||
      !OVER_ONE(code[0]) || OPCODE(code[1]) != LFALSESKIP || OPCODE(code[2]) != LOADTRUE)
    return NULL;
  *plain = IS_PLAIN(code[-1]);
  return code + 3;
}

/** Whether Lua runs no hooks now: within a hook or a finaliser. */
static bool without_hooks(lua_State *L) {
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "n", &frame);
    if (strcmp(frame.namewhat, "hook") == 0 || (frame.name && strcmp(frame.name, "__gc") == 0))
      return true;
  }
  return false;
}

/** A program's count begins anew with each comparison: without this, a loop of comparisons would
 * keep its hook from ever being called. */
static void count_for_program(lua_State *L, lua_Debug *frame) {
  if (!replaced.hook || !(replaced.mask & LUA_MASKCOUNT))
    return;
  replaced.uncounted += INSTRUCTIONS;
  if (replaced.uncounted < replaced.count)
    return;
  replaced.uncounted = 0;
  replaced.hook(L, frame);
}

static void replace(lua_State *L, lua_Debug *frame) {
  lua_sethook(L, replaced.hook, replaced.mask, replaced.count);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &value_key);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &value_key);
  if (code_of(frame) != replaced.code + 1 || !lua_setlocal(L, frame, replaced.register_ + 1))
    cusp_lua_error(L, "comparison: its result was lost; compare with x:less(y) and the like");
  count_for_program(L, frame);
}

/** Has the value on the stack's top be the result of the comparison that called the C function,
 * which is to return the boolean that is pushed. [-1, +1] */
static int give(lua_State *L, const uint32_t *code, bool plain) {
  lua_rawsetp(L, LUA_REGISTRYINDEX, &value_key);
  replaced.code = code;
  replaced.register_ = (int)REGISTER(code[-1]);
  replaced.hook = lua_gethook(L);
  replaced.mask = lua_gethookmask(L);
  replaced.count = lua_gethookcount(L);
  lua_sethook(L, replace, LUA_MASKCOUNT, INSTRUCTIONS);
  lua_pushboolean(L, plain);
  return 1;
}

/* ------------------------------------------------------------------ the trial */

/* The metamethod of the trial: the result is what the operand holds. */
static int trial_less(lua_State *L) {
  bool plain = true;
  const uint32_t *code = kept_behind(L, &plain);
  if (!code) {
    lua_pushboolean(L, false);
    return 1;
  }
  lua_getiuservalue(L, 1, 1);
  return give(L, code, plain);
}

static const char trial_program[] =
    "local a, b = ...\n"
    "local function id(x) return x end\n"
    "local kept, field = a < b, {a <= b, f = b > a}\n"
    "if a < b or a <= b and b > a then return false end\n"
    "return kept == 'value' and field[1] == 'value' and field.f == 'value'\n"
    "  and id(a < b) == 'value' and (function() return not (a >= b) end)() == 'value'\n";

static void push_operand(lua_State *L) {
  lua_newuserdatauv(L, 1, 1);
  lua_pushliteral(L, "value");
  lua_setiuservalue(L, -2, 1);
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, trial_less);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__lt");
  lua_setfield(L, -2, "__le");
  lua_setmetatable(L, -2);
}

static bool try_once(lua_State *L) {
  if (lua_version(L) != 504 || luaL_loadstring(L, trial_program) != LUA_OK)
    return false;
  push_operand(L);
  push_operand(L);
  bool works = lua_pcall(L, 2, 1, 0) == LUA_OK && lua_toboolean(L, -1);
  lua_pop(L, 1);
  return works;
}

static bool can_give(lua_State *L) {
  static int works = -1;
  if (works < 0)
    works = try_once(L);
  return works;
}

/* ------------------------------------------------------------------ comparing */

static bool is_scalar(lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TNUMBER)
    return true;
  return !cusp_lua_is_symbolic(L, index) &&
         cusp_lua_check_tensor(L, index, "comparison")->type.shape.ndim == 0;
}

static lua_Number check_number(lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TNUMBER)
    return lua_tonumber(L, index);
  if (cusp_lua_is_symbolic(L, index))
    cusp_lua_error(L, "comparison: a symbolic tensor has no values to choose by; it represents "
                      "the inputs of a model under construction (cusp.ops.where chooses)");
  cusp_node *node = cusp_lua_check_tensor(L, index, "comparison");
  if (cusp_shape_count(&node->type.shape) != 1)
    cusp_lua_error(L,
                   "comparison: a condition compares tensors of one element, this one has shape "
                   "%s; x:less(y):all():item() and the like ask about all of its elements",
                   cusp_shape_text(&node->type.shape));
  node = cusp_lua_check_numbers(L, index, "comparison");
  return cusp_load_double(node->type.dtype, node->value.data);
}

/** Pushes the tensor of what is compared. */
static void push_compared(lua_State *L, const char *row, bool plain) {
  cusp_lua_push_op(L, row);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  if (plain)
    return;
  cusp_lua_push_op(L, "logical_not");
  lua_insert(L, -2);
  lua_call(L, 1, 1);
}

/* In a trace it is noted as a truth value that was asked for; elsewhere the collector looks whether
 * anything came of it. */
static void note_kept(lua_State *L) {
  cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, -1);
  if (!tensor)
    return;
  if (tensor->node->trace)
    cusp_lua_note_truth(L, -1, true);
  else
    tensor->untouched = cusp_lua_called_by_user(L);
}

static bool is_unknown(lua_State *L, int index) {
  const cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, index);
  return tensor && tensor->node->trace && !cusp_node_evaluated(tensor->node);
}

/** as_condition(f, ...): what f returns, in which comparisons of traced scalars are tensors. */
static int as_condition(lua_State *L) {
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/** Whether a loop's condition compares what a trace computes. */
static bool is_of_condition(lua_State *L) {
  lua_Debug frame;
  bool found = false;
  if (!is_unknown(L, 1) && !is_unknown(L, 2))
    return false;
  for (int level = 1; !found && lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "f", &frame);
    found = lua_tocfunction(L, -1) == as_condition;
    lua_pop(L, 1);
  }
  return found;
}

/** Whether the result is kept and not a boolean; it is then on its way. */
static bool keeps_tensor(lua_State *L, const char *row) {
  bool plain = true;
  if (is_scalar(L, 1) && is_scalar(L, 2) && !is_of_condition(L))
    return false;
  const uint32_t *code = kept_behind(L, &plain);
  if (!code || without_hooks(L) || !can_give(L))
    return false;
  push_compared(L, row, plain);
  note_kept(L);
  give(L, code, plain);
  return true;
}

static int less(lua_State *L) {
  if (!keeps_tensor(L, "less"))
    lua_pushboolean(L, check_number(L, 1) < check_number(L, 2));
  return 1;
}

static int less_equal(lua_State *L) {
  if (!keeps_tensor(L, "less_equal"))
    lua_pushboolean(L, check_number(L, 1) <= check_number(L, 2));
  return 1;
}

void cusp_lua_set_comparisons(lua_State *L) {
  static const luaL_Reg events[] = {{"__lt", less}, {"__le", less_equal}, {NULL, NULL}};
  luaL_setfuncs(L, events, 0);
}

/* ------------------------------------------------------------------ tensors of no use */

static const char warn_key; /* in the registry: the handler */

void cusp_lua_warn_untouched(lua_State *L, const cusp_node *node) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &warn_key) == LUA_TFUNCTION) {
    lua_pushfstring(L, "%s:%d", node->origin.file ? node->origin.file : "?",
                    (int)node->origin.line);
    lua_call(L, 1, 0);
    return;
  }
  lua_pop(L, 1);
}

/** set_comparisons(metatable): gives the metatable of symbolic tensors the operators of tensors. */
static int set_comparisons(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  cusp_lua_set_comparisons(L);
  return 0;
}

/** set_untouched_handler(f): f(place) hears of results of comparisons that nothing was done with.
 */
static int set_untouched_handler(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &warn_key);
  return 0;
}

void cusp_lua_open_compare(lua_State *L) {
  lua_pushcfunction(L, as_condition);
  lua_setfield(L, -2, "as_condition");
  lua_pushcfunction(L, set_comparisons);
  lua_setfield(L, -2, "set_comparisons");
  lua_pushcfunction(L, set_untouched_handler);
  lua_setfield(L, -2, "set_untouched_handler");
}
