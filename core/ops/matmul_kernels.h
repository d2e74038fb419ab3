#ifndef CUSP_OPS_MATMUL_KERNELS_H
#define CUSP_OPS_MATMUL_KERNELS_H
/* How products of matrices are computed, and how operands are seen as matrices. */

#include "../kernels/call.h"

/** An operand seen as a stack of matrices: a vector is a row on the left and a column on the
 * right. */
typedef struct cusp_matrices {
  int batch_ndim;
  int64_t rows, columns;
  int64_t row_step, column_step; /* in elements; meaningful for arrays only */
} cusp_matrices;

static inline cusp_matrices cusp_matrices_of(const cusp_shape *shape, const int64_t *strides,
                                             bool left) {
  int ndim = shape->ndim;
  if (ndim == 1) {
    int64_t size = shape->size[0], step = strides ? strides[0] : 1;
    return left ? (cusp_matrices){0, 1, size, size * step, step}
                : (cusp_matrices){0, size, 1, step, 1};
  }
  cusp_matrices o = {
      .batch_ndim = ndim - 2, .rows = shape->size[ndim - 2], .columns = shape->size[ndim - 1]};
  o.row_step = strides ? strides[ndim - 2] : 0;
  o.column_step = strides ? strides[ndim - 1] : 0;
  return o;
}

/** The first `batch_ndim` axes of a shape. */
static inline cusp_shape cusp_leading_shape(const cusp_shape *shape, int batch_ndim) {
  cusp_shape batch = *shape;
  batch.ndim = batch_ndim;
  return batch;
}

/** The products of a call, by the leading axes of its result. */
typedef struct cusp_batch {
  int ndim;
  int64_t size[CUSP_MAX_DIMS];
  int64_t a_step[CUSP_MAX_DIMS], b_step[CUSP_MAX_DIMS]; /* in elements; 0: broadcast */
  int64_t count;
} cusp_batch;

cusp_batch cusp_batch_of(const cusp_call *call);

/** Where the operands of product `index` lie, in elements. */
static inline void cusp_batch_offsets(const cusp_batch *batch, int64_t index, int64_t *a,
                                      int64_t *b) {
  *a = *b = 0;
  for (int axis = batch->ndim - 1; axis >= 0; axis--) {
    const int64_t position = axis > 0 ? index % batch->size[axis] : index;
    *a += position * batch->a_step[axis];
    *b += position * batch->b_step[axis];
    if (axis > 0)
      index /= batch->size[axis];
  }
}

/** Multiplications and additions of a call. */
double cusp_matmul_work(const cusp_call *call);

extern const cusp_kernel cusp_matmul_kernels[];

/* Two of these kernels: few rows times a steady matrix (few_rows.c), */
bool cusp_few_rows_can_run(const cusp_call *call);
CUSP_NODISCARD cusp_status cusp_few_rows_prepare(cusp_call *call);
CUSP_NODISCARD cusp_status cusp_few_rows_run(cusp_call *call);
void cusp_few_rows_release(cusp_call *call);
/* and many matrices of up to four rows and columns, with any strides (tiny_products.c). */
bool cusp_tiny_can_run(const cusp_call *call);
CUSP_NODISCARD cusp_status cusp_tiny_prepare(cusp_call *call);
CUSP_NODISCARD cusp_status cusp_tiny_run(cusp_call *call);
void cusp_tiny_release(cusp_call *call);

#endif
