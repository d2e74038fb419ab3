/*
 * Decompositions of matrices in the last two axes: the hidden rows, which call LAPACK, for what
 * linalg.c brings to float32 or float64 and to common leading axes.
 */

#include "../base/memory.h"
#include "../kernels/lapack.h"
#include "../node/infer.h"
#include "linalg.h"

#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------ kernels: one matrix after
 * another */

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

void *cusp_linalg_item(const cusp_array *array, int axes, int64_t index) {
  int64_t count = 1;
  for (int i = array->shape.ndim - axes; i < array->shape.ndim; i++)
    count *= array->shape.size[i];
  return (char *)array->data + index * count * (int64_t)cusp_dtype_size(array->dtype);
}

int64_t cusp_linalg_matrix_count(const cusp_array *array) {
  cusp_shape batch = array->shape;
  batch.ndim -= 2;
  return cusp_shape_count(&batch);
}

static size_t matrix_bytes(const cusp_array *array) {
  return (size_t)(cusp_rows_of(&array->shape) * cusp_columns_of(&array->shape)) *
         cusp_dtype_size(array->dtype);
}

static cusp_status ready(cusp_call *call) {
  (void)call;
  return cusp_lapack_ready();
}

/** (x + x^T) / 2, so that the gradient is that of a symmetric matrix. */
static void symmetrise(const cusp_array *x, const void *from, void *to) {
  int64_t n = cusp_rows_of(&x->shape);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++)
      if (x->dtype == CUSP_FLOAT32)
        ((float *)to)[i * n + j] =
            (((const float *)from)[i * n + j] + ((const float *)from)[j * n + i]) / 2;
      else
        ((double *)to)[i * n + j] =
            (((const double *)from)[i * n + j] + ((const double *)from)[j * n + i]) / 2;
}

static cusp_status cholesky_run(cusp_call *call) {
  const cusp_array *x = &call->inputs[0], *out = &call->outputs[0];
  for (int64_t i = 0; i < cusp_linalg_matrix_count(x); i++) {
    symmetrise(x, cusp_linalg_item(x, 2, i), cusp_linalg_item(out, 2, i));
    CUSP_TRY(
        cusp_lapack_cholesky(x->dtype, (int)cusp_rows_of(&x->shape), cusp_linalg_item(out, 2, i)));
  }
  return CUSP_OK;
}

static cusp_status triangular_run(cusp_call *call) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1], *out = &call->outputs[0];
  for (int64_t i = 0; i < cusp_linalg_matrix_count(a); i++) {
    memcpy(cusp_linalg_item(out, 2, i), cusp_linalg_item(b, 2, i), matrix_bytes(b));
    cusp_lapack_solve_triangular(a->dtype, call->attrs[0].integer, (int)cusp_rows_of(&a->shape),
                                 (int)cusp_columns_of(&b->shape), cusp_linalg_item(a, 2, i),
                                 cusp_linalg_item(out, 2, i));
  }
  return CUSP_OK;
}

/* Workspace of solve and slogdet: a by columns, b by columns, pivots. */
static cusp_status solve_prepare(cusp_call *call) {
  const cusp_array *a = &call->inputs[0];
  size_t b_bytes = call->n_inputs > 1 ? matrix_bytes(&call->inputs[1]) : 0;
  call->workspace_bytes = cusp_aligned_size(matrix_bytes(a)) + cusp_aligned_size(b_bytes) +
                          (size_t)cusp_rows_of(&a->shape) * sizeof(int32_t);
  return cusp_lapack_ready();
}

static cusp_status solve_run(cusp_call *call) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1], *out = &call->outputs[0];
  int64_t n = cusp_rows_of(&a->shape), k = cusp_columns_of(&b->shape);
  char *lu = call->workspace, *columns = lu + cusp_aligned_size(matrix_bytes(a));
  int32_t *pivots = (int32_t *)(columns + cusp_aligned_size(matrix_bytes(b)));
  for (int64_t i = 0; i < cusp_linalg_matrix_count(a); i++) {
    cusp_lapack_transpose(a->dtype, n, n, cusp_linalg_item(a, 2, i), lu);
    cusp_lapack_transpose(a->dtype, n, k, cusp_linalg_item(b, 2, i), columns);
    cusp_lapack_lu(a->dtype, (int)n, (int)n, lu, pivots);
    CUSP_TRY(cusp_lapack_lu_solve(a->dtype, (int)n, (int)k, lu, pivots, columns));
    cusp_lapack_transpose(a->dtype, k, n, columns, cusp_linalg_item(out, 2, i));
  }
  return CUSP_OK;
}

/** The determinant is the product of U's diagonal, with the sign of the exchanges. */
static cusp_status slogdet_run(cusp_call *call) {
  const cusp_array *a = &call->inputs[0];
  size_t size = cusp_dtype_size(a->dtype);
  int64_t n = cusp_rows_of(&a->shape);
  char *lu = call->workspace;
  int32_t *pivots = (int32_t *)(lu + cusp_aligned_size(matrix_bytes(a)));
  for (int64_t i = 0; i < cusp_linalg_matrix_count(a); i++) {
    double sign = 1, logarithm = 0;
    memcpy(lu, cusp_linalg_item(a, 2, i),
           matrix_bytes(a)); /* the transpose has the same determinant */
    cusp_lapack_lu(a->dtype, (int)n, (int)n, lu, pivots);
    for (int64_t k = 0; k < n; k++) {
      double pivot = cusp_load_double(a->dtype, lu + (size_t)(k * n + k) * size);
      logarithm += log(fabs(pivot));
      sign *= (pivots[k] != k ? -1 : 1) * (pivot > 0 ? 1 : pivot < 0 ? -1 : pivot);
    }
    cusp_store_double(a->dtype, cusp_linalg_item(&call->outputs[0], 0, i), sign);
    cusp_store_double(a->dtype, cusp_linalg_item(&call->outputs[1], 0, i), logarithm);
  }
  return CUSP_OK;
}

static cusp_status lu_prepare(cusp_call *call) {
  call->workspace_bytes = matrix_bytes(&call->inputs[0]);
  return cusp_lapack_ready();
}

static cusp_status lu_run(cusp_call *call) {
  const cusp_array *a = &call->inputs[0];
  int64_t rows = cusp_rows_of(&a->shape), columns = cusp_columns_of(&a->shape);
  for (int64_t i = 0; i < cusp_linalg_matrix_count(a); i++) {
    cusp_lapack_transpose(a->dtype, rows, columns, cusp_linalg_item(a, 2, i), call->workspace);
    cusp_lapack_lu(a->dtype, (int)rows, (int)columns, call->workspace,
                   cusp_linalg_item(&call->outputs[1], 1, i));
    cusp_lapack_transpose(a->dtype, columns, rows, call->workspace,
                          cusp_linalg_item(&call->outputs[0], 2, i));
  }
  return CUSP_OK;
}

/* Where each row of x went: exchanges [..., k] to places [..., rows]. */
static cusp_status lu_places_run(cusp_call *call) {
  const cusp_array *pivots = &call->inputs[0], *out = &call->outputs[0];
  int64_t k = pivots->shape.size[pivots->shape.ndim - 1], rows = call->attrs[0].integer;
  for (int64_t i = 0; i < (rows ? cusp_array_count(out) / rows : 0); i++) {
    const int32_t *exchange = (const int32_t *)pivots->data + i * k;
    int32_t *place = (int32_t *)out->data + i * rows;
    for (int64_t row = 0; row < rows; row++)
      place[row] = (int32_t)row;
    /* from the last to the first, which inverts the permutation */
    for (int64_t step = k - 1; step >= 0; step--) {
      if (exchange[step] < 0 || exchange[step] >= rows)
        return cusp_fail(CUSP_EVALUE, "lu_places: pivots should be 0 to %lld, got %d",
                         (long long)rows - 1, exchange[step]);
      int32_t other = place[exchange[step]];
      place[exchange[step]] = place[step];
      place[step] = other;
    }
  }
  return CUSP_OK;
}

/* Workspace of qr: a and q by columns, LAPACK's scratch. Output 0 is q, output 1 r. */
static cusp_status qr_prepare(cusp_call *call) {
  const cusp_array *a = &call->inputs[0], *q = &call->outputs[0];
  CUSP_TRY(cusp_lapack_ready());
  call->workspace_bytes =
      cusp_aligned_size(matrix_bytes(a)) + cusp_aligned_size(matrix_bytes(q)) +
      cusp_lapack_qr_scratch(a->dtype, (int)cusp_rows_of(&a->shape),
                             (int)cusp_columns_of(&a->shape), (int)cusp_columns_of(&q->shape));
  return CUSP_OK;
}

static cusp_status qr_run(cusp_call *call) {
  const cusp_array *a = &call->inputs[0], *q = &call->outputs[0], *r = &call->outputs[1];
  int64_t rows = cusp_rows_of(&a->shape), columns = cusp_columns_of(&a->shape),
          width = cusp_columns_of(&q->shape);
  size_t size = cusp_dtype_size(a->dtype);
  char *by_columns = call->workspace, *q_columns = by_columns + cusp_aligned_size(matrix_bytes(a)),
       *scratch = q_columns + cusp_aligned_size(matrix_bytes(q));
  for (int64_t i = 0; i < cusp_linalg_matrix_count(a); i++) {
    cusp_lapack_transpose(a->dtype, rows, columns, cusp_linalg_item(a, 2, i), by_columns);
    cusp_lapack_qr(a->dtype, (int)rows, (int)columns, (int)width, by_columns, q_columns, scratch);
    cusp_lapack_transpose(a->dtype, width, rows, q_columns, cusp_linalg_item(q, 2, i));
    for (int64_t row = 0; row < width; row++) /* r has `width` of the rows */
      for (int64_t column = 0; column < columns; column++)
        memcpy((char *)cusp_linalg_item(r, 2, i) + (size_t)(row * columns + column) * size,
               by_columns + (size_t)(column * rows + row) * size, size);
  }
  return CUSP_OK;
}

static cusp_status eigh_prepare(cusp_call *call) {
  const cusp_array *a = &call->inputs[0];
  CUSP_TRY(cusp_lapack_ready());
  call->workspace_bytes = cusp_aligned_size(matrix_bytes(a)) +
                          cusp_lapack_eigh_scratch(a->dtype, (int)cusp_rows_of(&a->shape));
  return CUSP_OK;
}

static cusp_status eigh_run(cusp_call *call) {
  const cusp_array *a = &call->inputs[0];
  int64_t n = cusp_rows_of(&a->shape);
  char *vectors = call->workspace, *scratch = vectors + cusp_aligned_size(matrix_bytes(a));
  for (int64_t i = 0; i < cusp_linalg_matrix_count(a); i++) {
    symmetrise(a, cusp_linalg_item(a, 2, i), vectors);
    CUSP_TRY(cusp_lapack_eigh(a->dtype, (int)n, vectors, cusp_linalg_item(&call->outputs[0], 1, i),
                              scratch));
    cusp_lapack_transpose(a->dtype, n, n, vectors, cusp_linalg_item(&call->outputs[1], 2, i));
  }
  return CUSP_OK;
}

/* Outputs of svd_parts: u, values, vh; of svd_values: the values alone. */
static bool full_svd(const cusp_call *call) {
  return call->n_outputs == 3 && call->attrs[0].integer;
}

static cusp_status svd_prepare(cusp_call *call) {
  const cusp_array *a = &call->inputs[0];
  CUSP_TRY(cusp_lapack_ready());
  call->workspace_bytes = cusp_aligned_size(matrix_bytes(a)) +
                          cusp_lapack_svd_scratch(a->dtype, (int)cusp_rows_of(&a->shape),
                                                  (int)cusp_columns_of(&a->shape),
                                                  call->n_outputs == 3, full_svd(call));
  return CUSP_OK;
}

static cusp_status svd_run(cusp_call *call) {
  const cusp_array *a = &call->inputs[0];
  bool vectors = call->n_outputs == 3;
  char *copy = call->workspace, *scratch = copy + cusp_aligned_size(matrix_bytes(a));
  for (int64_t i = 0; i < cusp_linalg_matrix_count(a); i++) {
    memcpy(copy, cusp_linalg_item(a, 2, i), matrix_bytes(a));
    void *values = cusp_linalg_item(&call->outputs[vectors ? 1 : 0], 1, i);
    void *u = vectors ? cusp_linalg_item(&call->outputs[0], 2, i) : NULL,
         *vh = vectors ? cusp_linalg_item(&call->outputs[2], 2, i) : NULL;
    CUSP_TRY(cusp_lapack_svd(a->dtype, (int)cusp_rows_of(&a->shape),
                             (int)cusp_columns_of(&a->shape), full_svd(call), copy, values, u, vh,
                             scratch));
  }
  return CUSP_OK;
}

#define KERNEL(prepare_, run_)                                  \
  (const cusp_kernel[]) {                                       \
    {.name = "lapack", .prepare = prepare_, .run = run_}, { 0 } \
  }

/* ------------------------------------------------------------------ types */

cusp_status cusp_linalg_check_matrices(cusp_inference *inference, bool square) {
  const cusp_type *x = &inference->inputs[0];
  if (x->dtype != CUSP_FLOAT32 && x->dtype != CUSP_FLOAT64)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "expected float32 or float64, got %s",
                           cusp_dtype_name(x->dtype));
  if (x->shape.ndim < 2 || (square && cusp_rows_of(&x->shape) != cusp_columns_of(&x->shape)))
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected %smatrices in the last two axes, got shape %s",
                           square ? "square " : "", cusp_shape_text(&x->shape));
  if (cusp_rows_of(&x->shape) > 32768 || cusp_columns_of(&x->shape) > 32768)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected matrices of at most 32768 rows and columns, got shape %s",
                           cusp_shape_text(&x->shape));
  return CUSP_OK;
}

static cusp_type matrices(const cusp_type *like, int64_t rows, int64_t columns) {
  cusp_type type = *like;
  type.shape.size[type.shape.ndim - 2] = rows;
  type.shape.size[type.shape.ndim - 1] = columns;
  return type;
}

static cusp_type vectors(const cusp_type *like, int64_t size) {
  cusp_type type = *like;
  type.shape.size[--type.shape.ndim - 1] = size;
  return type;
}

static cusp_status square_infer(cusp_inference *inference) {
  CUSP_TRY(cusp_linalg_check_matrices(inference, true));
  return cusp_infer_same(inference);
}

/** a [..., n, n], b [..., n, k]. */
static cusp_status solve_infer(cusp_inference *inference) {
  const cusp_type *a = &inference->inputs[0], *b = &inference->inputs[1];
  CUSP_TRY(cusp_linalg_check_matrices(inference, true));
  if (b->shape.ndim != a->shape.ndim || cusp_rows_of(&b->shape) != cusp_rows_of(&a->shape))
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "b must have as many rows as a, got shapes %s and %s",
                           cusp_shape_text(&a->shape), cusp_shape_text(&b->shape));
  if (cusp_columns_of(&b->shape) > INT32_MAX)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "expected at most %d columns, got shape %s",
                           INT32_MAX, cusp_shape_text(&b->shape));
  inference->outputs[0] = matrices(a, cusp_rows_of(&b->shape), cusp_columns_of(&b->shape));
  return cusp_infer_expect(inference, 1, "b", a->dtype, inference->outputs[0].shape);
}

static cusp_status slogdet_infer(cusp_inference *inference) {
  CUSP_TRY(cusp_linalg_check_matrices(inference, true));
  inference->n_outputs = 2;
  inference->outputs[0] = inference->inputs[0];
  inference->outputs[0].shape.ndim -= 2;
  inference->outputs[1] = inference->outputs[0];
  return CUSP_OK;
}

static cusp_status lu_infer(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  CUSP_TRY(cusp_linalg_check_matrices(inference, false));
  inference->n_outputs = 2;
  inference->outputs[0] = *x;
  inference->outputs[1] = vectors(x, least(cusp_rows_of(&x->shape), cusp_columns_of(&x->shape)));
  inference->outputs[1].dtype = CUSP_INT32;
  return CUSP_OK;
}

static cusp_status lu_places_infer(cusp_inference *inference) {
  const cusp_type *pivots = &inference->inputs[0];
  cusp_type *out = &inference->outputs[0];
  int64_t rows = inference->attrs[0].integer;
  if (pivots->dtype != CUSP_INT32 || pivots->shape.ndim < 1)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected int32 pivots with at least one axis, got %s of shape %s",
                           cusp_dtype_name(pivots->dtype), cusp_shape_text(&pivots->shape));
  if (rows < pivots->shape.size[pivots->shape.ndim - 1] || rows > INT32_MAX)
    return cusp_infer_fail(
        inference, CUSP_EVALUE,
        "rows must be as many as the pivots or more, got %lld for pivots of shape %s",
        (long long)rows, cusp_shape_text(&pivots->shape));
  *out = *pivots;
  out->shape.size[out->shape.ndim - 1] = rows;
  return CUSP_OK;
}

static cusp_status qr_infer(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  CUSP_TRY(cusp_linalg_check_matrices(inference, false));
  int64_t rows = cusp_rows_of(&x->shape), columns = cusp_columns_of(&x->shape),
          width = inference->attrs[0].integer ? rows : least(rows, columns);
  inference->n_outputs = 2;
  inference->outputs[0] = matrices(x, rows, width);
  inference->outputs[1] = matrices(x, width, columns);
  return CUSP_OK;
}

static cusp_status eigh_infer(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  CUSP_TRY(cusp_linalg_check_matrices(inference, true));
  inference->n_outputs = 2;
  inference->outputs[0] = vectors(x, cusp_rows_of(&x->shape));
  inference->outputs[1] = *x;
  return CUSP_OK;
}

static cusp_status svd_values_infer(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  CUSP_TRY(cusp_linalg_check_matrices(inference, false));
  inference->outputs[0] = vectors(x, least(cusp_rows_of(&x->shape), cusp_columns_of(&x->shape)));
  return CUSP_OK;
}

static cusp_status svd_parts_infer(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  CUSP_TRY(cusp_linalg_check_matrices(inference, false));
  int64_t rows = cusp_rows_of(&x->shape), columns = cusp_columns_of(&x->shape),
          count = least(rows, columns);
  bool full = inference->attrs[0].integer;
  inference->n_outputs = 3;
  inference->outputs[0] = matrices(x, rows, full ? rows : count);
  inference->outputs[1] = vectors(x, count);
  inference->outputs[2] = matrices(x, full ? columns : count, columns);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ rows */

const cusp_op cusp_ops_decompositions[] = {
    {.name = "cholesky_lower",
     .arguments = "x",
     .help = "cholesky of the symmetric part of x.",
     .flags = CUSP_OP_HIDDEN,
     .infer = square_infer,
     .gradient = cusp_linalg_cholesky_gradient,
     .kernels = KERNEL(ready, cholesky_run)},
    {.name = "triangular_solve",
     .arguments = "a, b, lower: bool",
     .help = "solve_triangular of matrices with equal leading axes.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .infer = solve_infer,
     .gradient = cusp_linalg_triangular_gradient,
     .kernels = KERNEL(ready, triangular_run)},
    {.name = "solve_matrices",
     .arguments = "a, b",
     .help = "solve of matrices with equal leading axes.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .infer = solve_infer,
     .gradient = cusp_linalg_solve_gradient,
     .kernels = KERNEL(solve_prepare, solve_run)},
    {.name = "sign_and_log_det",
     .arguments = "x",
     .help = "slogdet of float32 or float64.",
     .flags = CUSP_OP_HIDDEN,
     .infer = slogdet_infer,
     .gradient = cusp_linalg_slogdet_gradient,
     .kernels = KERNEL(solve_prepare, slogdet_run)},
    {.name = "lu_pivots",
     .arguments = "x",
     .help = "lu_factor of float32 or float64.",
     .flags = CUSP_OP_HIDDEN,
     .infer = lu_infer,
     .gradient = cusp_linalg_lu_gradient,
     .kernels = KERNEL(lu_prepare, lu_run)},
    {.name = "lu_places",
     .arguments = "pivots, rows: int",
     .help = "Where lu_factor's exchanges put each row.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_NO_GRADIENT,
     .infer = lu_places_infer,
     .kernels = KERNEL(NULL, lu_places_run)},
    {.name = "qr_parts",
     .arguments = "x, complete: bool",
     .help = "qr of float32 or float64.",
     .flags = CUSP_OP_HIDDEN,
     .infer = qr_infer,
     .gradient = cusp_linalg_qr_gradient,
     .kernels = KERNEL(qr_prepare, qr_run)},
    {.name = "eigh_parts",
     .arguments = "x",
     .help = "eigh of the symmetric part of x.",
     .flags = CUSP_OP_HIDDEN,
     .infer = eigh_infer,
     .gradient = cusp_linalg_eigh_gradient,
     .kernels = KERNEL(eigh_prepare, eigh_run)},
    {.name = "svd_values",
     .arguments = "x",
     .help = "Singular values, descending.",
     .flags = CUSP_OP_HIDDEN,
     .infer = svd_values_infer,
     .gradient = cusp_linalg_svd_values_gradient,
     .kernels = KERNEL(svd_prepare, svd_run)},
    {.name = "svd_parts",
     .arguments = "x, full_matrices: bool",
     .help = "svd of float32 or float64, with its vectors.",
     .flags = CUSP_OP_HIDDEN,
     .infer = svd_parts_infer,
     .gradient = cusp_linalg_svd_parts_gradient,
     .kernels = KERNEL(svd_prepare, svd_run)},
    {0},
};
