/* The arguments of an operation on the Lua stack: positional ones, then the keywords of a last
 * table. May raise. */
#include "ops_call.h"

#include <stdio.h>
#include <string.h>

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
const char *cusp_lua_parameter_names(const cusp_signature *signature) {
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
                   c->op->name, name, nearest, cusp_lua_parameter_names(c->signature));
  cusp_lua_error(c->L, "%s: unknown argument '%s' (arguments: %s)", c->op->name, name,
                 cusp_lua_parameter_names(c->signature));
}

static bool is_nested_ints(cusp_parameter_kind kind) {
  return kind == CUSP_PARAMETER_INTS || kind == CUSP_PARAMETER_INT_OR_INTS;
}

bool cusp_lua_is_plain_table(lua_State *L, int index) {
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
  bool answer = cusp_lua_is_plain_table(L, -1);
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
                 cusp_lua_parameter_names(c->signature), given, advice);
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
      count > 0 && !cusp_lua_is_plain_table(c->L, 1)) {
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

void cusp_lua_find_arguments(call *c) {
  memset(c->where, 0, (size_t)c->signature->count * sizeof c->where[0]);
  if (c->top > 0 && cusp_lua_is_plain_table(c->L, c->top))
    locate_with_table(c);
  else
    place_positional(c, c->top);
}
