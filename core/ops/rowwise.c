/*
 * Softmax and cross-entropy: operations that look at a whole row at a time. The public rows move
 * their axis last; the hidden ones have the kernels, which read rows without gaps.
 */

#include "../kernels/rowwise.h"
#include "../base/threads.h"
#include "../node/build.h"
#include "../node/infer.h"
#include "axes.h"

#include <string.h>

/* ------------------------------------------------------------------ running over rows */

/** One call of a row kernel; run by pieces of rows. */
typedef struct rows_call {
  cusp_rows shape;
  const cusp_call *call;
  void (*run)(const struct rows_call *, const cusp_rows *piece, int64_t first);
} rows_call;

static void run_piece(void *context, int64_t begin, int64_t end) {
  const rows_call *rc = context;
  cusp_rows piece = rc->shape;
  piece.rows = end - begin;
  rc->run(rc, &piece, begin);
}

/** Rows are those of input 0: all its axes but the last. */
static cusp_status run_rows(cusp_call *call,
                            void (*run)(const rows_call *, const cusp_rows *, int64_t)) {
  const cusp_array *x = &call->inputs[0];
  int64_t columns = x->shape.size[x->shape.ndim - 1], count = cusp_array_count(x);
  if (count == 0)
    return CUSP_OK;
  rows_call rc = {{x->dtype, count / columns, columns}, call, run};
  /* an exponential takes about a nanosecond */
  cusp_parallel_for(rc.shape.rows, 16384 / columns + 1, run_piece, &rc);
  return CUSP_OK;
}

static void *at(const rows_call *rc, const cusp_array *array, int64_t row, bool matrix) {
  return (char *)array->data +
         row * (matrix ? rc->shape.columns : 1) * (int64_t)cusp_dtype_size(array->dtype);
}
static void *matrix_in(const rows_call *rc, int input, int64_t row) {
  return at(rc, &rc->call->inputs[input], row, true);
}
static void *column_in(const rows_call *rc, int input, int64_t row) {
  return at(rc, &rc->call->inputs[input], row, false);
}
static void *matrix_out(const rows_call *rc, int64_t row) {
  return at(rc, &rc->call->outputs[0], row, true);
}
static void *column_out(const rows_call *rc, int64_t row) {
  return at(rc, &rc->call->outputs[0], row, false);
}

static void softmax_piece(const rows_call *rc, const cusp_rows *piece, int64_t row) {
  cusp_softmax_rows(piece, matrix_in(rc, 0, row), matrix_out(rc, row));
}
static void log_softmax_piece(const rows_call *rc, const cusp_rows *piece, int64_t row) {
  cusp_log_softmax_rows(piece, matrix_in(rc, 0, row), matrix_out(rc, row));
}
static void softmax_gradient_piece(const rows_call *rc, const cusp_rows *piece, int64_t row) {
  cusp_softmax_gradient_rows(piece, matrix_in(rc, 0, row), matrix_in(rc, 1, row),
                             matrix_out(rc, row));
}
static void log_softmax_gradient_piece(const rows_call *rc, const cusp_rows *piece, int64_t row) {
  cusp_log_softmax_gradient_rows(piece, matrix_in(rc, 0, row), matrix_in(rc, 1, row),
                                 matrix_out(rc, row));
}
static void crossentropy_piece(const rows_call *rc, const cusp_rows *piece, int64_t row) {
  cusp_crossentropy_rows(piece, matrix_in(rc, 0, row), matrix_in(rc, 1, row), NULL,
                         column_out(rc, row));
}
static void crossentropy_gradient_piece(const rows_call *rc, const cusp_rows *piece, int64_t row) {
  cusp_crossentropy_gradient_rows(piece, matrix_in(rc, 0, row), matrix_in(rc, 1, row), NULL,
                                  column_in(rc, 2, row), matrix_out(rc, row));
}
static void sparse_crossentropy_piece(const rows_call *rc, const cusp_rows *piece, int64_t row) {
  cusp_crossentropy_rows(piece, matrix_in(rc, 0, row), NULL, column_in(rc, 1, row),
                         column_out(rc, row));
}
static void sparse_crossentropy_gradient_piece(const rows_call *rc, const cusp_rows *piece,
                                               int64_t row) {
  cusp_crossentropy_gradient_rows(piece, matrix_in(rc, 0, row), NULL, column_in(rc, 1, row),
                                  column_in(rc, 2, row), matrix_out(rc, row));
}

static cusp_status softmax_run(cusp_call *call) { return run_rows(call, softmax_piece); }
static cusp_status log_softmax_run(cusp_call *call) { return run_rows(call, log_softmax_piece); }
static cusp_status softmax_gradient_run(cusp_call *call) {
  return run_rows(call, softmax_gradient_piece);
}
static cusp_status log_softmax_gradient_run(cusp_call *call) {
  return run_rows(call, log_softmax_gradient_piece);
}
static cusp_status crossentropy_run(cusp_call *call) { return run_rows(call, crossentropy_piece); }
static cusp_status crossentropy_gradient_run(cusp_call *call) {
  return run_rows(call, crossentropy_gradient_piece);
}

static int64_t last_size(const cusp_shape *shape) { return shape->size[shape->ndim - 1]; }

static cusp_status sparse_crossentropy_run(cusp_call *call) {
  return run_rows(call, sparse_crossentropy_piece);
}
static cusp_status sparse_crossentropy_gradient_run(cusp_call *call) {
  return run_rows(call, sparse_crossentropy_gradient_piece);
}

/** Labels come from the user's data: one that is no column stands for no class, as Keras has it. */
static cusp_status pick_label_run(cusp_call *call) {
  const cusp_array *x = &call->inputs[0];
  size_t size = cusp_dtype_size(x->dtype);
  int64_t columns = last_size(&x->shape), rows = cusp_array_count(&call->inputs[1]);
  const int32_t *labels = call->inputs[1].data;
  for (int64_t r = 0; r < rows; r++) {
    char *to = (char *)call->outputs[0].data + (size_t)r * size;
    if (labels[r] >= 0 && labels[r] < columns)
      memcpy(to, (const char *)x->data + (size_t)(r * columns + labels[r]) * size, size);
    else
      memset(to, 0, size);
  }
  return CUSP_OK;
}

static cusp_status place_label_run(cusp_call *call) {
  const cusp_array *x = &call->inputs[0], *out = &call->outputs[0];
  size_t size = cusp_dtype_size(x->dtype);
  int64_t columns = last_size(&out->shape), rows = cusp_array_count(&call->inputs[1]);
  const int32_t *labels = call->inputs[1].data;
  memset(out->data, 0, (size_t)cusp_array_count(out) * size);
  for (int64_t r = 0; r < rows; r++)
    if (labels[r] >= 0 && labels[r] < columns)
      memcpy((char *)out->data + (size_t)(r * columns + labels[r]) * size,
             (const char *)x->data + (size_t)r * size, size);
  return CUSP_OK;
}

#define KERNEL(function)                     \
  (const cusp_kernel[]) {                    \
    {.name = "rows", .run = function}, { 0 } \
  }

/* ------------------------------------------------------------------ types */

static cusp_status check_rows(const cusp_inference *inference) {
  if (inference->inputs[0].shape.ndim < 1)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "expected at least one axis, got a scalar");
  return CUSP_OK;
}

static cusp_status rows_infer(cusp_inference *inference) {
  CUSP_TRY(cusp_infer_float_or_double(inference));
  CUSP_TRY(check_rows(inference));
  return cusp_infer_same(inference);
}

/** Like input 0, as input 1 has to be. */
static cusp_status two_rows_infer(cusp_inference *inference) {
  CUSP_TRY(rows_infer(inference));
  return cusp_infer_expect(inference, 1, "the second tensor", inference->inputs[0].dtype,
                           inference->inputs[0].shape);
}

static cusp_shape column_shape(const cusp_inference *inference) {
  cusp_shape shape = inference->inputs[0].shape;
  shape.ndim--;
  return shape;
}

static cusp_status labelled_rows_infer(cusp_inference *inference) {
  CUSP_TRY(rows_infer(inference));
  return cusp_infer_expect(inference, 1, "labels", CUSP_INT32, column_shape(inference));
}

/** Input 2 is one number a row. */
static cusp_status crossentropy_gradient_infer(cusp_inference *inference) {
  CUSP_TRY(two_rows_infer(inference));
  return cusp_infer_expect(inference, 2, "dloss", inference->inputs[0].dtype,
                           column_shape(inference));
}

static cusp_status sparse_crossentropy_gradient_infer(cusp_inference *inference) {
  CUSP_TRY(labelled_rows_infer(inference));
  return cusp_infer_expect(inference, 2, "dloss", inference->inputs[0].dtype,
                           column_shape(inference));
}

/** One number a row of input 0. */
static cusp_status crossentropy_infer(cusp_inference *inference) {
  CUSP_TRY(two_rows_infer(inference));
  inference->outputs[0].shape.ndim--;
  return CUSP_OK;
}

static cusp_status sparse_crossentropy_infer(cusp_inference *inference) {
  CUSP_TRY(labelled_rows_infer(inference));
  inference->outputs[0].shape.ndim--;
  return CUSP_OK;
}

static cusp_status pick_label_infer(cusp_inference *inference) {
  CUSP_TRY(check_rows(inference));
  inference->outputs[0] = (cusp_type){inference->inputs[0].dtype, column_shape(inference)};
  return cusp_infer_expect(inference, 1, "labels", CUSP_INT32, inference->outputs[0].shape);
}

static cusp_status place_label_infer(cusp_inference *inference) {
  cusp_type *out = &inference->outputs[0];
  *out = inference->inputs[0];
  CUSP_TRY(cusp_infer_expect(inference, 1, "labels", CUSP_INT32, out->shape));
  if (out->shape.ndim == CUSP_MAX_DIMS)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "expected at most %d axes, got shape %s",
                           CUSP_MAX_DIMS - 1, cusp_shape_text(&out->shape));
  out->shape.size[out->shape.ndim++] = inference->attrs[0].integer;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ gradients */

static cusp_node *sum_rows(cusp_node *x, bool keepdims) {
  if (!x)
    return NULL;
  int64_t last = x->type.shape.ndim - 1;
  return cusp_sum_axes(x, &last, 1, keepdims);
}

static cusp_node *as_column(cusp_node *x) {
  return x ? cusp_expand_dims(x, x->type.shape.ndim) : NULL;
}

static cusp_status softmax_rows_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] = cusp_apply_2("softmax_gradient", g->y[0], g->dy[0]));
}

static cusp_status log_softmax_rows_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] = cusp_apply_2("log_softmax_gradient", g->y[0], g->dy[0]));
}

/** z = y * (d - sum(y * d)): softmax's Jacobian is symmetric, so the way back to d is z's own
 * form. */
static cusp_status softmax_gradient_gradient(cusp_gradient *g) {
  cusp_node *y = g->x[0], *d = g->x[1], *dz = g->dy[0];
  if (g->wanted[1])
    CUSP_TRY(cusp_built(g->dx[1] = cusp_apply_2("softmax_gradient", y, dz)));
  if (!g->wanted[0])
    return CUSP_OK;
  cusp_node *centred = cusp_subtract(d, sum_rows(cusp_multiply(y, d), true));
  cusp_node *through_sum = cusp_multiply(d, sum_rows(cusp_multiply(dz, y), true));
  return cusp_built(g->dx[0] = cusp_subtract(cusp_multiply(dz, centred), through_sum));
}

/** z = d - exp(y) * sum(d). */
static cusp_status log_softmax_gradient_gradient(cusp_gradient *g) {
  cusp_node *weighted = cusp_multiply(cusp_exp(g->x[0]), g->dy[0]);
  if (g->wanted[0])
    CUSP_TRY(
        cusp_built(g->dx[0] = cusp_negative(cusp_multiply(weighted, sum_rows(g->x[1], true)))));
  if (g->wanted[1])
    CUSP_TRY(cusp_built(g->dx[1] = cusp_subtract(g->dy[0], sum_rows(weighted, true))));
  return CUSP_OK;
}

static cusp_status crossentropy_gradient(cusp_gradient *g) {
  if (g->wanted[0])
    CUSP_TRY(cusp_built(
        g->dx[0] = cusp_apply_3("softmax_crossentropy_gradient", g->x[0], g->x[1], g->dy[0])));
  if (g->wanted[1]) {
    cusp_node *log_p = cusp_apply_1("log_softmax_rows", g->x[0]);
    CUSP_TRY(cusp_built(g->dx[1] = cusp_negative(cusp_multiply(as_column(g->dy[0]), log_p))));
  }
  return CUSP_OK;
}

static cusp_status sparse_crossentropy_gradient(cusp_gradient *g) {
  return cusp_built(
      g->dx[0] = cusp_apply_3("sparse_softmax_crossentropy_gradient", g->x[0], g->x[1], g->dy[0]));
}

/** z = dloss * (p * T - t) with p = softmax(logits) and T = sum(t). */
static cusp_status crossentropy_gradient_gradient(cusp_gradient *g) {
  cusp_node *t = g->x[1], *dloss = as_column(g->x[2]), *dz = g->dy[0];
  cusp_node *p = cusp_apply_1("softmax_rows", g->x[0]), *weight = sum_rows(t, true);
  if (g->wanted[0]) {
    cusp_node *dp = cusp_multiply(dz, cusp_multiply(dloss, weight));
    CUSP_TRY(cusp_built(g->dx[0] = cusp_apply_2("softmax_gradient", p, dp)));
  }
  if (g->wanted[1]) {
    cusp_node *through_weight = sum_rows(cusp_multiply(dz, p), true);
    CUSP_TRY(cusp_built(g->dx[1] = cusp_multiply(dloss, cusp_subtract(through_weight, dz))));
  }
  if (g->wanted[2])
    CUSP_TRY(cusp_built(
        g->dx[2] = sum_rows(cusp_multiply(dz, cusp_subtract(cusp_multiply(p, weight), t)), false)));
  return CUSP_OK;
}

/** z = dloss * (p - one_hot(labels)). */
static cusp_status sparse_crossentropy_gradient_gradient(cusp_gradient *g) {
  cusp_node *dz = g->dy[0], *p = cusp_apply_1("softmax_rows", g->x[0]);
  if (g->wanted[0])
    CUSP_TRY(cusp_built(
        g->dx[0] = cusp_apply_2("softmax_gradient", p, cusp_multiply(dz, as_column(g->x[2])))));
  if (g->wanted[2]) {
    cusp_node *at_label = cusp_apply_2("pick_label", dz, g->x[1]);
    CUSP_TRY(cusp_built(g->dx[2] = cusp_subtract(sum_rows(cusp_multiply(dz, p), false), at_label)));
  }
  return CUSP_OK;
}

static cusp_status pick_label_gradient(cusp_gradient *g) {
  int64_t classes = last_size(&g->x[0]->type.shape);
  return cusp_built(g->dx[0] =
                        CUSP_APPLY2("place_label", g->dy[0], g->x[1], cusp_attr_int(classes)));
}

static cusp_status place_label_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] = cusp_apply_2("pick_label", g->dy[0], g->x[1]));
}

/* ------------------------------------------------------------------ any axes */

/** The axes to normalise over, sorted, 0-based; NULL-able attribute: all of them. */
static cusp_status parse_axes(const char *name, const cusp_attr *attr, int ndim, bool *chosen) {
  memset(chosen, attr->kind == CUSP_ATTR_NONE, CUSP_MAX_DIMS * sizeof *chosen);
  for (int i = 0; attr->kind == CUSP_ATTR_INTS && i < attr->count; i++) {
    int64_t axis = attr->ints[i] < 0 ? attr->ints[i] + ndim : attr->ints[i];
    if (axis < 0 || axis >= ndim)
      return cusp_fail(CUSP_EVALUE, "%s: axis %lld is out of range for a tensor of %d axes", name,
                       (long long)(attr->ints[i] < 0 ? attr->ints[i] : attr->ints[i] + 1), ndim);
    chosen[axis] = true;
  }
  return CUSP_OK;
}

/** Applies `row` to x with the chosen axes folded into the last, and puts them back. */
static cusp_node *over_axes(const char *row, cusp_node *x, const bool *chosen) {
  cusp_shape shape = x->type.shape, moved = {.ndim = shape.ndim}, folded = {0};
  int64_t order[CUSP_MAX_DIMS], back[CUSP_MAX_DIMS], columns = 1;
  int count = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < shape.ndim; i++)
      if (chosen[i] == (pass == 1)) {
        back[i] = count;
        moved.size[count] = shape.size[i];
        order[count++] = i;
        if (pass == 1)
          columns *= shape.size[i];
        else
          folded.size[folded.ndim++] = shape.size[i];
      }
  folded.size[folded.ndim++] = columns;
  bool in_place = true;
  for (int i = 0; i < shape.ndim; i++)
    in_place = in_place && order[i] == i;
  cusp_node *rows = cusp_reshape(in_place ? x : cusp_transpose(x, order), &folded);
  cusp_node *result = cusp_apply_1(row, rows);
  result = result ? cusp_reshape(result, &moved) : NULL;
  return in_place ? result : cusp_transpose(result, back);
}

static cusp_status softmax_over(const char *name, const char *row, cusp_node *x,
                                const cusp_attr *axes, cusp_node **out) {
  bool chosen[CUSP_MAX_DIMS];
  cusp_dtype dtype = x->type.dtype;
  if (x->type.shape.ndim == 0)
    return cusp_fail(CUSP_ESHAPE, "%s: expected at least one axis, got a scalar", name);
  CUSP_TRY(parse_axes(name, axes, x->type.shape.ndim, chosen));
  if (cusp_dtype_is_half(dtype))
    x = cusp_cast(x, CUSP_FLOAT32); /* a sum of 16-bit floats would lose most of its digits */
  cusp_node *result = x ? over_axes(row, x, chosen) : NULL;
  *out = result ? cusp_cast(result, dtype) : NULL;
  return cusp_built(*out);
}

CUSP_COMPOSE(softmax_compose) {
  *n_outputs = 1;
  return softmax_over("softmax", "softmax_rows", inputs[0], &attrs[0], outputs);
}

CUSP_COMPOSE(log_softmax_compose) {
  *n_outputs = 1;
  return softmax_over("log_softmax", "log_softmax_rows", inputs[0], &attrs[0], outputs);
}

/* ------------------------------------------------------------------ cross-entropies, as keras.ops
 * has them */

static cusp_node *move_last(cusp_node *x, int axis) {
  int64_t order[CUSP_MAX_DIMS];
  int ndim = x->type.shape.ndim, count = 0;
  if (axis == ndim - 1)
    return x;
  for (int i = 0; i < ndim; i++)
    if (i != axis)
      order[count++] = i;
  order[count] = axis;
  return cusp_transpose(x, order);
}

static cusp_node *clip_probability(cusp_node *x, double epsilon) {
  return x ? cusp_apply_3("clip", x, cusp_scalar_like(epsilon, x), cusp_scalar_like(1 - epsilon, x))
           : NULL;
}

static cusp_status class_axis(const char *name, int64_t axis, const cusp_node *output, int *out) {
  int ndim = output->type.shape.ndim;
  if (ndim < 1)
    return cusp_fail(CUSP_ESHAPE, "%s: expected an output with at least one axis, got a scalar",
                     name);
  *out = (int)(axis < 0 ? axis + ndim : axis);
  if (*out < 0 || *out >= ndim)
    return cusp_fail(CUSP_EVALUE, "%s: axis %lld is out of range for an output of shape %s", name,
                     (long long)(axis < 0 ? axis : axis + 1), cusp_shape_text(&output->type.shape));
  return CUSP_OK;
}

static cusp_status same_shapes(const char *name, const cusp_node *target, const cusp_node *output) {
  if (cusp_shape_equal(&target->type.shape, &output->type.shape))
    return CUSP_OK;
  return cusp_fail(CUSP_ESHAPE, "%s: target and output must have the same shape, got %s and %s",
                   name, cusp_shape_text(&target->type.shape),
                   cusp_shape_text(&output->type.shape));
}

CUSP_COMPOSE(categorical_crossentropy_compose) {
  static const char name[] = "categorical_crossentropy";
  cusp_node *target = inputs[0], *output = inputs[1];
  cusp_dtype dtype = output->type.dtype;
  int axis;
  *n_outputs = 1;
  CUSP_TRY(same_shapes(name, target, output));
  CUSP_TRY(class_axis(name, attrs[1].integer, output, &axis));
  if (attrs[0].integer) {
    cusp_dtype wide = cusp_dtype_widened(dtype);
    cusp_node *logits = move_last(cusp_cast(output, wide), axis),
              *weights = move_last(cusp_cast(target, wide), axis);
    cusp_node *loss = cusp_apply_2("softmax_crossentropy", logits, weights);
    return cusp_built(outputs[0] = loss ? cusp_cast(loss, dtype) : NULL);
  }
  int64_t axes[1] = {axis};
  cusp_node *probability =
      clip_probability(cusp_divide(output, cusp_sum_axes(output, axes, 1, true)), attrs[2].number);
  cusp_node *weighted = cusp_multiply(target, cusp_log(probability));
  return cusp_built(outputs[0] =
                        weighted ? cusp_negative(cusp_sum_axes(weighted, axes, 1, false)) : NULL);
}

/** Labels as Keras accepts them: any number dtype, with or without a last axis of size 1. */
static cusp_status prepare_labels(cusp_node **labels, const cusp_node *output) {
  const char *name = "sparse_categorical_crossentropy";
  cusp_shape shape = (*labels)->type.shape, expected = output->type.shape;
  if (shape.ndim == expected.ndim && shape.size[shape.ndim - 1] == 1)
    shape.ndim--;
  expected.ndim--;
  if (!cusp_shape_equal(&shape, &expected))
    return cusp_fail(
        CUSP_ESHAPE,
        "%s: target must have the output's shape without its last axis, got %s for an output of %s",
        name, cusp_shape_text(&(*labels)->type.shape), cusp_shape_text(&output->type.shape));
  *labels = cusp_labels(cusp_reshape(*labels, &shape));
  return cusp_built(*labels);
}

/** Only the probability of the label is clipped and has its logarithm taken: the others would be
 * multiplied by 0. */
CUSP_COMPOSE(sparse_crossentropy_compose) {
  cusp_node *labels = inputs[0], *output = inputs[1];
  int axis;
  *n_outputs = 1;
  CUSP_TRY(class_axis("sparse_categorical_crossentropy", attrs[1].integer, output, &axis));
  output = move_last(cusp_dtype_is_float(output->type.dtype)
                         ? output
                         : cusp_cast(output, cusp_dtype_to_float(output->type.dtype)),
                     axis);
  if (!output)
    return cusp_built(NULL);
  CUSP_TRY(prepare_labels(&labels, output));
  cusp_dtype dtype = output->type.dtype;
  if (attrs[0].integer) {
    cusp_node *loss = cusp_apply_2("sparse_softmax_crossentropy",
                                   cusp_cast(output, cusp_dtype_widened(dtype)), labels);
    return cusp_built(outputs[0] = loss ? cusp_cast(loss, dtype) : NULL);
  }
  cusp_node *chosen =
      cusp_divide(cusp_apply_2("pick_label", output, labels), sum_rows(output, false));
  cusp_node *loss = cusp_negative(cusp_log(clip_probability(chosen, attrs[2].number)));
  cusp_node *classes = cusp_scalar((double)last_size(&output->type.shape), CUSP_INT32),
            *zero = cusp_scalar(0, CUSP_INT32);
  cusp_node *known =
      cusp_apply_2("logical_and", cusp_greater_equal(labels, zero), cusp_less(labels, classes));
  return cusp_built(outputs[0] = loss ? cusp_where(known, loss, cusp_scalar_like(0, loss)) : NULL);
}

CUSP_COMPOSE(binary_crossentropy_compose) {
  cusp_node *target = inputs[0], *output = inputs[1];
  *n_outputs = 1;
  CUSP_TRY(same_shapes("binary_crossentropy", target, output));
  cusp_node *rest = cusp_shift(cusp_negative(target), 1); /* 1 - target */
  /* -log(sigmoid(x)) = softplus(-x), -log(1 - sigmoid(x)) = softplus(x) */
  if (attrs[0].integer) {
    cusp_node *present = cusp_multiply(target, cusp_apply_1("softplus", cusp_negative(output)));
    return cusp_built(outputs[0] =
                          cusp_add(present, cusp_multiply(rest, cusp_apply_1("softplus", output))));
  }
  cusp_node *p = clip_probability(output, attrs[1].number);
  cusp_node *present = cusp_multiply(target, cusp_log(p));
  cusp_node *absent = cusp_multiply(rest, cusp_log(cusp_shift(cusp_negative(p), 1)));
  return cusp_built(outputs[0] = cusp_negative(cusp_add(present, absent)));
}

const cusp_op cusp_ops_rowwise[] = {
    {.name = "softmax",
     .arguments = "x, axis: axes = -1",
     .help = "exp(x) normalised to sum to 1 over an axis, or a list of axes.",
     .promotion = CUSP_PROMOTE_FLOAT,
     .flags = CUSP_OP_NULL_AXIS,
     .instead = cusp_over_flat_shaped,
     .compose = softmax_compose},
    {.name = "log_softmax",
     .arguments = "x, axis: axes = -1",
     .help = "Logarithm of softmax, without overflow.",
     .promotion = CUSP_PROMOTE_FLOAT,
     .flags = CUSP_OP_NULL_AXIS,
     .instead = cusp_over_flat_shaped,
     .compose = log_softmax_compose},
    {.name = "categorical_crossentropy",
     .arguments =
         "target, output, from_logits: bool = false, axis: axis = -1, epsilon: float = 1e-7",
     .help = "-sum(target * log(p)) over the classes; output holds probabilities, or logits.",
     .promotion = CUSP_PROMOTE_FLOAT,
     .flags = CUSP_OP_NULL_AXIS,
     .instead = cusp_over_flat,
     .compose = categorical_crossentropy_compose},
    {.name = "sparse_categorical_crossentropy",
     .arguments =
         "target, output, from_logits: bool = false, axis: axis = -1, epsilon: float = 1e-7",
     .help = "-log(p) of the class whose number target holds.",
     .compose = sparse_crossentropy_compose},
    {.name = "binary_crossentropy",
     .arguments = "target, output, from_logits: bool = false, epsilon: float = 1e-7",
     .help = "-(target * log(p) + (1 - target) * log(1 - p)), elementwise.",
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = binary_crossentropy_compose},
    {.name = "softmax_rows",
     .arguments = "x",
     .help = "softmax over the last axis.",
     .flags = CUSP_OP_HIDDEN,
     .infer = rows_infer,
     .gradient = softmax_rows_gradient,
     .kernels = KERNEL(softmax_run)},
    {.name = "log_softmax_rows",
     .arguments = "x",
     .help = "log_softmax over the last axis.",
     .flags = CUSP_OP_HIDDEN,
     .infer = rows_infer,
     .gradient = log_softmax_rows_gradient,
     .kernels = KERNEL(log_softmax_run)},
    {.name = "softmax_gradient",
     .arguments = "y, dy",
     .help = "y * (dy - sum(y * dy)) over the last axis.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .infer = two_rows_infer,
     .gradient = softmax_gradient_gradient,
     .kernels = KERNEL(softmax_gradient_run)},
    {.name = "log_softmax_gradient",
     .arguments = "y, dy",
     .help = "dy - exp(y) * sum(dy) over the last axis.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .infer = two_rows_infer,
     .gradient = log_softmax_gradient_gradient,
     .kernels = KERNEL(log_softmax_gradient_run)},
    {.name = "softmax_crossentropy",
     .arguments = "logits, target",
     .help = "-sum(target * log_softmax(logits)) over the last axis.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .infer = crossentropy_infer,
     .gradient = crossentropy_gradient,
     .kernels = KERNEL(crossentropy_run)},
    {.name = "softmax_crossentropy_gradient",
     .arguments = "logits, target, dloss",
     .help = "dloss * (softmax(logits) * sum(target) - target).",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .infer = crossentropy_gradient_infer,
     .gradient = crossentropy_gradient_gradient,
     .kernels = KERNEL(crossentropy_gradient_run)},
    {.name = "sparse_softmax_crossentropy",
     .arguments = "logits, labels",
     .help = "-log_softmax(logits) at the labels (int32).",
     .flags = CUSP_OP_HIDDEN,
     .infer = sparse_crossentropy_infer,
     .gradient = sparse_crossentropy_gradient,
     .kernels = KERNEL(sparse_crossentropy_run)},
    {.name = "sparse_softmax_crossentropy_gradient",
     .arguments = "logits, labels, dloss",
     .help = "dloss * (softmax(logits) - one_hot(labels)).",
     .flags = CUSP_OP_HIDDEN,
     .infer = sparse_crossentropy_gradient_infer,
     .gradient = sparse_crossentropy_gradient_gradient,
     .kernels = KERNEL(sparse_crossentropy_gradient_run)},
    {.name = "pick_label",
     .arguments = "x, labels",
     .help =
         "x[..., labels[...]]: one element of each row (labels are int32), 0 where there is none.",
     .flags = CUSP_OP_HIDDEN,
     .infer = pick_label_infer,
     .gradient = pick_label_gradient,
     .kernels = KERNEL(pick_label_run)},
    {.name = "place_label",
     .arguments = "x, labels, classes: int",
     .help = "Rows of zeros with x at the labels; the reverse of pick_label.",
     .flags = CUSP_OP_HIDDEN,
     .infer = place_label_infer,
     .gradient = place_label_gradient,
     .kernels = KERNEL(place_label_run)},
    {0},
};
