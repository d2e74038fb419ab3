/* Classes of userdata, and checks of arguments that several files share. */
#include "binding.h"

void cusp_lua_new_class(lua_State *L, const char *name, const luaL_Reg *metamethods,
                        const luaL_Reg *methods) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  if (methods)
    luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
}

void cusp_lua_set_text(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

void cusp_lua_set_integer(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

cusp_dtype cusp_lua_check_dtype(lua_State *L, int index, const char *function) {
  cusp_dtype dtype = CUSP_FLOAT32;
  if (lua_type(L, index) != LUA_TSTRING)
    cusp_lua_error(L, "%s: expected a dtype such as \"float32\", got %s", function,
                   cusp_lua_got(L, index));
  cusp_status status = cusp_dtype_parse(&dtype, lua_tostring(L, index));
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, function);
  return dtype;
}
