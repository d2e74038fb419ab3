#include "gru.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "blas.h"
#include "isa.h"
#include "vector.h"

#include <string.h>

CUSP_ISA_DECLARE(const cusp_gru_loops, cusp_gru_loops_float32);
CUSP_ISA_DECLARE(const cusp_gru_loops, cusp_gru_loops_float64);

static const cusp_gru_loops *find_loops(cusp_dtype dtype) {
  return dtype == CUSP_FLOAT32 ? CUSP_ISA_CHOOSE(cusp_gru_loops_float32) : CUSP_ISA_CHOOSE(cusp_gru_loops_float64);
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

/** The time that step `step` works at, and the slot of the state after it: that before the next one, or the last. */
static int64_t time_of(const cusp_gru *g, int64_t step) { return g->backwards ? g->time - 1 - step : step; }
static int64_t slot_after(const cusp_gru *g, int64_t step) { return step + 1 < g->time ? time_of(g, step + 1) : g->time; }

static void *part_rows(const cusp_gru *g, int64_t time, int64_t first) { return at(g, g->parts, (time * g->batch + first) * 4 * g->units); }
static void *state_rows(const cusp_gru *g, int64_t slot, int64_t first) { return at(g, g->h, (slot * g->batch + first) * g->units); }

static size_t row_bytes(const cusp_gru *g) { return (size_t)g->units * cusp_dtype_size(g->dtype); }

/** Rows of the batch below which threads are not worth waking: a piece should take some 20 us. */
static int64_t batch_grain(const cusp_gru *g) {
  double row = (double)g->time * ((double)g->units * (double)(g->input + g->units) * 6 / 200 + (double)g->units * 3); /* ns */
  int64_t grain = (int64_t)(2e4 / (row + 1)) + 1;
  return grain < 4 ? 4 : grain;
}

static void apply(const cusp_gru *g, cusp_vector_id id, int64_t count, void *x) {
  cusp_vector_find(id, g->dtype)(count, x, (const void *[]){x}, (const int8_t[]){1});
}

/* ------------------------------------------------------------------ forward */

typedef struct forward_run {
  const cusp_gru *g;
  const cusp_gru_loops *loops;
  void *sequence;
} forward_run;

/** x times kernel into the first three of the parts: a product a step, or a sequence where the batch is small. */
static void project_inputs(const cusp_gru *g, int64_t first, int64_t rows) {
  cusp_gemm_task t = {.dtype = g->dtype, .n = 3 * g->units, .k = g->input, .b = g->kernel, .ldb = 3 * g->units, .alpha = 1};
  bool by_step = rows >= 8;
  t.m = by_step ? rows : g->time;
  t.lda = by_step ? g->time * g->input : g->input;
  t.ldc = (by_step ? 1 : g->batch) * 4 * g->units;
  for (int64_t i = 0; i < (by_step ? g->time : rows); i++) {
    t.a = at(g, g->x, by_step ? (first * g->time + i) * g->input : (first + i) * g->time * g->input);
    t.c = by_step ? part_rows(g, i, first) : part_rows(g, 0, first + i);
    cusp_gemm_serial(&t);
  }
}

/** h times the recurrent kernel: onto the gates' projections, and for the candidate beside it. */
static void project_state(const cusp_gru *g, const void *h, void *parts, int64_t rows) {
  int64_t units = g->units;
  cusp_gemm_task t = {.dtype = g->dtype, .m = rows, .n = 2 * units, .k = units, .alpha = 1, .beta = 1};
  t.a = h;
  t.b = g->recurrent;
  t.c = parts;
  t.lda = units;
  t.ldb = 3 * units;
  t.ldc = 4 * units;
  cusp_gemm_serial(&t);
  t.n = units;
  t.beta = 0;
  t.b = at(g, g->recurrent, 2 * units);
  t.c = at(g, parts, 3 * units);
  cusp_gemm_serial(&t);
}

static void forward_step(const forward_run *run, int64_t step, int64_t first, int64_t rows) {
  const cusp_gru *g = run->g;
  int64_t units = g->units, time = time_of(g, step), after = slot_after(g, step);
  void *parts = part_rows(g, time, first), *h = state_rows(g, time, first), *h_next = state_rows(g, after, first);
  void *gates = at(g, g->workspace, 3 * first * units), *candidate = at(g, gates, 2 * rows * units);
  project_state(g, h, parts, rows);
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
  project_inputs(run->g, begin, end - begin);
  for (int64_t step = 0; step < run->g->time; step++)
    forward_step(run, step, begin, end - begin);
}

size_t cusp_gru_workspace(const cusp_gru *g) { return 3 * (size_t)g->batch * row_bytes(g); }

void cusp_gru_forward(const cusp_gru *g, const void *h0, void *sequence, void *h) {
  size_t bytes = (size_t)g->batch * row_bytes(g);
  memcpy(state_rows(g, g->time > 0 ? time_of(g, 0) : 0, 0), h0, bytes);
  forward_run run = {g, find_loops(g->dtype), sequence};
  cusp_parallel_for(g->batch, batch_grain(g), forward_range, &run);
  memcpy(h, state_rows(g, g->time, 0), bytes);
}

/* ------------------------------------------------------------------ backward */

/** d_input, d_state: [T, B, 3U], by time like the parts; `saved` [B, U]; gradient->dh0 is what flows into the step being undone. */
typedef struct backward_run {
  const cusp_gru *g;
  const cusp_gru_gradient *gradient;
  const cusp_gru_loops *loops;
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
      memcpy(at(g, run->gradient->dh0, row * g->units), at(g, run->saved, row * g->units), row_bytes(g));
      memset(projection_rows(g, run->d_input, time, row), 0, 3 * row_bytes(g));
      memset(projection_rows(g, run->d_state, time, row), 0, 3 * row_bytes(g));
    }
}

static void backward_step(const backward_run *run, int64_t step, int64_t first, int64_t rows) {
  const cusp_gru *g = run->g;
  int64_t units = g->units, time = time_of(g, step);
  void *dh = at(g, run->gradient->dh0, first * units), *d_state = projection_rows(g, run->d_state, time, first);
  if (run->gradient->dsequence)
    for (int64_t row = 0; row < rows; row++)
      run->loops->add(units, at(g, run->gradient->dsequence, ((first + row) * g->time + step) * units), at(g, dh, row * units));
  memcpy(at(g, run->saved, first * units), dh, (size_t)rows * row_bytes(g));
  run->loops->gradient(rows, units, part_rows(g, time, first), state_rows(g, time, first), dh,
                       projection_rows(g, run->d_input, time, first), d_state);
  if (g->mask)
    undo_masked(run, time, first, rows);
  cusp_gemm_task t = {.dtype = g->dtype, .trans_b = true, .m = rows, .n = units, .k = 3 * units, .alpha = 1, .beta = 1};
  t.a = d_state;
  t.b = g->recurrent;
  t.c = dh;
  t.lda = t.ldb = 3 * units;
  t.ldc = units;
  cusp_gemm_serial(&t);
}

static void input_gradient(const backward_run *run, int64_t first, int64_t rows) {
  const cusp_gru *g = run->g;
  cusp_gemm_task t = {.dtype = g->dtype, .trans_b = true, .m = rows, .n = g->input, .k = 3 * g->units, .alpha = 1};
  t.b = g->kernel;
  t.lda = t.ldb = 3 * g->units;
  t.ldc = g->time * g->input;
  for (int64_t time = 0; time < g->time; time++) {
    t.a = projection_rows(g, run->d_input, time, first);
    t.c = at(g, run->gradient->dx, (first * g->time + time) * g->input);
    cusp_gemm_serial(&t);
  }
}

static void backward_range(void *context, int64_t begin, int64_t end) {
  const backward_run *run = context;
  const cusp_gru *g = run->g;
  size_t bytes = (size_t)(end - begin) * row_bytes(g);
  if (run->gradient->dh)
    memcpy(at(g, run->gradient->dh0, begin * g->units), at(g, run->gradient->dh, begin * g->units), bytes);
  else
    memset(at(g, run->gradient->dh0, begin * g->units), 0, bytes);
  for (int64_t step = g->time - 1; step >= 0; step--)
    backward_step(run, step, begin, end - begin);
  if (run->gradient->dx)
    input_gradient(run, begin, end - begin);
}

/** bias[j] = the sum of column j over all steps. */
static void sum_columns(const backward_run *run, const void *projections, void *bias, int64_t begin, int64_t width) {
  const cusp_gru *g = run->g;
  memset(at(g, bias, begin), 0, (size_t)width * cusp_dtype_size(g->dtype));
  for (int64_t row = 0; row < g->time * g->batch; row++)
    run->loops->add(width, at(g, projections, row * 3 * g->units + begin), at(g, bias, begin));
}

/** dkernel and dbias for the columns begin <= j < end of 3U: sums over all steps, so threads split columns, not steps. */
static void weight_columns(void *context, int64_t begin, int64_t end) {
  const backward_run *run = context;
  const cusp_gru *g = run->g;
  int64_t columns = 3 * g->units;
  cusp_gemm_task t = {.dtype = g->dtype, .trans_a = true, .m = g->input, .n = end - begin, .k = g->batch, .alpha = 1};
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

size_t cusp_gru_gradient_workspace(const cusp_gru *g) { return (size_t)g->batch * row_bytes(g) * (6 * (size_t)g->time + 1); }

void cusp_gru_backward(const cusp_gru *g, const cusp_gru_gradient *gradient) {
  int64_t rows = g->time * g->batch, columns = 3 * g->units;
  backward_run run = {g, gradient, find_loops(g->dtype), g->workspace, at(g, g->workspace, rows * columns), NULL};
  run.saved = at(g, run.d_state, rows * columns);
  if (rows * columns == 0) {
    memset(gradient->dkernel, 0, (size_t)(g->input * columns) * cusp_dtype_size(g->dtype));
    if (gradient->dbias)
      memset(gradient->dbias, 0, 6 * row_bytes(g));
  }
  cusp_parallel_for(g->batch, batch_grain(g), backward_range, &run);
  if (rows * columns > 0)
    cusp_parallel_for(columns, 2000000 / (rows * (g->input + 1)) + 32, weight_columns, &run);
  cusp_gemm_task t = {.dtype = g->dtype, .trans_a = true, .m = g->units, .n = columns, .k = rows, .alpha = 1};
  t.a = g->h;
  t.lda = g->units;
  t.b = run.d_state;
  t.c = gradient->drecurrent;
  t.ldb = t.ldc = columns;
  cusp_gemm(&t);
}
