#ifndef CUSP_GRAPH_PRINT_H
#define CUSP_GRAPH_PRINT_H
/* The graph below nodes as text, before any pass. */

#include "../node/node.h"

/** One line a node: "%3 = matmul(%1, %2) float32 [32, 10]  script.lua:12", the graph below `nodes`
 * in order. */
/* *text: free with cusp_free */
cusp_status cusp_graph_print(int count, cusp_node *const *nodes, char **text);

#endif
