/*
 * Calls with something open around them: a trace, a change of fields, a state that comes back after
 * an error. What was opened is closed in C as soon as the function ends, however it ends: neither a
 * debug hook nor Ctrl-C gets in between. The function may yield.
 */
#include "scope.h"
#include "binding.h"

#include <stdatomic.h>
#include <stdint.h>

/* ------------------------------------------------------------------ coroutines */

/* Whether it runs, or waits for one that it has resumed. A suspended one has yielded, a dead one
 * has no frames. */
static bool is_active(const void *coroutine) {
  lua_State *L = (lua_State *)(uintptr_t)coroutine;
  lua_Debug frame;
  return lua_status(L) == LUA_OK && lua_getstack(L, 0, &frame);
}

void cusp_lua_enter(lua_State *L) { cusp_set_coroutine(L, is_active); }

void cusp_lua_keep_coroutine(lua_State *L) {
  lua_pushthread(L);
  lua_setiuservalue(L, -2, 1);
}

/* ------------------------------------------------------------------ one call */

/* How a call ends: stack index 1 is what was opened. Raises nothing. */
typedef void closer(lua_State *L, bool failed);

static int finish(lua_State *L, int status, lua_KContext context) {
  bool failed = status != LUA_OK && status != LUA_YIELD;
  ((closer *)context)(L, failed);
  return failed ? lua_error(L) : lua_gettop(L) - 1;
}

int cusp_lua_call_within(lua_State *L, void (*close)(lua_State *L, bool failed)) {
  lua_KContext context = (lua_KContext)close;
  return finish(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, context, finish), context);
}

/* ------------------------------------------------------------------ errors */

static int attempted(lua_State *L, int status, lua_KContext context) {
  (void)context;
  bool failed = status != LUA_OK && status != LUA_YIELD;
  if (failed && cusp_lua_is_interrupt(L, -1))
    return lua_error(L);
  lua_pushboolean(L, !failed);
  lua_replace(L, 1);
  return lua_gettop(L);
}

/** attempt(f, ...): as pcall, but an interrupt goes through. */
static int attempt(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  return attempted(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, attempted), 0);
}

/** is_interrupt(message): whether an error is that of Ctrl-C. */
static int is_interrupt(lua_State *L) {
  lua_pushboolean(L, cusp_lua_is_interrupt(L, 1));
  return 1;
}

/* ------------------------------------------------------------------ fields */

/* the address of `nothing` stands for nil in a list */
static const char fields_name[] = "cusp.Fields", nothing;

static void push_stored(lua_State *L, int index, lua_Integer i) {
  lua_rawgeti(L, index, i);
  if (lua_touserdata(L, -1) == &nothing) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

/* Entry i + 2 of the list changes places with the value of the field that entries i and i + 1
 * name. */
static void exchange(lua_State *L, int index, lua_Integer i) {
  lua_rawgeti(L, index, i);
  lua_rawgeti(L, index, i + 1);
  lua_pushvalue(L, -1);
  if (lua_rawget(L, -3) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&nothing);
  }
  lua_insert(L, -3); /* what was there; table, key */
  push_stored(L, index, i + 2);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  lua_rawseti(L, index, i + 2);
}

/* The later of two changes of one field is taken back first. */
static void put_fields_back(lua_State *L, int index) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, index);
  for (lua_Integer i = count - 2; i > 0; i -= 3)
    exchange(L, index, i);
  for (lua_Integer i = count; i > 0; i--) {
    lua_pushnil(L);
    lua_rawseti(L, index, i);
  }
}

static void close_fields(lua_State *L, bool failed) {
  (void)failed;
  if (lua_checkstack(L, 8))
    put_fields_back(L, 1);
}

/* For a coroutine that was left in the middle of a call. */
static int collect_fields(lua_State *L) {
  close_fields(L, true);
  return 0;
}

/** with_fields({table, key, value, ...}, f, ...): calls f with fields of tables set so, and sets
 * them back. No value is nil. */
static int with_fields(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  luaL_checkstack(L, 16, NULL);
  luaL_getmetatable(L, fields_name);
  lua_setmetatable(L, 1);
  lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
  for (lua_Integer i = 1; i + 2 <= count; i += 3)
    exchange(L, 1, i);
  return cusp_lua_call_within(L, close_fields);
}

/* ------------------------------------------------------------------ whole or not at all */

/* Raw fields of the table below the top become those of the one on the top. */
static void put_table_back(lua_State *L) {
  int kept = lua_gettop(L), table = kept - 1;
  for (lua_pushnil(L); lua_next(L, table);) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, kept) == LUA_TNIL) {
      lua_pushvalue(L, -2);
      lua_pushnil(L);
      lua_rawset(L, table);
    }
    lua_pop(L, 1);
  }
  for (lua_pushnil(L); lua_next(L, kept);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, table);
  }
}

static void put_variable_back(lua_State *L) {
  cusp_lua_variable *variable = cusp_lua_test_variable(L, -2);
  cusp_lua_tensor *value = cusp_lua_test_tensor(L, -1);
  if (!variable || !variable->variable || !value || !value->node)
    return;
  cusp_trace *suspended = cusp_trace_suspend();
  cusp_status status = cusp_variable_assign(variable->variable, value->node);
  cusp_trace_resume(suspended);
  /* short of memory: the variable keeps what it was assigned, which is a value of its own all the
   * same */
  if (status != CUSP_OK)
    return;
}

/* The single fields of the list `fields`, {table, key, value, ..., n =}, get these values. */
static void put_single_fields_back(lua_State *L) {
  lua_pushliteral(L, "fields");
  if (lua_rawget(L, 1) == LUA_TTABLE) {
    int list = lua_gettop(L);
    lua_pushliteral(L, "n");
    lua_rawget(L, list);
    lua_Integer count = lua_tointeger(L, -1);
    lua_pop(L, 1);
    for (lua_Integer i = 1; i + 2 <= count; i += 3) {
      lua_rawgeti(L, list, i);
      lua_rawgeti(L, list, i + 1);
      lua_rawgeti(L, list, i + 2);
      lua_rawset(L, -3);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

static void close_whole(lua_State *L, bool failed) {
  if (!failed || !lua_checkstack(L, 12))
    return;
  put_single_fields_back(L);
  lua_pushliteral(L, "tapes");
  lua_rawget(L, 1);
  cusp_tape_close_after(lua_tointeger(L, -1));
  lua_pop(L, 1);
  lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
  for (lua_Integer i = 1; i < count; i += 2) {
    lua_rawgeti(L, 1, i);
    lua_rawgeti(L, 1, i + 1);
    if (lua_istable(L, -1))
      put_table_back(L);
    else
      put_variable_back(L);
    lua_pop(L, 2);
  }
}

/**
 * whole({table, its copy, variable, its value, ..., fields = {table, key, value, ..., n =}}, f,
 * ...): calls f; after an error tables and variables are as the copies say, the fields have these
 * values, and the tapes that f opened are closed.
 */
static int whole(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  lua_pushliteral(L, "tapes");
  lua_pushinteger(L, cusp_tape_count());
  lua_rawset(L, 1);
  return cusp_lua_call_within(L, close_whole);
}

/* ------------------------------------------------------------------ frames */

/* The key in the registry of a table: coroutine (weak) → frame. */
static const char frames_key;
static atomic_llong frames_made; /* of all Lua states */

static void push_frames(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &frames_key); }

static void set_frame(lua_State *L, int index) {
  push_frames(L);
  lua_pushthread(L);
  lua_pushvalue(L, index);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/* Replaces the frames on the top of the stack by the newest frame of a coroutine that waits for
 * this one, or nil. */
static void find_outer_frame(lua_State *L) {
  int frames = lua_gettop(L);
  lua_Integer newest = 0;
  lua_pushnil(L); /* the best so far */
  for (lua_pushnil(L); lua_next(L, frames);) {
    lua_rawgeti(L, -1, 1);
    lua_Integer made = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (made > newest && is_active(lua_tothread(L, -2))) {
      newest = made;
      lua_copy(L, -1, frames + 1);
    }
    lua_pop(L, 1);
  }
  lua_replace(L, frames);
}

/* Pushes the innermost frame, or nil. */
static void push_frame(lua_State *L) {
  push_frames(L);
  lua_pushthread(L);
  if (lua_rawget(L, -2) != LUA_TNIL) {
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  find_outer_frame(L);
}

/** frame(): the innermost frame that this coroutine, or one that waits for it, is within; nil where
 * there is none. */
static int frame(lua_State *L) {
  push_frame(L);
  return 1;
}

/* The fields of the frame around that the one at index 1 has not. */
static void inherit(lua_State *L) {
  push_frame(L);
  int around = lua_gettop(L);
  for (lua_pushnil(L); lua_istable(L, around) && lua_next(L, around);) {
    lua_pushvalue(L, -2);
    if (lua_rawget(L, 1) == LUA_TNIL) {
      lua_pushvalue(L, -3);
      lua_pushvalue(L, -3);
      lua_rawset(L, 1);
    }
    lua_pop(L, 2);
  }
  lua_settop(L, around - 1);
}

static int32_t frame_number(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, 1);
  int32_t number = (int32_t)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return number;
}

/* Nodes made from now on are those of the layer and the region whose numbers the frame at index 1
 * has. */
static void set_place(lua_State *L) {
  bool within = lua_istable(L, 1);
  int32_t place = within ? frame_number(L, "place") : 0;
  int32_t region = within ? frame_number(L, "region") : 0;
  cusp_lua_enter(L);
  cusp_set_place(place, region);
}

static void close_frame(lua_State *L, bool failed) {
  (void)failed;
  if (lua_checkstack(L, 4)) {
    set_frame(L, 1);
    set_place(L);
  }
}

/* Enters the frame at index 1, where the one around it is then kept. */
static void enter_frame(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  luaL_checkstack(L, 12, NULL);
  inherit(L);
  set_place(L);
  lua_pushinteger(L, (lua_Integer)++frames_made);
  lua_rawseti(L, 1, 1);
  push_frames(L);
  lua_pushthread(L);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  lua_pushvalue(L, 1);
  set_frame(L, lua_gettop(L));
  lua_pop(L, 1);
  lua_replace(L, 1); /* the frame around it, of the same coroutine */
}

/** within(frame, f, ...): calls f within a frame, a table which has the fields of the frame around,
 * too; its [1] is the engine's. */
static int within(lua_State *L) {
  enter_frame(L);
  return cusp_lua_call_within(L, close_frame);
}

static int attempted_within(lua_State *L, int status, lua_KContext context) {
  close_frame(L, false);
  return attempted(L, status, context);
}

/** attempt_within(frame, f, ...): as attempt, within a frame. */
static int attempt_within(lua_State *L) {
  enter_frame(L);
  return attempted_within(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, attempted_within),
                          0);
}

static void open_frames(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &frames_key);
}

/* ------------------------------------------------------------------ opening */

void cusp_lua_open_scope(lua_State *L) {
  static const luaL_Reg fields_metamethods[] = {{"__gc", collect_fields}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"attempt", attempt},
                                       {"is_interrupt", is_interrupt},
                                       {"with_fields", with_fields},
                                       {"whole", whole},
                                       {"frame", frame},
                                       {"within", within},
                                       {"attempt_within", attempt_within},
                                       {NULL, NULL}};
  luaL_newmetatable(L, fields_name);
  luaL_setfuncs(L, fields_metamethods, 0);
  lua_pop(L, 1);
  open_frames(L);
  luaL_setfuncs(L, functions, 0);
}
