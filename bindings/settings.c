/* What holds for all: the float dtype, the number of threads, the transport between processes. */
#include "binding.h"

static int set_floatx(lua_State *L) {
  cusp_dtype dtype = cusp_lua_check_dtype(L, 1, "set_floatx");
  if (!cusp_dtype_is_float(dtype))
    return cusp_lua_error(L, "set_floatx: expected a float dtype, got %s", cusp_dtype_name(dtype));
  cusp_set_floatx(dtype);
  return 0;
}

static int get_floatx(lua_State *L) {
  lua_pushstring(L, cusp_dtype_name(cusp_get_floatx()));
  return 1;
}

/** promote(a, b): the dtype in which tensors of these two are brought together. */
static int promote(lua_State *L) {
  cusp_dtype a = cusp_lua_check_dtype(L, 1, "promote"), b = cusp_lua_check_dtype(L, 2, "promote");
  lua_pushstring(L, cusp_dtype_name(cusp_dtype_promote(a, b)));
  return 1;
}

static int set_num_threads(lua_State *L) {
  int exact = 0;
  lua_Integer count = lua_type(L, 1) == LUA_TNUMBER ? lua_tointegerx(L, 1, &exact) : 0;
  if (!exact || count < 1 || count > 1024)
    return cusp_lua_error(L, "set_num_threads: expected an integer from 1 to 1024, got %s",
                          cusp_lua_got(L, 1));
  cusp_status status = cusp_set_num_threads((int)count);
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "set_num_threads");
}

static int get_num_threads(lua_State *L) {
  lua_pushinteger(L, cusp_get_num_threads());
  return 1;
}

/** set_transport(pointer): what a native module gave to carry numbers between processes. */
static int set_transport(lua_State *L) {
  luaL_checktype(L, 1, LUA_TLIGHTUSERDATA);
  cusp_transport_set(lua_touserdata(L, 1));
  return 0;
}

void cusp_lua_open_settings(lua_State *L) {
  static const luaL_Reg functions[] = {{"set_floatx", set_floatx},
                                       {"get_floatx", get_floatx},
                                       {"promote", promote},
                                       {"set_num_threads", set_num_threads},
                                       {"get_num_threads", get_num_threads},
                                       {"set_transport", set_transport},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
