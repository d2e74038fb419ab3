/* The same elements in another shape or order, repeated without copies, or read as another
 * dtype. */
#include "../node/build.h"
#include "../node/infer.h"
#include "axes.h"

#include <string.h>

/* ------------------------------------------------------------------ reshape */

/* Replaces a single -1 by what is left of `count` elements. */
static cusp_status resolve_shape(cusp_inference *inference, const cusp_attr *attr,
                                 const cusp_shape *from, int64_t *sizes) {
  int64_t count = cusp_shape_count(from), known = 1;
  int unknown = -1, ndim = attr->count;
  if (ndim > CUSP_MAX_DIMS)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "a shape of %d axes; at most %d are supported",
                           ndim, CUSP_MAX_DIMS);
  for (int axis = 0; axis < ndim; axis++) {
    sizes[axis] = attr->ints[axis];
    if (sizes[axis] == -1 && unknown >= 0)
      return cusp_infer_fail(inference, CUSP_ESHAPE, "only one size of the new shape may be -1");
    if (sizes[axis] == -1)
      unknown = axis;
    else if (sizes[axis] < 0 || __builtin_mul_overflow(known, sizes[axis], &known))
      return cusp_infer_fail(inference, CUSP_ESHAPE, "the new shape has a size of %lld",
                             (long long)sizes[axis]);
  }
  if (unknown >= 0 && known > 0 && count % known == 0)
    sizes[unknown] = count / known;
  else if (unknown >= 0 || known != count)
    return cusp_infer_fail(
        inference, CUSP_ESHAPE, "%lld elements of shape %s do not fit into the new shape %s",
        (long long)count, cusp_shape_text(from),
        cusp_shape_text(&(cusp_shape){
            ndim,
            {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6], sizes[7]}}));
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

static bool view_reshape(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type,
                         cusp_array *out) {
  (void)attrs;
  return cusp_array_reshape(out, in, &out_type->shape);
}

static cusp_status reshape_gradient(cusp_gradient *g) {
  return cusp_built(g->dx[0] = cusp_reshape(g->dy[0], &g->x[0]->type.shape));
}

CUSP_COMPOSE(compose_ravel) {
  return cusp_built(outputs[0] =
                        CUSP_APPLY1("reshape", inputs[0], cusp_attr_ints((int64_t[]){-1}, 1)));
}

CUSP_COMPOSE(compose_expand_dims) {
  const int64_t *axes;
  const cusp_shape *from = &inputs[0]->type.shape;
  bool chosen[CUSP_MAX_DIMS] = {false};
  cusp_shape shape = {.ndim = from->ndim + cusp_axes_of(&attrs[0], &axes)};
  if (shape.ndim > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_ESHAPE, "the result would have %d axes; at most %d are supported",
                     shape.ndim, CUSP_MAX_DIMS);
  CUSP_TRY(cusp_choose_axes(&attrs[0], shape.ndim, chosen));
  for (int axis = 0, source = 0; axis < shape.ndim; axis++)
    shape.size[axis] = chosen[axis] ? 1 : from->size[source++];
  return cusp_built(outputs[0] = cusp_reshape(inputs[0], &shape));
}

CUSP_COMPOSE(compose_squeeze) {
  const cusp_shape *from = &inputs[0]->type.shape;
  bool chosen[CUSP_MAX_DIMS] = {false}, all = attrs[0].kind == CUSP_ATTR_NONE;
  cusp_shape shape = {0};
  CUSP_TRY(cusp_choose_axes(&attrs[0], from->ndim, chosen));
  for (int axis = 0; axis < from->ndim; axis++) {
    if (chosen[axis] && from->size[axis] != 1)
      return cusp_fail(CUSP_ESHAPE,
                       "axis %d has size %lld, only axes of size 1 can go; the tensor has shape %s",
                       axis + 1, (long long)from->size[axis], cusp_shape_text(from));
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
    return cusp_infer_fail(inference, CUSP_EVALUE, "%d axes are given for a tensor of %d", count,
                           shape->ndim);
  for (int i = 0; i < shape->ndim; i++) {
    int axis = shape->ndim - 1 - i;
    if (!reversed)
      CUSP_TRY(cusp_infer_axis(inference,
                               attr->kind == CUSP_ATTR_INT ? attr->integer : attr->ints[i],
                               shape->ndim, &axis));
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

static bool view_transpose(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type,
                           cusp_array *out) {
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
  int ndim = inputs[0]->type.shape.ndim, count = cusp_axes_of(&attrs[0], &from);
  bool taken[CUSP_MAX_DIMS] = {false}, placed[CUSP_MAX_DIMS] = {false};
  int64_t axes[CUSP_MAX_DIMS];
  if (count != cusp_axes_of(&attrs[1], &to))
    return cusp_fail(CUSP_EVALUE, "source and destination should be of the same length");
  CUSP_TRY(cusp_choose_axes(&attrs[0], ndim, taken));
  CUSP_TRY(cusp_choose_axes(&attrs[1], ndim, placed));
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
    return cusp_infer_fail(inference, CUSP_ESHAPE, "a tensor of shape %s does not broadcast to %s",
                           cusp_shape_text(&x->shape), cusp_shape_text(&shape));
  inference->outputs[0] = (cusp_type){x->dtype, shape};
  return CUSP_OK;
}

static bool view_broadcast_to(const cusp_attr *attrs, const cusp_array *in,
                              const cusp_type *out_type, cusp_array *out) {
  (void)attrs;
  cusp_array_broadcast(out, in, &out_type->shape);
  return true;
}

/* The caller sums a cotangent to its input's shape. */
static cusp_status broadcast_to_gradient(cusp_gradient *g) {
  g->dx[0] = g->dy[0];
  return CUSP_OK;
}

/* ------------------------------------------------------------------ reading bytes as another
 * dtype */

static cusp_status infer_view(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  cusp_type *out = &inference->outputs[0];
  *out = *x;
  if (inference->attrs[0].kind == CUSP_ATTR_DTYPE)
    out->dtype = (cusp_dtype)inference->attrs[0].integer;
  int64_t from = (int64_t)cusp_dtype_size(x->dtype), to = (int64_t)cusp_dtype_size(out->dtype);
  int last = x->shape.ndim - 1;
  if (from != to && (last < 0 || x->shape.size[last] * from % to != 0))
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "the last axis of shape %s does not hold whole elements of %s",
                           cusp_shape_text(&x->shape), cusp_dtype_name(out->dtype));
  if (out->dtype == CUSP_BOOL && x->dtype != CUSP_BOOL)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "bytes of %s cannot be read as bool",
                           cusp_dtype_name(x->dtype));
  if (from != to)
    out->shape.size[last] = x->shape.size[last] * from / to;
  return CUSP_OK;
}

static bool view_view(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type,
                      cusp_array *out) {
  (void)attrs;
  if (!cusp_array_is_contiguous(in))
    return false;
  *out = *in;
  out->dtype = out_type->dtype;
  out->shape = out_type->shape;
  cusp_strides_row_major(out->strides, &out->shape);
  return true;
}

/* ------------------------------------------------------------------ rows */

const cusp_op cusp_ops_shape[] = {
    {.name = "reshape",
     .arguments = "x, newshape: shape",
     .help = "The same elements in another shape; one size may be -1.",
     CUSP_VIEW_ROW(reshape)},
    {.name = "transpose",
     .arguments = "x, axes: axes = nil",
     .help = "The axes in another order, reversed unless given.",
     CUSP_VIEW_ROW(transpose)},
    {.name = "broadcast_to",
     .arguments = "x, shape: shape",
     .help = "x repeated along axes of size 1 and new ones in front.",
     CUSP_VIEW_ROW(broadcast_to)},
    {.name = "view",
     .arguments = "x, dtype: dtype = nil",
     .help = "The same bytes read as another dtype.",
     .flags = CUSP_OP_VIEW | CUSP_OP_NO_GRADIENT,
     .infer = infer_view,
     .view = view_view},
    {.name = "ravel",
     .arguments = "x",
     .help = "All elements in one axis.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_ravel},
    {.name = "expand_dims",
     .arguments = "x, axis: axes",
     .help = "New axes of size 1, where they will be in the result.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_expand_dims},
    {.name = "squeeze",
     .arguments = "x, axis: axes = nil",
     .help = "Without axes of size 1, or without the given ones.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_squeeze},
    {.name = "swapaxes",
     .arguments = "x, axis1: axis, axis2: axis",
     .help = "Two axes exchanged.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_swapaxes},
    {.name = "moveaxis",
     .arguments = "x, source: axes, destination: axes",
     .help = "Axes moved, the others in their order.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_moveaxis},
    {0},
};
