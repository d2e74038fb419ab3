#ifndef CUSP_NODE_EVALUATOR_H
#define CUSP_NODE_EVALUATOR_H
/* Values of nodes. Who can compute graphs stands above nodes, and makes itself known here. */

#include "order.h"

/**
 * Computes the values of these nodes, and of whatever they need that users hold. Each keeps its
 * value and, unless a tape records it, lets go of its inputs. CUSP_ETRACED for a traced node.
 * Errors name the operation and the user's line.
 */
CUSP_NODISCARD cusp_status cusp_evaluate(int count, cusp_node *const *nodes);

/** Computes nodes of which some have no value yet, and none is traced. */
typedef cusp_status (*cusp_evaluator)(int count, cusp_node *const *nodes);
/** Installs what computes graphs, at the start of the program. */
void cusp_set_evaluator(cusp_evaluator evaluator);

/**
 * What does not depend on a trace is a constant of the plan: computed now, after which the order,
 * of what is below `roots`, is collected anew.
 */
CUSP_NODISCARD cusp_status cusp_evaluate_untraced(cusp_order *order, int n_roots,
                                                  cusp_node *const *roots);

#endif
