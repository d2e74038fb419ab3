#ifndef CUSP_GRAPH_IMPORT_H
#define CUSP_GRAPH_IMPORT_H
/* From the users' nodes to the graph that passes rewrite. */

#include "../node/subgraphs.h"
#include "graph.h"

/**
 * Makes `graph` from the nodes of `order`. Its leaf i is the i-th node of the order at which the
 * walk ended; with `constants`, evaluated ones carry their value. Outputs are among the order's
 * nodes.
 */
CUSP_NODISCARD cusp_status cusp_graph_import(cusp_graph *graph, const cusp_order *order,
                                             bool constants, int n_outputs,
                                             cusp_node *const *outputs);

/**
 * Makes `out` from the first n_outputs outputs of a sub-graph, after all passes. (*inputs)[i],
 * which the caller frees, is the number of the input that leaf i is, -1 for a constant. Both are
 * empty on failure.
 */
CUSP_NODISCARD cusp_status cusp_graph_import_subgraph(cusp_graph *out, int **inputs,
                                                      const cusp_subgraphs *subgraphs, int graph,
                                                      int n_outputs);

#endif
