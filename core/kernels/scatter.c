/* Writing and adding at given positions (see gather.h). */

#pragma GCC optimize("O3") /* the loops over columns want vectors */

#include "scatter.h"

#include "../base/threads.h"
#include "copy.h"

#include <string.h>

/** Combines `count` elements of `from` into `to`. */
typedef void (*cusp_combine_fn)(void *to, const void *from, int64_t count);

/* ------------------------------------------------------------------ combining */

#define COMBINE(name, type, load, store, expression)            \
  static void name(void *to, const void *from, int64_t count) { \
    type *out = to;                                             \
    const type *in = from;                                      \
    for (int64_t i = 0; i < count; i++) {                       \
      __auto_type a = load(out[i]);                             \
      __auto_type b = load(in[i]);                              \
      (void)a, (void)b;                                         \
      out[i] = store(expression);                               \
    }                                                           \
  }

#define ITSELF(x) (x)
/* A NaN on either side stays. */
#define LARGER (a > b || a != a ? a : b)
#define SMALLER (a < b || a != a ? a : b)

/* `load` is into what sums and products are computed in, `compare` into what is compared. */
#define MODES(name, type, load, compare, store)      \
  COMBINE(set_##name, type, ITSELF, ITSELF, b)       \
  COMBINE(add_##name, type, load, store, a + b)      \
  COMBINE(max_##name, type, compare, store, LARGER)  \
  COMBINE(min_##name, type, compare, store, SMALLER) \
  COMBINE(multiply_##name, type, load, store, a *b)

#define TO_BOOL(x) ((x) != 0)
#define INTEGER(NAME, name, type, ...) MODES(name, type, (CUSP_WRAPPING(type)), ITSELF, (type))
#define HALF(NAME, name, type, ...) \
  MODES(name, type, cusp_##name##_to_float, cusp_##name##_to_float, cusp_float_to_##name)
#define REAL(NAME, name, type, ...) MODES(name, type, ITSELF, ITSELF, ITSELF)

MODES(bool, uint8_t, ITSELF, ITSELF, TO_BOOL)
CUSP_INT_DTYPES(INTEGER)
CUSP_HALF_DTYPES(HALF)
CUSP_REAL_DTYPES(REAL)

#define ROW(NAME, name, ...) \
  [CUSP_##NAME] = {set_##name, add_##name, max_##name, min_##name, multiply_##name},
static const cusp_combine_fn combiners[CUSP_DTYPE_COUNT][CUSP_SCATTER_MODES] = {CUSP_DTYPES(ROW)};

/* ------------------------------------------------------------------ along one axis, the same
 * positions everywhere */

typedef struct scattering {
  const char *from;
  char *out;
  const cusp_array *positions;
  const cusp_shape *shape;
  cusp_lines lines; /* of the result */
  int64_t places;
  int k;
  size_t size;
  cusp_combine_fn combine;
} scattering;

/* Columns [begin, end) of every row. */
static void add_columns(void *context, int64_t begin, int64_t end) {
  const scattering *s = context;
  for (int64_t outer = 0; outer < s->lines.outer; outer++)
    for (int64_t place = 0; place < s->places; place++) {
      int64_t at = cusp_position(s->positions, place);
      at += at < 0 ? s->lines.count : 0;
      int64_t to = (outer * s->lines.count + at) * s->lines.inner + begin;
      int64_t from = (outer * s->places + place) * s->lines.inner + begin;
      s->combine(s->out + (size_t)to * s->size, s->from + (size_t)from * s->size, end - begin);
    }
}

/* Rows [begin, end) of the axis, all columns: each thread reads all positions and keeps to its
 * own. */
static void add_rows(void *context, int64_t begin, int64_t end) {
  const scattering *s = context;
  for (int64_t outer = 0; outer < s->lines.outer; outer++)
    for (int64_t place = 0; place < s->places; place++) {
      int64_t at = cusp_position(s->positions, place);
      at += at < 0 ? s->lines.count : 0;
      if (at < begin || at >= end)
        continue;
      int64_t to = (outer * s->lines.count + at) * s->lines.inner,
              from = (outer * s->places + place) * s->lines.inner;
      s->combine(s->out + (size_t)to * s->size, s->from + (size_t)from * s->size, s->lines.inner);
    }
}

static cusp_status run_scatter_axis(cusp_call *call) {
  const cusp_array *updates = &call->inputs[0], *positions = &call->inputs[1];
  cusp_array *out = &call->outputs[0];
  scattering s = {.from = updates->data,
                  .out = out->data,
                  .positions = positions,
                  .places = cusp_array_count(positions)};
  s.lines = cusp_lines_around(&out->shape, (int)call->attrs[0].integer, 1);
  s.size = cusp_dtype_size(out->dtype);
  s.combine = combiners[out->dtype][CUSP_SCATTER_ADD];
  CUSP_TRY(cusp_positions_check(call, positions, s.lines.count));
  cusp_fill(out->data, cusp_array_count(out), s.size, NULL);
  int64_t work = s.lines.outer * s.places;
  if (s.lines.inner >= 32)
    cusp_parallel_for(s.lines.inner, 16 + 16384 / (work + 1), add_columns, &s);
  else
    cusp_parallel_for(s.lines.count, 1 + s.lines.count * 8192 / (work * s.lines.inner + 1),
                      add_rows, &s);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ along one axis, positions of
 * each line */

/* Lines [begin, end) of [outer * inner]. */
static void add_lines(void *context, int64_t begin, int64_t end) {
  const scattering *s = context;
  for (int64_t line = begin; line < end; line++) {
    int64_t outer = line / s->lines.inner, inner = line % s->lines.inner;
    for (int64_t place = 0; place < s->places; place++) {
      int64_t from = (outer * s->places + place) * s->lines.inner + inner;
      int64_t at = cusp_position(s->positions, from);
      at += at < 0 ? s->lines.count : 0;
      int64_t to = (outer * s->lines.count + at) * s->lines.inner + inner;
      s->combine(s->out + (size_t)to * s->size, s->from + (size_t)from * s->size, 1);
    }
  }
}

static cusp_status run_scatter_along(cusp_call *call) {
  const cusp_array *updates = &call->inputs[0], *positions = &call->inputs[1];
  cusp_array *out = &call->outputs[0];
  int axis = (int)call->attrs[0].integer;
  scattering s = {.from = updates->data,
                  .out = out->data,
                  .positions = positions,
                  .places = positions->shape.size[axis]};
  s.lines = cusp_lines_around(&out->shape, axis, 1);
  s.size = cusp_dtype_size(out->dtype);
  s.combine = combiners[out->dtype][CUSP_SCATTER_ADD];
  CUSP_TRY(cusp_positions_check(call, positions, s.lines.count));
  cusp_fill(out->data, cusp_array_count(out), s.size, NULL);
  cusp_parallel_for(s.lines.outer * s.lines.inner, 1 + 4096 / (s.places + 1), add_lines, &s);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ positions in several axes */

/* Columns [begin, end) of what lies under a position. */
static void combine_columns(void *context, int64_t begin, int64_t end) {
  const scattering *s = context;
  for (int64_t row = 0; row < s->places; row++) {
    int64_t offset = cusp_position_offset(s->positions, row, s->k, s->shape, s->lines.inner);
    if (offset >= 0)
      s->combine(s->out + (size_t)(offset + begin) * s->size,
                 s->from + (size_t)(row * s->lines.inner + begin) * s->size, end - begin);
  }
}

static cusp_status run_scatter_nd(cusp_call *call) {
  const cusp_array *x = &call->inputs[0], *positions = &call->inputs[1];
  cusp_array *out = &call->outputs[0];
  int k = (int)positions->shape.size[positions->shape.ndim - 1];
  scattering s = {.from = call->inputs[2].data,
                  .out = out->data,
                  .positions = positions,
                  .shape = &out->shape,
                  .k = k};
  s.places = cusp_array_count(positions) / (k ? k : 1);
  s.lines = cusp_lines_around(&out->shape, 0, k);
  s.size = cusp_dtype_size(out->dtype);
  s.combine = combiners[out->dtype][call->attrs[0].integer];
  for (int64_t row = 0; row < s.places && !call->attrs[1].integer; row++)
    if (cusp_position_offset(positions, row, k, &out->shape, 1) < 0)
      return cusp_position_fail(call, positions, row, k, &out->shape);
  if (out->data != x->data)
    cusp_array_copy(out, x);
  cusp_parallel_for(s.lines.inner, 16 + 16384 / (s.places + 1), combine_columns, &s);
  return CUSP_OK;
}

const cusp_kernel cusp_scatter_axis_kernels[] = {{.name = "rows", .run = run_scatter_axis}, {0}};
const cusp_kernel cusp_scatter_along_kernels[] = {{.name = "lines", .run = run_scatter_along}, {0}};
const cusp_kernel cusp_scatter_nd_kernels[] = {{.name = "rows", .run = run_scatter_nd}, {0}};
