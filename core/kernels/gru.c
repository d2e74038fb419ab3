#include "gru.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "blas.h"
#include "factor.h"
#include "isa.h"
#include "vector.h"

#include <string.h>

CUSP_ISA_DECLARE(const cusp_gru_loops, cusp_gru_loops_float32);
CUSP_ISA_DECLARE(const cusp_gru_loops, cusp_gru_loops_float64);

static const cusp_gru_loops *find_loops(cusp_dtype dtype) {
  return dtype == CUSP_FLOAT32 ? CUSP_ISA_CHOOSE(cusp_gru_loops_float32)
                               : CUSP_ISA_CHOOSE(cusp_gru_loops_float64);
}

/* ------------------------------------------------------------------ where things lie */

cusp_status cusp_gru_reserve(int64_t *count, int64_t batch, int64_t time, int64_t units) {
  size_t rows, numbers;
  CUSP_TRY(cusp_multiply_size(&rows, (size_t)batch, (size_t)time + 1));
  CUSP_TRY(cusp_multiply_size(&numbers, rows, (size_t)units));
  CUSP_TRY(cusp_multiply_size(&numbers, numbers, 5 * sizeof(double)));
  *count = batch * time * 4 * units + (time + 1) * batch * units;
  return CUSP_OK;
}

static void *at(const cusp_gru *g, const void *base, int64_t element) {
  return (char *)base + element * (int64_t)cusp_dtype_size(g->dtype);
}

void cusp_gru_place(cusp_gru *g, void *reserve) {
  g->parts = reserve;
  g->h = at(g, g->parts, g->time * g->batch * 4 * g->units);
}

/** The time that step `step` works at, and the slot of the state after it: that before the next
 * one, or the last. */
static int64_t time_of(const cusp_gru *g, int64_t step) {
  return g->backwards ? g->time - 1 - step : step;
}
static int64_t slot_after(const cusp_gru *g, int64_t step) {
  return step + 1 < g->time ? time_of(g, step + 1) : g->time;
}

static void *part_rows(const cusp_gru *g, int64_t time, int64_t first) {
  return at(g, g->parts, (time * g->batch + first) * 4 * g->units);
}
static void *state_rows(const cusp_gru *g, int64_t slot, int64_t first) {
  return at(g, g->h, (slot * g->batch + first) * g->units);
}

static size_t row_bytes(const cusp_gru *g) { return (size_t)g->units * cusp_dtype_size(g->dtype); }

/** Rows of the batch below which threads are not worth waking: a piece should take some 20 us. */
static int64_t batch_grain(const cusp_gru *g) {
  /* ns */
  double row = (double)g->time *
               ((double)g->units * (double)(g->input + g->units) * 6 / 200 + (double)g->units * 3);
  int64_t grain = (int64_t)(2e4 / (row + 1)) + 1;
  return grain < 4 ? 4 : grain;
}

static void apply(const cusp_gru *g, cusp_vector_id id, int64_t count, void *x) {
  cusp_vector_find(id, g->dtype)(count, x, (const void *[]){x}, (const int8_t[]){1});
}

/* ------------------------------------------------------------------ forward */

/** `gates` and `candidate` are two of the three columns of blocks of the recurrent kernel;
 * `scratch` has room for [B, 3U]. */
typedef struct forward_run {
  const cusp_gru *g;
  const cusp_gru_loops *loops;
  cusp_factor kernel, gates, candidate;
  void *sequence, *scratch;
} forward_run;

/** x times kernel into the first three of the parts: a product a step, or a sequence where the
 * batch is small. */
static void project_inputs(const forward_run *run, int64_t first, int64_t rows) {
  const cusp_gru *g = run->g;
  if (rows >= 8) {
    for (int64_t time = 0; time < g->time; time++)
      cusp_factor_multiply(&run->kernel, rows, at(g, g->x, (first * g->time + time) * g->input),
                           g->time * g->input, 0, part_rows(g, time, first), 4 * g->units);
  } else {
    for (int64_t row = first; row < first + rows; row++)
      cusp_factor_multiply(&run->kernel, g->time, at(g, g->x, row * g->time * g->input), g->input,
                           0, part_rows(g, 0, row), g->batch * 4 * g->units);
  }
}

static void forward_step(const forward_run *run, int64_t step, int64_t first, int64_t rows) {
  const cusp_gru *g = run->g;
  int64_t units = g->units, time = time_of(g, step), after = slot_after(g, step);
  void *parts = part_rows(g, time, first), *h = state_rows(g, time, first),
       *h_next = state_rows(g, after, first);
  void *gates = at(g, run->scratch, 3 * first * units), *candidate = at(g, gates, 2 * rows * units);
  /* onto the inputs' projections */
  cusp_factor_multiply(&run->gates, rows, h, units, 1, parts, 4 * units);
  cusp_factor_multiply(&run->candidate, rows, h, units, 0, at(g, parts, 3 * units), 4 * units);
  run->loops->before_gates(rows, units, parts, g->bias, gates);
  apply(g, CUSP_VECTOR_sigmoid, rows * 2 * units, gates);
  run->loops->after_gates(rows, units, parts, gates, candidate);
  apply(g, CUSP_VECTOR_tanh, rows * units, candidate);
  run->loops->output(rows, units, parts, candidate, h, h_next);
  for (int64_t row = 0; row < rows; row++) {
    void *out = at(g, h_next, row * units);
    if (g->mask && !g->mask[(first + row) * g->time + time])
      memcpy(out, at(g, h, row * units), row_bytes(g));
    memcpy(at(g, run->sequence, ((first + row) * g->time + step) * units), out, row_bytes(g));
  }
}

static void forward_range(void *context, int64_t begin, int64_t end) {
  const forward_run *run = context;
  project_inputs(run, begin, end - begin);
  for (int64_t step = 0; step < run->g->time; step++)
    forward_step(run, step, begin, end - begin);
}

/** Columns first .. first + count - 1 of a kernel [rows, 3U] as the factor of a product. */
static cusp_factor columns_factor(const cusp_gru *g, const void *kernel, int64_t rows,
                                  int64_t first, int64_t count) {
  const void *b = kernel ? at(g, kernel, first) : NULL;
  return (cusp_factor){.dtype = g->dtype, .k = rows, .n = count, .b = b, .ldb = 3 * g->units};
}

/** A kernel [rows, 3U], transposed: the factor of a gradient. */
static cusp_factor gradient_factor(const cusp_gru *g, const void *kernel, int64_t rows) {
  return (cusp_factor){.dtype = g->dtype,
                       .k = 3 * g->units,
                       .n = rows,
                       .b = kernel,
                       .trans = true,
                       .ldb = 3 * g->units};
}

/** Bytes of a factor packed: it is worth it by what all threads do with it at a step. */
static size_t packed_bytes(const cusp_gru *g, cusp_factor factor) {
  return (cusp_factor_bytes(&factor, g->batch) + CUSP_ALIGNMENT - 1) / CUSP_ALIGNMENT *
         CUSP_ALIGNMENT;
}

/** Packs a factor into the workspace at *next, which moves on. */
static cusp_factor packed(const cusp_gru *g, cusp_factor factor, char **next) {
  cusp_factor_pack(&factor, g->batch, *next);
  *next += packed_bytes(g, factor);
  return factor;
}

size_t cusp_gru_workspace(const cusp_gru *g) {
  return packed_bytes(g, columns_factor(g, NULL, g->input, 0, 3 * g->units)) +
         packed_bytes(g, columns_factor(g, NULL, g->units, 0, 2 * g->units)) +
         packed_bytes(g, columns_factor(g, NULL, g->units, 0, g->units)) +
         3 * (size_t)g->batch * row_bytes(g);
}

void cusp_gru_forward(const cusp_gru *g, const void *h0, void *sequence, void *h) {
  size_t bytes = (size_t)g->batch * row_bytes(g);
  memcpy(state_rows(g, g->time > 0 ? time_of(g, 0) : 0, 0), h0, bytes);
  char *next = g->workspace;
  forward_run run = {.g = g, .loops = find_loops(g->dtype), .sequence = sequence};
  run.kernel = packed(g, columns_factor(g, g->kernel, g->input, 0, 3 * g->units), &next);
  run.gates = packed(g, columns_factor(g, g->recurrent, g->units, 0, 2 * g->units), &next);
  run.candidate =
      packed(g, columns_factor(g, g->recurrent, g->units, 2 * g->units, g->units), &next);
  run.scratch = next;
  cusp_parallel_for(g->batch, batch_grain(g), forward_range, &run);
  memcpy(h, state_rows(g, g->time, 0), bytes);
}

/* ------------------------------------------------------------------ backward */

/** d_input, d_state: [T, B, 3U], by time like the parts; `saved` [B, U]; gradient->dh0 is what
 * flows into the step being undone. */
typedef struct backward_run {
  const cusp_gru *g;
  const cusp_gru_gradient *gradient;
  const cusp_gru_loops *loops;
  cusp_factor kernel, recurrent; /* transposed */
  void *d_input, *d_state, *saved;
} backward_run;

static void *projection_rows(const cusp_gru *g, const void *base, int64_t time, int64_t first) {
  return at(g, base, (time * g->batch + first) * 3 * g->units);
}

/** Masked rows pass dh on unchanged, and nothing into the projections. */
static void undo_masked(const backward_run *run, int64_t time, int64_t first, int64_t rows) {
  const cusp_gru *g = run->g;
  for (int64_t row = first; row < first + rows; row++)
    if (!g->mask[row * g->time + time]) {
      memcpy(at(g, run->gradient->dh0, row * g->units), at(g, run->saved, row * g->units),
             row_bytes(g));
      memset(projection_rows(g, run->d_input, time, row), 0, 3 * row_bytes(g));
      memset(projection_rows(g, run->d_state, time, row), 0, 3 * row_bytes(g));
    }
}

static void backward_step(const backward_run *run, int64_t step, int64_t first, int64_t rows) {
  const cusp_gru *g = run->g;
  int64_t units = g->units, time = time_of(g, step);
  void *dh = at(g, run->gradient->dh0, first * units),
       *d_state = projection_rows(g, run->d_state, time, first);
  if (run->gradient->dsequence)
    for (int64_t row = 0; row < rows; row++)
      run->loops->add(units,
                      at(g, run->gradient->dsequence, ((first + row) * g->time + step) * units),
                      at(g, dh, row * units));
  memcpy(at(g, run->saved, first * units), dh, (size_t)rows * row_bytes(g));
  run->loops->gradient(rows, units, part_rows(g, time, first), state_rows(g, time, first), dh,
                       projection_rows(g, run->d_input, time, first), d_state);
  if (g->mask)
    undo_masked(run, time, first, rows);
  cusp_factor_multiply(&run->recurrent, rows, d_state, 3 * units, 1, dh, units);
}

static void input_gradient(const backward_run *run, int64_t first, int64_t rows) {
  const cusp_gru *g = run->g;
  for (int64_t time = 0; time < g->time; time++)
    cusp_factor_multiply(
        &run->kernel, rows, projection_rows(g, run->d_input, time, first), 3 * g->units, 0,
        at(g, run->gradient->dx, (first * g->time + time) * g->input), g->time * g->input);
}

static void backward_range(void *context, int64_t begin, int64_t end) {
  const backward_run *run = context;
  const cusp_gru *g = run->g;
  size_t bytes = (size_t)(end - begin) * row_bytes(g);
  if (run->gradient->dh)
    memcpy(at(g, run->gradient->dh0, begin * g->units), at(g, run->gradient->dh, begin * g->units),
           bytes);
  else
    memset(at(g, run->gradient->dh0, begin * g->units), 0, bytes);
  for (int64_t step = g->time - 1; step >= 0; step--)
    backward_step(run, step, begin, end - begin);
  if (run->gradient->dx)
    input_gradient(run, begin, end - begin);
}

/** bias[j] = the sum of column j over all steps. */
static void sum_columns(const backward_run *run, const void *projections, void *bias, int64_t begin,
                        int64_t width) {
  const cusp_gru *g = run->g;
  memset(at(g, bias, begin), 0, (size_t)width * cusp_dtype_size(g->dtype));
  for (int64_t row = 0; row < g->time * g->batch; row++)
    run->loops->add(width, at(g, projections, row * 3 * g->units + begin), at(g, bias, begin));
}

/** dkernel and dbias for the columns begin <= j < end of 3U: sums over all steps, so threads split
 * columns, not steps. */
static void weight_columns(void *context, int64_t begin, int64_t end) {
  const backward_run *run = context;
  const cusp_gru *g = run->g;
  int64_t columns = 3 * g->units;
  cusp_gemm_task t = {.dtype = g->dtype,
                      .trans_a = true,
                      .m = g->input,
                      .n = end - begin,
                      .k = g->batch,
                      .alpha = 1};
  t.lda = g->time * g->input;
  t.ldb = t.ldc = columns;
  t.c = at(g, run->gradient->dkernel, begin);
  for (int64_t time = 0; time < g->time; time++) {
    t.a = at(g, g->x, time * g->input);
    t.b = at(g, projection_rows(g, run->d_input, time, 0), begin);
    t.beta = time > 0;
    cusp_gemm_serial(&t);
  }
  if (run->gradient->dbias) {
    sum_columns(run, run->d_input, run->gradient->dbias, begin, end - begin);
    sum_columns(run, run->d_state, at(g, run->gradient->dbias, columns), begin, end - begin);
  }
}

/** Of d_input and d_state each. */
static size_t projection_bytes(const cusp_gru *g) {
  size_t bytes = (size_t)g->batch * row_bytes(g) * 3 * (size_t)g->time;
  return (bytes + CUSP_ALIGNMENT - 1) / CUSP_ALIGNMENT * CUSP_ALIGNMENT;
}

size_t cusp_gru_gradient_workspace(const cusp_gru *g) {
  return packed_bytes(g, gradient_factor(g, NULL, g->input)) +
         packed_bytes(g, gradient_factor(g, NULL, g->units)) + 2 * projection_bytes(g) +
         (size_t)g->batch * row_bytes(g);
}

void cusp_gru_backward(const cusp_gru *g, const cusp_gru_gradient *gradient) {
  int64_t rows = g->time * g->batch, columns = 3 * g->units;
  char *next = g->workspace;
  backward_run run = {.g = g, .gradient = gradient, .loops = find_loops(g->dtype)};
  run.kernel = packed(g, gradient_factor(g, g->kernel, g->input), &next);
  run.recurrent = packed(g, gradient_factor(g, g->recurrent, g->units), &next);
  run.d_input = next;
  run.d_state = next + projection_bytes(g);
  run.saved = next + 2 * projection_bytes(g);
  if (rows * columns == 0) {
    memset(gradient->dkernel, 0, (size_t)(g->input * columns) * cusp_dtype_size(g->dtype));
    if (gradient->dbias)
      memset(gradient->dbias, 0, 6 * row_bytes(g));
  }
  cusp_parallel_for(g->batch, batch_grain(g), backward_range, &run);
  if (rows * columns > 0)
    cusp_parallel_for(columns, 2000000 / (rows * (g->input + 1)) + 32, weight_columns, &run);
  cusp_gemm_task t = {
      .dtype = g->dtype, .trans_a = true, .m = g->units, .n = columns, .k = rows, .alpha = 1};
  t.a = g->h;
  t.lda = g->units;
  t.b = run.d_state;
  t.c = gradient->drecurrent;
  t.ldb = t.ldc = columns;
  cusp_gemm(&t);
}
