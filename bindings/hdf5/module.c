/* The module cusp.native.hdf5. */
#include "native.h"

#include <stdarg.h>

int cusp_hdf5_fail(lua_State *L, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  return lua_error(L);
}

static const luaL_Reg functions[] = {
    {"parse", cusp_hdf5_parse}, {"create", cusp_hdf5_create}, {NULL, NULL}};

/*
 * libhdf5 is ready before a child is forked, so that no child spends time on it. It prints nothing,
 * loads no plug-ins (a file could name one), and runs nothing when the program ends: its clean-up
 * may trip over what a failed write left behind.
 */
__attribute__((visibility("default"))) int luaopen_cusp_native_hdf5(lua_State *L) {
  H5dont_atexit();
  if (H5open() < 0)
    return cusp_hdf5_fail(L, "libhdf5 cannot be started");
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state(0);
  luaL_newlib(L, functions);
  return 1;
}
