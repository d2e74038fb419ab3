#ifndef CUSP_GRAPH_SUBPLAN_H
#define CUSP_GRAPH_SUBPLAN_H
/* A sub-graph as a plan of its own, run within a step of another plan. */

#include "../node/subgraphs.h"
#include "plan.h"

typedef struct cusp_subplan {
  cusp_plan *plan;
  int n_leaves, *inputs; /* by leaf: the number of an input, -1: a constant */
  cusp_array *leaves;    /* scratch of a run */
} cusp_subplan;

CUSP_NODISCARD cusp_status cusp_subplan_new(cusp_subplan *out, const cusp_subgraphs *subgraphs,
                                            int graph);
/** Of the graph's first n_outputs outputs only. */
CUSP_NODISCARD cusp_status cusp_subplan_new_first(cusp_subplan *out,
                                                  const cusp_subgraphs *subgraphs, int graph,
                                                  int n_outputs);
/** Empties it; one that was never made is accepted. */
void cusp_subplan_free(cusp_subplan *subplan);
/** inputs: one row-major array an input of the graphs; destinations: memory for each output,
 * row-major. */
CUSP_NODISCARD cusp_status cusp_subplan_run(cusp_subplan *subplan, const cusp_array *inputs,
                                            void *const *destinations);

#endif
