#ifndef CUSP_GRAPH_STEP_ORDER_H
#define CUSP_GRAPH_STEP_ORDER_H
/* The order of steps. */

#include "lower.h"

/** Puts the units into `steps`, each after what it needs, and as soon as it frees memory. */
CUSP_NODISCARD cusp_status cusp_order_steps(cusp_lowering *lowering);

#endif
