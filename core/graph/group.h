#ifndef CUSP_GRAPH_GROUP_H
#define CUSP_GRAPH_GROUP_H
/* Elementwise work and reductions that share one tiled loop. */

#include "lower.h"

/** Puts an elementwise operation or a reduction (its inputs located) into a unit. */
CUSP_NODISCARD cusp_status cusp_group_add(cusp_lowering *lowering, int operation);
/** Enters the edges from `unit` to the units that make the values of `operation`'s inputs. */
CUSP_NODISCARD cusp_status cusp_unit_connect(cusp_lowering *lowering, int unit, int operation);

#endif
