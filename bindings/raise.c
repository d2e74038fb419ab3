/* See raise.h. */
#include "raise.h"

#include "scope.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DEEPEST_FRAME 64
#define INTERRUPTED "interrupted!"

static char internal_prefix[1024];
static size_t internal_length;

void cusp_lua_set_internal(const char *prefix) {
  internal_length = strlen(prefix);
  if (internal_length >= sizeof internal_prefix)
    internal_length = 0; /* such a path is never matched; errors then name our own lines */
  memcpy(internal_prefix, prefix, internal_length);
}

bool cusp_lua_is_internal(const char *source) {
  return internal_length > 0 && strncmp(source, internal_prefix, internal_length) == 0;
}

/**
 * What is known of a chunk name, kept by the name's address: classifying and shortening it again
 * for every node would cost more than the node. The text is compared as well, since a freed name's
 * address may be another's later.
 */
typedef struct known_source {
  const char *address;
  size_t length;
  bool skipped; /* C or ours */
  bool names;   /* ours, and has functions with names that errors are raised in */
  char text[64];
  char shown[LUA_IDSIZE];
} known_source;

static _Thread_local known_source known_sources[64];

static const char composed; /* its address is the key of the table of functions' names */

void cusp_lua_push_composed(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &composed) != LUA_TNIL)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &composed);
}

static bool has_names(lua_State *L, const char *source) {
  cusp_lua_push_composed(L);
  bool found = lua_getfield(L, -1, source) != LUA_TNIL;
  lua_pop(L, 2);
  return found;
}

static const known_source *look_up(lua_State *L, const lua_Debug *frame) {
  known_source *known = &known_sources[((uintptr_t)frame->source >> 4) % 64];
  size_t head = frame->srclen < sizeof known->text ? frame->srclen : sizeof known->text;
  if (known->address == frame->source && known->length == frame->srclen &&
      memcmp(known->text, frame->source, head) == 0)
    return known;
  known->address = frame->source;
  known->length = frame->srclen;
  known->skipped = strcmp(frame->source, "=[C]") == 0 || cusp_lua_is_internal(frame->source);
  known->names = known->skipped && *frame->source == '@' && has_names(L, frame->source);
  memcpy(known->text, frame->source, head);
  memcpy(known->shown, frame->short_src, sizeof known->shown);
  return known;
}

/** The user's frame nearest to the running C function, its line not yet asked for; NULL if there is
 * none. `*named` is the outermost level below it whose file has functions with names; 0: none. */
static const known_source *find_user(lua_State *L, lua_Debug *frame, int *named) {
  *named = 0;
  for (int level = 1; level < DEEPEST_FRAME && lua_getstack(L, level, frame); level++) {
    lua_getinfo(L, "S", frame);
    const known_source *known = look_up(L, frame);
    if (!known->skipped)
      return known;
    if (known->names)
      *named = level;
  }
  return NULL;
}

bool cusp_lua_called_by_user(lua_State *L) {
  lua_Debug frame;
  return lua_getstack(L, 1, &frame) && lua_getinfo(L, "S", &frame) && !look_up(L, &frame)->skipped;
}

/** The name of the outermost function with one among the frames up to `level`; NULL where there is
 * none. */
static const char *find_named(lua_State *L, int level) {
  lua_Debug frame;
  const char *name = NULL;
  cusp_lua_push_composed(L);
  for (; level > 0 && !name && lua_getstack(L, level, &frame); level--) {
    lua_getinfo(L, "f", &frame);
    lua_rawget(L, -2);
    name = lua_touserdata(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return name;
}

static void mark_caller(lua_State *L, int level, const char *name) {
  const char *outer = level > 0 ? find_named(L, level) : NULL;
  cusp_set_caller(outer ? outer : name);
}

void cusp_lua_mark_source(lua_State *L) { cusp_lua_mark_call(L, NULL); }

void cusp_lua_mark_call(lua_State *L, const char *name) {
  cusp_lua_enter(L);
  lua_Debug frame;
  int named;
  const known_source *known = find_user(L, &frame, &named);
  if (known) {
    lua_getinfo(L, "l", &frame);
    cusp_set_source(known->shown, frame.currentline);
  } else {
    cusp_set_source(NULL, 0);
  }
  mark_caller(L, named, name);
}

void cusp_lua_push_where(lua_State *L) {
  lua_Debug frame;
  int named;
  const known_source *known = find_user(L, &frame, &named);
  if (known && lua_getinfo(L, "l", &frame) && frame.currentline > 0)
    lua_pushfstring(L, "%s:%d: ", known->shown, frame.currentline);
  else
    lua_pushliteral(L, "");
}

int cusp_lua_error(lua_State *L, const char *format, ...) {
  char message[1200]; /* the engine's own messages are shorter */
  va_list arguments;
  va_start(arguments, format);
  cusp_vformat(message, sizeof message, format, arguments);
  va_end(arguments);
  cusp_lua_push_where(L);
  lua_pushstring(L, message);
  lua_concat(L, 2);
  return lua_error(L);
}

bool cusp_lua_is_interrupt(lua_State *L, int index) {
  size_t length, ending = sizeof INTERRUPTED - 1;
  const char *message = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &length) : NULL;
  return message && length >= ending && strcmp(message + length - ending, INTERRUPTED) == 0;
}

static int raise_interrupt(lua_State *L) {
  cusp_interrupt_take();
  lua_pushliteral(L, INTERRUPTED);
  return lua_error(L);
}

void cusp_lua_check_interrupt(lua_State *L) {
  if (cusp_interrupted())
    raise_interrupt(L);
}

/** The name of the outermost function with one that runs between the user's line and here; NULL
 * where there is none. */
static const char *find_called(lua_State *L) {
  lua_Debug frame;
  int named;
  find_user(L, &frame, &named);
  return find_named(L, named);
}

int cusp_lua_name_function(lua_State *L) {
  lua_Debug info;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TSTRING);
  lua_settop(L, 2);
  cusp_lua_push_composed(L);
  lua_pushvalue(L, 1);
  lua_getinfo(L, ">S", &info);
  if (lua_getfield(L, 3, info.source) == LUA_TNIL) {
    lua_pushboolean(L, 1);
    lua_setfield(L, 3, info.source);
    memset(known_sources, 0, sizeof known_sources); /* what was known of the file is past */
  }
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, (void *)(uintptr_t)cusp_intern(lua_tostring(L, 2)));
  lua_rawset(L, 3);
  return 0;
}

/** The message without the names of rows before it: "inv: solve_matrices: singular". */
static const char *without_rows(const char *message) {
  char name[64];
  for (;;) {
    size_t length = strcspn(message, ":");
    if (length == 0 || length >= sizeof name || strncmp(message + length, ": ", 2) != 0)
      return message;
    memcpy(name, message, length);
    name[length] = '\0';
    if (!cusp_op_find(name))
      return message;
    message += length + 2;
  }
}

static const char *without_name(const char *message, const char *name) {
  size_t length = strlen(name);
  bool named = strncmp(message, name, length) == 0 && strncmp(message + length, ": ", 2) == 0;
  return named ? message + length + 2 : message;
}

/** Whether a hidden row's message begins with the name of what it is a part of. */
static bool speaks_for_itself(const char *function, const char *message) {
  const cusp_op *op = cusp_op_find(function);
  size_t length = strspn(message, "abcdefghijklmnopqrstuvwxyz_0123456789");
  return op && op->flags & CUSP_OP_HIDDEN && length > 0 && strncmp(message + length, ": ", 2) == 0;
}

static const char place_handler; /* its address is the key of the function that names layers */

int cusp_lua_set_place_handler(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &place_handler);
  return 0;
}

/** The message of this thread's last failure, in the words of the layer whose node it was, where
 * it was one's; pushed onto the stack then. */
static const char *message_in_place(lua_State *L) {
  const char *message = cusp_error_message();
  int32_t place = cusp_take_failed_place();
  if (!place || lua_rawgetp(L, LUA_REGISTRYINDEX, &place_handler) != LUA_TFUNCTION)
    return message;
  lua_pushstring(L, message);
  lua_pushinteger(L, place);
  lua_call(L, 2, 1);
  return lua_tostring(L, -1);
}

static const char *advice_on(cusp_status status, const char *function) {
  if (status != CUSP_ETRACED)
    return "";
  if (function && strcmp(function, "comparison") == 0)
    return " (compile{run_eagerly = true} runs it as ordinary Lua; cusp.ops.where and "
           "cusp.ops.cond choose inside a trace, by cusp.ops.less(a, b) and the like)";
  return " (compile{run_eagerly = true} runs it as ordinary Lua; cusp.ops.where and "
         "cusp.ops.cond choose inside a trace)";
}

int cusp_lua_raise(lua_State *L, cusp_status status, const char *function) {
  if (status == CUSP_EINTERRUPT)
    return raise_interrupt(L);
  const char *message = message_in_place(L);
  const char *advice = advice_on(status, function);
  if (function) {
    const char *called = find_called(L);
    message = without_rows(without_name(message, function));
    if (called)
      message = without_name(message, called);
    if (!called && (!*function || speaks_for_itself(function, message)))
      return cusp_lua_error(L, "%s%s", message, advice);
    return cusp_lua_error(L, "%s: %s%s", called ? called : function, message, advice);
  }
  return cusp_lua_error(L, "%s%s", message, advice);
}
