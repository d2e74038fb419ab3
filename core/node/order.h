#ifndef CUSP_NODE_ORDER_H
#define CUSP_NODE_ORDER_H
/* Nodes below some roots, inputs before users. */

#include "../base/collections.h"
#include "node.h"

/** Where a walk ends: a node for which `at` is true is included, its inputs are not looked at. NULL `at`: nowhere. */
typedef struct cusp_stop {
  bool (*at)(const void *context, const cusp_node *node);
  const void *context;
} cusp_stop;
/** Ends at nodes without an operation to run: leaves, and what is computed. */
extern const cusp_stop cusp_stop_at_leaves;

static inline bool cusp_stops(cusp_stop stop, const cusp_node *node) { return stop.at && stop.at(stop.context, node); }

/** A topological order with the index of each node in it. Zero-initialised is empty. */
typedef struct cusp_order {
  cusp_node **nodes; /* lent */
  int count, capacity;
  cusp_map index;
  cusp_stop stop; /* of the walk that collected it */
} cusp_order;

/** Appends what is below `roots` and not yet in `order`. Does not recurse. */
CUSP_NODISCARD cusp_status cusp_order_collect(cusp_order *order, int n_roots, cusp_node *const *roots, cusp_stop stop);
void cusp_order_free(cusp_order *order);

/**
 * What does not depend on a trace is a constant of the plan: computed now, after which the order, of what is below `roots`,
 * is collected anew.
 */
CUSP_NODISCARD cusp_status cusp_evaluate_untraced(cusp_order *order, int n_roots, cusp_node *const *roots);

/** cusp_gradients along the nodes at which `stop` does not end a walk. */
CUSP_NODISCARD cusp_status cusp_gradients_within(cusp_stop stop, cusp_node **gradients, int n_targets, cusp_node *const *targets,
                                                 cusp_node *const *cotangents, int n_sources, cusp_node *const *sources);

#endif
