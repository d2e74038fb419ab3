/* Repeating and turning round. */
#include "repetition.h"
#include "../base/memory.h"
#include "../node/build.h"
#include "../node/infer.h"
#include "axes.h"
#include "slices.h"

#include <string.h>

cusp_node *cusp_repeat_axis(cusp_node *x, int axis, int64_t times, bool each_element) {
  if (!x || times == 1)
    return x;
  cusp_shape shape = x->type.shape, split = {.ndim = 4, .size = {1, 1, 1, 1}};
  for (int i = 0; i < shape.ndim; i++)
    split.size[i < axis ? 0 : i > axis ? 3 : each_element ? 1 : 2] *= shape.size[i];
  if (__builtin_mul_overflow(shape.size[axis], times, &shape.size[axis])) {
    cusp_fail(CUSP_ESHAPE, "%lld repeats of a tensor of shape %s are too many", (long long)times,
              cusp_shape_text(&x->type.shape));
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
    cusp_fail(CUSP_ESHAPE, "expected one number of repeats or %lld of them, got shape %s",
              (long long)size, cusp_shape_text(&repeats->type.shape));
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
      result = CUSP_APPLY2("take", x, cusp_constant_1d(CUSP_INT64, total, positions),
                           cusp_attr_int(axis));
    }
  }
  cusp_free(positions);
  cusp_free(block);
  return result;
}

CUSP_COMPOSE(compose_repeat) {
  cusp_node *x = attrs[0].kind == CUSP_ATTR_INT ? inputs[0] : cusp_apply_1("ravel", inputs[0]),
            *repeats = inputs[1];
  int axis, count;
  int64_t times;
  CUSP_TRY(cusp_built(x));
  CUSP_TRY(cusp_axis_check(attrs[0].kind == CUSP_ATTR_INT ? attrs[0].integer : 0,
                           x->type.shape.ndim, &axis));
  if (cusp_shape_count(&repeats->type.shape) != 1)
    return cusp_built(outputs[0] = repeat_each(x, axis, repeats));
  CUSP_TRY(cusp_static_ints(repeats, &times, 1, &count));
  if (times < 0)
    return cusp_fail(CUSP_EVALUE, "repeats should be at least 0, got %lld", (long long)times);
  return cusp_built(outputs[0] = cusp_repeat_axis(x, axis, times, true));
}

/* Numbers of repeats for the last axes; further ones make new axes in front. */
CUSP_COMPOSE(compose_tile) {
  const int64_t *times;
  int count = cusp_axes_of(&attrs[0], &times), extra = count - inputs[0]->type.shape.ndim;
  cusp_shape shape = inputs[0]->type.shape;
  if (count > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_ESHAPE, "repeats for %d axes; at most %d are supported", count,
                     CUSP_MAX_DIMS);
  if (extra > 0) {
    memmove(shape.size + extra, shape.size, (size_t)shape.ndim * sizeof *shape.size);
    for (int axis = 0; axis < extra; axis++)
      shape.size[axis] = 1;
    shape.ndim = count;
  }
  cusp_node *x = cusp_reshape(inputs[0], &shape);
  for (int i = 0; i < count; i++) {
    if (times[i] < 0)
      return cusp_fail(CUSP_EVALUE, "repeats should be at least 0, got %lld", (long long)times[i]);
    x = cusp_repeat_axis(x, shape.ndim - count + i, times[i], false);
  }
  return cusp_built(outputs[0] = x);
}

/* shift brought into 0 <= shift < size. */
static int64_t wrap(int64_t shift, int64_t size) {
  return size > 0 ? ((shift % size) + size) % size : 0;
}

static cusp_node *roll_axis(cusp_node *x, int axis, int64_t shift) {
  int64_t size = x->type.shape.size[axis], split = wrap(shift, size);
  if (split == 0)
    return x;
  return CUSP_APPLY2("concatenate", cusp_part(x, axis, size - split, split),
                     cusp_part(x, axis, 0, size - split), cusp_attr_int(axis));
}

CUSP_COMPOSE(compose_roll) {
  const int64_t *shifts, *axes;
  int n_shifts = cusp_axes_of(&attrs[0], &shifts), n_axes = cusp_axes_of(&attrs[1], &axes);
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

/* ------------------------------------------------------------------ rows */

const cusp_op cusp_ops_repetition[] = {
    {.name = "repeat",
     .arguments = "x, repeats, axis: axis = nil",
     .help = "Each element, or each part along an axis, so many times in turn.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_repeat},
    {.name = "tile",
     .arguments = "x, repeats: ints",
     .help = "The whole so many times along each axis.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_tile},
    {.name = "roll",
     .arguments = "x, shift: ints, axis: axes = nil",
     .help = "Elements moved along axes; what falls off an end comes back at the other.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_roll},
    {0},
};
