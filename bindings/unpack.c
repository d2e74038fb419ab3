/*
 * table.unpack also of numbers. Keras's `evaluate` returns a list that scripts unpack; here it
 * returns its values, and `table.unpack(model:evaluate{...})`, as it comes out of a translated
 * script, gives them too. Lua's own table.unpack only raises an error where its first argument is a
 * number, so no program that works without Cusp changes its meaning.
 */

#include "binding.h"

#include <limits.h>

/** `table.unpack(list [, first [, last]])` as in Lua's manual (6.6); given numbers, it returns all
 * of its arguments. */
static int unpack(lua_State *L) {
  if (lua_type(L, 1) == LUA_TNUMBER)
    return lua_gettop(L);
  lua_Integer first = luaL_optinteger(L, 2, 1);
  lua_Integer last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
  if (first > last)
    return 0;
  lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)first;
  if (count >= INT_MAX || !lua_checkstack(L, (int)count + 1))
    return luaL_error(L, "too many results to unpack");
  for (lua_Unsigned i = 0; i <= count; i++)
    lua_geti(L, 1, (lua_Integer)((lua_Unsigned)first + i));
  return (int)count + 1;
}

void cusp_lua_open_unpack(lua_State *L) {
  if (lua_getglobal(L, "table") == LUA_TTABLE) {
    lua_pushcfunction(L, unpack);
    lua_setfield(L, -2, "unpack");
  }
  lua_pop(L, 1);
}
