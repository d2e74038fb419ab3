/* Gradients: tapes, and gradients within a trace. */
#include "binding.h"
#include "scope.h"

#include <string.h>

static const char tape_kind[] = "cusp.Tape";

typedef struct tape_box {
  const void *kind;
  cusp_tape *tape; /* NULL once closed */
} tape_box;

/** cusp.engine.tape(watches_variables): starts to record; trainable variables are watched by
 * themselves unless it is false. */
static int new_tape(lua_State *L) {
  bool watches_variables = lua_isnoneornil(L, 1) || lua_toboolean(L, 1);
  tape_box *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (tape_box){tape_kind, NULL};
  luaL_setmetatable(L, tape_kind);
  cusp_lua_keep_coroutine(L);
  cusp_lua_enter(L);
  cusp_status status = cusp_tape_new(&box->tape, watches_variables);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "GradientTape");
}

static cusp_tape *check_tape(lua_State *L, const char *function) {
  tape_box *box = cusp_lua_test(L, 1, tape_kind);
  if (!box)
    cusp_lua_error(L, "%s: expected a tape, got %s", function, cusp_lua_got(L, 1));
  if (!box->tape)
    cusp_lua_error(L,
                   "%s: the tape is closed (a tape gives gradients once, or many times with "
                   "{persistent = true})",
                   function);
  return box->tape;
}

static int tape_close(lua_State *L) {
  tape_box *box = cusp_lua_test(L, 1, tape_kind);
  if (box) {
    cusp_tape_free(box->tape);
    box->tape = NULL;
  }
  return 0;
}

/** tape:watch(t): operations on t are recorded from here on. */
static int tape_watch(lua_State *L) {
  cusp_tape *tape = check_tape(L, "watch");
  cusp_lua_variable *variable = cusp_lua_test_variable(L, 2);
  cusp_status status = CUSP_OK;
  if (variable && variable->variable)
    status = cusp_tape_watch_variable(tape, variable->variable);
  else
    status = cusp_tape_watch(tape, cusp_lua_check_tensor(L, 2, "watch"));
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "watch");
}

/** recording(): whether a tape records. */
static int recording(lua_State *L) {
  cusp_lua_enter(L);
  lua_pushboolean(L, cusp_recording());
  return 1;
}

/** tape:pause(paused). */
static int tape_pause(lua_State *L) {
  cusp_tape_pause(check_tape(L, "pause"), lua_toboolean(L, 2));
  return 0;
}

static void resume_tape(lua_State *L, bool failed) {
  (void)failed;
  tape_box *box = lua_touserdata(L, 1);
  if (box->tape)
    cusp_tape_pause(box->tape, false);
}

/** tape:paused(f, ...): calls f without recording it; returns what it returns. */
static int tape_paused(lua_State *L) {
  cusp_tape *tape = check_tape(L, "paused");
  luaL_checkany(L, 2);
  cusp_tape_pause(tape, true);
  return cusp_lua_call_within(L, resume_tape);
}

/* ------------------------------------------------------------------ the request */

/* What is asked, as arrays within one userdata. A variable may stand for several nodes, one for
 * each reading. */
typedef struct request {
  const cusp_tape *tape; /* NULL: the variables' present nodes are meant */
  int n_targets, n_sources, n_nodes;
  bool has_cotangents;
  cusp_node **targets, **cotangents;
  cusp_node **nodes, **gradients; /* n_nodes of each, those of one source after those of another */
  int *counts;                    /* nodes of each source */
  cusp_node **results;            /* n_sources */
} request;

static int check_list(lua_State *L, int index, const char *what) {
  if (lua_type(L, index) != LUA_TTABLE || cusp_lua_is_symbolic(L, index))
    cusp_lua_error(L, "gradient: %s should be a list of tensors, got %s", what,
                   cusp_lua_got(L, index));
  return (int)lua_rawlen(L, index);
}

/* How many nodes the source on the top of the stack has. */
static int count_nodes(lua_State *L, const cusp_tape *tape) {
  cusp_lua_variable *variable = cusp_lua_test_variable(L, -1);
  if (!variable || !variable->variable || !tape)
    return 1;
  return cusp_tape_count_readings(tape, variable->variable);
}

static void check_sources(lua_State *L, int index, request *r) {
  r->n_sources = check_list(L, index, "the sources");
  r->counts = lua_newuserdatauv(L, (size_t)(r->n_sources + 1) * sizeof(int), 0);
  r->n_nodes = 0;
  for (int i = 0; i < r->n_sources; i++) {
    lua_rawgeti(L, index, i + 1);
    if (!cusp_lua_test_tensor(L, -1) && !cusp_lua_test_variable(L, -1))
      cusp_lua_error(L, "gradient: source %d should be a tensor or a variable, got %s", i + 1,
                     cusp_lua_got(L, -1));
    r->n_nodes += r->counts[i] = count_nodes(L, r->tape);
    lua_pop(L, 1);
  }
}

/* Arguments (targets, sources, cotangents or nil) at `index` and after; leaves two userdata on the
 * stack. */
static void check_request(lua_State *L, int index, request *r) {
  r->n_targets = check_list(L, index, "the targets");
  r->has_cotangents = !lua_isnoneornil(L, index + 2);
  if (r->has_cotangents && check_list(L, index + 2, "output_gradients") > r->n_targets)
    cusp_lua_error(L, "gradient: more output_gradients than targets");
  check_sources(L, index + 1, r);
  size_t pointers = 2 * (size_t)r->n_targets + 2 * (size_t)r->n_nodes + (size_t)r->n_sources;
  cusp_node **room = lua_newuserdatauv(L, (pointers + 1) * sizeof *room, 0);
  memset(room, 0, (pointers + 1) * sizeof *room);
  r->targets = room;
  r->cotangents = room + r->n_targets;
  r->nodes = room + 2 * r->n_targets;
  r->gradients = r->nodes + r->n_nodes;
  r->results = r->gradients + r->n_nodes;
}

/* ------------------------------------------------------------------ within a scope: nothing
 * raises */

/* Fills `nodes` from the list at `index`; with `holes`, false and nil stay NULL. */
static cusp_status read_nodes(cusp_node **nodes, lua_State *L, int index, int count, bool holes,
                              const char *what) {
  for (int i = 0; i < count; i++) {
    cusp_status status = CUSP_OK;
    lua_rawgeti(L, index, i + 1);
    if (!holes || lua_toboolean(L, -1))
      status = cusp_lua_to_node(&nodes[i], L, lua_gettop(L), CUSP_LUA_ANY_DTYPE);
    lua_pop(L, 1);
    if (status != CUSP_OK)
      return cusp_fail_prefix(status, "gradient: %s %d: ", what, i + 1);
  }
  return CUSP_OK;
}

static cusp_status read_sources(request *r, lua_State *L, int index) {
  cusp_node **next = r->nodes;
  for (int i = 0; i < r->n_sources; i++) {
    cusp_status status = CUSP_OK;
    lua_rawgeti(L, index, i + 1);
    cusp_lua_variable *variable = cusp_lua_test_variable(L, -1);
    if (variable && r->tape)
      cusp_tape_readings(r->tape, variable->variable, r->counts[i], next);
    else
      status = cusp_lua_to_node(next, L, lua_gettop(L), CUSP_LUA_ANY_DTYPE);
    lua_pop(L, 1);
    CUSP_TRY(status);
    next += r->counts[i];
  }
  return CUSP_OK;
}

/* The gradient of a source is the sum of its nodes'. */
static cusp_status sum_up(request *r) {
  cusp_node **next = r->gradients;
  for (int i = 0; i < r->n_sources; i++) {
    cusp_node *sum = NULL;
    for (int k = 0; k < r->counts[i]; k++, next++) {
      if (!*next)
        continue;
      sum = sum ? cusp_add(sum, *next) : *next;
      CUSP_TRY(cusp_built(sum));
    }
    r->results[i] = sum;
  }
  for (int i = 0; i < r->n_sources; i++)
    if (r->results[i])
      cusp_node_retain(r->results[i]);
  return CUSP_OK;
}

static cusp_status adopt_gradients(request *r) {
  bool whole = true;
  for (int i = 0; i < r->n_nodes; i++)
    if (r->gradients[i])
      whole = (r->gradients[i] = cusp_scope_adopt(r->gradients[i])) && whole;
  return whole ? CUSP_OK : cusp_error_status();
}

static cusp_status differentiate(request *r, lua_State *L, int index) {
  CUSP_TRY(read_nodes(r->targets, L, index, r->n_targets, false, "target"));
  if (r->has_cotangents)
    CUSP_TRY(read_nodes(r->cotangents, L, index + 2, r->n_targets, true, "output gradient"));
  CUSP_TRY(read_sources(r, L, index + 1));
  cusp_node **cotangents = r->has_cotangents ? r->cotangents : NULL;
  if (r->tape)
    CUSP_TRY(cusp_tape_gradients(r->tape, r->gradients, r->n_targets, r->targets, cotangents,
                                 r->n_nodes, r->nodes));
  else
    CUSP_TRY(
        cusp_gradients(r->gradients, r->n_targets, r->targets, cotangents, r->n_nodes, r->nodes));
  CUSP_TRY(adopt_gradients(r));
  return sum_up(r);
}

static int push_gradients(lua_State *L, int index, const cusp_tape *tape) {
  request r = {.tape = tape};
  lua_settop(L, index + 2);
  cusp_lua_check_interrupt(L);
  cusp_lua_collect(L);
  check_request(L, index, &r);
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS, NULL);
  cusp_lua_mark_source(L);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = differentiate(&r, L, index);
  cusp_scope_close(scope);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, "gradient");
  return cusp_lua_push_nodes(L, r.n_sources, r.results, true);
}

/** tape:gradient(targets, sources, cotangents): a list, false where no path leads to a source. */
static int tape_gradient(lua_State *L) { return push_gradients(L, 2, check_tape(L, "gradient")); }

/** cusp.engine.gradients(targets, sources, cotangents): the same within a trace, where everything
 * is kept. */
static int gradients(lua_State *L) { return push_gradients(L, 1, NULL); }

void cusp_lua_open_tape(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", tape_close}, {"__close", tape_close}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"watch", tape_watch},   {"pause", tape_pause},
                                     {"paused", tape_paused}, {"gradient", tape_gradient},
                                     {"close", tape_close},   {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"tape", new_tape}, {"gradients", gradients}, {"recording", recording}, {NULL, NULL}};
  cusp_lua_new_class(L, tape_kind, metamethods, methods);
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
