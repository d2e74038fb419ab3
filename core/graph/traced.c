#include "traced.h"

#include "../node/evaluator.h"
#include "../node/state.h"
#include "import.h"
#include "rewrite.h"

static int find_argument(const cusp_trace *trace, const cusp_node *node) {
  for (int i = 0; i < trace->n_arguments; i++)
    if (trace->arguments[i] == node)
      return i;
  return -1;
}

static cusp_variable *find_variable(const cusp_trace *trace, const cusp_node *node) {
  for (const cusp_variable_binding *b = trace->bindings; b; b = b->next)
    if (b->initial == node)
      return b->variable;
  return NULL;
}

static cusp_status fill_leaf(cusp_traced_graph *out, int index, const cusp_trace *trace,
                             const cusp_node *node) {
  cusp_leaf *leaf = &out->graph.leaves[index];
  out->arguments[index] = -1;
  if (leaf->constant)
    return CUSP_OK;
  out->arguments[index] = find_argument(trace, node);
  if (out->arguments[index] >= 0)
    return CUSP_OK;
  cusp_variable *variable = find_variable(trace, node);
  if (!variable)
    return cusp_fail(CUSP_ETRACED,
                     "a traced tensor of another function (shape %s) is used here: it has no value "
                     "outside that function",
                     cusp_shape_text(&node->type.shape));
  CUSP_TRY(cusp_evaluate(1, &variable->value));
  leaf->constant = true;
  leaf->array = variable->value->value;
  cusp_storage_retain(leaf->array.storage);
  return CUSP_OK;
}

static cusp_status fill_leaves(cusp_traced_graph *out, const cusp_trace *trace,
                               const cusp_order *order) {
  size_t count = (size_t)out->graph.n_leaves + 1;
  CUSP_TRY(cusp_alloc((void **)&out->arguments, count * sizeof *out->arguments));
  for (int i = 0, leaf = 0; i < order->count; i++)
    if (cusp_is_leaf(order->nodes[i]))
      CUSP_TRY(fill_leaf(out, leaf++, trace, order->nodes[i]));
  return CUSP_OK;
}

cusp_status cusp_traced_graph_new(cusp_traced_graph *out, const cusp_trace *trace, int n_outputs,
                                  cusp_node *const *outputs) {
  cusp_order order = {0};
  *out = (cusp_traced_graph){0};
  cusp_status status = cusp_order_collect(&order, n_outputs, outputs, cusp_stop_at_leaves);
  if (status == CUSP_OK)
    status = cusp_evaluate_untraced(&order, n_outputs, outputs);
  if (status == CUSP_OK)
    status = cusp_graph_import(&out->graph, &order, true, n_outputs, outputs);
  if (status == CUSP_OK)
    status = fill_leaves(out, trace, &order);
  cusp_order_free(&order);
  if (status == CUSP_OK)
    status = cusp_graph_rewrite(&out->graph);
  if (status != CUSP_OK)
    cusp_traced_graph_free(out);
  return status;
}

cusp_status cusp_traced_subgraph_new(cusp_traced_graph *out, const cusp_subgraphs *subgraphs,
                                     int graph, int n_outputs) {
  return cusp_graph_import_subgraph(&out->graph, &out->arguments, subgraphs, graph, n_outputs);
}

void cusp_traced_graph_free(cusp_traced_graph *traced) {
  cusp_graph_free(&traced->graph);
  cusp_free(traced->arguments);
  *traced = (cusp_traced_graph){0};
}
