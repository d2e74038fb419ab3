/* Normalisation as compositions: fusion makes two or three loops of them, and their gradients
 * follow from the parts. */

#include "../node/build.h"
#include "../node/infer.h"
#include "axes.h"

#define DEFAULT_EPSILON 1e-7

static cusp_node *number(double value, const cusp_node *like) {
  return like ? cusp_scalar_like(value, like) : NULL;
}

/** 1 / sqrt(variance + epsilon) */
static cusp_node *inverse_deviation(cusp_node *variance, double epsilon) {
  return cusp_apply_1("rsqrt", cusp_add(variance, number(epsilon, variance)));
}

static cusp_node *mean_over(cusp_node *x, const cusp_attr *axes) {
  return CUSP_APPLY1("mean", x, *axes, cusp_attr_bool(true));
}

/* ------------------------------------------------------------------ batch normalisation */

/** A vector along `axis` of x; the message names it. */
static cusp_status along(cusp_node **vector, const char *what, const cusp_node *x, int axis) {
  const cusp_shape *shape = &(*vector)->type.shape;
  cusp_shape spread = {.ndim = x->type.shape.ndim, .size = {1, 1, 1, 1, 1, 1, 1, 1}};
  spread.size[axis] = x->type.shape.size[axis];
  if (shape->ndim != 1 || shape->size[0] != spread.size[axis])
    return cusp_fail(
        CUSP_ESHAPE,
        "%s has shape %s, expected [%lld], the size of axis %d of x, which has shape %s", what,
        cusp_shape_text(shape), (long long)spread.size[axis], axis + 1,
        cusp_shape_text(&x->type.shape));
  return cusp_built(*vector = cusp_reshape(*vector, &spread));
}

CUSP_COMPOSE(compose_batch_normalization) {
  cusp_node *x = inputs[0], *mean = inputs[1], *variance = inputs[2];
  cusp_node *offset = n_inputs > 3 ? inputs[3] : NULL, *scale = n_inputs > 4 ? inputs[4] : NULL;
  int axis;
  CUSP_TRY(cusp_resolve_axis(&axis, "batch_normalization", attrs[0].integer, x->type.shape.ndim));
  CUSP_TRY(along(&mean, "mean", x, axis));
  CUSP_TRY(along(&variance, "variance", x, axis));
  cusp_node *factor = inverse_deviation(variance, attrs[1].number);
  if (scale) {
    CUSP_TRY(along(&scale, "scale", x, axis));
    factor = cusp_multiply(factor, scale);
  }
  /* y = x * factor + shift: all but that is of a vector's size */
  cusp_node *shift = cusp_negative(cusp_multiply(mean, factor));
  if (offset) {
    CUSP_TRY(along(&offset, "offset", x, axis));
    shift = cusp_add(shift, offset);
  }
  return cusp_built(outputs[0] = cusp_add(cusp_multiply(x, factor), shift));
}

/* ------------------------------------------------------------------ normalisation within each
 * example */

/** Half precision is computed in float32. */
static cusp_node *widened(cusp_node *x) { return cusp_cast(x, cusp_dtype_widened(x->type.dtype)); }

/** A parameter of the shape of the normalised axes, spread so that it broadcasts along x; others
 * broadcast as they are. */
static cusp_status spread_parameter(cusp_node **parameter, const cusp_node *x,
                                    const cusp_attr *axes) {
  cusp_shape spread = {.ndim = x->type.shape.ndim, .size = {1, 1, 1, 1, 1, 1, 1, 1}};
  cusp_node *p = *parameter = cusp_cast(*parameter, x->type.dtype);
  CUSP_TRY(cusp_built(p));
  if (p->type.shape.ndim != axes->count || axes->count == spread.ndim)
    return CUSP_OK;
  bool chosen[CUSP_MAX_DIMS] = {false};
  for (int i = 0; i < axes->count; i++) {
    int axis;
    CUSP_TRY(cusp_axis_check(axes->ints[i], spread.ndim, &axis));
    chosen[axis] = true;
  }
  for (int axis = 0; axis < spread.ndim; axis++)
    spread.size[axis] = chosen[axis] ? x->type.shape.size[axis] : 1;
  if (cusp_shape_count(&p->type.shape) != cusp_shape_count(&spread))
    return CUSP_OK; /* broadcasting decides, or complains */
  return cusp_built(*parameter = cusp_reshape(p, &spread));
}

static cusp_status scale_and_shift(cusp_node **y, cusp_node *gamma, cusp_node *beta,
                                   const cusp_attr *axes) {
  if (gamma) {
    CUSP_TRY(spread_parameter(&gamma, *y, axes));
    CUSP_TRY(cusp_built(*y = cusp_multiply(*y, gamma)));
  }
  if (beta) {
    CUSP_TRY(spread_parameter(&beta, *y, axes));
    CUSP_TRY(cusp_built(*y = cusp_add(*y, beta)));
  }
  return CUSP_OK;
}

static double epsilon_of(const cusp_attr *attr) {
  return attr->kind == CUSP_ATTR_FLOAT ? attr->number : DEFAULT_EPSILON;
}

CUSP_COMPOSE(compose_layer_normalization) {
  cusp_node *gamma = n_inputs > 1 ? inputs[1] : NULL, *beta = n_inputs > 2 ? inputs[2] : NULL;
  cusp_node *x = widened(inputs[0]);
  CUSP_TRY(cusp_built(x));
  cusp_node *centred = cusp_subtract(x, mean_over(x, &attrs[0]));
  cusp_node *variance = mean_over(cusp_apply_1("square", centred), &attrs[0]);
  cusp_node *y = cusp_multiply(centred, inverse_deviation(variance, epsilon_of(&attrs[1])));
  CUSP_TRY(cusp_built(y));
  CUSP_TRY(scale_and_shift(&y, gamma, beta, &attrs[0]));
  return cusp_built(outputs[0] = cusp_cast(y, inputs[0]->type.dtype));
}

CUSP_COMPOSE(compose_rms_normalization) {
  cusp_node *x = widened(inputs[0]);
  CUSP_TRY(cusp_built(x));
  cusp_node *mean_square = mean_over(cusp_apply_1("square", x), &attrs[0]);
  cusp_node *y = cusp_multiply(x, inverse_deviation(mean_square, epsilon_of(&attrs[1])));
  CUSP_TRY(cusp_built(y));
  CUSP_TRY(scale_and_shift(&y, n_inputs > 1 ? inputs[1] : NULL, NULL, &attrs[0]));
  return cusp_built(outputs[0] = cusp_cast(y, inputs[0]->type.dtype));
}

const cusp_op cusp_ops_normalization[] = {
    {.name = "batch_normalization",
     .arguments = "x, mean, variance, axis: axis, offset?, scale?, epsilon: float = 0.001",
     .help = "(x - mean) / sqrt(variance + epsilon) * scale + offset, with vectors along an axis.",
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_batch_normalization},
    {.name = "layer_normalization",
     .arguments = "x, gamma?, beta?, axis: axes = -1, epsilon: float = nil",
     .help = "x moved and scaled to mean 0 and variance 1 over axes, then times gamma plus beta.",
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_layer_normalization},
    {.name = "rms_normalization",
     .arguments = "x, scale?, axis: axes = -1, epsilon: float = nil",
     .help = "x divided by its root mean square over axes, then times scale.",
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_rms_normalization},
    {0}};
