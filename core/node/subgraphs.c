/* Graphs within nodes, and which nodes they read from outside. */
#include "subgraphs.h"

#include "build.h"
#include "evaluator.h"
#include "state.h"
#include "table.h"
#include "trace.h"

#include <string.h>

cusp_status cusp_subgraphs_new(cusp_subgraphs **out, int n_inputs, int n_graphs,
                               const int *n_outputs) {
  cusp_subgraphs *all;
  size_t pointers = (size_t)n_graphs * (size_t)n_inputs,
         head = sizeof *all + (size_t)n_graphs * sizeof *all->graphs;
  *out = NULL;
  for (int g = 0; g < n_graphs; g++)
    pointers += (size_t)n_outputs[g];
  CUSP_TRY(cusp_alloc_zeroed((void **)&all, head + pointers * sizeof(cusp_node *)));
  all->references = 1;
  all->n_inputs = n_inputs;
  all->n_graphs = n_graphs;
  cusp_node **room = (cusp_node **)(void *)((char *)all + head);
  for (int g = 0; g < n_graphs; g++) {
    all->graphs[g] =
        (cusp_subgraph){.n_outputs = n_outputs[g], .inputs = room, .outputs = room + n_inputs};
    room += n_inputs + n_outputs[g];
  }
  *out = all;
  return CUSP_OK;
}

void cusp_subgraphs_retain(cusp_subgraphs *subgraphs) { subgraphs->references++; }

static void release_all(cusp_node **nodes, int count) {
  for (int i = 0; i < count; i++)
    cusp_node_release(nodes[i]);
}

void cusp_subgraphs_release(cusp_subgraphs *subgraphs) {
  if (!subgraphs || --subgraphs->references > 0)
    return;
  for (int g = 0; g < subgraphs->n_graphs; g++) {
    release_all(subgraphs->graphs[g].inputs, subgraphs->n_inputs);
    release_all(subgraphs->graphs[g].outputs, subgraphs->graphs[g].n_outputs);
  }
  cusp_free(subgraphs->types);
  cusp_free(subgraphs->passes);
  cusp_free(subgraphs);
}

cusp_status cusp_subgraphs_set_passes(cusp_subgraphs *graphs, int n_passes,
                                      const cusp_pass *passes) {
  size_t bytes = (size_t)n_passes * sizeof *passes;
  CUSP_TRY(cusp_alloc((void **)&graphs->passes, bytes));
  memcpy(graphs->passes, passes, bytes);
  graphs->n_passes = n_passes;
  return CUSP_OK;
}

static cusp_node *retained(cusp_node *node) {
  if (node)
    cusp_node_retain(node);
  return node;
}

static cusp_status fill_types(cusp_subgraphs *all) {
  const cusp_subgraph *graph = &all->graphs[0];
  CUSP_TRY(cusp_alloc((void **)&all->types, ((size_t)graph->n_outputs + 1) * sizeof *all->types));
  for (int k = 0; k < graph->n_outputs; k++) {
    cusp_type *type = &all->types[k];
    *type = graph->outputs[k]->type;
    if (k < all->rounds.n_carried)
      continue;
    if (type->shape.ndim == CUSP_MAX_DIMS)
      return cusp_fail(CUSP_ESHAPE, "an output of shape %s has too many axes to be stacked",
                       cusp_shape_text(&type->shape));
    cusp_shape stacked = {.ndim = type->shape.ndim + 1, .size = {all->rounds.count}};
    memcpy(stacked.size + 1, type->shape.size, (size_t)type->shape.ndim * sizeof *stacked.size);
    type->shape = stacked;
  }
  return CUSP_OK;
}

/* The graph of a scan with more outputs, which become slices. */
static cusp_status extend(cusp_subgraphs **out, const cusp_subgraphs *first,
                          const cusp_rounds *rounds, int n_more, cusp_node *const *more) {
  const cusp_subgraph *from = &first->graphs[0];
  int n_outputs = from->n_outputs + n_more;
  CUSP_TRY(cusp_subgraphs_new(out, first->n_inputs, 1, &n_outputs));
  cusp_subgraph *to = &(*out)->graphs[0];
  (*out)->rounds = *rounds;
  for (int i = 0; i < first->n_inputs; i++)
    to->inputs[i] = retained(from->inputs[i]);
  for (int k = 0; k < n_outputs; k++)
    to->outputs[k] = retained(k < from->n_outputs ? from->outputs[k] : more[k - from->n_outputs]);
  cusp_status status = fill_types(*out);
  if (status == CUSP_OK)
    return CUSP_OK;
  cusp_subgraphs_release(*out);
  *out = NULL;
  return status;
}

static bool input_or_leaf(const void *map, const cusp_node *node) {
  return cusp_is_leaf(node) || cusp_map_get(map, node) >= 0;
}

cusp_stop cusp_subgraph_stop(const cusp_map *map) {
  return (cusp_stop){.at = input_or_leaf, .context = map};
}

cusp_status cusp_subgraph_map(cusp_map *map, const cusp_subgraphs *subgraphs, int graph) {
  for (int i = 0; i < subgraphs->n_inputs; i++)
    if (subgraphs->graphs[graph].inputs[i])
      CUSP_TRY(cusp_map_put(map, subgraphs->graphs[graph].inputs[i], i));
  return CUSP_OK;
}

cusp_status cusp_subgraph_placeholder(cusp_node **out, const cusp_type *type, cusp_trace *trace) {
  cusp_array empty = {.dtype = type->dtype, .shape = type->shape};
  cusp_node *node;
  *out = NULL;
  CUSP_TRY(cusp_node_leaf(&node, &empty));
  if (!cusp_scope_adopt(node))
    return cusp_error_status();
  node->trace = trace;
  if (trace)
    cusp_trace_retain(trace);
  *out = node;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ captures */

typedef struct boundary {
  uint64_t first;
  cusp_map given;   /* nodes that are inputs already */
  cusp_map hoisted; /* nodes of the graphs that are computed before */
} boundary;

/* Outside: what has a value or is given one, and what was traced before the first node of the
 * graphs. */
static bool outside(const void *context, const cusp_node *node) {
  const boundary *b = context;
  return cusp_is_leaf(node) || (node->trace && node->serial < b->first) ||
         cusp_map_get(&b->given, node) >= 0 || cusp_map_get(&b->hoisted, node) >= 0;
}

static bool same_in_each_round(const cusp_order *order, const bool *fixed, const boundary *b,
                               int index) {
  const cusp_node *node = order->nodes[index];
  if (cusp_stops(order->stop, node))
    return cusp_map_get(&b->given, node) < 0;
  for (int i = 0; i < node->n_inputs; i++)
    if (!fixed[cusp_map_get(&order->index, node->inputs[i])])
      return false;
  return node->n_inputs > 0;
}

/* Views cost nothing where they are, and would be copied on their way in. */
static bool worth_hoisting(const cusp_node *node, cusp_hoist hoist) {
  return node->trace && node->n_outputs == 1 && !(node->op->flags & CUSP_OP_VIEW) &&
         (hoist == CUSP_HOIST_ALL || (node->op->flags & CUSP_OP_ELEMENTWISE));
}

static cusp_status find_hoisted(boundary *b, const cusp_order *order, cusp_hoist hoist) {
  bool *fixed;
  cusp_status status = cusp_alloc((void **)&fixed, (size_t)order->count + 1);
  cusp_map hoisted = {0}; /* the walk's own boundary must not change while it is asked */
  for (int i = 0; status == CUSP_OK && i < order->count; i++) {
    fixed[i] = same_in_each_round(order, fixed, b, i);
    cusp_node *node = order->nodes[i];
    if (fixed[i] && !cusp_stops(order->stop, node) && worth_hoisting(node, hoist))
      status = cusp_map_put(&hoisted, node, i);
  }
  cusp_free(fixed);
  b->hoisted = hoisted;
  return status;
}

static cusp_status collect(cusp_order *order, boundary *b, int n_graphs, const int *n_outputs,
                           cusp_node *const *const *outputs, cusp_hoist hoist) {
  cusp_stop stop = {.at = outside, .context = b};
  for (int g = 0; g < n_graphs; g++) {
    cusp_order below = {0};
    cusp_status status = cusp_order_collect(&below, n_outputs[g], outputs[g], stop);
    if (status == CUSP_OK)
      status = cusp_evaluate_untraced(&below, n_outputs[g], outputs[g]);
    cusp_order_free(&below);
    CUSP_TRY(status);
    CUSP_TRY(cusp_order_collect(order, n_outputs[g], outputs[g], stop));
  }
  if (hoist == CUSP_HOIST_NOTHING)
    return CUSP_OK;
  CUSP_TRY(find_hoisted(b, order, hoist));
  cusp_order_free(order);
  for (int g = 0; g < n_graphs; g++)
    CUSP_TRY(cusp_order_collect(order, n_outputs[g], outputs[g], stop));
  return CUSP_OK;
}

static cusp_status list_captures(cusp_node ***captures, int *count, const cusp_order *order,
                                 const boundary *b) {
  CUSP_TRY(cusp_alloc((void **)captures, ((size_t)order->count + 1) * sizeof **captures));
  for (int i = 0; i < order->count; i++) {
    cusp_node *node = order->nodes[i];
    bool varies = node->trace || node->watched;
    if (varies && cusp_stops(order->stop, node) && cusp_map_get(&b->given, node) < 0)
      (*captures)[(*count)++] = node;
  }
  return CUSP_OK;
}

static void fill(cusp_subgraphs *all, cusp_node *const *captures, cusp_node *const *const *outputs,
                 int n_given, cusp_node *const *given) {
  for (int g = 0; g < all->n_graphs; g++) {
    cusp_subgraph *graph = &all->graphs[g];
    for (int i = 0; i < all->n_inputs; i++)
      graph->inputs[i] = retained(i < n_given ? given[g * n_given + i] : captures[i - n_given]);
    for (int k = 0; k < graph->n_outputs; k++)
      graph->outputs[k] = retained(outputs[g][k]);
  }
}

cusp_status cusp_subgraphs_capture(cusp_subgraphs **out, cusp_node ***captures, uint64_t first,
                                   int n_graphs, const int *n_outputs,
                                   cusp_node *const *const *outputs, int n_given,
                                   cusp_node *const *given, cusp_hoist hoist) {
  boundary b = {.first = first};
  cusp_order order = {0};
  cusp_status status = CUSP_OK;
  int count = 0;
  *captures = NULL;
  *out = NULL;
  for (int i = 0; status == CUSP_OK && i < n_graphs * n_given; i++)
    if (given[i])
      status = cusp_map_put(&b.given, given[i], i);
  if (status == CUSP_OK)
    status = collect(&order, &b, n_graphs, n_outputs, outputs, hoist);
  if (status == CUSP_OK)
    status = list_captures(captures, &count, &order, &b);
  if (status == CUSP_OK)
    status = cusp_subgraphs_new(out, n_given + count, n_graphs, n_outputs);
  if (status == CUSP_OK)
    fill(*out, *captures, outputs, n_given, given);
  cusp_order_free(&order);
  cusp_map_free(&b.given);
  cusp_map_free(&b.hoisted);
  return status;
}

/* ------------------------------------------------------------------ nodes */

static cusp_status pick_all(cusp_node **picks, cusp_node *node, int n_outputs) {
  cusp_status status = CUSP_OK;
  int made = 0;
  while (status == CUSP_OK && made < n_outputs) {
    status = cusp_node_pick(&picks[made], node, made);
    made += status == CUSP_OK;
  }
  if (status != CUSP_OK)
    release_all(picks, made);
  return status;
}

cusp_status cusp_subgraphs_node(cusp_node **picks, const char *op, int n_inputs,
                                cusp_node *const *inputs, cusp_subgraphs *subgraphs, int n_outputs,
                                const cusp_type *types) {
  cusp_attr attr = {.kind = CUSP_ATTR_SUBGRAPHS, .subgraphs = subgraphs};
  cusp_node *node;
  CUSP_TRY(cusp_node_of_types(&node, cusp_op_find(op), n_inputs, inputs, &attr, n_outputs, types));
  cusp_status status = pick_all(picks, node, n_outputs);
  cusp_node_release(node);
  return status;
}

/* A node that has outputs to be picked can be given more: one that would have one output gets an
 * empty one beside it. */
static cusp_status prepare_scan(cusp_subgraphs **out, const cusp_subgraphs *graph,
                                const cusp_rounds *rounds) {
  int lacking = graph->graphs[0].n_outputs < 2 ? 1 : 0;
  cusp_shape empty = {.ndim = 1, .size = {0}};
  cusp_node *nothing = lacking ? cusp_full(&empty, 0, CUSP_BOOL) : NULL;
  if (lacking)
    CUSP_TRY(cusp_built(nothing));
  return extend(out, graph, rounds, lacking, &nothing);
}

cusp_status cusp_scan_node(cusp_node **picks, int n_inputs, cusp_node *const *inputs,
                           const cusp_subgraphs *graph, const cusp_rounds *rounds) {
  cusp_subgraphs *all;
  cusp_node *node = NULL;
  CUSP_TRY(prepare_scan(&all, graph, rounds));
  cusp_attr attr = {.kind = CUSP_ATTR_SUBGRAPHS, .subgraphs = all};
  cusp_status status = cusp_node_of_types(&node, cusp_op_find("scan_graph"), n_inputs, inputs,
                                          &attr, all->graphs[0].n_outputs, all->types);
  if (status == CUSP_OK)
    status = pick_all(picks, node, graph->graphs[0].n_outputs);
  cusp_node_release(node);
  cusp_subgraphs_release(all);
  return status;
}

cusp_status cusp_scan_extend(cusp_node *scan, int n_more, cusp_node *const *more) {
  cusp_subgraphs *wider, *before = scan->attrs[0].subgraphs;
  int n_outputs = before->graphs[0].n_outputs + n_more;
  if (n_outputs > INT16_MAX)
    return cusp_fail(CUSP_EUNSUPPORTED, "a scan of %d outputs; at most %d are supported", n_outputs,
                     INT16_MAX);
  CUSP_TRY(extend(&wider, before, &before->rounds, n_more, more));
  scan->attrs[0].subgraphs = wider;
  scan->types = wider->types;
  scan->n_outputs = (int16_t)n_outputs;
  cusp_subgraphs_release(before);
  return CUSP_OK;
}
