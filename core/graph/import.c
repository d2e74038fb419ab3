/* From the users' nodes to the graph that passes rewrite. */
#include "import.h"

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
