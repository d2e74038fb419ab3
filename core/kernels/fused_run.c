#include "fused_plan.h"

#include "../base/threads.h"

#include <string.h>

/** One run: what all threads share. */
typedef struct run_state {
  const cusp_fused *plan;
  const void *const *inputs;
  void *const *outputs;
  char *workspace;
  /* outputs whose tiles are copied at the end, because an input is the same memory */
  uint32_t staged;
  uint64_t values[FUSED_REGISTERS]; /* of registers with one value for the run */
} run_state;

/** What a thread works with. */
typedef struct worker {
  const run_state *run;
  const cusp_fused *plan;
  char *scratch;
  char *accumulators[CUSP_FUSED_MAX_OUTPUTS];
  void *at[FUSED_REGISTERS];        /* where each register's tile is */
  uint64_t values[FUSED_REGISTERS]; /* of registers with one value for the tile */
} worker;

/* ------------------------------------------------------------------ places */

/** Offset in elements of the first element of `row`. */
static int64_t row_offset(const cusp_fused *plan, const int64_t *strides, int64_t row) {
  if (plan->ndim <= 2)
    return plan->ndim == 2 ? row * strides[0] : 0;
  int64_t offset = 0;
  for (int axis = plan->ndim - 2; axis >= 0; axis--) {
    offset += row % plan->size[axis] * strides[axis];
    row /= plan->size[axis];
  }
  return offset;
}

/** How many of `n_rows` rows from `row` on differ in the last outer axis alone. */
static int64_t rows_in_a_run(const cusp_fused *plan, int64_t row, int64_t n_rows) {
  if (plan->ndim < 2)
    return n_rows;
  const int64_t size = plan->size[plan->ndim - 2], left = size - row % size;
  return n_rows < left ? n_rows : left;
}

/* ------------------------------------------------------------------ gathering */

/* Short rows of one element are written in one go, beyond their end, where the next row follows. */
#define SHORT_ROW 16

/* The usual short rows, `columns` a constant, take a few stores of 16 bytes each. */
#define GATHER_SHORT(NAME, T)                                                                 \
  typedef T NAME##_piece __attribute__((vector_size(16), aligned(1), may_alias));             \
  static inline __attribute__((always_inline)) void NAME##_short(                             \
      T *to, const T *from, int64_t rows, int64_t columns, int64_t row_stride, bool repeat) { \
    for (int64_t row = 0; row < rows; row++, from += row_stride, to += columns)               \
      if (repeat)                                                                             \
        for (int64_t column = 0; column < columns; column += 16 / (int64_t)sizeof(T))         \
          *(NAME##_piece *)(to + column) = *from - (NAME##_piece){0};                         \
      else                                                                                    \
        memcpy(to, from, (size_t)columns * sizeof(T));                                        \
  }

#define GATHER(NAME, T)                                                                           \
  GATHER_SHORT(NAME, T)                                                                           \
  static void NAME##_any(T *to, const T *from, int64_t rows, int64_t columns, int64_t row_stride, \
                         int64_t column_stride) {                                                 \
    typedef T short_row __attribute__((vector_size(SHORT_ROW * sizeof(T))));                      \
    for (int64_t row = 0; row < rows; row++, from += row_stride, to += columns) {                 \
      if (column_stride == 1) {                                                                   \
        for (int64_t column = 0; column < columns; column++)                                      \
          to[column] = from[column];                                                              \
      } else if (column_stride == 0 && columns <= SHORT_ROW &&                                    \
                 (rows - row) * columns >= SHORT_ROW) {                                           \
        const short_row values = (short_row){0} + *from;                                          \
        memcpy(to, &values, sizeof values);                                                       \
      } else if (column_stride == 0) {                                                            \
        const T value = *from;                                                                    \
        for (int64_t column = 0; column < columns; column++)                                      \
          to[column] = value;                                                                     \
      } else {                                                                                    \
        for (int64_t column = 0; column < columns; column++)                                      \
          to[column] = from[column * column_stride];                                              \
      }                                                                                           \
    }                                                                                             \
  }                                                                                               \
  static void NAME(T *to, const T *from, int64_t rows, int64_t columns, int64_t row_stride,       \
                   int64_t column_stride) {                                                       \
    const bool repeat = column_stride == 0, even = repeat || column_stride == 1;                  \
    if (even && columns == 16)                                                                    \
      NAME##_short(to, from, rows, 16, row_stride, repeat);                                       \
    else if (even && columns == 32)                                                               \
      NAME##_short(to, from, rows, 32, row_stride, repeat);                                       \
    else if (even && columns == 64)                                                               \
      NAME##_short(to, from, rows, 64, row_stride, repeat);                                       \
    else                                                                                          \
      NAME##_any(to, from, rows, columns, row_stride, column_stride);                             \
  }
GATHER(gather_1, uint8_t)
GATHER(gather_2, uint16_t)
GATHER(gather_4, uint32_t)
GATHER(gather_8, uint64_t)

static void gather_block(char *to, const char *from, int64_t rows, int64_t columns,
                         int64_t row_stride, int64_t column_stride, int size) {
  switch (size) {
  case 1: gather_1((void *)to, (const void *)from, rows, columns, row_stride, column_stride); break;
  case 2: gather_2((void *)to, (const void *)from, rows, columns, row_stride, column_stride); break;
  case 4: gather_4((void *)to, (const void *)from, rows, columns, row_stride, column_stride); break;
  default:
    gather_8((void *)to, (const void *)from, rows, columns, row_stride, column_stride);
    break;
  }
}

/** Copies the tile's elements of an input of any strides into `to`. */
static void gather(const cusp_fused *plan, const fused_input *input, const char *base, char *to,
                   int64_t row, int64_t n_rows, int64_t column, int64_t n_columns) {
  const int64_t inner = input->strides[plan->ndim - 1],
                outer = plan->ndim > 1 ? input->strides[plan->ndim - 2] : 0;
  while (n_rows > 0) {
    const int64_t count = rows_in_a_run(plan, row, n_rows);
    const char *from =
        base + (row_offset(plan, input->strides, row) + column * inner) * input->size;
    gather_block(to, from, count, n_columns, outer, inner, input->size);
    to += count * n_columns * input->size;
    row += count;
    n_rows -= count;
  }
}

/** Fills the tile of an input that is the same row again and again, doubling what is there. */
static void repeat_row(const cusp_fused *plan, const fused_input *input, const char *base,
                       char *to) {
  const int64_t row = plan->columns * input->size, all = plan->tile_rows * row;
  gather_block(to, base, 1, plan->columns, 0, input->strides[plan->ndim - 1], input->size);
  for (int64_t done = row; done < all; done *= 2)
    memcpy(to + done, to, (size_t)(done < all - done ? done : all - done));
}

/* ------------------------------------------------------------------ reducing */

static void combine(const fused_output *out, int64_t n, void *accumulators, const void *x) {
  const void *operands[2] = {accumulators, x};
  out->combine(n, accumulators, operands, (const int8_t[]){1, 1});
}

/**
 * Combines `rows` rows of `columns` elements into one. Short rows are folded in halves, so that
 * calls stay long (and sums are pairwise); long ones go one by one.
 */
static void fold_rows(const fused_output *out, int64_t rows, int64_t columns, const char *x,
                      char *scratch, char *accumulators) {
  const int64_t bytes = columns * out->accumulator_size;
  if (rows < 4 || columns >= 256) {
    for (int64_t row = 0; row < rows; row++)
      combine(out, columns, accumulators, x + row * bytes);
    return;
  }
  int64_t half = rows / 2, kept = rows - half;
  const void *halves[2] = {x, x + kept * bytes};
  out->combine(half * columns, scratch, halves, (const int8_t[]){1, 1});
  if (kept > half)
    combine(out, columns, scratch, x + half * bytes);
  for (rows = half; rows > 1; rows = kept) {
    half = rows / 2;
    kept = rows - half;
    combine(out, half * columns, scratch, scratch + kept * bytes);
  }
  combine(out, columns, accumulators, scratch);
}

static void reduce_tile(const worker *w, const fused_output *out, const char *x, char *accumulators,
                        int64_t row, int64_t n_rows, int64_t column, int64_t n_columns) {
  const cusp_fused *plan = w->plan;
  const bool inner_reduced = out->strides[plan->ndim - 1] == 0;
  const int64_t outer = plan->ndim > 1 ? out->strides[plan->ndim - 2] : 0;
  while (n_rows > 0) {
    const int64_t count = rows_in_a_run(plan, row, n_rows);
    char *to = accumulators + (row_offset(plan, out->strides, row) + (inner_reduced ? 0 : column)) *
                                  out->accumulator_size;
    if (inner_reduced && outer == 0)
      out->reduce_rows(1, count * n_columns, x, to);
    else if (inner_reduced)
      out->reduce_rows(count, n_columns, x, to); /* the last kept axis has stride 1 */
    else if (outer == 0)
      fold_rows(out, count, n_columns, x, w->scratch + plan->fold_offset, to);
    else
      combine(out, count * n_columns, to, x); /* kept and kept: contiguous, or one row */
    x += count * n_columns * out->accumulator_size;
    row += count;
    n_rows -= count;
  }
}

static void fill_identity(const fused_output *out, char *accumulators, int64_t count) {
  gather_block(accumulators, (const char *)&out->identity, 1, count, 0, 0, out->accumulator_size);
}

/* ------------------------------------------------------------------ tiles */

static void place_inputs(worker *w, int64_t row, int64_t n_rows, int64_t column,
                         int64_t n_columns) {
  const cusp_fused *plan = w->plan;
  const int64_t element = row * plan->columns + column;
  for (uint32_t left = plan->moving; left != 0; left &= left - 1) {
    const int i = __builtin_ctz(left);
    const fused_input *input = &plan->inputs[i];
    const char *base = w->run->inputs[i];
    switch (input->kind) {
    case INPUT_FLAT: w->at[i] = (void *)(base + element * input->size); break;
    case INPUT_ROW:
      w->at[i] = (void *)(base + (row_offset(plan, input->strides, row) + column) * input->size);
      break;
    case INPUT_ROW_ONE:
      w->at[i] = (void *)(base + row_offset(plan, input->strides, row) * input->size);
      break;
    default:
      gather(plan, input, base, w->scratch + input->offset, row, n_rows, column, n_columns);
      break;
    }
  }
}

static void place_outputs(worker *w, int64_t element) {
  const cusp_fused *plan = w->plan;
  for (int k = 0; k < plan->n_outputs; k++) {
    const fused_output *out = &plan->outputs[k];
    if (out->reducer != CUSP_REDUCE_NONE)
      continue;
    const bool staged = w->run->staged >> k & 1;
    w->at[out->reg] =
        staged ? w->scratch + out->staging : (char *)w->run->outputs[k] + element * out->size;
  }
}

static void call(const fused_step *step, int64_t n, void *const *at) {
  const void *operands[CUSP_FUSED_MAX_OPERANDS] = {at[step->operand[0]], at[step->operand[1]],
                                                   at[step->operand[2]], at[step->operand[3]],
                                                   at[step->operand[4]]};
  step->function(n, at[step->result], operands, step->step);
}

static void run_tile(worker *w, int64_t row, int64_t n_rows, int64_t column, int64_t n_columns) {
  const cusp_fused *plan = w->plan;
  const int64_t n = n_rows * n_columns, element = row * plan->columns + column;
  place_inputs(w, row, n_rows, column, n_columns);
  place_outputs(w, element);
  const fused_step *step = plan->steps + plan->n_run_steps, *end = plan->steps + plan->n_steps;
  for (int s = 0; s < plan->n_tile_steps; s++, step++)
    call(step, 1, w->at);
  for (; step < end; step++) {
    if (step->function)
      call(step, n, w->at);
    else
      reduce_tile(w, &plan->outputs[step->output], w->at[step->operand[0]],
                  w->accumulators[step->output], row, n_rows, column, n_columns);
  }
  for (uint32_t left = w->run->staged; left != 0; left &= left - 1) {
    const int k = __builtin_ctz(left);
    const fused_output *out = &plan->outputs[k];
    memcpy((char *)w->run->outputs[k] + element * out->size, w->scratch + out->staging,
           (size_t)(n * out->size));
  }
}

/** The tile that is a piece of one row. */
static void run_piece(worker *w, int64_t row, int64_t piece) {
  const cusp_fused *plan = w->plan;
  const int64_t column = piece * plan->piece, left = plan->columns - column;
  run_tile(w, row, 1, column, left < plan->piece ? left : plan->piece);
}

static void run_rows(worker *w, int64_t begin, int64_t end) {
  const cusp_fused *plan = w->plan;
  if (plan->by_row && plan->down_columns) {
    for (int64_t piece = 0; piece < plan->pieces; piece++)
      for (int64_t row = begin; row < end; row++)
        run_piece(w, row, piece);
    return;
  }
  if (plan->by_row) {
    for (int64_t row = begin; row < end; row++)
      for (int64_t piece = 0; piece < plan->pieces; piece++)
        run_piece(w, row, piece);
    return;
  }
  for (int64_t row = begin; row < end; row += plan->tile_rows)
    run_tile(w, row, end - row < plan->tile_rows ? end - row : plan->tile_rows, 0, plan->columns);
}

/** Points the registers at what does not move from tile to tile. */
static void start_worker(worker *w, const run_state *run, char *scratch) {
  const cusp_fused *plan = run->plan;
  w->run = run;
  w->plan = plan;
  w->scratch = scratch;
  for (int i = 0; i < plan->n_inputs; i++)
    w->at[i] =
        plan->repeated >> i & 1 ? run->workspace + plan->inputs[i].offset : (void *)run->inputs[i];
  for (int s = 0; s < plan->n_slots; s++)
    w->at[plan->slots[s].reg] = scratch + plan->slots[s].offset;
  for (int s = 0; s < plan->n_run_steps; s++)
    w->at[plan->steps[s].result] = (void *)&run->values[plan->steps[s].result];
  for (int s = plan->n_run_steps; s < plan->n_run_steps + plan->n_tile_steps; s++)
    w->at[plan->steps[s].result] = &w->values[plan->steps[s].result];
}

/* ------------------------------------------------------------------ ranges, one for each way of
 * sharing out */

static void run_tiles(void *context, int64_t begin, int64_t end) {
  const run_state *run = context;
  const cusp_fused *plan = run->plan;
  worker w;
  char scratch[FUSED_SCRATCH_BYTES] __attribute__((aligned(64)));
  start_worker(&w, run, scratch);
  for (int k = 0; k < plan->n_outputs; k++)
    w.accumulators[k] =
        plan->outputs[k].finish ? run->workspace + plan->outputs[k].workspace : run->outputs[k];
  if (!plan->by_row) {
    const int64_t last = end * plan->tile_rows;
    run_rows(&w, begin * plan->tile_rows, last < plan->rows ? last : plan->rows);
    return;
  }
  for (int64_t tile = begin; tile < end; tile++)
    if (plan->down_columns)
      run_piece(&w, tile % plan->rows, tile / plan->rows);
    else
      run_piece(&w, tile / plan->pieces, tile % plan->pieces);
}

static void run_entries(void *context, int64_t begin, int64_t end) {
  const run_state *run = context;
  const cusp_fused *plan = run->plan;
  worker w;
  char scratch[FUSED_SCRATCH_BYTES] __attribute__((aligned(64)));
  start_worker(&w, run, scratch);
  for (int k = 0; k < plan->n_outputs; k++) {
    const fused_output *out = &plan->outputs[k];
    if (out->reducer == CUSP_REDUCE_NONE)
      continue;
    w.accumulators[k] = out->finish ? run->workspace + out->workspace : run->outputs[k];
    fill_identity(out, w.accumulators[k] + begin * out->strides[0] * out->accumulator_size,
                  (end - begin) * out->strides[0]);
  }
  if (plan->tile_rows >= plan->entry_rows) {
    run_rows(&w, begin * plan->entry_rows, end * plan->entry_rows);
    return;
  }
  for (int64_t entry = begin; entry < end; entry++)
    run_rows(&w, entry * plan->entry_rows, (entry + 1) * plan->entry_rows);
}

/** Where chunk `chunk` accumulates output k. */
static char *chunk_accumulators(const run_state *run, int64_t chunk, int k) {
  const cusp_fused *plan = run->plan;
  if (plan->n_chunks > 1)
    return run->workspace + plan->partials + chunk * (int64_t)plan->partial_bytes +
           plan->partial_offset[k];
  return plan->outputs[k].finish ? run->workspace + plan->outputs[k].workspace : run->outputs[k];
}

static void run_chunk(worker *w, int64_t chunk) {
  const cusp_fused *plan = w->plan;
  for (int k = 0; k < plan->n_outputs; k++) {
    if (plan->outputs[k].reducer == CUSP_REDUCE_NONE)
      continue;
    w->accumulators[k] = chunk_accumulators(w->run, chunk, k);
    fill_identity(&plan->outputs[k], w->accumulators[k], plan->outputs[k].count);
  }
  const int64_t units = plan->ndim == 1 ? plan->pieces : plan->size[0];
  const int64_t begin = units * chunk / plan->n_chunks, end = units * (chunk + 1) / plan->n_chunks;
  if (plan->ndim > 1) {
    run_rows(w, begin * plan->entry_rows, end * plan->entry_rows);
    return;
  }
  for (int64_t piece = begin; piece < end; piece++)
    run_piece(w, 0, piece);
}

static void run_chunks(void *context, int64_t begin, int64_t end) {
  const run_state *run = context;
  worker w;
  char scratch[FUSED_SCRATCH_BYTES] __attribute__((aligned(64)));
  start_worker(&w, run, scratch);
  for (int64_t chunk = begin; chunk < end; chunk++)
    run_chunk(&w, chunk);
}

/** Combines the chunks' accumulators in order, into the first's. */
static void combine_chunks(const run_state *run) {
  const cusp_fused *plan = run->plan;
  for (int k = 0; k < plan->n_outputs; k++) {
    const fused_output *out = &plan->outputs[k];
    if (out->reducer == CUSP_REDUCE_NONE)
      continue;
    char *result = out->finish ? run->workspace + out->workspace : run->outputs[k];
    memcpy(result, chunk_accumulators(run, 0, k), (size_t)(out->count * out->accumulator_size));
    for (int64_t chunk = 1; chunk < plan->n_chunks; chunk++)
      combine(out, out->count, result, chunk_accumulators(run, chunk, k));
  }
}

/* ------------------------------------------------------------------ a run */

/** Outputs that are the memory of an input which is still to be read when they are written. */
static uint32_t find_staged(const cusp_fused *plan, const void *const *inputs,
                            void *const *outputs) {
  uint32_t staged = 0;
  for (int k = 0; k < plan->n_outputs; k++)
    for (uint32_t left = plan->outputs[k].late_readers; left != 0; left &= left - 1)
      if (inputs[__builtin_ctz(left)] == outputs[k])
        staged |= 1u << k;
  return staged;
}

static void compute_run_values(run_state *run) {
  const cusp_fused *plan = run->plan;
  for (int s = 0; s < plan->n_run_steps; s++) {
    const fused_step *step = &plan->steps[s];
    const void *operands[CUSP_FUSED_MAX_OPERANDS] = {0};
    for (int k = 0; k < step->arity; k++) {
      const int reg = step->operand[k];
      operands[k] = reg < plan->n_inputs ? run->inputs[reg] : &run->values[reg];
    }
    step->function(1, &run->values[step->result], operands, step->step);
  }
}

static void fill_all(const run_state *run) {
  for (int k = 0; k < run->plan->n_outputs; k++) {
    const fused_output *out = &run->plan->outputs[k];
    if (out->reducer != CUSP_REDUCE_NONE)
      fill_identity(out, out->finish ? run->workspace + out->workspace : run->outputs[k],
                    out->count);
  }
}

static void finish_outputs(const run_state *run) {
  for (int k = 0; k < run->plan->n_outputs; k++) {
    const fused_output *out = &run->plan->outputs[k];
    if (!out->finish)
      continue;
    const void *operands[1] = {run->workspace + out->workspace};
    out->finish(out->count, run->outputs[k], operands, (const int8_t[]){1});
  }
}

void cusp_fused_run(const cusp_fused *fused, const void *const *inputs, void *const *outputs,
                    void *workspace) {
  static const cusp_range_fn ranges[] = {
      [SPLIT_TILES] = run_tiles, [SPLIT_ENTRIES] = run_entries, [SPLIT_CHUNKS] = run_chunks};
  run_state run;
  run.plan = fused;
  run.inputs = inputs;
  run.outputs = outputs;
  run.workspace = workspace;
  run.staged = fused->may_alias ? find_staged(fused, inputs, outputs) : 0;
  if (fused->total == 0 || fused->split == SPLIT_TILES)
    fill_all(&run);
  if (fused->total > 0) {
    compute_run_values(&run);
    for (uint32_t left = fused->repeated; left != 0; left &= left - 1) {
      const int i = __builtin_ctz(left);
      repeat_row(fused, &fused->inputs[i], inputs[i], run.workspace + fused->inputs[i].offset);
    }
    cusp_parallel_for(fused->split_count, fused->grain, ranges[fused->split], &run);
    if (fused->n_chunks > 1)
      combine_chunks(&run);
  }
  finish_outputs(&run);
}
