/* What a program asks for and does not find: a call of nil, and an unknown field of a tensor. */
#include "binding.h"

/* Their addresses are keys: of the table of handlers, and of the names of fields that are nil
 * without more ado. */
static const char handlers, silent_tensor, silent_variable;

/* Pushes the handler `name`; false leaves nothing. */
static bool push_handler(lua_State *L, const char *name) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &handlers);
  bool found = lua_istable(L, -1) && lua_getfield(L, -1, name) == LUA_TFUNCTION;
  if (found)
    lua_remove(L, -2);
  else
    lua_pop(L, lua_istable(L, -1) ? 1 : 2);
  return found;
}

/* Whether the key at index 2 is one of the names that the table at `key` of the registry has. */
static bool is_silent(lua_State *L, const char *key) {
  bool silent = lua_rawgetp(L, LUA_REGISTRYINDEX, key) != LUA_TTABLE;
  if (!silent) {
    lua_pushvalue(L, 2);
    silent = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return silent;
}

int cusp_lua_absent_field(lua_State *L, const char *what) {
  const char *key = *what == 't' ? &silent_tensor : &silent_variable;
  if (lua_tostring(L, 2)[0] == '_' || is_silent(L, key) || !push_handler(L, "field")) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushstring(L, what);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  return 1;
}

/* Pushes "; did you mean ...", or "", for the name of what was called. */
static void push_advice(lua_State *L, const char *name) {
  if (!name || !push_handler(L, "call")) {
    lua_pushliteral(L, "");
    return;
  }
  lua_pushstring(L, name);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
    return;
  lua_pop(L, 1);
  lua_pushliteral(L, "");
}

/* __call of nil: Lua's own message at the same place, and what is known of a name that one of our
 * tables does not have. In C, since a tail call keeps the caller's frame then. */
static int call_nil(lua_State *L) {
  lua_Debug frame;
  const char *name = NULL;
  luaL_where(L, 1);
  lua_pushliteral(L, "attempt to call a nil value");
  if (lua_getstack(L, 0, &frame) && lua_getinfo(L, "n", &frame) && frame.name) {
    name = frame.name;
    lua_pushfstring(L, " (%s '%s')", frame.namewhat, name);
    lua_concat(L, 2);
  }
  push_advice(L, name);
  lua_concat(L, 3);
  return lua_error(L);
}

/**
 * engine.set_absent_handlers{call = f(name), field = f(what, name), tensor = names, variable =
 * names}: `call` gives a text to follow Lua's message about a call of nil, `field` the value of a
 * field that a tensor does not have and that is not among the names of its kind. Nil gets a
 * metatable for that, unless the program has given it one.
 */
static int set_absent_handlers(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "tensor");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &silent_tensor);
  lua_getfield(L, 1, "variable");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &silent_variable);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &handlers);
  lua_pushnil(L);
  if (lua_getmetatable(L, -1))
    return 0;
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, call_nil);
  lua_setfield(L, -2, "__call");
  lua_pushboolean(L, 0); /* what asks whether nil can be called is told no */
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  return 0;
}

void cusp_lua_open_absent(lua_State *L) {
  lua_pushcfunction(L, set_absent_handlers);
  lua_setfield(L, -2, "set_absent_handlers");
}
