/* Values of nodes, computed by whoever is installed for that. */
#include "evaluator.h"
#include "trace.h"

static cusp_evaluator installed;

void cusp_set_evaluator(cusp_evaluator evaluator) { installed = evaluator; }

static cusp_status check_traced(int count, cusp_node *const *nodes) {
  for (int i = 0; i < count; i++)
    if (nodes[i]->trace && !cusp_node_evaluated(nodes[i]))
      return cusp_fail(
          CUSP_ETRACED,
          "the value of a traced tensor (%s, shape %s) is not known while its function is traced",
          nodes[i]->op ? nodes[i]->op->name : "an argument",
          cusp_shape_text(&nodes[i]->type.shape));
  return CUSP_OK;
}

cusp_status cusp_evaluate(int count, cusp_node *const *nodes) {
  CUSP_TRY(check_traced(count, nodes));
  bool all = true;
  for (int i = 0; i < count; i++)
    all &= cusp_node_evaluated(nodes[i]);
  return all ? CUSP_OK : installed(count, nodes);
}

static cusp_status list_untraced(const cusp_order *order, cusp_node ***list, int *count) {
  int capacity = 0;
  for (int i = 0; i < order->count; i++) {
    cusp_node *node = order->nodes[i];
    if (node->trace || cusp_is_leaf(node) || node->n_outputs > 1)
      continue;
    CUSP_TRY(CUSP_GROW(*list, capacity, *count + 1));
    (*list)[(*count)++] = node;
  }
  return CUSP_OK;
}

cusp_status cusp_evaluate_untraced(cusp_order *order, int n_roots, cusp_node *const *roots) {
  cusp_node **constants = NULL;
  int count = 0;
  cusp_status status = list_untraced(order, &constants, &count);
  cusp_trace *suspended = cusp_trace_suspend();
  if (status == CUSP_OK && count)
    status = cusp_evaluate(count, constants);
  cusp_trace_resume(suspended);
  cusp_free(constants);
  if (status != CUSP_OK || !count)
    return status;
  cusp_stop stop = order->stop;
  cusp_order_free(order);
  return cusp_order_collect(order, n_roots, roots, stop);
}
