/* Lua data to arrays and nodes. What reads Lua values here raises nothing; see
 * binding.h. */
#include "binding.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ nested tables to arrays */

/* A walk over nested tables: what is found in the first pass, and where the second writes. */
typedef struct reader {
  lua_State *L;
  cusp_shape shape;
  int64_t position[CUSP_MAX_DIMS];       /* of the table being read, for messages */
  bool integers, floats, booleans, wide; /* wide: an integer that int32 does not hold */
  bool strings;
  int wanted; /* the dtype asked for, or CUSP_LUA_ANY_DTYPE */
  cusp_dtype dtype;
  char *next;
} reader;

/* "{2, 1}" for the position of depth items. */
static const char *position_text(const reader *r, int depth) {
  static _Thread_local char text[128];
  int length = snprintf(text, sizeof text, "{");
  for (int i = 0; i < depth; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, "%s%lld", i ? ", " : "",
                       (long long)r->position[i]);
  snprintf(text + length, sizeof text - (size_t)length, "}");
  return text;
}

/* The sizes along the first items of the tables; the check that all others agree comes with the
 * walk. */
static cusp_status measure(reader *r, int index) {
  lua_State *L = r->L;
  int base = lua_gettop(L), depth = 0;
  if (!lua_checkstack(L, 2 * CUSP_MAX_DIMS + 8))
    return cusp_fail(CUSP_ENOMEM, "out of memory: no room on Lua's stack");
  lua_pushvalue(L, index);
  while (lua_type(L, -1) == LUA_TTABLE) {
    if (depth == CUSP_MAX_DIMS) {
      lua_settop(L, base);
      return cusp_fail(CUSP_ESHAPE, "tables are nested more than %d deep", CUSP_MAX_DIMS);
    }
    r->shape.size[depth] = (int64_t)lua_rawlen(L, -1);
    if (r->shape.size[depth++] == 0)
      break;
    lua_rawgeti(L, -1, 1);
  }
  lua_settop(L, base);
  r->shape.ndim = depth;
  return CUSP_OK;
}

static cusp_status wrong_item(reader *r, int depth) {
  lua_State *L = r->L;
  const char *advice = cusp_lua_test_tensor(L, -1) || cusp_lua_test_variable(L, -1)
                           ? "; cusp.ops.stack joins tensors"
                           : "";
  if (depth < r->shape.ndim)
    return cusp_fail(CUSP_ESHAPE,
                     "ragged data: expected a table of %lld items at position %s, got %s",
                     (long long)r->shape.size[depth], position_text(r, depth), cusp_lua_got(L, -1));
  bool strings = r->wanted == CUSP_STRING || r->strings;
  return cusp_fail(CUSP_EVALUE, "expected a %s at position %s, got %s%s",
                   strings ? "string" : "number or a boolean", position_text(r, depth),
                   cusp_lua_got(L, -1), advice);
}

static void note_number(reader *r) {
  if (!lua_isinteger(r->L, -1)) {
    r->floats = true;
    return;
  }
  r->integers = true;
  r->wide = r->wide || !cusp_dtype_holds_int(CUSP_INT32, lua_tointeger(r->L, -1));
}

static cusp_status check_leaf(reader *r, int depth) {
  int type = lua_type(r->L, -1);
  bool any = r->wanted == CUSP_LUA_ANY_DTYPE,
       numbers = r->wanted != CUSP_STRING && !(any && r->strings),
       strings = r->wanted == CUSP_STRING || (any && !r->integers && !r->floats && !r->booleans);
  if (type == LUA_TNUMBER && numbers)
    note_number(r);
  else if (type == LUA_TBOOLEAN && numbers)
    r->booleans = true;
  else if (type == LUA_TSTRING && strings)
    r->strings = true;
  else
    return wrong_item(r, depth);
  return CUSP_OK;
}

/* Whether the table on the top of the stack, which has no items, has keys: an object, or fields by
 * name. */
static bool has_keys(lua_State *L) {
  lua_pushnil(L);
  if (!lua_next(L, -2))
    return false;
  lua_pop(L, 2);
  return true;
}

static const char *got_keys(lua_State *L) {
  return cusp_lua_namespace_name(L, lua_gettop(L)) ? cusp_lua_got(L, -1) : "a table with keys";
}

/* First pass: the value on the top of the stack has the measured shape below `depth`, and its kinds
 * of items are noted. */
static cusp_status check(reader *r, int depth) {
  if (depth == r->shape.ndim)
    return check_leaf(r, depth);
  if (lua_type(r->L, -1) != LUA_TTABLE)
    return wrong_item(r, depth);
  int64_t length = (int64_t)lua_rawlen(r->L, -1);
  if (length == 0 && cusp_lua_has_hole(r->L, lua_gettop(r->L), 0))
    return cusp_lua_fail_hole(0);
  if (length == 0 && has_keys(r->L))
    return cusp_fail(CUSP_EVALUE, "expected numbers at position %s, got %s, not a list",
                     position_text(r, depth), got_keys(r->L));
  if (length != r->shape.size[depth])
    return cusp_fail(CUSP_ESHAPE, "ragged data: expected %lld items at position %s, got %lld",
                     (long long)r->shape.size[depth], position_text(r, depth), (long long)length);
  for (int64_t i = 1; i <= length; i++) {
    lua_rawgeti(r->L, -1, i);
    r->position[depth] = i;
    cusp_status status = check(r, depth + 1);
    lua_pop(r->L, 1);
    CUSP_TRY(status);
  }
  return cusp_lua_has_hole(r->L, lua_gettop(r->L), (lua_Unsigned)length)
             ? cusp_lua_fail_hole((lua_Unsigned)length)
             : CUSP_OK;
}

/* Writes the value on the top of the stack; false where the dtype does not hold it. */
static bool store(cusp_dtype dtype, void *to, lua_State *L) {
  if (lua_isinteger(L, -1) && !cusp_dtype_is_float(dtype)) {
    lua_Integer value = lua_tointeger(L, -1);
    cusp_store_int(dtype, to, value);
    return cusp_dtype_holds_int(dtype, value);
  }
  double number = lua_type(L, -1) == LUA_TBOOLEAN ? lua_toboolean(L, -1) : lua_tonumber(L, -1);
  cusp_store_double(dtype, to, number);
  return cusp_dtype_holds_double(dtype, number);
}

static cusp_status fail_item(const reader *r, int depth) {
  cusp_status status = cusp_dtype_fail_range(r->dtype, cusp_lua_got(r->L, -1));
  return depth ? cusp_fail_prefix(status, "at position %s: ", position_text(r, depth)) : status;
}

static cusp_status store_string(void *to, lua_State *L, int index) {
  size_t length;
  const char *bytes = lua_tolstring(L, index, &length);
  return cusp_string_make(to, bytes, length);
}

/* Second pass: writes the items in row-major order. */
static cusp_status fill(reader *r, int depth) {
  if (depth == r->shape.ndim) {
    if (r->dtype == CUSP_STRING)
      CUSP_TRY(store_string(r->next, r->L, -1));
    else if (!store(r->dtype, r->next, r->L))
      return fail_item(r, depth);
    r->next += cusp_dtype_size(r->dtype);
    return CUSP_OK;
  }
  for (int64_t i = 1; i <= r->shape.size[depth]; i++) {
    lua_rawgeti(r->L, -1, i);
    r->position[depth] = i;
    cusp_status status = fill(r, depth + 1);
    lua_pop(r->L, 1);
    CUSP_TRY(status);
  }
  return CUSP_OK;
}

/* Keras's choice: integers alone are int32 (int64 where they need it), booleans alone bool,
 * anything else floatx. */
static cusp_dtype natural_dtype(const reader *r) {
  if (r->strings)
    return CUSP_STRING;
  if (r->integers && !r->floats)
    return r->wide ? CUSP_INT64 : CUSP_INT32;
  return r->booleans && !r->floats && !r->integers ? CUSP_BOOL : cusp_get_floatx();
}

/* The nested tables at `index` as a new array of `dtype` (CUSP_LUA_ANY_DTYPE: the natural one). */
static cusp_status read_table(cusp_array *out, lua_State *L, int index, int dtype) {
  reader r = {.L = L, .wanted = dtype};
  CUSP_TRY(measure(&r, index));
  lua_pushvalue(L, index);
  cusp_status status = check(&r, 0);
  if (status == CUSP_OK) {
    r.dtype = dtype == CUSP_LUA_ANY_DTYPE ? natural_dtype(&r) : (cusp_dtype)dtype;
    status = cusp_array_new(out, r.dtype, &r.shape);
  }
  if (status == CUSP_OK) {
    if (r.dtype == CUSP_STRING)
      cusp_strings_collect_some();
    r.next = out->data;
    status = fill(&r, 0);
    if (status != CUSP_OK)
      cusp_array_release(out);
  }
  lua_pop(L, 1);
  return status;
}

static cusp_status adopt_array(cusp_node **node, cusp_array *array) {
  cusp_status status = cusp_node_leaf(node, array);
  cusp_array_release(array);
  if (status == CUSP_OK)
    *node = cusp_scope_adopt(*node);
  return status == CUSP_OK ? cusp_built(*node) : status;
}

static cusp_status numbers_to_node(cusp_node **node, lua_State *L, int index, int dtype) {
  cusp_array array;
  CUSP_TRY(read_table(&array, L, index, dtype));
  return adopt_array(node, &array);
}

/* Whether what nested tables begin with is a tensor. */
static bool begins_with_tensor(lua_State *L, int index) {
  int base = lua_gettop(L), depth = 0;
  lua_pushvalue(L, index);
  while (lua_type(L, -1) == LUA_TTABLE && depth++ < CUSP_MAX_DIMS)
    lua_rawgeti(L, -1, 1);
  bool found = cusp_lua_test_tensor(L, -1) || cusp_lua_test_variable(L, -1);
  lua_settop(L, base);
  return found;
}

static cusp_status list_to_node(cusp_node **node, lua_State *L, int index, int dtype, int depth);

static cusp_status item_to_node(cusp_node **node, lua_State *L, int dtype, int depth) {
  int index = lua_gettop(L);
  bool list = lua_type(L, index) == LUA_TTABLE && begins_with_tensor(L, index);
  return list ? list_to_node(node, L, index, dtype, depth)
              : cusp_lua_to_node(node, L, index, dtype);
}

/* The tensors of a list, stacked. */
static cusp_status list_to_node(cusp_node **node, lua_State *L, int index, int dtype, int depth) {
  int count = (int)lua_rawlen(L, index);
  cusp_node **items;
  if (depth >= CUSP_MAX_DIMS)
    return cusp_fail(CUSP_ESHAPE, "tables nested more than %d deep", CUSP_MAX_DIMS);
  CUSP_TRY(cusp_alloc((void **)&items, (size_t)count * sizeof *items));
  cusp_status status = CUSP_OK;
  for (int i = 0; status == CUSP_OK && i < count; i++) {
    lua_rawgeti(L, index, i + 1);
    status = item_to_node(&items[i], L, dtype, depth + 1);
    lua_pop(L, 1);
    if (status != CUSP_OK)
      cusp_fail_prefix(status, "item %d of the list: ", i + 1);
  }
  if (status == CUSP_OK)
    status = cusp_built(*node = cusp_apply("stack", count, items, 0, NULL));
  cusp_fail_drop("stack");
  cusp_free(items);
  return status;
}

static cusp_status table_to_node(cusp_node **node, lua_State *L, int index, int dtype) {
  return begins_with_tensor(L, index) ? list_to_node(node, L, index, dtype, 0)
                                      : numbers_to_node(node, L, index, dtype);
}

/* ------------------------------------------------------------------ scalars */

/* Integers that neither int32 nor a double hold go through an array of one element. */
static cusp_status large_integer(cusp_node **node, lua_Integer value, cusp_dtype dtype) {
  cusp_array array;
  CUSP_TRY(cusp_array_new(&array, dtype, &(cusp_shape){0}));
  cusp_store_int(dtype, array.data, value);
  return adopt_array(node, &array);
}

static cusp_status scalar_to_node(cusp_node **node, lua_State *L, int index, int dtype) {
  bool boolean = lua_type(L, index) == LUA_TBOOLEAN, integer = lua_isinteger(L, index),
       weak = dtype == CUSP_LUA_ANY_DTYPE && !boolean;
  lua_Integer value = boolean ? lua_toboolean(L, index) : lua_tointeger(L, index);
  bool fits = cusp_dtype_holds_int(CUSP_INT32, value);
  if (dtype == CUSP_LUA_ANY_DTYPE)
    dtype = (int)(boolean    ? CUSP_BOOL
                  : !integer ? cusp_get_floatx()
                  : fits     ? CUSP_INT32
                             : CUSP_INT64);
  if (integer ? !cusp_dtype_holds_int((cusp_dtype)dtype, value)
              : !cusp_dtype_holds_double((cusp_dtype)dtype, lua_tonumber(L, index)))
    return cusp_dtype_fail_range((cusp_dtype)dtype, cusp_lua_got(L, index));
  if (integer && !fits && !cusp_dtype_is_float((cusp_dtype)dtype))
    CUSP_TRY(large_integer(node, value, (cusp_dtype)dtype));
  else
    *node =
        cusp_scalar(boolean || integer ? (double)value : lua_tonumber(L, index), (cusp_dtype)dtype);
  CUSP_TRY(cusp_built(*node));
  (*node)->weak = weak;
  (*node)->number = lua_tonumber(L, index);
  return CUSP_OK;
}

static cusp_status string_to_node(cusp_node **node, lua_State *L, int index) {
  cusp_array array;
  cusp_strings_collect_some();
  CUSP_TRY(cusp_array_new(&array, CUSP_STRING, &(cusp_shape){0}));
  cusp_status status = store_string(array.data, L, index);
  if (status == CUSP_OK)
    return adopt_array(node, &array);
  cusp_array_release(&array);
  return status;
}

cusp_status cusp_lua_to_node(cusp_node **node, lua_State *L, int index, int dtype) {
  *node = NULL;
  switch (lua_type(L, index)) {
  case LUA_TUSERDATA: {
    cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, index);
    cusp_lua_variable *variable = tensor ? NULL : cusp_lua_test_variable(L, index);
    if (tensor && !tensor->node)
      return cusp_fail(CUSP_EVALUE, "the tensor has been closed");
    if (tensor)
      *node = tensor->node;
    else if (variable && variable->variable)
      CUSP_TRY(cusp_variable_read(node, variable->variable));
    else
      break;
    if (dtype != CUSP_LUA_ANY_DTYPE)
      *node = cusp_cast(*node, (cusp_dtype)dtype);
    return cusp_built(*node);
  }
  case LUA_TNUMBER:
  case LUA_TBOOLEAN: return scalar_to_node(node, L, index, dtype);
  case LUA_TSTRING:
    if (dtype == CUSP_LUA_ANY_DTYPE || dtype == CUSP_STRING)
      return string_to_node(node, L, index);
    break;
  case LUA_TTABLE:
    if (!cusp_lua_is_symbolic(L, index))
      return table_to_node(node, L, index, dtype);
    break;
  default: break;
  }
  return cusp_fail(CUSP_EVALUE, "expected a tensor, a number or nested tables of numbers, got %s",
                   cusp_lua_got(L, index));
}

/* ------------------------------------------------------------------ cusp.tensor */

typedef struct tensor_options {
  int dtype;
  bool has_shape;
  cusp_shape shape;
} tensor_options;

/* Reads {dtype =, shape =} at index 2; other keys are errors. */
static void check_options(lua_State *L, tensor_options *options) {
  *options = (tensor_options){.dtype = CUSP_LUA_ANY_DTYPE};
  if (lua_isnoneornil(L, 2))
    return;
  if (lua_type(L, 2) != LUA_TTABLE)
    cusp_lua_error(L, "tensor: expected a table {dtype =, shape =} as second argument, got %s",
                   cusp_lua_got(L, 2));
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    cusp_status status = CUSP_OK;
    if (!strcmp(key, "dtype") && lua_type(L, -1) == LUA_TSTRING) {
      cusp_dtype dtype;
      status = cusp_dtype_parse(&dtype, lua_tostring(L, -1));
      options->dtype = (int)dtype;
    } else if (!strcmp(key, "shape")) {
      options->has_shape = true;
      status = cusp_lua_to_shape(&options->shape, L, lua_gettop(L));
    } else if (!strcmp(key, "dtype")) {
      cusp_lua_error(L, "tensor: argument 'dtype' expects a string such as \"float32\", got %s",
                     cusp_lua_got(L, -1));
    } else {
      cusp_lua_error(L, "tensor: unknown argument %s (expected dtype, shape)",
                     *key ? key : cusp_lua_got(L, -2));
    }
    if (status != CUSP_OK)
      cusp_lua_raise(L, status, "tensor");
  }
}

static cusp_status with_shape(cusp_node **node, const cusp_shape *shape) {
  int64_t have = cusp_shape_count(&(*node)->type.shape), want = cusp_shape_count(shape);
  if (have == 1 && want != 1 && (*node)->type.shape.ndim == 0) {
    *node = cusp_broadcast_to(*node, shape);
    return cusp_built(*node);
  }
  if (have != want)
    return cusp_fail(CUSP_ESHAPE, "tensor: %lld values were given, but shape %s has %lld",
                     (long long)have, cusp_shape_text(shape), (long long)want);
  *node = cusp_reshape(*node, shape);
  return cusp_built(*node);
}

int cusp_lua_tensor_from_data(lua_State *L) {
  tensor_options options;
  cusp_node *node;
  lua_settop(L, 2);
  check_options(L, &options);
  cusp_lua_mark_source(L);
  cusp_lua_tensor *result = cusp_lua_new_tensor(L);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = cusp_lua_to_node(&node, L, 1, options.dtype);
  if (status == CUSP_OK && options.has_shape)
    status = with_shape(&node, &options.shape);
  /* a tensor's dtype is its own */
  if (status == CUSP_OK && node->weak && !(node = cusp_cast(node, node->type.dtype)))
    status = cusp_built(node);
  if (status == CUSP_OK) {
    cusp_node_retain(node);
    cusp_lua_fill_tensor(result, node);
  }
  cusp_scope_close(scope);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "tensor");
}
