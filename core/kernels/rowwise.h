#ifndef CUSP_KERNELS_ROWWISE_H
#define CUSP_KERNELS_ROWWISE_H
/*
 * Kernels over the rows of a matrix without gaps, float32 and float64: softmax, its logarithm,
 * cross-entropies, gradients. Each is serial over the rows it is given: callers split rows among
 * threads. Rows have at least one column.
 */

#include "../tensor/dtype.h"

/** A [rows, columns] matrix of `dtype`. */
typedef struct cusp_rows {
  cusp_dtype dtype;
  int64_t rows, columns;
} cusp_rows;

/** The loops they are made of, compiled for each instruction set (rowwise.isa.c). x, y, out:
 * matrices; the others [rows]. */
typedef struct cusp_row_loops {
  /** out[row] = the row's largest element. */
  void (*largest)(int64_t rows, int64_t columns, const void *x, void *out);
  /** out = x - shift[row]. */
  void (*subtract)(int64_t rows, int64_t columns, const void *x, const void *shift, void *out);
  /** sums[row] = sum(x). */
  void (*sum)(int64_t rows, int64_t columns, const void *x, void *sums);
  /** sums[row] = sum(x * y). */
  void (*dot)(int64_t rows, int64_t columns, const void *x, const void *y, void *sums);
  /** out = x * scale[row] + y * other[row]; `y` may be NULL, which leaves its term out. */
  void (*scale)(int64_t rows, int64_t columns, const void *x, const void *scale, const void *y,
                const void *other, void *out);
  /** out = y * (dy - sums[row]). */
  void (*centre)(int64_t rows, int64_t columns, const void *y, const void *dy, const void *sums,
                 void *out);
} cusp_row_loops;

/** out = exp(x) / sum(exp(x)). */
void cusp_softmax_rows(const cusp_rows *shape, const void *x, void *out);
/** out = x - log(sum(exp(x))). */
void cusp_log_softmax_rows(const cusp_rows *shape, const void *x, void *out);
/** Gradient of softmax from its result y: out = y * (dy - sum(y * dy)). */
void cusp_softmax_gradient_rows(const cusp_rows *shape, const void *y, const void *dy, void *out);
/** Gradient of log_softmax from its result y: out = dy - exp(y) * sum(dy). */
void cusp_log_softmax_gradient_rows(const cusp_rows *shape, const void *y, const void *dy,
                                    void *out);

/**
 * loss[row] = -sum(target * log_softmax(logits)). `target` is a matrix like logits; or NULL, and
 * `labels` [rows] says where it is 1: nowhere for a label that is no column.
 */
void cusp_crossentropy_rows(const cusp_rows *shape, const void *logits, const void *target,
                            const int32_t *labels, void *loss);
/** out = dloss[row] * (softmax(logits) * sum(target) - target). */
void cusp_crossentropy_gradient_rows(const cusp_rows *shape, const void *logits, const void *target,
                                     const int32_t *labels, const void *dloss, void *out);

#endif
