/* Parts of tensors, and tensors as parts of larger ones. */
#include "slices.h"
#include "../kernels/copy.h"
#include "../node/build.h"
#include "../node/infer.h"
#include "axes.h"

#include <string.h>

static const int64_t ones[CUSP_MAX_DIMS] = {1, 1, 1, 1, 1, 1, 1, 1};

/* ------------------------------------------------------------------ slices with known bounds */

/* Whether sums of a few such numbers could overflow; no axis is that long. */
static bool is_far(int64_t position) {
  return position > INT64_MAX / 8 || position < INT64_MIN / 8;
}

/*
 * strided_slice: for each axis the first position, the one after the last (-1 for "before the
 * first" of a negative step) and the step, all counted from 0 and within the axis.
 */
static cusp_status infer_strided_slice(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  const cusp_attr *start = &inference->attrs[0], *stop = &inference->attrs[1],
                  *step = &inference->attrs[2];
  int ndim = x->shape.ndim;
  if (start->count != ndim || stop->count != ndim || step->count != ndim)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "bounds for %d axes are given for a tensor of shape %s", start->count,
                           cusp_shape_text(&x->shape));
  inference->outputs[0] = *x;
  for (int axis = 0; axis < ndim; axis++) {
    int64_t by = step->ints[axis], first = start->ints[axis], size = x->shape.size[axis];
    if (by == 0)
      return cusp_infer_fail(inference, CUSP_EVALUE, "the step of axis %d is 0", axis + 1);
    if (is_far(first) || is_far(stop->ints[axis]) || is_far(by))
      return cusp_infer_fail(
          inference, CUSP_EVALUE,
          "positions %lld to %lld by steps of %lld lie outside axis %d of size %lld",
          (long long)first, (long long)stop->ints[axis], (long long)by, axis + 1, (long long)size);
    int64_t distance = stop->ints[axis] - first;
    int64_t count = by > 0 ? (distance + by - 1) / by : (distance + by + 1) / by;
    if (count < 0 || distance == 0 || (distance > 0) != (by > 0))
      count = 0;
    if (count > 0 && (first < 0 || first >= size || first + (count - 1) * by < 0 ||
                      first + (count - 1) * by >= size))
      return cusp_infer_fail(
          inference, CUSP_EVALUE, "positions %lld to %lld lie outside axis %d of size %lld",
          (long long)first, (long long)(first + (count - 1) * by), axis + 1, (long long)size);
    inference->outputs[0].shape.size[axis] = count;
  }
  return CUSP_OK;
}

static bool view_strided_slice(const cusp_attr *attrs, const cusp_array *in,
                               const cusp_type *out_type, cusp_array *out) {
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
  return cusp_built(g->dx[0] = CUSP_APPLY1("embed", g->dy[0], cusp_attr_shape(&g->x[0]->type.shape),
                                           attrs[0], attrs[2]));
}

cusp_node *cusp_part(cusp_node *x, int axis, int64_t start, int64_t size) {
  int64_t first[CUSP_MAX_DIMS] = {0}, stop[CUSP_MAX_DIMS];
  if (!x)
    return NULL;
  memcpy(stop, x->type.shape.size, sizeof stop);
  first[axis] = start;
  stop[axis] = start + size;
  int ndim = x->type.shape.ndim;
  return CUSP_APPLY1("strided_slice", x, cusp_attr_ints(first, ndim), cusp_attr_ints(stop, ndim),
                     cusp_attr_ints(ones, ndim));
}

/* embed: the inverse of strided_slice; x is placed in zeros, or in a given value. */
static cusp_status infer_embed(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0];
  const cusp_attr *start = &inference->attrs[1], *step = &inference->attrs[2];
  cusp_shape shape;
  CUSP_TRY(cusp_shape_from_attr(&shape, &inference->attrs[0]));
  if (shape.ndim != x->shape.ndim || start->count != shape.ndim || step->count != shape.ndim)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "shape %s does not fit into %s",
                           cusp_shape_text(&x->shape), cusp_shape_text(&shape));
  for (int axis = 0; axis < shape.ndim; axis++) {
    int64_t first = start->ints[axis], reach, last;
    bool overflows = __builtin_mul_overflow(x->shape.size[axis] - 1, step->ints[axis], &reach) ||
                     __builtin_add_overflow(first, reach, &last);
    if (overflows || step->ints[axis] == 0)
      return cusp_infer_fail(
          inference, CUSP_EVALUE,
          "steps of %lld from position %lld do not fit into axis %d of size %lld",
          (long long)step->ints[axis], (long long)first, axis + 1, (long long)shape.size[axis]);
    if (x->shape.size[axis] > 0 &&
        (first < 0 || last < 0 || first >= shape.size[axis] || last >= shape.size[axis]))
      return cusp_infer_fail(
          inference, CUSP_EVALUE, "positions %lld to %lld lie outside axis %d of size %lld",
          (long long)first, (long long)last, axis + 1, (long long)shape.size[axis]);
  }
  if (inference->n_inputs > 1 && inference->inputs[1].shape.ndim != 0)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "the value should be one number, got shape %s",
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
  cusp_node *inner =
      CUSP_APPLY1("strided_slice", g->dy[0], attrs[1], cusp_attr_ints(stop, shape->ndim), attrs[2]);
  if (g->wanted[0])
    CUSP_TRY(cusp_built(g->dx[0] = inner));
  if (g->n_inputs < 2 || !g->wanted[1])
    return CUSP_OK;
  return cusp_built(g->dx[1] =
                        cusp_subtract(cusp_apply_1("sum", g->dy[0]), cusp_apply_1("sum", inner)));
}

CUSP_COMPOSE(compose_flip) {
  cusp_node *x = inputs[0];
  int ndim = x->type.shape.ndim;
  bool chosen[CUSP_MAX_DIMS] = {false}, all = attrs[0].kind == CUSP_ATTR_NONE;
  int64_t start[CUSP_MAX_DIMS] = {0}, stop[CUSP_MAX_DIMS], step[CUSP_MAX_DIMS];
  CUSP_TRY(cusp_choose_axes(&attrs[0], ndim, chosen));
  for (int axis = 0; axis < ndim; axis++) {
    bool turned = (all || chosen[axis]) && x->type.shape.size[axis] > 0;
    start[axis] = turned ? x->type.shape.size[axis] - 1 : 0;
    stop[axis] = turned ? -1 : x->type.shape.size[axis];
    step[axis] = turned ? -1 : 1;
  }
  return cusp_built(outputs[0] =
                        CUSP_APPLY1("strided_slice", x, cusp_attr_ints(start, ndim),
                                    cusp_attr_ints(stop, ndim), cusp_attr_ints(step, ndim)));
}

cusp_node *cusp_flip(cusp_node *x, int axis) { return CUSP_APPLY1("flip", x, cusp_attr_int(axis)); }

CUSP_COMPOSE(compose_flipud) { return cusp_built(outputs[0] = cusp_flip(inputs[0], 0)); }
CUSP_COMPOSE(compose_fliplr) { return cusp_built(outputs[0] = cusp_flip(inputs[0], 1)); }

CUSP_COMPOSE(compose_rot90) {
  cusp_node *x = inputs[0];
  int first, second, ndim = x->type.shape.ndim, turns = (int)(((attrs[0].integer % 4) + 4) % 4);
  if (attrs[1].kind != CUSP_ATTR_INTS || attrs[1].count != 2)
    return cusp_fail(CUSP_EVALUE, "expected two axes");
  CUSP_TRY(cusp_axis_check(attrs[1].ints[0], ndim, &first));
  CUSP_TRY(cusp_axis_check(attrs[1].ints[1], ndim, &second));
  if (first == second)
    return cusp_fail(CUSP_EVALUE, "the two axes should differ, both are %d", first + 1);
  if (turns >= 2)
    x = cusp_flip(cusp_flip(x, first), second);
  if (turns % 2 == 1)
    x = CUSP_APPLY1("swapaxes", cusp_flip(x, second), cusp_attr_int(first), cusp_attr_int(second));
  return cusp_built(outputs[0] = x);
}

/* ------------------------------------------------------------------ slices whose start may be a
 * tensor */

static cusp_status check_starts(cusp_inference *inference, const cusp_shape *whole,
                                const cusp_shape *piece) {
  const cusp_type *starts = &inference->inputs[1];
  if (starts->dtype != CUSP_INT64 || starts->shape.ndim != 1 ||
      starts->shape.size[0] != whole->ndim)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "expected %d start indices, got shape %s",
                           whole->ndim, cusp_shape_text(&starts->shape));
  bool fits = piece->ndim == whole->ndim;
  for (int axis = 0; fits && axis < whole->ndim; axis++)
    fits = piece->size[axis] <= whole->size[axis];
  if (!fits)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "a part of shape %s does not fit into a tensor of shape %s",
                           cusp_shape_text(piece), cusp_shape_text(whole));
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
                           cusp_dtype_name(inference->inputs[2].dtype),
                           cusp_dtype_name(inference->inputs[0].dtype));
  return check_starts(inference, &inference->inputs[0].shape, &inference->inputs[2].shape);
}

static cusp_status dynamic_slice_gradient(cusp_gradient *g) {
  return cusp_built(
      g->dx[0] = cusp_apply_3("dynamic_update", cusp_zeros_like(g->x[0]), g->x[1], g->dy[0]));
}

static cusp_status dynamic_update_gradient(cusp_gradient *g) {
  if (g->wanted[0])
    CUSP_TRY(cusp_built(
        g->dx[0] = cusp_apply_3("dynamic_update", g->dy[0], g->x[1], cusp_zeros_like(g->x[2]))));
  return g->wanted[2] ? cusp_built(g->dx[2] = CUSP_APPLY2("dynamic_slice", g->dy[0], g->x[1],
                                                          cusp_attr_shape(&g->x[2]->type.shape)))
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
    return cusp_built(outputs[0] = CUSP_APPLY2("dynamic_slice", x, starts_of(inputs[1]),
                                               cusp_attr_shape(&shape)));
  CUSP_TRY(cusp_static_ints(inputs[1], start, CUSP_MAX_DIMS, &count));
  if (count != whole->ndim)
    return cusp_fail(CUSP_ESHAPE, "expected %d start indices, got %d", whole->ndim, count);
  for (int axis = 0; axis < whole->ndim; axis++) {
    int64_t last = whole->size[axis] - shape.size[axis];
    if (last < 0)
      return cusp_fail(CUSP_ESHAPE, "a part of shape %s does not fit into a tensor of shape %s",
                       cusp_shape_text(&shape), cusp_shape_text(whole));
    start[axis] = start[axis] < 0 ? 0 : start[axis] > last ? last : start[axis];
    stop[axis] = start[axis] + shape.size[axis];
  }
  return cusp_built(outputs[0] =
                        CUSP_APPLY1("strided_slice", x, cusp_attr_ints(start, count),
                                    cusp_attr_ints(stop, count), cusp_attr_ints(ones, count)));
}

CUSP_COMPOSE(compose_slice_update) {
  cusp_node *x = inputs[0];
  return cusp_built(outputs[0] = cusp_apply_3("dynamic_update", x, starts_of(inputs[1]),
                                              cusp_cast(inputs[2], x->type.dtype)));
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
    return cusp_infer_fail(inference, CUSP_EVALUE, "the two axes should differ, both are %d",
                           first + 1);
  inference->attrs[1] = cusp_attr_int(first);
  inference->attrs[2] = cusp_attr_int(second);
  int64_t offset = inference->attrs[0].integer;
  int64_t rows = x->shape.size[first] + (offset < 0 ? offset : 0),
          columns = x->shape.size[second] - (offset > 0 ? offset : 0);
  int64_t length = rows < columns ? rows : columns;
  *out = (cusp_type){.dtype = x->dtype};
  for (int axis = 0; axis < x->shape.ndim; axis++)
    if (axis != first && axis != second)
      out->shape.size[out->shape.ndim++] = x->shape.size[axis];
  out->shape.size[out->shape.ndim++] = length > 0 ? length : 0;
  return CUSP_OK;
}

static bool view_diagonal(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type,
                          cusp_array *out) {
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
  cusp_node *matrices =
      CUSP_APPLY1("on_diagonal", g->dy[0], cusp_attr_int(rows), cusp_attr_int(columns), attrs[0]);
  int64_t from[] = {-2, -1}, to[] = {attrs[1].integer, attrs[2].integer};
  return cusp_built(
      g->dx[0] = CUSP_APPLY1("moveaxis", matrices, cusp_attr_ints(from, 2), cusp_attr_ints(to, 2)));
}

CUSP_COMPOSE(compose_trace) {
  cusp_node *diagonal = CUSP_APPLY1("diagonal", inputs[0], attrs[0], attrs[1], attrs[2]);
  return cusp_built(outputs[0] = CUSP_APPLY1("sum", diagonal, cusp_attr_int(-1)));
}

/* ------------------------------------------------------------------ rows */

const cusp_op cusp_ops_slices[] = {
    {.name = "strided_slice",
     .arguments = "x, start: ints, stop: ints, step: ints",
     .help = "A part of each axis.",
     .flags = CUSP_OP_VIEW | CUSP_OP_HIDDEN | CUSP_OP_STRINGS,
     .infer = infer_strided_slice,
     .gradient = strided_slice_gradient,
     .view = view_strided_slice},
    {.name = "embed",
     .arguments = "x, value?, shape: shape, start: ints, step: ints",
     .help = "x as a part of a larger tensor that is 0, or a value, elsewhere.",
     .promotion = CUSP_PROMOTE_COMMON,
     .flags = CUSP_OP_HIDDEN | CUSP_OP_ANY_STRIDES | CUSP_OP_STRINGS | CUSP_OP_PLACES,
     .infer = infer_embed,
     .gradient = embed_gradient,
     .kernels = cusp_embed_kernels},
    {.name = "diagonal",
     .arguments = "x, offset: int = 0, axis1: axis = 0, axis2: axis = 1",
     .help = "The diagonal of the matrices in two axes, as the last axis.",
     CUSP_VIEW_ROW(diagonal)},
    {.name = "dynamic_slice",
     .arguments = "x, starts, shape: shape",
     .help = "A part of x that starts where a tensor says.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_ANY_STRIDES | CUSP_OP_STRINGS,
     .infer = infer_dynamic_slice,
     .gradient = dynamic_slice_gradient,
     .kernels = cusp_dynamic_slice_kernels},
    {.name = "dynamic_update",
     .arguments = "x, starts, updates",
     .help = "x with a part replaced where a tensor says.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_ANY_STRIDES | CUSP_OP_IN_PLACE | CUSP_OP_STRINGS,
     .infer = infer_dynamic_update,
     .gradient = dynamic_update_gradient,
     .kernels = cusp_dynamic_update_kernels},
    {.name = "flip",
     .arguments = "x, axis: axes = nil",
     .help = "The elements of axes (all unless given) in reverse.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_flip},
    {.name = "flipud",
     .arguments = "x",
     .help = "The first axis in reverse.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_flipud},
    {.name = "fliplr",
     .arguments = "x",
     .help = "The second axis in reverse.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_fliplr},
    {.name = "rot90",
     .arguments = "array, k: int = 1, axes: axes = [0, 1]",
     .help = "k quarter turns in the plane of two axes.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_rot90},
    {.name = "slice",
     .arguments = "inputs, start_indices, shape: shape",
     .help =
         "The part of that shape from the start indices (from 0), which are moved inwards to fit.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_slice},
    {.name = "slice_update",
     .arguments = "inputs, start_indices, updates",
     .help = "inputs with updates written from the start indices (from 0), which are moved inwards "
             "to fit.",
     .flags = CUSP_OP_UPDATES | CUSP_OP_STRINGS,
     .compose = compose_slice_update},
    {.name = "trace",
     .arguments = "x, offset: int = 0, axis1: axis = 0, axis2: axis = 1",
     .help = "The sum of the diagonal of the matrices in two axes.",
     .compose = compose_trace},
    {0},
};
