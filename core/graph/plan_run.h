#ifndef CUSP_GRAPH_PLAN_RUN_H
#define CUSP_GRAPH_PLAN_RUN_H
/* Running plans. */

#include "plan.h"

typedef struct cusp_plan_io {
  /* by leaf; constants' entries are ignored; strides as in the graph's leaves */
  const cusp_array *leaves;
  /* by output or NULL; only for outputs of their own or that replace a leaf; NULL items: fresh
   * memory */
  void *const *destinations;
  /* by output; filled, each holds a storage reference (none where a destination was given). NULL:
   * all outputs have destinations */
  cusp_array *results;
} cusp_plan_io;
/** Runs all steps. On failure no result is left behind. Not reentrant for one plan. */
CUSP_NODISCARD cusp_status cusp_plan_run(cusp_plan *plan, const cusp_plan_io *io);

#endif
