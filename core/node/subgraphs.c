/* Graphs within nodes, and which nodes they read from outside. */
#include "subgraphs.h"

#include "build.h"
#include "evaluator.h"
#include "state.h"
#include "table.h"
#include "trace.h"

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
  cusp_free(subgraphs);
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
  cusp_trace_retain(trace);
  *out = node;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ captures */

typedef struct boundary {
  uint64_t first;
  cusp_map given; /* nodes that are inputs already */
} boundary;

/* Outside: what has a value or is given one, and what was traced before the first node of the
 * graphs. */
static bool outside(const void *context, const cusp_node *node) {
  const boundary *b = context;
  return cusp_is_leaf(node) || (node->trace && node->serial < b->first) ||
         cusp_map_get(&b->given, node) >= 0;
}

static cusp_status collect(cusp_order *order, const boundary *b, int n_graphs, const int *n_outputs,
                           cusp_node *const *const *outputs) {
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

static cusp_node *retained(cusp_node *node) {
  if (node)
    cusp_node_retain(node);
  return node;
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
                                   cusp_node *const *given) {
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
    status = collect(&order, &b, n_graphs, n_outputs, outputs);
  if (status == CUSP_OK)
    status = list_captures(captures, &count, &order, &b);
  if (status == CUSP_OK)
    status = cusp_subgraphs_new(out, n_given + count, n_graphs, n_outputs);
  if (status == CUSP_OK)
    fill(*out, *captures, outputs, n_given, given);
  cusp_order_free(&order);
  cusp_map_free(&b.given);
  return status;
}

/* ------------------------------------------------------------------ nodes */

cusp_status cusp_subgraphs_node(cusp_node **picks, const char *op, int n_inputs,
                                cusp_node *const *inputs, cusp_subgraphs *subgraphs, int n_outputs,
                                const cusp_type *types) {
  cusp_attr attr = {.kind = CUSP_ATTR_SUBGRAPHS, .subgraphs = subgraphs};
  cusp_node *node;
  int made = 0;
  CUSP_TRY(cusp_node_of_types(&node, cusp_op_find(op), n_inputs, inputs, &attr, n_outputs, types));
  cusp_status status = CUSP_OK;
  while (status == CUSP_OK && made < n_outputs) {
    status = cusp_node_pick(&picks[made], node, made);
    made += status == CUSP_OK;
  }
  if (status != CUSP_OK)
    release_all(picks, made);
  cusp_node_release(node);
  return status;
}
