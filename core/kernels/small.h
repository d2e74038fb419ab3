#ifndef CUSP_KERNELS_SMALL_H
#define CUSP_KERNELS_SMALL_H
/*
 * Small products of a row of float32 with a matrix as it lies: a call of a BLAS would take as long
 * again, some take a lock, and a program that needs no other product need not load one.
 */

#include "../tensor/dtype.h"

/** c [n] = a [k] b [k, n] + beta * c with beta 0 or 1; `step` is that of the elements of a, ldb
 * that of the rows of b. */
typedef struct cusp_row_product {
  int64_t n, k;
  const float *a, *b;
  float *c;
  int64_t step, ldb;
  bool beta;
} cusp_row_product;

/** Compiled for each instruction set (small.isa.c). */
typedef struct cusp_small_loops {
  void (*multiply)(const cusp_row_product *product);
} cusp_small_loops;

const cusp_small_loops *cusp_small_loops_find(void);

#define CUSP_SMALL_PRODUCT 32768 /* n * k at most: beyond, it is the memory that takes time */

#endif
