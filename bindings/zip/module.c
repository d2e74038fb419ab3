/* The module cusp.native.zip, and how its functions report failure. */
#include "zip.h"

#include <stdarg.h>
#include <stdio.h>

int cusp_zip_failed(lua_State *L, zip_error_t *error) {
  lua_pushnil(L);
  if (zip_error_code_zip(error) == ZIP_ER_INCONS)
    lua_pushliteral(L, "its directory contradicts itself: the archive is damaged");
  else
    lua_pushstring(L, zip_error_strerror(error));
  zip_error_fini(error);
  return 2;
}

int cusp_zip_refused(lua_State *L, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  lua_pushnil(L);
  lua_pushstring(L, text);
  return 2;
}

void cusp_zip_class(lua_State *L, const char *name, const luaL_Reg *metamethods,
                    const luaL_Reg *methods) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

__attribute__((visibility("default"))) int luaopen_cusp_native_zip(lua_State *L);

int luaopen_cusp_native_zip(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"open", cusp_zip_open_reader}, {"create", cusp_zip_open_writer}, {NULL, NULL}};
  cusp_zip_reader_class(L);
  cusp_zip_writer_class(L);
  luaL_newlib(L, functions);
  return 1;
}
