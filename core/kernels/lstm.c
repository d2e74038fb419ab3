#include "lstm.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "blas.h"
#include "factor.h"
#include "isa.h"
#include "vector.h"

#include <string.h>

CUSP_ISA_DECLARE(const cusp_lstm_loops, cusp_lstm_loops_float32);
CUSP_ISA_DECLARE(const cusp_lstm_loops, cusp_lstm_loops_float64);

static const cusp_lstm_loops *find_loops(cusp_dtype dtype) {
  return dtype == CUSP_FLOAT32 ? CUSP_ISA_CHOOSE(cusp_lstm_loops_float32)
                               : CUSP_ISA_CHOOSE(cusp_lstm_loops_float64);
}

/* ------------------------------------------------------------------ where things lie */

cusp_status cusp_lstm_reserve(int64_t *count, int64_t batch, int64_t time, int64_t units) {
  size_t rows, numbers;
  CUSP_TRY(cusp_multiply_size(&rows, (size_t)batch, (size_t)time + 1));
  CUSP_TRY(cusp_multiply_size(&numbers, rows, (size_t)units));
  CUSP_TRY(cusp_multiply_size(&numbers, numbers, 6 * sizeof(double)));
  *count = batch * time * 4 * units + 2 * (time + 1) * batch * units;
  return CUSP_OK;
}

static void *at(const cusp_lstm *l, const void *base, int64_t element) {
  return (char *)base + element * (int64_t)cusp_dtype_size(l->dtype);
}

void cusp_lstm_place(cusp_lstm *l, void *reserve) {
  l->gates = reserve;
  l->h = at(l, l->gates, l->time * l->batch * 4 * l->units);
  l->c = at(l, l->h, (l->time + 1) * l->batch * l->units);
}

/** The time that step `step` works at, and the slot of the states after it: that before the next
 * one, or the last. */
static int64_t time_of(const cusp_lstm *l, int64_t step) {
  return l->backwards ? l->time - 1 - step : step;
}
static int64_t slot_after(const cusp_lstm *l, int64_t step) {
  return step + 1 < l->time ? time_of(l, step + 1) : l->time;
}

static void *gate_rows(const cusp_lstm *l, const void *gates, int64_t time, int64_t first) {
  return at(l, gates, (time * l->batch + first) * 4 * l->units);
}
static void *state_rows(const cusp_lstm *l, const void *states, int64_t slot, int64_t first) {
  return at(l, states, (slot * l->batch + first) * l->units);
}

static size_t row_bytes(const cusp_lstm *l) { return (size_t)l->units * cusp_dtype_size(l->dtype); }

/** Rows of the batch below which threads are not worth waking: a piece should take some 20 us. */
static int64_t batch_grain(const cusp_lstm *l) {
  /* ns */
  double row = (double)l->time *
               ((double)l->units * (double)(l->input + l->units) * 8 / 200 + (double)l->units * 4);
  int64_t grain = (int64_t)(2e4 / (row + 1)) + 1;
  return grain < 4 ? 4 : grain;
}

static void apply_tanh(const cusp_lstm *l, int64_t count, const void *x, void *out) {
  cusp_vector_find(CUSP_VECTOR_tanh, l->dtype)(count, out, (const void *[]){x},
                                               (const int8_t[]){1});
}

/* ------------------------------------------------------------------ forward */

/** `scratch` has room for [B, U]. */
typedef struct forward_run {
  const cusp_lstm *l;
  const cusp_lstm_loops *loops;
  cusp_factor kernel, recurrent;
  void *sequence, *scratch;
} forward_run;

/**
 * x times kernel for some rows of the batch. A product a step leaves its rows together; where the
 * batch is small, one product a sequence has more to work on.
 */
static void project_inputs(const forward_run *run, int64_t first, int64_t rows) {
  const cusp_lstm *l = run->l;
  if (rows >= 8) {
    for (int64_t time = 0; time < l->time; time++)
      cusp_factor_multiply(&run->kernel, rows, at(l, l->x, (first * l->time + time) * l->input),
                           l->time * l->input, 0, gate_rows(l, l->gates, time, first),
                           4 * l->units);
  } else {
    for (int64_t row = first; row < first + rows; row++)
      cusp_factor_multiply(&run->kernel, l->time, at(l, l->x, row * l->time * l->input), l->input,
                           0, gate_rows(l, l->gates, 0, row), l->batch * 4 * l->units);
  }
}

/** Masked rows: the states stay as they were. */
static void hold_masked(const cusp_lstm *l, int64_t time, int64_t after, int64_t first,
                        int64_t rows) {
  for (int64_t row = first; row < first + rows; row++)
    if (!l->mask[row * l->time + time]) {
      memcpy(state_rows(l, l->h, after, row), state_rows(l, l->h, time, row), row_bytes(l));
      memcpy(state_rows(l, l->c, after, row), state_rows(l, l->c, time, row), row_bytes(l));
    }
}

static void forward_step(const forward_run *run, int64_t step, int64_t first, int64_t rows) {
  const cusp_lstm *l = run->l;
  int64_t units = l->units, time = time_of(l, step), after = slot_after(l, step);
  void *z = gate_rows(l, l->gates, time, first), *c_next = state_rows(l, l->c, after, first);
  void *h_next = state_rows(l, l->h, after, first), *scratch = at(l, run->scratch, first * units);
  cusp_factor_multiply(&run->recurrent, rows, state_rows(l, l->h, time, first), units, 1, z,
                       4 * units);
  run->loops->before_tanh(rows, units, z, l->bias);
  apply_tanh(l, rows * 4 * units, z, z);
  run->loops->after_tanh(rows, units, z, state_rows(l, l->c, time, first), c_next);
  apply_tanh(l, rows * units, c_next, scratch);
  run->loops->output(rows, units, z, scratch, h_next);
  if (l->mask)
    hold_masked(l, time, after, first, rows);
  for (int64_t row = 0; row < rows; row++)
    memcpy(at(l, run->sequence, ((first + row) * l->time + step) * units),
           at(l, h_next, row * units), row_bytes(l));
}

static void forward_range(void *context, int64_t begin, int64_t end) {
  const forward_run *run = context;
  project_inputs(run, begin, end - begin);
  for (int64_t step = 0; step < run->l->time; step++)
    forward_step(run, step, begin, end - begin);
}

/** A kernel [rows, 4U] as the factor of a product, or, transposed, of its gradient. */
static cusp_factor kernel_factor(const cusp_lstm *l, const void *kernel, int64_t rows, bool trans) {
  int64_t columns = 4 * l->units;
  return (cusp_factor){.dtype = l->dtype,
                       .k = trans ? columns : rows,
                       .n = trans ? rows : columns,
                       .b = kernel,
                       .trans = trans,
                       .ldb = columns};
}

static size_t rounded(size_t bytes) {
  return (bytes + CUSP_ALIGNMENT - 1) / CUSP_ALIGNMENT * CUSP_ALIGNMENT;
}

/** Bytes of a kernel packed: it is worth it by what all threads do with it at a step. */
static size_t packed_bytes(const cusp_lstm *l, int64_t rows, bool trans) {
  cusp_factor factor = kernel_factor(l, NULL, rows, trans);
  return rounded(cusp_factor_bytes(&factor, l->batch));
}

size_t cusp_lstm_workspace(const cusp_lstm *l) {
  return packed_bytes(l, l->input, false) + packed_bytes(l, l->units, false) +
         (size_t)l->batch * row_bytes(l);
}

void cusp_lstm_forward(const cusp_lstm *l, const void *h0, const void *c0, void *sequence, void *h,
                       void *c) {
  int64_t start = l->time > 0 ? time_of(l, 0) : 0;
  size_t bytes = (size_t)l->batch * row_bytes(l);
  memcpy(state_rows(l, l->h, start, 0), h0, bytes);
  memcpy(state_rows(l, l->c, start, 0), c0, bytes);
  char *kernel = l->workspace, *recurrent = kernel + packed_bytes(l, l->input, false);
  forward_run run = {l,
                     find_loops(l->dtype),
                     kernel_factor(l, l->kernel, l->input, false),
                     kernel_factor(l, l->recurrent, l->units, false),
                     sequence,
                     recurrent + packed_bytes(l, l->units, false)};
  cusp_factor_pack(&run.kernel, l->batch, kernel);
  cusp_factor_pack(&run.recurrent, l->batch, recurrent);
  cusp_parallel_for(l->batch, batch_grain(l), forward_range, &run);
  memcpy(h, state_rows(l, l->h, l->time, 0), bytes);
  memcpy(c, state_rows(l, l->c, l->time, 0), bytes);
}

/* ------------------------------------------------------------------ backward */

/** dz is [T, B, 4U], by time like the gates; dh, dc [B, U] are what flows into the step being
 * undone. */
typedef struct backward_run {
  const cusp_lstm *l;
  const cusp_lstm_gradient *g;
  const cusp_lstm_loops *loops;
  cusp_factor kernel, recurrent; /* transposed */
  void *dz, *scratch, *dh, *dc;
} backward_run;

static void start_cotangent(const cusp_lstm *l, void *to, const void *from, int64_t first,
                            int64_t rows) {
  size_t bytes = (size_t)rows * row_bytes(l);
  if (from)
    memcpy(at(l, to, first * l->units), at(l, from, first * l->units), bytes);
  else
    memset(at(l, to, first * l->units), 0, bytes);
}

/**
 * After the loop has treated a step as if nothing were masked: masked rows pass dh and dc on
 * unchanged (`saved` is dc as it was), the others' dh will come from the product with the recurrent
 * kernel alone.
 */
static void undo_masked(const backward_run *run, int64_t time, int64_t first, int64_t rows,
                        const void *saved) {
  const cusp_lstm *l = run->l;
  for (int64_t row = first; row < first + rows; row++) {
    if (l->mask[row * l->time + time]) {
      memset(at(l, run->dh, row * l->units), 0, row_bytes(l));
    } else {
      memcpy(at(l, run->dc, row * l->units), at(l, saved, (row - first) * l->units), row_bytes(l));
      memset(gate_rows(l, run->dz, time, row), 0, 4 * row_bytes(l));
    }
  }
}

static void backward_step(const backward_run *run, int64_t step, int64_t first, int64_t rows) {
  const cusp_lstm *l = run->l;
  int64_t units = l->units, time = time_of(l, step);
  void *dh = at(l, run->dh, first * units), *dc = at(l, run->dc, first * units),
       *dz = gate_rows(l, run->dz, time, first);
  void *tanh_c = at(l, run->scratch, 2 * first * units), *saved = at(l, tanh_c, rows * units);
  if (run->g->dsequence)
    for (int64_t row = 0; row < rows; row++)
      run->loops->add(units, at(l, run->g->dsequence, ((first + row) * l->time + step) * units),
                      at(l, dh, row * units));
  if (l->mask)
    memcpy(saved, dc, (size_t)rows * row_bytes(l));
  apply_tanh(l, rows * units, state_rows(l, l->c, slot_after(l, step), first), tanh_c);
  run->loops->gradient(rows, units, gate_rows(l, l->gates, time, first),
                       state_rows(l, l->c, time, first), tanh_c, dh, dc, dz);
  if (l->mask)
    undo_masked(run, time, first, rows, saved);
  cusp_factor_multiply(&run->recurrent, rows, dz, 4 * units, l->mask != NULL, dh, units);
}

static void input_gradient(const backward_run *run, int64_t first, int64_t rows) {
  const cusp_lstm *l = run->l;
  for (int64_t time = 0; time < l->time; time++)
    cusp_factor_multiply(&run->kernel, rows, gate_rows(l, run->dz, time, first), 4 * l->units, 0,
                         at(l, run->g->dx, (first * l->time + time) * l->input),
                         l->time * l->input);
}

static void backward_range(void *context, int64_t begin, int64_t end) {
  const backward_run *run = context;
  start_cotangent(run->l, run->dh, run->g->dh, begin, end - begin);
  start_cotangent(run->l, run->dc, run->g->dc, begin, end - begin);
  for (int64_t step = run->l->time - 1; step >= 0; step--)
    backward_step(run, step, begin, end - begin);
  if (run->g->dx)
    input_gradient(run, begin, end - begin);
}

/** dkernel and dbias for the columns begin <= j < end of 4U: sums over all steps, so threads split
 * columns, not steps. */
static void weight_columns(void *context, int64_t begin, int64_t end) {
  const backward_run *run = context;
  const cusp_lstm *l = run->l;
  int64_t columns = 4 * l->units, width = end - begin;
  cusp_gemm_task t = {
      .dtype = l->dtype, .trans_a = true, .m = l->input, .n = width, .k = l->batch, .alpha = 1};
  t.lda = l->time * l->input;
  t.ldb = t.ldc = columns;
  t.c = at(l, run->g->dkernel, begin);
  for (int64_t time = 0; time < l->time; time++) {
    t.a = at(l, l->x, time * l->input);
    t.b = at(l, gate_rows(l, run->dz, time, 0), begin);
    t.beta = time > 0;
    cusp_gemm_serial(&t);
  }
  if (!run->g->dbias)
    return;
  memset(at(l, run->g->dbias, begin), 0, (size_t)width * cusp_dtype_size(l->dtype));
  for (int64_t row = 0; row < l->time * l->batch; row++)
    run->loops->add(width, at(l, run->dz, row * columns + begin), at(l, run->g->dbias, begin));
}

/* The workspace: dz, two numbers a unit of scratch, the packed kernels. */
static size_t cotangent_bytes(const cusp_lstm *l) {
  return rounded((size_t)l->batch * row_bytes(l) * 4 * (size_t)l->time);
}
static size_t scratch_bytes(const cusp_lstm *l) {
  return rounded(2 * (size_t)l->batch * row_bytes(l));
}

size_t cusp_lstm_gradient_workspace(const cusp_lstm *l) {
  return cotangent_bytes(l) + scratch_bytes(l) + packed_bytes(l, l->input, true) +
         packed_bytes(l, l->units, true);
}

void cusp_lstm_backward(const cusp_lstm *l, const cusp_lstm_gradient *g) {
  int64_t rows = l->time * l->batch, columns = 4 * l->units;
  char *scratch = (char *)l->workspace + cotangent_bytes(l), *kernel = scratch + scratch_bytes(l);
  backward_run run = {.l = l,
                      .g = g,
                      .loops = find_loops(l->dtype),
                      .dz = l->workspace,
                      .scratch = scratch,
                      .dh = g->dh0,
                      .dc = g->dc0};
  run.kernel = kernel_factor(l, l->kernel, l->input, true);
  run.recurrent = kernel_factor(l, l->recurrent, l->units, true);
  if (g->dx)
    cusp_factor_pack(&run.kernel, l->batch, kernel);
  cusp_factor_pack(&run.recurrent, l->batch, kernel + packed_bytes(l, l->input, true));
  if (rows * columns == 0) {
    memset(g->dkernel, 0, (size_t)(l->input * columns) * cusp_dtype_size(l->dtype));
    if (g->dbias)
      memset(g->dbias, 0, 4 * row_bytes(l));
  }
  cusp_parallel_for(l->batch, batch_grain(l), backward_range, &run);
  if (rows * columns > 0)
    cusp_parallel_for(columns, 2000000 / (rows * (l->input + 1)) + 32, weight_columns, &run);
  cusp_gemm_task t = {
      .dtype = l->dtype, .trans_a = true, .m = l->units, .n = columns, .k = rows, .alpha = 1};
  t.a = l->h;
  t.lda = l->units;
  t.b = run.dz;
  t.c = g->drecurrent;
  t.ldb = t.ldc = columns;
  cusp_gemm(&t);
}
