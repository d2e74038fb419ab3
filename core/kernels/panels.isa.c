#include "panels.h"

#include "isa.h"

#include <string.h>

CUSP_ISA_DECLARE(const cusp_panel_loops, cusp_panel_loops);

#define LANES (CUSP_ISA_BYTES / 4)
#define WIDTH (2 * LANES)

/* As many rows as leave registers for two vectors of the panel and an element of a: 2 * 12 of 32, 2
 * * 6 of 16. EACH_HEIGHT is a DO for each number of rows up to that. */
#define EACH_OF_SIX(DO, with) \
  DO(1, with) DO(2, with) DO(3, with) DO(4, with) DO(5, with) DO(6, with)
#if defined(__AVX512F__)
#define ROWS 12
#define EACH_HEIGHT(DO, with) \
  EACH_OF_SIX(DO, with)       \
  DO(7, with) DO(8, with) DO(9, with) DO(10, with) DO(11, with) DO(12, with)
#else
#define ROWS 6
#define EACH_HEIGHT(DO, with) EACH_OF_SIX(DO, with)
#endif

typedef float vec __attribute__((vector_size(CUSP_ISA_BYTES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(CUSP_ISA_BYTES)));

/* A panel's rows lie side by side, so that the product reads memory in one stream. */
static void pack_rows(const float *b, int64_t ld, int64_t k, int64_t columns, float *out) {
  if (columns == WIDTH) {
    for (int64_t i = 0; i < k; i++, b += ld, out += WIDTH) {
      *(vec *)out = *(const vec *)b;
      *(vec *)(out + LANES) = *(const vec *)(b + LANES);
    }
    return;
  }
  for (int64_t i = 0; i < k; i++, b += ld, out += WIDTH) {
    memcpy(out, b, (size_t)columns * sizeof(float));
    memset(out + columns, 0, (size_t)(WIDTH - columns) * sizeof(float));
  }
}

/* A square of LANES columns: stage by stage, neighbours at twice the distance exchange the elements
 * off the diagonal. */
static void pack_square(const float *b, int64_t ld, float *out) {
  static const int32_t numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  vec rows[LANES];
  ivec lane;
  memcpy(&lane, numbers, sizeof lane);
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++)
    rows[i] = *(const vec *)(b + i * ld);
#pragma GCC unroll 4
  for (int step = 1; step < LANES; step *= 2) {
    const ivec odd = (lane & step) != 0;
    const ivec upper = lane + (odd & (LANES - step)), lower = lane + (odd & LANES) + (~odd & step);
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++)
      if (!(i & step)) {
        const vec first = rows[i], second = rows[i + step];
        rows[i] = __builtin_shuffle(first, second, upper);
        rows[i + step] = __builtin_shuffle(first, second, lower);
      }
  }
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++)
    *(vec *)(out + i * WIDTH) = rows[i];
}

/** b lies by columns: a cache line of each column at a time, so that every line is read once and
 * written to few places. */
static void pack_columns(const float *b, int64_t ld, int64_t k, int64_t columns, float *out) {
  for (int64_t first = 0; first < k; first += LANES) {
    const int64_t count = k - first < LANES ? k - first : LANES;
    int64_t j = 0;
    for (; count == LANES && j + LANES <= columns; j += LANES)
      pack_square(b + j * ld + first, ld, out + first * WIDTH + j);
    for (; j < columns; j++)
      for (int64_t i = first; i < first + count; i++)
        out[i * WIDTH + j] = b[j * ld + i];
  }
  for (int64_t i = 0; i < k && columns < WIDTH; i++)
    memset(out + i * WIDTH + columns, 0, (size_t)(WIDTH - columns) * sizeof(float));
}

static void pack(const cusp_panel_source *s, int64_t k_first, int64_t k, int64_t first,
                 int64_t columns, float *out) {
  if (s->trans)
    pack_columns(s->b + first * s->ld + k_first, s->ld, k, columns, out);
  else
    pack_rows(s->b + k_first * s->ld + first, s->ld, k, columns, out);
}

/** `rows`, `vectors` of columns and `by_column` (which of a's steps is 1) are constants wherever
 * this is called: the sums live in registers. */
static inline __attribute__((always_inline)) void block(int rows, int vectors, bool by_column,
                                                        int64_t k, const float *a, int64_t step,
                                                        const float *panel, int beta, float *c,
                                                        int64_t ldc) {
  vec sum[ROWS][2];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sum[r][v] = beta ? *(const vec *)(c + r * ldc + v * LANES) : (vec){0};
  for (int64_t i = 0; i < k; i++, panel += WIDTH) {
    vec first = *(const vec *)panel, second = *(const vec *)(panel + LANES);
    for (int r = 0; r < rows; r++) {
      float x = by_column ? a[i * step + r] : a[r * step + i];
      sum[r][0] += first * x;
      if (vectors > 1)
        sum[r][1] += second * x;
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      *(vec *)(c + r * ldc + v * LANES) = sum[r][v];
}

/* `vectors` is a constant here too. */
static inline __attribute__((always_inline)) void
block_of(int rows, int vectors, const cusp_panel_rows *a, const float *first, int64_t k,
         const float *panel, int beta, float *c, int64_t ldc) {
#define CASE(n, vectors)                                                 \
  case n:                                                                \
    if (a->row == 1)                                                     \
      block(n, vectors, true, k, first, a->column, panel, beta, c, ldc); \
    else                                                                 \
      block(n, vectors, false, k, first, a->row, panel, beta, c, ldc);   \
    break;
  switch (rows) { EACH_HEIGHT(CASE, vectors) }
#undef CASE
}

/* Fewer than WIDTH elements, in pieces of constant size. */
static void copy_columns(float *to, const float *from, int64_t columns) {
  int64_t at = 0;
#pragma GCC unroll 5
  for (int piece = WIDTH / 2; piece > 0; piece /= 2)
    if (columns & piece) {
      memcpy(to + at, from + at, (size_t)piece * sizeof(float));
      at += piece;
    }
}

static void whole_block(int rows, const cusp_panel_rows *a, const float *first, int64_t k,
                        const float *panel, int beta, float *c, int64_t ldc) {
  block_of(rows, 2, a, first, k, panel, beta, c, ldc);
}

static void half_block(int rows, const cusp_panel_rows *a, const float *first, int64_t k,
                       const float *panel, int beta, float *c, int64_t ldc) {
  block_of(rows, 1, a, first, k, panel, beta, c, ldc);
}

/** A panel that reaches beyond c's columns is multiplied into memory of its own. */
static void narrow_block(int rows, int64_t columns, const cusp_panel_rows *a, const float *first,
                         int64_t k, const float *panel, int beta, float *c, int64_t ldc) {
  float wide[ROWS * WIDTH];
  for (int r = 0; r < rows && beta; r++) {
    memset(wide + r * WIDTH, 0, WIDTH * sizeof(float));
    copy_columns(wide + r * WIDTH, c + r * ldc, columns);
  }
  (columns <= LANES ? half_block : whole_block)(rows, a, first, k, panel, beta, wide, WIDTH);
  for (int r = 0; r < rows; r++)
    copy_columns(c + r * ldc, wide + r * WIDTH, columns);
}

static void multiply(int64_t m, int64_t columns, int64_t k, const cusp_panel_rows *a,
                     const float *panel, int beta, float *c, int64_t ldc) {
  /* of nearly equal height: a block of one row would use the registers badly */
  int64_t blocks = (m + ROWS - 1) / ROWS;
  for (int64_t i = 0; i < blocks; i++) {
    int64_t first = m * i / blocks;
    int rows = (int)(m * (i + 1) / blocks - first);
    if (columns == WIDTH)
      whole_block(rows, a, a->a + first * a->row, k, panel, beta, c + first * ldc, ldc);
    else if (columns == LANES)
      half_block(rows, a, a->a + first * a->row, k, panel, beta, c + first * ldc, ldc);
    else
      narrow_block(rows, columns, a, a->a + first * a->row, k, panel, beta, c + first * ldc, ldc);
  }
}

/* ------------------------------------------------------------------ panels read from memory */

/* The panel of a product with few rows is read once: then its time is that of the memory, which
 * delivers more when it is asked early. */
#define AHEAD (64 * WIDTH)

/** A block that asks for `lines` cache lines of `next` for each row of its panel; 0 to 2. */
static inline __attribute__((always_inline)) void
fetching_block(int rows, int lines, int64_t k, const float *a, int64_t step, const float *panel,
               const float *next, const float *shift, float *c, int64_t ldc) {
  vec sum[ROWS][2];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < 2; v++)
      sum[r][v] = *(const vec *)(shift + v * LANES);
  for (int64_t i = 0; i < k; i++, panel += WIDTH) {
    if (lines > 0)
      __builtin_prefetch(next + i * lines * 16, 0, 2);
    if (lines > 1)
      __builtin_prefetch(next + i * lines * 16 + 16, 0, 2);
    vec first = *(const vec *)panel, second = *(const vec *)(panel + LANES);
    for (int r = 0; r < rows; r++) {
      float x = a[r * step + i];
      sum[r][0] += first * x;
      sum[r][1] += second * x;
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < 2; v++)
      *(vec *)(c + r * ldc + v * LANES) = sum[r][v];
}

typedef struct stream_part {
  int64_t k, step, ldc;
  const float *panel, *next, *shift;
} stream_part;

#define STREAM_CASE(n, lines)                                                        \
  case n:                                                                            \
    fetching_block(n, lines, p->k, a, p->step, p->panel, p->next, p->shift, c, ldc); \
    break;
#define STREAM(lines)                                                                  \
  static void stream_##lines(int rows, const stream_part *p, const float *a, float *c, \
                             int64_t ldc) {                                            \
    switch (rows) { EACH_HEIGHT(STREAM_CASE, lines) }                                  \
  }
STREAM(0)
STREAM(1)
STREAM(2)

/** A panel that reaches beyond c's columns is multiplied into memory of its own. */
static void stream_block(int lines, int rows, int64_t columns, const stream_part *p, const float *a,
                         float *c) {
  static void (*const blocks[])(int, const stream_part *, const float *, float *,
                                int64_t) = {stream_0, stream_1, stream_2};
  float wide[ROWS * WIDTH];
  if (columns == WIDTH) {
    blocks[lines](rows, p, a, c, p->ldc);
    return;
  }
  blocks[lines](rows, p, a, wide, WIDTH);
  for (int r = 0; r < rows; r++)
    memcpy(c + r * p->ldc, wide + r * WIDTH, (size_t)columns * sizeof(float));
}

/* One block fetches what comes soon; of several, the first two fetch half of the next panel each.
 */
static void stream(int64_t m, int64_t columns, int64_t k, const cusp_panel_rows *a,
                   const float *panel, const float *next, const float *shift, float *c,
                   int64_t ldc) {
  float shifts[WIDTH] = {0};
  const int64_t blocks = (m + ROWS - 1) / ROWS;
  if (shift)
    memcpy(shifts, shift, (size_t)columns * sizeof(float));
  for (int64_t i = 0; i < blocks; i++) {
    const int64_t first = m * i / blocks;
    const int rows = (int)(m * (i + 1) / blocks - first);
    const stream_part part = {.k = k,
                              .step = a->row,
                              .ldc = ldc,
                              .panel = panel,
                              .shift = shifts,
                              .next = blocks == 1 ? panel + AHEAD : next + i * k * (WIDTH / 2)};
    const int lines = blocks == 1 ? WIDTH / 16 : i < 2 ? WIDTH / 32 : 0;
    stream_block(lines, rows, columns, &part, a->a + first * a->row, c + first * ldc);
  }
}

/* ------------------------------------------------------------------ one row */

/* Rows of b that are added at once, while as many come into the cache. */
#define TOGETHER 4

/** c += x b for `rows` rows of b; a constant wherever this is called. */
static inline __attribute__((always_inline)) void
add_rows(int rows, int64_t columns, const float *x, const float *b, int64_t ld, float *c) {
  int64_t j = 0;
  for (; j + LANES <= columns; j += LANES) {
    vec sum = *(const vec *)(c + j);
    for (int r = 0; r < rows; r++) {
      __builtin_prefetch(b + (r + rows) * ld + j, 0, 2);
      sum += *(const vec *)(b + r * ld + j) * x[r];
    }
    *(vec *)(c + j) = sum;
  }
  for (; j < columns; j++)
    for (int r = 0; r < rows; r++)
      c[j] += b[r * ld + j] * x[r];
}

static void row(int64_t columns, int64_t k, const float *a, const float *b, int64_t ld,
                const float *scale, const float *shift, float *c) {
  int64_t i = 0;
  for (int64_t j = 0; j < columns; j++)
    c[j] = shift && !scale ? shift[j] : 0;
  for (; i + TOGETHER <= k; i += TOGETHER)
    add_rows(TOGETHER, columns, a + i, b + i * ld, ld, c);
  for (; i < k; i++)
    add_rows(1, columns, a + i, b + i * ld, ld, c);
  for (int64_t j = 0; scale && j < columns; j++)
    c[j] = c[j] * scale[j] + (shift ? shift[j] : 0);
}

const cusp_panel_loops CUSP_ISA(cusp_panel_loops) = {WIDTH, pack, multiply, stream, row};
