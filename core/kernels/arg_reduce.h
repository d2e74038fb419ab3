#ifndef CUSP_KERNELS_ARG_REDUCE_H
#define CUSP_KERNELS_ARG_REDUCE_H
/* Where the largest or smallest element of an axis is. */

#include "call.h"

/** out[row] = where the largest or smallest of a row's `count` elements is, which lie side by side.
 */
typedef void (*cusp_arg_rows_fn)(int64_t rows, int64_t count, bool largest, const void *x,
                                 int32_t *out);

/** NULL where the instruction set has no such function. (arg_reduce.isa.c) */
typedef struct cusp_arg_rows {
  cusp_arg_rows_fn float32, bfloat16;
} cusp_arg_rows;

/** Attributes: axis (INT, or NONE: the whole array in row-major order), keepdims. Result int32; the
 * first NaN wins, then the first extreme. */
extern const cusp_kernel cusp_argmax_kernels[];
extern const cusp_kernel cusp_argmin_kernels[];

#endif
