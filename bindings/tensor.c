/* Tensors in Lua: a userdata holding a node; fields, indexing, comparison, and the collector's
 * knowledge of their bytes. */
#include "binding.h"
#include "scope.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

const char cusp_lua_tensor_kind[] = "cusp.Tensor";

/* ------------------------------------------------------------------ the collector */

/*
 * Lua sees a few bytes of userdata where megabytes hang. When the engine holds more than
 * `collect_at` bytes, what is still to be computed included, a collection runs before the next
 * tensor is made: a young one first (in generational mode that frees temporaries at little cost), a
 * full one where that gave too little. The distance to the next one grows with what is alive, and
 * with Lua's own heap, whose marking is the price of a collection. Many pending nodes are a reason
 * too: those that nobody can reach any more need not be computed. What is left after a collection
 * is computed then, so that the same loop gives the same graphs, whose plans exist
 * already. */
#define LEAST_SLACK ((uint64_t)16 << 20)
/* before the engine's own bound, which collects nothing first */
enum { MOST_PENDING = CUSP_PENDING_NODES / 2 };

static atomic_uint_fast64_t collect_at = LEAST_SLACK, pending_limit = MOST_PENDING;

static uint64_t slack(lua_State *L, uint64_t held) {
  uint64_t heap = (uint64_t)lua_gc(L, LUA_GCCOUNT) << 10, most = held / 4 > heap ? held / 4 : heap;
  return most > LEAST_SLACK ? most : LEAST_SLACK;
}

static uint64_t held_bytes(void) {
  return cusp_memory_live() + cusp_graph_get_stats().pending_bytes;
}

static void collect(lua_State *L, uint64_t before) {
  if (!lua_gc(L, LUA_GCISRUNNING)) { /* collectgarbage "stop" */
    collect_at = before + LEAST_SLACK;
    return;
  }
  collect_at = UINT64_MAX; /* finalisers may make tensors */
  uint64_t wanted = slack(L, before) / 2;
  lua_gc(L, LUA_GCSTEP, 0);
  if (held_bytes() + wanted > before)
    lua_gc(L, LUA_GCCOLLECT);
  uint64_t held = held_bytes();
  collect_at = held + slack(L, held);
}

/* What cannot be computed stays pending, and reports it when its value is asked for. */
static void bound_pending(lua_State *L) {
  if (lua_gc(L, LUA_GCISRUNNING))
    lua_gc(L, LUA_GCSTEP, 0);
  pending_limit = MOST_PENDING;
  if (cusp_graph_get_stats().pending < MOST_PENDING / 2)
    return;
  cusp_evaluate_pending();
  pending_limit += cusp_graph_get_stats().pending;
}

void cusp_lua_collect(lua_State *L) {
  cusp_graph_stats stats = cusp_graph_get_stats();
  uint64_t held = cusp_memory_live() + stats.pending_bytes;
  if (held > collect_at)
    collect(L, held);
  else if (collect_at > 4 * (held + LEAST_SLACK) && collect_at != UINT64_MAX)
    collect_at = 2 * (held + LEAST_SLACK); /* much was freed since */
  if (stats.pending > pending_limit)
    bound_pending(L);
}

/* ------------------------------------------------------------------ making and releasing */

cusp_lua_tensor *cusp_lua_new_tensor(lua_State *L) {
  cusp_lua_collect(L);
  cusp_lua_tensor *tensor = lua_newuserdatauv(L, sizeof *tensor, 0);
  *tensor = (cusp_lua_tensor){.kind = cusp_lua_tensor_kind};
  luaL_setmetatable(L, cusp_lua_tensor_kind);
  return tensor;
}

void cusp_lua_fill_tensor(cusp_lua_tensor *tensor, cusp_node *node) {
  tensor->node = node;
  cusp_node_hold(node);
}

cusp_status cusp_lua_fill_array(cusp_lua_tensor *tensor, cusp_array *array) {
  cusp_node *node;
  cusp_status status = cusp_node_leaf(&node, array);
  cusp_array_release(array);
  if (status == CUSP_OK)
    cusp_lua_fill_tensor(tensor, node);
  return status;
}

cusp_status cusp_lua_fill_arrays(lua_State *L, int first, int count, cusp_array *arrays) {
  cusp_status status = CUSP_OK;
  for (int i = 0; i < count; i++) {
    if (status == CUSP_OK)
      status = cusp_lua_fill_array(lua_touserdata(L, first + i), &arrays[i]);
    else
      cusp_array_release(&arrays[i]);
  }
  return status;
}

/* __gc and __close. */
static int tensor_release(lua_State *L) {
  cusp_lua_tensor *tensor = cusp_lua_test(L, 1, cusp_lua_tensor_kind);
  if (tensor && tensor->node) {
    cusp_node *node = tensor->node;
    tensor->node = NULL;
    if (tensor->untouched)
      cusp_lua_warn_untouched(L, node);
    cusp_node_unhold(node);
    cusp_node_release(node);
  }
  return 0;
}

typedef struct node_list {
  cusp_node **nodes;
  int count, filled;
  bool as_table;
} node_list;

static int push_nodes_protected(lua_State *L) {
  node_list *list = lua_touserdata(L, 1);
  lua_settop(L, 0);
  luaL_checkstack(L, list->count + 3, "too many results");
  if (list->as_table)
    lua_createtable(L, list->count, 0);
  for (int i = 0; i < list->count; i++) {
    if (list->nodes[i])
      cusp_lua_fill_tensor(cusp_lua_new_tensor(L), list->nodes[i]);
    else
      lua_pushboolean(L, 0);
    list->filled = i + 1;
    if (list->as_table)
      lua_rawseti(L, 1, i + 1);
  }
  return lua_gettop(L);
}

int cusp_lua_push_nodes(lua_State *L, int count, cusp_node **nodes, bool as_table) {
  int base = lua_gettop(L);
  node_list list = {nodes, count, 0, as_table};
  lua_pushcfunction(L, push_nodes_protected);
  lua_pushlightuserdata(L, &list);
  int status = lua_pcall(L, 1, LUA_MULTRET, 0);
  if (status != LUA_OK) {
    for (int i = list.filled; i < count; i++)
      cusp_node_release(nodes[i]);
    return lua_error(L);
  }
  return lua_gettop(L) - base;
}

/* ------------------------------------------------------------------ checking arguments */

static cusp_node *read_variable(lua_State *L, int index, cusp_variable *variable,
                                const char *function) {
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_node *node;
  cusp_lua_enter(L);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = cusp_variable_read(&node, variable);
  if (status == CUSP_OK) {
    cusp_node_retain(node);
    cusp_lua_fill_tensor(tensor, node);
  }
  cusp_scope_close(scope);
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, function);
  lua_replace(L, index);
  return node;
}

cusp_node *cusp_lua_check_tensor(lua_State *L, int index, const char *function) {
  cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, index);
  if (tensor && tensor->node)
    return tensor->node;
  cusp_lua_variable *variable = cusp_lua_test_variable(L, index);
  if (variable && variable->variable)
    return read_variable(L, index, variable->variable, function);
  cusp_lua_error(L, "%s: expected a tensor, got %s", function,
                 tensor ? "one that has been closed" : cusp_lua_got(L, index));
  return NULL;
}

cusp_node *cusp_lua_check_value(lua_State *L, int index, const char *function) {
  cusp_node *node = cusp_lua_check_tensor(L, index, function);
  if (cusp_node_evaluated(node))
    return node;
  cusp_lua_check_interrupt(L);
  cusp_lua_mark_source(L);
  cusp_status status = cusp_evaluate(1, &node);
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, function);
  return node;
}

cusp_node *cusp_lua_check_numbers(lua_State *L, int index, const char *function) {
  cusp_node *node = cusp_lua_check_value(L, index, function);
  if (node->type.dtype == CUSP_STRING)
    cusp_lua_error(L, "%s: expected a tensor of numbers, got one of strings", function);
  return node;
}

/* ------------------------------------------------------------------ fields */

static const char shape_class; /* its address is the key of the metatable of shapes */

void cusp_lua_push_shape(lua_State *L, const cusp_shape *shape) {
  lua_createtable(L, shape->ndim, 0);
  for (int i = 0; i < shape->ndim; i++) {
    lua_pushinteger(L, shape->size[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &shape_class);
  lua_setmetatable(L, -2);
}

/* Pushes the field at index 2 of the tensor at index 1. */
static int push_field(lua_State *L, const cusp_node *node) {
  const char *key = lua_tostring(L, 2);
  if (!strcmp(key, "shape"))
    cusp_lua_push_shape(L, &node->type.shape);
  else if (!strcmp(key, "dtype"))
    lua_pushstring(L, cusp_dtype_name(node->type.dtype));
  else if (!strcmp(key, "ndim"))
    lua_pushinteger(L, node->type.shape.ndim);
  else
    return cusp_lua_absent_field(L, "tensor");
  return 1;
}

/* ------------------------------------------------------------------ indexing */

/* The shape that is left of a slice when `dropped` axes go and `fresh[axis]` axes of size 1 come
 * before each of its axes and, last, after them. */
static cusp_shape shape_left(const cusp_shape *slice, const bool *dropped, const int *fresh) {
  cusp_shape shape = {0};
  for (int axis = 0; axis <= slice->ndim; axis++) {
    for (int i = 0; fresh && i < fresh[axis]; i++)
      shape.size[shape.ndim++] = 1;
    if (axis < slice->ndim && !dropped[axis])
      shape.size[shape.ndim++] = slice->size[axis];
  }
  return shape;
}

/* Slices of x, 0-based with exclusive stops, and then the shape that is left. */
static int push_slice(lua_State *L, cusp_node *x, const int64_t *start, const int64_t *stop,
                      const int64_t *step, const bool *dropped, const int *fresh,
                      const char *function) {
  cusp_lua_mark_source(L);
  cusp_lua_tensor *result = cusp_lua_new_tensor(L);
  int ndim = x->type.shape.ndim;
  cusp_scope scope = cusp_scope_open();
  cusp_node *y = CUSP_APPLY1("strided_slice", x, cusp_attr_ints(start, ndim),
                             cusp_attr_ints(stop, ndim), cusp_attr_ints(step, ndim));
  if (y) {
    cusp_shape shape = shape_left(&y->type.shape, dropped, fresh);
    y = cusp_reshape(y, &shape);
  }
  cusp_status status = cusp_built(y);
  if (status == CUSP_OK) {
    cusp_node_retain(y);
    cusp_lua_fill_tensor(result, y);
  }
  cusp_scope_close(scope);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, function);
}

/* The whole of x in every axis. */
static void whole(const cusp_shape *shape, int64_t *start, int64_t *stop, int64_t *step,
                  bool *dropped) {
  for (int axis = 0; axis < shape->ndim; axis++) {
    start[axis] = 0;
    stop[axis] = shape->size[axis];
    step[axis] = 1;
    dropped[axis] = false;
  }
}

static int64_t check_row(lua_State *L, lua_Integer i, const cusp_shape *shape, int axis,
                         const char *function) {
  int64_t size = shape->size[axis];
  if (i == 0 || i > size || i < -size)
    cusp_lua_error(L,
                   "%s: index %lld is out of range for axis %d of a tensor of shape %s (indices "
                   "count from 1, negative ones from the end)",
                   function, (long long)i, axis + 1, cusp_shape_text(shape));
  return i > 0 ? i - 1 : size + i;
}

/* t[i] */
static int push_row(lua_State *L, cusp_node *x, lua_Integer i) {
  int64_t start[CUSP_MAX_DIMS], stop[CUSP_MAX_DIMS], step[CUSP_MAX_DIMS];
  bool dropped[CUSP_MAX_DIMS];
  if (x->type.shape.ndim == 0)
    return cusp_lua_error(
        L, "t[%lld]: the tensor is a scalar and has no axes to index; t:item() gives its value",
        (long long)i);
  if (i == x->type.shape.size[0] + 1) /* where ipairs looks for the end */
    return cusp_lua_error(L,
                          "t[i]: index %lld is out of range for axis 1 of a tensor of shape %s "
                          "(pairs goes through a tensor: for i, "
                          "item in pairs(t) do; ipairs does not find its end)",
                          (long long)i, cusp_shape_text(&x->type.shape));
  whole(&x->type.shape, start, stop, step, dropped);
  start[0] = check_row(L, i, &x->type.shape, 0, "t[i]");
  stop[0] = start[0] + 1;
  dropped[0] = true;
  return push_slice(L, x, start, stop, step, dropped, NULL, "t[i]");
}

/* An end of a slice: the integer at spec[position] as a 1-based index, or what is absent. */
static int64_t slice_end(lua_State *L, int spec, int position, int axis, int64_t absent) {
  int exact = 0;
  int type = lua_rawgeti(L, spec, position);
  lua_Integer value = type == LUA_TNUMBER ? lua_tointegerx(L, -1, &exact) : 0;
  if (type != LUA_TNIL && !exact)
    cusp_lua_error(L, "slice: axis %d: expected {first, last, step} of integers, got %s", axis + 1,
                   cusp_lua_got(L, -1));
  lua_pop(L, 1);
  return type == LUA_TNIL ? absent : value;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

/* {first, last, step} at stack index `spec`, inclusive and 1-based, into 0-based start and
 * exclusive stop. */
static void read_range(lua_State *L, int spec, int axis, int64_t size, int64_t *start,
                       int64_t *stop, int64_t *step) {
  *step = slice_end(L, spec, 3, axis, 1);
  if (*step == 0)
    cusp_lua_error(L, "slice: axis %d: the step is 0", axis + 1);
  bool forward = *step > 0;
  int64_t first = slice_end(L, spec, 1, axis, forward ? 1 : -1),
          last = slice_end(L, spec, 2, axis, forward ? -1 : 1);
  if (first == 0 || (last == 0 && !forward)) /* {1, 0} is empty, as in string.sub */
    cusp_lua_error(L, "slice: axis %d: positions count from 1, got 0", axis + 1);
  first = first < 0 ? size + 1 + first : first;
  last = last < 0 ? size + 1 + last : last;
  if (forward) {
    *start = clamp(first, 1, size + 1) - 1;
    *stop = clamp(last, *start, size);
  } else {
    *start = clamp(first, 0, size) - 1;
    *stop = clamp(last, 1, size + 1) - 2;
    if (*stop > *start)
      *stop = *start;
  }
}

static void read_spec(lua_State *L, int spec, int axis, const cusp_shape *shape, int64_t *start,
                      int64_t *stop, int64_t *step, bool *dropped) {
  if (lua_isnil(L, spec) || (lua_isboolean(L, spec) && lua_toboolean(L, spec)))
    return;
  if (lua_isinteger(L, spec)) {
    *start = check_row(L, lua_tointeger(L, spec), shape, axis, "slice");
    *stop = *start + 1;
    *dropped = true;
  } else if (lua_istable(L, spec) && !cusp_lua_is_none(L, spec)) {
    read_range(L, spec, axis, shape->size[axis], start, stop, step);
  } else {
    cusp_lua_error(L,
                   "slice: axis %d: expected {first, last, step}, {}, an index or cusp.newaxis, "
                   "got %s",
                   axis + 1, cusp_lua_got(L, spec));
  }
}

static bool is_ellipsis(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TSTRING && strcmp(lua_tostring(L, index), "...") == 0;
}

static bool is_new_axis(lua_State *L, int index) {
  return lua_istable(L, index) && cusp_lua_is_null(L, index);
}

/* How many axes of x the ranges at index 2 are for; the first "..." stands for the others. */
static int count_ranges(lua_State *L, lua_Integer specs, const cusp_shape *shape) {
  lua_Integer given = 0, fresh = 0;
  bool others = false;
  for (lua_Integer i = 1; i <= specs; i++) {
    lua_rawgeti(L, 2, i);
    bool is_first = !others && is_ellipsis(L, -1), is_new = is_new_axis(L, -1);
    others = others || is_first;
    given += !is_first && !is_new;
    fresh += is_new;
    lua_pop(L, 1);
  }
  if (given > shape->ndim)
    return cusp_lua_error(L, "slice: %lld ranges were given for a tensor of shape %s",
                          (long long)given, cusp_shape_text(shape));
  if (fresh + shape->ndim > CUSP_MAX_DIMS)
    return cusp_lua_error(L,
                          "slice: %lld new axes were given for a tensor of shape %s; a tensor "
                          "has at most %d axes",
                          (long long)fresh, cusp_shape_text(shape), CUSP_MAX_DIMS);
  return (int)given;
}

/**
 * t:slice{{first, last}, {first, last, step}, {}, i}: inclusive, 1-based, negative from the end; an
 * index drops its axis, and a last before the first gives an axis of size 0. "..." stands for all
 * of the axes that have no range, once; null is a new axis of size 1.
 */
static int tensor_slice(lua_State *L) {
  cusp_node *x = cusp_lua_check_tensor(L, 1, "slice");
  const cusp_shape *shape = &x->type.shape;
  int64_t start[CUSP_MAX_DIMS], stop[CUSP_MAX_DIMS], step[CUSP_MAX_DIMS];
  bool dropped[CUSP_MAX_DIMS];
  if (lua_gettop(L) != 2 || !lua_istable(L, 2))
    return cusp_lua_error(L, "slice: expected one table with a {first, last, step} for each axis, "
                             "as in t:slice{{1, 2}, {}}");
  lua_Integer specs = (lua_Integer)lua_rawlen(L, 2);
  int others = shape->ndim - count_ranges(L, specs, shape), axis = 0;
  int fresh[CUSP_MAX_DIMS + 1] = {0};
  whole(shape, start, stop, step, dropped);
  for (lua_Integer i = 1; i <= specs; i++, lua_settop(L, 2)) {
    lua_rawgeti(L, 2, i);
    if (is_new_axis(L, 3)) {
      fresh[axis]++;
    } else if (is_ellipsis(L, 3) && others >= 0) {
      axis += others;
      others = -1;
    } else {
      read_spec(L, 3, axis, shape, &start[axis], &stop[axis], &step[axis], &dropped[axis]);
      axis++;
    }
  }
  return push_slice(L, x, start, stop, step, dropped, fresh, "slice");
}

/* __index: upvalue 1 is the table of methods. */
static int tensor_index(lua_State *L) {
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
      return 1;
    return push_field(L, cusp_lua_check_tensor(L, 1, "index"));
  }
  if (cusp_lua_test_tensor(L, 2)) { /* t[mask] */
    lua_settop(L, 2);
    lua_getfield(L, lua_upvalueindex(1), "boolean_mask");
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
  }
  cusp_node *node = cusp_lua_check_tensor(L, 1, "t[i]");
  int exact = 0;
  lua_Integer i = lua_type(L, 2) == LUA_TNUMBER ? lua_tointegerx(L, 2, &exact) : 0;
  if (!exact)
    return cusp_lua_error(L,
                          "t[i]: expected an integer or a mask, got %s; ranges and new axes are "
                          "t:slice's, as in t:slice{{1, 2}, cusp.newaxis}",
                          cusp_lua_got(L, 2));
  return push_row(L, node, i);
}

static int tensor_newindex(lua_State *L) {
  return cusp_lua_error(L,
                        "tensors are values and cannot be changed; cusp.Variable holds one that "
                        "can, ops.scatter_update and ops.where make "
                        "new ones (index %s)",
                        cusp_lua_got(L, 2));
}

static int tensor_length(lua_State *L) {
  cusp_node *node = cusp_lua_check_tensor(L, 1, "#t");
  if (node->type.shape.ndim == 0)
    return cusp_lua_error(L, "#t: the tensor is a scalar and has no first axis");
  lua_pushinteger(L, node->type.shape.size[0]);
  return 1;
}

/* The step of a loop over pairs(t): i + 1, t[i + 1]. */
static int next_item(lua_State *L) {
  lua_Integer i = luaL_checkinteger(L, 2) + 1;
  if (i > luaL_len(L, 1)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, i);
  lua_geti(L, 1, i);
  return 2;
}

/* pairs(t): the parts along the first axis. */
static int tensor_pairs(lua_State *L) {
  lua_pushcfunction(L, next_item);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  return 3;
}

static int tensor_tostring(lua_State *L) {
  cusp_node *node = cusp_lua_check_tensor(L, 1, "tostring");
  if (!node->trace)
    cusp_lua_check_value(L, 1, "tostring");
  cusp_lua_push_text(L, "tensor", node);
  return 1;
}

/* ------------------------------------------------------------------ comparison */

static bool is_traced(lua_State *L, int index) {
  cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, index);
  return tensor && tensor->node && tensor->node->trace;
}

/* == asks whether two are the same tensor, which for the values of a trace is hardly what was
 * meant. */
static int tensor_equal(lua_State *L) {
  if ((is_traced(L, 1) || is_traced(L, 2)) && cusp_lua_called_by_user(L))
    cusp_lua_error(L, "comparison: == and ~= do not compare the values of tensors, and a traced "
                      "tensor has none yet; x:equal(y) with "
                      "cusp.ops.where or cusp.ops.cond chooses by value, rawequal(x, y) asks "
                      "whether they are one tensor");
  lua_pushboolean(L, false);
  return 1;
}

/* ------------------------------------------------------------------ text */

/* Pushes what stands at `index` in a text: the number of a tensor of one element, else as print
 * shows it. */
static void push_part(lua_State *L, int index) {
  bool ours = cusp_lua_test_tensor(L, index) || cusp_lua_test_variable(L, index);
  int type = lua_type(L, index);
  if (!ours && type != LUA_TSTRING && type != LUA_TNUMBER)
    luaL_error(L, "attempt to concatenate a %s value with a tensor", luaL_typename(L, index));
  lua_pushvalue(L, index);
  if (ours) {
    cusp_node *node = cusp_lua_check_tensor(L, lua_gettop(L), "..");
    if (!node->trace && node->type.shape.ndim == 0) {
      lua_getfield(L, -1, "item");
      lua_insert(L, -2);
      lua_call(L, 1, 1);
    }
  }
  luaL_tolstring(L, -1, NULL);
  lua_remove(L, -2);
}

/* a .. b, where one of them is a tensor or a variable */
static int tensor_concat(lua_State *L) {
  push_part(L, 1);
  push_part(L, 2);
  lua_concat(L, 2);
  return 1;
}

/* ------------------------------------------------------------------ the class */

static const struct operator{ const char *event, *row; }
operators[] = {
    {"__add", "add"},
    {"__sub", "subtract"},
    {"__mul", "multiply"},
    {"__div", "divide"},
    {"__idiv", "floor_divide"},
    {"__mod", "mod"},
    {"__pow", "power"},
    {"__band", "bitwise_and"},
    {"__bor", "bitwise_or"},
    {"__bxor", "bitwise_xor"},
    {"__shl", "bitwise_left_shift"},
    {"__shr", "bitwise_right_shift"},
    {0},
};

/* Lua passes the operand of a unary operator twice. */
static int call_unary(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static void set_unary(lua_State *L, const char *event, const char *row) {
  cusp_lua_push_op(L, row);
  lua_pushcclosure(L, call_unary, 1);
  lua_setfield(L, -2, event);
}

void cusp_lua_set_operators(lua_State *L) {
  for (const struct operator* o = operators; o->event; o++) {
    cusp_lua_push_op(L, o->row);
    lua_setfield(L, -2, o->event);
  }
  set_unary(L, "__unm", "negative");
  set_unary(L, "__bnot", "bitwise_not");
  static const luaL_Reg shared[] = {{"__eq", tensor_equal},
                                    {"__len", tensor_length},
                                    {"__pairs", tensor_pairs},
                                    {"__concat", tensor_concat},
                                    {NULL, NULL}};
  luaL_setfuncs(L, shared, 0);
  cusp_lua_set_comparisons(L);
}

void cusp_lua_open_tensor(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", tensor_release},
                                         {"__close", tensor_release},
                                         {"__tostring", tensor_tostring},
                                         {"__newindex", tensor_newindex},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"item", cusp_lua_tensor_item}, {"tolist", cusp_lua_tensor_tolist},
      {"flat", cusp_lua_tensor_flat}, {"tobytes", cusp_lua_tensor_tobytes},
      {"slice", tensor_slice},        {NULL, NULL}};
  luaL_newmetatable(L, cusp_lua_tensor_kind);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, tensor_index, 1);
  lua_setfield(L, -3, "__index");
  lua_setfield(L, -2, "tensor_methods");
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &shape_class);
  lua_setfield(L, -2, "shape_class");
  lua_pop(L, 1);
}
