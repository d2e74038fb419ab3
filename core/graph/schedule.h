#ifndef CUSP_GRAPH_SCHEDULE_H
#define CUSP_GRAPH_SCHEDULE_H
/* The order of steps, and which variables are updated in their own memory. */

#include "lower.h"

CUSP_NODISCARD cusp_status cusp_lower_schedule(cusp_lowering *lowering);

#endif
