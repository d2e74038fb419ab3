#ifndef CUSP_GRAPH_PLAN_TEXT_H
#define CUSP_GRAPH_PLAN_TEXT_H
/* Plans as text: a line a step. */

#include "plan.h"

cusp_status cusp_plan_text(const cusp_plan *plan, char **text);

#endif
