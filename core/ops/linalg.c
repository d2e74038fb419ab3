/*
 * Linear algebra on matrices in the last two axes: compositions, which bring their operands to
 * float32 or float64 and to common leading axes for the rows of decompositions.c.
 */

#include "linalg.h"

#include <float.h>
#include <string.h>

static cusp_node *widened(cusp_node *x) { return cusp_cast(x, cusp_dtype_widened(x->type.dtype)); }

static cusp_status check_operand(const char *name, const cusp_node *x) {
  if (x->type.shape.ndim >= 2)
    return CUSP_OK;
  return cusp_fail(CUSP_ESHAPE, "%s: expected matrices in the last two axes, got shape %s", name,
                   cusp_shape_text(&x->type.shape));
}

/** Applies a row of one input and several outputs in float32 at least; results come back in x's
 * dtype (integers stay). */
static cusp_status decompose(const char *name, const char *row, cusp_node *x, int n_attrs,
                             const cusp_attr *attrs, cusp_node **outputs, int *n_outputs) {
  cusp_node *results[CUSP_MAX_OUTPUTS], *wide = widened(x);
  CUSP_TRY(check_operand(name, x));
  CUSP_TRY(cusp_built(wide));
  *n_outputs = cusp_apply_many(results, row, 1, &wide, n_attrs, attrs);
  if (*n_outputs == 0)
    return cusp_built(NULL);
  for (int i = 0; i < *n_outputs; i++) {
    bool number = cusp_dtype_is_float(results[i]->type.dtype);
    CUSP_TRY(cusp_built(outputs[i] = number ? cusp_cast(results[i], x->type.dtype) : results[i]));
  }
  return CUSP_OK;
}

CUSP_COMPOSE(cholesky_compose) {
  CUSP_TRY(decompose("cholesky", "cholesky_lower", inputs[0], 0, NULL, outputs, n_outputs));
  return cusp_built(outputs[0] =
                        attrs[0].integer ? cusp_linalg_transposed(outputs[0]) : outputs[0]);
}

/** b as matrices (where `vector`, of one column, which is to go again) and both with common leading
 * axes. */
static cusp_status align_systems(const char *name, cusp_node **a, cusp_node **b, bool vector) {
  cusp_shape batch_a, batch_b, batch;
  CUSP_TRY(check_operand(name, *a));
  *a = widened(*a);
  *b = vector ? cusp_expand_dims(widened(*b), (*b)->type.shape.ndim) : widened(*b);
  CUSP_TRY(cusp_built(*a));
  CUSP_TRY(cusp_built(*b));
  CUSP_TRY(check_operand(name, *b));
  batch_a = (*a)->type.shape;
  batch_b = (*b)->type.shape;
  batch_a.ndim -= 2;
  batch_b.ndim -= 2;
  if (cusp_shape_broadcast(&batch, &batch_a, &batch_b) != CUSP_OK)
    return cusp_fail(CUSP_ESHAPE, "%s: the leading axes of shapes %s and %s do not broadcast", name,
                     cusp_shape_text(&(*a)->type.shape), cusp_shape_text(&(*b)->type.shape));
  cusp_node **nodes[] = {a, b};
  for (int i = 0; i < 2; i++) {
    cusp_type type = (*nodes[i])->type;
    cusp_shape full = batch;
    full.size[full.ndim++] = cusp_rows_of(&type.shape);
    full.size[full.ndim++] = cusp_columns_of(&type.shape);
    *nodes[i] = cusp_broadcast_to(*nodes[i], &full);
    CUSP_TRY(cusp_built(*nodes[i]));
  }
  return CUSP_OK;
}

static cusp_node *without_column(cusp_node *x, bool vector) {
  if (!x || !vector)
    return x;
  cusp_shape shape = x->type.shape;
  shape.ndim--;
  return cusp_reshape(x, &shape);
}

CUSP_COMPOSE(solve_compose) {
  cusp_node *a = inputs[0], *b = inputs[1];
  cusp_dtype dtype = a->type.dtype;
  bool vector = b->type.shape.ndim == 1;
  *n_outputs = 1;
  CUSP_TRY(align_systems("solve", &a, &b, vector));
  cusp_node *x = without_column(cusp_apply_2("solve_matrices", a, b), vector);
  return cusp_built(outputs[0] = x ? cusp_cast(x, dtype) : NULL);
}

/* A batch of vectors has one axis less than the matrices. */
CUSP_COMPOSE(solve_triangular_compose) {
  cusp_node *a = inputs[0], *b = inputs[1];
  cusp_dtype dtype = a->type.dtype;
  bool vector = b->type.shape.ndim == 1 || b->type.shape.ndim == a->type.shape.ndim - 1;
  *n_outputs = 1;
  CUSP_TRY(align_systems("solve_triangular", &a, &b, vector));
  cusp_node *x = without_column(cusp_linalg_solve_triangle(a, b, attrs[0].integer), vector);
  return cusp_built(outputs[0] = x ? cusp_cast(x, dtype) : NULL);
}

CUSP_COMPOSE(inv_compose) {
  *n_outputs = 1;
  CUSP_TRY(check_operand("inv", inputs[0]));
  cusp_node *x = widened(inputs[0]),
            *result = x ? cusp_apply_2("solve_matrices", x, cusp_linalg_identity(x)) : NULL;
  return cusp_built(outputs[0] = result ? cusp_cast(result, inputs[0]->type.dtype) : NULL);
}

/** (L L^T)^-1 = L^-T L^-1. */
CUSP_COMPOSE(cholesky_inverse_compose) {
  bool upper = attrs[0].integer;
  *n_outputs = 1;
  CUSP_TRY(check_operand("cholesky_inverse", inputs[0]));
  cusp_node *x = widened(inputs[0]),
            *inverse = x ? cusp_linalg_solve_triangle(x, cusp_linalg_identity(x), !upper) : NULL;
  cusp_node *result = upper ? cusp_matmul(inverse, cusp_linalg_transposed(inverse))
                            : cusp_matmul(cusp_linalg_transposed(inverse), inverse);
  return cusp_built(outputs[0] = result ? cusp_cast(result, inputs[0]->type.dtype) : NULL);
}

CUSP_COMPOSE(slogdet_compose) {
  return decompose("slogdet", "sign_and_log_det", inputs[0], 0, NULL, outputs, n_outputs);
}

CUSP_COMPOSE(logdet_compose) {
  cusp_node *both[CUSP_MAX_OUTPUTS];
  CUSP_TRY(decompose("logdet", "sign_and_log_det", inputs[0], 0, NULL, both, n_outputs));
  *n_outputs = 1;
  outputs[0] = both[1];
  return CUSP_OK;
}

CUSP_COMPOSE(det_compose) {
  cusp_node *both[CUSP_MAX_OUTPUTS];
  CUSP_TRY(decompose("det", "sign_and_log_det", inputs[0], 0, NULL, both, n_outputs));
  *n_outputs = 1;
  return cusp_built(outputs[0] = cusp_multiply(both[0], cusp_exp(both[1])));
}

CUSP_COMPOSE(lu_factor_compose) {
  return decompose("lu_factor", "lu_pivots", inputs[0], 0, NULL, outputs, n_outputs);
}
CUSP_COMPOSE(eigh_compose) {
  return decompose("eigh", "eigh_parts", inputs[0], 0, NULL, outputs, n_outputs);
}

/** A wide matrix [a b] with a square: a = Q R, and the rest of R is Q^T b. That has a gradient
 * where the row has none. */
static cusp_status wide_qr(cusp_node *x, cusp_node **outputs, int *n_outputs) {
  int64_t rows = cusp_rows_of(&x->type.shape), columns = cusp_columns_of(&x->type.shape);
  cusp_attr reduced = cusp_attr_bool(false);
  cusp_node *rest = cusp_linalg_column_range(x, rows, columns),
            *square = cusp_linalg_column_range(x, 0, rows);
  CUSP_TRY(cusp_built(square));
  CUSP_TRY(decompose("qr", "qr_parts", square, 1, &reduced, outputs, n_outputs));
  cusp_node *parts[] = {outputs[1], cusp_matmul(cusp_linalg_transposed(outputs[0]), rest)};
  cusp_attr last = cusp_attr_int(x->type.shape.ndim - 1);
  return cusp_built(outputs[1] = parts[1] ? cusp_apply("concatenate", 2, parts, 1, &last) : NULL);
}

CUSP_COMPOSE(qr_compose) {
  const char *mode = attrs[0].string;
  bool complete = strcmp(mode, "complete") == 0;
  if (!complete && strcmp(mode, "reduced") != 0)
    return cusp_fail(CUSP_EVALUE, "qr: mode should be \"reduced\" or \"complete\", got \"%s\"",
                     mode);
  CUSP_TRY(check_operand("qr", inputs[0]));
  const cusp_shape *shape = &inputs[0]->type.shape;
  if (cusp_rows_of(shape) < cusp_columns_of(shape))
    return wide_qr(inputs[0], outputs, n_outputs);
  cusp_attr attr = cusp_attr_bool(complete && cusp_rows_of(shape) > cusp_columns_of(shape));
  return decompose("qr", "qr_parts", inputs[0], 1, &attr, outputs, n_outputs);
}

CUSP_COMPOSE(svd_compose) {
  if (!attrs[1].integer)
    return decompose("svd", "svd_values", inputs[0], 0, NULL, outputs, n_outputs);
  return decompose("svd", "svd_parts", inputs[0], 1, &attrs[0], outputs, n_outputs);
}

static double dtype_epsilon(cusp_dtype dtype) {
  return dtype == CUSP_FLOAT64 ? DBL_EPSILON : FLT_EPSILON;
}

static double longer_side(const cusp_node *x) {
  int64_t rows = cusp_rows_of(&x->type.shape), columns = cusp_columns_of(&x->type.shape);
  return (double)(rows > columns ? rows : columns);
}

/** The largest singular value of each matrix, as a vector of one. */
static cusp_node *largest_value(cusp_node *s) {
  int64_t axis = s->type.shape.ndim - 1;
  return CUSP_APPLY1("max", s, cusp_attr_ints(&axis, 1), cusp_attr_bool(true));
}

/** 1 / s where s is above `share` of the largest, else 0. */
static cusp_node *inverse_values(cusp_node *s, double share) {
  cusp_node *large = cusp_greater(s, cusp_scale(largest_value(s), share));
  cusp_node *safe = cusp_where(large, s, cusp_scalar_like(1, s));
  return cusp_where(large, cusp_divide(cusp_scalar_like(1, s), safe), cusp_scalar_like(0, s));
}

static cusp_status thin_svd(const char *name, cusp_node *x, cusp_node **parts) {
  int count;
  cusp_attr thin = cusp_attr_bool(false);
  return decompose(name, "svd_parts", x, 1, &thin, parts, &count);
}

CUSP_COMPOSE(pinv_compose) {
  cusp_node *parts[CUSP_MAX_OUTPUTS], *x = widened(inputs[0]);
  *n_outputs = 1;
  CUSP_TRY(cusp_built(x));
  CUSP_TRY(thin_svd("pinv", x, parts));
  double share = attrs[0].kind == CUSP_ATTR_FLOAT
                     ? attrs[0].number
                     : 10 * longer_side(x) * dtype_epsilon(x->type.dtype);
  cusp_node *v =
      cusp_linalg_scale_columns(cusp_linalg_transposed(parts[2]), inverse_values(parts[1], share));
  cusp_node *result = cusp_matmul(v, cusp_linalg_transposed(parts[0]));
  return cusp_built(outputs[0] = result ? cusp_cast(result, inputs[0]->type.dtype) : NULL);
}

CUSP_COMPOSE(lstsq_compose) {
  cusp_node *parts[CUSP_MAX_OUTPUTS], *a = inputs[0], *b = inputs[1];
  bool vector = b->type.shape.ndim == 1;
  *n_outputs = 1;
  CUSP_TRY(align_systems("lstsq", &a, &b, vector));
  if (cusp_rows_of(&a->type.shape) != cusp_rows_of(&b->type.shape))
    return cusp_fail(CUSP_ESHAPE, "lstsq: b must have as many rows as a, got shapes %s and %s",
                     cusp_shape_text(&inputs[0]->type.shape),
                     cusp_shape_text(&inputs[1]->type.shape));
  CUSP_TRY(thin_svd("lstsq", a, parts));
  double share = attrs[0].kind == CUSP_ATTR_FLOAT ? attrs[0].number
                                                  : longer_side(a) * dtype_epsilon(a->type.dtype);
  cusp_node *v =
      cusp_linalg_scale_columns(cusp_linalg_transposed(parts[2]), inverse_values(parts[1], share));
  cusp_node *x =
      without_column(cusp_matmul(v, cusp_matmul(cusp_linalg_transposed(parts[0]), b)), vector);
  return cusp_built(outputs[0] = x ? cusp_cast(x, inputs[0]->type.dtype) : NULL);
}

CUSP_COMPOSE(matrix_rank_compose) {
  cusp_node *s[CUSP_MAX_OUTPUTS], *x = widened(inputs[0]);
  *n_outputs = 1;
  CUSP_TRY(cusp_built(x));
  CUSP_TRY(decompose("matrix_rank", "svd_values", x, 0, NULL, s, n_outputs));
  cusp_node *tolerance =
      attrs[0].kind == CUSP_ATTR_FLOAT
          ? cusp_scalar_like(attrs[0].number, s[0])
          : cusp_scale(largest_value(s[0]), longer_side(x) * dtype_epsilon(x->type.dtype));
  cusp_node *above = cusp_greater(s[0], tolerance);
  int64_t last = s[0]->type.shape.ndim - 1;
  return cusp_built(
      outputs[0] = above ? cusp_sum_axes(cusp_cast(above, CUSP_INT32), &last, 1, false) : NULL);
}

#define FLOATS .promotion = CUSP_PROMOTE_FLOAT

const cusp_op cusp_ops_linalg[] = {
    {.name = "cholesky",
     .arguments = "x, upper: bool = false",
     .help = "The triangular factor of positive definite matrices: x = L L^T.",
     FLOATS,
     .compose = cholesky_compose},
    {.name = "cholesky_inverse",
     .arguments = "x, upper: bool = false",
     .help = "The inverse of the matrices whose Cholesky factor is x.",
     FLOATS,
     .compose = cholesky_inverse_compose},
    {.name = "det", .arguments = "x", .help = "Determinants.", FLOATS, .compose = det_compose},
    {.name = "slogdet",
     .arguments = "x",
     .help = "Signs of determinants and logarithms of their sizes.",
     FLOATS,
     .compose = slogdet_compose},
    {.name = "logdet",
     .arguments = "x",
     .help = "Logarithms of the sizes of determinants.",
     FLOATS,
     .compose = logdet_compose},
    {.name = "inv",
     .arguments = "x",
     .help = "Inverses of square matrices.",
     FLOATS,
     .compose = inv_compose},
    {.name = "solve",
     .arguments = "a, b",
     .help = "x with a x = b.",
     FLOATS,
     .compose = solve_compose},
    {.name = "solve_triangular",
     .arguments = "a, b, lower: bool = false",
     .help = "x with a x = b, reading one triangle of a.",
     FLOATS,
     .compose = solve_triangular_compose},
    {.name = "lu_factor",
     .arguments = "x",
     .help = "L (below the diagonal) and U of x = P L U in one matrix, and the rows exchanged "
             "(from 0).",
     FLOATS,
     .compose = lu_factor_compose},
    {.name = "qr",
     .arguments = "x, mode: string = \"reduced\"",
     .help = "x = Q R with orthonormal columns in Q and a triangle R.",
     FLOATS,
     .compose = qr_compose},
    {.name = "eigh",
     .arguments = "x",
     .help = "Eigenvalues of symmetric matrices, ascending, and their vectors as columns.",
     FLOATS,
     .compose = eigh_compose},
    {.name = "svd",
     .arguments = "x, full_matrices: bool = true, compute_uv: bool = true",
     .help = "x = U diag(s) Vh with s descending; s alone without compute_uv.",
     FLOATS,
     .compose = svd_compose},
    {.name = "pinv",
     .arguments = "x, rcond: float = nil",
     .help = "Pseudo-inverses; singular values below rcond of the largest count as 0.",
     FLOATS,
     .compose = pinv_compose},
    {.name = "lstsq",
     .arguments = "a, b, rcond: float = nil",
     .help = "x that makes a x - b smallest.",
     FLOATS,
     .compose = lstsq_compose},
    {.name = "matrix_rank",
     .arguments = "x, tol: float = nil",
     .help = "How many singular values are above tol.",
     .flags = CUSP_OP_NO_GRADIENT,
     FLOATS,
     .compose = matrix_rank_compose},
    {0},
};
