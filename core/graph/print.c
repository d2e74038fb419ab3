/* The graph below nodes as text. */
#include "print.h"
#include "import.h"

cusp_status cusp_graph_print(int count, cusp_node *const *nodes, char **text) {
  *text = NULL;
  cusp_order order = {0};
  cusp_graph graph = {0};
  cusp_status status = cusp_order_collect(&order, count, nodes, cusp_stop_at_leaves);
  if (status == CUSP_OK)
    status = cusp_graph_import(&graph, &order, true, count, nodes);
  if (status == CUSP_OK)
    status = cusp_graph_text(&graph, text);
  cusp_graph_free(&graph);
  cusp_order_free(&order);
  return status;
}
