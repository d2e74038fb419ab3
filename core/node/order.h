#ifndef CUSP_NODE_ORDER_H
#define CUSP_NODE_ORDER_H
/* Nodes below some roots, inputs before users. */

#include "../base/collections.h"
#include "node.h"

/** Where a walk ends: a node for which `at` is true is included, its inputs are not looked at. NULL
 * `at`: nowhere. */
typedef struct cusp_stop {
  bool (*at)(const void *context, const cusp_node *node);
  const void *context;
} cusp_stop;
/** Ends at nodes without an operation to run: leaves, and what is computed. */
extern const cusp_stop cusp_stop_at_leaves;

static inline bool cusp_stops(cusp_stop stop, const cusp_node *node) {
  return stop.at && stop.at(stop.context, node);
}

/** A topological order with the index of each node in it. Zero-initialised is empty. */
typedef struct cusp_order {
  cusp_node **nodes; /* lent */
  int count, capacity;
  int n_collectives; /* nodes that all processes run together */
  cusp_map index;
  cusp_stop stop; /* of the walk that collected it */
} cusp_order;

/** Appends what is below `roots` and not yet in `order`. Does not recurse. */
CUSP_NODISCARD cusp_status cusp_order_collect(cusp_order *order, int n_roots,
                                              cusp_node *const *roots, cusp_stop stop);
void cusp_order_free(cusp_order *order);

#endif
