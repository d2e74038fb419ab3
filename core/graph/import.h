#ifndef CUSP_GRAPH_IMPORT_H
#define CUSP_GRAPH_IMPORT_H
/* From the users' nodes to the graph that passes rewrite. */

#include "graph.h"

/**
 * Makes `graph` from the nodes of `order`. Its leaf i is the i-th node of the order at which the
 * walk ended; with `constants`, evaluated ones carry their value. Outputs are among the order's
 * nodes.
 */
CUSP_NODISCARD cusp_status cusp_graph_import(cusp_graph *graph, const cusp_order *order,
                                             bool constants, int n_outputs,
                                             cusp_node *const *outputs);

#endif
