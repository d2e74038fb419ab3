#ifndef CUSP_GRAPH_IMPORT_H
#define CUSP_GRAPH_IMPORT_H
/* From the users' nodes to the graph that passes rewrite. */

#include "graph.h"

/** Whether a node has a value already, or is a placeholder: the walk below a root ends there. */
bool cusp_is_leaf(const cusp_node *node);

/**
 * Makes `graph` from the nodes of `order` (collected with cusp_is_leaf). Its leaf i is the i-th leaf node of the order;
 * with `constants`, evaluated ones carry their value. Outputs are among the order's nodes.
 */
CUSP_NODISCARD cusp_status cusp_graph_import(cusp_graph *graph, const cusp_order *order, bool constants, int n_outputs,
                                             cusp_node *const *outputs);

#endif
