#ifndef CUSP_GRAPH_PLAN_H
#define CUSP_GRAPH_PLAN_H
/* Plans: a fixed list of kernel calls over fixed places in memory. Made once from a graph, run many
 * times. */

#include "graph.h"

typedef struct cusp_plan cusp_plan;

typedef struct cusp_plan_options {
  /** For each output, or NULL: the leaf (a variable's present value) that this output replaces, -1:
   * none. Such outputs get memory of their own, and the leaf's own memory where the order of steps
   * allows it (cusp_plan_overwrites). */
  const int *replaces;
  /* each output gets row-major memory of its own, at a destination where one is given */
  bool own_outputs;
  /* by leaf, or NULL: whether it is the same in many runs (a variable that is not assigned) */
  const bool *steady;
  /* it will run many times: its scratch memory is kept between runs, shared with other such
   * plans */
  bool recurs;
} cusp_plan_options;

/** Lowers `graph` (rewritten already). The graph is consumed, also on failure. */
CUSP_NODISCARD cusp_status cusp_plan_new(cusp_plan **out, cusp_graph *graph,
                                         const cusp_plan_options *options);
void cusp_plan_free(cusp_plan *plan);

/** Whether output `k` may be given the memory of the leaf that it replaces as its destination. */
bool cusp_plan_overwrites(const cusp_plan *plan, int output);

int cusp_plan_n_steps(const cusp_plan *plan);
/* what the plan itself holds, for bounds of caches; no scratch memory */
size_t cusp_plan_bytes(const cusp_plan *plan);
/* what its steps keep of steady leaves, shared with other plans (tensor/forms.h) */
size_t cusp_plan_kept_bytes(const cusp_plan *plan);

#endif
