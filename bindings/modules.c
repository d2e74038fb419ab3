/*
 * The library's modules are loaded once in a Lua state. Many are loaded when they are first asked
 * for; a host that restores package.loaded meanwhile (busted does, after each file) would get some
 * of them twice, with classes that do not know each other. So a searcher in front of the others
 * gives what was loaded before.
 */
#include "binding.h"

#include <lualib.h>
#include <string.h>

static const char remembered_key;

/* Native modules share nothing and may be loaded again. */
static bool is_ours(const char *name) {
  return strncmp(name, "cusp", 4) == 0 && (name[4] == '\0' || name[4] == '.') &&
         strncmp(name, "cusp.native.", 12) != 0;
}

/* Modules that were loaded by other searchers, before this one was there. [-0, +0, m] */
static void remember_loaded(lua_State *L, int remembered) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || !is_ours(lua_tostring(L, -2)))
      continue;
    lua_pushvalue(L, -2);
    if (lua_rawget(L, remembered) == LUA_TNIL) {
      lua_pushvalue(L, -3);
      lua_pushvalue(L, -3);
      lua_rawset(L, remembered);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static int give_module(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

/* Upvalues: the loader found, the modules remembered. */
static int load_module(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  if (lua_isnil(L, 3)) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, -2) == LUA_TNIL)
      lua_pushboolean(L, true);
    lua_replace(L, 3);
    lua_settop(L, 3);
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_rawset(L, lua_upvalueindex(2));
  return 1;
}

/* What the other searchers find, in their order. [-0, +2 or +0, e] */
static bool search(lua_State *L) {
  int searchers = lua_upvalueindex(2), count = (int)lua_rawlen(L, searchers);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, searchers, i);
    if (lua_rawequal(L, -1, lua_upvalueindex(3))) {
      lua_pop(L, 1);
      continue;
    }
    lua_pushvalue(L, 1);
    lua_call(L, 1, 2);
    if (lua_isfunction(L, -2))
      return true;
    lua_pop(L, 2);
  }
  return false;
}

/* A searcher; upvalues: the modules remembered, the list of searchers, this function. */
static int find_module(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  if (!is_ours(name))
    return 0;
  remember_loaded(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
    lua_pushcclosure(L, give_module, 1);
    lua_pushliteral(L, ":loaded before:");
    return 2;
  }
  lua_pop(L, 1);
  if (!search(L))
    return 0; /* the others say where they looked */
  lua_pushvalue(L, -2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushcclosure(L, load_module, 2);
  lua_insert(L, -2);
  return 2;
}

/* Pushes the searcher. It knows itself by its third upvalue, which is set once it is there. */
static void push_searcher(lua_State *L, int searchers) {
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &remembered_key);
  lua_pushvalue(L, searchers);
  lua_pushnil(L);
  lua_pushcclosure(L, find_module, 3);
  lua_pushvalue(L, -1);
  lua_setupvalue(L, -2, 3);
}

void cusp_lua_open_modules(lua_State *L) {
  int module = lua_gettop(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &remembered_key) == LUA_TNIL &&
      lua_getglobal(L, LUA_LOADLIBNAME) == LUA_TTABLE &&
      lua_getfield(L, -1, "searchers") == LUA_TTABLE) {
    int searchers = lua_gettop(L);
    push_searcher(L, searchers);
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, searchers); i >= 1; i--) {
      lua_rawgeti(L, searchers, i);
      lua_rawseti(L, searchers, i + 1);
    }
    lua_rawseti(L, searchers, 1);
  }
  lua_settop(L, module);
}
