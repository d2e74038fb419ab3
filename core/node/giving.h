#ifndef CUSP_NODE_GIVING_H
#define CUSP_NODE_GIVING_H
/* Values whose gradient is what a branch computes. */

#include "branch.h"

/** What has a gradient of its own, and what that is. */
typedef struct cusp_given_gradient {
  int n_outputs, n_arguments;
  cusp_node *const *outputs;   /* their history does not count */
  cusp_node *const *stand_ins; /* what stood for the outputs' cotangents in the branch */
  cusp_node *const *arguments; /* of which the branch gives the gradients, in their order */
  cusp_branch *gradient;
} cusp_given_gradient;

/** results[k] is outputs[k], with that gradient. New references; none on failure. */
CUSP_NODISCARD cusp_status cusp_branch_give_gradient(cusp_node **results,
                                                     const cusp_given_gradient *given);

#endif
