/* What of a call's last table are positional arguments and what keyword ones: a list of numbers
 * would take Lua longer to look through than to become a tensor. */

#include "binding.h"

/** `scan_arguments(t)`: the length of its array part, beyond holes too, and whether a key is a
 * string. */
static int scan_arguments(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_Integer length = (lua_Integer)lua_rawlen(L, 1);
  bool keyed = false;
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    if (lua_type(L, 2) == LUA_TSTRING)
      keyed = true;
    else if (lua_isinteger(L, 2) && lua_tointeger(L, 2) > length)
      length = lua_tointeger(L, 2);
  }
  lua_pushinteger(L, length);
  lua_pushboolean(L, keyed);
  return 2;
}

/* Whether the plain table at the top of the stack, and those in it, are surely without holes. */
static bool is_whole(lua_State *L, int depth) {
  lua_Integer count = 0, most = 0;
  bool whole = true;
  int table = lua_gettop(L);
  for (lua_pushnil(L); whole && lua_next(L, table); lua_pop(L, 1)) {
    if (lua_isinteger(L, -2) && lua_tointeger(L, -2) > 0) {
      count++;
      most = lua_tointeger(L, -2) > most ? lua_tointeger(L, -2) : most;
    }
    if (lua_type(L, -1) != LUA_TTABLE)
      continue;
    whole = depth > 0 && !lua_getmetatable(L, -1) && is_whole(L, depth - 1);
    if (!whole)
      lua_settop(L, table + 2);
  }
  lua_settop(L, table);
  return whole && count == most;
}

/** `is_whole(t)`: whether neither a plain table nor any within it has a hole; false where there are
 * other tables, or too many in each other, to tell. */
static int lua_is_whole(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkstack(L, 32, NULL);
  lua_settop(L, 1);
  bool plain = !lua_getmetatable(L, 1);
  lua_settop(L, 1);
  lua_pushboolean(L, plain && is_whole(L, 6));
  return 1;
}

void cusp_lua_open_arguments(lua_State *L) {
  lua_pushcfunction(L, lua_is_whole);
  lua_setfield(L, -2, "is_whole");
  lua_pushcfunction(L, scan_arguments);
  lua_setfield(L, -2, "scan_arguments");
}
