/* Joining tensors and taking them apart. */

#include "../node/build.h"
#include "axes.h"
#include "slices.h"

#include "../kernels/copy.h"
#include "../node/infer.h"

#include <string.h>

/* ------------------------------------------------------------------ concatenate */

static cusp_status infer_concatenate(cusp_inference *inference) {
  cusp_type *out = &inference->outputs[0];
  int axis, ndim = inference->inputs[0].shape.ndim;
  CUSP_TRY(cusp_infer_axis(inference, inference->attrs[0].integer, ndim, &axis));
  inference->attrs[0] = cusp_attr_int(axis);
  *out = inference->inputs[0];
  for (int i = 1; i < inference->n_inputs; i++) {
    const cusp_shape *shape = &inference->inputs[i].shape;
    bool fits = shape->ndim == ndim;
    for (int k = 0; fits && k < ndim; k++)
      fits = k == axis || shape->size[k] == out->shape.size[k];
    if (!fits)
      return cusp_infer_fail(
          inference, CUSP_ESHAPE,
          "tensor %d has shape %s, the first %s; they may differ in axis %d alone", i + 1,
          cusp_shape_text(shape), cusp_shape_text(&inference->inputs[0].shape), axis + 1);
    out->shape.size[axis] += shape->size[axis];
  }
  return CUSP_OK;
}

static cusp_status concatenate_gradient(cusp_gradient *g) {
  int axis = (int)g->node->attrs[0].integer;
  int64_t start = 0;
  for (int i = 0; i < g->n_inputs; i++) {
    int64_t size = g->x[i]->type.shape.size[axis];
    if (g->wanted[i])
      CUSP_TRY(cusp_built(g->dx[i] = cusp_part(g->dy[0], axis, start, size)));
    start += size;
  }
  return CUSP_OK;
}

/* Applies `row` to each input and joins the results along `axis`. */
static cusp_node *join_each(const char *row, int axis, cusp_node *const *inputs, int n_inputs,
                            int n_attrs, const cusp_attr *attrs) {
  cusp_node *parts[CUSP_MAX_RESULTS];
  if (n_inputs > CUSP_MAX_RESULTS) {
    cusp_fail(CUSP_EVALUE, "%d tensors; at most %d are supported", n_inputs, CUSP_MAX_RESULTS);
    return NULL;
  }
  for (int i = 0; i < n_inputs; i++)
    parts[i] = cusp_apply(row, 1, &inputs[i], n_attrs, attrs);
  return cusp_apply("concatenate", n_inputs, parts, 1, (cusp_attr[]){cusp_attr_int(axis)});
}

CUSP_COMPOSE(compose_stack) {
  int axis;
  CUSP_TRY(cusp_axis_check(attrs[0].integer, inputs[0]->type.shape.ndim + 1, &axis));
  for (int i = 1; i < n_inputs; i++)
    if (!cusp_shape_equal(&inputs[i]->type.shape, &inputs[0]->type.shape))
      return cusp_fail(CUSP_ESHAPE, "tensor %d has shape %s, the first %s; all should be equal",
                       i + 1, cusp_shape_text(&inputs[i]->type.shape),
                       cusp_shape_text(&inputs[0]->type.shape));
  return cusp_built(outputs[0] = join_each("expand_dims", axis, inputs, n_inputs, 1,
                                           (cusp_attr[]){cusp_attr_int(axis)}));
}

CUSP_COMPOSE(compose_append) {
  if (attrs[0].kind == CUSP_ATTR_NONE)
    return cusp_built(outputs[0] = join_each("ravel", 0, inputs, 2, 0, NULL));
  return cusp_built(outputs[0] = cusp_apply("concatenate", 2, inputs, 1, attrs));
}

CUSP_COMPOSE(compose_hstack) {
  int ndim = inputs[0]->type.shape.ndim;
  return cusp_built(
      outputs[0] = join_each(ndim == 0 ? "ravel" : "copy", ndim > 1, inputs, n_inputs, 0, NULL));
}
CUSP_COMPOSE(compose_vstack) {
  return cusp_built(outputs[0] = join_each("at_least_2d", 0, inputs, n_inputs, 0, NULL));
}
CUSP_COMPOSE(compose_dstack) {
  return cusp_built(outputs[0] = join_each("at_least_3d", 2, inputs, n_inputs, 0, NULL));
}

CUSP_COMPOSE(compose_at_least_2d) {
  const cusp_shape *shape = &inputs[0]->type.shape;
  cusp_shape row = {2, {1, shape->ndim ? shape->size[0] : 1}};
  return cusp_built(outputs[0] = shape->ndim < 2 ? cusp_reshape(inputs[0], &row) : inputs[0]);
}

CUSP_COMPOSE(compose_at_least_3d) {
  const cusp_shape *shape = &inputs[0]->type.shape;
  cusp_shape box = {3, {1, 1, 1}};
  if (shape->ndim == 1)
    box.size[1] = shape->size[0];
  if (shape->ndim == 2)
    memcpy(box.size, shape->size, 2 * sizeof *box.size);
  return cusp_built(outputs[0] = shape->ndim < 3 ? cusp_reshape(inputs[0], &box) : inputs[0]);
}

/* ------------------------------------------------------------------ splitting */

/* Takes x apart at `bounds` (ends of parts, of which there are `count`; the last is the axis's
 * size). */
static cusp_status take_apart(cusp_node *x, int axis, const int64_t *bounds, int count,
                              cusp_node **outputs, int *n_outputs) {
  int64_t start = 0;
  for (int i = 0; i < count; i++) {
    int64_t size = bounds[i] > start ? bounds[i] - start : 0;
    CUSP_TRY(cusp_built(
        outputs[i] = cusp_part(x, axis, start < x->type.shape.size[axis] ? start : 0, size)));
    start = bounds[i];
  }
  *n_outputs = count;
  return CUSP_OK;
}

/* Positions as NumPy reads them: from the end where negative, kept within the axis. */
static int split_at(const cusp_attr *positions, int64_t size, int64_t *bounds) {
  for (int i = 0; i < positions->count; i++) {
    int64_t at = positions->ints[i] < 0 ? positions->ints[i] + size : positions->ints[i];
    bounds[i] = at < 0 ? 0 : at > size ? size : at;
  }
  bounds[positions->count] = size;
  return positions->count + 1;
}

/* As equal as they get, the first ones larger. */
static int split_evenly(int64_t sections, int64_t size, int64_t *bounds) {
  int64_t start = 0;
  for (int64_t i = 0; i < sections; i++)
    bounds[i] = start += size / sections + (i < size % sections);
  return (int)sections;
}

static cusp_status split(cusp_node *x, const cusp_attr *where, int64_t any_axis, bool evenly,
                         cusp_node **outputs, int *n_outputs) {
  int64_t bounds[CUSP_MAX_RESULTS];
  int axis;
  CUSP_TRY(cusp_axis_check(any_axis, x->type.shape.ndim, &axis));
  int64_t size = x->type.shape.size[axis],
          sections = where->kind == CUSP_ATTR_INT ? where->integer : where->count + 1;
  if (sections < 1 || sections > CUSP_MAX_RESULTS)
    return cusp_fail(CUSP_EVALUE, "%lld parts; expected 1 to %d", (long long)sections,
                     CUSP_MAX_RESULTS);
  if (where->kind == CUSP_ATTR_INTS)
    return take_apart(x, axis, bounds, split_at(where, size, bounds), outputs, n_outputs);
  if (evenly && size % sections != 0)
    return cusp_fail(CUSP_ESHAPE, "axis %d of size %lld does not divide into %lld equal parts",
                     axis + 1, (long long)size, (long long)sections);
  return take_apart(x, axis, bounds, split_evenly(sections, size, bounds), outputs, n_outputs);
}

CUSP_COMPOSE(compose_split) {
  return split(inputs[0], &attrs[0], attrs[1].integer, true, outputs, n_outputs);
}
CUSP_COMPOSE(compose_array_split) {
  return split(inputs[0], &attrs[0], attrs[1].integer, false, outputs, n_outputs);
}
CUSP_COMPOSE(compose_vsplit) { return split(inputs[0], &attrs[0], 0, true, outputs, n_outputs); }
CUSP_COMPOSE(compose_hsplit) {
  return split(inputs[0], &attrs[0], inputs[0]->type.shape.ndim > 1, true, outputs, n_outputs);
}
CUSP_COMPOSE(compose_dsplit) { return split(inputs[0], &attrs[0], 2, true, outputs, n_outputs); }

CUSP_COMPOSE(compose_unstack) {
  int axis, count;
  const cusp_shape *shape = &inputs[0]->type.shape;
  CUSP_TRY(cusp_axis_check(attrs[1].integer, shape->ndim, &axis));
  int64_t size = shape->size[axis];
  if (attrs[0].kind == CUSP_ATTR_INT && attrs[0].integer != size)
    return cusp_fail(CUSP_EVALUE, "num is %lld, but axis %d has size %lld",
                     (long long)attrs[0].integer, axis + 1, (long long)size);
  *n_outputs = 0;
  if (size == 0)
    return CUSP_OK;
  CUSP_TRY(split(inputs[0], &(cusp_attr){.kind = CUSP_ATTR_INT, .integer = size}, axis, true,
                 outputs, &count));
  for (int i = 0; i < count; i++)
    CUSP_TRY(cusp_built(outputs[i] = CUSP_APPLY1("squeeze", outputs[i], cusp_attr_int(axis))));
  *n_outputs = count;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ meshgrid */

/* Vectors as the axes of one grid; "xy" exchanges the first two. */
CUSP_COMPOSE(compose_meshgrid) {
  bool exchanged = !strcmp(attrs[0].string, "xy");
  cusp_shape grid = {.ndim = n_inputs};
  if (!exchanged && strcmp(attrs[0].string, "ij") != 0)
    return cusp_fail(CUSP_EVALUE, "unknown indexing \"%s\"; expected \"xy\" or \"ij\"",
                     attrs[0].string);
  if (n_inputs > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_ESHAPE, "a grid of %d axes; at most %d are supported", n_inputs,
                     CUSP_MAX_DIMS);
  for (int i = 0; i < n_inputs; i++)
    grid.size[exchanged && n_inputs > 1 && i < 2 ? 1 - i : i] =
        cusp_shape_count(&inputs[i]->type.shape);
  for (int i = 0; i < n_inputs; i++) {
    cusp_shape shape = {.ndim = n_inputs, .size = {1, 1, 1, 1, 1, 1, 1, 1}};
    int axis = exchanged && n_inputs > 1 && i < 2 ? 1 - i : i;
    shape.size[axis] = grid.size[axis];
    CUSP_TRY(cusp_built(outputs[i] = cusp_broadcast_to(cusp_reshape(inputs[i], &shape), &grid)));
  }
  *n_outputs = n_inputs;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ rows */

#define SPLIT "x, indices_or_sections: int_or_ints"
#define COMMON .promotion = CUSP_PROMOTE_COMMON
#define LIST .flags = CUSP_OP_LIST | CUSP_OP_STRINGS

const cusp_op cusp_ops_join[] = {
    {.name = "concatenate",
     .arguments = "xs..., axis: axis = 0",
     .help = "Tensors one after another along an axis.",
     COMMON,
     .flags = CUSP_OP_ANY_STRIDES | CUSP_OP_NULL_AXIS | CUSP_OP_STRINGS,
     .instead = cusp_over_flat,
     .infer = infer_concatenate,
     .gradient = concatenate_gradient,
     .kernels = cusp_concatenate_kernels},
    {.name = "stack",
     .arguments = "x..., axis: axis = 0",
     .help = "Tensors of one shape along a new axis.",
     COMMON,
     .flags = CUSP_OP_STRINGS,
     .compose = compose_stack},
    {.name = "append",
     .arguments = "x1, x2, axis: axis = nil",
     .help = "Two tensors one after another along an axis, or all their elements.",
     COMMON,
     .flags = CUSP_OP_STRINGS,
     .compose = compose_append},
    {.name = "hstack",
     .arguments = "xs...",
     .help = "Tensors side by side, along the second axis (vectors along the first).",
     COMMON,
     .flags = CUSP_OP_STRINGS,
     .compose = compose_hstack},
    {.name = "vstack",
     .arguments = "xs...",
     .help = "Tensors below one another, along the first axis; vectors are rows.",
     COMMON,
     .flags = CUSP_OP_STRINGS,
     .compose = compose_vstack},
    {.name = "dstack",
     .arguments = "xs...",
     .help = "Tensors behind one another, along the third axis.",
     COMMON,
     .flags = CUSP_OP_STRINGS,
     .compose = compose_dstack},
    {.name = "at_least_2d",
     .arguments = "x",
     .help = "A vector as a row.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_STRINGS,
     .compose = compose_at_least_2d},
    {.name = "at_least_3d",
     .arguments = "x",
     .help = "A vector or a matrix with a third axis.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_STRINGS,
     .compose = compose_at_least_3d},
    {.name = "split",
     .arguments = SPLIT ", axis: axis = 0",
     .help = "Equal parts of an axis, or the parts between positions (from 0), as a list.",
     LIST,
     .compose = compose_split},
    {.name = "array_split",
     .arguments = SPLIT ", axis: axis = 0",
     .help = "Parts of an axis, the first ones larger where they cannot be equal, as a list.",
     LIST,
     .compose = compose_array_split},
    {.name = "vsplit",
     .arguments = SPLIT,
     .help = "Parts of the first axis, as a list.",
     LIST,
     .compose = compose_vsplit},
    {.name = "hsplit",
     .arguments = SPLIT,
     .help = "Parts of the second axis (of a vector's only one), as a list.",
     LIST,
     .compose = compose_hsplit},
    {.name = "dsplit",
     .arguments = SPLIT,
     .help = "Parts of the third axis, as a list.",
     LIST,
     .compose = compose_dsplit},
    {.name = "unstack",
     .arguments = "x, num: int = nil, axis: axis = 0",
     .help = "What an axis holds at each position, as a list.",
     LIST,
     .compose = compose_unstack},
    {.name = "meshgrid",
     .arguments = "xs..., indexing: string = \"xy\"",
     .help = "Vectors as coordinates of a grid, one tensor for each, as a list.",
     LIST,
     .compose = compose_meshgrid},
    {0},
};
