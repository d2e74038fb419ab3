#ifndef CUSP_NODE_GRADIENT_H
#define CUSP_NODE_GRADIENT_H
/* Reverse-mode differentiation, graph to graph. */

#include "order.h"

/** Gives sources' gradients: of sum_i sum(targets[i] * cotangents[i]); cotangents or its items
 * NULL: ones. gradients[j] is a new reference, or NULL where no path leads from the targets to
 * sources[j]. Builds nodes, so it can be differentiated again. */
CUSP_NODISCARD cusp_status cusp_gradients(cusp_node **gradients, int n_targets,
                                          cusp_node *const *targets, cusp_node *const *cotangents,
                                          int n_sources, cusp_node *const *sources);

/** cusp_gradients along the nodes at which `stop` does not end a walk. */
CUSP_NODISCARD cusp_status cusp_gradients_within(cusp_stop stop, cusp_node **gradients,
                                                 int n_targets, cusp_node *const *targets,
                                                 cusp_node *const *cotangents, int n_sources,
                                                 cusp_node *const *sources);

#endif
