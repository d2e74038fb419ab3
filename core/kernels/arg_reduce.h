#ifndef CUSP_KERNELS_ARG_REDUCE_H
#define CUSP_KERNELS_ARG_REDUCE_H
/* Where the largest or smallest element of an axis is. */

#include "call.h"

/** out[row] = where the largest or smallest of a row's `count` elements is; count <= longest, which
 * is 0 where the instruction set has no such function. (arg_reduce.isa.c) */
typedef struct cusp_arg_rows {
  void (*float32)(int64_t rows, int64_t count, bool largest, const float *x, int32_t *out);
  int64_t longest;
} cusp_arg_rows;

/** Attributes: axis (INT, or NONE: the whole array in row-major order), keepdims. Result int32; the
 * first NaN wins, then the first extreme. */
extern const cusp_kernel cusp_argmax_kernels[];
extern const cusp_kernel cusp_argmin_kernels[];

#endif
