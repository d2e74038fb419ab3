/* Reading elements at given positions (see gather.h). */

#include "gather.h"

#include "../base/threads.h"

#include <stdio.h>
#include <string.h>

cusp_lines cusp_lines_around(const cusp_shape *shape, int axis, int width) {
  cusp_lines lines = {1, 1, 1};
  for (int i = 0; i < shape->ndim; i++)
    *(i < axis ? &lines.outer : i < axis + width ? &lines.count : &lines.inner) *= shape->size[i];
  return lines;
}

cusp_status cusp_positions_check(const cusp_call *call, const cusp_array *positions, int64_t size) {
  int64_t count = cusp_array_count(positions), low = 0, high = -1;
  if (positions->dtype == CUSP_INT32) {
    const int32_t *p = positions->data;
    int32_t least = 0, most = -1;
    for (int64_t i = 0; i < count; i++) {
      least = p[i] < least ? p[i] : least;
      most = p[i] > most ? p[i] : most;
    }
    low = least;
    high = most;
  } else {
    const int64_t *p = positions->data;
    for (int64_t i = 0; i < count; i++) {
      low = p[i] < low ? p[i] : low;
      high = p[i] > high ? p[i] : high;
    }
  }
  if (low >= -size && high < size)
    return CUSP_OK;
  return cusp_fail(CUSP_EVALUE,
                   "%s: index %lld is out of range for an axis of size %lld (indices count from 0)",
                   call->name, (long long)(high >= size ? high : low), (long long)size);
}

/* ------------------------------------------------------------------ along one axis, the same
 * positions everywhere */

typedef struct gathering {
  const char *x;
  char *out;
  const cusp_array *positions;
  int64_t count, inner, places; /* elements of the axis, bytes (or elements) within it, positions */
  size_t size;
} gathering;

/* Rows [begin, end) of [outer * places], of `inner` bytes each: g->inner, which the compiler knows
 * where the caller does. */
static inline __attribute__((always_inline)) void gather_rows_of(const gathering *g, int64_t begin,
                                                                 int64_t end, int64_t inner) {
  int64_t outer = begin / g->places, place = begin % g->places;
  for (int64_t row = begin; row < end; row++) {
    int64_t at = cusp_position(g->positions, place);
    at += at < 0 ? g->count : 0;
    memcpy(g->out + row * inner, g->x + (outer * g->count + at) * inner, (size_t)inner);
    if (++place == g->places) {
      place = 0;
      outer++;
    }
  }
}

/* Single elements and pixels of three channels are so short that a call for each would take most of
 * the time. */
static void gather_rows(void *context, int64_t begin, int64_t end) {
  const gathering *g = context;
  switch (g->inner) {
  case 1: gather_rows_of(g, begin, end, 1); break;
  case 3: gather_rows_of(g, begin, end, 3); break;
  case 4: gather_rows_of(g, begin, end, 4); break;
  case 8: gather_rows_of(g, begin, end, 8); break;
  case 12: gather_rows_of(g, begin, end, 12); break;
  case 16: gather_rows_of(g, begin, end, 16); break;
  default: gather_rows_of(g, begin, end, g->inner);
  }
}

static cusp_status run_gather_axis(cusp_call *call) {
  const cusp_array *x = &call->inputs[0], *positions = &call->inputs[1];
  cusp_lines lines = cusp_lines_around(&x->shape, (int)call->attrs[0].integer, 1);
  int64_t places = cusp_array_count(positions),
          bytes = lines.inner * (int64_t)cusp_dtype_size(x->dtype);
  CUSP_TRY(cusp_positions_check(call, positions, lines.count));
  gathering g = {x->data, call->outputs[0].data, positions, lines.count, bytes, places, 0};
  if (bytes > 0)
    cusp_parallel_for(lines.outer * places, 1 + (1 << 17) / (bytes + 16), gather_rows, &g);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ along one axis, positions of
 * each line */

#define GATHER_ELEMENTS(type)                                                                      \
  for (int64_t i = begin; i < end; i++) {                                                          \
    int64_t at = cusp_position(g->positions, i);                                                   \
    at += at < 0 ? g->count : 0;                                                                   \
    int64_t outer = i / (g->places * g->inner);                                                    \
    ((type *)g->out)[i] = ((const type *)g->x)[(outer * g->count + at) * g->inner + i % g->inner]; \
  }

static void gather_elements(void *context, int64_t begin, int64_t end) {
  const gathering *g = context;
  switch (g->size) {
  case 1: GATHER_ELEMENTS(uint8_t) break;
  case 2: GATHER_ELEMENTS(uint16_t) break;
  case 4: GATHER_ELEMENTS(uint32_t) break;
  default: GATHER_ELEMENTS(uint64_t) break;
  }
}

static cusp_status run_gather_along(cusp_call *call) {
  const cusp_array *x = &call->inputs[0], *positions = &call->inputs[1];
  int axis = (int)call->attrs[0].integer;
  cusp_lines lines = cusp_lines_around(&x->shape, axis, 1);
  CUSP_TRY(cusp_positions_check(call, positions, lines.count));
  gathering g = {x->data,
                 call->outputs[0].data,
                 positions,
                 lines.count,
                 lines.inner,
                 positions->shape.size[axis],
                 cusp_dtype_size(x->dtype)};
  cusp_parallel_for(cusp_array_count(positions), 8192, gather_elements, &g);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ positions in several axes */

int64_t cusp_position_offset(const cusp_array *positions, int64_t row, int k,
                             const cusp_shape *shape, int64_t inner) {
  int64_t offset = 0;
  for (int axis = 0; axis < k; axis++) {
    int64_t at = cusp_position(positions, row * k + axis), size = shape->size[axis];
    at += at < 0 ? size : 0;
    if (at < 0 || at >= size)
      return -1;
    offset = offset * size + at;
  }
  return offset * inner;
}

cusp_status cusp_position_fail(const cusp_call *call, const cusp_array *positions, int64_t row,
                               int k, const cusp_shape *shape) {
  char text[192];
  int length = 0;
  for (int axis = 0; axis < k && length < (int)sizeof text; axis++)
    length += snprintf(text + length, sizeof text - (size_t)length, axis ? ", %lld" : "%lld",
                       (long long)cusp_position(positions, row * k + axis));
  return cusp_fail(CUSP_EVALUE, "%s: index {%s} lies outside the shape %s (indices count from 0)",
                   call->name, text, cusp_shape_text(shape));
}

static cusp_status run_gather_nd(cusp_call *call) {
  const cusp_array *x = &call->inputs[0], *positions = &call->inputs[1];
  int k = (int)positions->shape.size[positions->shape.ndim - 1];
  size_t size = cusp_dtype_size(x->dtype);
  cusp_lines lines = cusp_lines_around(&x->shape, 0, k);
  int64_t rows = cusp_shape_count(&positions->shape) / (k ? k : 1);
  char *to = call->outputs[0].data;
  for (int64_t row = 0; row < rows; row++, to += lines.inner * (int64_t)size) {
    int64_t offset = cusp_position_offset(positions, row, k, &x->shape, lines.inner);
    if (offset < 0 && !call->attrs[0].integer)
      return cusp_position_fail(call, positions, row, k, &x->shape);
    if (offset < 0)
      memset(to, 0, (size_t)lines.inner * size);
    else
      memcpy(to, (const char *)x->data + (size_t)offset * size, (size_t)lines.inner * size);
  }
  return CUSP_OK;
}

const cusp_kernel cusp_gather_axis_kernels[] = {{.name = "rows", .run = run_gather_axis}, {0}};
const cusp_kernel cusp_gather_along_kernels[] = {{.name = "elements", .run = run_gather_along},
                                                 {0}};
const cusp_kernel cusp_gather_nd_kernels[] = {{.name = "rows", .run = run_gather_nd}, {0}};
