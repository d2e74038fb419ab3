/* The caller's data as tensors of Lua, and back. */
#include "internal.h"

#include <string.h>

static cusp_status copy_strings(cusp_string *to, const char *const *from, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const char *text = from[i] ? from[i] : "";
    CUSP_TRY(cusp_string_make(&to[i], text, strlen(text)));
  }
  return CUSP_OK;
}

static cusp_status make_tensor(cusp_lua_tensor *tensor, const cusp_input *input,
                               const cusp_shape *shape) {
  cusp_array array;
  CUSP_TRY(cusp_array_new(&array, (cusp_dtype)input->element, shape));
  cusp_status status = CUSP_OK;
  if (array.dtype == CUSP_STRING)
    status = copy_strings(array.data, input->data, cusp_array_count(&array));
  else if (input->bytes)
    memcpy(array.data, input->data, input->bytes);
  if (status == CUSP_OK)
    return cusp_lua_fill_array(tensor, &array);
  cusp_array_release(&array);
  return status;
}

void cusp_c_push_tensors(lua_State *L, const ordered *o) {
  luaL_checkstack(L, 8, NULL);
  lua_createtable(L, (int)o->count, 0);
  for (size_t i = 0; i < o->count; i++) {
    cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
    cusp_status status = make_tensor(tensor, o->inputs[i], &o->shapes[i]);
    if (status != CUSP_OK)
      cusp_lua_raise(L, status, NULL);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}
