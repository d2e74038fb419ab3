#ifndef CUSP_KERNELS_INT8_H
#define CUSP_KERNELS_INT8_H
/*
 * Products of int8 matrices, summed in int32: on the tiles of AMX, by the dot products of VNNI, or
 * by float32 products of integers that float32 holds exactly. All give the same integers.
 *
 * The left factor may be float32, of which each row is quantized on the way: with the greatest
 * absolute value `top` of row i, scale(i) = high / (top + epsilon), and the integers are x scale(i)
 * rounded (halves to even) and clipped to whole ends. Sums are then divided by scale(i) times that
 * of the column.
 */

#include "../tensor/dtype.h"

#include <stdbool.h>

typedef struct cusp_int8_range {
  float low, high, epsilon;
} cusp_int8_range;

/** c [m, n] = a [m, k] b [k, n]. Element (i, j) of a factor is data[i * row + j * column]. */
typedef struct cusp_int8_task {
  int64_t m, n, k;
  const int8_t *a; /* NULL: x is quantized */
  int64_t a_row, a_column;
  const float *x; /* rows without gaps, k apart */
  cusp_int8_range range;
  const int8_t *b;
  int64_t b_row, b_column;
  const float *scale; /* of b's columns, with x */
  void *c;            /* int32 without gaps; with x, float32 */
} cusp_int8_task;

/** What runs the products: "AMX", "VNNI" or "float32". */
const char *cusp_int8_name(void);
/** Bytes of scratch memory that a product takes. */
size_t cusp_int8_workspace(const cusp_int8_task *task);
/** Runs the task on several threads; `workspace` is aligned to 64. */
void cusp_int8_multiply(const cusp_int8_task *task, void *workspace);

#endif
