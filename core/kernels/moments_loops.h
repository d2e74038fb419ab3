/*
 * Means and variances for one float type. No include guard: the including file defines REAL, WIDE
 * (its dtype), LANES and NAME(name).
 */

#include "lanes.h"

/** sums[c] of `vectors` registers of columns, a constant wherever this is called; `means`: of the
 * squared distances from them. */
static inline __attribute__((always_inline)) void NAME(sum_block)(int vectors, int64_t rows,
                                                                  int64_t columns, const REAL *x,
                                                                  const REAL *means, REAL *sums) {
  NAME(vec) sum[BLOCK] = {0}, mean[BLOCK] = {0};
  for (int v = 0; means && v < vectors; v++)
    mean[v] = NAME(load)(means + v * LANES);
  for (int64_t row = 0; row < rows; row++, x += columns)
    for (int v = 0; v < vectors; v++) {
      const NAME(vec) element = NAME(load)(x + v * LANES) - mean[v];
      if (means)
        sum[v] += element * element;
      else
        sum[v] += element;
    }
  for (int v = 0; v < vectors; v++)
    *(NAME(vec) *)(sums + v * LANES) = sum[v];
}

/** The last column, which fills no register. */
static REAL NAME(sum_column)(int64_t rows, int64_t columns, const REAL *x, const REAL *mean) {
  REAL sum = 0;
  for (int64_t row = 0; row < rows; row++) {
    const REAL element = x[row * columns] - (mean ? *mean : 0);
    sum += mean ? element * element : element;
  }
  return sum;
}

static inline __attribute__((always_inline)) void
NAME(sum_columns)(int64_t rows, int64_t columns, const REAL *x, const REAL *means, REAL *sums) {
  int64_t c = 0;
  for (; c + BLOCK * LANES <= columns; c += BLOCK * LANES)
    NAME(sum_block)(BLOCK, rows, columns, x + c, means ? means + c : NULL, sums + c);
  for (; c + LANES <= columns; c += LANES)
    NAME(sum_block)(1, rows, columns, x + c, means ? means + c : NULL, sums + c);
  for (; c < columns; c++)
    sums[c] = NAME(sum_column)(rows, columns, x + c, means ? means + c : NULL);
}

static void NAME(fold)(int64_t rows, int64_t columns, REAL *sums) {
  for (int64_t row = 1; row < rows; row++)
    for (int64_t c = 0; c < columns; c++)
      sums[c] += sums[row * columns + c];
}

/** What some rows come to: their number, and for each column sum and squared distances. */
typedef struct NAME(state) {
  int64_t rows;
  REAL *sums, *squares;
} NAME(state);

/** `means` has room for a wide row, as the state has. */
static void NAME(sum_tile)(NAME(state) * s, int64_t side, int64_t columns, const REAL *x,
                           REAL *means) {
  NAME(sum_columns)(s->rows / side, side * columns, x, NULL, s->sums);
  NAME(fold)(side, columns, s->sums);
  for (int64_t c = 0; c < columns; c++)
    means[c] = s->sums[c] / (REAL)s->rows;
  for (int64_t row = 1; row < side; row++)
    memcpy(means + row * columns, means, (size_t)columns * sizeof(REAL));
  NAME(sum_columns)(s->rows / side, side * columns, x, means, s->squares);
  NAME(fold)(side, columns, s->squares);
}

static void NAME(add_state)(NAME(state) * to, const NAME(state) * s, int64_t columns) {
  const REAL weight = (REAL)to->rows * ((REAL)s->rows / (REAL)(to->rows + s->rows));
  const REAL to_rows = (REAL)to->rows, rows = (REAL)s->rows;
  for (int64_t c = 0; c < columns && to->rows > 0; c++) {
    const REAL distance = s->sums[c] / rows - to->sums[c] / to_rows;
    to->squares[c] += s->squares[c] + distance * distance * weight;
    to->sums[c] += s->sums[c];
  }
  if (to->rows == 0) {
    memcpy(to->sums, s->sums, (size_t)columns * sizeof(REAL));
    memcpy(to->squares, s->squares, (size_t)columns * sizeof(REAL));
  }
  to->rows += s->rows;
}

static int64_t NAME(begin)(const cusp_moments_task *t, int64_t chunk) {
  return t->moments->rows * chunk / t->chunks;
}

static NAME(state) NAME(state_of)(const cusp_moments_task *t, int64_t chunk) {
  REAL *sums = (REAL *)(t->states + (size_t)chunk * t->state_bytes);
  return (NAME(state)){0, sums, sums + t->moments->columns};
}

/** `rows` rows from `row` on as REAL, in `room` where they are not. */
static const REAL *NAME(rows_at)(const cusp_moments_task *t, int64_t row, int64_t rows,
                                 REAL *room) {
  const cusp_moments *m = t->moments;
  const char *x = (const char *)t->x + (size_t)(row * m->columns) * cusp_dtype_size(m->dtype);
  if (m->dtype == WIDE)
    return (const REAL *)x;
  cusp_vector_find_cast(m->dtype, WIDE)(rows * m->columns, room, (const void *[]){x},
                                        (const int8_t[]){1});
  return room;
}

static void NAME(run_chunk)(const cusp_moments_task *t, int64_t chunk) {
  const int64_t columns = t->moments->columns, width = cusp_moments_width(columns);
  const int64_t side = folded(columns, LANES), end = NAME(begin)(t, chunk + 1);
  const int64_t tile = CUSP_MOMENTS_TILE / columns > 1 ? CUSP_MOMENTS_TILE / columns : 1;
  NAME(state) all = NAME(state_of)(t, chunk);
  REAL *room = all.squares + columns, *means = room + 2 * width;
  NAME(state) found = {0, room, room + width};
  memset(all.sums, 0, 2 * (size_t)columns * sizeof(REAL));
  for (int64_t row = NAME(begin)(t, chunk); row < end; row += found.rows) {
    const int64_t left = end - row < tile ? end - row : tile;
    found.rows = left >= side ? left - left % side : left;
    NAME(sum_tile)
    (&found, left >= side ? side : 1, columns, NAME(rows_at)(t, row, found.rows, means + width),
     means);
    NAME(add_state)(&all, &found, columns);
  }
}

static void NAME(run)(void *task, int64_t begin, int64_t end) {
  for (int64_t chunk = begin; chunk < end; chunk++)
    NAME(run_chunk)(task, chunk);
}

static void NAME(finish)(const cusp_moments_task *t) {
  const int64_t columns = t->moments->columns;
  NAME(state) all = NAME(state_of)(t, 0);
  all.rows = NAME(begin)(t, 1);
  for (int64_t chunk = 1; chunk < t->chunks; chunk++) {
    NAME(state) s = NAME(state_of)(t, chunk);
    s.rows = NAME(begin)(t, chunk + 1) - NAME(begin)(t, chunk);
    NAME(add_state)(&all, &s, columns);
  }
  for (int64_t c = 0; c < columns; c++) {
    ((REAL *)t->mean)[c] = all.sums[c] / (REAL)all.rows;
    ((REAL *)t->variance)[c] = all.squares[c] / (REAL)all.rows;
  }
}
