#ifndef CUSP_GRAPH_SCHEDULE_H
#define CUSP_GRAPH_SCHEDULE_H
/* Which variables are updated in their own memory, and the order of steps. */

#include "lower.h"

CUSP_NODISCARD cusp_status cusp_lower_schedule(cusp_lowering *lowering);

#endif
