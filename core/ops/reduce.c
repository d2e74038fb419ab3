/* Reductions over axes. The rows with a reducer run in the tiled loop (kernels/fused.h); the others
 * are composed of them. */

#include "../node/build.h"

#include "../kernels/arg_reduce.h"
#include "../kernels/reduce.h"
#include "../node/infer.h"

#include <math.h>

/* ------------------------------------------------------------------ inference */

/* The shape left when `axes` go; `keepdims` leaves them with size 1. */
static cusp_shape reduced_shape(const cusp_shape *shape, const cusp_attr *axes, bool keepdims) {
  bool gone[CUSP_MAX_DIMS] = {false};
  cusp_shape result = {0};
  for (int i = 0; i < axes->count; i++)
    gone[axes->ints[i]] = true;
  for (int axis = 0; axis < shape->ndim; axis++)
    if (!gone[axis] || keepdims)
      result.size[result.ndim++] = gone[axis] ? 1 : shape->size[axis];
  return result;
}

static cusp_status infer_reduction(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  CUSP_TRY(cusp_infer_axes(inference, 0, x->shape.ndim));
  inference->outputs[0] = (cusp_type){
      x->dtype, reduced_shape(&x->shape, &inference->attrs[0], inference->attrs[1].integer)};
  return CUSP_OK;
}

/* Nothing has no largest element. */
static cusp_status infer_extreme(cusp_inference *inference) {
  const cusp_shape *shape = &inference->inputs[0].shape;
  CUSP_TRY(infer_reduction(inference));
  for (int i = 0; i < inference->attrs[0].count; i++)
    if (shape->size[inference->attrs[0].ints[i]] == 0)
      return cusp_infer_fail(inference, CUSP_EVALUE,
                             "an axis without elements has no extreme; the tensor has shape %s",
                             cusp_shape_text(shape));
  return CUSP_OK;
}

static cusp_status infer_position(cusp_inference *inference) {
  const cusp_shape *shape = &inference->inputs[0].shape;
  cusp_attr *axis = &inference->attrs[0], axes = cusp_attr_ints(inference->scratch, 0);
  int first = 0, last = shape->ndim;
  int64_t positions = 1;
  if (axis->kind == CUSP_ATTR_INT) {
    CUSP_TRY(cusp_infer_axis(inference, axis->integer, shape->ndim, &first));
    *axis = cusp_attr_int(first);
    last = first + 1;
  }
  for (int i = first; i < last; i++) {
    inference->scratch[axes.count++] = i;
    positions *= shape->size[i];
    if (shape->size[i] == 0)
      return cusp_infer_fail(inference, CUSP_EVALUE,
                             "an axis without elements has no extreme; the tensor has shape %s",
                             cusp_shape_text(shape));
  }
  if (positions > INT32_MAX)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "at most %d elements have positions in int32, got %lld", INT32_MAX,
                           (long long)positions);
  inference->outputs[0] =
      (cusp_type){CUSP_INT32, reduced_shape(shape, &axes, inference->attrs[1].integer)};
  return CUSP_OK;
}

/* ------------------------------------------------------------------ gradients */

/* A result of the reduction `node`, or its cotangent, with the reduced axes back as axes of size
 * 1. */
static cusp_node *with_axes(const cusp_node *node, cusp_node *reduced) {
  cusp_shape shape = reduced_shape(&node->inputs[0]->type.shape, &node->attrs[0], true);
  return cusp_reshape(reduced, &shape);
}

static cusp_status sum_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] =
                        cusp_broadcast_to(with_axes(g->node, g->dy[0]), &g->x[0]->type.shape));
}

static cusp_node *sum_like(const cusp_node *node, cusp_node *x) {
  return CUSP_APPLY1("sum", x, node->attrs[0], cusp_attr_bool(true));
}

/* Equal extremes share the cotangent. */
static cusp_status extreme_gradient(cusp_gradient *g) {
  cusp_node *x = g->x[0];
  cusp_node *taken = cusp_cast(cusp_equal(x, with_axes(g->node, g->y[0])), x->type.dtype);
  cusp_node *share = cusp_divide(with_axes(g->node, g->dy[0]), sum_like(g->node, taken));
  return cusp_built(g->dx[0] = cusp_multiply(taken, share));
}

/* The product of the others: y / x, but where there are zeros only a single one has a gradient, the
 * product of the rest. */
static cusp_status prod_gradient(cusp_gradient *g) {
  cusp_node *x = g->x[0], *zero = cusp_scalar_like(0, x), *one = cusp_scalar_like(1, x);
  cusp_node *is_zero = cusp_equal(x, zero), *filled = cusp_where(is_zero, one, x);
  cusp_node *zeros = sum_like(g->node, cusp_cast(is_zero, x->type.dtype));
  cusp_node *rest = CUSP_APPLY1("reduce_prod", filled, g->node->attrs[0], cusp_attr_bool(true));
  cusp_node *single = cusp_where(cusp_equal(zeros, one), rest, zero);
  cusp_node *usual = cusp_where(cusp_equal(zeros, zero), cusp_divide(rest, filled), zero);
  return cusp_built(
      g->dx[0] = cusp_multiply(with_axes(g->node, g->dy[0]), cusp_where(is_zero, single, usual)));
}

/* ------------------------------------------------------------------ compositions */

/* How many elements of x go into one of `reduced`. */
static double group_size(const cusp_node *x, const cusp_node *reduced) {
  int64_t groups = reduced ? cusp_shape_count(&reduced->type.shape) : 0;
  return groups > 0 ? (double)(cusp_shape_count(&x->type.shape) / groups) : 0;
}

static cusp_node *mean(cusp_node *x, cusp_attr axes, bool keepdims) {
  cusp_node *sum = CUSP_APPLY1("sum", x, axes, cusp_attr_bool(keepdims));
  return cusp_divide(sum, cusp_scalar_like(group_size(x, sum), sum));
}

CUSP_COMPOSE(compose_mean) {
  cusp_node *x = inputs[0];
  return cusp_built(outputs[0] = cusp_cast(mean(cusp_cast(x, cusp_dtype_widened(x->type.dtype)),
                                                attrs[0], attrs[1].integer),
                                           x->type.dtype));
}

static cusp_node *variance(cusp_node *x, cusp_attr axes, bool keepdims) {
  return mean(cusp_square(cusp_subtract(x, mean(x, axes, true))), axes, keepdims);
}

CUSP_COMPOSE(compose_var) {
  cusp_node *x = inputs[0];
  return cusp_built(outputs[0] = cusp_cast(variance(cusp_cast(x, cusp_dtype_widened(x->type.dtype)),
                                                    attrs[0], attrs[1].integer),
                                           x->type.dtype));
}

CUSP_COMPOSE(compose_std) {
  cusp_node *x = inputs[0], *var = variance(cusp_cast(x, cusp_dtype_widened(x->type.dtype)),
                                            attrs[0], attrs[1].integer);
  return cusp_built(outputs[0] = cusp_cast(cusp_sqrt(var), x->type.dtype));
}

/* The mean and the variance, in one call (keras.ops.moments). */
CUSP_COMPOSE(compose_moments) {
  cusp_node *x = inputs[0], *wide = cusp_cast(x, cusp_dtype_widened(x->type.dtype));
  *n_outputs = 2;
  outputs[0] = cusp_cast(mean(wide, attrs[0], attrs[1].integer), x->type.dtype);
  return cusp_built(outputs[1] =
                        cusp_cast(variance(wide, attrs[0], attrs[1].integer), x->type.dtype));
}

/* The largest element is taken out first; where that is infinite, 0 is, and where there is none,
 * nothing. */
CUSP_COMPOSE(compose_logsumexp) {
  cusp_node *x = inputs[0];
  if (cusp_shape_count(&x->type.shape) == 0)
    return cusp_built(outputs[0] = cusp_log(CUSP_APPLY1("sum", cusp_exp(x), attrs[0], attrs[1])));
  cusp_node *top =
      cusp_apply_1("stop_gradient", CUSP_APPLY1("amax", x, attrs[0], cusp_attr_bool(true)));
  top = cusp_where(cusp_apply_1("isfinite", top), top, cusp_scalar_like(0, x));
  cusp_node *sum =
      cusp_log(CUSP_APPLY1("sum", cusp_exp(cusp_subtract(x, top)), attrs[0], attrs[1]));
  return cusp_built(outputs[0] = sum ? cusp_add(sum, cusp_reshape(top, &sum->type.shape)) : NULL);
}

/* max and min with Keras's `initial`, which also stands in for nothing. */
static cusp_node *extreme(const char *row, const char *pair, cusp_node *const *inputs, int n_inputs,
                          const cusp_attr *attrs) {
  if (n_inputs == 1)
    return CUSP_APPLY1(row, inputs[0], attrs[0], attrs[1]);
  cusp_node *initial = cusp_cast(inputs[1], inputs[0]->type.dtype);
  if (cusp_shape_count(&inputs[0]->type.shape) > 0)
    return cusp_apply_2(pair, CUSP_APPLY1(row, inputs[0], attrs[0], attrs[1]), initial);
  cusp_node *shape = CUSP_APPLY1("sum", inputs[0], attrs[0], attrs[1]);
  return shape ? cusp_broadcast_to(initial, &shape->type.shape) : NULL;
}

CUSP_COMPOSE(compose_max) {
  return cusp_built(outputs[0] = extreme("amax", "maximum", inputs, n_inputs, attrs));
}
CUSP_COMPOSE(compose_min) {
  return cusp_built(outputs[0] = extreme("amin", "minimum", inputs, n_inputs, attrs));
}

CUSP_COMPOSE(compose_prod) {
  cusp_node *x = attrs[2].kind == CUSP_ATTR_DTYPE
                     ? cusp_cast(inputs[0], (cusp_dtype)attrs[2].integer)
                     : inputs[0];
  return cusp_built(outputs[0] = CUSP_APPLY1("reduce_prod", x, attrs[0], attrs[1]));
}

CUSP_COMPOSE(compose_count_nonzero) {
  cusp_node *x = inputs[0];
  cusp_dtype dtype = cusp_shape_count(&x->type.shape) > INT32_MAX ? CUSP_INT64 : CUSP_INT32;
  cusp_node *counted = cusp_cast(cusp_apply_2("not_equal", x, cusp_scalar_like(0, x)), dtype);
  return cusp_built(outputs[0] = CUSP_APPLY1("sum", counted, attrs[0], cusp_attr_bool(false)));
}

CUSP_COMPOSE(compose_ptp) {
  cusp_node *top = CUSP_APPLY1("amax", inputs[0], attrs[0], attrs[1]),
            *bottom = CUSP_APPLY1("amin", inputs[0], attrs[0], attrs[1]);
  return cusp_built(outputs[0] = cusp_subtract(top, bottom));
}

/* ------------------------------------------------------------------ rows */

#define AXES "x, axis: axes = nil, keepdims: bool = false"
#define REDUCTION(id) .flags = CUSP_OP_REDUCTION, .reducer = CUSP_REDUCE_##id
#define FLOATS .promotion = CUSP_PROMOTE_FLOAT

const cusp_op cusp_ops_reduce[] = {
    {.name = "sum",
     .arguments = AXES,
     .help = "The sum over axes.",
     .promotion = CUSP_PROMOTE_SUM,
     REDUCTION(SUM),
     .infer = infer_reduction,
     .gradient = sum_gradient},
    {.name = "reduce_prod",
     .arguments = AXES,
     .help = "The product over axes.",
     .promotion = CUSP_PROMOTE_SUM,
     .flags = CUSP_OP_REDUCTION | CUSP_OP_HIDDEN,
     .reducer = CUSP_REDUCE_PROD,
     .infer = infer_reduction,
     .gradient = prod_gradient},
    {.name = "prod",
     .arguments = AXES ", dtype: dtype = nil",
     .help = "The product over axes.",
     .compose = compose_prod},
    {.name = "amax",
     .arguments = AXES,
     .help = "The largest element over axes; NaN if there is one.",
     REDUCTION(MAX),
     .infer = infer_extreme,
     .gradient = extreme_gradient},
    {.name = "amin",
     .arguments = AXES,
     .help = "The smallest element over axes; NaN if there is one.",
     REDUCTION(MIN),
     .infer = infer_extreme,
     .gradient = extreme_gradient},
    {.name = "max",
     .arguments = AXES ", initial?",
     .help = "The largest element over axes, at least `initial`; NaN if there is one.",
     .compose = compose_max},
    {.name = "min",
     .arguments = AXES ", initial?",
     .help = "The smallest element over axes, at most `initial`; NaN if there is one.",
     .compose = compose_min},
    {.name = "any",
     .arguments = AXES,
     .help = "Whether any element over axes is true (not 0).",
     .promotion = CUSP_PROMOTE_BOOL,
     .flags = CUSP_OP_REDUCTION | CUSP_OP_NO_GRADIENT,
     .reducer = CUSP_REDUCE_ANY,
     .infer = infer_reduction},
    {.name = "all",
     .arguments = AXES,
     .help = "Whether every element over axes is true (not 0).",
     .promotion = CUSP_PROMOTE_BOOL,
     .flags = CUSP_OP_REDUCTION | CUSP_OP_NO_GRADIENT,
     .reducer = CUSP_REDUCE_ALL,
     .infer = infer_reduction},
    {.name = "argmax",
     .arguments = "x, axis: axis = nil, keepdims: bool = false",
     .help = "The position (from 0) of the largest element along an axis, or of all; NaN's if "
             "there is one.",
     .flags = CUSP_OP_NO_GRADIENT,
     .infer = infer_position,
     .kernels = cusp_argmax_kernels},
    {.name = "argmin",
     .arguments = "x, axis: axis = nil, keepdims: bool = false",
     .help = "The position (from 0) of the smallest element along an axis, or of all; NaN's if "
             "there is one.",
     .flags = CUSP_OP_NO_GRADIENT,
     .infer = infer_position,
     .kernels = cusp_argmin_kernels},
    {.name = "mean",
     .arguments = AXES,
     .help = "The mean over axes.",
     FLOATS,
     .compose = compose_mean},
    {.name = "var",
     .arguments = AXES,
     .help = "The variance over axes (divided by the count).",
     FLOATS,
     .compose = compose_var},
    {.name = "std",
     .arguments = AXES,
     .help = "The standard deviation over axes (of the variance divided by the count).",
     FLOATS,
     .compose = compose_std},
    {.name = "moments",
     .arguments = "x, axes: axes, keepdims: bool = false, synchronized: bool = false",
     .help = "The mean and the variance over axes.",
     FLOATS,
     .compose = compose_moments},
    {.name = "logsumexp",
     .arguments = AXES,
     .help = "log(sum(exp(x))) over axes, without overflow.",
     FLOATS,
     .compose = compose_logsumexp},
    {.name = "count_nonzero",
     .arguments = "x, axis: axes = nil",
     .help = "How many elements over axes are not 0.",
     .flags = CUSP_OP_NO_GRADIENT,
     .compose = compose_count_nonzero},
    {.name = "ptp",
     .arguments = AXES,
     .help = "The largest minus the smallest element over axes.",
     .compose = compose_ptp},
    {0},
};
