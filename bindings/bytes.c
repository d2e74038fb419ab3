/* The elements of a tensor as a string, for what reads bytes: PNG files, messages, sockets. */
#include "binding.h"

/** t:tobytes() → its elements in row-major order, each as this machine keeps it. [-1, +1, e] */
int cusp_lua_tensor_tobytes(lua_State *L) {
  const cusp_array *from = &cusp_lua_check_numbers(L, 1, "tobytes")->value;
  size_t size = (size_t)cusp_array_count(from) * cusp_dtype_size(from->dtype);
  luaL_Buffer buffer;
  cusp_array to = {
      .dtype = from->dtype, .shape = from->shape, .data = luaL_buffinitsize(L, &buffer, size)};
  cusp_strides_row_major(to.strides, &to.shape);
  if (size)
    cusp_array_copy(&to, from);
  luaL_pushresultsize(&buffer, size);
  return 1;
}
