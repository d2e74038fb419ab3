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
  const cusp_row_loops *loops = CUSP_ISA_CHOOSE(cusp_row_loops);
  int64_t count = cusp_array_count(positions), low, high;
  if (positions->dtype == CUSP_INT32)
    loops->extremes_int32(positions->data, count, &low, &high);
  else
    loops->extremes_int64(positions->data, count, &low, &high);
  if (low >= -size && high < size)
    return CUSP_OK;
  return cusp_fail(CUSP_EVALUE,
                   "%s: index %lld is out of range for an axis of size %lld (indices count from 0)",
                   call->name, (long long)(high >= size ? high : low), (long long)size);
}

/* ------------------------------------------------------------------ positions in several axes */

/* The row that index row `row` names, or -1. */
static int64_t row_at(const cusp_array *positions, int64_t row, int k, const cusp_shape *shape) {
  int64_t offset = 0;
  for (int axis = 0; axis < k; axis++) {
    int64_t at = cusp_position(positions, row * k + axis), size = shape->size[axis];
    at += at < 0 ? size : 0;
    if (at < 0 || at >= size)
      return -1;
    offset = offset * size + at;
  }
  return offset;
}

void cusp_rows_at(const cusp_array *positions, int k, const cusp_shape *shape, int64_t first,
                  int64_t n, int64_t *at) {
  const cusp_row_loops *loops = CUSP_ISA_CHOOSE(cusp_row_loops);
  if (k != 1)
    for (int64_t i = 0; i < n; i++)
      at[i] = row_at(positions, first + i, k, shape);
  else if (positions->dtype == CUSP_INT32)
    loops->resolve_int32((const int32_t *)positions->data + first, n, shape->size[0], at);
  else
    loops->resolve_int64((const int64_t *)positions->data + first, n, shape->size[0], at);
}

cusp_status cusp_rows_check(const cusp_call *call, const cusp_array *positions, int64_t rows, int k,
                            const cusp_shape *shape) {
  int64_t row = 0;
  while (row < rows && row_at(positions, row, k, shape) >= 0)
    row++;
  if (row == rows)
    return CUSP_OK;
  char text[192];
  int length = 0;
  for (int axis = 0; axis < k && length < (int)sizeof text; axis++)
    length += snprintf(text + length, sizeof text - (size_t)length, axis ? ", %lld" : "%lld",
                       (long long)cusp_position(positions, row * k + axis));
  return cusp_fail(CUSP_EVALUE, "%s: index {%s} lies outside the shape %s (indices count from 0)",
                   call->name, text, cusp_shape_text(shape));
}

/* ------------------------------------------------------------------ rows */

typedef struct gathering {
  const char *x;
  char *out;
  const cusp_array *positions;
  const cusp_row_loops *loops;
  cusp_shape shape; /* of what positions count in */
  int k;            /* its axes */
  /* rows there, bytes of a row (or elements within a line), positions */
  int64_t count, inner, places;
  size_t size;
} gathering;

static int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

/* Rows [begin, end) of [outer * places]. */
static void gather_rows(void *context, int64_t begin, int64_t end) {
  const gathering *g = context;
  int64_t at[CUSP_ROWS_BLOCK], n;
  for (int64_t row = begin; row < end; row += n) {
    const int64_t outer = row / g->places, place = row % g->places;
    n = least_of(least_of(CUSP_ROWS_BLOCK, g->places - place), end - row);
    cusp_rows_at(g->positions, g->k, &g->shape, place, n, at);
    g->loops->copy(g->out + row * g->inner, g->x + outer * g->count * g->inner, n, at, g->inner);
  }
}

/* Rows [first, first + n) of the result, with zeros for those outside. */
static void copy_or_drop(const gathering *g, int64_t first, int64_t n, const int64_t *at) {
  int64_t run;
  for (int64_t i = 0; i < n; i += run) {
    for (run = 0; i + run < n && at[i + run] >= 0; run++)
      ;
    g->loops->copy(g->out + (first + i) * g->inner, g->x, run, at + i, g->inner);
    if (i + run < n)
      memset(g->out + (first + i + run++) * g->inner, 0, (size_t)g->inner);
  }
}

/* The same as gather_rows for one `outer`, where rows may lie outside; most do not. */
static void gather_or_drop(void *context, int64_t begin, int64_t end) {
  const gathering *g = context;
  int64_t at[CUSP_ROWS_BLOCK], n, low, high;
  for (int64_t row = begin; row < end; row += n) {
    n = least_of(CUSP_ROWS_BLOCK, end - row);
    cusp_rows_at(g->positions, g->k, &g->shape, row, n, at);
    g->loops->extremes_int64(at, n, &low, &high);
    if (low < 0)
      copy_or_drop(g, row, n, at);
    else
      g->loops->copy(g->out + row * g->inner, g->x, n, at, g->inner);
  }
}

/* A row takes about as long as 16 bytes more than it has. */
static int64_t row_grain(int64_t bytes) { return 1 + (1 << 17) / (bytes + 16); }

static cusp_status run_gather_axis(cusp_call *call) {
  const cusp_array *x = &call->inputs[0], *positions = &call->inputs[1];
  cusp_lines lines = cusp_lines_around(&x->shape, (int)call->attrs[0].integer, 1);
  CUSP_TRY(cusp_positions_check(call, positions, lines.count));
  gathering g = {.x = x->data,
                 .out = call->outputs[0].data,
                 .positions = positions,
                 .loops = CUSP_ISA_CHOOSE(cusp_row_loops),
                 .shape = {1, {lines.count}},
                 .k = 1,
                 .count = lines.count,
                 .inner = lines.inner * (int64_t)cusp_dtype_size(x->dtype),
                 .places = cusp_array_count(positions)};
  if (g.inner > 0)
    cusp_parallel_for(lines.outer * g.places, row_grain(g.inner), gather_rows, &g);
  return CUSP_OK;
}

static cusp_status run_gather_nd(cusp_call *call) {
  const cusp_array *x = &call->inputs[0], *positions = &call->inputs[1];
  int k = (int)positions->shape.size[positions->shape.ndim - 1];
  cusp_lines lines = cusp_lines_around(&x->shape, 0, k);
  gathering g = {.x = x->data,
                 .out = call->outputs[0].data,
                 .positions = positions,
                 .loops = CUSP_ISA_CHOOSE(cusp_row_loops),
                 .shape = x->shape,
                 .k = k,
                 .count = lines.count,
                 .inner = lines.inner * (int64_t)cusp_dtype_size(x->dtype),
                 .places = cusp_array_count(positions) / k};
  const bool drop = call->attrs[0].integer;
  if (!drop)
    CUSP_TRY(cusp_rows_check(call, positions, g.places, k, &x->shape));
  if (g.inner > 0)
    cusp_parallel_for(g.places, row_grain(g.inner), drop ? gather_or_drop : gather_rows, &g);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ along one axis, positions of
 * each line */

#define GATHER_ELEMENTS(type)                                                      \
  for (int64_t row = begin; row < end; row++) {                                    \
    const type *from = (const type *)g->x + row / g->places * g->count * g->inner; \
    type *to = (type *)g->out + row * g->inner;                                    \
    for (int64_t i = 0; i < g->inner; i++) {                                       \
      const int64_t at = cusp_position(g->positions, row * g->inner + i);          \
      to[i] = from[(at < 0 ? at + g->count : at) * g->inner + i];                  \
    }                                                                              \
  }

/* Rows [begin, end) of [outer * places], of `inner` elements, each with a position. */
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
  gathering g = {.x = x->data,
                 .out = call->outputs[0].data,
                 .positions = positions,
                 .count = lines.count,
                 .inner = lines.inner,
                 .places = positions->shape.size[axis],
                 .size = cusp_dtype_size(x->dtype)};
  cusp_parallel_for(lines.outer * g.places, 1 + 8192 / (g.inner + 1), gather_elements, &g);
  return CUSP_OK;
}

const cusp_kernel cusp_gather_axis_kernels[] = {{.name = "rows", .run = run_gather_axis}, {0}};
const cusp_kernel cusp_gather_along_kernels[] = {{.name = "elements", .run = run_gather_along},
                                                 {0}};
const cusp_kernel cusp_gather_nd_kernels[] = {{.name = "rows", .run = run_gather_nd}, {0}};
