#include "split_product.h"

#include "../base/threads.h"
#include "tiles.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && __GNUC__ >= 11
#include "tile_lines.h"

/* A step is 32 numbers of k of a pair of panels, 16 lines each: tiles of the greatest parts of both
 * panels, of the middle ones, of the least. */
#define PAIR 32
#define DEPTH 32
#define TILE_BYTES 1024
#define PART_BYTES (2 * TILE_BYTES)
#define STEP_BYTES (3 * PART_BYTES)
#define BLOCK_SUMS (PAIR * PAIR)

/* numbers of k for which a pair of panels of each factor lies in the first-level cache */
#define PART 128
/* rows of the left factor that are packed at once, and columns of the right one */
#define ROWS 64
#define COLUMNS 512
/* numbers of the right factor that are packed at once: 768 KB in parts */
#define PACKED (128 * 1024)
/* rows whose sums wait for the next group of k where it is packed in several */
#define HEIGHT 1024

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t rounded(int64_t size, int64_t unit) { return (size + unit - 1) / unit * unit; }

/* ------------------------------------------------------------------ packing */

/** A factor seen line by line: `line` and `deep` are steps between lines and along k; one is 1. */
typedef struct source {
  const float *data;
  int64_t lines, k, line, deep;
  bool right; /* a tile's rows are of k, not of lines */
  __m512i most;
} source;

/** What a tile is packed from: `across` vectors of up to 16 numbers at steps of `step`, at k and at
 * k + 16. */
typedef struct window {
  const float *data;
  int64_t step, across[2], second; /* from the first vectors to the second ones */
  __mmask16 mask[2];
} window;

CUSP_TILES_INLINE window window_of(const source *s, int64_t line, int64_t k, const bool deep) {
  const int64_t lines = s->lines - line, left = s->k - k;
  window w = {.data = s->data + line * s->line + k * s->deep};
  w.step = deep ? s->line : s->deep;
  w.second = 16 * s->deep;
  w.across[0] = deep ? lines : left;
  w.across[1] = deep ? lines : left - 16;
  w.mask[0] = cusp_first_16(deep ? left : lines);
  w.mask[1] = cusp_first_16(deep ? left - 16 : lines);
  return w;
}

CUSP_TILES_INLINE __m512 load_vector(const window *w, int i, const int half) {
  return i < w->across[half]
             ? _mm512_maskz_loadu_ps(w->mask[half], w->data + half * w->second + i * w->step)
             : _mm512_setzero_ps();
}

/** The nearest numbers of bfloat16, as float32. */
CUSP_TILES_INLINE __m512i nearest(__m512 x) {
  return _mm512_and_si512(_mm512_add_epi32((__m512i)x, _mm512_set1_epi32(0x8000)),
                          _mm512_set1_epi32((int)0xffff0000));
}

CUSP_TILES_INLINE __m512i cut(__m512 x) {
  return _mm512_and_si512((__m512i)x, _mm512_set1_epi32((int)0xffff0000));
}

CUSP_TILES_INLINE __m512i side_by_side(__m512i x, __m512i y) {
  return _mm512_or_si512(_mm512_srli_epi32(x, 16), y);
}

/** Pairs of numbers at k and k + 16 in three parts; the rests are numbers of bfloat16 as they
 * are. */
CUSP_TILES_INLINE __m512i split(__m512 x, __m512 y, char *out, __m512i most) {
  const __m512i high_x = nearest(x), high_y = nearest(y), high = side_by_side(high_x, high_y);
  x = _mm512_sub_ps(x, (__m512)high_x);
  y = _mm512_sub_ps(y, (__m512)high_y);
  const __m512i middle_x = cut(x), middle_y = cut(y);
  const __m512 low_x = _mm512_sub_ps(x, (__m512)middle_x),
               low_y = _mm512_sub_ps(y, (__m512)middle_y);
  _mm512_store_si512(out, high);
  _mm512_store_si512(out + PART_BYTES, side_by_side(middle_x, middle_y));
  _mm512_store_si512(out + 2 * PART_BYTES, side_by_side((__m512i)low_x, (__m512i)low_y));
  return _mm512_max_epu16(most, _mm512_slli_epi16(high, 1));
}

CUSP_TILES_INLINE void turn(const window *w, float *out, const int half) {
  __m512i rows[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++)
    rows[i] = (__m512i)load_vector(w, i, half);
  cusp_transpose_16(rows);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++)
    _mm512_store_si512(out + 16 * i, rows[i]);
}

CUSP_TILES_INLINE void pack_tile(source *s, int64_t line, int64_t k, char *out, const bool deep,
                                 const bool turned) {
  const window w = window_of(s, line, k, deep);
  float turned_rows[2][256] __attribute__((aligned(64)));
  __m512i most = s->most;
  if (turned) {
    turn(&w, turned_rows[0], 0);
    turn(&w, turned_rows[1], 1);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i++)
    if (turned)
      most = split(_mm512_load_ps(turned_rows[0] + 16 * i), _mm512_load_ps(turned_rows[1] + 16 * i),
                   out + 64 * i, most);
    else
      most = split(load_vector(&w, i, 0), load_vector(&w, i, 1), out + 64 * i, most);
  s->most = most;
}

CUSP_WITH_TILES static void pack_any(source *s, int64_t line, int64_t k, char *out) {
  const bool deep = s->deep == 1;
  if (deep && s->right)
    pack_tile(s, line, k, out, true, true);
  else if (deep)
    pack_tile(s, line, k, out, true, false);
  else if (s->right)
    pack_tile(s, line, k, out, false, false);
  else
    pack_tile(s, line, k, out, false, true);
}

/** Lines first .. last - 1 by pairs of panels, each with k_first .. k_last - 1. */
CUSP_WITH_TILES static void pack(source *s, int64_t first, int64_t last, int64_t k_first,
                                 int64_t k_last, char *out) {
  for (int64_t line = first; line < last; line += PAIR)
    for (int64_t k = k_first; k < k_last; k += DEPTH, out += STEP_BYTES) {
      pack_any(s, line, k, out);
      pack_any(s, line + 16, k, out + TILE_BYTES);
    }
}

/* ------------------------------------------------------------------ products */

/* Which of a number's three parts; tiles 4 and 5 hold those of the left factor, 6 and 7 of the
 * right one, 0 to 3 sums. */
enum { HIGH, MIDDLE, LOW };
#define LOAD(tile, from, part, panel) \
  _tile_loadd(tile, (from) + (part)*PART_BYTES + (panel)*TILE_BYTES, 64)
#define MULTIPLY_UPPER(part) \
  do {                       \
    LOAD(4, a, part, 0);     \
    _tile_dpbf16ps(0, 4, 6); \
    _tile_dpbf16ps(1, 4, 7); \
  } while (0)
#define MULTIPLY_LOWER(part) \
  do {                       \
    LOAD(5, a, part, 1);     \
    _tile_dpbf16ps(2, 5, 6); \
    _tile_dpbf16ps(3, 5, 7); \
  } while (0)
#define MULTIPLY_LEFT(part)  \
  do {                       \
    LOAD(6, b, part, 0);     \
    _tile_dpbf16ps(0, 4, 6); \
    _tile_dpbf16ps(2, 5, 6); \
  } while (0)
#define MULTIPLY_RIGHT(part) \
  do {                       \
    LOAD(7, b, part, 1);     \
    _tile_dpbf16ps(1, 4, 7); \
    _tile_dpbf16ps(3, 5, 7); \
  } while (0)

/** A twelfth of a step. */
CUSP_TILES_INLINE void fetch(const char *ahead, const int twelfth) {
#pragma GCC unroll 8
  for (int i = 0; i < STEP_BYTES / 12; i += 64)
    _mm_prefetch(ahead + twelfth * (STEP_BYTES / 12) + i, _MM_HINT_T0);
}

/** One step of a block's four tiles of sums, the least products first; `ahead` is what the next
 * step reads of the left factor. */
CUSP_TILES_INLINE void multiply_step(const char *a, const char *b, const char *ahead) {
  LOAD(6, b, HIGH, 0);
  LOAD(7, b, HIGH, 1);
  MULTIPLY_UPPER(LOW);
  fetch(ahead, 0);
  MULTIPLY_LOWER(LOW);
  fetch(ahead, 1);
  MULTIPLY_UPPER(MIDDLE);
  fetch(ahead, 2);
  MULTIPLY_LOWER(MIDDLE);
  fetch(ahead, 3);
  MULTIPLY_LEFT(MIDDLE);
  fetch(ahead, 4);
  MULTIPLY_RIGHT(MIDDLE);
  fetch(ahead, 5);
  MULTIPLY_UPPER(HIGH);
  fetch(ahead, 6);
  MULTIPLY_LOWER(HIGH);
  fetch(ahead, 7);
  MULTIPLY_LEFT(LOW);
  fetch(ahead, 8);
  MULTIPLY_RIGHT(LOW);
  fetch(ahead, 9);
  MULTIPLY_LEFT(HIGH);
  fetch(ahead, 10);
  MULTIPLY_RIGHT(HIGH);
  fetch(ahead, 11);
}

/** A block of 32 x 32 sums. */
typedef struct block {
  const char *a, *b, *ahead;
  int64_t steps;
} block;

CUSP_TILES_INLINE void sum_products(const block *p) {
  const char *a = p->a, *b = p->b;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t step = 1; step <= p->steps; step++, a += STEP_BYTES, b += STEP_BYTES)
    multiply_step(a, b, step < p->steps ? a + STEP_BYTES : p->ahead);
}

/** Stores sums to c with `ld` numbers between its rows; `right` and `below` are steps to tiles. */
CUSP_TILES_INLINE void store_block(float *c, int64_t ld, int64_t right, int64_t below) {
  _tile_stored(0, c, ld * 4);
  _tile_stored(1, c + right, ld * 4);
  _tile_stored(2, c + below, ld * 4);
  _tile_stored(3, c + below + right, ld * 4);
}

/** Where sums go: rows with `ld` numbers between them, and tiles `right` and `below`. */
typedef struct target {
  float *c;
  int64_t ld, right, below;
  int64_t rows, columns; /* of which there are so many */
} target;

/** Adds the sums to those of the parts of k before. One part's alone would lose the digits of what
 * is added to many. */
CUSP_TILES_INLINE void add_block(const float *before, const target *to) {
  float sums[BLOCK_SUMS] __attribute__((aligned(64)));
  store_block(sums, 16, 256, 512);
  for (int64_t tile = 0; tile < 4; tile++) {
    const int64_t row = tile / 2 * 16, column = tile % 2 * 16;
    const __mmask16 mask = cusp_first_16(to->columns - column);
    float *c = to->c + tile / 2 * to->below + tile % 2 * to->right;
    for (int64_t i = 0; i < 16 && row + i < to->rows; i++, c += to->ld) {
      const int64_t at = tile * 256 + i * 16;
      const __m512 sum = _mm512_load_ps(sums + at);
      _mm512_mask_storeu_ps(c, mask,
                            before ? _mm512_add_ps(_mm512_load_ps(before + at), sum) : sum);
    }
  }
}

/* ------------------------------------------------------------------ pieces */

typedef struct piece {
  const cusp_gemm_task *task;
  source left, right;
  char *packed_left, *packed_right;
  float *sums;
} piece;

/** What is multiplied at once: rows and columns of c, and numbers of k. */
typedef struct range {
  int64_t row, row_end, column, column_end, k, k_end;
} range;

/** Of the range's packed factors those from `part` on, up to PART, to its sums. */
CUSP_WITH_TILES static void multiply_part(const piece *p, const range *r, int64_t part,
                                          float *sums) {
  const cusp_gemm_task *t = p->task;
  const int64_t left = (part - r->k) / DEPTH * STEP_BYTES,
                pair = (r->k_end - r->k + DEPTH - 1) / DEPTH * STEP_BYTES;
  const int64_t part_end = least(part + PART, r->k_end);
  block b = {.b = p->packed_right + left, .steps = (part_end - part + DEPTH - 1) / DEPTH};
  for (int64_t j = r->column; j < r->column_end; j += PAIR, b.b += pair) {
    b.a = p->packed_left + left;
    for (int64_t i = r->row; i < r->row_end; i += PAIR, b.a += pair, sums += BLOCK_SUMS) {
      b.ahead = i + PAIR < r->row_end ? b.a + pair : p->packed_left + left;
      sum_products(&b);
      target to = {sums, 16, 256, 512, PAIR, PAIR};
      if (part_end == t->k)
        to =
            (target){(float *)t->c + i * t->ldc + j, t->ldc, 16, 16 * t->ldc, least(t->m - i, PAIR),
                     least(t->n - j, PAIR)};
      if (part == 0 && to.rows == PAIR && to.columns == PAIR)
        store_block(to.c, to.ld, to.right, to.below);
      else
        add_block(part > 0 ? sums : NULL, &to);
    }
  }
}

/** Columns that are packed at once, and numbers of k. */
static int64_t strip_columns(const cusp_gemm_task *t) {
  const int64_t strips = (t->n + COLUMNS - 1) / COLUMNS;
  return rounded((t->n + strips - 1) / strips, PAIR);
}

static int64_t group_depth(const cusp_gemm_task *t) {
  const int64_t most = PACKED / strip_columns(t) / PART * PART;
  const int64_t groups = (t->k + most - 1) / most;
  return rounded((t->k + groups - 1) / groups, PART);
}

/** One strip of columns with all of k, for rows that are packed one block after another. */
static void multiply_rows(piece *p, range r, int64_t row, int64_t row_end, bool packed) {
  const cusp_gemm_task *t = p->task;
  const int64_t depth = group_depth(t), width = rounded(r.column_end - r.column, PAIR);
  for (r.k = 0; r.k < t->k; r.k = r.k_end) {
    r.k_end = least(r.k + depth, t->k);
    if (!packed)
      pack(&p->right, r.column, r.column_end, r.k, r.k_end, p->packed_right);
    for (r.row = row; r.row < row_end; r.row = r.row_end) {
      r.row_end = least(r.row + ROWS, row_end);
      pack(&p->left, r.row, r.row_end, r.k, r.k_end, p->packed_left);
      for (int64_t part = r.k; part < r.k_end; part += PART)
        multiply_part(p, &r, part, p->sums + (r.row - row) * width);
    }
  }
}

/** Rows whose sums are kept at once. */
static int64_t height(const cusp_gemm_task *t) {
  return group_depth(t) < t->k ? least(HEIGHT, rounded(t->m, ROWS)) : ROWS;
}

CUSP_WITH_TILES static void multiply_piece(piece *p, const range *whole) {
  const cusp_gemm_task *t = p->task;
  const int64_t columns = strip_columns(t), rows = height(t);
  const bool at_once = group_depth(t) >= t->k;
  cusp_configure_whole_tiles();
  for (int64_t j = whole->column; j < whole->column_end; j += columns) {
    const range strip = {.column = j, .column_end = least(j + columns, whole->column_end)};
    for (int64_t i = whole->row; i < whole->row_end; i += rows)
      multiply_rows(p, strip, i, least(i + rows, whole->row_end), at_once && i > whole->row);
  }
  _tile_release();
}

/* ------------------------------------------------------------------ threads */

typedef struct split_run {
  const cusp_gemm_task *task;
  int64_t pieces;
  char *workspace;
  uint32_t most[2]; /* the greatest first part of each factor: its bits without the sign */
} split_run;

static size_t left_bytes(const cusp_gemm_task *t) {
  return (size_t)(ROWS / PAIR * (group_depth(t) / DEPTH) * STEP_BYTES);
}

static size_t right_bytes(const cusp_gemm_task *t) {
  return (size_t)(strip_columns(t) / PAIR * (group_depth(t) / DEPTH) * STEP_BYTES);
}

static size_t piece_bytes(const cusp_gemm_task *t) {
  return left_bytes(t) + right_bytes(t) + (size_t)(height(t) * strip_columns(t)) * sizeof(float);
}

static int64_t piece_count(const cusp_gemm_task *t, int threads) {
  return least(threads, ((t->m > t->n ? t->m : t->n) + PAIR - 1) / PAIR);
}

/** The rows or columns of piece `index`: of the longer side. */
static range piece_range(const split_run *run, int64_t index) {
  const cusp_gemm_task *t = run->task;
  const bool by_rows = t->m >= t->n;
  const int64_t size = by_rows ? t->m : t->n, pairs = (size + PAIR - 1) / PAIR;
  const int64_t first = pairs * index / run->pieces * PAIR,
                last = least(pairs * (index + 1) / run->pieces * PAIR, size);
  return by_rows ? (range){.row = first, .row_end = last, .column_end = t->n}
                 : (range){.row_end = t->m, .column = first, .column_end = last};
}

/** The greatest of 32 numbers of 16 bits. */
CUSP_TILES_INLINE uint32_t greatest(__m512i most) {
  const __m512i halves = _mm512_max_epu32(_mm512_srli_epi32(most, 16),
                                          _mm512_and_si512(most, _mm512_set1_epi32(0xffff)));
  return _mm512_reduce_max_epu32(halves);
}

CUSP_WITH_TILES static void note_most(uint32_t *most, const source *s) {
  const uint32_t found = greatest(s->most);
  uint32_t before = __atomic_load_n(most, __ATOMIC_RELAXED);
  while (found > before && !__atomic_compare_exchange_n(most, &before, found, true,
                                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    ;
}

CUSP_WITH_TILES static void run_pieces(void *context, int64_t begin, int64_t end) {
  split_run *run = context;
  const cusp_gemm_task *t = run->task;
  for (int64_t i = begin; i < end; i++) {
    char *memory = run->workspace + (size_t)i * piece_bytes(t);
    piece p = {.task = t, .packed_left = memory, .packed_right = memory + left_bytes(t)};
    p.sums = (float *)(void *)(p.packed_right + right_bytes(t));
    p.left = (source){t->a,
                      t->m,
                      t->k,
                      t->trans_a ? 1 : t->lda,
                      t->trans_a ? t->lda : 1,
                      false,
                      _mm512_setzero_si512()};
    p.right = (source){t->b,
                       t->n,
                       t->k,
                       t->trans_b ? t->ldb : 1,
                       t->trans_b ? 1 : t->ldb,
                       true,
                       _mm512_setzero_si512()};
    const range whole = piece_range(run, i);
    multiply_piece(&p, &whole);
    note_most(&run->most[0], &p.left);
    note_most(&run->most[1], &p.right);
  }
}

/* ------------------------------------------------------------------ the product */

/* infinity as a first part: some of the numbers that round to it have no parts */
#define INFINITE 0xff00u
/* products between which no part or sum of parts leaves float32 */
#define LEAST_PRODUCT 0x1p-80
#define MOST_PRODUCT 0x1p+125

static double magnitude(uint32_t most) {
  const uint32_t bits = most << 15;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/** Whether all parts were numbers of bfloat16, and their products of float32. */
static bool in_range(const split_run *run) {
  if (run->most[0] >= INFINITE || run->most[1] >= INFINITE)
    return false;
  const double most = magnitude(run->most[0]) * magnitude(run->most[1]);
  return most == 0 || (most > LEAST_PRODUCT && most * (double)run->task->k < MOST_PRODUCT);
}

/* sides and multiplications from which packing both factors pays */
#define LEAST_SIDE 64
#define LEAST_WORK ((double)(1 << 21))

bool cusp_split_product_pays(const cusp_gemm_task *t) {
  return cusp_tiles_present() && !cusp_gemm_is_quiet() && t->dtype == CUSP_FLOAT32 &&
         t->alpha == 1 && t->beta == 0 && t->m >= LEAST_SIDE && t->n >= LEAST_SIDE &&
         t->k >= LEAST_SIDE && (double)t->m * (double)t->n * (double)t->k >= LEAST_WORK;
}

size_t cusp_split_product_workspace(const cusp_gemm_task *t, int threads) {
  return (size_t)piece_count(t, threads) * piece_bytes(t);
}

bool cusp_split_product_run(const cusp_gemm_task *task, int threads, void *workspace) {
  split_run run = {.task = task, .pieces = piece_count(task, threads), .workspace = workspace};
  cusp_parallel_for(run.pieces, 1, run_pieces, &run);
  return in_range(&run);
}

#else
bool cusp_split_product_pays(const cusp_gemm_task *task) {
  (void)task;
  return false;
}
size_t cusp_split_product_workspace(const cusp_gemm_task *task, int threads) {
  (void)task;
  (void)threads;
  return 0;
}
bool cusp_split_product_run(const cusp_gemm_task *task, int threads, void *workspace) {
  (void)task;
  (void)threads;
  (void)workspace;
  return false;
}
#endif
