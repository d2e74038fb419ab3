#ifndef CUSP_KERNELS_BLAS_PLAIN_H
#define CUSP_KERNELS_BLAS_PLAIN_H
/* Matrix products in plain loops: integers, and floats where OpenBLAS is absent. The reference of
 * the fast ones. */

#include "../tensor/dtype.h"

/** c = alpha * a b + beta * c with a [m, k], b [k, n] of any strides (in elements), c [m, n] with
 * unit column stride. */
typedef struct cusp_plain_product {
  int64_t m, n, k;
  const void *a, *b;
  void *c;
  int64_t a_row, a_column, b_row, b_column, c_row;
  double alpha, beta; /* of float32 and float64; the others compute c = a b */
} cusp_plain_product;

typedef void (*cusp_plain_fn)(const cusp_plain_product *product);

/**
 * The loop for operands of `in` and a result of `out`: equal dtypes (no 16-bit float), or int8
 * giving int32. NULL for other pairs. Integers wrap; a bool result says whether any pair of
 * elements is true in both.
 */
cusp_plain_fn cusp_plain_find(cusp_dtype in, cusp_dtype out);

#endif
