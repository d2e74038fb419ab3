/* Writing and adding at given positions (see gather.h). */

#include "scatter.h"

#include "../base/threads.h"
#include "copy.h"

/* Wider rows are cut into columns, narrower ones go to the thread that owns their place. */
#define WIDE 32
/* Elements for which it pays that each thread looks through all positions. */
#define MANY (1 << 18)

typedef struct scattering {
  const char *from;
  char *out;
  const cusp_array *positions;
  cusp_shape shape; /* of what positions count in */
  int k;            /* its axes */
  cusp_lines lines; /* of the result */
  int64_t places;
  int64_t step; /* elements from one row of the updates to the next */
  int64_t size; /* of an element */
  cusp_combine_rows_fn combine;
  int64_t (*select)(const int64_t *, int64_t, int64_t, int64_t, int64_t *, int64_t *);
} scattering;

/** What a thread makes of the result: rows [begin, end), `columns` of them from `column` on. */
typedef struct part {
  int64_t begin, end, column, columns;
} part;

/* ------------------------------------------------------------------ rows */

/**
 * Whether rows lie evenly: x as rows counted by its first `axes` axes, each of contiguous elements,
 * `step` elements from one to the next.
 */
static bool lies_in_rows(const cusp_array *x, int axes, int64_t *step) {
  int64_t inner = 1, rows = 1;
  for (int axis = x->shape.ndim - 1; axis >= axes; axis--) {
    if (x->shape.size[axis] != 1 && x->strides[axis] != inner)
      return false;
    inner *= x->shape.size[axis];
  }
  *step = inner;
  for (int axis = axes - 1; axis >= 0; axis--) {
    if (x->shape.size[axis] == 1)
      continue;
    if (rows == 1)
      *step = x->strides[axis];
    else if (x->strides[axis] != *step * rows)
      return false;
    rows *= x->shape.size[axis];
  }
  return true;
}

/* The places [first, first + n) that lie in rows [begin, end) of the result; those that are dropped
 * lie in none. */
static void combine_block(const scattering *s, int64_t outer, int64_t first, int64_t n,
                          const part *p) {
  int64_t at[CUSP_ROWS_BLOCK], to[CUSP_ROWS_BLOCK], from[CUSP_ROWS_BLOCK];
  cusp_rows_at(s->positions, s->k, &s->shape, first, n, at);
  const cusp_row_list list = {.to = to,
                              .from = from,
                              .to_step = s->lines.inner,
                              .from_step = s->step,
                              .count = s->select(at, n, p->begin, p->end, to, from),
                              .columns = p->columns};
  s->combine(s->out + (outer * s->lines.count * s->lines.inner + p->column) * s->size,
             s->from + ((outer * s->places + first) * s->step + p->column) * s->size, &list);
}

/* In the order of places. */
static void combine_part(const scattering *s, const part *p) {
  for (int64_t outer = 0; outer < s->lines.outer; outer++)
    for (int64_t first = 0; first < s->places; first += CUSP_ROWS_BLOCK) {
      const int64_t left = s->places - first;
      combine_block(s, outer, first, left < CUSP_ROWS_BLOCK ? left : CUSP_ROWS_BLOCK, p);
    }
}

static void combine_columns(void *context, int64_t begin, int64_t end) {
  const scattering *s = context;
  const int64_t first = begin * CUSP_ROW_LINE, last = end * CUSP_ROW_LINE, inner = s->lines.inner;
  combine_part(s, &(part){0, s->lines.count, first, (last < inner ? last : inner) - first});
}

static void combine_rows(void *context, int64_t begin, int64_t end) {
  const scattering *s = context;
  combine_part(s, &(part){begin, end, 0, s->lines.inner});
}

/* `inner` is the width of what is combined at once. */
static void find_loops(scattering *s, cusp_dtype dtype, int64_t mode, int64_t inner) {
  const cusp_row_loops *loops = CUSP_ISA_CHOOSE(cusp_row_loops);
  const bool lines =
      dtype == CUSP_FLOAT32 && mode == CUSP_SCATTER_ADD && inner % CUSP_ROW_LINE == 0;
  s->combine = lines ? loops->add_lines : loops->combine[dtype][mode];
  s->select = loops->select;
}

/* Each element of the result has one thread, which meets its updates in order. */
static void combine_all(scattering *s) {
  const int64_t rows = s->lines.outer * s->places, inner = s->lines.inner;
  if (inner >= WIDE)
    cusp_parallel_for((inner + CUSP_ROW_LINE - 1) / CUSP_ROW_LINE, 1 + 2048 / (rows + 1),
                      combine_columns, s);
  else if (inner > 0)
    cusp_parallel_for(s->lines.count, rows * inner < MANY ? s->lines.count : 1, combine_rows, s);
}

/* ------------------------------------------------------------------ along one axis, the same
 * positions everywhere */

static bool accepts_rows(const cusp_call *call, int input) {
  int64_t step;
  return input == 0 &&
         lies_in_rows(&call->inputs[0], (int)call->attrs[0].integer + call->inputs[1].shape.ndim,
                      &step);
}

static cusp_status run_scatter_axis(cusp_call *call) {
  const cusp_array *updates = &call->inputs[0], *positions = &call->inputs[1];
  cusp_array *out = &call->outputs[0];
  const int axis = (int)call->attrs[0].integer;
  const cusp_lines lines = cusp_lines_around(&out->shape, axis, 1);
  scattering s = {.from = updates->data,
                  .out = out->data,
                  .positions = positions,
                  .shape = {1, {lines.count}},
                  .k = 1,
                  .lines = lines,
                  .places = cusp_array_count(positions),
                  .size = (int64_t)cusp_dtype_size(out->dtype)};
  find_loops(&s, out->dtype, CUSP_SCATTER_ADD, lines.inner);
  lies_in_rows(updates, axis + positions->shape.ndim, &s.step);
  CUSP_TRY(cusp_positions_check(call, positions, lines.count));
  cusp_fill(out->data, cusp_array_count(out), (size_t)s.size, NULL);
  combine_all(&s);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ along one axis, positions of
 * each line */

/* Lines [begin, end) of [outer * inner]. */
static void add_lines(void *context, int64_t begin, int64_t end) {
  const scattering *s = context;
  const int64_t inner = s->lines.inner;
  int64_t to[CUSP_ROWS_BLOCK], from[CUSP_ROWS_BLOCK];
  cusp_row_list list = {.to = to, .from = from, .to_step = 1, .from_step = 1, .columns = 1};
  for (int64_t line = begin; line < end; line++)
    for (int64_t place = 0; place < s->places; place++) {
      const int64_t read = (line / inner * s->places + place) * inner + line % inner,
                    at = cusp_position(s->positions, read),
                    row = line / inner * s->lines.count + (at < 0 ? at + s->lines.count : at);
      to[list.count] = row * inner + line % inner;
      from[list.count++] = read;
      if (list.count < CUSP_ROWS_BLOCK && place + 1 < s->places)
        continue;
      s->combine(s->out, s->from, &list);
      list.count = 0;
    }
}

static cusp_status run_scatter_along(cusp_call *call) {
  const cusp_array *updates = &call->inputs[0], *positions = &call->inputs[1];
  cusp_array *out = &call->outputs[0];
  int axis = (int)call->attrs[0].integer;
  scattering s = {.from = updates->data,
                  .out = out->data,
                  .positions = positions,
                  .lines = cusp_lines_around(&out->shape, axis, 1),
                  .places = positions->shape.size[axis],
                  .size = (int64_t)cusp_dtype_size(out->dtype)};
  find_loops(&s, out->dtype, CUSP_SCATTER_ADD, 1);
  CUSP_TRY(cusp_positions_check(call, positions, s.lines.count));
  cusp_fill(out->data, cusp_array_count(out), (size_t)s.size, NULL);
  cusp_parallel_for(s.lines.outer * s.lines.inner, 1 + 4096 / (s.places + 1), add_lines, &s);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ positions in several axes */

static bool accepts_base_and_updates(const cusp_call *call, int input) {
  int64_t step;
  if (input != 2)
    return input == 0;
  return lies_in_rows(&call->inputs[2], call->inputs[1].shape.ndim - 1, &step);
}

/* Zeros of which there are many are one number in memory. */
static void copy_base(const cusp_array *to, const cusp_array *from) {
  bool one = true;
  for (int axis = 0; axis < from->shape.ndim; axis++)
    one = one && from->strides[axis] == 0;
  if (one)
    cusp_fill(to->data, cusp_array_count(to), cusp_dtype_size(to->dtype), from->data);
  else if (to->data != from->data)
    cusp_array_copy(to, from);
}

static cusp_status run_scatter_nd(cusp_call *call) {
  const cusp_array *x = &call->inputs[0], *positions = &call->inputs[1],
                   *updates = &call->inputs[2];
  cusp_array *out = &call->outputs[0];
  const int last = positions->shape.ndim - 1, k = (int)positions->shape.size[last];
  scattering s = {.from = updates->data,
                  .out = out->data,
                  .positions = positions,
                  .shape = out->shape,
                  .k = k,
                  .lines = cusp_lines_around(&out->shape, 0, k),
                  .places = cusp_array_count(positions) / k,
                  .size = (int64_t)cusp_dtype_size(out->dtype)};
  find_loops(&s, out->dtype, call->attrs[0].integer, s.lines.inner);
  lies_in_rows(updates, last, &s.step);
  if (!call->attrs[1].integer)
    CUSP_TRY(cusp_rows_check(call, positions, s.places, k, &out->shape));
  copy_base(out, x);
  combine_all(&s);
  return CUSP_OK;
}

const cusp_kernel cusp_scatter_axis_kernels[] = {
    {.name = "rows", .accepts = accepts_rows, .run = run_scatter_axis}, {0}};
const cusp_kernel cusp_scatter_along_kernels[] = {{.name = "lines", .run = run_scatter_along}, {0}};
const cusp_kernel cusp_scatter_nd_kernels[] = {
    {.name = "rows", .accepts = accepts_base_and_updates, .run = run_scatter_nd}, {0}};
