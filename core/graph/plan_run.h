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
  /* by output; those without a destination are filled, and hold a storage reference. NULL: all have
   * destinations */
  cusp_array *results;
} cusp_plan_io;
/** Runs all steps. On failure no result is left behind. Not reentrant for one plan. */
CUSP_NODISCARD cusp_status cusp_plan_run(cusp_plan *plan, const cusp_plan_io *io);

#endif
