/*
 * Pooling. The public rows read Keras's arguments, move channels last, and build hidden rows with
 * the geometry spelled out: pool_max(x)                 sizes: the output's spatial axes
 *   pool_max_gradient(x, dy)    like x
 *   pool_max_pick(x, g)         of g, what lies where x is greatest; sizes: the output's spatial
 * axes pool_average(x)             sizes: the output's spatial axes pool_average_gradient(dy)
 * sizes: the input's spatial axes with attributes size, strides, low (positions of padding before
 * the input) and sizes.
 */

#include "../kernels/pooling.h"
#include "../node/infer.h"
#include "windows.h"

#include <string.h>

enum { SIZE, STRIDES, LOW, SIZES, N_ATTRS };

/* ------------------------------------------------------------------ hidden rows */

static cusp_status check_operand(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  CUSP_TRY(cusp_infer_float_or_double(inference));
  if (x->shape.ndim < 3 || x->shape.ndim > 2 + CUSP_WINDOW_AXES)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "expected 3 to 5 axes, got shape %s",
                           cusp_shape_text(&x->shape));
  static const int64_t least[N_ATTRS] = {[SIZE] = 1, [STRIDES] = 1, [LOW] = 0, [SIZES] = 0};
  for (int k = 0; k < N_ATTRS; k++)
    CUSP_TRY(cusp_window_check(inference, k, x->shape.ndim - 2, least[k]));
  return CUSP_OK;
}

/** The batch and channels of the first input, the spatial axes of the attribute. */
static cusp_status resized_infer(cusp_inference *inference) {
  CUSP_TRY(check_operand(inference));
  inference->outputs[0] = inference->inputs[0];
  memcpy(inference->outputs[0].shape.size + 1, inference->attrs[SIZES].ints,
         (size_t)inference->attrs[SIZES].count * sizeof(int64_t));
  return CUSP_OK;
}

/** x [batch, spatial..., channels] and dy of the attribute's sizes. */
static cusp_status max_gradient_infer(cusp_inference *inference) {
  CUSP_TRY(resized_infer(inference));
  CUSP_TRY(cusp_infer_expect(inference, 1, "dy", inference->inputs[0].dtype,
                             inference->outputs[0].shape));
  return cusp_infer_same(inference);
}

static cusp_status max_pick_infer(cusp_inference *inference) {
  CUSP_TRY(resized_infer(inference));
  return cusp_infer_expect(inference, 1, "g", inference->inputs[0].dtype,
                           inference->inputs[0].shape);
}

static cusp_node *hidden(const char *name, cusp_node *a, cusp_node *b, const cusp_attr *attrs,
                         const cusp_node *like) {
  const cusp_attr sizes = cusp_attr_ints(like->type.shape.size + 1, like->type.shape.ndim - 2);
  const cusp_attr all[N_ATTRS] = {attrs[SIZE], attrs[STRIDES], attrs[LOW], sizes};
  return cusp_apply(name, b ? 2 : 1, (cusp_node *[]){a, b}, N_ATTRS, all);
}

static cusp_status max_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] =
                        hidden("pool_max_gradient", g->x[0], g->dy[0], g->node->attrs, g->dy[0]));
}

/* The faces with two operands are linear in the second; where x is greatest does not change under
 * small changes of x. */
static cusp_status max_gradient_gradient(cusp_gradient *g) {
  if (g->wanted[1])
    return cusp_built(g->dx[1] =
                          hidden("pool_max_pick", g->x[0], g->dy[0], g->node->attrs, g->x[1]));
  return CUSP_OK;
}

static cusp_status max_pick_gradient(cusp_gradient *g) {
  if (g->wanted[1])
    return cusp_built(g->dx[1] =
                          hidden("pool_max_gradient", g->x[0], g->dy[0], g->node->attrs, g->dy[0]));
  return CUSP_OK;
}

static cusp_status average_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] =
                        hidden("pool_average_gradient", g->dy[0], NULL, g->node->attrs, g->x[0]));
}

static cusp_status average_gradient_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] = hidden("pool_average", g->dy[0], NULL, g->node->attrs, g->x[0]));
}

static cusp_status run(cusp_call *call, cusp_pooling_face face) {
  static const int64_t ones[CUSP_WINDOW_AXES] = {1, 1, 1};
  const cusp_attr *attrs = call->attrs;
  const cusp_array *in = &call->inputs[0], *out = &call->outputs[0];
  const cusp_array *x = face == CUSP_POOL_AVERAGE_GRADIENT ? out : in;
  const cusp_array *y = face == CUSP_POOL_MAX_GRADIENT       ? &call->inputs[1]
                        : face == CUSP_POOL_AVERAGE_GRADIENT ? in
                                                             : out;
  if (cusp_array_count(y) == 0) { /* no window fits: gradients are 0 */
    memset(out->data, 0, (size_t)cusp_array_count(out) * cusp_dtype_size(out->dtype));
    return CUSP_OK;
  }
  const cusp_pooling pooling = {cusp_windows_of(&x->shape, &y->shape, attrs[SIZE].ints,
                                                attrs[STRIDES].ints, attrs[LOW].ints, ones),
                                x->shape.size[x->shape.ndim - 1]};
  cusp_pool(&pooling, face, in->dtype, in->data, call->n_inputs > 1 ? call->inputs[1].data : NULL,
            out->data);
  return CUSP_OK;
}

static cusp_status run_max(cusp_call *call) { return run(call, CUSP_POOL_MAX); }
static cusp_status run_max_gradient(cusp_call *call) { return run(call, CUSP_POOL_MAX_GRADIENT); }
static cusp_status run_max_pick(cusp_call *call) { return run(call, CUSP_POOL_MAX_PICK); }
static cusp_status run_average(cusp_call *call) { return run(call, CUSP_POOL_AVERAGE); }
static cusp_status run_average_gradient(cusp_call *call) {
  return run(call, CUSP_POOL_AVERAGE_GRADIENT);
}

#define KERNEL(function)                        \
  (const cusp_kernel[]) {                       \
    {.name = "windows", .run = function}, { 0 } \
  }

/* ------------------------------------------------------------------ public rows */

static cusp_status compose_pool(const char *name, cusp_node *x, const cusp_attr *attrs,
                                cusp_node **outputs) {
  cusp_window_arguments a;
  CUSP_TRY(cusp_window_read_input(&a, &x->type.shape, &attrs[3]));
  CUSP_TRY(cusp_window_read_ints(a.size, a.count, &attrs[0], NULL, "pool_size"));
  CUSP_TRY(cusp_window_read_ints(a.stride, a.count, &attrs[1], a.size, "strides"));
  for (int axis = 0; axis < a.count; axis++)
    a.dilation[axis] = 1;
  CUSP_TRY(cusp_window_place(&a, attrs[2].string));
  const cusp_attr all[N_ATTRS] = {cusp_attr_ints(a.size, a.count),
                                  cusp_attr_ints(a.stride, a.count), cusp_attr_ints(a.low, a.count),
                                  cusp_attr_ints(a.output, a.count)};
  const cusp_dtype dtype = x->type.dtype;
  const bool wide =
      dtype == CUSP_FLOAT64 || (cusp_dtype_is_int(dtype) && cusp_dtype_size(dtype) > 2);
  cusp_node *last = cusp_channels_last(cusp_cast(x, wide ? CUSP_FLOAT64 : CUSP_FLOAT32), &a);
  cusp_node *y = cusp_apply(name, 1, &last, N_ATTRS, all);
  return cusp_built(outputs[0] = y ? cusp_channels_back(cusp_cast(y, dtype), &a) : NULL);
}

CUSP_COMPOSE(compose_max_pool) { return compose_pool("pool_max", inputs[0], attrs, outputs); }
CUSP_COMPOSE(compose_average_pool) {
  return compose_pool("pool_average", inputs[0], attrs, outputs);
}

#define HIDDEN_ARGUMENTS "size: ints, strides: ints, low: ints, sizes: ints"
#define PUBLIC_ARGUMENTS                                                                     \
  "inputs, pool_size: ints, strides: ints = nil, padding: string = \"valid\", data_format: " \
  "string = nil"

const cusp_op cusp_ops_pooling[] = {
    {.name = "max_pool",
     .arguments = PUBLIC_ARGUMENTS,
     .help = "The greatest element of each window over 1 to 3 spatial axes.",
     .compose = compose_max_pool},
    {.name = "average_pool",
     .arguments = PUBLIC_ARGUMENTS,
     .help = "The mean of each window over 1 to 3 spatial axes; padding does not count.",
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_average_pool},
    {.name = "pool_max",
     .arguments = "x, " HIDDEN_ARGUMENTS,
     .help = "max_pool of channels-last x, geometry spelled out.",
     .flags = CUSP_OP_HIDDEN,
     .infer = resized_infer,
     .gradient = max_gradient,
     .kernels = KERNEL(run_max)},
    {.name = "pool_max_gradient",
     .arguments = "x, dy, " HIDDEN_ARGUMENTS,
     .help = "The gradient of pool_max: dy where x is the greatest of its window.",
     .flags = CUSP_OP_HIDDEN,
     .infer = max_gradient_infer,
     .gradient = max_gradient_gradient,
     .kernels = KERNEL(run_max_gradient)},
    {.name = "pool_max_pick",
     .arguments = "x, g, " HIDDEN_ARGUMENTS,
     .help = "Of g, what lies where x is the greatest of its window.",
     .flags = CUSP_OP_HIDDEN,
     .infer = max_pick_infer,
     .gradient = max_pick_gradient,
     .kernels = KERNEL(run_max_pick)},
    {.name = "pool_average",
     .arguments = "x, " HIDDEN_ARGUMENTS,
     .help = "average_pool of channels-last x, geometry spelled out.",
     .flags = CUSP_OP_HIDDEN,
     .infer = resized_infer,
     .gradient = average_gradient,
     .kernels = KERNEL(run_average)},
    {.name = "pool_average_gradient",
     .arguments = "dy, " HIDDEN_ARGUMENTS,
     .help = "The gradient of pool_average.",
     .flags = CUSP_OP_HIDDEN,
     .infer = resized_infer,
     .gradient = average_gradient_gradient,
     .kernels = KERNEL(run_average_gradient)},
    {0}};
