/* More elements around a tensor. */
#include "../base/memory.h"
#include "../node/build.h"
#include "axes.h"
#include "repetition.h"
#include "slices.h"

#include <string.h>

static const int64_t ones[CUSP_MAX_DIMS] = {1, 1, 1, 1, 1, 1, 1, 1};

typedef struct padding {
  int64_t before[CUSP_MAX_DIMS], after[CUSP_MAX_DIMS];
} padding;

/* One number for all; a pair for all; or a pair for each axis, one after the other. */
static cusp_status read_padding(const cusp_attr *attr, int ndim, padding *pad) {
  const int64_t *widths;
  int count = cusp_axes_of(attr, &widths);
  if (count != 1 && count != 2 && count != 2 * ndim)
    return cusp_fail(CUSP_EVALUE,
                     "expected pad_width as one number, a pair, or a pair for each of %d axes; "
                     "got %d numbers",
                     ndim, count);
  for (int axis = 0; axis < ndim; axis++) {
    bool pairs = count == 2 * ndim;
    pad->before[axis] = widths[pairs ? 2 * axis : 0];
    pad->after[axis] = widths[pairs ? 2 * axis + 1 : count - 1];
    if (pad->before[axis] < 0 || pad->after[axis] < 0 || pad->before[axis] > INT32_MAX ||
        pad->after[axis] > INT32_MAX)
      return cusp_fail(
          CUSP_EVALUE, "pad_width of axis %d is %lld and %lld; expected at least 0 and at most %d",
          axis + 1, (long long)pad->before[axis], (long long)pad->after[axis], INT32_MAX);
  }
  return CUSP_OK;
}

static cusp_node *pad_constant(cusp_node *x, const padding *pad, cusp_node *value) {
  cusp_shape shape = x->type.shape;
  for (int axis = 0; axis < shape.ndim; axis++)
    shape.size[axis] += pad->before[axis] + pad->after[axis];
  cusp_node *in[] = {x, value ? cusp_cast(value, x->type.dtype) : NULL};
  cusp_attr attrs[] = {cusp_attr_shape(&shape), cusp_attr_ints(pad->before, shape.ndim),
                       cusp_attr_ints(ones, shape.ndim)};
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
  return position < size              ? position
         : !strcmp(mode, "symmetric") ? period - 1 - position
                                      : period - position;
}

/* Modes that repeat elements of the axis itself: a gather of positions. */
static cusp_node *pad_mirrored(cusp_node *x, int axis, int64_t before, int64_t after,
                               const char *mode) {
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
  cusp_node *result =
      CUSP_APPLY2("take", x, cusp_constant_1d(CUSP_INT64, total, positions), cusp_attr_int(axis));
  cusp_free(positions);
  return result;
}

/* `value`, of size 1 along the axis, `count` times. */
static cusp_node *stretched(cusp_node *value, int axis, int64_t count) {
  return cusp_repeat_axis(value, axis, count, true);
}

/* From 0 at the outside towards `edge`: edge * 0/n, edge * 1/n, ... */
static cusp_node *ramp(cusp_node *edge, int axis, int64_t count, bool before) {
  if (!edge)
    return NULL;
  cusp_shape shape = {.ndim = edge->type.shape.ndim};
  for (int i = 0; i < shape.ndim; i++)
    shape.size[i] = i == axis ? count : 1;
  cusp_node *steps =
      cusp_cast(CUSP_APPLY1("arange", cusp_scalar((double)count, CUSP_INT64)), CUSP_FLOAT64);
  cusp_node *share = cusp_scale(before  ? steps
                                : steps ? cusp_flip(steps, 0)
                                        : NULL,
                                1 / (double)count);
  return cusp_cast(cusp_multiply(cusp_cast(edge, CUSP_FLOAT64), cusp_reshape(share, &shape)),
                   edge->type.dtype);
}

/* The part that goes before or after along `axis`: a statistic of it, or a ramp. */
static cusp_node *pad_block(cusp_node *x, int axis, int64_t count, const char *mode, bool before) {
  if (!strcmp(mode, "linear_ramp"))
    return ramp(cusp_part(x, axis, before ? 0 : x->type.shape.size[axis] - 1, 1), axis, count,
                before);
  const char *row = !strcmp(mode, "mean")      ? "mean"
                    : !strcmp(mode, "maximum") ? "amax"
                    : !strcmp(mode, "minimum") ? "amin"
                                               : "median";
  cusp_node *value = CUSP_APPLY1(row, x, cusp_attr_int(axis), cusp_attr_bool(true));
  if (cusp_dtype_is_int(x->type.dtype) && value && cusp_dtype_is_float(value->type.dtype))
    value = CUSP_APPLY1("round", value);
  return stretched(cusp_cast(value, x->type.dtype), axis, count);
}

static cusp_node *pad_outside(cusp_node *x, int axis, int64_t before, int64_t after,
                              const char *mode) {
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
    return cusp_fail(CUSP_EVALUE, "constant_values requires mode \"constant\", got \"%s\"", mode);
  if (!strcmp(mode, "constant"))
    return cusp_built(outputs[0] = pad_constant(x, &pad, n_inputs > 1 ? inputs[1] : NULL));
  if (!one_of(mode, mirrors) && !one_of(mode, blocks))
    return cusp_fail(CUSP_EVALUE,
                     "unknown mode \"%s\"; expected constant, edge, linear_ramp, maximum, mean, "
                     "median, minimum, reflect, symmetric or wrap",
                     mode);
  for (int axis = 0; axis < inputs[0]->type.shape.ndim; axis++)
    if (pad.before[axis] + pad.after[axis] > 0) {
      x = (one_of(mode, mirrors) ? pad_mirrored : pad_outside)(x, axis, pad.before[axis],
                                                               pad.after[axis], mode);
      CUSP_TRY(cusp_built(x));
    }
  outputs[0] = x;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ rows */

const cusp_op cusp_ops_padding[] = {
    {.name = "pad",
     .arguments = "x, pad_width: int_or_ints, mode: string = \"constant\", constant_values?",
     .help = "More elements before and after along each axis, constant or made from x.",
     .compose = compose_pad},
    {0},
};
