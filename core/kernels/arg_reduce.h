#ifndef CUSP_KERNELS_ARG_REDUCE_H
#define CUSP_KERNELS_ARG_REDUCE_H
/* Where the largest or smallest element of an axis is. */

#include "call.h"

/** Attributes: axis (INT, or NONE: the whole array in row-major order), keepdims. Result int32; the
 * first NaN wins, then the first extreme. */
extern const cusp_kernel cusp_argmax_kernels[];
extern const cusp_kernel cusp_argmin_kernels[];

#endif
