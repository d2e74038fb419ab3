/*
 * Products of matrices and vectors. `matmul` is the only row with kernels (matmul_kernels.c); the
 * others reshape their operands into it.
 */

#include "../node/build.h"
#include "../node/infer.h"
#include "../node/promote.h"
#include "einsum.h"
#include "linalg.h"
#include "matmul_kernels.h"

#include <string.h>

/* ------------------------------------------------------------------ matmul: types */

static cusp_status matmul_infer(cusp_inference *inference) {
  const cusp_type *a = &inference->inputs[0], *b = &inference->inputs[1];
  if (a->shape.ndim < 1 || b->shape.ndim < 1)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected operands with at least one axis, got shapes %s and %s",
                           cusp_shape_text(&a->shape), cusp_shape_text(&b->shape));
  cusp_matrices left = cusp_matrices_of(&a->shape, NULL, true),
                right = cusp_matrices_of(&b->shape, NULL, false);
  cusp_shape batch_a = cusp_leading_shape(&a->shape, left.batch_ndim),
             batch_b = cusp_leading_shape(&b->shape, right.batch_ndim), out;
  if (left.columns != right.rows)
    return cusp_infer_fail(
        inference, CUSP_ESHAPE,
        "the last axis of x1 (%lld) and %s of x2 (%lld) must be equal, got shapes %s and %s",
        (long long)left.columns, b->shape.ndim == 1 ? "the axis" : "the last axis but one",
        (long long)right.rows, cusp_shape_text(&a->shape), cusp_shape_text(&b->shape));
  if (cusp_shape_broadcast(&out, &batch_a, &batch_b) != CUSP_OK)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "the leading axes of shapes %s and %s do not broadcast",
                           cusp_shape_text(&a->shape), cusp_shape_text(&b->shape));
  if (a->shape.ndim > 1)
    out.size[out.ndim++] = left.rows;
  if (b->shape.ndim > 1)
    out.size[out.ndim++] = right.columns;
  inference->outputs[0].shape = out;
  /* as Keras has it */
  inference->outputs[0].dtype =
      a->dtype == CUSP_INT8 && b->dtype == CUSP_INT8 ? CUSP_INT32 : b->dtype;
  return CUSP_OK;
}

static cusp_status wide_matmul_infer(cusp_inference *inference) {
  const cusp_dtype dtype = inference->inputs[0].dtype;
  if (!cusp_dtype_is_half(dtype) || inference->inputs[1].dtype != dtype)
    return cusp_infer_fail(inference, CUSP_EDTYPE,
                           "expected two operands of 16 bits, got %s and %s",
                           cusp_dtype_name(dtype), cusp_dtype_name(inference->inputs[1].dtype));
  CUSP_TRY(matmul_infer(inference));
  inference->outputs[0].dtype = CUSP_FLOAT32;
  return CUSP_OK;
}

/** int8 beside bool: the product is int8, where that of int8 alone is int32 (as Keras has it). */
static cusp_status int8_beside_bool(cusp_node **out, const cusp_op *op, int n_inputs,
                                    cusp_node *const *inputs, int n_attrs, const cusp_attr *attrs) {
  bool bools = false, ints = false;
  cusp_node *wide[CUSP_MAX_INPUTS], *product[CUSP_MAX_RESULTS];
  int n_outputs;
  if (n_inputs > CUSP_MAX_INPUTS)
    return CUSP_OK;
  for (int i = 0; i < n_inputs; i++) {
    bools = bools || inputs[i]->type.dtype == CUSP_BOOL;
    ints = ints || inputs[i]->type.dtype == CUSP_INT8;
    if (inputs[i]->weak ||
        (inputs[i]->type.dtype != CUSP_BOOL && inputs[i]->type.dtype != CUSP_INT8))
      return CUSP_OK;
  }
  if (!bools || !ints)
    return CUSP_OK;
  for (int i = 0; i < n_inputs; i++)
    CUSP_TRY(cusp_built(wide[i] = cusp_cast(inputs[i], CUSP_INT32)));
  CUSP_TRY(cusp_op_apply(product, &n_outputs, op, n_inputs, wide, n_attrs, attrs));
  cusp_status status = cusp_cast_node(out, product[0], CUSP_INT8);
  cusp_node_release(product[0]);
  return status;
}

/* ------------------------------------------------------------------ matmul: gradient */

/** x as a matrix: all axes but the last are its rows. */
static cusp_node *as_rows(cusp_node *x) {
  const cusp_shape *shape = &x->type.shape;
  int64_t columns = shape->size[shape->ndim - 1], rows = 1;
  for (int i = 0; i < shape->ndim - 1; i++)
    rows *= shape->size[i];
  return cusp_reshape(x, &(cusp_shape){2, {rows, columns}});
}

static cusp_node *as_matrices(cusp_node *x, bool left) {
  if (x->type.shape.ndim > 1)
    return x;
  int64_t size = x->type.shape.size[0];
  cusp_shape shape = {2, {left ? 1 : size, left ? size : 1}};
  return cusp_reshape(x, &shape);
}

/** The cotangent with the axes that a vector operand took out put back: [..., m, n]. */
static cusp_node *cotangent_matrices(cusp_node *dy, const cusp_node *a, const cusp_node *b) {
  cusp_shape shape = dy->type.shape;
  int batch = shape.ndim - (a->type.shape.ndim > 1) - (b->type.shape.ndim > 1);
  shape.ndim = batch;
  shape.size[shape.ndim++] = a->type.shape.ndim > 1 ? dy->type.shape.size[batch] : 1;
  shape.size[shape.ndim++] =
      b->type.shape.ndim > 1 ? dy->type.shape.size[dy->type.shape.ndim - 1] : 1;
  return cusp_reshape(dy, &shape);
}

static cusp_node *back_to(cusp_node *gradient, const cusp_node *matrices, const cusp_node *x) {
  return gradient ? cusp_reshape(cusp_sum_to(gradient, &matrices->type.shape), &x->type.shape)
                  : NULL;
}

static cusp_status matmul_gradient(cusp_gradient *g) {
  cusp_node *a = as_matrices(g->x[0], true), *b = as_matrices(g->x[1], false);
  cusp_node *dy = cotangent_matrices(g->dy[0], g->x[0], g->x[1]);
  if (!a || !b || !dy)
    return cusp_built(NULL);
  /* one product over all rows, not one a batch item and a sum */
  if (b->type.shape.ndim == 2 && a->type.shape.ndim > 2) {
    a = as_rows(a);
    dy = as_rows(dy);
  }
  if (!a || !dy)
    return cusp_built(NULL);
  if (g->wanted[0]) {
    g->dx[0] = back_to(cusp_matmul(dy, cusp_linalg_transposed(b)), a, g->x[0]);
    CUSP_TRY(cusp_built(g->dx[0]));
  }
  if (g->wanted[1]) {
    g->dx[1] = back_to(cusp_matmul(cusp_linalg_transposed(a), dy), b, g->x[1]);
    CUSP_TRY(cusp_built(g->dx[1]));
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ compositions */

static cusp_node *flatten(cusp_node *x) {
  return x ? cusp_reshape(x, &(cusp_shape){1, {cusp_shape_count(&x->type.shape)}}) : NULL;
}

static cusp_status one_output(cusp_node *result, cusp_node **outputs, int *n_outputs) {
  outputs[0] = result;
  *n_outputs = 1;
  return cusp_built(result);
}

/**
 * Sums over pairs of axes (a_axes[i] of a with b_axes[i] of b, 0-based, not negative): the free
 * axes of a, then those of b.
 */
static cusp_node *contract(cusp_node *a, cusp_node *b, const int64_t *a_axes, const int64_t *b_axes,
                           int count) {
  const cusp_shape *sa = &a->type.shape, *sb = &b->type.shape;
  int64_t a_order[CUSP_MAX_DIMS], b_order[CUSP_MAX_DIMS], inner = 1, rows = 1, columns = 1;
  cusp_shape out = {0};
  int free_a = 0, free_b = 0;
  bool used_a[CUSP_MAX_DIMS] = {false}, used_b[CUSP_MAX_DIMS] = {false};
  if (sa->ndim + sb->ndim - 2 * count > CUSP_MAX_DIMS) {
    cusp_fail(CUSP_ESHAPE, "tensordot: the result of shapes %s and %s would have more than %d axes",
              cusp_shape_text(sa), cusp_shape_text(sb), CUSP_MAX_DIMS);
    return NULL;
  }
  for (int i = 0; i < count; i++) {
    used_a[a_axes[i]] = used_b[b_axes[i]] = true;
    inner *= sa->size[a_axes[i]];
  }
  for (int i = 0; i < sa->ndim; i++)
    if (!used_a[i]) {
      a_order[free_a++] = i;
      rows *= out.size[out.ndim++] = sa->size[i];
    }
  memcpy(a_order + free_a, a_axes, (size_t)count * sizeof *a_axes);
  memcpy(b_order, b_axes, (size_t)count * sizeof *b_axes);
  for (int i = 0; i < sb->ndim; i++)
    if (!used_b[i]) {
      b_order[count + free_b++] = i;
      columns *= out.size[out.ndim++] = sb->size[i];
    }
  cusp_node *left =
      cusp_reshape(sa->ndim ? cusp_transpose(a, a_order) : a, &(cusp_shape){2, {rows, inner}});
  cusp_node *right =
      cusp_reshape(sb->ndim ? cusp_transpose(b, b_order) : b, &(cusp_shape){2, {inner, columns}});
  cusp_node *product = cusp_cast(cusp_matmul(left, right), a->type.dtype);
  return product ? cusp_reshape(product, &out) : NULL;
}

static cusp_status check_pairs(const cusp_node *a, const cusp_node *b, const int64_t *a_axes,
                               const int64_t *b_axes, int count, const char *name) {
  for (int i = 0; i < count; i++) {
    int64_t x = a->type.shape.size[a_axes[i]], y = b->type.shape.size[b_axes[i]];
    if (x != y)
      return cusp_fail(CUSP_ESHAPE,
                       "%s: axis %lld of x1 and axis %lld of x2 must have one size, got %lld and "
                       "%lld (shapes %s and %s)",
                       name, (long long)a_axes[i] + 1, (long long)b_axes[i] + 1, (long long)x,
                       (long long)y, cusp_shape_text(&a->type.shape),
                       cusp_shape_text(&b->type.shape));
  }
  return CUSP_OK;
}

/** NumPy's dot and inner: a sum over the last axis of a and one axis of b; a scalar operand
 * multiplies. */
static cusp_status dot_over(cusp_node *a, cusp_node *b, bool inner, cusp_node **outputs,
                            int *n_outputs) {
  int a_ndim = a->type.shape.ndim, b_ndim = b->type.shape.ndim;
  if (a_ndim == 0 || b_ndim == 0)
    return one_output(cusp_multiply(a, b), outputs, n_outputs);
  int64_t a_axis = a_ndim - 1, b_axis = inner || b_ndim == 1 ? b_ndim - 1 : b_ndim - 2;
  CUSP_TRY(check_pairs(a, b, &a_axis, &b_axis, 1, inner ? "inner" : "dot"));
  /* matmul's own case: no reshapes to undo in the gradient */
  if (b_ndim <= 2 && !(inner && b_ndim == 2))
    return one_output(cusp_cast(cusp_matmul(a, b), a->type.dtype), outputs, n_outputs);
  return one_output(contract(a, b, &a_axis, &b_axis, 1), outputs, n_outputs);
}

static cusp_status dot_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                               cusp_node **outputs, int *n_outputs) {
  (void)n;
  (void)attrs;
  return dot_over(x[0], x[1], false, outputs, n_outputs);
}

static cusp_status inner_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                                 cusp_node **outputs, int *n_outputs) {
  (void)n;
  (void)attrs;
  return dot_over(x[0], x[1], true, outputs, n_outputs);
}

static cusp_status outer_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                                 cusp_node **outputs, int *n_outputs) {
  (void)n;
  (void)attrs;
  cusp_node *column =
      cusp_reshape(x[0], &(cusp_shape){2, {cusp_shape_count(&x[0]->type.shape), 1}});
  return one_output(cusp_multiply(column, flatten(x[1])), outputs, n_outputs);
}

static cusp_status vdot_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                                cusp_node **outputs, int *n_outputs) {
  (void)n;
  (void)attrs;
  int64_t a = cusp_shape_count(&x[0]->type.shape), b = cusp_shape_count(&x[1]->type.shape);
  if (a != b)
    return cusp_fail(CUSP_ESHAPE,
                     "vdot: operands must have as many elements as each other, got %lld and %lld "
                     "(shapes %s and %s)",
                     (long long)a, (long long)b, cusp_shape_text(&x[0]->type.shape),
                     cusp_shape_text(&x[1]->type.shape));
  return one_output(cusp_cast(cusp_matmul(flatten(x[0]), flatten(x[1])), x[0]->type.dtype), outputs,
                    n_outputs);
}

static cusp_status normalise_axes(int64_t *out, const cusp_attr *attr, const cusp_node *x,
                                  const char *which) {
  int ndim = x->type.shape.ndim;
  bool seen[CUSP_MAX_DIMS] = {false};
  for (int i = 0; i < attr->count; i++) {
    int64_t axis = attr->ints[i] < 0 ? attr->ints[i] + ndim : attr->ints[i];
    if (axis < 0 || axis >= ndim)
      return cusp_fail(CUSP_EVALUE, "tensordot: axis %lld of %s is out of range for shape %s",
                       (long long)(attr->ints[i] < 0 ? attr->ints[i] : attr->ints[i] + 1), which,
                       cusp_shape_text(&x->type.shape));
    if (seen[axis])
      return cusp_fail(CUSP_EVALUE, "tensordot: axis %lld of %s is named twice",
                       (long long)axis + 1, which);
    seen[axis] = true;
    out[i] = axis;
  }
  return CUSP_OK;
}

static cusp_status tensordot_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                                     cusp_node **outputs, int *n_outputs) {
  (void)n;
  int64_t a_axes[CUSP_MAX_DIMS], b_axes[CUSP_MAX_DIMS];
  int count = attrs[0].count;
  if (count != attrs[1].count || count > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_EVALUE, "tensordot: expected as many axes of x1 as of x2, got %d and %d",
                     count, attrs[1].count);
  CUSP_TRY(normalise_axes(a_axes, &attrs[0], x[0], "x1"));
  CUSP_TRY(normalise_axes(b_axes, &attrs[1], x[1], "x2"));
  CUSP_TRY(check_pairs(x[0], x[1], a_axes, b_axes, count, "tensordot"));
  return one_output(contract(x[0], x[1], a_axes, b_axes, count), outputs, n_outputs);
}

/** kron(a, b)[i * m + k, ...] = a[i, ...] * b[k, ...]: an outer product with the axes
 * interleaved. */
static cusp_status kron_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                                cusp_node **outputs, int *n_outputs) {
  (void)n;
  (void)attrs;
  const cusp_shape *sa = &x[0]->type.shape, *sb = &x[1]->type.shape;
  int ndim = sa->ndim > sb->ndim ? sa->ndim : sb->ndim;
  cusp_shape left = {.ndim = 2 * ndim}, right = {.ndim = 2 * ndim}, out = {.ndim = ndim};
  if (2 * ndim > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_EUNSUPPORTED,
                     "kron: expected operands of at most %d axes, got shapes %s and %s",
                     CUSP_MAX_DIMS / 2, cusp_shape_text(sa), cusp_shape_text(sb));
  for (int i = 0; i < ndim; i++) {
    int ia = i - (ndim - sa->ndim), ib = i - (ndim - sb->ndim);
    left.size[2 * i] = ia < 0 ? 1 : sa->size[ia];
    right.size[2 * i + 1] = ib < 0 ? 1 : sb->size[ib];
    left.size[2 * i + 1] = right.size[2 * i] = 1;
    out.size[i] = left.size[2 * i] * right.size[2 * i + 1];
  }
  cusp_node *product = cusp_multiply(cusp_reshape(x[0], &left), cusp_reshape(x[1], &right));
  return one_output(product ? cusp_reshape(product, &out) : NULL, outputs, n_outputs);
}

const cusp_op cusp_ops_linear[] = {
    {.name = "matmul",
     .arguments = "x1, x2",
     .help = "Product of matrices, stacks of matrices or vectors; leading axes broadcast.",
     .promotion = CUSP_PROMOTE_COMMON,
     .infer = matmul_infer,
     .gradient = matmul_gradient,
     .kernels = cusp_matmul_kernels,
     .work = cusp_matmul_work,
     .wide = "matmul_float32",
     .instead = int8_beside_bool},
    {.name = "matmul_float32",
     .arguments = "x1, x2",
     .help = "matmul of operands of 16 bits, not rounded to them.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_NO_GRADIENT,
     .infer = wide_matmul_infer,
     .kernels = cusp_matmul_kernels,
     .work = cusp_matmul_work},
    {.name = "dot",
     .arguments = "x1, x2",
     .help = "Sum over the last axis of x1 and the last but one of x2.",
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = dot_compose},
    {.name = "inner",
     .arguments = "x1, x2",
     .help = "Sum over the last axes of both tensors.",
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = inner_compose},
    {.name = "outer",
     .arguments = "x1, x2",
     .help = "Products of each element of x1 with each of x2, both flattened.",
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = outer_compose},
    {.name = "vdot",
     .arguments = "x1, x2",
     .help = "Dot product of the two tensors flattened.",
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = vdot_compose},
    {.name = "kron",
     .arguments = "x1, x2",
     .help = "Kronecker product.",
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = kron_compose},
    {.name = "tensordot_axes",
     .arguments = "x1, x2, axes1: axes, axes2: axes",
     .help = "Sum over pairs of axes; tensordot with both lists of axes given.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = tensordot_compose},
    {.name = "einsum_operands",
     .arguments = "operands..., subscripts: string",
     .help = "Einstein summation; einsum with its operands in a list.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = cusp_einsum_compose,
     .instead = int8_beside_bool},
    {0},
};
