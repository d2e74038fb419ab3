/* Images of digits, from IDX files or drawn. */
#include "binding.h"

/** read_idx(path): the array of an IDX file, compressed by gzip or not. */
static int read_idx(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_array array;
  cusp_status status = cusp_idx_read(&array, path);
  if (status == CUSP_OK)
    status = cusp_lua_fill_array(tensor, &array);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "read_idx");
}

/** draw_digits(count, seed): images uint8 [count, 28, 28] and labels uint8 [count]. */
static int draw_digits(lua_State *L) {
  lua_Integer count = luaL_checkinteger(L, 1), seed = luaL_optinteger(L, 2, 0);
  cusp_lua_tensor *images = cusp_lua_new_tensor(L), *labels = cusp_lua_new_tensor(L);
  cusp_array image_array, label_array;
  cusp_status status = cusp_draw_digits(&image_array, &label_array, count, (uint64_t)seed);
  if (status == CUSP_OK) {
    status = cusp_lua_fill_array(images, &image_array);
    cusp_status second = cusp_lua_fill_array(labels, &label_array);
    status = status == CUSP_OK ? second : status;
  }
  return status == CUSP_OK ? 2 : cusp_lua_raise(L, status, "draw_digits");
}

void cusp_lua_open_samples(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"read_idx", read_idx}, {"draw_digits", draw_digits}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
