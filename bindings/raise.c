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
  char text[64];
  char shown[LUA_IDSIZE];
} known_source;

static _Thread_local known_source known_sources[64];

static const known_source *look_up(const lua_Debug *frame) {
  known_source *known = &known_sources[((uintptr_t)frame->source >> 4) % 64];
  size_t head = frame->srclen < sizeof known->text ? frame->srclen : sizeof known->text;
  if (known->address == frame->source && known->length == frame->srclen &&
      memcmp(known->text, frame->source, head) == 0)
    return known;
  known->address = frame->source;
  known->length = frame->srclen;
  known->skipped = strcmp(frame->source, "=[C]") == 0 || cusp_lua_is_internal(frame->source);
  memcpy(known->text, frame->source, head);
  memcpy(known->shown, frame->short_src, sizeof known->shown);
  return known;
}

/** The user's frame nearest to the running C function, its line not yet asked for; NULL if there is
 * none. */
static const known_source *find_user(lua_State *L, lua_Debug *frame) {
  for (int level = 1; level < DEEPEST_FRAME && lua_getstack(L, level, frame); level++) {
    lua_getinfo(L, "S", frame);
    const known_source *known = look_up(frame);
    if (!known->skipped)
      return known;
  }
  return NULL;
}

bool cusp_lua_called_by_user(lua_State *L) {
  lua_Debug frame;
  return lua_getstack(L, 1, &frame) && lua_getinfo(L, "S", &frame) && !look_up(&frame)->skipped;
}

void cusp_lua_mark_source(lua_State *L) {
  cusp_lua_enter(L);
  lua_Debug frame;
  const known_source *known = find_user(L, &frame);
  if (known) {
    lua_getinfo(L, "l", &frame);
    cusp_set_source(known->shown, frame.currentline);
  } else {
    cusp_set_source(NULL, 0);
  }
}

void cusp_lua_push_where(lua_State *L) {
  lua_Debug frame;
  const known_source *known = find_user(L, &frame);
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

static const char composed; /* its address is the key of the table of functions' names */

void cusp_lua_push_composed(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &composed) != LUA_TNIL)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &composed);
}

/** The name of the outermost function with one that runs between the user's line and here, lent by
 * the table; NULL where there is none. Pushes two values. */
static const char *push_called(lua_State *L) {
  lua_Debug frame;
  int level = 1;
  cusp_lua_push_composed(L);
  lua_pushnil(L);
  while (level < DEEPEST_FRAME && lua_getstack(L, level, &frame) && lua_getinfo(L, "S", &frame) &&
         look_up(&frame)->skipped)
    level++;
  for (level--; level > 0 && lua_isnil(L, -1) && lua_getstack(L, level, &frame); level--) {
    lua_pop(L, 1);
    lua_getinfo(L, "f", &frame);
    lua_rawget(L, -2);
  }
  return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
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

/** Whether a hidden row's message begins with the name of what it is a part of. */
static bool speaks_for_itself(const char *function, const char *message) {
  const cusp_op *op = cusp_op_find(function);
  size_t length = strspn(message, "abcdefghijklmnopqrstuvwxyz_0123456789");
  return op && op->flags & CUSP_OP_HIDDEN && length > 0 && strncmp(message + length, ": ", 2) == 0;
}

int cusp_lua_raise(lua_State *L, cusp_status status, const char *function) {
  if (status == CUSP_EINTERRUPT)
    return raise_interrupt(L);
  const char *message = cusp_error_message();
  const char *advice = status == CUSP_ETRACED
                           ? " (compile{run_eagerly = true} runs it as ordinary Lua; "
                             "cusp.ops.where and cusp.ops.cond choose inside a trace)"
                           : "";
  if (function) {
    const char *called = push_called(L);
    size_t length = strlen(function);
    if (strncmp(message, function, length) == 0 && strncmp(message + length, ": ", 2) == 0)
      message += length + 2;
    message = without_rows(message);
    if (!called && (!*function || speaks_for_itself(function, message)))
      return cusp_lua_error(L, "%s%s", message, advice);
    return cusp_lua_error(L, "%s: %s%s", called ? called : function, message, advice);
  }
  return cusp_lua_error(L, "%s%s", message, advice);
}
