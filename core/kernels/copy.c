/* Kernels over cusp_array_copy (see copy.h). */

#include "copy.h"

#include "../base/threads.h"

#include <string.h>

/* ------------------------------------------------------------------ filling */

typedef struct filling {
  char *to;
  size_t size;
  const void *value;
} filling;

#define FILL_PIECE 4096 /* bytes that stay in the first-level cache */

static void fill_range(void *context, int64_t begin, int64_t end) {
  const filling *f = context;
  char *first = f->to + (size_t)begin * f->size;
  const size_t bytes = (size_t)(end - begin) * f->size;
  size_t done = f->size, piece;
  if (!f->value) {
    memset(first, 0, bytes);
    return;
  }
  memcpy(first, f->value, f->size);
  for (; done < bytes; done += piece) { /* copies what is there, at first twice as much each time */
    piece = done < FILL_PIECE ? done : FILL_PIECE / f->size * f->size;
    piece = piece < bytes - done ? piece : bytes - done;
    memcpy(first + done, first, piece);
  }
}

static bool is_zero(const void *value, size_t size) {
  const uint64_t zero = 0;
  return size <= sizeof zero && memcmp(value, &zero, size) == 0;
}

void cusp_fill(void *to, int64_t count, size_t element_size, const void *value) {
  if (count > 0)
    cusp_parallel_for(
        count, 1 << 16, fill_range,
        &(filling){to, element_size, value && is_zero(value, element_size) ? NULL : value});
}

/* ------------------------------------------------------------------ embed and concatenate */

static cusp_status run_embed(cusp_call *call) {
  cusp_array *out = &call->outputs[0], part;
  const cusp_array *x = &call->inputs[0];
  cusp_fill(out->data, cusp_array_count(out), cusp_dtype_size(out->dtype),
            call->n_inputs > 1 ? call->inputs[1].data : NULL);
  cusp_array_slice(&part, out, call->attrs[1].ints, call->attrs[2].ints, &x->shape);
  cusp_array_copy(&part, x);
  return CUSP_OK;
}

static cusp_status run_concatenate(cusp_call *call) {
  static const int64_t ones[CUSP_MAX_DIMS] = {1, 1, 1, 1, 1, 1, 1, 1};
  int64_t start[CUSP_MAX_DIMS] = {0};
  int axis = (int)call->attrs[0].integer;
  for (int i = 0; i < call->n_inputs; i++) {
    cusp_array part;
    cusp_array_slice(&part, &call->outputs[0], start, ones, &call->inputs[i].shape);
    cusp_array_copy(&part, &call->inputs[i]);
    start[axis] += call->inputs[i].shape.size[axis];
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ slices at starts computed at
 * run time */

/* The part of `whole` of shape `shape` that begins at `starts`, moved inwards where it would reach
 * past an end. */
static void clamped_slice(cusp_array *part, const cusp_array *whole, const cusp_array *starts,
                          const cusp_shape *shape) {
  static const int64_t ones[CUSP_MAX_DIMS] = {1, 1, 1, 1, 1, 1, 1, 1};
  int64_t start[CUSP_MAX_DIMS];
  for (int axis = 0; axis < shape->ndim; axis++) {
    int64_t last = whole->shape.size[axis] - shape->size[axis];
    int64_t asked =
        ((const int64_t *)starts->data)[axis * (starts->shape.ndim ? starts->strides[0] : 0)];
    start[axis] = asked < 0 ? 0 : asked > last ? last : asked;
  }
  cusp_array_slice(part, whole, start, ones, shape);
}

static cusp_status run_dynamic_slice(cusp_call *call) {
  cusp_array part;
  clamped_slice(&part, &call->inputs[0], &call->inputs[1], &call->outputs[0].shape);
  cusp_array_copy(&call->outputs[0], &part);
  return CUSP_OK;
}

static cusp_status run_dynamic_update(cusp_call *call) {
  cusp_array part;
  if (call->outputs[0].data != call->inputs[0].data)
    cusp_array_copy(&call->outputs[0], &call->inputs[0]);
  clamped_slice(&part, &call->outputs[0], &call->inputs[1], &call->inputs[2].shape);
  cusp_array_copy(&part, &call->inputs[2]);
  return CUSP_OK;
}

const cusp_kernel cusp_embed_kernels[] = {
    {.name = "fill and copy", .accepts = cusp_accepts_any, .run = run_embed}, {0}};
const cusp_kernel cusp_concatenate_kernels[] = {
    {.name = "copies", .accepts = cusp_accepts_any, .run = run_concatenate}, {0}};
const cusp_kernel cusp_dynamic_slice_kernels[] = {
    {.name = "copy", .accepts = cusp_accepts_any, .run = run_dynamic_slice}, {0}};
const cusp_kernel cusp_dynamic_update_kernels[] = {
    {.name = "copies", .accepts = cusp_accepts_any, .run = run_dynamic_update}, {0}};
