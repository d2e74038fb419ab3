#include "array.h"

#include "../base/memory.h"
#include "forms.h"
#include "strings.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ shapes */

cusp_status cusp_shape_count_checked(int64_t *count, const cusp_shape *shape) {
  int64_t product = 1;
  bool overflow = false, empty = false;
  *count = 0;
  for (int i = 0; i < shape->ndim; i++) {
    if (shape->size[i] < 0)
      return cusp_fail(CUSP_ESHAPE, "a shape cannot have a negative size: %s",
                       cusp_shape_text(shape));
    empty |= shape->size[i] == 0;
    overflow |= __builtin_mul_overflow(product, shape->size[i], &product);
  }
  if (overflow && !empty)
    return cusp_fail(CUSP_ESHAPE, "shape %s has too many elements", cusp_shape_text(shape));
  *count = empty ? 0 : product;
  return CUSP_OK;
}

int64_t cusp_shape_count(const cusp_shape *shape) {
  int64_t product = 1;
  for (int i = 0; i < shape->ndim; i++) {
    if (shape->size[i] == 0)
      return 0;
    product *= shape->size[i];
  }
  return product;
}

bool cusp_shape_equal(const cusp_shape *a, const cusp_shape *b) {
  return a->ndim == b->ndim && memcmp(a->size, b->size, (size_t)a->ndim * sizeof a->size[0]) == 0;
}

const char *cusp_shape_text(const cusp_shape *shape) {
  static _Thread_local char ring[8][24 * CUSP_MAX_DIMS];
  static _Thread_local unsigned next;
  char *text = ring[next++ % 8];
  size_t at = 0, room = sizeof ring[0];
  text[at++] = '[';
  for (int i = 0; i < shape->ndim; i++)
    at += (size_t)snprintf(text + at, room - at, i ? ", %lld" : "%lld", (long long)shape->size[i]);
  snprintf(text + at, room - at, "]");
  return text;
}

/** Size of the axis that is `back` axes from the end; 1 in front of the first. */
static int64_t size_from_end(const cusp_shape *shape, int back) {
  return back < shape->ndim ? shape->size[shape->ndim - 1 - back] : 1;
}

cusp_status cusp_shape_broadcast(cusp_shape *out, const cusp_shape *a, const cusp_shape *b) {
  cusp_shape result = {.ndim = a->ndim > b->ndim ? a->ndim : b->ndim};
  for (int back = 0; back < result.ndim; back++) {
    int64_t x = size_from_end(a, back), y = size_from_end(b, back);
    if (x != y && x != 1 && y != 1)
      return cusp_fail(
          CUSP_ESHAPE,
          "shapes %s and %s do not broadcast: sizes %lld and %lld differ and neither is 1",
          cusp_shape_text(a), cusp_shape_text(b), (long long)x, (long long)y);
    result.size[result.ndim - 1 - back] = x == 1 ? y : x;
  }
  *out = result;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ storage */

/* A storage's bytes follow it in the same block. */
_Static_assert(sizeof(cusp_storage) <= CUSP_ALIGNMENT,
               "the bytes behind a storage must stay aligned");

static void *bytes_behind(cusp_storage *storage) { return (char *)storage + CUSP_ALIGNMENT; }

cusp_status cusp_storage_new(cusp_storage **out, size_t bytes) {
  *out = NULL;
  size_t total;
  if (__builtin_add_overflow(bytes, CUSP_ALIGNMENT, &total))
    return cusp_fail(CUSP_ENOMEM, "out of memory: %zu bytes were asked for", bytes);
  void *block;
  CUSP_TRY(cusp_alloc(&block, total));
  cusp_storage *storage = block;
  *storage = (cusp_storage){.references = 1, .bytes = bytes, .data = bytes_behind(storage)};
  *out = storage;
  return CUSP_OK;
}

uint32_t cusp_storage_stamp(cusp_storage *storage) {
  static uint32_t last;
  uint32_t stamp = __atomic_load_n(&storage->stamp, __ATOMIC_RELAXED), next = 0;
  if (stamp)
    return stamp;
  while (!next)
    next = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
  return __atomic_compare_exchange_n(&storage->stamp, &stamp, next, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED)
             ? next
             : stamp; /* of a thread that was quicker */
}

void cusp_storage_change(cusp_storage *storage) {
  if (storage->stamp)
    cusp_forms_forget(storage->stamp);
  storage->stamp = 0;
}

void cusp_storage_retain(cusp_storage *storage) { storage->references++; }

void cusp_storage_release(cusp_storage *storage) {
  if (storage == NULL || --storage->references > 0)
    return;
  cusp_strings_forget(storage);
  cusp_storage_change(storage);
  if (storage->release != NULL)
    storage->release(storage);
  else if (storage->data != bytes_behind(storage))
    cusp_free(storage->data);
  cusp_free(storage);
}

/* ------------------------------------------------------------------ arrays */

cusp_status cusp_array_new(cusp_array *out, cusp_dtype dtype, const cusp_shape *shape) {
  memset(out, 0, sizeof *out);
  int64_t count;
  size_t bytes;
  CUSP_TRY(cusp_shape_count_checked(&count, shape));
  CUSP_TRY(cusp_multiply_size(&bytes, (size_t)count, cusp_dtype_size(dtype)));
  CUSP_TRY(cusp_storage_new(&out->storage, bytes));
  if (dtype == CUSP_STRING) {
    memset(out->storage->data, 0, bytes);
    cusp_storage_watch_strings(out->storage);
  }
  out->dtype = dtype;
  out->shape = *shape;
  out->data = out->storage->data;
  cusp_strides_row_major(out->strides, shape);
  return CUSP_OK;
}

void cusp_array_release(cusp_array *array) {
  cusp_storage_release(array->storage);
  memset(array, 0, sizeof *array);
}

void cusp_strides_row_major(int64_t strides[CUSP_MAX_DIMS], const cusp_shape *shape) {
  int64_t step = 1;
  for (int i = shape->ndim - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape->size[i] > 0 ? shape->size[i] : 1;
  }
}

bool cusp_array_is_contiguous(const cusp_array *array) {
  int64_t step = 1;
  bool gap = false;
  for (int i = array->shape.ndim - 1; i >= 0; i--) {
    int64_t size = array->shape.size[i];
    if (size == 0)
      return true;
    gap |= size != 1 && array->strides[i] != step;
    step *= size;
  }
  return !gap;
}

/* ------------------------------------------------------------------ views */

/**
 * Strides for `shape` over a strided array whose axes of size 1 have been dropped: groups of old
 * axes are matched with groups of new axes of the same product; a group of several old axes must be
 * contiguous in itself.
 */
static bool reshape_strides(int64_t *strides, const cusp_shape *shape, int ndim,
                            const int64_t *size, const int64_t *old_strides) {
  int axis = 0, new_axis = 0;
  while (axis < ndim && new_axis < shape->ndim) {
    int first = axis, new_first = new_axis;
    int64_t product = size[axis++], new_product = shape->size[new_axis++];
    while (product != new_product)
      if (product < new_product)
        product *= size[axis++];
      else
        new_product *= shape->size[new_axis++];
    for (int i = first; i + 1 < axis; i++)
      if (old_strides[i] != old_strides[i + 1] * size[i + 1])
        return false;
    int64_t step = old_strides[axis - 1];
    for (int i = new_axis - 1; i >= new_first; i--) {
      strides[i] = step;
      step *= shape->size[i];
    }
  }
  for (; new_axis < shape->ndim; new_axis++) /* what is left has size 1 */
    strides[new_axis] = 1;
  return true;
}

bool cusp_array_reshape(cusp_array *out, const cusp_array *in, const cusp_shape *shape) {
  int64_t size[CUSP_MAX_DIMS], strides[CUSP_MAX_DIMS];
  int ndim = 0;
  for (int i = 0; i < in->shape.ndim; i++)
    if (in->shape.size[i] != 1) {
      size[ndim] = in->shape.size[i];
      strides[ndim++] = in->strides[i];
    }
  cusp_array result = *in;
  result.shape = *shape;
  cusp_strides_row_major(result.strides, shape);
  if (cusp_shape_count(shape) > 0 && !reshape_strides(result.strides, shape, ndim, size, strides))
    return false;
  *out = result;
  return true;
}

void cusp_array_transpose(cusp_array *out, const cusp_array *in, const int64_t *axes) {
  cusp_array result = *in;
  for (int i = 0; i < in->shape.ndim; i++) {
    result.shape.size[i] = in->shape.size[axes[i]];
    result.strides[i] = in->strides[axes[i]];
  }
  *out = result;
}

void cusp_array_broadcast(cusp_array *out, const cusp_array *in, const cusp_shape *shape) {
  cusp_array result = *in;
  int added = shape->ndim - in->shape.ndim;
  result.shape = *shape;
  for (int i = 0; i < shape->ndim; i++)
    result.strides[i] =
        i < added || in->shape.size[i - added] != shape->size[i] ? 0 : in->strides[i - added];
  *out = result;
}

void cusp_array_slice(cusp_array *out, const cusp_array *in, const int64_t *start,
                      const int64_t *step, const cusp_shape *shape) {
  cusp_array result = *in;
  int64_t offset = 0;
  for (int i = 0; i < shape->ndim; i++) {
    offset += start[i] * in->strides[i];
    result.strides[i] = in->strides[i] * step[i];
  }
  result.shape = *shape;
  if (cusp_shape_count(shape) > 0) /* an empty slice may start behind the last element */
    result.data = (char *)in->data + offset * (int64_t)cusp_dtype_size(in->dtype);
  *out = result;
}

/* ------------------------------------------------------------------ collapsing */

/** Whether axis `outer` and the axis behind it are one axis in each of the arrays. */
static bool can_merge(int outer, int inner, const int64_t *size, int count,
                      int64_t strides[][CUSP_MAX_DIMS]) {
  for (int k = 0; k < count; k++)
    if (strides[k][outer] != strides[k][inner] * size[inner])
      return false;
  return true;
}

int cusp_collapse_axes(int ndim, int64_t *size, int count, int64_t strides[][CUSP_MAX_DIMS]) {
  int last = -1; /* the last axis kept */
  for (int i = 0; i < ndim; i++) {
    if (size[i] == 1)
      continue;
    bool merge = last >= 0 && can_merge(last, i, size, count, strides);
    int64_t merged = merge ? size[last] * size[i] : size[i];
    last += !merge;
    for (int k = 0; k < count; k++)
      strides[k][last] = strides[k][i];
    size[last] = merged;
  }
  if (last >= 0)
    return last + 1;
  size[0] = 1;
  for (int k = 0; k < count; k++)
    strides[k][0] = 1;
  return 1;
}
