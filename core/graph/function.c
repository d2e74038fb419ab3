/* Compiled functions: a trace planned once. */
#include "function.h"

#include "../base/clock.h"
#include "../base/threads.h"
#include "../kernels/blas.h"
#include "../node/evaluator.h"
#include "../node/state.h"
#include "function_parts.h"
#include "import.h"
#include "passes.h"
#include "plan_run.h"
#include "plan_text.h"
#include "rewrite.h"
#include "steady.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ making */

typedef struct compilation {
  cusp_function *function;
  cusp_trace *trace;
  cusp_order order;
  cusp_node **outputs; /* results, then what variables were assigned */
  int n_outputs;
  int *replaces; /* by output: a leaf, or -1 */
} compilation;

static bool assigned(const cusp_variable_binding *binding) {
  return binding->current != binding->initial;
}

static cusp_status collect_variables(compilation *c, int n_outputs, cusp_node *const *outputs) {
  cusp_function *f = c->function;
  size_t variables = (size_t)c->trace->n_bindings + 1, total = (size_t)n_outputs + variables;
  CUSP_TRY(cusp_alloc_zeroed((void **)&f->variables, variables * sizeof *f->variables));
  CUSP_TRY(cusp_alloc_zeroed((void **)&f->assigned, variables * sizeof *f->assigned));
  CUSP_TRY(cusp_alloc_zeroed((void **)&c->outputs, total * sizeof *c->outputs));
  for (int i = 0; i < n_outputs; i++)
    c->outputs[c->n_outputs++] = outputs[i];
  f->n_results = n_outputs;
  for (cusp_variable_binding *binding = c->trace->bindings; binding; binding = binding->next) {
    int index = f->n_variables++;
    f->variables[index] = binding->variable;
    cusp_variable_retain(binding->variable);
    CUSP_TRY(cusp_variable_settle(binding->variable));
    if (assigned(binding)) {
      f->assigned[f->n_assigned++] = index;
      c->outputs[c->n_outputs++] = binding->current;
    }
  }
  return CUSP_OK;
}

/** Leaves of the trace, sorted by their nodes' addresses: a model may have thousands. */
typedef struct placeholder {
  const cusp_node *node;
  cusp_leaf_source source;
} placeholder;

typedef struct placeholders {
  placeholder *list;
  size_t count;
} placeholders;

static int compare_placeholders(const void *a, const void *b) {
  uintptr_t x = (uintptr_t)((const placeholder *)a)->node,
            y = (uintptr_t)((const placeholder *)b)->node;
  return (x > y) - (x < y);
}

static cusp_status collect_placeholders(const compilation *c, placeholders *out) {
  const cusp_trace *trace = c->trace;
  CUSP_TRY(
      cusp_alloc((void **)&out->list,
                 ((size_t)trace->n_arguments + (size_t)trace->n_bindings + 1) * sizeof *out->list));
  for (int i = 0; i < trace->n_arguments; i++)
    out->list[out->count++] =
        (placeholder){trace->arguments[i], {.kind = CUSP_FROM_ARGUMENT, .index = i}};
  int index = 0;
  for (const cusp_variable_binding *binding = trace->bindings; binding; binding = binding->next)
    out->list[out->count++] =
        (placeholder){binding->initial, {.kind = CUSP_FROM_VARIABLE, .index = index++}};
  qsort(out->list, out->count, sizeof *out->list, compare_placeholders);
  return CUSP_OK;
}

static cusp_status find_source(const placeholders *known, const cusp_node *node,
                               cusp_leaf_source *out) {
  if (cusp_node_evaluated(node)) {
    *out = (cusp_leaf_source){.kind = CUSP_FROM_CONSTANT};
    return CUSP_OK;
  }
  const placeholder *found = bsearch(&(placeholder){.node = node}, known->list, known->count,
                                     sizeof *known->list, compare_placeholders);
  if (!found)
    return cusp_fail(CUSP_ETRACED,
                     "a traced tensor of another function (shape %s) is used here: it has no value "
                     "outside that function",
                     cusp_shape_text(&node->type.shape));
  *out = found->source;
  return CUSP_OK;
}

static cusp_status find_leaf_sources(compilation *c) {
  cusp_function *f = c->function;
  placeholders known = {0};
  CUSP_TRY(
      cusp_alloc_zeroed((void **)&f->sources, ((size_t)c->order.count + 1) * sizeof *f->sources));
  cusp_status status = collect_placeholders(c, &known);
  for (int i = 0; status == CUSP_OK && i < c->order.count; i++)
    if (cusp_is_leaf(c->order.nodes[i]))
      status = find_source(&known, c->order.nodes[i], &f->sources[f->n_leaves++]);
  cusp_free(known.list);
  return status;
}

/* The leaf that each assigned variable is read by, if any: its memory may take the new value. */
static cusp_status find_replaced_leaves(compilation *c) {
  cusp_function *f = c->function;
  int *leaf;
  CUSP_TRY(cusp_alloc((void **)&c->replaces, ((size_t)c->n_outputs + 1) * sizeof *c->replaces));
  CUSP_TRY(cusp_alloc((void **)&leaf, ((size_t)f->n_variables + 1) * sizeof *leaf));
  for (int i = 0; i < f->n_variables; i++)
    leaf[i] = -1;
  for (int i = 0; i < f->n_leaves; i++)
    if (f->sources[i].kind == CUSP_FROM_VARIABLE)
      leaf[f->sources[i].index] = i;
  for (int i = 0; i < f->n_results; i++)
    c->replaces[i] = -1;
  for (int k = 0; k < f->n_assigned; k++)
    c->replaces[f->n_results + k] = leaf[f->assigned[k]];
  cusp_free(leaf);
  return CUSP_OK;
}

static cusp_status keep_types(compilation *c) {
  cusp_function *f = c->function;
  f->n_arguments = c->trace->n_arguments;
  CUSP_TRY(cusp_alloc((void **)&f->argument_types,
                      ((size_t)f->n_arguments + 1) * sizeof *f->argument_types));
  for (int i = 0; i < f->n_arguments; i++)
    f->argument_types[i] = c->trace->arguments[i]->type;
  CUSP_TRY(
      cusp_alloc_zeroed((void **)&f->results, ((size_t)c->n_outputs + 1) * sizeof *f->results));
  CUSP_TRY(cusp_alloc_zeroed((void **)&f->fresh, ((size_t)f->n_assigned + 1) * sizeof *f->fresh));
  return cusp_alloc_zeroed((void **)&f->destinations,
                           ((size_t)c->n_outputs + 1) * sizeof *f->destinations);
}

/* By leaf: whether it is a variable that the function does not assign. */
static cusp_status find_settled(const cusp_function *f, cusp_arena *arena, bool *settled) {
  bool *assigned;
  CUSP_TRY(cusp_arena_alloc((void **)&assigned, arena, (size_t)f->n_variables + 1));
  for (int k = 0; k < f->n_assigned; k++)
    assigned[f->assigned[k]] = true;
  for (int i = 0; i < f->n_leaves; i++)
    settled[i] = f->sources[i].kind == CUSP_FROM_VARIABLE && !assigned[f->sources[i].index];
  return CUSP_OK;
}

/* Of functions with lent memory there may be one for each thread: they keep no copies of weights,
 * but the forms that all share. */
#define MOST_OF_LENT ((int64_t)1 << 16)

/* What depends on settled variables alone is taken out; its values are settled leaves too. */
static cusp_status take_steady(cusp_function *f, cusp_graph *graph, bool *settled, bool lent) {
  CUSP_TRY(find_settled(f, &graph->arena, settled));
  if (!cusp_pass_is_disabled("ending"))
    CUSP_TRY(cusp_pass_ending(graph, settled));
  if (!cusp_pass_is_disabled("steady"))
    CUSP_TRY(cusp_steady_take(&f->steady, graph, settled, lent ? MOST_OF_LENT : INT64_MAX));
  memset(settled + f->n_leaves, true, (size_t)(graph->n_leaves - f->n_leaves));
  return CUSP_OK;
}

/* Those that must not allocate while they run keep nothing: it is made in runs. */
static cusp_status make_plan(compilation *c, cusp_graph *graph, bool lent) {
  cusp_function *f = c->function;
  const bool keeps = !cusp_gemm_is_quiet();
  bool *settled; /* with room for the leaves that are added */
  CUSP_TRY(cusp_arena_alloc((void **)&settled, &graph->arena,
                            (size_t)(graph->n_leaves + graph->n_operations) + 1));
  if (keeps)
    CUSP_TRY(take_steady(f, graph, settled, lent));
  CUSP_TRY(
      cusp_alloc_zeroed((void **)&f->leaves, ((size_t)graph->n_leaves + 1) * sizeof *f->leaves));
  const cusp_plan_options options = {.replaces = lent ? NULL : c->replaces,
                                     .own_outputs = lent,
                                     .recurs = true,
                                     .steady = keeps ? settled : NULL};
  cusp_graph moved = *graph;
  *graph = (cusp_graph){0};
  return cusp_plan_new(&f->plan, &moved, &options);
}

static cusp_status compile(compilation *c, int n_outputs, cusp_node *const *outputs, bool lent) {
  cusp_graph graph;
  CUSP_TRY(collect_variables(c, n_outputs, outputs));
  CUSP_TRY(cusp_order_collect(&c->order, c->n_outputs, c->outputs, cusp_stop_at_leaves));
  CUSP_TRY(cusp_evaluate_untraced(&c->order, c->n_outputs, c->outputs));
  CUSP_TRY(find_leaf_sources(c));
  CUSP_TRY(find_replaced_leaves(c));
  CUSP_TRY(keep_types(c));
  CUSP_TRY(cusp_graph_import(&graph, &c->order, true, c->n_outputs, c->outputs));
  graph.traced = true;
  cusp_status status = cusp_graph_rewrite(&graph);
  if (status == CUSP_OK)
    status = make_plan(c, &graph, lent);
  cusp_graph_free(&graph);
  return status;
}

cusp_status cusp_function_make(cusp_function **out, cusp_trace *trace, int n_outputs,
                               cusp_node *const *outputs, bool lent) {
  *out = NULL;
  compilation c = {.trace = trace};
  cusp_status status = cusp_alloc_zeroed((void **)&c.function, sizeof *c.function);
  if (status == CUSP_OK)
    status = compile(&c, n_outputs, outputs, lent);
  cusp_order_free(&c.order);
  cusp_free(c.outputs);
  cusp_free(c.replaces);
  cusp_trace_abandon(trace);
  if (status != CUSP_OK) {
    cusp_function_free(c.function);
    return status;
  }
  *out = c.function;
  return CUSP_OK;
}

cusp_status cusp_function_new(cusp_function **out, cusp_trace *trace, int n_outputs,
                              cusp_node *const *outputs) {
  return cusp_function_make(out, trace, n_outputs, outputs, false);
}

void cusp_function_free(cusp_function *f) {
  if (!f)
    return;
  for (int i = 0; i < f->n_variables; i++)
    cusp_variable_release(f->variables[i]);
  cusp_plan_free(f->plan);
  cusp_steady_free(&f->steady);
  cusp_free(f->argument_types);
  cusp_free(f->variables);
  cusp_free(f->assigned);
  cusp_free(f->sources);
  cusp_free(f->leaves);
  cusp_free(f->results);
  cusp_free(f->destinations);
  cusp_free(f->fresh);
  cusp_free(f);
}

size_t cusp_function_bytes(const cusp_function *f) {
  return sizeof *f + cusp_plan_bytes(f->plan) + cusp_plan_kept_bytes(f->plan) +
         cusp_steady_bytes(&f->steady);
}
int cusp_function_n_arguments(const cusp_function *f) { return f->n_arguments; }
int cusp_function_n_results(const cusp_function *f) { return f->n_results; }
cusp_status cusp_function_print(const cusp_function *f, char **text) {
  return cusp_plan_text(f->plan, text);
}
const cusp_type *cusp_function_argument_type(const cusp_function *f, int index) {
  return &f->argument_types[index];
}

/* ------------------------------------------------------------------ running */

static cusp_status check_arguments(const cusp_function *f, int n, const cusp_array *arguments) {
  if (n != f->n_arguments)
    return cusp_fail(CUSP_EVALUE, "compiled function: %d arguments expected, %d given",
                     f->n_arguments, n);
  for (int i = 0; i < n; i++) {
    const cusp_type *type = &f->argument_types[i];
    if (arguments[i].dtype != type->dtype || !cusp_shape_equal(&arguments[i].shape, &type->shape))
      return cusp_fail(CUSP_ESHAPE, "compiled function: argument %d should be %s %s, got %s %s",
                       i + 1, cusp_dtype_name(type->dtype), cusp_shape_text(&type->shape),
                       cusp_dtype_name(arguments[i].dtype), cusp_shape_text(&arguments[i].shape));
  }
  return CUSP_OK;
}

/* Only the variable itself sees its memory: it may be overwritten. */
static bool exclusive(const cusp_variable *variable) {
  return variable->value->references == 1 && variable->value->value.storage->references == 1;
}

/* A variable whose memory somebody else sees gets fresh memory from the plan, and its old value
 * stays what it was. The plan knows the leaves' shapes. */
static void bind_variables(cusp_function *f) {
  for (int i = 0; i < f->n_leaves; i++)
    if (f->sources[i].kind == CUSP_FROM_VARIABLE) {
      const cusp_array *value = &f->variables[f->sources[i].index]->value->value;
      f->leaves[i].data = value->data;
      f->leaves[i].storage = value->storage;
    }
  for (int k = 0; k < f->n_assigned; k++) {
    cusp_variable *variable = f->variables[f->assigned[k]];
    int output = f->n_results + k;
    bool here = cusp_plan_overwrites(f->plan, output) && exclusive(variable);
    f->destinations[output] = here ? variable->value->value.data : NULL;
    if (here)
      cusp_storage_change(variable->value->value.storage);
  }
}

/* All new leaves are made before the first variable changes, so that no failure leaves some of them
 * assigned. */
static cusp_status make_assigned(cusp_function *f) {
  cusp_status status = CUSP_OK;
  for (int k = 0; k < f->n_assigned; k++) {
    f->fresh[k] = NULL;
    if (f->destinations[f->n_results + k])
      continue;
    cusp_array *result = &f->results[f->n_results + k];
    if (status == CUSP_OK)
      status = cusp_node_leaf(&f->fresh[k], result);
    cusp_array_release(result);
  }
  for (int k = 0; status != CUSP_OK && k < f->n_assigned; k++)
    cusp_node_release(f->fresh[k]);
  return status;
}

static void swap_assigned(cusp_function *f) {
  for (int k = 0; k < f->n_assigned; k++) {
    if (!f->fresh[k])
      continue;
    cusp_variable *variable = f->variables[f->assigned[k]];
    cusp_node_release(variable->value);
    variable->value = f->fresh[k];
  }
}

/* The leaves of the arguments are bound already. */
static cusp_status run_bound(cusp_function *f, cusp_array *results) {
  bind_variables(f);
  CUSP_TRY(cusp_steady_refresh(&f->steady, f->leaves, f->n_leaves));
  cusp_plan_io io = {.leaves = f->leaves, .destinations = f->destinations, .results = f->results};
  CUSP_TRY(cusp_plan_run(f->plan, &io));
  cusp_status status = make_assigned(f);
  if (status != CUSP_OK) {
    for (int i = 0; i < f->n_results; i++)
      cusp_array_release(&f->results[i]);
    return status;
  }
  swap_assigned(f);
  if (f->n_results)
    memcpy(results, f->results, (size_t)f->n_results * sizeof *results);
  return CUSP_OK;
}

static void bind_arguments(cusp_function *f, const cusp_array *arguments) {
  for (int i = 0; i < f->n_leaves; i++)
    if (f->sources[i].kind == CUSP_FROM_ARGUMENT)
      f->leaves[i] = arguments[f->sources[i].index];
}

static cusp_status keep_contiguous(int count, const cusp_array *arrays, cusp_array *kept) {
  for (int i = 0; i < count; i++)
    CUSP_TRY(cusp_array_keep_contiguous(&kept[i], &arrays[i]));
  return CUSP_OK;
}

static cusp_status run_with_copies(cusp_function *f, int count, const cusp_array *arguments,
                                   cusp_array *results) {
  cusp_array *copies;
  CUSP_TRY(cusp_alloc_zeroed((void **)&copies, (size_t)count * sizeof *copies));
  cusp_status status = keep_contiguous(count, arguments, copies);
  if (status == CUSP_OK) {
    bind_arguments(f, copies);
    status = run_bound(f, results);
  }
  for (int i = 0; i < count; i++)
    cusp_array_release(&copies[i]);
  cusp_free(copies);
  return status;
}

cusp_status cusp_function_run(cusp_function *f, int n_arguments, const cusp_array *arguments,
                              cusp_array *results) {
  CUSP_TRY(check_arguments(f, n_arguments, arguments));
  for (int i = 0; i < n_arguments; i++)
    if (!cusp_array_is_contiguous(&arguments[i]))
      return run_with_copies(f, n_arguments, arguments, results);
  bind_arguments(f, arguments);
  return run_bound(f, results);
}

/* ------------------------------------------------------------------ batches */

typedef struct feeder {
  cusp_function *function;
  const cusp_batches *batches;
  cusp_array *sources; /* the whole arrays, row-major */
  cusp_array *buffers; /* one batch of each */
  cusp_array *step;    /* results of a step */
} feeder;

static cusp_status check_batches(const cusp_function *f, const cusp_batches *b, int64_t first,
                                 int64_t last) {
  if (b->n_arrays != f->n_arguments)
    return cusp_fail(CUSP_EVALUE, "run_batches: %d arrays given, the function takes %d",
                     b->n_arrays, f->n_arguments);
  if (b->batch_size < 1 || first < 0 || last < first || last > b->samples / b->batch_size)
    return cusp_fail(
        CUSP_EVALUE,
        "run_batches: whole batches %lld to %lld of %lld samples do not exist (batch size %lld)",
        (long long)first, (long long)last, (long long)b->samples, (long long)b->batch_size);
  for (int i = 0; i < b->n_arrays; i++) {
    const cusp_array *array = &b->arrays[i];
    cusp_shape expected = array->shape;
    if (array->shape.ndim < 1 || array->shape.size[0] < b->samples)
      return cusp_fail(CUSP_ESHAPE, "run_batches: array %d has shape %s, %lld samples needed",
                       i + 1, cusp_shape_text(&array->shape), (long long)b->samples);
    expected.size[0] = b->batch_size;
    if (array->dtype != f->argument_types[i].dtype ||
        !cusp_shape_equal(&expected, &f->argument_types[i].shape))
      return cusp_fail(CUSP_ESHAPE,
                       "run_batches: array %d is %s %s, the function takes batches of %s %s", i + 1,
                       cusp_dtype_name(array->dtype), cusp_shape_text(&array->shape),
                       cusp_dtype_name(f->argument_types[i].dtype),
                       cusp_shape_text(&f->argument_types[i].shape));
  }
  for (int64_t i = first * b->batch_size; b->order && i < last * b->batch_size; i++)
    if (b->order[i] < 0 || b->order[i] >= b->samples)
      return cusp_fail(CUSP_EVALUE, "run_batches: order has sample %lld of %lld",
                       (long long)b->order[i], (long long)b->samples);
  return CUSP_OK;
}

static cusp_status prepare_feeder(feeder *d) {
  const cusp_batches *b = d->batches;
  CUSP_TRY(cusp_alloc_zeroed((void **)&d->sources, ((size_t)b->n_arrays + 1) * sizeof *d->sources));
  CUSP_TRY(cusp_alloc_zeroed((void **)&d->buffers, ((size_t)b->n_arrays + 1) * sizeof *d->buffers));
  CUSP_TRY(
      cusp_alloc_zeroed((void **)&d->step, ((size_t)d->function->n_results + 1) * sizeof *d->step));
  for (int i = 0; i < b->n_arrays; i++)
    CUSP_TRY(
        cusp_array_new(&d->buffers[i], b->arrays[i].dtype, &d->function->argument_types[i].shape));
  return keep_contiguous(b->n_arrays, b->arrays, d->sources);
}

static void free_feeder(feeder *d) {
  for (int i = 0; i < d->batches->n_arrays; i++) {
    if (d->sources)
      cusp_array_release(&d->sources[i]);
    if (d->buffers)
      cusp_array_release(&d->buffers[i]);
  }
  cusp_free(d->sources);
  cusp_free(d->buffers);
  cusp_free(d->step);
}

static size_t row_bytes(const cusp_array *array) {
  int64_t count = 1;
  for (int i = 1; i < array->shape.ndim; i++)
    count *= array->shape.size[i];
  return (size_t)count * cusp_dtype_size(array->dtype);
}

/* Rows in order lie side by side already; others are gathered into the batch's buffer. */
static void *batch_rows(const feeder *d, int array, int64_t batch) {
  const cusp_batches *b = d->batches;
  size_t bytes = row_bytes(&d->sources[array]);
  const char *rows = d->sources[array].data;
  int64_t start = batch * b->batch_size;
  if (!b->order)
    return (void *)(uintptr_t)(rows + (size_t)start * bytes);
  char *to = d->buffers[array].data;
  for (int64_t i = 0; i < b->batch_size; i++)
    memcpy(to + (size_t)i * bytes, rows + (size_t)b->order[start + i] * bytes, bytes);
  return to;
}

static void feed(feeder *d, int64_t batch) {
  cusp_function *f = d->function;
  for (int i = 0; i < f->n_leaves; i++) {
    if (f->sources[i].kind != CUSP_FROM_ARGUMENT)
      continue;
    int array = f->sources[i].index;
    f->leaves[i] = d->buffers[array];
    f->leaves[i].storage = NULL; /* lent: the next batch overwrites it */
    f->leaves[i].data = batch_rows(d, array, batch);
  }
}

/* Result k of the batch goes to its rows of results[k]; others are dropped. */
static void keep_results(feeder *d, int64_t batch, const cusp_array *results) {
  for (int k = 0; k < d->function->n_results; k++) {
    if (results && results[k].data) {
      cusp_array rows = results[k];
      rows.shape = d->step[k].shape;
      rows.data =
          (char *)rows.data + (size_t)(batch * d->batches->batch_size) * row_bytes(&results[k]);
      cusp_array_copy(&rows, &d->step[k]);
    }
    cusp_array_release(&d->step[k]);
  }
}

static cusp_status run_batches(feeder *d, int64_t first, int64_t last, double deadline,
                               int64_t *done, const cusp_array *results) {
  for (int64_t batch = first; batch < last; batch++) {
    if (cusp_interrupted())
      return cusp_fail(CUSP_EINTERRUPT, "interrupted!");
    feed(d, batch);
    CUSP_TRY(run_bound(d->function, d->step));
    keep_results(d, batch, results);
    ++*done;
    if (deadline > 0 && cusp_monotonic_seconds() >= deadline)
      break;
  }
  return CUSP_OK;
}

cusp_status cusp_function_run_batches(cusp_function *function, const cusp_batches *batches,
                                      int64_t first, int64_t last, double deadline, int64_t *done,
                                      const cusp_array *results) {
  *done = 0;
  CUSP_TRY(check_batches(function, batches, first, last));
  feeder d = {.function = function, .batches = batches};
  cusp_status status = prepare_feeder(&d);
  if (status == CUSP_OK)
    status = run_batches(&d, first, last, deadline, done, results);
  free_feeder(&d);
  return status;
}
