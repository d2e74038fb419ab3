#ifndef CUSP_NODE_CHOOSING_H
#define CUSP_NODE_CHOOSING_H
/* Branches become a choice among them. */

#include "branch.h"

/**
 * results[k] is result k of branches[index], and variables get what that branch assigned. `index`
 * is one integer, clamped to the branches there are. The branches have equally many results, of
 * equal shapes and dtypes; a Lua number takes the dtype of the others. New references; none on
 * failure. `name` is the operation's, for messages.
 */
CUSP_NODISCARD cusp_status cusp_branches_choose(cusp_node **results, const char *name,
                                                cusp_node *index, int n_branches,
                                                cusp_branch *const *branches);

#endif
