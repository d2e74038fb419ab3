#ifndef CUSP_KERNELS_FACTOR_H
#define CUSP_KERNELS_FACTOR_H
/*
 * The right factor of many products, each with few rows: the kernel of a recurrent layer,
 * multiplied at every step. It is packed into panels once (panels.h), which at every product would
 * cost as much as a fifth of it. Where packing does not pay the products go to BLAS. A narrow
 * factor is packed into tiles of bfloat16 (tiles.h), and what it multiplies is rounded to them.
 */

#include "../tensor/dtype.h"

#include <stdbool.h>

typedef struct cusp_factor {
  cusp_dtype dtype; /* float32 or float64 */
  bool narrow;      /* float32, of which bfloat16 is kept */
  int64_t k, n;     /* op(b) is [k, n] */
  const void *b;    /* row-major; with `trans` stored as [n, k] */
  bool trans;
  int64_t ldb;
  const void *packed; /* NULL: not packed */
} cusp_factor;

/** Bytes that packing takes, for products of `rows` rows in all threads together; 0 where it does
 * not pay. Depends on sizes alone. */
size_t cusp_factor_bytes(const cusp_factor *factor, int64_t rows);
/** Packs b (which must be set) into `memory` of that many bytes, aligned to 64; nothing where it
 * does not pay. */
void cusp_factor_pack(cusp_factor *factor, int64_t rows, void *memory);
/** c [m, n] = a [m, k] op(b) + beta * c, beta 0 or 1, on the calling thread. */
void cusp_factor_multiply(const cusp_factor *factor, int64_t m, const void *a, int64_t lda,
                          int beta, void *c, int64_t ldc);

#endif
