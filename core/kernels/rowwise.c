#include "rowwise.h"

#include "isa.h"
#include "vector.h"

CUSP_ISA_DECLARE_FLOATS(const cusp_row_loops, cusp_row_loops);

static const cusp_row_loops *find_loops(cusp_dtype dtype) {
  return CUSP_ISA_CHOOSE_FLOAT(cusp_row_loops, dtype);
}

/*
 * Rows are worked on in blocks that stay in L1, so that the vector functions see long runs even
 * where a row has ten elements. A longer row is a block of its own.
 */
#define BLOCK 1024

/** A block of rows being worked on. */
typedef struct block {
  cusp_dtype dtype;
  int64_t rows, columns, first; /* `first` counts rows */
  const cusp_row_loops *loops;
} block;

static block first_block(const cusp_rows *shape) {
  int64_t fit = shape->columns < BLOCK ? BLOCK / shape->columns : 1;
  return (block){shape->dtype, fit < shape->rows ? fit : shape->rows, shape->columns, 0,
                 find_loops(shape->dtype)};
}

static bool next_block(block *b, const cusp_rows *shape) {
  b->first += b->rows;
  if (b->first + b->rows > shape->rows)
    b->rows = shape->rows - b->first;
  return b->rows > 0;
}

static void *element(const block *b, const void *base, int64_t index) {
  return (char *)base + index * (int64_t)cusp_dtype_size(b->dtype);
}

/** The block's part of a matrix, or of an array with an element a row. */
static void *matrix(const block *b, const void *base) {
  return element(b, base, b->first * b->columns);
}
static void *column(const block *b, const void *base) { return element(b, base, b->first); }

static double get(const block *b, const void *x, int64_t i) {
  return b->dtype == CUSP_FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void set(const block *b, void *x, int64_t i, double value) {
  if (b->dtype == CUSP_FLOAT32)
    ((float *)x)[i] = (float)value;
  else
    ((double *)x)[i] = value;
}

static void apply(const block *b, cusp_vector_id id, int64_t n, const void *x, void *out) {
  cusp_vector_find(id, b->dtype)(n, out, (const void *[]){x}, (const int8_t[]){1});
}

/** out = exp(x - the row's largest), sums = its sums: no exponential overflows, and one of them
 * is 1. */
static void shifted_exp(const block *b, const void *x, void *out, void *sums) {
  b->loops->largest(b->rows, b->columns, x, sums);
  b->loops->subtract(b->rows, b->columns, x, sums, out);
  apply(b, CUSP_VECTOR_exp, b->rows * b->columns, out, out);
  b->loops->sum(b->rows, b->columns, out, sums);
}

void cusp_softmax_rows(const cusp_rows *shape, const void *x, void *out) {
  double sums[BLOCK];
  block b = first_block(shape);
  for (bool more = b.rows > 0; more; more = next_block(&b, shape)) {
    void *to = matrix(&b, out);
    shifted_exp(&b, matrix(&b, x), to, sums);
    for (int64_t r = 0; r < b.rows; r++)
      set(&b, sums, r, 1 / get(&b, sums, r));
    b.loops->scale(b.rows, b.columns, to, sums, NULL, NULL, to);
  }
}

void cusp_softmax_gradient_rows(const cusp_rows *shape, const void *y, const void *dy, void *out) {
  double sums[BLOCK];
  block b = first_block(shape);
  for (bool more = b.rows > 0; more; more = next_block(&b, shape)) {
    b.loops->dot(b.rows, b.columns, matrix(&b, y), matrix(&b, dy), sums);
    b.loops->centre(b.rows, b.columns, matrix(&b, y), matrix(&b, dy), sums, matrix(&b, out));
  }
}

void cusp_log_softmax_gradient_rows(const cusp_rows *shape, const void *y, const void *dy,
                                    void *out) {
  double sums[BLOCK], ones[BLOCK];
  block b = first_block(shape);
  for (int64_t r = 0; r < b.rows; r++)
    set(&b, ones, r, 1);
  for (bool more = b.rows > 0; more; more = next_block(&b, shape)) {
    void *to = matrix(&b, out);
    b.loops->sum(b.rows, b.columns, matrix(&b, dy), sums);
    for (int64_t r = 0; r < b.rows; r++)
      set(&b, sums, r, -get(&b, sums, r));
    apply(&b, CUSP_VECTOR_exp, b.rows * b.columns, matrix(&b, y), to);
    b.loops->scale(b.rows, b.columns, to, sums, matrix(&b, dy), ones, to);
  }
}

/* ------------------------------------------------------------------ log(sum(exp)) and what needs
 * it */

/** Numbers of a block's rows. */
typedef struct row_numbers {
  double largest[BLOCK];  /* of x */
  double log_sum[BLOCK];  /* log(sum(exp(x - largest))) */
  double weight[BLOCK];   /* sum(target) */
  double weighted[BLOCK]; /* sum(target * (x - largest)) */
} row_numbers;

static void accumulate(const block *b, double *sums, const double *part, bool first) {
  for (int64_t r = 0; r < b->rows; r++)
    set(b, sums, r, (first ? 0 : get(b, sums, r)) + get(b, part, r));
}

/** Fills the numbers, in pieces of what fits the scratch memory; `target` may be NULL (its two are
 * then left alone). */
static void row_statistics(const block *b, const void *x, const void *target,
                           row_numbers *numbers) {
  double values[BLOCK], part[BLOCK];
  /* narrower than the row only where the block is one row */
  int64_t width = b->columns <= BLOCK ? b->columns : BLOCK;
  b->loops->largest(b->rows, b->columns, x, numbers->largest);
  for (int64_t i = 0; i < b->columns; i += width) {
    int64_t n = b->columns - i < width ? b->columns - i : width;
    b->loops->subtract(b->rows, n, element(b, x, i), numbers->largest, values);
    if (target) {
      b->loops->dot(b->rows, n, values, element(b, target, i), part);
      accumulate(b, numbers->weighted, part, i == 0);
      b->loops->sum(b->rows, n, element(b, target, i), part);
      accumulate(b, numbers->weight, part, i == 0);
    }
    apply(b, CUSP_VECTOR_exp, b->rows * n, values, values);
    b->loops->sum(b->rows, n, values, part);
    accumulate(b, numbers->log_sum, part, i == 0);
  }
  apply(b, CUSP_VECTOR_log, b->rows, numbers->log_sum, numbers->log_sum);
}

void cusp_log_softmax_rows(const cusp_rows *shape, const void *x, void *out) {
  row_numbers numbers;
  block b = first_block(shape);
  for (bool more = b.rows > 0; more; more = next_block(&b, shape)) {
    void *to = matrix(&b, out);
    row_statistics(&b, matrix(&b, x), NULL, &numbers);
    /* in two steps: the first is exact near the largest */
    b.loops->subtract(b.rows, b.columns, matrix(&b, x), numbers.largest, to);
    b.loops->subtract(b.rows, b.columns, to, numbers.log_sum, to);
  }
}

/** Where row `r`'s target is 1, as an index into the block's matrix; -1 where its label is no
 * column. */
static int64_t label_place(const block *b, const int32_t *labels, int64_t r) {
  int32_t label = labels[b->first + r];
  return label >= 0 && label < b->columns ? r * b->columns + label : -1;
}

void cusp_crossentropy_rows(const cusp_rows *shape, const void *logits, const void *target,
                            const int32_t *labels, void *loss) {
  row_numbers numbers;
  block b = first_block(shape);
  for (bool more = b.rows > 0; more; more = next_block(&b, shape)) {
    const void *x = matrix(&b, logits);
    void *to = column(&b, loss);
    row_statistics(&b, x, target ? matrix(&b, target) : NULL, &numbers);
    for (int64_t r = 0; r < b.rows; r++) {
      double log_sum = get(&b, numbers.log_sum, r);
      int64_t place = target ? 0 : label_place(&b, labels, r);
      if (target)
        set(&b, to, r, get(&b, numbers.weight, r) * log_sum - get(&b, numbers.weighted, r));
      else
        set(&b, to, r, place < 0 ? 0 : log_sum - (get(&b, x, place) - get(&b, numbers.largest, r)));
    }
  }
}

void cusp_crossentropy_gradient_rows(const cusp_rows *shape, const void *logits, const void *target,
                                     const int32_t *labels, const void *dloss, void *out) {
  double sums[BLOCK], weights[BLOCK], negative[BLOCK];
  block b = first_block(shape);
  for (bool more = b.rows > 0; more; more = next_block(&b, shape)) {
    const void *d = column(&b, dloss);
    void *to = matrix(&b, out);
    shifted_exp(&b, matrix(&b, logits), to, sums);
    if (target)
      b.loops->sum(b.rows, b.columns, matrix(&b, target), weights);
    for (int64_t r = 0; r < b.rows; r++) {
      double scale = target || label_place(&b, labels, r) >= 0 ? get(&b, d, r) : 0;
      set(&b, sums, r, scale * (target ? get(&b, weights, r) : 1) / get(&b, sums, r));
      set(&b, negative, r, -scale);
    }
    b.loops->scale(b.rows, b.columns, to, sums, target ? matrix(&b, target) : NULL, negative, to);
    for (int64_t r = 0; r < b.rows && !target; r++) {
      int64_t place = label_place(&b, labels, r);
      if (place >= 0)
        set(&b, to, place, get(&b, to, place) - get(&b, d, r));
    }
  }
}
