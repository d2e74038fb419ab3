/* Elements of arrays as Lua data: t:tolist(), t:flat(), t:item(). */
#include "binding.h"

static void push_element(lua_State *L, cusp_dtype dtype, const void *element) {
  if (dtype == CUSP_STRING) {
    cusp_text_view text = cusp_string_view(*(const cusp_string *)element);
    lua_pushlstring(L, text.bytes, text.length);
  } else if (dtype == CUSP_BOOL)
    lua_pushboolean(L, *(const uint8_t *)element != 0);
  else if (cusp_dtype_is_float(dtype))
    lua_pushnumber(L, cusp_load_double(dtype, element));
  else if (dtype == CUSP_UINT64 && cusp_load_int(dtype, element) < 0)
    lua_pushnumber(L, cusp_load_double(dtype, element)); /* beyond Lua's integers */
  else
    lua_pushinteger(L, cusp_load_int(dtype, element));
}

static const char *element_at(const cusp_array *array, const char *from, int axis, int64_t i) {
  return from + i * array->strides[axis] * (int64_t)cusp_dtype_size(array->dtype);
}

static void push_nested(lua_State *L, const cusp_array *array, const char *from, int axis) {
  if (axis == array->shape.ndim) {
    push_element(L, array->dtype, from);
    return;
  }
  int64_t count = array->shape.size[axis];
  lua_createtable(L, (int)count, 0);
  for (int64_t i = 0; i < count; i++) {
    push_nested(L, array, element_at(array, from, axis, i), axis + 1);
    lua_rawseti(L, -2, i + 1);
  }
}

static lua_Integer append_flat(lua_State *L, const cusp_array *array, const char *from, int axis,
                               lua_Integer n) {
  if (axis == array->shape.ndim) {
    push_element(L, array->dtype, from);
    lua_rawseti(L, -2, ++n);
    return n;
  }
  for (int64_t i = 0; i < array->shape.size[axis]; i++)
    n = append_flat(L, array, element_at(array, from, axis, i), axis + 1, n);
  return n;
}

/* Of an array without elements the lists count, which are as many as the sizes before its empty
 * axis say. */
static void check_countable(lua_State *L, const cusp_array *array, const char *function) {
  cusp_shape full = array->shape;
  int64_t count;
  for (int axis = 0; axis < full.ndim; axis++)
    if (full.size[axis] == 0)
      full.ndim = axis;
  if (cusp_shape_count_checked(&count, &full) != CUSP_OK || count > INT32_MAX)
    cusp_lua_error(L, "%s: a tensor of shape %s is too large for a Lua table", function,
                   cusp_shape_text(&array->shape));
}

/** t:tolist(): nested tables, or the value itself of a scalar. */
int cusp_lua_tensor_tolist(lua_State *L) {
  cusp_node *node = cusp_lua_check_value(L, 1, "tolist");
  check_countable(L, &node->value, "tolist");
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS, NULL);
  push_nested(L, &node->value, node->value.data, 0);
  return 1;
}

/** t:flat(): one table in row-major order. */
int cusp_lua_tensor_flat(lua_State *L) {
  cusp_node *node = cusp_lua_check_value(L, 1, "flat");
  check_countable(L, &node->value, "flat");
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS, NULL);
  lua_createtable(L, (int)cusp_array_count(&node->value), 0);
  append_flat(L, &node->value, node->value.data, 0, 0);
  return 1;
}

/* The 0-based index along `axis` from the 1-based one at a stack index. */
static int64_t check_position(lua_State *L, int index, int axis, int64_t size) {
  int exact = 0;
  lua_Integer i = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &exact) : 0;
  if (!exact)
    cusp_lua_error(L, "item: expected an integer for axis %d, got %s", axis + 1,
                   cusp_lua_got(L, index));
  if (i == 0 || i > size || i < -size)
    cusp_lua_error(L,
                   "item: index %lld is out of range for axis %d of size %lld (indices count from "
                   "1, negative ones from the end)",
                   (long long)i, axis + 1, (long long)size);
  return i > 0 ? i - 1 : size + i;
}

/** t:item(): the one element; t:item(i, j, ...): the element at 1-based indices, negative ones from
 * the end. */
int cusp_lua_tensor_item(lua_State *L) {
  int indices = lua_gettop(L) - 1;
  cusp_node *node = cusp_lua_check_value(L, 1, "item");
  const cusp_array *array = &node->value;
  if (indices <= 0 && cusp_array_count(array) != 1)
    return cusp_lua_error(L,
                          "item: needs a tensor of one element, or an index for each axis as in "
                          "t:item(i, j); the shape is %s",
                          cusp_shape_text(&array->shape));
  if (indices > 0 && indices != array->shape.ndim)
    return cusp_lua_error(L, "item: %d indices were given for a tensor of shape %s", indices,
                          cusp_shape_text(&array->shape));
  const char *element = array->data;
  for (int axis = 0; axis < indices; axis++)
    element = element_at(array, element, axis,
                         check_position(L, axis + 2, axis, array->shape.size[axis]));
  push_element(L, array->dtype, element);
  return 1;
}
