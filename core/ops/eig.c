/*
 * Eigenvalues and eigenvectors of general matrices: complex numbers, whose real and imaginary parts
 * are results of their own.
 */
#include "../base/memory.h"
#include "../kernels/lapack.h"
#include "../node/infer.h"
#include "linalg.h"

#include <math.h>
#include <string.h>

/* Its outputs: parts of the values [..., n] and of the vectors [..., n, n], which are columns. */
enum { VALUES_RE, VALUES_IM, VECTORS_RE, VECTORS_IM, OUTPUTS };

/* ------------------------------------------------------------------ kernel */

/* Workspace: the matrix and its vectors by columns, LAPACK's scratch. */
static cusp_status prepare(cusp_call *call) {
  const cusp_array *a = &call->inputs[0];
  size_t n = (size_t)cusp_rows_of(&a->shape);
  CUSP_TRY(cusp_lapack_ready());
  call->workspace_bytes = 2 * cusp_aligned_size(n * n * cusp_dtype_size(a->dtype)) +
                          cusp_lapack_eig_scratch(a->dtype, (int)n);
  return CUSP_OK;
}

static double at(const cusp_array *array, const void *data, int64_t i) {
  return array->dtype == CUSP_FLOAT32 ? (double)((const float *)data)[i]
                                      : ((const double *)data)[i];
}

static void put(const cusp_array *array, void *data, int64_t i, double value) {
  if (array->dtype == CUSP_FLOAT32)
    ((float *)data)[i] = (float)value;
  else
    ((double *)data)[i] = value;
}

/* LAPACK gives a pair of conjugate vectors as a column of real parts and one of imaginary ones. */
static void unpack(const cusp_array *a, const void *columns, const void *values_im, void *re,
                   void *im) {
  int64_t n = cusp_rows_of(&a->shape);
  for (int64_t j = 0; j < n; j++) {
    double part = at(a, values_im, j);
    int64_t first = part < 0 ? j - 1 : j;
    for (int64_t i = 0; i < n; i++) {
      double other = part != 0 ? at(a, columns, (first + 1) * n + i) : 0;
      put(a, re, i * n + j, at(a, columns, first * n + i));
      put(a, im, i * n + j, part < 0 ? -other : other);
    }
  }
}

static cusp_status run(cusp_call *call) {
  const cusp_array *a = &call->inputs[0], *out = call->outputs;
  int64_t n = cusp_rows_of(&a->shape);
  size_t bytes = cusp_aligned_size((size_t)(n * n) * cusp_dtype_size(a->dtype));
  char *matrix = call->workspace, *columns = matrix + bytes, *scratch = columns + bytes;
  for (int64_t i = 0; i < cusp_linalg_matrix_count(a); i++) {
    void *re = cusp_linalg_item(&out[VALUES_RE], 1, i),
         *im = cusp_linalg_item(&out[VALUES_IM], 1, i);
    cusp_lapack_transpose(a->dtype, n, n, cusp_linalg_item(a, 2, i), matrix);
    CUSP_TRY(cusp_lapack_eig(a->dtype, (int)n, matrix, re, im, columns, scratch));
    unpack(a, columns, im, cusp_linalg_item(&out[VECTORS_RE], 2, i),
           cusp_linalg_item(&out[VECTORS_IM], 2, i));
  }
  return CUSP_OK;
}

static const cusp_kernel kernels[] = {{.name = "lapack", .prepare = prepare, .run = run}, {0}};

static cusp_status infer(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  CUSP_TRY(cusp_linalg_check_matrices(inference, true));
  inference->n_outputs = OUTPUTS;
  for (int i = 0; i < OUTPUTS; i++) {
    inference->outputs[i] = *x;
    inference->outputs[i].shape.ndim -= i < VECTORS_RE;
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ gradient */

static cusp_node *join(cusp_node *a, cusp_node *b, int axis) {
  cusp_node *both[] = {a, b};
  return a && b ? cusp_apply("concatenate", 2, both, 1, (cusp_attr[]){cusp_attr_int(axis)}) : NULL;
}

/* The inverse of re + i im, by that of a real matrix of twice its size; transposed. */
static void invert(cusp_node *re, cusp_node *im, cusp_node **inverse) {
  int64_t n = cusp_rows_of(&re->type.shape);
  int rows = re->type.shape.ndim - 2;
  cusp_node *first = join(re, im, rows), *second = join(cusp_negative(im), re, rows);
  cusp_node *whole = cusp_apply_1("inv", join(first, second, rows + 1));
  cusp_node *half = cusp_linalg_transposed(cusp_linalg_column_range(whole, 0, n));
  inverse[0] = cusp_linalg_column_range(half, 0, n);
  inverse[1] = cusp_linalg_column_range(half, n, 2 * n);
}

/* The rows u of the inverse of the vectors v give dl = u dx v for each value l. */
static cusp_node *through_values(const cusp_gradient *g) {
  cusp_node *u[2],
      *v[2] = {cusp_linalg_transposed(g->y[VECTORS_RE]), cusp_linalg_transposed(g->y[VECTORS_IM])};
  cusp_node *dx = NULL;
  invert(g->y[VECTORS_RE], g->y[VECTORS_IM], u);
  for (int part = 0; part < 2; part++) {
    cusp_node *flowing = g->dy[VALUES_RE + part];
    if (!flowing)
      continue;
    cusp_node *a = cusp_matmul(cusp_linalg_scale_columns(u[0], flowing), v[part]),
              *b = cusp_matmul(cusp_linalg_scale_columns(u[1], flowing), v[1 - part]);
    cusp_node *sum = part ? cusp_add(a, b) : cusp_subtract(a, b);
    dx = dx ? cusp_add(dx, sum) : sum;
  }
  return dx;
}

static cusp_status gradient(cusp_gradient *g) {
  if (g->dy[VECTORS_RE] || g->dy[VECTORS_IM])
    return cusp_fail(CUSP_EUNSUPPORTED, "eigenvectors of general matrices have no gradient, "
                                        "eigenvalues alone; eigh has one for symmetric matrices");
  return cusp_built(g->dx[0] = through_values(g));
}

/* ------------------------------------------------------------------ rows */

CUSP_COMPOSE(compose) {
  cusp_dtype dtype = inputs[0]->type.dtype,
             wide = dtype == CUSP_FLOAT64 ? CUSP_FLOAT64 : CUSP_FLOAT32;
  cusp_node *parts[CUSP_MAX_OUTPUTS], *x = cusp_cast(inputs[0], wide);
  CUSP_TRY(cusp_built(x));
  *n_outputs = cusp_apply_many(parts, "eig_parts", 1, &x, 0, NULL);
  if (*n_outputs == 0) {
    cusp_fail_drop("eig_parts");
    return cusp_built(NULL);
  }
  for (int i = 0; i < OUTPUTS; i++)
    CUSP_TRY(cusp_built(outputs[i] = cusp_cast(parts[i], dtype)));
  return CUSP_OK;
}

const cusp_op cusp_ops_eig[] = {
    {.name = "eig_pairs",
     .arguments = "x",
     .help = "Eigenvalues and eigenvectors of general matrices: real and imaginary parts.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose},
    {.name = "eig_parts",
     .arguments = "x",
     .help = "eig_pairs of float32 or float64.",
     .flags = CUSP_OP_HIDDEN,
     .infer = infer,
     .gradient = gradient,
     .kernels = kernels},
    {0},
};
