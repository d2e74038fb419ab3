#ifndef CUSP_GRAPH_ORDER_H
#define CUSP_GRAPH_ORDER_H
/* Nodes below some roots, inputs before users. */

#include "collections.h"
#include "node.h"

/** A topological order with the index of each node in it. Zero-initialised is empty. */
typedef struct cusp_order {
  cusp_node **nodes; /* lent */
  int count, capacity;
  cusp_map index;
} cusp_order;

/** Whether the walk ends at this node (it is included, its inputs are not looked at). */
typedef bool (*cusp_stop_fn)(const cusp_node *node);

/** Appends what is below `roots` and not yet in `order`. Does not recurse. */
CUSP_NODISCARD cusp_status cusp_order_collect(cusp_order *order, int n_roots, cusp_node *const *roots, cusp_stop_fn stop);
void cusp_order_free(cusp_order *order);

#endif
