#include "recurrent.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "blas.h"
#include "factor.h"
#include "tiles.h"
#include "vector.h"

#include <string.h>

/* ------------------------------------------------------------------ where things lie */

/** Columns of a row of the kernels, and of a row of the parts. */
static int64_t kernel_columns(const cusp_recurrent *r) { return r->cell->gates * r->units; }
static int64_t part_columns(const cusp_recurrent *r) { return cusp_cell_parts(r->cell) * r->units; }

cusp_status cusp_recurrent_reserve(int64_t *count, const cusp_recurrent *r) {
  const int parts = cusp_cell_parts(r->cell), states = r->cell->states;
  size_t rows, numbers;
  CUSP_TRY(cusp_multiply_size(&rows, (size_t)r->batch, (size_t)r->time + 1));
  CUSP_TRY(cusp_multiply_size(&numbers, rows, (size_t)r->units));
  CUSP_TRY(cusp_multiply_size(&numbers, numbers, (size_t)(parts + states) * sizeof(double)));
  *count = (r->time * parts + (r->time + 1) * states) * r->batch * r->units;
  return CUSP_OK;
}

static void *at(const cusp_recurrent *r, const void *base, int64_t element) {
  return (char *)base + element * (int64_t)cusp_dtype_size(r->dtype);
}

void cusp_recurrent_place(cusp_recurrent *r, void *reserve) {
  int64_t next = r->time * r->batch * part_columns(r);
  r->parts = reserve;
  for (int i = 0; i < r->cell->states; i++) {
    r->states[i] = at(r, reserve, next);
    next += (r->time + 1) * r->batch * r->units;
  }
}

/** The time that step `step` works at, and the slot of the states after it: that before the next
 * one, or the last. */
static int64_t time_of(const cusp_recurrent *r, int64_t step) {
  return r->backwards ? r->time - 1 - step : step;
}
static int64_t slot_after(const cusp_recurrent *r, int64_t step) {
  return step + 1 < r->time ? time_of(r, step + 1) : r->time;
}

static void *part_rows(const cusp_recurrent *r, int64_t time, int64_t first) {
  return at(r, r->parts, (time * r->batch + first) * part_columns(r));
}
static void *state_rows(const cusp_recurrent *r, int state, int64_t slot, int64_t first) {
  return at(r, r->states[state], (slot * r->batch + first) * r->units);
}

static size_t row_bytes(const cusp_recurrent *r) {
  return (size_t)r->units * cusp_dtype_size(r->dtype);
}

/** Rows of the batch below which threads are not worth waking: a piece should take some 20 us. */
static int64_t batch_grain(const cusp_recurrent *r) {
  const int gates = r->cell->gates;
  /* ns */
  double row =
      (double)r->time * ((double)r->units * (double)(r->input + r->units) * (2 * gates) / 200 +
                         (double)r->units * gates);
  int64_t grain = (int64_t)(2e4 / (row + 1)) + 1;
  return grain < 4 ? 4 : grain;
}

/** Some rows of a step, without scratch. */
static cusp_cell_step cell_step(const cusp_recurrent *r, int64_t step, int64_t first,
                                int64_t rows) {
  int64_t time = time_of(r, step);
  cusp_cell_step s = {.dtype = r->dtype, .rows = rows, .units = r->units, .bias = r->bias};
  s.parts = part_rows(r, time, first);
  for (int i = 0; i < r->cell->states; i++) {
    s.before[i] = state_rows(r, i, time, first);
    s.after[i] = state_rows(r, i, slot_after(r, step), first);
  }
  return s;
}

/* ------------------------------------------------------------------ the workspace */

/** Columns first .. first + count - 1 of a kernel [rows, G * U] as the factor of a product. */
static cusp_factor columns_factor(const cusp_recurrent *r, const void *kernel, int64_t rows,
                                  int64_t first, int64_t count) {
  const void *b = kernel ? at(r, kernel, first) : NULL;
  return (cusp_factor){.dtype = r->dtype,
                       .narrow = r->narrow,
                       .k = rows,
                       .n = count,
                       .b = b,
                       .ldb = kernel_columns(r)};
}

/** A kernel [rows, G * U], transposed: the factor of a gradient. */
static cusp_factor gradient_factor(const cusp_recurrent *r, const void *kernel, int64_t rows) {
  int64_t columns = kernel_columns(r);
  return (cusp_factor){.dtype = r->dtype,
                       .narrow = r->narrow,
                       .k = columns,
                       .n = rows,
                       .b = kernel,
                       .trans = true,
                       .ldb = columns};
}

/** Bytes of a factor packed: it is worth it by what all threads do with it at a step. */
static size_t packed_bytes(const cusp_recurrent *r, cusp_factor factor) {
  return cusp_aligned_size(cusp_factor_bytes(&factor, r->batch));
}

/** Packs a factor, which every step multiplies with, into the workspace at *next, which moves on.
 */
static cusp_factor packed(const cusp_recurrent *r, cusp_factor factor, char **next) {
  cusp_factor_pack(&factor, r->batch, *next);
  *next += packed_bytes(r, factor);
  return factor;
}

/** Columns of the kernels whose two projections are simply added. */
static int64_t added_columns(const cusp_recurrent *r) {
  return (r->cell->gates - r->cell->apart) * r->units;
}

static cusp_factor added_factor(const cusp_recurrent *r) {
  return columns_factor(r, r->recurrent, r->units, 0, added_columns(r));
}
static cusp_factor apart_factor(const cusp_recurrent *r) {
  return columns_factor(r, r->recurrent, r->units, added_columns(r), r->cell->apart * r->units);
}

static size_t scratch_bytes(const cusp_recurrent *r) {
  return cusp_aligned_size((size_t)r->cell->scratch * (size_t)r->batch * row_bytes(r));
}

size_t cusp_recurrent_workspace(const cusp_recurrent *r) {
  return packed_bytes(r, columns_factor(r, r->kernel, r->input, 0, kernel_columns(r))) +
         packed_bytes(r, added_factor(r)) + packed_bytes(r, apart_factor(r)) + scratch_bytes(r);
}

/** Of a projection's cotangents over all steps. */
static size_t projection_bytes(const cusp_recurrent *r) {
  return cusp_aligned_size((size_t)r->cell->gates * (size_t)r->time * (size_t)r->batch *
                           row_bytes(r));
}

/** Whether the weights' gradients are single products on tiles. */
static bool tiled_gradients(const cusp_recurrent *r) { return r->narrow && cusp_tiles_present(); }

/** x by time first, in bfloat16. */
static size_t ordered_bytes(const cusp_recurrent *r) {
  return cusp_aligned_size((size_t)(r->time * r->batch * r->input) * sizeof(cusp_bfloat16));
}

/** What the products of the weights' gradients work in. */
static size_t tiled_bytes(const cusp_recurrent *r) {
  const int64_t most = r->input > r->units ? r->input : r->units;
  if (!tiled_gradients(r))
    return 0;
  return ordered_bytes(r) + cusp_tiles_workspace(most, kernel_columns(r), r->time * r->batch);
}

/** Of the cotangents that masked rows keep. */
static size_t saved_bytes(const cusp_recurrent *r) {
  return cusp_aligned_size((size_t)r->cell->states * (size_t)r->batch * row_bytes(r));
}

size_t cusp_recurrent_gradient_workspace(const cusp_recurrent *r) {
  return packed_bytes(r, gradient_factor(r, r->kernel, r->input)) +
         packed_bytes(r, gradient_factor(r, r->recurrent, r->units)) +
         (r->cell->apart ? 2 : 1) * projection_bytes(r) + scratch_bytes(r) + saved_bytes(r) +
         tiled_bytes(r);
}

/* ------------------------------------------------------------------ forward */

/** `added` and `apart` are the two blocks of columns of the recurrent kernel. */
typedef struct forward_run {
  const cusp_recurrent *r;
  cusp_factor kernel, added, apart;
  void *sequence, *scratch;
} forward_run;

/**
 * x times kernel for some rows of the batch. A product a step leaves its rows together; where the
 * batch is small, one product a sequence has more to work on.
 */
static void project_inputs(const forward_run *run, int64_t first, int64_t rows) {
  const cusp_recurrent *r = run->r;
  int64_t columns = part_columns(r);
  if (rows >= 8) {
    for (int64_t time = 0; time < r->time; time++)
      cusp_factor_multiply(&run->kernel, rows, at(r, r->x, (first * r->time + time) * r->input),
                           r->time * r->input, 0, part_rows(r, time, first), columns);
  } else {
    for (int64_t row = first; row < first + rows; row++)
      cusp_factor_multiply(&run->kernel, r->time, at(r, r->x, row * r->time * r->input), r->input,
                           0, part_rows(r, 0, row), r->batch * columns);
  }
}

/** h times recurrent kernel: onto the inputs' projections, or behind them. */
static void project_state(const forward_run *run, const cusp_cell_step *s) {
  const cusp_recurrent *r = run->r;
  int64_t columns = part_columns(r);
  cusp_factor_multiply(&run->added, s->rows, s->before[0], s->units, 1, s->parts, columns);
  if (r->cell->apart)
    cusp_factor_multiply(&run->apart, s->rows, s->before[0], s->units, 0,
                         at(r, s->parts, kernel_columns(r)), columns);
}

/** Masked rows: the states stay as they were. */
static void hold_masked(const cusp_recurrent *r, const cusp_cell_step *s, int64_t time,
                        int64_t first) {
  for (int64_t row = 0; row < s->rows; row++)
    for (int i = 0; i < r->cell->states && !r->mask[(first + row) * r->time + time]; i++)
      memcpy(at(r, s->after[i], row * r->units), at(r, s->before[i], row * r->units), row_bytes(r));
}

static void forward_step(const forward_run *run, int64_t step, int64_t first, int64_t rows) {
  const cusp_recurrent *r = run->r;
  cusp_cell_step s = cell_step(r, step, first, rows);
  s.scratch = at(r, run->scratch, r->cell->scratch * first * r->units);
  project_state(run, &s);
  r->cell->forward(&s);
  if (r->mask)
    hold_masked(r, &s, time_of(r, step), first);
  for (int64_t row = 0; row < rows; row++)
    memcpy(at(r, run->sequence, ((first + row) * r->time + step) * r->units),
           at(r, s.after[0], row * r->units), row_bytes(r));
}

/* A thread takes rows of the batch through all times: rows need nothing of each other. */
static void forward_range(void *context, int64_t begin, int64_t end) {
  const forward_run *run = context;
  project_inputs(run, begin, end - begin);
  for (int64_t step = 0; step < run->r->time; step++)
    forward_step(run, step, begin, end - begin);
}

void cusp_recurrent_forward(const cusp_recurrent *r, const void *const *from, void *sequence,
                            void *const *to) {
  int64_t start = r->time > 0 ? time_of(r, 0) : 0;
  size_t bytes = (size_t)r->batch * row_bytes(r);
  char *next = r->workspace;
  forward_run run = {.r = r, .sequence = sequence};
  run.kernel = packed(r, columns_factor(r, r->kernel, r->input, 0, kernel_columns(r)), &next);
  run.added = packed(r, added_factor(r), &next);
  run.apart = packed(r, apart_factor(r), &next);
  run.scratch = next;
  for (int i = 0; i < r->cell->states; i++)
    memcpy(state_rows(r, i, start, 0), from[i], bytes);
  cusp_parallel_for(r->batch, batch_grain(r), forward_range, &run);
  for (int i = 0; i < r->cell->states; i++)
    memcpy(to[i], state_rows(r, i, r->time, 0), bytes);
}

/* ------------------------------------------------------------------ backward */

/** Cotangents of the projections [T, B, G * U], by time like the parts; gradient->dstates0 are what
 * flows into the step being undone, `saved` [states, B, U] what did. */
typedef struct backward_run {
  const cusp_recurrent *r;
  const cusp_recurrent_gradient *g;
  cusp_factor kernel, recurrent; /* transposed */
  cusp_vector_fn add;
  void *d_input, *d_state, *scratch, *saved;
  char *tiled; /* what the products of the weights' gradients work in */
} backward_run;

static void *projection_rows(const cusp_recurrent *r, const void *base, int64_t time,
                             int64_t first) {
  return at(r, base, (time * r->batch + first) * kernel_columns(r));
}

static void *saved_rows(const backward_run *run, int state, int64_t first) {
  return at(run->r, run->saved, (state * run->r->batch + first) * run->r->units);
}

/** y += x. */
static void add(const backward_run *run, int64_t count, const void *x, void *y) {
  run->add(count, y, (const void *[]){y, x}, (const int8_t[]){1, 1});
}

static void start_cotangents(const backward_run *run, int64_t first, int64_t rows) {
  const cusp_recurrent *r = run->r;
  size_t bytes = (size_t)rows * row_bytes(r);
  for (int i = 0; i < r->cell->states; i++) {
    void *to = at(r, run->g->dstates0[i], first * r->units);
    if (run->g->dstates[i])
      memcpy(to, at(r, run->g->dstates[i], first * r->units), bytes);
    else
      memset(to, 0, bytes);
  }
}

/** Masked rows pass the states' cotangents on unchanged, and nothing into the projections. */
static void undo_masked(const backward_run *run, int64_t time, int64_t first, int64_t rows) {
  const cusp_recurrent *r = run->r;
  size_t bytes = (size_t)kernel_columns(r) * cusp_dtype_size(r->dtype);
  for (int64_t row = first; row < first + rows; row++)
    if (!r->mask[row * r->time + time]) {
      for (int i = 0; i < r->cell->states; i++)
        memcpy(at(r, run->g->dstates0[i], row * r->units), saved_rows(run, i, row), row_bytes(r));
      memset(projection_rows(r, run->d_input, time, row), 0, bytes);
      memset(projection_rows(r, run->d_state, time, row), 0, bytes);
    }
}

static void backward_step(const backward_run *run, int64_t step, int64_t first, int64_t rows) {
  const cusp_recurrent *r = run->r;
  int64_t units = r->units, time = time_of(r, step);
  cusp_cell_step s = cell_step(r, step, first, rows);
  cusp_cell_cotangents d = {.input = projection_rows(r, run->d_input, time, first),
                            .state = projection_rows(r, run->d_state, time, first)};
  s.scratch = at(r, run->scratch, r->cell->scratch * first * units);
  for (int i = 0; i < r->cell->states; i++)
    d.states[i] = at(r, run->g->dstates0[i], first * units);
  for (int64_t row = 0; run->g->dsequence && row < rows; row++)
    add(run, units, at(r, run->g->dsequence, ((first + row) * r->time + step) * units),
        at(r, d.states[0], row * units));
  for (int i = 0; i < r->cell->states && r->mask; i++)
    memcpy(saved_rows(run, i, first), d.states[i], (size_t)rows * row_bytes(r));
  r->cell->backward(&s, &d);
  if (r->mask)
    undo_masked(run, time, first, rows);
  cusp_factor_multiply(&run->recurrent, rows, d.state, kernel_columns(r), 1, d.states[0], units);
}

static void input_gradient(const backward_run *run, int64_t first, int64_t rows) {
  const cusp_recurrent *r = run->r;
  for (int64_t time = 0; time < r->time; time++)
    cusp_factor_multiply(
        &run->kernel, rows, projection_rows(r, run->d_input, time, first), kernel_columns(r), 0,
        at(r, run->g->dx, (first * r->time + time) * r->input), r->time * r->input);
}

static void backward_range(void *context, int64_t begin, int64_t end) {
  const backward_run *run = context;
  start_cotangents(run, begin, end - begin);
  for (int64_t step = run->r->time - 1; step >= 0; step--)
    backward_step(run, step, begin, end - begin);
  if (run->g->dx)
    input_gradient(run, begin, end - begin);
}

/** bias[j] = the sum of column j over all steps. */
static void sum_columns(const backward_run *run, const void *projections, void *bias, int64_t begin,
                        int64_t width) {
  const cusp_recurrent *r = run->r;
  memset(at(r, bias, begin), 0, (size_t)width * cusp_dtype_size(r->dtype));
  for (int64_t row = 0; row < r->time * r->batch; row++)
    add(run, width, at(r, projections, row * kernel_columns(r) + begin), at(r, bias, begin));
}

/** dbias for the columns begin <= j < end of G * U. */
static void bias_columns(void *context, int64_t begin, int64_t end) {
  const backward_run *run = context;
  const cusp_recurrent *r = run->r;
  sum_columns(run, run->d_input, run->g->dbias, begin, end - begin);
  if (r->cell->apart)
    sum_columns(run, run->d_state, at(r, run->g->dbias, kernel_columns(r)), begin, end - begin);
}

/** Times begin <= t < end of x, in bfloat16. */
static void order_by_time(void *context, int64_t begin, int64_t end) {
  const backward_run *run = context;
  const cusp_recurrent *r = run->r;
  const cusp_vector_fn narrow = cusp_vector_find_cast(CUSP_FLOAT32, CUSP_BFLOAT16);
  for (int64_t time = begin; time < end; time++)
    for (int64_t row = 0; row < r->batch; row++)
      narrow(r->input, (cusp_bfloat16 *)run->tiled + (time * r->batch + row) * r->input,
             (const void *[]){at(r, r->x, (row * r->time + time) * r->input)}, (const int8_t[]){1});
}

/** left [rows, m] transposed, times the cotangents of a projection, packed if `pack` says so:
 * [m, G * U]. */
static void tiled_gradient(const backward_run *run, cusp_tile_matrix left, int64_t m,
                           const void *cotangents, bool pack, void *out) {
  const cusp_recurrent *r = run->r;
  const int64_t columns = kernel_columns(r);
  char *right = run->tiled + ordered_bytes(r);
  cusp_tile_task t = {.m = m, .n = columns, .k = r->time * r->batch, .c = out, .ldc = columns};
  t.a = left;
  t.b = cusp_tile_matrix_of(cotangents, CUSP_FLOAT32, false, columns);
  t.c_dtype = CUSP_FLOAT32;
  t.packed_right = right;
  if (pack)
    cusp_tiles_pack_right(&t, right);
  cusp_tiles_multiply(&t, right + cusp_tiles_bytes(columns, t.k));
}

/* All steps of a kernel's gradient are one product, once x is in the order of the cotangents. */
static void tiled_weight_gradients(backward_run *run) {
  const cusp_recurrent *r = run->r;
  cusp_parallel_for(r->time, 65536 / (r->batch * r->input + 1) + 1, order_by_time, run);
  const cusp_tile_matrix x = {run->tiled, CUSP_BFLOAT16, 1, r->input},
                         h = {r->states[0], CUSP_FLOAT32, 1, r->units};
  tiled_gradient(run, x, r->input, run->d_input, true, run->g->dkernel);
  tiled_gradient(run, h, r->units, run->d_state, run->d_state != run->d_input, run->g->drecurrent);
  if (run->g->dbias)
    cusp_parallel_for(kernel_columns(r), 65536 / (r->time * r->batch + 1) + 32, bias_columns, run);
}

/** dkernel and dbias for the columns begin <= j < end of G * U: sums over all steps, so threads
 * split columns, not steps. */
static void weight_columns(void *context, int64_t begin, int64_t end) {
  const backward_run *run = context;
  const cusp_recurrent *r = run->r;
  int64_t columns = kernel_columns(r), width = end - begin;
  cusp_gemm_task t = {
      .dtype = r->dtype, .trans_a = true, .m = r->input, .n = width, .k = r->batch, .alpha = 1};
  t.lda = r->time * r->input;
  t.ldb = t.ldc = columns;
  t.c = at(r, run->g->dkernel, begin);
  for (int64_t time = 0; time < r->time; time++) {
    t.a = at(r, r->x, time * r->input);
    t.b = at(r, projection_rows(r, run->d_input, time, 0), begin);
    t.beta = time > 0;
    cusp_gemm_serial(&t);
  }
  if (run->g->dbias)
    bias_columns(context, begin, end);
}

/* The states before the steps lie as one matrix, so the recurrent kernel's gradient is one product
 * over all steps. */
static void weight_gradients(backward_run *run) {
  const cusp_recurrent *r = run->r;
  int64_t rows = r->time * r->batch, columns = kernel_columns(r);
  size_t row = (size_t)columns * cusp_dtype_size(r->dtype);
  if (rows * columns > 0) {
    cusp_parallel_for(columns, 2000000 / (rows * (r->input + 1)) + 32, weight_columns, run);
  } else {
    memset(run->g->dkernel, 0, (size_t)r->input * row);
    if (run->g->dbias)
      memset(run->g->dbias, 0, (size_t)cusp_cell_biases(r->cell) * row);
  }
  cusp_gemm_task t = {
      .dtype = r->dtype, .trans_a = true, .m = r->units, .n = columns, .k = rows, .alpha = 1};
  t.a = r->states[0];
  t.lda = r->units;
  t.b = run->d_state;
  t.c = run->g->drecurrent;
  t.ldb = t.ldc = columns;
  cusp_gemm(&t);
}

void cusp_recurrent_backward(const cusp_recurrent *r, const cusp_recurrent_gradient *g) {
  char *next = r->workspace;
  backward_run run = {.r = r, .g = g, .add = cusp_vector_find(CUSP_VECTOR_add, r->dtype)};
  run.kernel = packed(r, gradient_factor(r, r->kernel, r->input), &next);
  run.recurrent = packed(r, gradient_factor(r, r->recurrent, r->units), &next);
  run.d_input = next;
  run.d_state = next += r->cell->apart ? projection_bytes(r) : 0;
  run.scratch = next += projection_bytes(r);
  run.saved = next += scratch_bytes(r);
  run.tiled = next + saved_bytes(r);
  cusp_parallel_for(r->batch, batch_grain(r), backward_range, &run);
  if (tiled_gradients(r))
    tiled_weight_gradients(&run);
  else
    weight_gradients(&run);
}
