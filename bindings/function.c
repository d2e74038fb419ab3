/* Traces, compiled functions, and the loop over batches. */
#include "binding.h"
#include "scope.h"

#include <string.h>

static const char trace_kind[] = "cusp.Trace", function_kind[] = "cusp.Function",
                  text_kind[] = "cusp.Text", runner_kind[] = "cusp.Runner";

typedef struct trace_box {
  const void *kind;
  cusp_trace *trace; /* NULL once compiled or abandoned */
  int64_t tapes;     /* made before it began */
} trace_box;

typedef struct function_box {
  const void *kind;
  cusp_function *function;
} function_box;

typedef struct runner_box {
  const void *kind;
  cusp_runner *runner; /* NULL: taken by a program in C */
} runner_box;

/* Text of the engine's, kept here while Lua copies it. */
typedef struct text_box {
  const void *kind;
  char *text;
} text_box;

static int text_release(lua_State *L) {
  text_box *box = cusp_lua_test(L, 1, text_kind);
  if (box) {
    cusp_free(box->text);
    box->text = NULL;
  }
  return 0;
}

static text_box *new_text(lua_State *L) {
  text_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (text_box){text_kind, NULL};
  luaL_setmetatable(L, text_kind);
  return box;
}

/* ------------------------------------------------------------------ traces */

static trace_box *push_trace(lua_State *L) {
  trace_box *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (trace_box){trace_kind, NULL, 0};
  luaL_setmetatable(L, trace_kind);
  cusp_lua_keep_coroutine(L);
  cusp_lua_enter(L);
  return box;
}

/** cusp.engine.trace(): what follows is recorded, until the trace is compiled or abandoned. */
static int new_trace(lua_State *L) {
  trace_box *box = push_trace(L);
  cusp_status status = cusp_trace_begin(&box->trace);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "trace");
}

static trace_box *check_trace(lua_State *L, const char *function) {
  trace_box *box = cusp_lua_test(L, 1, trace_kind);
  if (!box || !box->trace)
    cusp_lua_error(L, "%s: expected an open trace, got %s", function,
                   box ? "one that has ended" : cusp_lua_got(L, 1));
  return box;
}

static int trace_abandon(lua_State *L) {
  trace_box *box = cusp_lua_test(L, 1, trace_kind);
  if (box) {
    cusp_trace *trace = box->trace;
    box->trace = NULL;
    cusp_lua_forget_truths(L, trace);
    cusp_trace_abandon(trace);
  }
  return 0;
}

static cusp_shape check_shape(lua_State *L, int index, const char *function) {
  cusp_shape shape;
  luaL_checkstack(L, 8, NULL);
  cusp_status status = cusp_lua_to_shape(&shape, L, index);
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, function);
  return shape;
}

/** trace:try(any_size): for types alone; what is made of constants is computed only if it is asked
 * for. */
static int trace_try(lua_State *L) {
  cusp_trace_try(check_trace(L, "try")->trace, lua_toboolean(L, 2));
  return 0;
}

/** trace:placeholder(shape, dtype): a tensor standing for the next argument. */
static int trace_placeholder(lua_State *L) {
  trace_box *box = check_trace(L, "placeholder");
  cusp_type type = {.shape = check_shape(L, 2, "placeholder")};
  type.dtype = cusp_lua_check_dtype(L, 3, "placeholder");
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_node *node;
  cusp_status status = cusp_trace_placeholder(&node, box->trace, &type);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, "placeholder");
  cusp_node_retain(node);
  cusp_lua_fill_tensor(tensor, node);
  return 1;
}

/* The nodes of the outputs in the list at index 2. */
static cusp_status read_outputs(lua_State *L, int count, cusp_node **nodes) {
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 2, i + 1);
    cusp_status status = cusp_lua_to_node(&nodes[i], L, lua_gettop(L), CUSP_LUA_ANY_DTYPE);
    lua_pop(L, 1);
    if (status != CUSP_OK)
      return cusp_fail_prefix(status, "compile: output %d: ", i + 1);
  }
  return CUSP_OK;
}

static cusp_trace *take_trace(trace_box *box) {
  cusp_trace *trace = box->trace;
  box->trace = NULL; /* consumed, whatever comes of it */
  return trace;
}

static cusp_status compile(cusp_function **out, trace_box *box, lua_State *L, int count,
                           cusp_node **nodes) {
  CUSP_TRY(read_outputs(L, count, nodes));
  return cusp_function_new(out, take_trace(box), count, nodes);
}

/** trace:unused_truths(outputs): where the user's code asked for truth values that are no outputs
 * and that nothing is computed from. */
static int trace_unused_truths(lua_State *L) {
  trace_box *box = check_trace(L, "unused_truths");
  luaL_checktype(L, 2, LUA_TTABLE);
  cusp_lua_push_unused_truths(L, box->trace, 2);
  return 1;
}

/** trace:graph(outputs): the graph that computes the listed tensors, as tables; the trace stays
 * open. */
static int trace_graph(lua_State *L) {
  return cusp_lua_push_graph(L, check_trace(L, "graph")->trace);
}

/* Room for the nodes of the list at index 2, which comes last on the stack, at the end of a trace.
 */
static cusp_node **push_nodes(lua_State *L, const trace_box *box, int *count) {
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  cusp_lua_forget_truths(L, box->trace);
  *count = (int)lua_rawlen(L, 2);
  cusp_node **nodes = lua_newuserdatauv(L, (size_t)(*count + 1) * sizeof *nodes, 0);
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS, NULL);
  return nodes;
}

/** trace:compile(outputs): ends the trace; a function computing the listed tensors and what
 * variables were assigned. */
static int trace_compile(lua_State *L) {
  trace_box *box = check_trace(L, "compile");
  int count;
  cusp_node **nodes = push_nodes(L, box, &count);
  function_box *result = lua_newuserdatauv(L, sizeof *result, 0);
  *result = (function_box){function_kind, NULL};
  luaL_setmetatable(L, function_kind);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = compile(&result->function, box, L, count, nodes);
  cusp_scope_close(scope);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "compile");
}

static int runner_release(lua_State *L) {
  runner_box *box = cusp_lua_test(L, 1, runner_kind);
  if (box) {
    cusp_runner_free(box->runner);
    box->runner = NULL;
  }
  return 0;
}

cusp_runner *cusp_lua_take_runner(lua_State *L, int index) {
  runner_box *box = cusp_lua_test(L, index, runner_kind);
  cusp_runner *runner = box ? box->runner : NULL;
  if (box)
    box->runner = NULL;
  return runner;
}

/** trace:runner(outputs, quiet): ends the trace; what computes the listed tensors in memory that a
 * program in C gives. `quiet`: without libraries that lock or allocate. */
static int trace_runner(lua_State *L) {
  trace_box *box = check_trace(L, "runner");
  bool quiet = lua_toboolean(L, 3);
  int count;
  cusp_node **nodes = push_nodes(L, box, &count);
  runner_box *result = lua_newuserdatauv(L, sizeof *result, 0);
  *result = (runner_box){runner_kind, NULL};
  luaL_setmetatable(L, runner_kind);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = read_outputs(L, count, nodes);
  if (status == CUSP_OK)
    status = cusp_runner_new(&result->runner, take_trace(box), count, nodes, quiet);
  cusp_scope_close(scope);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "compile");
}

/** cusp.engine.tracing() */
static int tracing(lua_State *L) {
  cusp_lua_enter(L);
  lua_pushboolean(L, cusp_tracing());
  return 1;
}

static void end_trace(lua_State *L, bool failed) {
  (void)failed;
  trace_box *box = lua_touserdata(L, 1);
  cusp_trace *trace = box->trace;
  box->trace = NULL;
  cusp_trace_abandon(trace);
}

/* A tape that the traced function left open would record what comes after the trace. */
static void end_traced(lua_State *L, bool failed) {
  trace_box *box = lua_touserdata(L, 1);
  cusp_tape_close_after(box->tapes);
  end_trace(L, failed);
}

static int return_all(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  return lua_gettop(L);
}

/** cusp.engine.untraced(f, ...): calls f with all traces suspended; returns what it returns. */
static int untraced(lua_State *L) {
  luaL_checkany(L, 1);
  cusp_lua_enter(L);
  if (!cusp_tracing()) {
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, return_all);
    return lua_gettop(L);
  }
  trace_box *box = push_trace(L);
  lua_insert(L, 1);
  cusp_status status = cusp_trace_begin_suspension(&box->trace);
  return status == CUSP_OK ? cusp_lua_call_within(L, end_trace)
                           : cusp_lua_raise(L, status, "untraced");
}

/** cusp.engine.traced(f, ...): calls f(trace, ...) within a new trace, which ends with the call;
 * returns what it returns. */
static int traced(lua_State *L) {
  luaL_checkany(L, 1);
  trace_box *box = push_trace(L);
  lua_pushvalue(L, -1);
  lua_insert(L, 1);
  lua_insert(L, 3);
  box->tapes = cusp_tape_count();
  cusp_status status = cusp_trace_begin(&box->trace);
  return status == CUSP_OK ? cusp_lua_call_within(L, end_traced)
                           : cusp_lua_raise(L, status, "trace");
}

/* ------------------------------------------------------------------ calling functions */

#define FEW 16

static function_box *check_function(lua_State *L, const char *what) {
  function_box *box = cusp_lua_test(L, 1, function_kind);
  if (!box || !box->function)
    cusp_lua_error(L, "%s: expected a compiled function, got %s", what, cusp_lua_got(L, 1));
  return box;
}

cusp_function *cusp_lua_check_function(lua_State *L, int index, const char *function) {
  function_box *box = cusp_lua_test(L, index, function_kind);
  if (!box || !box->function)
    cusp_lua_error(L, "%s: expected a compiled function, got %s", function, cusp_lua_got(L, index));
  return box->function;
}

static int function_release(lua_State *L) {
  function_box *box = cusp_lua_test(L, 1, function_kind);
  if (box) {
    cusp_function_free(box->function);
    box->function = NULL;
  }
  return 0;
}

/* Room for `count` arrays: the caller's, or a userdata left on the stack. */
static cusp_array *array_room(lua_State *L, cusp_array *few, int count) {
  return count <= FEW ? few : lua_newuserdatauv(L, (size_t)count * sizeof(cusp_array), 0);
}

/** fn(tensor, ...): the results as tensors. */
static int function_call(lua_State *L) {
  function_box *box = check_function(L, "function");
  cusp_array few_arguments[FEW], few_results[FEW];
  int n_arguments = lua_gettop(L) - 1, n_results = cusp_function_n_results(box->function);
  if (n_arguments != cusp_function_n_arguments(box->function))
    return cusp_lua_error(L, "compiled function: got %d arguments, expected %d", n_arguments,
                          cusp_function_n_arguments(box->function));
  cusp_lua_check_interrupt(L);
  luaL_checkstack(L, n_results + 8, NULL);
  cusp_array *arguments = array_room(L, few_arguments, n_arguments),
             *results = array_room(L, few_results, n_results);
  for (int i = 0; i < n_arguments; i++)
    arguments[i] = cusp_lua_check_value(L, i + 2, "compiled function")->value;
  int first = lua_gettop(L) + 1;
  for (int i = 0; i < n_results; i++)
    cusp_lua_new_tensor(L);
  cusp_status status = cusp_function_run(box->function, n_arguments, arguments, results);
  if (status == CUSP_OK)
    status = cusp_lua_fill_arrays(L, first, n_results, results);
  return status == CUSP_OK ? n_results : cusp_lua_raise(L, status, NULL);
}

/* ------------------------------------------------------------------ batches */

/* A field of the table at index 2, pushed. */
static int64_t integer_field(lua_State *L, const char *name, int64_t absent) {
  int exact = 0, type = lua_getfield(L, 2, name);
  lua_Integer value = type == LUA_TNUMBER ? lua_tointegerx(L, -1, &exact) : absent;
  if (type != LUA_TNIL && !exact)
    cusp_lua_error(L, "run_batches: '%s' should be an integer, got %s", name, cusp_lua_got(L, -1));
  lua_pop(L, 1);
  return value;
}

static double number_field(lua_State *L, const char *name) {
  int type = lua_getfield(L, 2, name);
  if (type != LUA_TNIL && type != LUA_TNUMBER)
    cusp_lua_error(L, "run_batches: '%s' should be a number, got %s", name, cusp_lua_got(L, -1));
  double value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

/* The tensors of the list `name` as arrays in a userdata; the list and its computed tensors stay on
 * the stack. */
static cusp_array *arrays_field(lua_State *L, const char *name, int *count) {
  if (lua_getfield(L, 2, name) != LUA_TTABLE)
    cusp_lua_error(L, "run_batches: '%s' should be a list of tensors, got %s", name,
                   cusp_lua_got(L, -1));
  int list = lua_gettop(L);
  *count = (int)lua_rawlen(L, list);
  luaL_checkstack(L, *count + 8, NULL);
  cusp_array *arrays = lua_newuserdatauv(L, ((size_t)*count + 1) * sizeof *arrays, 0);
  for (int i = 0; i < *count; i++) {
    lua_rawgeti(L, list, i + 1);
    arrays[i] = cusp_lua_check_value(L, lua_gettop(L), "run_batches")->value;
  }
  return arrays;
}

/* The field `order` as row-major int64 numbers: the tensor's own, or a converted copy that stays on
 * the stack. NULL: absent. The engine checks those that it uses. */
static const int64_t *order_field(lua_State *L, int64_t samples) {
  if (lua_getfield(L, 2, "order") == LUA_TNIL)
    return NULL;
  cusp_node *node = cusp_lua_check_value(L, lua_gettop(L), "run_batches");
  const cusp_array *value = &node->value;
  if (value->shape.ndim != 1 || value->shape.size[0] < samples || cusp_dtype_is_float(value->dtype))
    cusp_lua_error(L, "run_batches: 'order' should hold %lld integers, got %s of shape %s",
                   (long long)samples, cusp_dtype_name(value->dtype),
                   cusp_shape_text(&value->shape));
  if (value->dtype == CUSP_INT64 && cusp_array_is_contiguous(value))
    return (const int64_t *)value->data;
  int64_t *order = lua_newuserdatauv(L, (size_t)(value->shape.size[0] + 1) * sizeof *order, 0);
  const char *element = value->data;
  for (int64_t i = 0; i < value->shape.size[0];
       i++, element += value->strides[0] * (int64_t)cusp_dtype_size(value->dtype))
    order[i] = cusp_load_int(value->dtype, element);
  return order;
}

/* Results are written into, so each must own plain memory that no other array shares. */
static void check_results(lua_State *L, const cusp_array *results, int count,
                          const cusp_function *function) {
  if (count != cusp_function_n_results(function))
    cusp_lua_error(L, "run_batches: got %d result tensors, expected %d", count,
                   cusp_function_n_results(function));
  for (int i = 0; i < count; i++)
    if (!cusp_array_is_contiguous(&results[i]) || !results[i].storage ||
        results[i].storage->references != 1)
      cusp_lua_error(L, "run_batches: result %d was not made by engine.empty", i + 1);
}

static void check_arrays(lua_State *L, const cusp_batches *batches, const cusp_function *function) {
  if (batches->n_arrays != cusp_function_n_arguments(function))
    cusp_lua_error(L, "run_batches: got %d arrays, expected %d", batches->n_arrays,
                   cusp_function_n_arguments(function));
  if (batches->batch_size < 1)
    cusp_lua_error(L, "run_batches: 'batch_size' should be 1 or more, got %lld",
                   (long long)batches->batch_size);
  for (int i = 0; i < batches->n_arrays; i++)
    if (batches->arrays[i].shape.ndim == 0 || batches->arrays[i].shape.size[0] < batches->samples)
      cusp_lua_error(L, "run_batches: array %d has shape %s, expected %lld samples", i + 1,
                     cusp_shape_text(&batches->arrays[i].shape), (long long)batches->samples);
}

/** fn:run_batches{arrays =, order =, samples =, batch_size =, first =, last =, deadline =, results
 * =}: the number of batches run. */
static int function_run_batches(lua_State *L) {
  function_box *box = check_function(L, "run_batches");
  luaL_checktype(L, 2, LUA_TTABLE);
  cusp_lua_check_interrupt(L);
  cusp_lua_collect(L);
  cusp_batches batches = {0};
  batches.arrays = arrays_field(L, "arrays", &batches.n_arrays);
  batches.samples = integer_field(L, "samples",
                                  batches.n_arrays > 0 && batches.arrays[0].shape.ndim > 0
                                      ? batches.arrays[0].shape.size[0]
                                      : 0);
  batches.batch_size = integer_field(L, "batch_size", 32);
  check_arrays(L, &batches, box->function);
  int64_t first = integer_field(L, "first", 0),
          last = integer_field(L, "last", batches.samples / batches.batch_size), done = 0;
  double deadline = number_field(L, "deadline");
  cusp_array *results = NULL;
  int n_results;
  if (lua_getfield(L, 2, "results") != LUA_TNIL) {
    results = arrays_field(L, "results", &n_results);
    check_results(L, results, n_results, box->function);
  }
  luaL_checkstack(L, 8, NULL);
  batches.order = order_field(L, batches.samples);
  cusp_status status =
      cusp_function_run_batches(box->function, &batches, first, last, deadline, &done, results);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, NULL);
  lua_pushinteger(L, done);
  return 1;
}

/* ------------------------------------------------------------------ looking inside */

static int push_text(lua_State *L, text_box *box, cusp_status status, const char *function) {
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, function);
  lua_pushstring(L, box->text);
  return 1;
}

static int function_tostring(lua_State *L) {
  function_box *box = check_function(L, "tostring");
  text_box *text = new_text(L);
  return push_text(L, text, cusp_function_print(box->function, &text->text), "tostring");
}

/** cusp.engine.graph_text(t): the graph below a tensor, one line a node. */
static int graph_text(lua_State *L) {
  cusp_node *node = cusp_lua_check_tensor(L, 1, "graph_text");
  text_box *text = new_text(L);
  return push_text(L, text, cusp_graph_print(1, &node, &text->text), "graph_text");
}

/* __index: the counts are fields; upvalue 1 is the table of methods. */
static int function_index(lua_State *L) {
  function_box *box = check_function(L, "index");
  const char *key = luaL_checkstring(L, 2);
  if (!strcmp(key, "n_arguments"))
    lua_pushinteger(L, cusp_function_n_arguments(box->function));
  else if (!strcmp(key, "n_results"))
    lua_pushinteger(L, cusp_function_n_results(box->function));
  else if (!strcmp(key, "bytes"))
    lua_pushinteger(L, (lua_Integer)cusp_function_bytes(box->function));
  else
    lua_getfield(L, lua_upvalueindex(1), key);
  return 1;
}

/** cusp.engine.empty(shape, dtype): a tensor of uninitialised memory, for run_batches to write
 * results into. */
static int empty(lua_State *L) {
  cusp_shape shape = check_shape(L, 1, "empty");
  cusp_dtype dtype = cusp_lua_check_dtype(L, 2, "empty");
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_array array;
  cusp_status status = cusp_array_new(&array, dtype, &shape);
  if (status == CUSP_OK)
    status = cusp_lua_fill_array(tensor, &array);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "empty");
}

void cusp_lua_open_function(lua_State *L) {
  static const luaL_Reg text_metamethods[] = {{"__gc", text_release}, {NULL, NULL}};
  static const luaL_Reg trace_metamethods[] = {
      {"__gc", trace_abandon}, {"__close", trace_abandon}, {NULL, NULL}};
  static const luaL_Reg trace_methods[] = {{"placeholder", trace_placeholder},
                                           {"try", trace_try},
                                           {"compile", trace_compile},
                                           {"graph", trace_graph},
                                           {"abandon", trace_abandon},
                                           {"runner", trace_runner},
                                           {"unused_truths", trace_unused_truths},
                                           {NULL, NULL}};
  static const luaL_Reg function_metamethods[] = {{"__gc", function_release},
                                                  {"__call", function_call},
                                                  {"__tostring", function_tostring},
                                                  {NULL, NULL}};
  static const luaL_Reg function_methods[] = {{"run_batches", function_run_batches}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"trace", new_trace},       {"tracing", tracing}, {"traced", traced}, {"untraced", untraced},
      {"graph_text", graph_text}, {"empty", empty},     {NULL, NULL}};
  static const luaL_Reg runner_metamethods[] = {{"__gc", runner_release}, {NULL, NULL}};
  int module = lua_gettop(L);
  cusp_lua_new_class(L, text_kind, text_metamethods, NULL);
  cusp_lua_new_class(L, runner_kind, runner_metamethods, NULL);
  cusp_lua_new_class(L, trace_kind, trace_metamethods, trace_methods);
  cusp_lua_new_class(L, function_kind, function_metamethods, function_methods);
  lua_getfield(L, -1, "__index");
  lua_pushcclosure(L, function_index, 1);
  lua_setfield(L, -2, "__index");
  lua_settop(L, module);
  luaL_setfuncs(L, functions, 0);
}
