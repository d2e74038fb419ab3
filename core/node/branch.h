#ifndef CUSP_NODE_BRANCH_H
#define CUSP_NODE_BRANCH_H
/*
 * Branches: what one function computes and assigns while it is traced, apart from what comes before
 * and after. Branches become sub-graphs of one node: of a choice, of which one runs, or of a loop,
 * which repeats one while another one gives true.
 */

#include "variable.h"

typedef struct cusp_branch_assignment {
  cusp_variable *variable;
  cusp_node *start; /* the value that it had for the branch when that began */
  cusp_node *value; /* what it was assigned last */
} cusp_branch_assignment;

typedef struct cusp_branch {
  struct cusp_branch *outer; /* open when this one began */
  cusp_trace *trace;
  bool open, repeated;
  uint64_t first;     /* the serial number of its starts, which no other node has */
  cusp_node **before; /* what the first n_before variables of the trace were; references */
  cusp_node **starts; /* what they were to the branch; references */
  int n_before, before_capacity, starts_capacity;
  int n_bindings; /* of the trace when it began; more than n_before only where memory ran out */
  cusp_node **results;
  int n_results;
  cusp_branch_assignment *assigned; /* references */
  int n_assigned, assigned_capacity;
} cusp_branch;

/**
 * Starts a branch of the open trace: what is assigned from here on is undone when it ends. For one
 * that is `repeated`, variables start as nodes of their own, so that a loop can tell them from
 * values read before. CUSP_EVALUE outside of a trace.
 */
CUSP_NODISCARD cusp_status cusp_branch_begin(cusp_branch **out, bool repeated);
/** Tells the open branches of a variable that its trace meets within them for the first time: it
 * starts in them as those do that were met before. */
CUSP_NODISCARD cusp_status cusp_branch_tell(struct cusp_variable_binding *binding);
/** Ends it with these results (retained): the variables are again what they were when it began. */
CUSP_NODISCARD cusp_status cusp_branch_end(cusp_branch *branch, int n_results,
                                           cusp_node *const *results);
/** An open branch ends without results. NULL accepted. */
void cusp_branch_free(cusp_branch *branch);
/** What `variable` was to the branch when that began; NULL: the trace knows nothing of it. Lent. */
cusp_node *cusp_branch_start(const cusp_branch *branch, const cusp_variable *variable);
/** What `variable` was assigned in the branch; NULL: nothing. Lent. */
const cusp_branch_assignment *cusp_branch_find(const cusp_branch *branch,
                                               const cusp_variable *variable);
/** CUSP_EVALUE unless the branch has ended within the open trace. */
CUSP_NODISCARD cusp_status cusp_branch_check(const cusp_branch *branch, const char *name);

/** Whether a branch of the open trace is open. */
bool cusp_in_branch(void);
/** Whether `node` was made within an open branch of the open trace, so that it is none of what a
 * choice captures. */
bool cusp_branch_made(const cusp_node *node);

#endif
