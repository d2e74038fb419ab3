/* Single Lua values: what came, for messages, and lists of integers. Nothing here raises. */
#include "binding.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ what came */

const char *cusp_lua_namespace_name(lua_State *L, int index) {
  if (!lua_getmetatable(L, index))
    return NULL;
  lua_pushliteral(L, "__name");
  lua_rawget(L, -2);
  const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 2);
  return name && (strcmp(name, "cusp") == 0 || strncmp(name, "cusp.", 5) == 0) ? name : NULL;
}

static const char *got_table(lua_State *L, int index, char *text, size_t size) {
  if (cusp_lua_is_symbolic(L, index))
    return "a symbolic tensor";
  const char *name = cusp_lua_namespace_name(L, index);
  if (!name || strcmp(name, "cusp.null") == 0)
    return name ? "null" : "a table";
  snprintf(text, size, "%.40s (its functions are called with a dot, not a colon)", name);
  return text;
}

const char *cusp_lua_got(lua_State *L, int index) {
  static _Thread_local char text[96];
  switch (lua_type(L, index)) {
  case LUA_TSTRING:
    snprintf(text, sizeof text, "the string \"%.60s\"", lua_tostring(L, index));
    break;
  case LUA_TNUMBER:
    if (lua_isinteger(L, index))
      snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(L, index));
    else
      cusp_format(text, sizeof text, "%.14g", lua_tonumber(L, index));
    break;
  case LUA_TBOOLEAN: return lua_toboolean(L, index) ? "true" : "false";
  case LUA_TNIL:
  case LUA_TNONE: return "nil";
  case LUA_TTABLE: return got_table(L, index, text, sizeof text);
  case LUA_TFUNCTION: return "a function";
  case LUA_TUSERDATA:
    if (cusp_lua_test_tensor(L, index))
      return "a tensor";
    return cusp_lua_test_variable(L, index) ? "a variable" : "a userdata";
  default: return lua_typename(L, lua_type(L, index));
  }
  return text;
}

/* luaopen_cusp_engine keeps the string "__symbolic" alive, so looking it up allocates nothing. */
bool cusp_lua_is_symbolic(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
    return false;
  lua_pushliteral(L, "__symbolic");
  lua_rawget(L, -2);
  bool symbolic = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return symbolic;
}

/* Whether a table's metatable has this `__name`, a string that is kept alive as well. */
static bool is_named(lua_State *L, int index, const char *name) {
  if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
    return false;
  lua_pushliteral(L, "__name");
  lua_rawget(L, -2);
  bool named = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), name) == 0;
  lua_pop(L, 2);
  return named;
}

bool cusp_lua_is_none(lua_State *L, int index) { return is_named(L, index, "cusp.None"); }

bool cusp_lua_is_null(lua_State *L, int index) {
  if (lua_isnoneornil(L, index))
    return true;
  if (lua_type(L, index) == LUA_TLIGHTUSERDATA)
    return !lua_touserdata(L, index);
  return is_named(L, index, "cusp.null");
}

/* ------------------------------------------------------------------ lists */

/* lua_next from the last item looks at no more than what follows it, unless the list's end lies in
   the table's hash part; a short list is looked at as a whole. */
bool cusp_lua_has_hole(lua_State *L, int table, lua_Unsigned length) {
  lua_pushvalue(L, table);
  if (length > 64)
    lua_pushinteger(L, (lua_Integer)length);
  else
    lua_pushnil(L);
  bool more = false;
  while (!more && lua_next(L, -2)) {
    lua_pop(L, 1);
    more = lua_isinteger(L, -1) && lua_tointeger(L, -1) > (lua_Integer)length;
  }
  lua_pop(L, more ? 2 : 1);
  return more;
}

cusp_status cusp_lua_fail_hole(lua_Unsigned length) {
  return cusp_fail(CUSP_EVALUE, "the list has nil at position %llu and items after it",
                   (unsigned long long)length + 1);
}

/* ------------------------------------------------------------------ integers and shapes */

static cusp_status to_integer(int64_t *out, lua_State *L, int index) {
  int exact = 0;
  cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, index);
  if (tensor && tensor->node)
    return cusp_static_ints(tensor->node, out, 1, &exact);
  if (lua_type(L, index) == LUA_TNUMBER)
    *out = lua_tointegerx(L, index, &exact);
  return exact ? CUSP_OK
               : cusp_fail(CUSP_EVALUE, "expected an integer, got %s", cusp_lua_got(L, index));
}

/* Appends the integers of the list on the top of the stack; nested lists are flattened. */
static cusp_status append_ints(int64_t *ints, int capacity, int *count, lua_State *L, int depth) {
  lua_Unsigned length = lua_rawlen(L, -1);
  for (lua_Unsigned i = 1; i <= length; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i);
    cusp_status status;
    if (lua_type(L, -1) == LUA_TTABLE && depth < 2 && !cusp_lua_is_symbolic(L, -1) &&
        !cusp_lua_is_none(L, -1) && !cusp_lua_is_null(L, -1))
      status = append_ints(ints, capacity, count, L, depth + 1);
    else if (*count == capacity)
      status = cusp_fail(CUSP_EVALUE, "expected at most %d integers", capacity);
    else if ((status = to_integer(&ints[*count], L, -1)) == CUSP_OK)
      ++*count;
    else
      status = cusp_fail(CUSP_EVALUE, "expected a list of integers, got %s at position %llu",
                         cusp_lua_got(L, -1), (unsigned long long)i);
    lua_pop(L, 1);
    CUSP_TRY(status);
  }
  return cusp_lua_has_hole(L, lua_gettop(L), length) ? cusp_lua_fail_hole(length) : CUSP_OK;
}

cusp_status cusp_lua_to_ints(int64_t *ints, int capacity, int *count, lua_State *L, int index) {
  *count = 0;
  if (lua_type(L, index) == LUA_TNUMBER && capacity > 0) {
    *count = 1;
    return to_integer(ints, L, index);
  }
  cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, index);
  if (tensor && tensor->node)
    return cusp_static_ints(tensor->node, ints, capacity, count);
  if (lua_type(L, index) != LUA_TTABLE || !lua_checkstack(L, 8))
    return cusp_fail(CUSP_EVALUE, "expected a list of integers, got %s", cusp_lua_got(L, index));
  lua_pushvalue(L, index);
  cusp_status status = append_ints(ints, capacity, count, L, 0);
  lua_pop(L, 1);
  return status;
}

cusp_status cusp_lua_to_shape(cusp_shape *shape, lua_State *L, int index) {
  int count;
  *shape = (cusp_shape){0};
  CUSP_TRY(cusp_lua_to_ints(shape->size, CUSP_MAX_DIMS, &count, L, index));
  for (int i = 0; i < count; i++)
    if (shape->size[i] < 0)
      return cusp_fail(CUSP_ESHAPE, "a shape has sizes of 0 or more, got %lld at position %d",
                       (long long)shape->size[i], i + 1);
  shape->ndim = count;
  int64_t elements;
  return cusp_shape_count_checked(&elements, shape);
}
