/* Normalisation as compositions: fusion makes two or three loops of them, and their gradients
 * follow from the parts. Only the statistics of batches have a kernel of their own. */

#include "../kernels/moments.h"
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

/* ------------------------------------------------------------------ statistics */

static int64_t last_size(const cusp_shape *shape) { return shape->size[shape->ndim - 1]; }

static cusp_status moments_infer(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  if (x->shape.ndim == 0)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "expected at least one axis, got a scalar");
  if (!cusp_dtype_is_float(x->dtype))
    return cusp_infer_fail(inference, CUSP_EDTYPE, "expected floats, got %s",
                           cusp_dtype_name(x->dtype));
  inference->n_outputs = 2;
  for (int i = 0; i < 2; i++)
    inference->outputs[i] =
        (cusp_type){cusp_dtype_widened(x->dtype), {.ndim = 1, .size = {last_size(&x->shape)}}};
  return CUSP_OK;
}

/** dmean / n + 2 (x - mean) dvariance / n: what the variance owes to the mean adds up to 0. */
static cusp_status moments_gradient(cusp_gradient *g) {
  cusp_node *x = cusp_cast(g->x[0], g->y[0]->type.dtype), *shift = NULL, *dx = NULL;
  const int64_t columns = last_size(&g->x[0]->type.shape);
  const int64_t count = cusp_shape_count(&g->x[0]->type.shape);
  const double share = count > 0 ? (double)columns / (double)count : 0;
  if (g->dy[0])
    shift = cusp_scale(g->dy[0], share);
  if (g->dy[1]) {
    cusp_node *factor = cusp_scale(g->dy[1], 2 * share);
    cusp_node *centre = cusp_negative(cusp_multiply(g->y[0], factor));
    dx = cusp_add(cusp_multiply(x, factor), shift ? cusp_add(shift, centre) : centre);
  } else if (shift) {
    dx = cusp_broadcast_to(shift, &g->x[0]->type.shape);
  }
  g->dx[0] = dx;
  return dx || !(g->dy[0] || g->dy[1]) ? CUSP_OK : cusp_built(dx);
}

static cusp_moments moments_of(const cusp_call *call) {
  const cusp_array *x = &call->inputs[0];
  const int64_t columns = last_size(&x->shape);
  return (cusp_moments){x->dtype, columns > 0 ? cusp_array_count(x) / columns : 0, columns};
}

static cusp_status prepare_moments(cusp_call *call) {
  const cusp_moments moments = moments_of(call);
  call->workspace_bytes = cusp_moments_workspace(&moments);
  return CUSP_OK;
}

static cusp_status run_moments(cusp_call *call) {
  const cusp_moments moments = moments_of(call);
  if (moments.columns > 0)
    cusp_moments_run(&moments, call->inputs[0].data, call->outputs[0].data, call->outputs[1].data,
                     call->workspace);
  return CUSP_OK;
}

static double moments_work(const cusp_call *call) {
  return 4.0 * (double)cusp_array_count(&call->inputs[0]);
}

static const cusp_kernel moments_kernels[] = {
    {.name = "tiles", .prepare = prepare_moments, .run = run_moments}, {0}};

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
    {.name = "channel_moments",
     .arguments = "x",
     .help = "The mean and the variance over all axes but the last, at least in float32.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_READS_HALVES,
     .infer = moments_infer,
     .gradient = moments_gradient,
     .kernels = moments_kernels,
     .work = moments_work},
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
