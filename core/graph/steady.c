/* What is computed of variables alone, once until they change (see steady.h). */
#include "steady.h"

#include "passes.h"
#include "plan_run.h"

#include <string.h>

/* A larger result than its operands (a broadcast, a table) costs memory rather than time. */
#define MOST_GROWTH 2
#define SMALL_BYTES 4096

typedef struct splitter {
  cusp_graph *graph, kept;
  bool *steady; /* by value */
  bool *wanted; /* by value: read by what is computed in every run */
  int *twin;    /* by value: the same in `kept`, or -1 */
  int *leaf;    /* by value: the leaf that stands for it from now on, or -1 */
} splitter;

static int64_t bytes_of(const cusp_graph *graph, int value) {
  const cusp_type *type = &graph->values[value].type;
  return cusp_shape_count(&type->shape) * (int64_t)cusp_dtype_size(type->dtype);
}

static bool is_view(const cusp_operation *operation) { return operation->op->flags & CUSP_OP_VIEW; }

static bool has_subgraphs(const cusp_operation *operation) {
  for (int i = 0; i < operation->n_attrs; i++)
    if (operation->attrs[i].kind == CUSP_ATTR_SUBGRAPHS)
      return true;
  return false;
}

static bool is_steady(const cusp_graph *graph, const bool *steady, const cusp_operation *operation,
                      int64_t most) {
  const cusp_type *type = &graph->values[operation->first_output].type;
  int64_t bytes = SMALL_BYTES;
  if (operation->n_inputs == 0 || operation->n_outputs != 1 || has_subgraphs(operation) ||
      (operation->op->flags & (CUSP_OP_RANDOM | CUSP_OP_COLLECTIVE)) || type->dtype == CUSP_STRING)
    return false;
  for (int k = 0; k < operation->n_inputs; k++) {
    if (!steady[operation->inputs[k]])
      return false;
    bytes += MOST_GROWTH * bytes_of(graph, operation->inputs[k]);
  }
  if (bytes > most)
    bytes = most;
  return is_view(operation) || bytes_of(graph, operation->first_output) <= bytes;
}

cusp_status cusp_steady_values(bool **out, cusp_graph *graph, const bool *settled, int64_t most) {
  bool *steady;
  CUSP_TRY(cusp_arena_alloc((void **)out, &graph->arena, (size_t)graph->n_values + 1));
  steady = *out;
  for (int i = 0; i < graph->n_leaves; i++)
    steady[graph->leaves[i].value] =
        (settled[i] || graph->leaves[i].constant) && graph->leaves[i].array.dtype != CUSP_STRING;
  for (int i = 0; i < graph->n_operations; i++)
    if (!graph->operations[i].dead)
      steady[graph->operations[i].first_output] =
          is_steady(graph, steady, &graph->operations[i], most);
  return CUSP_OK;
}

/* A view costs nothing: it stays where it is wanted, and with it the wish for what it shows. */
static void mark_wanted(splitter *s) {
  const cusp_graph *graph = s->graph;
  for (int i = 0; i < graph->n_outputs; i++)
    s->wanted[graph->outputs[i]] = true;
  for (int i = graph->n_operations - 1; i >= 0; i--) {
    const cusp_operation *operation = &graph->operations[i];
    const int value = operation->first_output;
    if (operation->dead || (s->steady[value] && !(s->wanted[value] && is_view(operation))))
      continue;
    for (int k = 0; k < operation->n_inputs; k++)
      s->wanted[operation->inputs[k]] = true;
  }
}

/* Whether the operation's value is made in the other plan and read in this one. */
static bool crosses(const splitter *s, const cusp_operation *operation) {
  const int value = operation->first_output;
  return !operation->dead && s->steady[value] && s->wanted[value] && !is_view(operation);
}

static int count_crossing(const splitter *s) {
  int count = 0;
  for (int i = 0; i < s->graph->n_operations; i++)
    count += crosses(s, &s->graph->operations[i]);
  return count;
}

/* ------------------------------------------------------------------ the plan of steady values */

static cusp_status add_leaf(splitter *s, int value, int *sources) {
  const int index = s->graph->values[value].producer;
  const cusp_leaf *leaf = &s->graph->leaves[index];
  sources[s->kept.n_leaves] = leaf->constant ? -1 : index;
  return cusp_graph_add_leaf(&s->kept, &leaf->array, leaf->constant, &s->twin[value]);
}

static cusp_status add_operation(splitter *s, const cusp_operation *operation) {
  int *inputs;
  const int value = operation->first_output;
  CUSP_TRY(cusp_arena_alloc((void **)&inputs, &s->kept.arena,
                            (size_t)operation->n_inputs * sizeof *inputs));
  for (int k = 0; k < operation->n_inputs; k++)
    inputs[k] = s->twin[operation->inputs[k]];
  CUSP_TRY(cusp_graph_add(&s->kept, operation->op, operation->n_inputs, inputs, operation->n_attrs,
                          operation->attrs, 1, &s->graph->values[value].type, &s->twin[value]));
  cusp_operation *twin = cusp_graph_producer(&s->kept, s->twin[value]);
  twin->origin = operation->origin;
  twin->serial = operation->serial;
  return CUSP_OK;
}

/* Everything steady goes in; what no crossing value needs, the pass below takes out again. */
static cusp_status copy_steady(splitter *s, int count, int *sources) {
  cusp_graph *kept = &s->kept;
  kept->traced = true;
  CUSP_TRY(cusp_alloc((void **)&kept->outputs, (size_t)count * sizeof *kept->outputs));
  for (int i = 0; i < s->graph->n_leaves; i++)
    if (s->steady[s->graph->leaves[i].value])
      CUSP_TRY(add_leaf(s, s->graph->leaves[i].value, sources));
  for (int i = 0; i < s->graph->n_operations; i++) {
    const cusp_operation *operation = &s->graph->operations[i];
    if (operation->dead || !s->steady[operation->first_output])
      continue;
    CUSP_TRY(add_operation(s, operation));
    if (crosses(s, operation))
      kept->outputs[kept->n_outputs++] = s->twin[operation->first_output];
  }
  return cusp_pass_dead(kept);
}

/* ------------------------------------------------------------------ the graph that is left */

static cusp_status replace_crossing(splitter *s) {
  cusp_graph *graph = s->graph;
  const int count = graph->n_values;
  for (int i = 0; i < count; i++)
    s->leaf[i] = -1;
  for (int i = 0; i < graph->n_operations; i++) {
    if (!crosses(s, &graph->operations[i]))
      continue;
    const int value = graph->operations[i].first_output;
    const cusp_type type = graph->values[value].type;
    cusp_array array = {.dtype = type.dtype, .shape = type.shape};
    cusp_strides_row_major(array.strides, &array.shape);
    CUSP_TRY(cusp_graph_add_leaf(graph, &array, false, &s->leaf[value]));
  }
  for (int i = 0; i < graph->n_operations; i++)
    for (int k = 0; k < graph->operations[i].n_inputs; k++) {
      int *input = &graph->operations[i].inputs[k];
      *input = s->leaf[*input] >= 0 ? s->leaf[*input] : *input;
    }
  for (int i = 0; i < graph->n_outputs; i++)
    if (s->leaf[graph->outputs[i]] >= 0)
      graph->outputs[i] = s->leaf[graph->outputs[i]];
  return cusp_pass_dead(graph);
}

static cusp_status reserve(splitter *s) {
  const size_t n = (size_t)s->graph->n_values + 1;
  cusp_arena *arena = &s->graph->arena;
  CUSP_TRY(cusp_arena_alloc((void **)&s->wanted, arena, n));
  CUSP_TRY(cusp_arena_alloc((void **)&s->twin, arena, n * sizeof *s->twin));
  return cusp_arena_alloc((void **)&s->leaf, arena, n * sizeof *s->leaf);
}

static cusp_status make_lists(cusp_steady *steady, int n_leaves, int n_values) {
  const size_t leaves = (size_t)n_leaves + 1;
  CUSP_TRY(cusp_alloc_zeroed((void **)&steady->sources, leaves * sizeof *steady->sources));
  CUSP_TRY(cusp_alloc_zeroed((void **)&steady->leaves, leaves * sizeof *steady->leaves));
  CUSP_TRY(cusp_alloc_zeroed((void **)&steady->stamps, leaves * sizeof *steady->stamps));
  CUSP_TRY(cusp_alloc_zeroed((void **)&steady->values, (size_t)n_values * sizeof *steady->values));
  steady->n_values = n_values;
  return CUSP_OK;
}

cusp_status cusp_steady_take(cusp_steady *steady, cusp_graph *graph, const bool *settled,
                             int64_t most) {
  splitter s = {.graph = graph};
  CUSP_TRY(reserve(&s));
  CUSP_TRY(cusp_steady_values(&s.steady, graph, settled, most));
  mark_wanted(&s);
  const int count = count_crossing(&s);
  if (count == 0)
    return CUSP_OK;
  CUSP_TRY(make_lists(steady, graph->n_leaves, count));
  cusp_status status = copy_steady(&s, count, steady->sources);
  steady->n_leaves = s.kept.n_leaves;
  for (int i = 0; i < s.kept.n_outputs; i++)
    steady->bytes += (size_t)bytes_of(&s.kept, s.kept.outputs[i]);
  if (status == CUSP_OK)
    status = replace_crossing(&s);
  if (status != CUSP_OK) {
    cusp_graph_free(&s.kept);
    return status;
  }
  const cusp_plan_options options = {.own_outputs = true, .recurs = true};
  return cusp_plan_new(&steady->plan, &s.kept, &options);
}

/* ------------------------------------------------------------------ running */

static void drop_values(cusp_steady *steady) {
  for (int i = 0; i < steady->n_values; i++)
    cusp_array_release(&steady->values[i]);
}

/* Takes the leaves over; says whether one is other than it was. */
static bool take_leaves(cusp_steady *steady, const cusp_array *leaves) {
  bool changed = steady->values[0].storage == NULL;
  for (int i = 0; i < steady->n_leaves; i++) {
    if (steady->sources[i] < 0)
      continue;
    steady->leaves[i] = leaves[steady->sources[i]];
    const uint32_t stamp = cusp_storage_stamp(steady->leaves[i].storage);
    changed = changed || stamp != steady->stamps[i];
    steady->stamps[i] = stamp;
  }
  return changed;
}

cusp_status cusp_steady_refresh(cusp_steady *steady, cusp_array *leaves, int n_leaves) {
  if (!steady->plan)
    return CUSP_OK;
  if (take_leaves(steady, leaves)) {
    const cusp_plan_io io = {.leaves = steady->leaves, .results = steady->values};
    drop_values(steady);
    cusp_status status = cusp_plan_run(steady->plan, &io);
    if (status != CUSP_OK)
      return status;
  }
  memcpy(leaves + n_leaves, steady->values, (size_t)steady->n_values * sizeof *leaves);
  return CUSP_OK;
}

size_t cusp_steady_bytes(const cusp_steady *steady) {
  return steady->plan ? cusp_plan_bytes(steady->plan) + steady->bytes : 0;
}

void cusp_steady_free(cusp_steady *steady) {
  cusp_plan_free(steady->plan);
  for (int i = 0; steady->values && i < steady->n_values; i++)
    cusp_array_release(&steady->values[i]);
  cusp_free(steady->sources);
  cusp_free(steady->leaves);
  cusp_free(steady->stamps);
  cusp_free(steady->values);
  *steady = (cusp_steady){0};
}
