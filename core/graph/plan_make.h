#ifndef CUSP_GRAPH_PLAN_MAKE_H
#define CUSP_GRAPH_PLAN_MAKE_H
/* Units become the steps of a plan. */

#include "lower.h"
#include "plan_parts.h"

CUSP_NODISCARD cusp_status cusp_plan_make_steps(cusp_plan *plan, cusp_lowering *lowering);

#endif
