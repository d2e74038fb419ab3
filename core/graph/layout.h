#ifndef CUSP_GRAPH_LAYOUT_H
#define CUSP_GRAPH_LAYOUT_H
/* Views become strides, kernels are chosen, copies inserted where a kernel wants row-major
 * input. */

#include "lower.h"

CUSP_NODISCARD cusp_status cusp_lower_layout(cusp_lowering *lowering);
/** Whether a location is all of its root's memory in row-major order. */
bool cusp_location_is_whole(const cusp_lowering *lowering, int value);

#endif
