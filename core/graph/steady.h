#ifndef CUSP_GRAPH_STEADY_H
#define CUSP_GRAPH_STEADY_H
/*
 * What a compiled function computes of variables alone that it does not assign (a folded
 * normalisation, say) is the same in every run until somebody else assigns them. It becomes a plan
 * of its own, run when a variable has changed; its values are leaves of the function's plan.
 */

#include "plan.h"

typedef struct cusp_steady {
  cusp_plan *plan; /* NULL: there is nothing of the kind */
  int n_leaves, n_values;
  size_t bytes;       /* of all values */
  int *sources;       /* by leaf of the plan: which of the function's; -1: a constant */
  cusp_array *leaves; /* scratch of a run */
  uint32_t *stamps;   /* of the leaves that the values were made of */
  cusp_array *values; /* empty before the first run */
} cusp_steady;

/** By value: whether it depends on constants and on leaves alone that `settled` lists, and is no
 * larger than these call for, and than `most` bytes. In the graph's arena. */
CUSP_NODISCARD cusp_status cusp_steady_values(bool **steady, cusp_graph *graph, const bool *settled,
                                              int64_t most);
/** Takes it out of `graph`, whose leaves that are variables not assigned `settled` lists; each
 * value, of at most `most` bytes, becomes a leaf behind those that were there. */
CUSP_NODISCARD cusp_status cusp_steady_take(cusp_steady *steady, cusp_graph *graph,
                                            const bool *settled, int64_t most);
/** Makes the values of `leaves` where these have changed, and puts them behind those. */
CUSP_NODISCARD cusp_status cusp_steady_refresh(cusp_steady *steady, cusp_array *leaves,
                                               int n_leaves);
size_t cusp_steady_bytes(const cusp_steady *steady);
void cusp_steady_free(cusp_steady *steady);

#endif
