#ifndef CUSP_OPS_SLICES_H
#define CUSP_OPS_SLICES_H
/* Parts of tensors, built for compositions as build.h does. */

#include "../node/build.h"

/** `size` elements of an axis, from `start` on. */
cusp_node *cusp_part(cusp_node *x, int axis, int64_t start, int64_t size);
/** An axis in reverse. */
cusp_node *cusp_flip(cusp_node *x, int axis);

#endif
