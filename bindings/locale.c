/* Functions that see the C locale, whatever the host has set: Lua's own formatting and reading of
 * numbers follow it. */
#include "binding.h"

static int call_plainly(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  void *entered = cusp_locale_enter();
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  cusp_locale_leave(entered);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/** plain(f): a function that calls f in the C locale; f must not yield. [-0, +1, m] */
static int plain(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushcclosure(L, call_plainly, 1);
  return 1;
}

void cusp_lua_open_locale(lua_State *L) {
  lua_pushcfunction(L, plain);
  lua_setfield(L, -2, "plain");
}
