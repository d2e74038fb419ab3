/* From the users' nodes to the graph that passes rewrite. */
#include "import.h"

#include "rewrite.h"

typedef struct importer {
  cusp_graph *graph;
  const cusp_order *order;
  int *value; /* of each node of the order; of a multi-output node its first */
} importer;

static cusp_status import_operation(importer *m, const cusp_node *node, int *value) {
  int small[CUSP_MAX_INPUTS], *inputs = small;
  if (node->n_inputs > CUSP_MAX_INPUTS)
    CUSP_TRY(cusp_alloc((void **)&inputs, (size_t)node->n_inputs * sizeof *inputs));
  for (int k = 0; k < node->n_inputs; k++)
    inputs[k] = m->value[cusp_map_get(&m->order->index, node->inputs[k])];
  cusp_status status =
      cusp_graph_add(m->graph, node->op, node->n_inputs, inputs, node->n_attrs, node->attrs,
                     node->n_outputs, node->types ? node->types : &node->type, value);
  if (inputs != small)
    cusp_free(inputs);
  if (status == CUSP_OK) {
    cusp_operation *operation = cusp_graph_producer(m->graph, *value);
    operation->origin = node->origin;
    operation->serial = node->serial;
  }
  return status;
}

static cusp_status import_node(importer *m, int index, bool constants) {
  const cusp_node *node = m->order->nodes[index];
  if (cusp_stops(m->order->stop, node)) {
    cusp_array array = node->value;
    bool constant = constants && cusp_node_evaluated(node);
    if (!cusp_node_evaluated(node)) {
      array = (cusp_array){.dtype = node->type.dtype, .shape = node->type.shape};
      cusp_strides_row_major(array.strides, &array.shape);
    }
    return cusp_graph_add_leaf(m->graph, &array, constant, &m->value[index]);
  }
  if (node->inputs && node->n_inputs == 1 && node->inputs[0]->n_outputs > 1) {
    m->value[index] =
        m->value[cusp_map_get(&m->order->index, node->inputs[0])] + node->output_index;
    return CUSP_OK;
  }
  return import_operation(m, node, &m->value[index]);
}

cusp_status cusp_graph_import(cusp_graph *graph, const cusp_order *order, bool constants,
                              int n_outputs, cusp_node *const *outputs) {
  *graph = (cusp_graph){0};
  importer m = {.graph = graph, .order = order};
  cusp_status status = cusp_alloc((void **)&m.value, ((size_t)order->count + 1) * sizeof *m.value);
  for (int i = 0; status == CUSP_OK && i < order->count; i++)
    status = import_node(&m, i, constants);
  if (status == CUSP_OK)
    status = cusp_alloc((void **)&graph->outputs, ((size_t)n_outputs + 1) * sizeof *graph->outputs);
  for (int i = 0; status == CUSP_OK && i < n_outputs; i++)
    graph->outputs[graph->n_outputs++] = m.value[cusp_map_get(&order->index, outputs[i])];
  cusp_free(m.value);
  if (status != CUSP_OK)
    cusp_graph_free(graph);
  return status;
}

/* ------------------------------------------------------------------ sub-graphs */

static cusp_status find_inputs(int **out, const cusp_order *order, const cusp_map *map) {
  int count = 0;
  CUSP_TRY(cusp_alloc((void **)out, ((size_t)order->count + 1) * sizeof **out));
  for (int i = 0; i < order->count; i++) {
    const cusp_node *node = order->nodes[i];
    if (!cusp_stops(order->stop, node))
      continue;
    int input = cusp_map_get(map, node);
    if (input < 0 && !cusp_node_evaluated(node))
      return cusp_fail(CUSP_ETRACED,
                       "a traced tensor of another function or branch (shape %s) is used here: it "
                       "has no value outside of that",
                       cusp_shape_text(&node->type.shape));
    (*out)[count++] = input;
  }
  return CUSP_OK;
}

static cusp_status import_within(cusp_graph *out, int **inputs, const cusp_subgraph *from,
                                 int n_outputs, const cusp_map *map) {
  cusp_order order = {0};
  cusp_status status =
      cusp_order_collect(&order, n_outputs, from->outputs, cusp_subgraph_stop(map));
  if (status == CUSP_OK)
    status = find_inputs(inputs, &order, map);
  if (status == CUSP_OK)
    status = cusp_graph_import(out, &order, true, n_outputs, from->outputs);
  cusp_order_free(&order);
  CUSP_TRY(status);
  out->traced = true;
  return cusp_graph_rewrite(out);
}

cusp_status cusp_graph_import_subgraph(cusp_graph *out, int **inputs,
                                       const cusp_subgraphs *subgraphs, int graph, int n_outputs) {
  cusp_map map = {0};
  *out = (cusp_graph){0};
  *inputs = NULL;
  cusp_status status = cusp_subgraph_map(&map, subgraphs, graph);
  if (status == CUSP_OK)
    status = import_within(out, inputs, &subgraphs->graphs[graph], n_outputs, &map);
  cusp_map_free(&map);
  if (status == CUSP_OK)
    return CUSP_OK;
  cusp_graph_free(out);
  cusp_free(*inputs);
  *inputs = NULL;
  return status;
}
