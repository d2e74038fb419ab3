/*
 * Running sums and products. The hidden rows form a closed family: the gradient of each is made of
 * the others, so that gradients of any order exist, and that of a product divides by
 * nothing. */

#include "../kernels/scan.h"
#include "../node/build.h"
#include "../node/infer.h"
#include "axes.h"

#include <string.h>

/* ------------------------------------------------------------------ kernels */

static cusp_scan geometry(const cusp_call *call, const cusp_array *x, int axis) {
  cusp_scan scan = {.dtype = x->dtype,
                    .outer = 1,
                    .inner = 1,
                    .length = x->shape.size[axis],
                    .x = x->data,
                    .out = call->outputs[0].data};
  for (int i = 0; i < axis; i++)
    scan.outer *= x->shape.size[i];
  for (int i = axis + 1; i < x->shape.ndim; i++)
    scan.inner *= x->shape.size[i];
  return scan;
}

/* Attributes: axis, reverse, exclusive. */
static cusp_status run_scan(cusp_call *call, cusp_scan_kind kind) {
  cusp_scan scan = geometry(call, &call->inputs[0], (int)call->attrs[0].integer);
  scan.kind = kind;
  scan.reverse = call->attrs[1].integer;
  scan.exclusive = call->attrs[2].integer;
  cusp_scan_run(&scan);
  return CUSP_OK;
}

static cusp_status sum_run(cusp_call *call) { return run_scan(call, CUSP_SCAN_SUM); }
static cusp_status product_run(cusp_call *call) { return run_scan(call, CUSP_SCAN_PRODUCT); }

/* Inputs: decay, x. Attributes: axis, reverse. */
static cusp_status recurrence_run(cusp_call *call) {
  cusp_scan scan = geometry(call, &call->inputs[1], (int)call->attrs[0].integer);
  scan.kind = CUSP_SCAN_RECURRENCE;
  scan.decay = call->inputs[0].data;
  scan.reverse = call->attrs[1].integer;
  cusp_scan_run(&scan);
  return CUSP_OK;
}

/* Attributes: axis, by. */
static cusp_status shift_run(cusp_call *call) {
  cusp_scan g = geometry(call, &call->inputs[0], (int)call->attrs[0].integer);
  int64_t by = call->attrs[1].integer;
  size_t row = (size_t)g.inner * cusp_dtype_size(g.dtype);
  int64_t gap = by < 0 ? -by : by;
  size_t hole = (size_t)(gap < g.length ? gap : g.length) * row,
         kept = (size_t)g.length * row - hole;
  for (int64_t i = 0; i < g.outer; i++) {
    const char *x = (const char *)g.x + (size_t)(i * g.length) * row;
    char *out = (char *)g.out + (size_t)(i * g.length) * row;
    memcpy(by < 0 ? out : out + hole, by < 0 ? x + hole : x, kept);
    memset(by < 0 ? out + kept : out, 0, hole);
  }
  return CUSP_OK;
}

#define KERNEL(function)                     \
  (const cusp_kernel[]) {                    \
    {.name = "rows", .run = function}, { 0 } \
  }

/* ------------------------------------------------------------------ types */

/** Attribute 0, of the tensor `x`. */
static cusp_status scan_axis(cusp_inference *inference, const cusp_type *x, int *axis) {
  CUSP_TRY(cusp_infer_axis(inference, inference->attrs[0].integer, x->shape.ndim, axis));
  inference->attrs[0] = cusp_attr_int(*axis);
  return CUSP_OK;
}

static cusp_status scan_infer(cusp_inference *inference) {
  int axis;
  cusp_dtype dtype = inference->inputs[0].dtype;
  if (dtype == CUSP_BOOL || cusp_dtype_is_half(dtype))
    return cusp_infer_fail(inference, CUSP_EDTYPE, "expected integers, float32 or float64, got %s",
                           cusp_dtype_name(dtype));
  CUSP_TRY(scan_axis(inference, &inference->inputs[0], &axis));
  return cusp_infer_same(inference);
}

/** A distance beyond the axis is the same as one of its whole length. */
static cusp_status shift_infer(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  int axis;
  CUSP_TRY(scan_axis(inference, x, &axis));
  int64_t length = x->shape.size[axis], by = inference->attrs[1].integer;
  inference->attrs[1] = cusp_attr_int(by < -length ? -length : by > length ? length : by);
  return cusp_infer_same(inference);
}

static cusp_status recurrence_infer(cusp_inference *inference) {
  int axis;
  const cusp_type *decay = &inference->inputs[0], *x = &inference->inputs[1];
  if (!cusp_shape_equal(&decay->shape, &x->shape))
    return cusp_infer_fail(inference, CUSP_ESHAPE, "decay and x must have one shape, got %s and %s",
                           cusp_shape_text(&decay->shape), cusp_shape_text(&x->shape));
  CUSP_TRY(cusp_infer_float_or_double(inference));
  CUSP_TRY(scan_axis(inference, x, &axis));
  return cusp_infer_same(inference);
}

/* ------------------------------------------------------------------ gradients */

static cusp_node *shift(cusp_node *x, int64_t axis, int64_t by) {
  return CUSP_APPLY1("shift_axis", x, cusp_attr_int(axis), cusp_attr_int(by));
}

static cusp_node *recurrence(cusp_node *decay, cusp_node *x, int64_t axis, bool reverse) {
  return CUSP_APPLY2("linear_recurrence", decay, x, cusp_attr_int(axis), cusp_attr_bool(reverse));
}

static cusp_status sum_gradient(cusp_gradient *g) {
  const cusp_attr *attrs = g->node->attrs;
  g->dx[0] =
      CUSP_APPLY1("cumsum_axis", g->dy[0], attrs[0], cusp_attr_bool(!attrs[1].integer), attrs[2]);
  return cusp_built(g->dx[0]);
}

/**
 * With E_i the product of what comes before x_i: dx_i = E_i * S_i, where S_i sums the cotangents
 * from i on, each times the factors between: S_i = dy_i + x_(i+1) S_(i+1). An exclusive product has
 * S_(i+1) in place of S_i, with S_i = dy_i + x_i S_(i+1).
 */
static cusp_status product_gradient(cusp_gradient *g) {
  const cusp_attr *attrs = g->node->attrs;
  int64_t axis = attrs[0].integer, towards = attrs[1].integer ? 1 : -1;
  bool reverse = attrs[1].integer, exclusive = attrs[2].integer;
  cusp_node *x = g->x[0], *before = NULL, *sums = NULL;
  if (exclusive) {
    before = g->y[0];
    sums = shift(recurrence(x, g->dy[0], axis, !reverse), axis, towards);
  } else {
    before = CUSP_APPLY1("cumprod_axis", x, attrs[0], attrs[1], cusp_attr_bool(true));
    sums = recurrence(shift(x, axis, towards), g->dy[0], axis, !reverse);
  }
  return cusp_built(g->dx[0] = cusp_multiply(before, sums));
}

/** The adjoint of y_i = x_i + decay_i y_(i-1) runs the other way: a_i = dy_i + decay_(i+1)
 * a_(i+1). */
static cusp_status recurrence_gradient(cusp_gradient *g) {
  const cusp_attr *attrs = g->node->attrs;
  int64_t axis = attrs[0].integer;
  bool reverse = attrs[1].integer;
  cusp_node *adjoint = recurrence(shift(g->x[0], axis, reverse ? 1 : -1), g->dy[0], axis, !reverse);
  if (g->wanted[0])
    CUSP_TRY(cusp_built(g->dx[0] = cusp_multiply(adjoint, shift(g->y[0], axis, reverse ? -1 : 1))));
  return cusp_built(g->dx[1] = adjoint);
}

static cusp_status shift_gradient(cusp_gradient *g) {
  const cusp_attr *attrs = g->node->attrs;
  return cusp_built(g->dx[0] = shift(g->dy[0], attrs[0].integer, -attrs[1].integer));
}

/* ------------------------------------------------------------------ the public rows */

/** Attributes: axis (nil: flattened), dtype (nil: x's, of bool int32). 16-bit floats run in
 * float32. */
static cusp_status running(const char *name, const char *row, cusp_node *x, const cusp_attr *attrs,
                           cusp_node **out) {
  int axis;
  cusp_dtype dtype = x->type.dtype == CUSP_BOOL ? CUSP_INT32 : x->type.dtype;
  if (attrs[1].kind == CUSP_ATTR_DTYPE)
    dtype = (cusp_dtype)attrs[1].integer;
  CUSP_TRY(cusp_axis_or_flat(&axis, name, &attrs[0], &x));
  cusp_node *result =
      CUSP_APPLY1(row, cusp_cast(x, dtype == CUSP_BOOL ? CUSP_INT32 : cusp_dtype_widened(dtype)),
                  cusp_attr_int(axis), cusp_attr_bool(false), cusp_attr_bool(false));
  return cusp_built(*out = result ? cusp_cast(result, dtype) : NULL);
}

static cusp_node *without_nan(cusp_node *x, double value) {
  if (!cusp_dtype_is_float(x->type.dtype))
    return x;
  return cusp_where(cusp_apply_1("isnan", x), cusp_scalar_like(value, x), x);
}

CUSP_COMPOSE(cumsum_compose) { return running("cumsum", "cumsum_axis", inputs[0], attrs, outputs); }
CUSP_COMPOSE(cumprod_compose) {
  return running("cumprod", "cumprod_axis", inputs[0], attrs, outputs);
}

CUSP_COMPOSE(nancumsum_compose) {
  cusp_node *x = without_nan(inputs[0], 0);
  CUSP_TRY(cusp_built(x));
  return running("nancumsum", "cumsum_axis", x, attrs, outputs);
}

CUSP_COMPOSE(nancumprod_compose) {
  cusp_node *x = without_nan(inputs[0], 1);
  CUSP_TRY(cusp_built(x));
  return running("nancumprod", "cumprod_axis", x, attrs, outputs);
}

const cusp_op cusp_ops_scan[] = {
    {.name = "cumsum",
     .arguments = "x, axis: axis = nil, dtype: dtype = nil",
     .help = "Running sum along an axis; of the flattened tensor without one.",
     .compose = cumsum_compose},
    {.name = "cumprod",
     .arguments = "x, axis: axis = nil, dtype: dtype = nil",
     .help = "Running product along an axis; of the flattened tensor without one.",
     .compose = cumprod_compose},
    {.name = "nancumsum",
     .arguments = "x, axis: axis = nil, dtype: dtype = nil",
     .help = "Running sum with NaN taken as 0.",
     .compose = nancumsum_compose},
    {.name = "nancumprod",
     .arguments = "x, axis: axis = nil, dtype: dtype = nil",
     .help = "Running product with NaN taken as 1.",
     .compose = nancumprod_compose},
    {.name = "cumsum_axis",
     .arguments = "x, axis: axis, reverse: bool, exclusive: bool",
     .help = "Running sum, from either end, with or without the element itself.",
     .flags = CUSP_OP_HIDDEN,
     .infer = scan_infer,
     .gradient = sum_gradient,
     .kernels = KERNEL(sum_run)},
    {.name = "cumprod_axis",
     .arguments = "x, axis: axis, reverse: bool, exclusive: bool",
     .help = "Running product, from either end, with or without the element itself.",
     .flags = CUSP_OP_HIDDEN,
     .infer = scan_infer,
     .gradient = product_gradient,
     .kernels = KERNEL(product_run)},
    {.name = "linear_recurrence",
     .arguments = "decay, x, axis: axis, reverse: bool",
     .help = "y[i] = x[i] + decay[i] * y[i - 1] along an axis.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .infer = recurrence_infer,
     .gradient = recurrence_gradient,
     .kernels = KERNEL(recurrence_run)},
    {.name = "shift_axis",
     .arguments = "x, axis: axis, by: int",
     .help = "y[i] = x[i - by] along an axis, zeros where there is none.",
     .flags = CUSP_OP_HIDDEN,
     .infer = shift_infer,
     .gradient = shift_gradient,
     .kernels = KERNEL(shift_run)},
    {0},
};
