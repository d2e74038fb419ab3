/* Reading and writing at positions that tensors hold, which count from 0. */

#include "../node/build.h"

#include "../base/memory.h"
#include "../kernels/gather.h"
#include "../kernels/scatter.h"
#include "../node/evaluator.h"
#include "../node/infer.h"

#include <string.h>

/* ------------------------------------------------------------------ inference */

static cusp_status check_positions(const cusp_inference *inference, int input) {
  cusp_dtype dtype = inference->inputs[input].dtype;
  if (dtype != CUSP_INT32 && dtype != CUSP_INT64)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "positions should be int32 or int64, got %s",
                           cusp_dtype_name(dtype));
  return CUSP_OK;
}

/* Normalises the axis attribute 0 for a tensor of `ndim` axes. */
static cusp_status normalise_axis(cusp_inference *inference, int ndim, int *axis) {
  CUSP_TRY(cusp_infer_axis(inference, inference->attrs[0].integer, ndim, axis));
  inference->attrs[0] = cusp_attr_int(*axis);
  return CUSP_OK;
}

/* `shape` with the `width` axes from `axis` replaced by `sizes`. */
static cusp_status replace_axes(const cusp_inference *inference, const cusp_shape *shape, int axis,
                                int width, int count, const int64_t *sizes, cusp_shape *out) {
  out->ndim = shape->ndim - width + count;
  if (out->ndim > CUSP_MAX_DIMS)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "the result would have %d axes; at most %d are supported", out->ndim,
                           CUSP_MAX_DIMS);
  for (int i = 0; i < axis; i++)
    out->size[i] = shape->size[i];
  for (int i = 0; i < count; i++)
    out->size[axis + i] = sizes[i];
  for (int i = axis + width; i < shape->ndim; i++)
    out->size[i - width + count] = shape->size[i];
  return CUSP_OK;
}

static cusp_status infer_gather_axis(cusp_inference *inference) {
  const cusp_shape *x = &inference->inputs[0].shape, *positions = &inference->inputs[1].shape;
  int axis;
  CUSP_TRY(check_positions(inference, 1));
  CUSP_TRY(normalise_axis(inference, x->ndim, &axis));
  inference->outputs[0].dtype = inference->inputs[0].dtype;
  return replace_axes(inference, x, axis, 1, positions->ndim, positions->size,
                      &inference->outputs[0].shape);
}

static cusp_status infer_scatter_axis(cusp_inference *inference) {
  const cusp_shape *updates = &inference->inputs[0].shape, *positions = &inference->inputs[1].shape;
  int axis, ndim = updates->ndim - positions->ndim + 1;
  CUSP_TRY(check_positions(inference, 1));
  CUSP_TRY(normalise_axis(inference, ndim, &axis));
  for (int i = 0; i < positions->ndim; i++)
    if (updates->size[axis + i] != positions->size[i])
      return cusp_infer_fail(inference, CUSP_ESHAPE,
                             "updates of shape %s for positions of shape %s",
                             cusp_shape_text(updates), cusp_shape_text(positions));
  inference->outputs[0].dtype = inference->inputs[0].dtype;
  return replace_axes(inference, updates, axis, positions->ndim, 1, &inference->attrs[1].integer,
                      &inference->outputs[0].shape);
}

static cusp_status infer_gather_along(cusp_inference *inference) {
  const cusp_shape *x = &inference->inputs[0].shape, *positions = &inference->inputs[1].shape;
  int axis;
  CUSP_TRY(check_positions(inference, 1));
  CUSP_TRY(normalise_axis(inference, x->ndim, &axis));
  bool fits = x->ndim == positions->ndim;
  for (int i = 0; fits && i < x->ndim; i++)
    fits = i == axis || x->size[i] == positions->size[i];
  if (!fits)
    return cusp_infer_fail(
        inference, CUSP_ESHAPE,
        "positions of shape %s for a tensor of shape %s; they may differ in axis %d alone",
        cusp_shape_text(positions), cusp_shape_text(x), axis + 1);
  inference->outputs[0] = (cusp_type){inference->inputs[0].dtype, *positions};
  return CUSP_OK;
}

static cusp_status infer_scatter_along(cusp_inference *inference) {
  const cusp_type *updates = &inference->inputs[0];
  int axis;
  CUSP_TRY(check_positions(inference, 1));
  CUSP_TRY(normalise_axis(inference, updates->shape.ndim, &axis));
  if (!cusp_shape_equal(&updates->shape, &inference->inputs[1].shape))
    return cusp_infer_fail(inference, CUSP_ESHAPE, "updates of shape %s for positions of shape %s",
                           cusp_shape_text(&updates->shape),
                           cusp_shape_text(&inference->inputs[1].shape));
  inference->outputs[0] = *updates;
  inference->outputs[0].shape.size[axis] = inference->attrs[1].integer;
  return CUSP_OK;
}

/* The shape of what positions [..., k] read of a tensor: [...] and the axes after its first k. */
static cusp_status positions_read(const cusp_inference *inference, const cusp_shape *x,
                                  const cusp_shape *positions, cusp_shape *out) {
  CUSP_TRY(check_positions(inference, 1));
  int last = positions->ndim - 1;
  if (last < 0 || positions->size[last] < 1 || positions->size[last] > x->ndim)
    return cusp_infer_fail(
        inference, CUSP_ESHAPE,
        "positions of shape %s for a tensor of shape %s; their last axis should be 1 to %d",
        cusp_shape_text(positions), cusp_shape_text(x), x->ndim);
  return replace_axes(inference, x, 0, (int)positions->size[last], last, positions->size, out);
}

static cusp_status infer_gather_nd(cusp_inference *inference) {
  inference->outputs[0].dtype = inference->inputs[0].dtype;
  return positions_read(inference, &inference->inputs[0].shape, &inference->inputs[1].shape,
                        &inference->outputs[0].shape);
}

static cusp_status infer_scatter_nd(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0], *updates = &inference->inputs[2];
  cusp_shape read;
  if (inference->attrs[0].integer < 0 || inference->attrs[0].integer >= CUSP_SCATTER_MODES)
    return cusp_infer_fail(inference, CUSP_EVALUE, "mode should be 0 to %d, got %lld",
                           CUSP_SCATTER_MODES - 1, (long long)inference->attrs[0].integer);
  CUSP_TRY(positions_read(inference, &x->shape, &inference->inputs[1].shape, &read));
  if (!cusp_shape_equal(&read, &updates->shape))
    return cusp_infer_fail(inference, CUSP_ESHAPE, "updates of shape %s, expected %s",
                           cusp_shape_text(&updates->shape), cusp_shape_text(&read));
  if (x->dtype != updates->dtype)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "updates of dtype %s for a tensor of dtype %s",
                           cusp_dtype_name(updates->dtype), cusp_dtype_name(x->dtype));
  inference->outputs[0] = *x;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ gradients */

/* Gathering reads a position as often as it is given, so its cotangents add up; and the other way
 * round. */
static cusp_status gather_axis_gradient(cusp_gradient *g) {
  cusp_attr axis = g->node->attrs[0];
  return cusp_built(g->dx[0] = CUSP_APPLY2("scatter_axis", g->dy[0], g->x[1], axis,
                                           cusp_attr_int(g->x[0]->type.shape.size[axis.integer])));
}

static cusp_status scatter_axis_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] = CUSP_APPLY2("gather_axis", g->dy[0], g->x[1], g->node->attrs[0]));
}

static cusp_status gather_along_gradient(cusp_gradient *g) {
  cusp_attr axis = g->node->attrs[0];
  return cusp_built(g->dx[0] = CUSP_APPLY2("scatter_along", g->dy[0], g->x[1], axis,
                                           cusp_attr_int(g->x[0]->type.shape.size[axis.integer])));
}

static cusp_status scatter_along_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] = CUSP_APPLY2("gather_along", g->dy[0], g->x[1], g->node->attrs[0]));
}

static cusp_node *scatter_nd(cusp_node *x, cusp_node *positions, cusp_node *updates,
                             cusp_scatter_mode mode, bool drop) {
  return CUSP_APPLY3("scatter_nd", x, positions, updates, cusp_attr_int(mode),
                     cusp_attr_bool(drop));
}

static cusp_node *gather_nd(cusp_node *x, cusp_node *positions, bool drop) {
  return CUSP_APPLY2("gather_nd", x, positions, cusp_attr_bool(drop));
}

static cusp_status gather_nd_gradient(cusp_gradient *g) {
  bool drop = g->node->attrs[0].integer;
  return cusp_built(
      g->dx[0] = scatter_nd(cusp_zeros_like(g->x[0]), g->x[1], g->dy[0], CUSP_SCATTER_ADD, drop));
}

/* By x: what the updates left of it. */
static cusp_node *scatter_base_gradient(const cusp_gradient *g, cusp_scatter_mode mode, bool drop) {
  cusp_node *x = g->x[0], *dy = g->dy[0];
  switch (mode) {
  case CUSP_SCATTER_ADD: return dy;
  case CUSP_SCATTER_SET: return scatter_nd(dy, g->x[1], cusp_zeros_like(g->x[2]), mode, drop);
  case CUSP_SCATTER_MULTIPLY: return scatter_nd(dy, g->x[1], g->x[2], mode, drop);
  default: return cusp_where(cusp_equal(x, g->y[0]), dy, cusp_scalar_like(0, dy));
  }
}

/* By the updates. Where one position is given several times, products assume that no update is
 * 0. */
static cusp_node *scatter_updates_gradient(const cusp_gradient *g, cusp_scatter_mode mode,
                                           bool drop) {
  cusp_node *updates = g->x[2], *dy = g->dy[0], *zero = cusp_scalar_like(0, updates);
  cusp_node *read = gather_nd(dy, g->x[1], drop);
  if (mode == CUSP_SCATTER_ADD || mode == CUSP_SCATTER_SET)
    return read;
  if (mode != CUSP_SCATTER_MULTIPLY)
    return cusp_where(cusp_equal(updates, gather_nd(g->y[0], g->x[1], drop)), read, zero);
  cusp_node *is_zero = cusp_equal(updates, zero),
            *divisor = cusp_where(is_zero, cusp_scalar_like(1, updates), updates);
  cusp_node *others = cusp_divide(gather_nd(g->y[0], g->x[1], drop), divisor);
  return cusp_multiply(read, cusp_where(is_zero, gather_nd(g->x[0], g->x[1], drop), others));
}

static cusp_status scatter_nd_gradient(cusp_gradient *g) {
  cusp_scatter_mode mode = (cusp_scatter_mode)g->node->attrs[0].integer;
  bool drop = g->node->attrs[1].integer;
  if (g->wanted[0])
    CUSP_TRY(cusp_built(g->dx[0] = scatter_base_gradient(g, mode, drop)));
  return g->wanted[2] ? cusp_built(g->dx[2] = scatter_updates_gradient(g, mode, drop)) : CUSP_OK;
}

/* ------------------------------------------------------------------ taking */

/* Any integers as the int32 or int64 that kernels read. */
static cusp_node *positions_of(cusp_node *node) {
  if (!node)
    return NULL;
  cusp_dtype dtype = node->type.dtype;
  if (!cusp_dtype_is_int(dtype)) {
    cusp_fail(CUSP_EDTYPE, "indices should be integers, got %s", cusp_dtype_name(dtype));
    return NULL;
  }
  bool wide = dtype == CUSP_INT64 || dtype == CUSP_UINT32 || dtype == CUSP_UINT64;
  return cusp_cast(node, wide ? CUSP_INT64 : CUSP_INT32);
}

CUSP_COMPOSE(compose_take) {
  bool flat = attrs[0].kind == CUSP_ATTR_NONE;
  cusp_node *x = flat ? cusp_apply_1("ravel", inputs[0]) : inputs[0];
  return cusp_built(outputs[0] = CUSP_APPLY2("gather_axis", x, positions_of(inputs[1]),
                                             flat ? cusp_attr_int(0) : attrs[0]));
}

/* Both brought to one shape in all axes but `axis`. */
static cusp_status broadcast_around(int axis, cusp_node **x, cusp_node **positions) {
  cusp_shape a = (*x)->type.shape, b = (*positions)->type.shape, both;
  int64_t size = a.size[axis], places = b.size[axis];
  if (a.ndim != b.ndim)
    return cusp_fail(CUSP_ESHAPE,
                     "indices of shape %s for a tensor of shape %s; both need as many axes",
                     cusp_shape_text(&b), cusp_shape_text(&a));
  a.size[axis] = b.size[axis] = 1;
  CUSP_TRY(cusp_shape_broadcast(&both, &a, &b));
  both.size[axis] = size;
  CUSP_TRY(cusp_built(*x = cusp_broadcast_to(*x, &both)));
  both.size[axis] = places;
  return cusp_built(*positions = cusp_broadcast_to(*positions, &both));
}

CUSP_COMPOSE(compose_take_along_axis) {
  bool flat = attrs[0].kind == CUSP_ATTR_NONE;
  cusp_node *x = flat ? cusp_apply_1("ravel", inputs[0]) : inputs[0],
            *positions = positions_of(inputs[1]);
  int axis = 0;
  CUSP_TRY(cusp_built(x));
  CUSP_TRY(cusp_built(positions));
  if (flat)
    CUSP_TRY(cusp_built(positions = cusp_apply_1("ravel", positions)));
  else
    CUSP_TRY(cusp_axis_check(attrs[0].integer, x->type.shape.ndim, &axis));
  CUSP_TRY(broadcast_around(axis, &x, &positions));
  return cusp_built(outputs[0] = CUSP_APPLY2("gather_along", x, positions, cusp_attr_int(axis)));
}

/* What the first axes hold at one position each. */
CUSP_COMPOSE(compose_get_item) {
  cusp_node *x = inputs[0];
  int count = attrs[0].kind == CUSP_ATTR_INT ? 1 : attrs[0].count;
  for (int i = 0; i < count; i++) {
    const cusp_shape *shape = &x->type.shape;
    int64_t at = attrs[0].kind == CUSP_ATTR_INT ? attrs[0].integer : attrs[0].ints[i];
    if (shape->ndim == 0)
      return cusp_fail(CUSP_EVALUE, "%d positions for a tensor of shape %s", count,
                       cusp_shape_text(&inputs[0]->type.shape));
    if (at < -shape->size[0] || at >= shape->size[0])
      return cusp_fail(CUSP_EVALUE, "position %lld is out of range for an axis of size %lld",
                       (long long)at, (long long)shape->size[0]);
    int64_t start[CUSP_MAX_DIMS] = {at < 0 ? at + shape->size[0] : at}, stop[CUSP_MAX_DIMS],
            step[CUSP_MAX_DIMS];
    for (int axis = 0; axis < shape->ndim; axis++) {
      stop[axis] = axis == 0 ? start[0] + 1 : shape->size[axis];
      step[axis] = 1;
    }
    x = CUSP_APPLY1("strided_slice", x, cusp_attr_ints(start, shape->ndim),
                    cusp_attr_ints(stop, shape->ndim), cusp_attr_ints(step, shape->ndim));
    CUSP_TRY(cusp_built(x = CUSP_APPLY1("squeeze", x, cusp_attr_int(0))));
  }
  outputs[0] = x;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ scattering */

CUSP_COMPOSE(compose_scatter) {
  cusp_shape shape;
  CUSP_TRY(cusp_shape_from_attr(&shape, &attrs[0]));
  cusp_node *zeros = cusp_full(&shape, 0, inputs[1]->type.dtype);
  return cusp_built(outputs[0] = scatter_nd(zeros, positions_of(inputs[0]),
                                            cusp_cast(inputs[1], inputs[1]->type.dtype),
                                            CUSP_SCATTER_ADD, false));
}

static cusp_status scatter_mode(const cusp_attr *attr, cusp_scatter_mode *mode) {
  static const char *const names[] = {[CUSP_SCATTER_ADD] = "add",
                                      [CUSP_SCATTER_MAX] = "max",
                                      [CUSP_SCATTER_MIN] = "min",
                                      [CUSP_SCATTER_MULTIPLY] = "mul"};
  *mode = CUSP_SCATTER_SET;
  if (attr->kind == CUSP_ATTR_NONE)
    return CUSP_OK;
  for (int i = CUSP_SCATTER_ADD; i < CUSP_SCATTER_MODES; i++)
    if (!strcmp(names[i], attr->string)) {
      *mode = (cusp_scatter_mode)i;
      return CUSP_OK;
    }
  return cusp_fail(CUSP_EVALUE,
                   "unknown reduction \"%s\"; expected \"add\", \"max\", \"min\", \"mul\" or nil",
                   attr->string);
}

CUSP_COMPOSE(compose_scatter_update) {
  cusp_scatter_mode mode;
  CUSP_TRY(scatter_mode(&attrs[0], &mode));
  cusp_node *updates = cusp_cast(inputs[2], inputs[0]->type.dtype);
  return cusp_built(outputs[0] =
                        scatter_nd(inputs[0], positions_of(inputs[1]), updates, mode, false));
}

/* One more than the largest of `ids`, which is computed now. */
static cusp_status count_ids(cusp_node *ids, int64_t *count) {
  int n;
  *count = 0;
  if (cusp_shape_count(&ids->type.shape) == 0)
    return CUSP_OK;
  cusp_node *largest = cusp_apply_1("amax", ids);
  CUSP_TRY(cusp_built(largest));
  CUSP_TRY(cusp_static_ints(largest, count, 1, &n));
  *count = *count < 0 ? 0 : *count + 1;
  return CUSP_OK;
}

/* Ids outside, negative ones too, are dropped. attrs: num_segments, sorted */
static cusp_node *segment(cusp_node *data, cusp_node *segment_ids, const cusp_attr *attrs,
                          cusp_scatter_mode mode, double empty) {
  cusp_node *ids = positions_of(segment_ids);
  cusp_shape shape = data->type.shape;
  int64_t segments = attrs[0].integer;
  if (!ids || shape.ndim == 0 || ids->type.shape.ndim != 1 ||
      ids->type.shape.size[0] != shape.size[0]) {
    if (ids)
      cusp_fail(CUSP_ESHAPE,
                "segment ids of shape %s for data of shape %s; expected one for each row",
                cusp_shape_text(&ids->type.shape), cusp_shape_text(&shape));
    return NULL;
  }
  if (attrs[0].kind != CUSP_ATTR_INT && count_ids(ids, &segments) != CUSP_OK)
    return NULL;
  shape.size[0] = segments;
  ids = cusp_where(cusp_less(ids, cusp_scalar_like(0, ids)),
                   cusp_scalar_like((double)segments, ids), ids);
  return scatter_nd(cusp_full(&shape, empty, data->type.dtype), cusp_expand_dims(ids, 1), data,
                    mode, true);
}

/* The least and the largest number of a dtype: what the largest and least of nothing are. */
static double least(cusp_dtype dtype) {
  if (cusp_dtype_is_float(dtype))
    return -__builtin_inf();
  return cusp_dtype_is_signed_int(dtype) ? -__builtin_ldexp(1, 8 * (int)cusp_dtype_size(dtype) - 1)
                                         : 0;
}

static double most(cusp_dtype dtype) {
  return cusp_dtype_is_float(dtype) ? __builtin_inf() : cusp_dtype_greatest(dtype);
}

CUSP_COMPOSE(compose_segment_sum) {
  return cusp_built(outputs[0] = segment(inputs[0], inputs[1], attrs, CUSP_SCATTER_ADD, 0));
}
CUSP_COMPOSE(compose_segment_prod) {
  return cusp_built(outputs[0] = segment(inputs[0], inputs[1], attrs, CUSP_SCATTER_MULTIPLY, 1));
}
CUSP_COMPOSE(compose_segment_max) {
  return cusp_built(outputs[0] = segment(inputs[0], inputs[1], attrs, CUSP_SCATTER_MAX,
                                         least(inputs[0]->type.dtype)));
}
CUSP_COMPOSE(compose_segment_min) {
  return cusp_built(outputs[0] = segment(inputs[0], inputs[1], attrs, CUSP_SCATTER_MIN,
                                         most(inputs[0]->type.dtype)));
}

/* Vectors, or the rows of a matrix each by itself. attrs: minlength, sparse */
CUSP_COMPOSE(compose_bincount) {
  cusp_node *x = positions_of(inputs[0]);
  int64_t bins;
  CUSP_TRY(cusp_built(x));
  const cusp_shape shape = x->type.shape;
  if (shape.ndim < 1 || shape.ndim > 2 || attrs[1].integer)
    return cusp_fail(CUSP_EUNSUPPORTED, attrs[1].integer ? "sparse results are not available"
                                                         : "expected a vector or a matrix");
  CUSP_TRY(count_ids(x, &bins));
  bins = bins > attrs[0].integer ? bins : attrs[0].integer;
  cusp_dtype dtype = n_inputs > 1 ? inputs[1]->type.dtype : CUSP_INT32;
  cusp_shape counts = {1, {bins}}, flat = {2, {cusp_shape_count(&shape), 1}},
             line = {1, {flat.size[0]}};
  if (shape.ndim == 2) {
    cusp_shape column = {2, {shape.size[0], 1}};
    cusp_node *first = cusp_reshape(
        CUSP_APPLY1("arange", cusp_scalar((double)shape.size[0], CUSP_INT64)), &column);
    x = cusp_add(cusp_cast(x, CUSP_INT64), cusp_scale(first, (double)bins));
    counts.size[0] *= shape.size[0];
  }
  cusp_node *weights = n_inputs > 1 ? cusp_reshape(inputs[1], &line) : cusp_full(&line, 1, dtype);
  cusp_node *sums = scatter_nd(cusp_full(&counts, 0, dtype), cusp_reshape(x, &flat), weights,
                               CUSP_SCATTER_ADD, false);
  return cusp_built(outputs[0] = shape.ndim == 2
                                     ? cusp_reshape(sums, &(cusp_shape){2, {shape.size[0], bins}})
                                     : sums);
}

/* ------------------------------------------------------------------ encodings */

/* attrs: num_classes, axis, dtype, sparse */
static cusp_status one_hot(cusp_node *x, const cusp_attr *attrs, cusp_node **out) {
  cusp_shape classes = {.ndim = x->type.shape.ndim + 1};
  int axis;
  if (attrs[3].integer)
    return cusp_fail(CUSP_EUNSUPPORTED, "sparse results are not available");
  if (attrs[0].kind != CUSP_ATTR_INT || attrs[0].integer < 0)
    return cusp_fail(CUSP_EVALUE, "argument 'num_classes' should be at least 0");
  if (classes.ndim > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_ESHAPE, "the result would have %d axes; at most %d are supported",
                     classes.ndim, CUSP_MAX_DIMS);
  CUSP_TRY(cusp_axis_check(attrs[1].integer, classes.ndim, &axis));
  for (int i = 0; i < classes.ndim; i++)
    classes.size[i] = i == axis ? attrs[0].integer : 1;
  cusp_dtype dtype =
      attrs[2].kind == CUSP_ATTR_DTYPE ? (cusp_dtype)attrs[2].integer : cusp_get_floatx();
  CUSP_TRY(cusp_built(cusp_full(&classes, 0, dtype))); /* refused here where there are too many */
  bool narrow =
      cusp_dtype_promote(x->type.dtype, CUSP_INT32) == CUSP_INT32 && attrs[0].integer <= INT32_MAX;
  cusp_node *ids = cusp_expand_dims(cusp_cast(x, narrow ? CUSP_INT32 : CUSP_INT64), axis);
  cusp_node *range = CUSP_APPLY1("arange", cusp_scalar_like((double)attrs[0].integer, ids));
  return cusp_built(*out = cusp_cast(cusp_equal(ids, cusp_reshape(range, &classes)), dtype));
}

CUSP_COMPOSE(compose_one_hot) { return one_hot(inputs[0], attrs, &outputs[0]); }

/* The axis after the batch is the one of labels. */
CUSP_COMPOSE(compose_multi_hot) {
  cusp_node *each;
  int ndim = inputs[0]->type.shape.ndim;
  if (ndim == 0)
    return cusp_fail(CUSP_ESHAPE, "expected at least one axis of labels");
  CUSP_TRY(one_hot(inputs[0], attrs, &each));
  int axis = (int)(attrs[1].integer < 0 ? attrs[1].integer + ndim + 1 : attrs[1].integer),
      labels = ndim > 1 ? 1 : 0;
  return cusp_built(
      outputs[0] = CUSP_APPLY1("amax", each,
                               cusp_attr_int(axis <= labels && ndim == 1 ? labels + 1 : labels)));
}

/* ------------------------------------------------------------------ searching */

CUSP_COMPOSE(compose_digitize) {
  if (inputs[1]->type.shape.ndim != 1)
    return cusp_fail(CUSP_ESHAPE, "bins should be a vector, got shape %s",
                     cusp_shape_text(&inputs[1]->type.shape));
  return cusp_built(
      outputs[0] = CUSP_APPLY2("searchsorted", inputs[1], inputs[0], cusp_attr_string("right")));
}

CUSP_COMPOSE(compose_unravel_index) {
  cusp_shape shape;
  CUSP_TRY(cusp_shape_from_attr(&shape, &attrs[0]));
  cusp_node *rest = positions_of(inputs[0]);
  for (int axis = shape.ndim - 1; axis >= 0; axis--) {
    cusp_node *size = cusp_scalar_like((double)shape.size[axis], rest);
    CUSP_TRY(cusp_built(outputs[axis] = cusp_apply_2("mod", rest, size)));
    rest = cusp_apply_2("floor_divide", rest, size);
  }
  *n_outputs = shape.ndim;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ positions of what is not 0:
 * computed now */

/* Writes the positions of true elements along each axis, one axis after the other, each of `found`
 * elements. */
static void write_positions(const cusp_array *flags, int64_t found, int32_t *out) {
  const uint8_t *flag = flags->data;
  int64_t position[CUSP_MAX_DIMS] = {0}, count = cusp_array_count(flags), row = 0;
  for (int64_t i = 0; i < count; i++) {
    if (flag[i]) {
      for (int axis = 0; axis < flags->shape.ndim; axis++)
        out[axis * found + row] = (int32_t)position[axis];
      row++;
    }
    for (int axis = flags->shape.ndim - 1; axis >= 0 && ++position[axis] == flags->shape.size[axis];
         axis--)
      position[axis] = 0;
  }
}

static int64_t count_true(const cusp_array *flags) {
  const uint8_t *flag = flags->data;
  int64_t count = cusp_array_count(flags), found = 0;
  for (int64_t i = 0; i < count; i++)
    found += flag[i] != 0;
  return found;
}

static cusp_status list_positions(const cusp_array *flags, cusp_node **outputs, int *n_outputs) {
  int64_t found = count_true(flags);
  int ndim = flags->shape.ndim;
  void *positions;
  cusp_status status = CUSP_OK;
  for (int axis = 0; axis < ndim; axis++)
    if (flags->shape.size[axis] > INT32_MAX)
      return cusp_fail(CUSP_ESHAPE,
                       "at most %d elements have positions in int32; the tensor has shape %s",
                       INT32_MAX, cusp_shape_text(&flags->shape));
  CUSP_TRY(cusp_alloc(&positions, (size_t)(found * ndim) * sizeof(int32_t) + 1));
  write_positions(flags, found, positions);
  for (int axis = 0; axis < ndim && status == CUSP_OK; axis++)
    status = cusp_built(
        outputs[axis] = cusp_constant_1d(CUSP_INT32, found, (int32_t *)positions + axis * found));
  cusp_free(positions);
  *n_outputs = ndim;
  return status;
}

CUSP_COMPOSE(compose_nonzero) {
  cusp_node *x = inputs[0];
  if (x->type.shape.ndim == 0)
    CUSP_TRY(cusp_built(x = cusp_expand_dims(x, 0)));
  cusp_node *nonzero = cusp_cast(x, CUSP_BOOL);
  cusp_array flags;
  CUSP_TRY(cusp_built(nonzero));
  if (!cusp_node_evaluated(nonzero))
    CUSP_TRY(cusp_evaluate(1, &nonzero));
  CUSP_TRY(cusp_array_new(&flags, CUSP_BOOL, &nonzero->type.shape));
  cusp_array_copy(&flags, &nonzero->value);
  cusp_status status = list_positions(&flags, outputs, n_outputs);
  cusp_array_release(&flags);
  return status;
}

/* ------------------------------------------------------------------ rows */

#define HIDDEN(row)                                                          \
  .flags = CUSP_OP_HIDDEN, .infer = infer_##row, .gradient = row##_gradient, \
  .kernels = cusp_##row##_kernels
#define MOVING(row)                                                                            \
  .flags = CUSP_OP_HIDDEN | CUSP_OP_STRINGS, .infer = infer_##row, .gradient = row##_gradient, \
  .kernels = cusp_##row##_kernels
#define SEGMENT "data, segment_ids, num_segments: int = nil, sorted: bool = false"
#define CONSTANT .flags = CUSP_OP_NO_GRADIENT

const cusp_op cusp_ops_index[] = {
    {.name = "take",
     .arguments = "x, indices, axis: axis = nil",
     .help = "The parts of an axis at indices (from 0; negative ones from the end), or of all "
             "elements in a row.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_take},
    {.name = "take_along_axis",
     .arguments = "x, indices, axis: axis = nil",
     .help = "Along an axis, for each line its own indices (from 0).",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_take_along_axis},
    {.name = "get_item",
     .arguments = "x, key: int_or_ints",
     .help = "What the first axes hold at one position each (from 0).",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_get_item},
    {.name = "scatter",
     .arguments = "indices, values, shape: shape",
     .help = "Zeros of that shape, with values added at indices [..., k] (from 0) into the first k "
             "axes.",
     .compose = compose_scatter},
    {.name = "scatter_update",
     .arguments = "inputs, indices, updates, reduction: string = nil",
     .help = "inputs with updates written (or combined: add, max, min, mul) at indices [..., k] "
             "(from 0) into the first k axes.",
     .flags = CUSP_OP_UPDATES,
     .compose = compose_scatter_update},
    {.name = "segment_sum",
     .arguments = SEGMENT,
     .help = "The sums of the rows of each segment.",
     .compose = compose_segment_sum},
    {.name = "segment_prod",
     .arguments = SEGMENT,
     .help = "The products of the rows of each segment.",
     .compose = compose_segment_prod},
    {.name = "segment_max",
     .arguments = SEGMENT,
     .help = "The largest of the rows of each segment.",
     .compose = compose_segment_max},
    {.name = "segment_min",
     .arguments = SEGMENT,
     .help = "The smallest of the rows of each segment.",
     .compose = compose_segment_min},
    {.name = "bincount",
     .arguments = "x, weights?, minlength: int = 0, sparse: bool = false",
     .help = "How often each number from 0 on occurs, or the sum of its weights.",
     .compose = compose_bincount},
    {.name = "one_hot",
     .arguments = "x, num_classes: int, axis: axis = -1, dtype: dtype = nil, sparse: bool = false",
     .help = "1 at the position that each class id (from 0) names along a new axis, else 0.",
     CONSTANT,
     .compose = compose_one_hot},
    {.name = "multi_hot",
     .arguments =
         "inputs, num_classes: int, axis: axis = -1, dtype: dtype = nil, sparse: bool = false",
     .help = "1 at each position that the class ids (from 0) of a sample name, else 0.",
     CONSTANT,
     .compose = compose_multi_hot},
    {.name = "digitize",
     .arguments = "x, bins",
     .help = "The bin (from 0) that each element falls into, given the bins' rising left edges.",
     .promotion = CUSP_PROMOTE_COMMON,
     CONSTANT,
     .compose = compose_digitize},
    {.name = "unravel_index",
     .arguments = "indices, shape: shape",
     .help = "Positions in a flattened array as positions in each axis.",
     CONSTANT,
     .compose = compose_unravel_index},
    {.name = "nonzero",
     .arguments = "x",
     .help = "The positions (from 0) of what is not 0, one tensor for each axis.",
     CONSTANT,
     .compose = compose_nonzero},
    {.name = "gather_axis",
     .arguments = "x, indices, axis: axis",
     .help = "The parts of an axis at indices.",
     MOVING(gather_axis)},
    {.name = "scatter_axis",
     .arguments = "updates, indices, axis: axis, size: int",
     .help = "Zeros with updates added along an axis at indices.",
     HIDDEN(scatter_axis)},
    {.name = "gather_along",
     .arguments = "x, indices, axis: axis",
     .help = "Along an axis, the elements at each line's own indices.",
     MOVING(gather_along)},
    {.name = "scatter_along",
     .arguments = "updates, indices, axis: axis, size: int",
     .help = "Zeros with updates added along an axis at each line's own indices.",
     HIDDEN(scatter_along)},
    {.name = "gather_nd",
     .arguments = "x, indices, drop: bool = false",
     .help = "What lies at positions in the first axes.",
     MOVING(gather_nd)},
    {.name = "scatter_nd",
     .arguments = "x, indices, updates, mode: int, drop: bool = false",
     .help = "x with updates combined at positions in the first axes.",
     HIDDEN(scatter_nd)},
    {0},
};
