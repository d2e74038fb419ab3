/* Asking for values, and what a userdata is. */
#include "binding.h"

/** evaluate{t, ...}: computes them together; returns nothing. */
static int evaluate(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  int count = (int)lua_rawlen(L, 1);
  cusp_node **nodes = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *nodes, 0);
  luaL_checkstack(L, count + 4, NULL);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, i + 1);
    nodes[i] = cusp_lua_check_tensor(L, lua_gettop(L), "evaluate");
  }
  cusp_lua_check_interrupt(L);
  cusp_lua_mark_source(L);
  cusp_status status = cusp_evaluate(count, nodes);
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "evaluate");
}

static int is_tensor(lua_State *L) {
  lua_pushboolean(L, cusp_lua_test_tensor(L, 1) != NULL);
  return 1;
}

static int is_variable(lua_State *L) {
  lua_pushboolean(L, cusp_lua_test_variable(L, 1) != NULL);
  return 1;
}

/** is_evaluated(t): whether its value is there already. */
static int is_evaluated(lua_State *L) {
  lua_pushboolean(L, cusp_node_evaluated(cusp_lua_check_tensor(L, 1, "is_evaluated")));
  return 1;
}

/** contiguous(t): it, computed and row-major; a copy where it lies otherwise. */
static int contiguous(lua_State *L) {
  lua_settop(L, 1);
  const cusp_array *value = &cusp_lua_check_value(L, 1, "contiguous")->value;
  if (cusp_array_is_contiguous(value))
    return 1;
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_array copy;
  cusp_status status = cusp_array_new(&copy, value->dtype, &value->shape);
  if (status == CUSP_OK) {
    cusp_array_copy(&copy, value);
    status = cusp_lua_fill_array(tensor, &copy);
  }
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "contiguous");
}

/** types_text{t, ...}: "float32[32, 72];int32[32]", the same for tensors that are treated alike;
 * nil where one has been closed. */
static int types_text(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  int count = (int)lua_rawlen(L, 1);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, 1, i);
    const cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, -1);
    if (!tensor)
      return cusp_lua_error(L, "types_text: expected tensors, got %s", cusp_lua_got(L, -1));
    if (!tensor->node)
      return 0;
    const cusp_type *type = &tensor->node->type;
    lua_pop(L, 1);
    luaL_addstring(&text, i > 1 ? ";" : "");
    luaL_addstring(&text, cusp_dtype_name(type->dtype));
    luaL_addstring(&text, cusp_shape_text(&type->shape));
  }
  luaL_pushresult(&text);
  return 1;
}

/* The least and the greatest class id, but for one that is ignored. */
static void find_range(const cusp_array *labels, const double *ignored, double range[2]) {
  int64_t count = cusp_array_count(labels);
  size_t size = cusp_dtype_size(labels->dtype);
  range[0] = range[1] = 0;
  for (int64_t i = 0; i < count; i++) {
    double label = cusp_load_double(labels->dtype, (const char *)labels->data + (size_t)i * size);
    if (ignored && label == *ignored)
      continue;
    range[0] = label < range[0] ? label : range[0];
    range[1] = label > range[1] ? label : range[1];
  }
}

/** label_outside(t, classes, ignored): a class id in it below 0 or not below `classes`, nil where
 * there is none; `ignored` is nil or one that does not count. */
static int label_outside(lua_State *L) {
  lua_Number classes = luaL_checknumber(L, 2), ignored = luaL_optnumber(L, 3, 0);
  bool ignores = !lua_isnoneornil(L, 3);
  double range[2];
  lua_settop(L, 1);
  contiguous(L);
  find_range(&cusp_lua_check_value(L, lua_gettop(L), "label_outside")->value,
             ignores ? &ignored : NULL, range);
  if (range[0] < 0)
    lua_pushnumber(L, range[0]);
  else if (range[1] >= classes)
    lua_pushnumber(L, range[1]);
  else
    lua_pushnil(L);
  return 1;
}

void cusp_lua_open_evaluate(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"evaluate", evaluate},           {"is_tensor", is_tensor},
      {"is_variable", is_variable},     {"is_evaluated", is_evaluated},
      {"contiguous", contiguous},       {"types_text", types_text},
      {"label_outside", label_outside}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
