/*
 * One function for all rows of the operation table. It finds each parameter's value on the Lua
 * stack by the row's signature (positional, then keywords of a last table), reads them into C
 * without raising, and applies the row.
 */
#include "binding.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* One call being read. Kept small: it lives on the C stack of every call. */
typedef struct call {
  lua_State *L;
  const cusp_op *op;
  const cusp_signature *signature;
  int top; /* the arguments as they came are at 1 .. top */
  /* the stack index of each parameter's value, 0 for none, AT_NULL for an axis that is null */
  int where[CUSP_MAX_PARAMETERS];
  /* a NAME... parameter given as positional tensors: how many; 0: a table */
  int list_count;
  bool symbolic; /* a symbolic tensor was among them */
} call;

#define AT_NULL (-1)

/* ------------------------------------------------------------------ messages */

static const char *nearest_parameter(const cusp_signature *signature, const char *name) {
  const char *nearest = NULL;
  int best = (int)strlen(name) / 2 + 2;
  for (int i = 0; i < signature->count; i++) {
    int d = cusp_edit_distance(name, signature->parameters[i].name);
    if (d < best) {
      best = d;
      nearest = signature->parameters[i].name;
    }
  }
  return nearest;
}

/* "x, axis, keepdims" */
static const char *parameter_names(const cusp_signature *signature) {
  static _Thread_local char text[CUSP_MAX_PARAMETERS * 26];
  int length = 0;
  text[0] = '\0';
  for (int i = 0; i < signature->count; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, "%s%s", i ? ", " : "",
                       signature->parameters[i].name);
  return text;
}

static void unknown_keyword(call *c, const char *name) {
  const char *nearest = nearest_parameter(c->signature, name);
  if (nearest)
    cusp_lua_error(c->L, "%s: unknown argument '%s'; did you mean '%s'? (arguments: %s)",
                   c->op->name, name, nearest, parameter_names(c->signature));
  cusp_lua_error(c->L, "%s: unknown argument '%s' (arguments: %s)", c->op->name, name,
                 parameter_names(c->signature));
}

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

/* ------------------------------------------------------------------ finding the arguments (may
 * raise) */

static bool is_nested_ints(cusp_parameter_kind kind) {
  return kind == CUSP_PARAMETER_INTS || kind == CUSP_PARAMETER_INT_OR_INTS;
}

static bool is_plain_table(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TTABLE && !cusp_lua_is_symbolic(L, index) &&
         !cusp_lua_is_null(L, index) && !cusp_lua_is_none(L, index);
}

/* The number of string keys. In a long list only what comes after the array part is looked at. */
static int count_string_keys(lua_State *L, int table) {
  int count = 0;
  lua_Integer length = (lua_Integer)lua_rawlen(L, table);
  if (length > 32)
    lua_pushinteger(L, length);
  else
    lua_pushnil(L);
  while (lua_next(L, table)) {
    lua_pop(L, 1);
    count += lua_type(L, -1) == LUA_TSTRING;
  }
  return count;
}

/* Whether t[1] is a table that is no tensor, or (with `of_tensors`) t[1] holds tensors. */
static bool first_is_table(lua_State *L, int table, bool of_tensors) {
  lua_rawgeti(L, table, 1);
  bool answer = is_plain_table(L, -1);
  if (answer && of_tensors) {
    lua_rawgeti(L, -1, 1);
    answer = lua_type(L, -1) == LUA_TUSERDATA || cusp_lua_is_symbolic(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return answer;
}

static bool first_is_tensor(lua_State *L, int table) {
  lua_rawgeti(L, table, 1);
  bool answer = lua_type(L, -1) == LUA_TUSERDATA || cusp_lua_is_symbolic(L, -1);
  lua_pop(L, 1);
  return answer;
}

/* A list of integers may hold lists, as pad{{1, 1}, {2, 2}} does; what holds lists of lists or ends
 * in words is arguments. */
static bool is_sequence_of_ints(lua_State *L, int table) {
  int second = lua_rawgeti(L, table, 2);
  lua_rawgeti(L, table, 1);
  bool deep = lua_type(L, -1) == LUA_TTABLE && first_is_table(L, lua_gettop(L), false);
  lua_pop(L, 2);
  return !deep && (second == LUA_TNIL || second == LUA_TNUMBER || second == LUA_TTABLE);
}

/*
 * Whether a table is a list of tensors for the one tensor that the row takes, to be stacked. What
 * comes second there may be an attribute instead: a scalar, or a list of axes as a tensor.
 */
static bool is_list_of_tensors(call *c, int table) {
  lua_State *L = c->L;
  int count = (int)lua_rawlen(L, table);
  if (count < 2 || c->signature->n_tensors != 1 || !first_is_tensor(L, table))
    return false;
  lua_rawgeti(L, table, 2);
  cusp_lua_tensor *second = cusp_lua_test_tensor(L, -1);
  bool list = cusp_lua_is_symbolic(L, -1) || cusp_lua_test_variable(L, -1) ||
              (second && second->node &&
               (count > c->signature->count || cusp_dtype_is_float(second->node->type.dtype) ||
                second->node->type.shape.ndim > 1));
  lua_pop(L, 1);
  return list;
}

static int count_required(const cusp_signature *signature) {
  int required = 0;
  for (int i = 0; i < signature->count; i++)
    required += !signature->parameters[i].optional;
  return required;
}

/*
 * Whether the array part of a last table, standing where parameter `next` is expected, is that
 * parameter's value itself (ones{2, 3}, reshape(x, {-1, 4}), abs{1, -2}) rather than a sequence of
 * positional arguments (sum{x, 2}).
 */
static bool table_is_value(call *c, int table, int next, int keywords) {
  if (next >= c->signature->count)
    return false;
  cusp_parameter_kind kind = c->signature->parameters[next].kind;
  if (kind == CUSP_PARAMETER_TENSORS)
    return !first_is_table(c->L, table, true);
  if (is_nested_ints(kind))
    return is_sequence_of_ints(c->L, table);
  if (kind == CUSP_PARAMETER_SHAPE || kind == CUSP_PARAMETER_AXES)
    return !first_is_table(c->L, table, false);
  if (kind != CUSP_PARAMETER_TENSOR || keywords > 0)
    return false;
  return next > 0 || is_list_of_tensors(c, table) ||
         (!first_is_tensor(c->L, table) && count_required(c->signature) == 1);
}

static void too_many(call *c, int given) {
  const char *advice =
      lua_type(c->L, -1) == LUA_TNUMBER
          ? "; several sizes or axes go in braces, as in t:reshape{3, 2} and t:transpose{2, 1}"
          : "";
  cusp_lua_error(c->L, "%s: takes at most %d argument%s (%s), got %d%s", c->op->name,
                 c->signature->count, c->signature->count == 1 ? "" : "s",
                 parameter_names(c->signature), given, advice);
}

/* Null is as good as nothing, but for an axis with a default: there Keras's None says something
 * else. */
static int place_of(call *c, int i, int index) {
  const cusp_parameter *p = &c->signature->parameters[i];
  if (!cusp_lua_is_null(c->L, index))
    return index;
  bool axis = p->kind == CUSP_PARAMETER_AXIS || p->kind == CUSP_PARAMETER_AXES;
  return axis && p->default_value.kind != CUSP_ATTR_NONE && !lua_isnil(c->L, index) ? AT_NULL : 0;
}

/* The first `count` values on the stack are positional arguments. Leading tensors may stand for a
 * list of them. */
static int place_positional(call *c, int count) {
  int next = 0, first = 1;
  if (c->signature->count > 0 && c->signature->parameters[0].kind == CUSP_PARAMETER_TENSORS &&
      count > 0 && !is_plain_table(c->L, 1)) {
    while (first <= count &&
           (lua_type(c->L, first) == LUA_TUSERDATA || cusp_lua_is_symbolic(c->L, first)))
      first++;
    c->list_count = first - 1;
    c->where[next++] = 1;
    if (c->list_count == 0)
      first++; /* something else, which reading will refuse */
  }
  if (count - first + 1 > c->signature->count - next)
    too_many(c, count);
  for (; first <= count; first++, next++)
    c->where[next] = place_of(c, next, first);
  return next;
}

/* Pushes the items of the table's array part as the arguments from parameter `next` on. */
static int spread(call *c, int table, int next) {
  int length = (int)lua_rawlen(c->L, table);
  if (length > c->signature->count - next)
    too_many(c, next + length);
  for (int i = 1; i <= length; i++, next++) {
    lua_rawgeti(c->L, table, i);
    c->where[next] = place_of(c, next, lua_gettop(c->L));
  }
  return next;
}

/* Raises for a keyword that no parameter has or, if there is none, for one whose parameter was
 * placed before index `first`. */
static void name_bad_keyword(call *c, int table, int first) {
  const char *twice = NULL;
  for (lua_pushnil(c->L); lua_next(c->L, table); lua_pop(c->L, 1)) {
    if (lua_type(c->L, -2) != LUA_TSTRING)
      continue;
    const char *name = lua_tostring(c->L, -2);
    int i = 0;
    while (i < c->signature->count && strcmp(c->signature->parameters[i].name, name) != 0)
      i++;
    if (i == c->signature->count)
      unknown_keyword(c, name);
    if (c->where[i] > 0 && c->where[i] < first)
      twice = c->signature->parameters[i].name;
  }
  if (twice)
    cusp_lua_error(c->L, "%s: argument '%s' is given twice, by position and by name", c->op->name,
                   twice);
}

static void place_keywords(call *c, int table, int keywords) {
  int first = lua_gettop(c->L) + 1;
  for (int i = 0; i < c->signature->count && keywords > 0; i++) {
    if (c->where[i])
      continue;
    if (lua_getfield(c->L, table, c->signature->parameters[i].name) != LUA_TNIL) {
      c->where[i] = place_of(c, i, lua_gettop(c->L));
      keywords--;
    } else {
      lua_pop(c->L, 1);
    }
  }
  if (keywords > 0)
    name_bad_keyword(c, table, first);
}

/* Whether a table after other arguments is empty and no parameter needs it: an empty set of
 * keywords. */
static bool is_no_value(call *c, int table, int next) {
  lua_pushnil(c->L);
  if (lua_next(c->L, table)) {
    lua_pop(c->L, 2);
    return false;
  }
  return table > 1 && (next >= c->signature->count || c->signature->parameters[next].optional);
}

/* The last argument is a table that is no tensor: keywords, a sequence of arguments, a value, or
 * several of these. */
static void locate_with_table(call *c) {
  int table = c->top;
  luaL_checkstack(c->L, 2 * CUSP_MAX_PARAMETERS + 4, NULL);
  int keywords = count_string_keys(c->L, table), next = place_positional(c, table - 1);
  bool says_nothing = lua_rawlen(c->L, table) == 0 && (keywords > 0 || is_no_value(c, table, next));
  if (says_nothing)
    ;
  else if (table_is_value(c, table, next, keywords))
    c->where[next] = table;
  else
    spread(c, table, next);
  if (keywords > 0)
    place_keywords(c, table, keywords);
}

static void locate(call *c) {
  memset(c->where, 0, (size_t)c->signature->count * sizeof c->where[0]);
  if (c->top > 0 && is_plain_table(c->L, c->top))
    locate_with_table(c);
  else
    place_positional(c, c->top);
}

/* ------------------------------------------------------------------ reading the arguments (raises
 * nothing) */

#define INTS_CAPACITY 512
#define STACK_INPUTS 32

typedef struct operands {
  int n_inputs, n_attrs, n_ints;
  cusp_node **inputs;
  cusp_node *few[STACK_INPUTS];
  cusp_attr attrs[CUSP_MAX_PARAMETERS];
  int64_t ints[INTS_CAPACITY]; /* what the lists among attrs point into */
} operands;

static cusp_status missing(const call *c, int i) {
  const cusp_parameter *p = &c->signature->parameters[i];
  const char *advice =
      i == 0 && c->top == 0 && p->kind == CUSP_PARAMETER_TENSOR ? "; a method takes a colon" : "";
  return cusp_fail(CUSP_EVALUE, "%s: argument '%s' is missing (expected %s; arguments: %s)%s",
                   c->op->name, p->name, kind_text(p->kind), parameter_names(c->signature), advice);
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
  while (is_plain_table(L, -1) && depth++ < CUSP_MAX_DIMS)
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
  if (count == 0 && !is_plain_table(c->L, table))
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

/* Stops at the first symbolic tensor: the call then goes elsewhere as it came. */
static cusp_status read_operands(call *c, operands *o) {
  for (int i = 0; i < c->signature->count && !c->symbolic; i++)
    CUSP_TRY(read_parameter(c, o, i));
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the call */

static const char symbolic_handler_key[] = "cusp.symbolic_handler";

int cusp_lua_set_symbolic_handler(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, symbolic_handler_key);
  return 0;
}

static int call_symbolic(call *c) {
  lua_State *L = c->L;
  lua_settop(L, c->top);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, symbolic_handler_key) != LUA_TFUNCTION)
    return cusp_lua_error(L, "%s: symbolic tensors need require \"cusp\"", c->op->name);
  lua_insert(L, 1);
  lua_pushstring(L, c->op->name);
  lua_insert(L, 2);
  lua_call(L, c->top + 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* More inputs than fit on the C stack are kept in a userdata, which is pushed before anything is
 * read. */
static void make_room(call *c, operands *o) {
  int count = c->list_count;
  o->inputs = o->few;
  if (c->signature->count == 0 || c->signature->parameters[0].kind != CUSP_PARAMETER_TENSORS ||
      !c->where[0])
    return;
  if (count == 0 && lua_type(c->L, c->where[0]) == LUA_TTABLE)
    count = (int)lua_rawlen(c->L, c->where[0]);
  if (count + c->signature->n_tensors > STACK_INPUTS)
    o->inputs =
        lua_newuserdatauv(c->L, (size_t)(count + c->signature->n_tensors) * sizeof(cusp_node *), 0);
}

/* The one result is put into the userdata that was made before; more are pushed after. */
static int return_outputs(call *c, cusp_lua_tensor *box, int count, cusp_node **outputs) {
  if (count == 1 && !(c->op->flags & CUSP_OP_LIST)) {
    cusp_lua_fill_tensor(box, outputs[0]);
    if (cusp_tracing())
      cusp_lua_note_truth(c->L, -1, false);
    return 1;
  }
  return cusp_lua_push_nodes(c->L, count, outputs, c->op->flags & CUSP_OP_LIST);
}

/** cusp.engine.ops.NAME(...): upvalue 1 is the row. */
static int call_op(lua_State *L) {
  call c = {.L = L, .op = lua_touserdata(L, lua_upvalueindex(1)), .top = lua_gettop(L)};
  operands o;
  cusp_node *outputs[CUSP_MAX_RESULTS];
  int n_outputs = 0;
  c.signature = cusp_op_signature(c.op);
  while (c.top > 1 && lua_isnil(L, c.top)) /* a nil at the end says nothing */
    c.top--;
  lua_settop(L, c.top);
  cusp_lua_check_interrupt(L);
  locate(&c);
  o.n_inputs = o.n_attrs = o.n_ints = 0;
  make_room(&c, &o);
  cusp_lua_mark_call(L, c.op->name);
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS + 8, NULL);
  cusp_lua_tensor *box = cusp_lua_new_tensor(L);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = read_operands(&c, &o);
  if (status == CUSP_OK && !c.symbolic)
    status = cusp_op_apply(outputs, &n_outputs, c.op, o.n_inputs, o.inputs, o.n_attrs, o.attrs);
  cusp_scope_close(scope);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, c.op->name);
  return c.symbolic ? call_symbolic(&c) : return_outputs(&c, box, n_outputs, outputs);
}

/* ------------------------------------------------------------------ the table */

static void push_row(lua_State *L, const cusp_op *op) {
  lua_pushlightuserdata(L, (void *)op);
  lua_pushcclosure(L, call_op, 1);
}

void cusp_lua_push_op(lua_State *L, const char *name) {
  const cusp_op *op = cusp_op_find(name);
  if (op)
    push_row(L, op);
  else
    lua_pushnil(L);
}

/* Random rows begin with a key, which is no data to call a method on. */
static bool is_method(const cusp_op *op) {
  const cusp_signature *signature = cusp_op_signature(op);
  return !(op->flags & (CUSP_OP_HIDDEN | CUSP_OP_RANDOM)) && signature->count > 0 &&
         signature->parameters[0].kind == CUSP_PARAMETER_TENSOR;
}

static void add_method(lua_State *L, int methods, const char *name) {
  if (lua_getfield(L, methods, name) == LUA_TNIL) {
    lua_pushvalue(L, -2);
    lua_setfield(L, methods, name);
  }
  lua_pop(L, 1);
}

void cusp_lua_open_ops(lua_State *L, int ops, int methods) {
  lua_createtable(L, 0, 1);
  lua_newtable(L);
  int hidden = lua_gettop(L);
  for (const cusp_op *const *family = cusp_op_families; *family; family++) {
    for (const cusp_op *op = *family; op->name; op++) {
      push_row(L, op);
      if (is_method(op))
        add_method(L, methods, op->name);
      lua_setfield(L, op->flags & CUSP_OP_HIDDEN ? hidden : ops, op->name);
    }
  }
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, ops);
}

/* ------------------------------------------------------------------ description */

static void set_string(lua_State *L, const char *key, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

static void set_boolean(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

/* Pushes a default as Lua gives it: axes count from 1. */
static void push_default(lua_State *L, const cusp_parameter *p) {
  const cusp_attr *a = &p->default_value;
  int64_t offset = p->kind == CUSP_PARAMETER_AXIS || p->kind == CUSP_PARAMETER_AXES;
  switch (a->kind) {
  case CUSP_ATTR_INT: lua_pushinteger(L, a->integer >= 0 ? a->integer + offset : a->integer); break;
  case CUSP_ATTR_FLOAT: lua_pushnumber(L, a->number); break;
  case CUSP_ATTR_BOOL: lua_pushboolean(L, a->integer != 0); break;
  case CUSP_ATTR_DTYPE: lua_pushstring(L, cusp_dtype_name((cusp_dtype)a->integer)); break;
  case CUSP_ATTR_STRING: lua_pushstring(L, a->string); break;
  case CUSP_ATTR_INTS:
    lua_createtable(L, a->count, 0);
    for (int i = 0; i < a->count; i++) {
      lua_pushinteger(L, a->ints[i] >= 0 ? a->ints[i] + offset : a->ints[i]);
      lua_rawseti(L, -2, i + 1);
    }
    break;
  default: lua_pushnil(L);
  }
}

static void push_arguments(lua_State *L, const cusp_op *op) {
  static const char *const kinds[] = {"tensor", "tensors", "int",   "float", "bool", "dtype",
                                      "string", "ints",    "shape", "axis",  "axes", "int_or_ints"};
  const cusp_signature *signature = cusp_op_signature(op);
  lua_createtable(L, signature->count, 0);
  for (int i = 0; i < signature->count; i++) {
    const cusp_parameter *p = &signature->parameters[i];
    lua_createtable(L, 0, 4);
    set_string(L, "name", p->name);
    set_string(L, "kind", kinds[p->kind]);
    set_boolean(L, "optional", p->optional);
    push_default(L, p);
    lua_setfield(L, -2, "default");
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_flags(lua_State *L, uint32_t flags) {
  static const struct {
    uint32_t flag;
    const char *name;
  } names[] = {{CUSP_OP_ELEMENTWISE, "elementwise"},
               {CUSP_OP_REDUCTION, "reduction"},
               {CUSP_OP_VIEW, "view"},
               {CUSP_OP_RANDOM, "random"},
               {CUSP_OP_HIDDEN, "hidden"},
               {CUSP_OP_NO_GRADIENT, "no_gradient"},
               {CUSP_OP_LIST, "list"}};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (flags & names[i].flag)
      set_boolean(L, names[i].name, true);
}

/** cusp.engine.describe(): a list with a table for each row; `flags` is a set by name. */
int cusp_lua_describe(lua_State *L) {
  lua_Integer n = 0;
  lua_settop(L, 0);
  lua_newtable(L);
  for (const cusp_op *const *family = cusp_op_families; *family; family++) {
    for (const cusp_op *op = *family; op->name; op++) {
      lua_createtable(L, 0, 6);
      set_string(L, "name", op->name);
      set_string(L, "help", op->help ? op->help : "");
      set_boolean(L, "has_gradient", op->gradient || op->compose);
      set_boolean(L, "composed", op->compose);
      push_arguments(L, op);
      lua_setfield(L, -2, "arguments");
      push_flags(L, op->flags);
      lua_setfield(L, -2, "flags");
      lua_rawseti(L, 1, ++n);
    }
  }
  return 1;
}
