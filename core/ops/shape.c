/* Rows that move elements and change none: views, slices, repetition, padding. */

#include "../node/build.h"

#include "../base/memory.h"
#include "../kernels/copy.h"
#include "../node/infer.h"

#include <string.h>

static const int64_t ones[CUSP_MAX_DIMS] = {1, 1, 1, 1, 1, 1, 1, 1};

/* ------------------------------------------------------------------ reshape */

/* Replaces a single -1 by what is left of `count` elements. */
static cusp_status resolve_shape(cusp_inference *inference, const cusp_attr *attr, const cusp_shape *from, int64_t *sizes) {
  int64_t count = cusp_shape_count(from), known = 1;
  int unknown = -1, ndim = attr->count;
  if (ndim > CUSP_MAX_DIMS)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "a shape of %d axes; at most %d are possible", ndim, CUSP_MAX_DIMS);
  for (int axis = 0; axis < ndim; axis++) {
    sizes[axis] = attr->ints[axis];
    if (sizes[axis] == -1 && unknown >= 0)
      return cusp_infer_fail(inference, CUSP_ESHAPE, "only one size of the new shape may be -1");
    if (sizes[axis] == -1)
      unknown = axis;
    else if (sizes[axis] < 0 || __builtin_mul_overflow(known, sizes[axis], &known))
      return cusp_infer_fail(inference, CUSP_ESHAPE, "the new shape has a size of %lld", (long long)sizes[axis]);
  }
  if (unknown >= 0 && known > 0 && count % known == 0)
    sizes[unknown] = count / known;
  else if (unknown >= 0 || known != count)
    return cusp_infer_fail(
        inference, CUSP_ESHAPE, "%lld elements of shape %s do not fit into the new shape %s", (long long)count, cusp_shape_text(from),
        cusp_shape_text(&(cusp_shape){ndim, {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6], sizes[7]}}));
  return CUSP_OK;
}

static cusp_status infer_reshape(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  cusp_attr *attr = &inference->attrs[0];
  int64_t *sizes = inference->scratch;
  memset(sizes, 0, CUSP_MAX_DIMS * sizeof *sizes);
  if (attr->kind == CUSP_ATTR_INT) {
    inference->scratch[CUSP_MAX_DIMS] = attr->integer;
    *attr = cusp_attr_ints(inference->scratch + CUSP_MAX_DIMS, 1);
  }
  CUSP_TRY(resolve_shape(inference, attr, &x->shape, sizes));
  *attr = cusp_attr_ints(sizes, attr->count);
  inference->outputs[0] = (cusp_type){x->dtype, {.ndim = attr->count}};
  memcpy(inference->outputs[0].shape.size, sizes, (size_t)attr->count * sizeof *sizes);
  return CUSP_OK;
}

static bool view_reshape(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type, cusp_array *out) {
  (void)attrs;
  return cusp_array_reshape(out, in, &out_type->shape);
}

static cusp_status reshape_gradient(cusp_gradient *g) { return cusp_built(g->dx[0] = cusp_reshape(g->dy[0], &g->x[0]->type.shape)); }

CUSP_COMPOSE(compose_ravel) { return cusp_built(outputs[0] = CUSP_APPLY1("reshape", inputs[0], cusp_attr_ints((int64_t[]){-1}, 1))); }

/* The list of an axes attribute, whichever way it was given. */
static int axes_of(const cusp_attr *attr, const int64_t **axes) {
  *axes = attr->kind == CUSP_ATTR_INT ? &attr->integer : attr->ints;
  return attr->kind == CUSP_ATTR_INT ? 1 : attr->kind == CUSP_ATTR_INTS ? attr->count : 0;
}

/* Marks the axes in `chosen`, each at most once. */
static cusp_status choose_axes(const cusp_attr *attr, int ndim, bool *chosen) {
  const int64_t *axes;
  int count = axes_of(attr, &axes);
  for (int i = 0; i < count; i++) {
    int axis;
    CUSP_TRY(cusp_axis_check(axes[i], ndim, &axis));
    if (chosen[axis])
      return cusp_fail(CUSP_EVALUE, "axis %d is given twice", axis + 1);
    chosen[axis] = true;
  }
  return CUSP_OK;
}

CUSP_COMPOSE(compose_expand_dims) {
  const int64_t *axes;
  const cusp_shape *from = &inputs[0]->type.shape;
  bool chosen[CUSP_MAX_DIMS] = {false};
  cusp_shape shape = {.ndim = from->ndim + axes_of(&attrs[0], &axes)};
  if (shape.ndim > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_ESHAPE, "the result would have %d axes; at most %d are possible", shape.ndim, CUSP_MAX_DIMS);
  CUSP_TRY(choose_axes(&attrs[0], shape.ndim, chosen));
  for (int axis = 0, source = 0; axis < shape.ndim; axis++)
    shape.size[axis] = chosen[axis] ? 1 : from->size[source++];
  return cusp_built(outputs[0] = cusp_reshape(inputs[0], &shape));
}

CUSP_COMPOSE(compose_squeeze) {
  const cusp_shape *from = &inputs[0]->type.shape;
  bool chosen[CUSP_MAX_DIMS] = {false}, all = attrs[0].kind == CUSP_ATTR_NONE;
  cusp_shape shape = {0};
  CUSP_TRY(choose_axes(&attrs[0], from->ndim, chosen));
  for (int axis = 0; axis < from->ndim; axis++) {
    if (chosen[axis] && from->size[axis] != 1)
      return cusp_fail(CUSP_ESHAPE, "axis %d has size %lld, only axes of size 1 can go; the tensor has shape %s", axis + 1,
                       (long long)from->size[axis], cusp_shape_text(from));
    if (!chosen[axis] && !(all && from->size[axis] == 1))
      shape.size[shape.ndim++] = from->size[axis];
  }
  return cusp_built(outputs[0] = cusp_reshape(inputs[0], &shape));
}

/* ------------------------------------------------------------------ transpose */

static cusp_status infer_transpose(cusp_inference *inference) {
  const cusp_shape *shape = &inference->inputs[0].shape;
  cusp_attr *attr = &inference->attrs[0];
  int64_t *axes = inference->scratch;
  bool used[CUSP_MAX_DIMS] = {false};
  bool reversed = attr->kind == CUSP_ATTR_NONE;
  int count = attr->kind == CUSP_ATTR_INT ? 1 : attr->count;
  if (!reversed && count != shape->ndim)
    return cusp_infer_fail(inference, CUSP_EVALUE, "%d axes are given for a tensor of %d", count, shape->ndim);
  for (int i = 0; i < shape->ndim; i++) {
    int axis = shape->ndim - 1 - i;
    if (!reversed)
      CUSP_TRY(cusp_infer_axis(inference, attr->kind == CUSP_ATTR_INT ? attr->integer : attr->ints[i], shape->ndim, &axis));
    if (used[axis])
      return cusp_infer_fail(inference, CUSP_EVALUE, "axis %d is given twice", axis + 1);
    used[axis] = true;
    axes[i] = axis;
    inference->outputs[0].shape.size[i] = shape->size[axis];
  }
  *attr = cusp_attr_ints(axes, shape->ndim);
  inference->outputs[0].shape.ndim = shape->ndim;
  inference->outputs[0].dtype = inference->inputs[0].dtype;
  return CUSP_OK;
}

static bool view_transpose(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type, cusp_array *out) {
  (void)out_type;
  cusp_array_transpose(out, in, attrs[0].ints);
  return true;
}

static cusp_status transpose_gradient(cusp_gradient *g) {
  int64_t inverse[CUSP_MAX_DIMS];
  const cusp_attr *axes = &g->node->attrs[0];
  for (int i = 0; i < axes->count; i++)
    inverse[axes->ints[i]] = i;
  return cusp_built(g->dx[0] = cusp_transpose(g->dy[0], inverse));
}

CUSP_COMPOSE(compose_swapaxes) {
  int64_t axes[CUSP_MAX_DIMS] = {0, 1, 2, 3, 4, 5, 6, 7};
  int a, b;
  CUSP_TRY(cusp_axis_check(attrs[0].integer, inputs[0]->type.shape.ndim, &a));
  CUSP_TRY(cusp_axis_check(attrs[1].integer, inputs[0]->type.shape.ndim, &b));
  axes[a] = b;
  axes[b] = a;
  return cusp_built(outputs[0] = cusp_transpose(inputs[0], axes));
}

CUSP_COMPOSE(compose_moveaxis) {
  const int64_t *from, *to;
  int ndim = inputs[0]->type.shape.ndim, count = axes_of(&attrs[0], &from);
  bool taken[CUSP_MAX_DIMS] = {false}, placed[CUSP_MAX_DIMS] = {false};
  int64_t axes[CUSP_MAX_DIMS];
  if (count != axes_of(&attrs[1], &to))
    return cusp_fail(CUSP_EVALUE, "source and destination have to be of the same length");
  CUSP_TRY(choose_axes(&attrs[0], ndim, taken));
  CUSP_TRY(choose_axes(&attrs[1], ndim, placed));
  for (int i = 0; i < count; i++)
    axes[to[i] < 0 ? to[i] + ndim : to[i]] = from[i] < 0 ? from[i] + ndim : from[i];
  for (int axis = 0, source = 0; axis < ndim; axis++) {
    if (placed[axis])
      continue;
    while (taken[source])
      source++;
    axes[axis] = source++;
  }
  return cusp_built(outputs[0] = cusp_transpose(inputs[0], axes));
}

/* ------------------------------------------------------------------ broadcast_to */

static cusp_status infer_broadcast_to(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  cusp_shape shape, both;
  cusp_status status = cusp_shape_from_attr(&shape, &inference->attrs[0]);
  if (status == CUSP_OK)
    status = cusp_shape_broadcast(&both, &x->shape, &shape);
  if (status != CUSP_OK || !cusp_shape_equal(&both, &shape))
    return cusp_infer_fail(inference, CUSP_ESHAPE, "a tensor of shape %s does not broadcast to %s", cusp_shape_text(&x->shape),
                           cusp_shape_text(&shape));
  inference->outputs[0] = (cusp_type){x->dtype, shape};
  return CUSP_OK;
}

static bool view_broadcast_to(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type, cusp_array *out) {
  (void)attrs;
  cusp_array_broadcast(out, in, &out_type->shape);
  return true;
}

/* The caller sums a cotangent to its input's shape. */
static cusp_status broadcast_to_gradient(cusp_gradient *g) {
  g->dx[0] = g->dy[0];
  return CUSP_OK;
}

/* ------------------------------------------------------------------ slices with known bounds */

/* Whether sums of a few such numbers could overflow; no axis is that long. */
static bool is_far(int64_t position) { return position > INT64_MAX / 8 || position < INT64_MIN / 8; }

/*
 * strided_slice: for each axis the first position, the one after the last (-1 for "before the first" of a negative step)
 * and the step, all counted from 0 and within the axis.
 */
static cusp_status infer_strided_slice(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  const cusp_attr *start = &inference->attrs[0], *stop = &inference->attrs[1], *step = &inference->attrs[2];
  int ndim = x->shape.ndim;
  if (start->count != ndim || stop->count != ndim || step->count != ndim)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "bounds for %d axes are given for a tensor of shape %s", start->count,
                           cusp_shape_text(&x->shape));
  inference->outputs[0] = *x;
  for (int axis = 0; axis < ndim; axis++) {
    int64_t by = step->ints[axis], first = start->ints[axis], size = x->shape.size[axis];
    if (by == 0)
      return cusp_infer_fail(inference, CUSP_EVALUE, "the step of axis %d is 0", axis + 1);
    if (is_far(first) || is_far(stop->ints[axis]) || is_far(by))
      return cusp_infer_fail(inference, CUSP_EVALUE, "positions %lld to %lld by steps of %lld lie outside axis %d of size %lld",
                             (long long)first, (long long)stop->ints[axis], (long long)by, axis + 1, (long long)size);
    int64_t distance = stop->ints[axis] - first;
    int64_t count = by > 0 ? (distance + by - 1) / by : (distance + by + 1) / by;
    if (count < 0 || distance == 0 || (distance > 0) != (by > 0))
      count = 0;
    if (count > 0 && (first < 0 || first >= size || first + (count - 1) * by < 0 || first + (count - 1) * by >= size))
      return cusp_infer_fail(inference, CUSP_EVALUE, "positions %lld to %lld lie outside axis %d of size %lld", (long long)first,
                             (long long)(first + (count - 1) * by), axis + 1, (long long)size);
    inference->outputs[0].shape.size[axis] = count;
  }
  return CUSP_OK;
}

static bool view_strided_slice(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type, cusp_array *out) {
  int64_t start[CUSP_MAX_DIMS];
  for (int axis = 0; axis < out_type->shape.ndim; axis++)
    start[axis] = out_type->shape.size[axis] > 0 ? attrs[0].ints[axis] : 0;
  cusp_array_slice(out, in, start, attrs[2].ints, &out_type->shape);
  return true;
}

static cusp_status strided_slice_gradient(cusp_gradient *g) {
  const cusp_attr *attrs = g->node->attrs;
  if (cusp_shape_count(&g->y[0]->type.shape) == 0)
    return cusp_built(g->dx[0] = cusp_zeros_like(g->x[0]));
  return cusp_built(g->dx[0] = CUSP_APPLY1("embed", g->dy[0], cusp_attr_shape(&g->x[0]->type.shape), attrs[0], attrs[2]));
}

/* The part of x of `size` elements along `axis` from `start`. */
static cusp_node *part(cusp_node *x, int axis, int64_t start, int64_t size) {
  int64_t first[CUSP_MAX_DIMS] = {0}, stop[CUSP_MAX_DIMS];
  if (!x)
    return NULL;
  memcpy(stop, x->type.shape.size, sizeof stop);
  first[axis] = start;
  stop[axis] = start + size;
  int ndim = x->type.shape.ndim;
  return CUSP_APPLY1("strided_slice", x, cusp_attr_ints(first, ndim), cusp_attr_ints(stop, ndim), cusp_attr_ints(ones, ndim));
}

/* embed: the inverse of strided_slice; x is placed in zeros, or in a given value. */
static cusp_status infer_embed(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  const cusp_attr *start = &inference->attrs[1], *step = &inference->attrs[2];
  cusp_shape shape;
  CUSP_TRY(cusp_shape_from_attr(&shape, &inference->attrs[0]));
  if (shape.ndim != x->shape.ndim || start->count != shape.ndim || step->count != shape.ndim)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "shape %s does not fit into %s", cusp_shape_text(&x->shape), cusp_shape_text(&shape));
  for (int axis = 0; axis < shape.ndim; axis++) {
    int64_t first = start->ints[axis], reach, last;
    bool overflows =
        __builtin_mul_overflow(x->shape.size[axis] - 1, step->ints[axis], &reach) || __builtin_add_overflow(first, reach, &last);
    if (overflows || step->ints[axis] == 0)
      return cusp_infer_fail(inference, CUSP_EVALUE, "steps of %lld from position %lld do not fit into axis %d of size %lld",
                             (long long)step->ints[axis], (long long)first, axis + 1, (long long)shape.size[axis]);
    if (x->shape.size[axis] > 0 && (first < 0 || last < 0 || first >= shape.size[axis] || last >= shape.size[axis]))
      return cusp_infer_fail(inference, CUSP_EVALUE, "positions %lld to %lld lie outside axis %d of size %lld", (long long)first,
                             (long long)last, axis + 1, (long long)shape.size[axis]);
  }
  if (inference->n_inputs > 1 && inference->inputs[1].shape.ndim != 0)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "the value has to be one number, received shape %s",
                           cusp_shape_text(&inference->inputs[1].shape));
  inference->outputs[0] = (cusp_type){x->dtype, shape};
  return CUSP_OK;
}

static cusp_status embed_gradient(cusp_gradient *g) {
  const cusp_attr *attrs = g->node->attrs;
  const cusp_shape *shape = &g->x[0]->type.shape;
  int64_t stop[CUSP_MAX_DIMS];
  for (int axis = 0; axis < shape->ndim; axis++) {
    int64_t step = attrs[2].ints[axis];
    stop[axis] = attrs[1].ints[axis] + (shape->size[axis] - 1) * step + (step > 0 ? 1 : -1);
  }
  cusp_node *inner = CUSP_APPLY1("strided_slice", g->dy[0], attrs[1], cusp_attr_ints(stop, shape->ndim), attrs[2]);
  if (g->wanted[0])
    CUSP_TRY(cusp_built(g->dx[0] = inner));
  if (g->n_inputs < 2 || !g->wanted[1])
    return CUSP_OK;
  return cusp_built(g->dx[1] = cusp_subtract(cusp_apply_1("sum", g->dy[0]), cusp_apply_1("sum", inner)));
}

CUSP_COMPOSE(compose_flip) {
  cusp_node *x = inputs[0];
  int ndim = x->type.shape.ndim;
  bool chosen[CUSP_MAX_DIMS] = {false}, all = attrs[0].kind == CUSP_ATTR_NONE;
  int64_t start[CUSP_MAX_DIMS] = {0}, stop[CUSP_MAX_DIMS], step[CUSP_MAX_DIMS];
  CUSP_TRY(choose_axes(&attrs[0], ndim, chosen));
  for (int axis = 0; axis < ndim; axis++) {
    bool turned = (all || chosen[axis]) && x->type.shape.size[axis] > 0;
    start[axis] = turned ? x->type.shape.size[axis] - 1 : 0;
    stop[axis] = turned ? -1 : x->type.shape.size[axis];
    step[axis] = turned ? -1 : 1;
  }
  return cusp_built(
      outputs[0] = CUSP_APPLY1("strided_slice", x, cusp_attr_ints(start, ndim), cusp_attr_ints(stop, ndim), cusp_attr_ints(step, ndim)));
}

static cusp_node *flip(cusp_node *x, int axis) { return CUSP_APPLY1("flip", x, cusp_attr_int(axis)); }

CUSP_COMPOSE(compose_flipud) { return cusp_built(outputs[0] = flip(inputs[0], 0)); }
CUSP_COMPOSE(compose_fliplr) { return cusp_built(outputs[0] = flip(inputs[0], 1)); }

CUSP_COMPOSE(compose_rot90) {
  cusp_node *x = inputs[0];
  int first, second, ndim = x->type.shape.ndim, turns = (int)(((attrs[0].integer % 4) + 4) % 4);
  if (attrs[1].kind != CUSP_ATTR_INTS || attrs[1].count != 2)
    return cusp_fail(CUSP_EVALUE, "expected two axes");
  CUSP_TRY(cusp_axis_check(attrs[1].ints[0], ndim, &first));
  CUSP_TRY(cusp_axis_check(attrs[1].ints[1], ndim, &second));
  if (first == second)
    return cusp_fail(CUSP_EVALUE, "the two axes have to differ, both are %d", first + 1);
  if (turns >= 2)
    x = flip(flip(x, first), second);
  if (turns % 2 == 1)
    x = CUSP_APPLY1("swapaxes", flip(x, second), cusp_attr_int(first), cusp_attr_int(second));
  return cusp_built(outputs[0] = x);
}

/* ------------------------------------------------------------------ slices whose start may be a tensor */

static cusp_status check_starts(cusp_inference *inference, const cusp_shape *whole, const cusp_shape *piece) {
  const cusp_type *starts = &inference->inputs[1];
  if (starts->dtype != CUSP_INT64 || starts->shape.ndim != 1 || starts->shape.size[0] != whole->ndim)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "expected %d start indices, received shape %s", whole->ndim,
                           cusp_shape_text(&starts->shape));
  bool fits = piece->ndim == whole->ndim;
  for (int axis = 0; fits && axis < whole->ndim; axis++)
    fits = piece->size[axis] <= whole->size[axis];
  if (!fits)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "a part of shape %s does not fit into a tensor of shape %s", cusp_shape_text(piece),
                           cusp_shape_text(whole));
  return CUSP_OK;
}

static cusp_status infer_dynamic_slice(cusp_inference *inference) {
  cusp_shape shape;
  CUSP_TRY(cusp_shape_from_attr(&shape, &inference->attrs[0]));
  inference->outputs[0] = (cusp_type){inference->inputs[0].dtype, shape};
  return check_starts(inference, &inference->inputs[0].shape, &shape);
}

static cusp_status infer_dynamic_update(cusp_inference *inference) {
  inference->outputs[0] = inference->inputs[0];
  if (inference->inputs[2].dtype != inference->inputs[0].dtype)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "updates of dtype %s for a tensor of dtype %s",
                           cusp_dtype_name(inference->inputs[2].dtype), cusp_dtype_name(inference->inputs[0].dtype));
  return check_starts(inference, &inference->inputs[0].shape, &inference->inputs[2].shape);
}

static cusp_status dynamic_slice_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] = cusp_apply_3("dynamic_update", cusp_zeros_like(g->x[0]), g->x[1], g->dy[0]));
}

static cusp_status dynamic_update_gradient(cusp_gradient *g) {
  if (g->wanted[0])
    CUSP_TRY(cusp_built(g->dx[0] = cusp_apply_3("dynamic_update", g->dy[0], g->x[1], cusp_zeros_like(g->x[2]))));
  return g->wanted[2] ? cusp_built(g->dx[2] = CUSP_APPLY2("dynamic_slice", g->dy[0], g->x[1], cusp_attr_shape(&g->x[2]->type.shape)))
                      : CUSP_OK;
}

/* Start indices as an int64 vector. */
static cusp_node *starts_of(cusp_node *starts) {
  cusp_node *list = cusp_cast(starts, CUSP_INT64);
  return list && list->type.shape.ndim == 0 ? cusp_expand_dims(list, 0) : list;
}

/* Known starts make a view; the start is moved inwards where the part would reach past an end. */
CUSP_COMPOSE(compose_slice) {
  cusp_node *x = inputs[0];
  const cusp_shape *whole = &x->type.shape;
  int64_t start[CUSP_MAX_DIMS], stop[CUSP_MAX_DIMS];
  cusp_shape shape;
  int count;
  CUSP_TRY(cusp_shape_from_attr(&shape, &attrs[0]));
  if (!cusp_node_evaluated(inputs[1]) || inputs[1]->op || shape.ndim != whole->ndim)
    return cusp_built(outputs[0] = CUSP_APPLY2("dynamic_slice", x, starts_of(inputs[1]), cusp_attr_shape(&shape)));
  CUSP_TRY(cusp_static_ints(inputs[1], start, CUSP_MAX_DIMS, &count));
  if (count != whole->ndim)
    return cusp_fail(CUSP_ESHAPE, "expected %d start indices, received %d", whole->ndim, count);
  for (int axis = 0; axis < whole->ndim; axis++) {
    int64_t last = whole->size[axis] - shape.size[axis];
    if (last < 0)
      return cusp_fail(CUSP_ESHAPE, "a part of shape %s does not fit into a tensor of shape %s", cusp_shape_text(&shape),
                       cusp_shape_text(whole));
    start[axis] = start[axis] < 0 ? 0 : start[axis] > last ? last : start[axis];
    stop[axis] = start[axis] + shape.size[axis];
  }
  return cusp_built(
      outputs[0] = CUSP_APPLY1("strided_slice", x, cusp_attr_ints(start, count), cusp_attr_ints(stop, count), cusp_attr_ints(ones, count)));
}

CUSP_COMPOSE(compose_slice_update) {
  cusp_node *x = inputs[0];
  return cusp_built(outputs[0] = cusp_apply_3("dynamic_update", x, starts_of(inputs[1]), cusp_cast(inputs[2], x->type.dtype)));
}

/* ------------------------------------------------------------------ diagonals */

/* Both axes made positive; the diagonal's first row and column, and its length. */
static cusp_status infer_diagonal(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  cusp_type *out = &inference->outputs[0];
  int first, second;
  CUSP_TRY(cusp_infer_axis(inference, inference->attrs[1].integer, x->shape.ndim, &first));
  CUSP_TRY(cusp_infer_axis(inference, inference->attrs[2].integer, x->shape.ndim, &second));
  if (first == second)
    return cusp_infer_fail(inference, CUSP_EVALUE, "the two axes have to differ, both are %d", first + 1);
  inference->attrs[1] = cusp_attr_int(first);
  inference->attrs[2] = cusp_attr_int(second);
  int64_t offset = inference->attrs[0].integer;
  int64_t rows = x->shape.size[first] + (offset < 0 ? offset : 0), columns = x->shape.size[second] - (offset > 0 ? offset : 0);
  int64_t length = rows < columns ? rows : columns;
  *out = (cusp_type){.dtype = x->dtype};
  for (int axis = 0; axis < x->shape.ndim; axis++)
    if (axis != first && axis != second)
      out->shape.size[out->shape.ndim++] = x->shape.size[axis];
  out->shape.size[out->shape.ndim++] = length > 0 ? length : 0;
  return CUSP_OK;
}

static bool view_diagonal(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type, cusp_array *out) {
  int64_t offset = attrs[0].integer;
  int first = (int)attrs[1].integer, second = (int)attrs[2].integer, kept = 0;
  *out = *in;
  out->shape = out_type->shape;
  for (int axis = 0; axis < in->shape.ndim; axis++)
    if (axis != first && axis != second)
      out->strides[kept++] = in->strides[axis];
  out->strides[kept] = in->strides[first] + in->strides[second];
  if (cusp_shape_count(&out->shape) > 0) { /* the offset of an empty diagonal may be any number */
    int64_t skipped = offset > 0 ? offset * in->strides[second] : -offset * in->strides[first];
    out->data = (char *)in->data + skipped * (int64_t)cusp_dtype_size(in->dtype);
  }
  return true;
}

/* The cotangent on the diagonal of zero matrices, whose axes then go where they were. */
static cusp_status diagonal_gradient(cusp_gradient *g) {
  const cusp_attr *attrs = g->node->attrs;
  const cusp_shape *shape = &g->x[0]->type.shape;
  if (cusp_shape_count(&g->y[0]->type.shape) == 0)
    return cusp_built(g->dx[0] = cusp_zeros_like(g->x[0]));
  int64_t rows = shape->size[attrs[1].integer], columns = shape->size[attrs[2].integer];
  cusp_node *matrices = CUSP_APPLY1("on_diagonal", g->dy[0], cusp_attr_int(rows), cusp_attr_int(columns), attrs[0]);
  int64_t from[] = {-2, -1}, to[] = {attrs[1].integer, attrs[2].integer};
  return cusp_built(g->dx[0] = CUSP_APPLY1("moveaxis", matrices, cusp_attr_ints(from, 2), cusp_attr_ints(to, 2)));
}

CUSP_COMPOSE(compose_trace) {
  cusp_node *diagonal = CUSP_APPLY1("diagonal", inputs[0], attrs[0], attrs[1], attrs[2]);
  return cusp_built(outputs[0] = CUSP_APPLY1("sum", diagonal, cusp_attr_int(-1)));
}

/* ------------------------------------------------------------------ reading bytes as another dtype */

static cusp_status infer_view(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  cusp_type *out = &inference->outputs[0];
  *out = *x;
  if (inference->attrs[0].kind == CUSP_ATTR_DTYPE)
    out->dtype = (cusp_dtype)inference->attrs[0].integer;
  int64_t from = (int64_t)cusp_dtype_size(x->dtype), to = (int64_t)cusp_dtype_size(out->dtype);
  int last = x->shape.ndim - 1;
  if (from != to && (last < 0 || x->shape.size[last] * from % to != 0))
    return cusp_infer_fail(inference, CUSP_ESHAPE, "the last axis of shape %s does not hold whole elements of %s",
                           cusp_shape_text(&x->shape), cusp_dtype_name(out->dtype));
  if (out->dtype == CUSP_BOOL && x->dtype != CUSP_BOOL)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "bytes of %s cannot be read as bool", cusp_dtype_name(x->dtype));
  if (from != to)
    out->shape.size[last] = x->shape.size[last] * from / to;
  return CUSP_OK;
}

static bool view_view(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type, cusp_array *out) {
  (void)attrs;
  if (!cusp_array_is_contiguous(in))
    return false;
  *out = *in;
  out->dtype = out_type->dtype;
  out->shape = out_type->shape;
  cusp_strides_row_major(out->strides, &out->shape);
  return true;
}

/* ------------------------------------------------------------------ repetition */

/* [before, 1, size, after] broadcast to [before, times, size, after], or with the middle axes the other way round. */
static cusp_node *repeat_axis(cusp_node *x, int axis, int64_t times, bool each_element) {
  if (!x || times == 1)
    return x;
  cusp_shape shape = x->type.shape, split = {.ndim = 4, .size = {1, 1, 1, 1}};
  for (int i = 0; i < shape.ndim; i++)
    split.size[i < axis ? 0 : i > axis ? 3 : each_element ? 1 : 2] *= shape.size[i];
  if (__builtin_mul_overflow(shape.size[axis], times, &shape.size[axis])) {
    cusp_fail(CUSP_ESHAPE, "%lld repeats of a tensor of shape %s are too many", (long long)times, cusp_shape_text(&x->type.shape));
    return NULL;
  }
  x = cusp_reshape(x, &split);
  split.size[each_element ? 2 : 1] = times;
  return cusp_reshape(cusp_broadcast_to(x, &split), &shape);
}

/* A number of times for each position: take each position so often. */
static cusp_node *repeat_each(cusp_node *x, int axis, cusp_node *repeats) {
  int64_t size = x->type.shape.size[axis], total = 0, *times;
  void *block = NULL, *positions = NULL;
  int count = 0;
  cusp_node *result = NULL;
  if (repeats->type.shape.ndim != 1 || repeats->type.shape.size[0] != size) {
    cusp_fail(CUSP_ESHAPE, "expected one number of repeats or %lld of them, received shape %s", (long long)size,
              cusp_shape_text(&repeats->type.shape));
    return NULL;
  }
  if (cusp_alloc(&block, (size_t)size * sizeof *times + 1) != CUSP_OK)
    return NULL;
  times = block;
  if (cusp_static_ints(repeats, times, (int)size, &count) == CUSP_OK) {
    for (int i = 0; i < count; i++)
      total += times[i] > 0 ? times[i] : 0;
    if (cusp_alloc(&positions, (size_t)total * sizeof(int64_t) + 1) == CUSP_OK) {
      int64_t *next = positions;
      for (int i = 0; i < count; i++)
        for (int64_t k = 0; k < times[i]; k++)
          *next++ = i;
      result = CUSP_APPLY2("take", x, cusp_constant_1d(CUSP_INT64, total, positions), cusp_attr_int(axis));
    }
  }
  cusp_free(positions);
  cusp_free(block);
  return result;
}

CUSP_COMPOSE(compose_repeat) {
  cusp_node *x = attrs[0].kind == CUSP_ATTR_INT ? inputs[0] : cusp_apply_1("ravel", inputs[0]), *repeats = inputs[1];
  int axis, count;
  int64_t times;
  CUSP_TRY(cusp_built(x));
  CUSP_TRY(cusp_axis_check(attrs[0].kind == CUSP_ATTR_INT ? attrs[0].integer : 0, x->type.shape.ndim, &axis));
  if (cusp_shape_count(&repeats->type.shape) != 1)
    return cusp_built(outputs[0] = repeat_each(x, axis, repeats));
  CUSP_TRY(cusp_static_ints(repeats, &times, 1, &count));
  if (times < 0)
    return cusp_fail(CUSP_EVALUE, "repeats has to be at least 0, received %lld", (long long)times);
  return cusp_built(outputs[0] = repeat_axis(x, axis, times, true));
}

/* Numbers of repeats for the last axes; further ones make new axes in front. */
CUSP_COMPOSE(compose_tile) {
  const int64_t *times;
  int count = axes_of(&attrs[0], &times), extra = count - inputs[0]->type.shape.ndim;
  cusp_shape shape = inputs[0]->type.shape;
  if (count > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_ESHAPE, "repeats for %d axes; at most %d are possible", count, CUSP_MAX_DIMS);
  if (extra > 0) {
    memmove(shape.size + extra, shape.size, (size_t)shape.ndim * sizeof *shape.size);
    for (int axis = 0; axis < extra; axis++)
      shape.size[axis] = 1;
    shape.ndim = count;
  }
  cusp_node *x = cusp_reshape(inputs[0], &shape);
  for (int i = 0; i < count; i++) {
    if (times[i] < 0)
      return cusp_fail(CUSP_EVALUE, "repeats have to be at least 0, received %lld", (long long)times[i]);
    x = repeat_axis(x, shape.ndim - count + i, times[i], false);
  }
  return cusp_built(outputs[0] = x);
}

/* shift brought into 0 <= shift < size. */
static int64_t wrap(int64_t shift, int64_t size) { return size > 0 ? ((shift % size) + size) % size : 0; }

static cusp_node *roll_axis(cusp_node *x, int axis, int64_t shift) {
  int64_t size = x->type.shape.size[axis], split = wrap(shift, size);
  if (split == 0)
    return x;
  return CUSP_APPLY2("concatenate", part(x, axis, size - split, split), part(x, axis, 0, size - split), cusp_attr_int(axis));
}

CUSP_COMPOSE(compose_roll) {
  const int64_t *shifts, *axes;
  int n_shifts = axes_of(&attrs[0], &shifts), n_axes = axes_of(&attrs[1], &axes);
  cusp_node *x = inputs[0];
  if (attrs[1].kind == CUSP_ATTR_NONE) {
    int64_t shift = 0, size = cusp_shape_count(&x->type.shape);
    for (int i = 0; i < n_shifts; i++)
      shift = wrap(shift + wrap(shifts[i], size), size);
    CUSP_TRY(cusp_built(x = cusp_apply_1("ravel", x)));
    return cusp_built(outputs[0] = cusp_reshape(roll_axis(x, 0, shift), &inputs[0]->type.shape));
  }
  if (n_shifts == 0 || n_axes == 0 || (n_shifts != n_axes && n_shifts != 1 && n_axes != 1))
    return cusp_fail(CUSP_EVALUE, "%d shifts are given for %d axes", n_shifts, n_axes);
  for (int i = 0; i < n_axes || i < n_shifts; i++) {
    int axis;
    CUSP_TRY(cusp_axis_check(axes[n_axes == 1 ? 0 : i], x->type.shape.ndim, &axis));
    CUSP_TRY(cusp_built(x = roll_axis(x, axis, shifts[n_shifts == 1 ? 0 : i])));
  }
  outputs[0] = x;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ padding */

typedef struct padding {
  int64_t before[CUSP_MAX_DIMS], after[CUSP_MAX_DIMS];
} padding;

/* One number for all; a pair for all; or a pair for each axis, one after the other. */
static cusp_status read_padding(const cusp_attr *attr, int ndim, padding *pad) {
  const int64_t *widths;
  int count = axes_of(attr, &widths);
  if (count != 1 && count != 2 && count != 2 * ndim)
    return cusp_fail(CUSP_EVALUE, "expected pad_width as one number, a pair, or a pair for each of %d axes; received %d numbers", ndim,
                     count);
  for (int axis = 0; axis < ndim; axis++) {
    bool pairs = count == 2 * ndim;
    pad->before[axis] = widths[pairs ? 2 * axis : 0];
    pad->after[axis] = widths[pairs ? 2 * axis + 1 : count - 1];
    if (pad->before[axis] < 0 || pad->after[axis] < 0 || pad->before[axis] > INT32_MAX || pad->after[axis] > INT32_MAX)
      return cusp_fail(CUSP_EVALUE, "pad_width of axis %d is %lld and %lld; expected at least 0 and at most %d", axis + 1,
                       (long long)pad->before[axis], (long long)pad->after[axis], INT32_MAX);
  }
  return CUSP_OK;
}

static cusp_node *pad_constant(cusp_node *x, const padding *pad, cusp_node *value) {
  cusp_shape shape = x->type.shape;
  for (int axis = 0; axis < shape.ndim; axis++)
    shape.size[axis] += pad->before[axis] + pad->after[axis];
  cusp_node *in[] = {x, value ? cusp_cast(value, x->type.dtype) : NULL};
  cusp_attr attrs[] = {cusp_attr_shape(&shape), cusp_attr_ints(pad->before, shape.ndim), cusp_attr_ints(ones, shape.ndim)};
  return cusp_apply("embed", value ? 2 : 1, in, 3, attrs);
}

/* Which of `size` positions stands at `position`, which may lie outside. */
static int64_t mirrored(const char *mode, int64_t position, int64_t size) {
  if (!strcmp(mode, "edge"))
    return position < 0 ? 0 : position >= size ? size - 1 : position;
  if (!strcmp(mode, "wrap"))
    return ((position % size) + size) % size;
  int64_t period = !strcmp(mode, "symmetric") ? 2 * size : size > 1 ? 2 * size - 2 : 1;
  position = ((position % period) + period) % period;
  return position < size ? position : !strcmp(mode, "symmetric") ? period - 1 - position : period - position;
}

/* Modes that repeat elements of the axis itself: a gather of positions. */
static cusp_node *pad_mirrored(cusp_node *x, int axis, int64_t before, int64_t after, const char *mode) {
  int64_t size = x->type.shape.size[axis], total = before + size + after;
  void *positions;
  if (size == 0) {
    cusp_fail(CUSP_EVALUE, "axis %d has no elements to pad with", axis + 1);
    return NULL;
  }
  if (cusp_alloc(&positions, (size_t)total * sizeof(int64_t)) != CUSP_OK)
    return NULL;
  for (int64_t i = 0; i < total; i++)
    ((int64_t *)positions)[i] = mirrored(mode, i - before, size);
  cusp_node *result = CUSP_APPLY2("take", x, cusp_constant_1d(CUSP_INT64, total, positions), cusp_attr_int(axis));
  cusp_free(positions);
  return result;
}

/* `value`, of size 1 along the axis, `count` times. */
static cusp_node *stretched(cusp_node *value, int axis, int64_t count) { return repeat_axis(value, axis, count, true); }

/* From 0 at the outside towards `edge`: edge * 0/n, edge * 1/n, ... */
static cusp_node *ramp(cusp_node *edge, int axis, int64_t count, bool before) {
  if (!edge)
    return NULL;
  cusp_shape shape = {.ndim = edge->type.shape.ndim};
  for (int i = 0; i < shape.ndim; i++)
    shape.size[i] = i == axis ? count : 1;
  cusp_node *steps = cusp_cast(CUSP_APPLY1("arange", cusp_scalar((double)count, CUSP_INT64)), CUSP_FLOAT64);
  cusp_node *share = cusp_scale(before ? steps : steps ? flip(steps, 0) : NULL, 1 / (double)count);
  return cusp_cast(cusp_multiply(cusp_cast(edge, CUSP_FLOAT64), cusp_reshape(share, &shape)), edge->type.dtype);
}

/* The part that goes before or after along `axis`: a statistic of it, or a ramp. */
static cusp_node *pad_block(cusp_node *x, int axis, int64_t count, const char *mode, bool before) {
  if (!strcmp(mode, "linear_ramp"))
    return ramp(part(x, axis, before ? 0 : x->type.shape.size[axis] - 1, 1), axis, count, before);
  const char *row = !strcmp(mode, "mean") ? "mean" : !strcmp(mode, "maximum") ? "amax" : !strcmp(mode, "minimum") ? "amin" : "median";
  cusp_node *value = CUSP_APPLY1(row, x, cusp_attr_int(axis), cusp_attr_bool(true));
  if (cusp_dtype_is_int(x->type.dtype) && value && cusp_dtype_is_float(value->type.dtype))
    value = CUSP_APPLY1("round", value);
  return stretched(cusp_cast(value, x->type.dtype), axis, count);
}

static cusp_node *pad_outside(cusp_node *x, int axis, int64_t before, int64_t after, const char *mode) {
  cusp_node *parts[3];
  int count = 0;
  if (x->type.shape.size[axis] == 0) {
    cusp_fail(CUSP_EVALUE, "axis %d has no elements to pad with", axis + 1);
    return NULL;
  }
  if (before > 0)
    parts[count++] = pad_block(x, axis, before, mode, true);
  parts[count++] = x;
  if (after > 0)
    parts[count++] = pad_block(x, axis, after, mode, false);
  return cusp_apply("concatenate", count, parts, 1, (cusp_attr[]){cusp_attr_int(axis)});
}

static bool one_of(const char *name, const char *const *names) {
  while (*names && strcmp(*names, name) != 0)
    names++;
  return *names != NULL;
}

CUSP_COMPOSE(compose_pad) {
  static const char *const mirrors[] = {"edge", "wrap", "reflect", "symmetric", NULL};
  static const char *const blocks[] = {"linear_ramp", "maximum", "mean", "median", "minimum", NULL};
  cusp_node *x = inputs[0];
  const char *mode = attrs[1].string;
  padding pad;
  CUSP_TRY(read_padding(&attrs[0], x->type.shape.ndim, &pad));
  if (n_inputs > 1 && strcmp(mode, "constant") != 0)
    return cusp_fail(CUSP_EVALUE, "constant_values go with mode \"constant\" alone, not \"%s\"", mode);
  if (!strcmp(mode, "constant"))
    return cusp_built(outputs[0] = pad_constant(x, &pad, n_inputs > 1 ? inputs[1] : NULL));
  if (!one_of(mode, mirrors) && !one_of(mode, blocks))
    return cusp_fail(
        CUSP_EVALUE,
        "unknown mode \"%s\"; expected constant, edge, linear_ramp, maximum, mean, median, minimum, reflect, symmetric or wrap", mode);
  for (int axis = 0; axis < inputs[0]->type.shape.ndim; axis++)
    if (pad.before[axis] + pad.after[axis] > 0) {
      x = (one_of(mode, mirrors) ? pad_mirrored : pad_outside)(x, axis, pad.before[axis], pad.after[axis], mode);
      CUSP_TRY(cusp_built(x));
    }
  outputs[0] = x;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ rows */

#define VIEW(row) .flags = CUSP_OP_VIEW, .infer = infer_##row, .gradient = row##_gradient, .view = view_##row

const cusp_op cusp_ops_shape[] = {
    {.name = "reshape",
     .arguments = "x, newshape: shape",
     .help = "The same elements in another shape; one size may be -1.",
     VIEW(reshape)},
    {.name = "transpose", .arguments = "x, axes: axes = nil", .help = "The axes in another order, reversed unless given.", VIEW(transpose)},
    {.name = "broadcast_to",
     .arguments = "x, shape: shape",
     .help = "x repeated along axes of size 1 and new ones in front.",
     VIEW(broadcast_to)},
    {.name = "strided_slice",
     .arguments = "x, start: ints, stop: ints, step: ints",
     .help = "A part of each axis.",
     .flags = CUSP_OP_VIEW | CUSP_OP_HIDDEN,
     .infer = infer_strided_slice,
     .gradient = strided_slice_gradient,
     .view = view_strided_slice},
    {.name = "embed",
     .arguments = "x, value?, shape: shape, start: ints, step: ints",
     .help = "x as a part of a larger tensor that is 0, or a value, elsewhere.",
     .promotion = CUSP_PROMOTE_COMMON,
     .flags = CUSP_OP_HIDDEN | CUSP_OP_ANY_STRIDES,
     .infer = infer_embed,
     .gradient = embed_gradient,
     .kernels = cusp_embed_kernels},
    {.name = "diagonal",
     .arguments = "x, offset: int = 0, axis1: axis = 0, axis2: axis = 1",
     .help = "The diagonal of the matrices in two axes, as the last axis.",
     VIEW(diagonal)},
    {.name = "view",
     .arguments = "x, dtype: dtype = nil",
     .help = "The same bytes read as another dtype.",
     .flags = CUSP_OP_VIEW | CUSP_OP_NO_GRADIENT,
     .infer = infer_view,
     .view = view_view},
    {.name = "dynamic_slice",
     .arguments = "x, starts, shape: shape",
     .help = "A part of x that starts where a tensor says.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_ANY_STRIDES,
     .infer = infer_dynamic_slice,
     .gradient = dynamic_slice_gradient,
     .kernels = cusp_dynamic_slice_kernels},
    {.name = "dynamic_update",
     .arguments = "x, starts, updates",
     .help = "x with a part replaced where a tensor says.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_ANY_STRIDES | CUSP_OP_IN_PLACE,
     .infer = infer_dynamic_update,
     .gradient = dynamic_update_gradient,
     .kernels = cusp_dynamic_update_kernels},
    {.name = "ravel", .arguments = "x", .help = "All elements in one axis.", .compose = compose_ravel},
    {.name = "expand_dims",
     .arguments = "x, axis: axes",
     .help = "New axes of size 1, where they will be in the result.",
     .compose = compose_expand_dims},
    {.name = "squeeze",
     .arguments = "x, axis: axes = nil",
     .help = "Without axes of size 1, or without the given ones.",
     .compose = compose_squeeze},
    {.name = "swapaxes", .arguments = "x, axis1: axis, axis2: axis", .help = "Two axes exchanged.", .compose = compose_swapaxes},
    {.name = "moveaxis",
     .arguments = "x, source: axes, destination: axes",
     .help = "Axes moved, the others in their order.",
     .compose = compose_moveaxis},
    {.name = "flip",
     .arguments = "x, axis: axes = nil",
     .help = "The elements of axes (all unless given) in reverse.",
     .compose = compose_flip},
    {.name = "flipud", .arguments = "x", .help = "The first axis in reverse.", .compose = compose_flipud},
    {.name = "fliplr", .arguments = "x", .help = "The second axis in reverse.", .compose = compose_fliplr},
    {.name = "rot90",
     .arguments = "array, k: int = 1, axes: axes = [0, 1]",
     .help = "k quarter turns in the plane of two axes.",
     .compose = compose_rot90},
    {.name = "slice",
     .arguments = "inputs, start_indices, shape: shape",
     .help = "The part of that shape from the start indices (from 0), which are moved inwards to fit.",
     .compose = compose_slice},
    {.name = "slice_update",
     .arguments = "inputs, start_indices, updates",
     .help = "inputs with updates written from the start indices (from 0), which are moved inwards to fit.",
     .flags = CUSP_OP_UPDATES,
     .compose = compose_slice_update},
    {.name = "trace",
     .arguments = "x, offset: int = 0, axis1: axis = 0, axis2: axis = 1",
     .help = "The sum of the diagonal of the matrices in two axes.",
     .compose = compose_trace},
    {.name = "repeat",
     .arguments = "x, repeats, axis: axis = nil",
     .help = "Each element, or each part along an axis, so many times in turn.",
     .compose = compose_repeat},
    {.name = "tile", .arguments = "x, repeats: ints", .help = "The whole so many times along each axis.", .compose = compose_tile},
    {.name = "roll",
     .arguments = "x, shift: ints, axis: axes = nil",
     .help = "Elements moved along axes; what falls off an end comes back at the other.",
     .compose = compose_roll},
    {.name = "pad",
     .arguments = "x, pad_width: int_or_ints, mode: string = \"constant\", constant_values?",
     .help = "More elements before and after along each axis, constant or made from x.",
     .compose = compose_pad},
    {0},
};
