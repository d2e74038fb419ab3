#ifndef CUSP_GRAPH_BRANCH_H
#define CUSP_GRAPH_BRANCH_H
/*
 * Branches: parts of a trace of which one runs, chosen when the plan runs, with the effects of that one alone.
 * Each branch becomes a plan of its own within the step of a `choose` row (choose.c).
 */

#include "variable.h"

/** What one function computed and assigned while it was traced. */
typedef struct cusp_branch cusp_branch;

/** Starts a branch of the open trace: what is assigned from here on is undone when it ends. CUSP_EVALUE outside of a trace. */
CUSP_NODISCARD cusp_status cusp_branch_begin(cusp_branch **out);
/** Ends it with these results (retained): the variables are again what they were when it began. */
CUSP_NODISCARD cusp_status cusp_branch_end(cusp_branch *branch, int n_results, cusp_node *const *results);
/** An open branch ends without results. NULL accepted. */
void cusp_branch_free(cusp_branch *branch);
int cusp_branch_n_results(const cusp_branch *branch);

/**
 * results[k] is result k of branches[index], and variables get what that branch assigned. `index` is one integer or bool,
 * clamped to the branches there are. The branches have equally many results, of equal shapes; dtypes are promoted.
 * New references; none on failure. `name` is the operation's, for messages.
 */
CUSP_NODISCARD cusp_status cusp_branch_choose(cusp_node **results, const char *name, cusp_node *index, int n_branches,
                                              cusp_branch *const *branches);

#endif
