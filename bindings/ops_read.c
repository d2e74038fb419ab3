/* The arguments of an operation, read into C without raising. */
#include "ops_call.h"

static const char *kind_text(cusp_parameter_kind kind) {
  switch (kind) {
  case CUSP_PARAMETER_TENSOR: return "a tensor";
  case CUSP_PARAMETER_TENSORS: return "a list of tensors";
  case CUSP_PARAMETER_INT: return "an integer";
  case CUSP_PARAMETER_FLOAT: return "a number";
  case CUSP_PARAMETER_BOOL: return "true or false";
  case CUSP_PARAMETER_DTYPE: return "a dtype such as \"float32\"";
  case CUSP_PARAMETER_STRING: return "a string";
  case CUSP_PARAMETER_INT_OR_INTS:
  case CUSP_PARAMETER_INTS: return "an integer or a list of integers";
  case CUSP_PARAMETER_SHAPE: return "a shape such as {2, 3}";
  case CUSP_PARAMETER_AXIS: return "an axis (counted from 1, negative from the end)";
  case CUSP_PARAMETER_AXES:
    return "an axis or a list of axes (counted from 1, negative from the end)";
  }
  return "a value";
}

static cusp_status missing(const call *c, int i) {
  const cusp_parameter *p = &c->signature->parameters[i];
  const char *advice =
      i == 0 && c->top == 0 && p->kind == CUSP_PARAMETER_TENSOR ? "; a method takes a colon" : "";
  return cusp_fail(CUSP_EVALUE, "%s: argument '%s' is missing (expected %s; arguments: %s)%s",
                   c->op->name, p->name, kind_text(p->kind), cusp_lua_parameter_names(c->signature),
                   advice);
}

static cusp_status wrong_type(const call *c, int i) {
  const cusp_parameter *p = &c->signature->parameters[i];
  bool number = lua_type(c->L, c->where[i]) == LUA_TNUMBER;
  return cusp_fail(CUSP_EVALUE, "%s: argument '%s' expects %s, got %s%s", c->op->name, p->name,
                   kind_text(p->kind), cusp_lua_got(c->L, c->where[i]),
                   number && p->kind == CUSP_PARAMETER_DTYPE
                       ? "; several sizes go in braces, as in cusp.zeros{2, 3}"
                       : "");
}

/* The index of the first argument for parameter `kind` that was given, or 0; how many such
 * parameters there are. */
static int find_given(const call *c, cusp_parameter_kind kind, int *count) {
  int given = 0;
  *count = 0;
  for (int i = 0; i < c->signature->count; i++) {
    if (c->signature->parameters[i].kind != kind)
      continue;
    ++*count;
    given = given ? given : c->where[i];
  }
  return given;
}

/* The dtype that a table of numbers is to have: what does not fit it is an error, not something to
 * cast. */
static int dtype_of_table(const call *c, const operands *o, int index) {
  cusp_dtype dtype;
  int count;
  bool written = c->op->flags & CUSP_OP_UPDATES;
  if (!(c->op->flags & CUSP_OP_FROM_DATA || written) || lua_type(c->L, index) != LUA_TTABLE)
    return CUSP_LUA_ANY_DTYPE;
  find_given(c, CUSP_PARAMETER_TENSOR, &count);
  if (written && o->n_inputs < count - 1)
    return CUSP_LUA_ANY_DTYPE;
  int given = find_given(c, CUSP_PARAMETER_DTYPE, &count);
  if (given > 0 && lua_type(c->L, given) == LUA_TSTRING)
    return cusp_dtype_parse(&dtype, lua_tostring(c->L, given)) == CUSP_OK ? (int)dtype
                                                                          : CUSP_LUA_ANY_DTYPE;
  return written && o->n_inputs > 0 ? (int)o->inputs[0]->type.dtype : CUSP_LUA_ANY_DTYPE;
}

/* A symbolic tensor, or nested tables that begin with one. */
static bool is_symbolic(lua_State *L, int index) {
  int base = lua_gettop(L), depth = 0;
  if (lua_type(L, index) != LUA_TTABLE || cusp_lua_is_symbolic(L, index))
    return lua_type(L, index) == LUA_TTABLE;
  lua_pushvalue(L, index);
  while (cusp_lua_is_plain_table(L, -1) && depth++ < CUSP_MAX_DIMS)
    lua_rawgeti(L, -1, 1);
  bool found = cusp_lua_is_symbolic(L, -1);
  lua_settop(L, base);
  return found;
}

static cusp_status read_tensor(call *c, operands *o, int index, const char *name) {
  if (is_symbolic(c->L, index)) {
    c->symbolic = true;
    return CUSP_OK;
  }
  if (lua_type(c->L, index) == LUA_TSTRING && !(c->op->flags & CUSP_OP_STRINGS))
    return cusp_fail(CUSP_EVALUE,
                     "%s: argument '%s': expected a tensor, a number or nested tables of numbers, "
                     "got %s",
                     c->op->name, name, cusp_lua_got(c->L, index));
  cusp_status status =
      cusp_lua_to_node(&o->inputs[o->n_inputs], c->L, index, dtype_of_table(c, o, index));
  if (status != CUSP_OK)
    return cusp_fail_prefix(status, "%s: argument '%s': ", c->op->name, name);
  o->n_inputs++;
  return CUSP_OK;
}

static cusp_status hole(const call *c, const char *name, int position) {
  return cusp_fail(CUSP_EVALUE, "%s: argument '%s': the list has nil at position %d", c->op->name,
                   name, position);
}

/* The items of a NAME... parameter: positional tensors, or a table of them. */
static cusp_status read_tensors(call *c, operands *o, const char *name) {
  int count = c->list_count, table = c->where[0];
  if (count == 0 && !cusp_lua_is_plain_table(c->L, table))
    return wrong_type(c, 0);
  if (count == 0)
    count = (int)lua_rawlen(c->L, table);
  if (count == 0)
    return cusp_fail(CUSP_EVALUE,
                     "%s: argument '%s' is an empty list (expected at least one tensor)",
                     c->op->name, name);
  for (int i = 1; i <= count; i++) {
    if (c->list_count)
      lua_pushvalue(c->L, i);
    else
      lua_rawgeti(c->L, table, i);
    cusp_status status =
        lua_isnil(c->L, -1) ? hole(c, name, i) : read_tensor(c, o, lua_gettop(c->L), name);
    lua_pop(c->L, 1);
    CUSP_TRY(status);
  }
  return !c->list_count && cusp_lua_has_hole(c->L, table, (lua_Unsigned)count)
             ? hole(c, name, count + 1)
             : CUSP_OK;
}

/* 1-based to 0-based; negative axes stay. */
static bool zero_based(int64_t *axis) {
  if (*axis > 0)
    --*axis;
  else if (*axis == 0)
    return false;
  return true;
}

/* In a shape that a tensor is to get, None (null in a file) is the tensor's own size there: a size
 * that a symbolic tensor told. Whether there is one. */
static bool has_unknown_sizes(const call *c, const operands *o, int i) {
  lua_State *L = c->L;
  int table = c->where[i];
  bool found = false;
  if (c->signature->parameters[i].kind != CUSP_PARAMETER_SHAPE || o->n_inputs == 0 ||
      lua_type(L, table) != LUA_TTABLE)
    return false;
  for (lua_Integer k = 1; !found && k <= (lua_Integer)lua_rawlen(L, table); k++) {
    lua_rawgeti(L, table, k);
    if (lua_isnil(L, -1)) /* a hole, which reading will refuse */
      return lua_pop(L, 1), false;
    found = cusp_lua_is_none(L, -1) || cusp_lua_is_null(L, -1) || !lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
  return found;
}

static cusp_status read_sizes(const call *c, operands *o, int i, cusp_attr *attr) {
  const cusp_shape *own = &o->inputs[0]->type.shape;
  int count = (int)lua_rawlen(c->L, c->where[i]);
  int64_t *ints = &o->ints[o->n_ints];
  for (int k = 0; k < count && k < CUSP_MAX_DIMS; k++) {
    int exact = 1;
    lua_rawgeti(c->L, c->where[i], k + 1);
    if (lua_type(c->L, -1) == LUA_TNUMBER)
      ints[k] = lua_tointegerx(c->L, -1, &exact);
    else if (k < own->ndim)
      ints[k] = own->size[k];
    else
      exact = 0;
    lua_pop(c->L, 1);
    if (!exact)
      return cusp_fail(CUSP_EVALUE, "%s: argument '%s': there is no size %d in a tensor of %d axes",
                       c->op->name, c->signature->parameters[i].name, k + 1, own->ndim);
  }
  *attr = cusp_attr_ints(ints, count);
  o->n_ints += count;
  return CUSP_OK;
}

static cusp_status read_list(call *c, operands *o, int i, cusp_attr *attr) {
  const cusp_parameter *p = &c->signature->parameters[i];
  int64_t *ints = &o->ints[o->n_ints];
  int count;
  if (has_unknown_sizes(c, o, i))
    return read_sizes(c, o, i, attr);
  cusp_status status = cusp_lua_to_ints(ints, INTS_CAPACITY - o->n_ints, &count, c->L, c->where[i]);
  if (status != CUSP_OK)
    return cusp_fail_prefix(status, "%s: argument '%s': ", c->op->name, p->name);
  if (p->kind == CUSP_PARAMETER_AXES)
    for (int k = 0; k < count; k++)
      if (!zero_based(&ints[k]))
        return cusp_fail(
            CUSP_EVALUE,
            "%s: argument '%s': axes count from 1 (or are negative, from the end), got 0",
            c->op->name, p->name);
  *attr = cusp_attr_ints(ints, count);
  o->n_ints += count;
  return CUSP_OK;
}

static cusp_status read_integer(call *c, int i, cusp_attr *attr) {
  int exact = 0, count;
  int64_t value = lua_tointegerx(c->L, c->where[i], &exact);
  if (lua_type(c->L, c->where[i]) == LUA_TUSERDATA) {
    cusp_status status = cusp_lua_to_ints(&value, 1, &count, c->L, c->where[i]);
    if (status != CUSP_OK)
      return cusp_fail_prefix(status, "%s: argument '%s': ", c->op->name,
                              c->signature->parameters[i].name);
    exact = count == 1;
  } else if (lua_type(c->L, c->where[i]) != LUA_TNUMBER) {
    exact = 0;
  }
  if (!exact)
    return wrong_type(c, i);
  if (c->signature->parameters[i].kind == CUSP_PARAMETER_AXIS && !zero_based(&value))
    return wrong_type(c, i);
  *attr = cusp_attr_int(value);
  return CUSP_OK;
}

static cusp_status read_dtype(call *c, int i, cusp_attr *attr) {
  cusp_dtype dtype;
  cusp_status status = cusp_dtype_parse(&dtype, lua_tostring(c->L, c->where[i]));
  if (status != CUSP_OK)
    return cusp_fail_prefix(status, "%s: argument '%s': ", c->op->name,
                            c->signature->parameters[i].name);
  *attr = cusp_attr_dtype(dtype);
  return CUSP_OK;
}

/* lua_tostring is asked for strings alone: on a number it would allocate. */
static cusp_status read_attr(call *c, operands *o, int i, cusp_attr *attr) {
  const cusp_parameter *p = &c->signature->parameters[i];
  int index = c->where[i], type = lua_type(c->L, index);
  switch (p->kind) {
  case CUSP_PARAMETER_INT:
  case CUSP_PARAMETER_AXIS: return read_integer(c, i, attr);
  case CUSP_PARAMETER_FLOAT:
    if (type != LUA_TNUMBER)
      return wrong_type(c, i);
    *attr = cusp_attr_float(lua_tonumber(c->L, index));
    return CUSP_OK;
  case CUSP_PARAMETER_BOOL:
    if (type != LUA_TBOOLEAN)
      return wrong_type(c, i);
    *attr = cusp_attr_bool(lua_toboolean(c->L, index));
    return CUSP_OK;
  case CUSP_PARAMETER_DTYPE: return type == LUA_TSTRING ? read_dtype(c, i, attr) : wrong_type(c, i);
  case CUSP_PARAMETER_STRING:
    if (type != LUA_TSTRING)
      return wrong_type(c, i);
    *attr = cusp_attr_string(lua_tostring(c->L, index));
    return CUSP_OK;
  case CUSP_PARAMETER_INT_OR_INTS:
    return type == LUA_TNUMBER ? read_integer(c, i, attr) : read_list(c, o, i, attr);
  default: return read_list(c, o, i, attr);
  }
}

/* An absent tensor: allowed at the end of the inputs alone, and anywhere among a composition's,
 * which sees NULL. */
static cusp_status skip_tensor(const call *c, operands *o, int i) {
  if (!c->signature->parameters[i].optional)
    return missing(c, i);
  for (int later = i + 1; later < c->signature->count; later++) {
    if (c->signature->parameters[later].kind != CUSP_PARAMETER_TENSOR || !c->where[later])
      continue;
    if (c->op->compose) {
      o->inputs[o->n_inputs++] = NULL;
      return CUSP_OK;
    }
    return cusp_fail(CUSP_EVALUE, "%s: argument '%s' is given, so '%s' may not be nil", c->op->name,
                     c->signature->parameters[later].name, c->signature->parameters[i].name);
  }
  return CUSP_OK;
}

static cusp_status read_parameter(call *c, operands *o, int i) {
  const cusp_parameter *p = &c->signature->parameters[i];
  bool absent = c->where[i] == 0;
  if (p->kind == CUSP_PARAMETER_TENSORS)
    return absent ? missing(c, i) : read_tensors(c, o, p->name);
  if (p->kind == CUSP_PARAMETER_TENSOR)
    return absent ? skip_tensor(c, o, i) : read_tensor(c, o, c->where[i], p->name);
  cusp_attr *attr = &o->attrs[o->n_attrs++];
  if (c->where[i] == AT_NULL) {
    *attr = (cusp_attr){.kind = CUSP_ATTR_NULL};
    return c->op->flags & CUSP_OP_NULL_AXIS
               ? CUSP_OK
               : cusp_fail(CUSP_EVALUE, "%s: argument '%s' expects %s, got null", c->op->name,
                           p->name, kind_text(p->kind));
  }
  if (!absent)
    return read_attr(c, o, i, attr);
  if (!p->optional)
    return missing(c, i);
  *attr = p->default_value;
  return CUSP_OK;
}

cusp_status cusp_lua_read_arguments(call *c, operands *o) {
  for (int i = 0; i < c->signature->count && !c->symbolic; i++)
    CUSP_TRY(read_parameter(c, o, i));
  return CUSP_OK;
}
