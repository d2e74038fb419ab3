#ifndef CUSP_NODE_LOOPING_H
#define CUSP_NODE_LOOPING_H
/* Branches become the condition and the body of a loop. */

#include "branch.h"

/**
 * Repeats `body` while `condition` gives true. stand_ins[k] stood for loop value k in both while
 * they were traced; it is initial[k] at first and then result k of the body, which has its shape
 * and dtype. results[k] is the last one. Variables that the body assigns go from one round to the
 * next. New references; none on failure.
 */
CUSP_NODISCARD cusp_status cusp_branches_repeat(cusp_node **results, const char *name, int n_values,
                                                cusp_node *const *initial,
                                                cusp_node *const *stand_ins, cusp_branch *condition,
                                                cusp_branch *body);

#endif
