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

void cusp_lua_open_arguments(lua_State *L) {
  lua_pushcfunction(L, scan_arguments);
  lua_setfield(L, -2, "scan_arguments");
}
