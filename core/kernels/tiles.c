#include "tiles.h"

#include "../base/cpu.h"
#include "../base/memory.h"
#include "../base/threads.h"

#include <string.h>

/* A tile holds 16 lines of 32 bfloat16: 16 rows of the left factor, or 16 columns of the right one
 * with neighbours along k beside each other. */
#define LINES 16
#define DEPTH 32
#define TILE_BYTES 1024

static int64_t tiles_of(int64_t size, int64_t tile) { return (size + tile - 1) / tile; }

size_t cusp_tiles_bytes(int64_t lines, int64_t k) {
  return (size_t)tiles_of(lines, LINES) * (size_t)tiles_of(k, DEPTH) * TILE_BYTES;
}

size_t cusp_tiles_workspace(int64_t m, int64_t n, int64_t k) {
  return cusp_tiles_bytes(m, k) + cusp_tiles_bytes(n, k);
}

#if defined(__x86_64__) && defined(__GNUC__) && __GNUC__ >= 11
#include "tile_lines.h"

bool cusp_tiles_present(void) { return cusp_cpu_isa() >= CUSP_ISA_AMX; }

/* ------------------------------------------------------------------ packing */

/** A factor seen line by line: `line` and `deep` are steps between lines and along k. */
typedef struct source {
  const char *data;
  cusp_dtype dtype;
  int64_t lines, k, line, deep;
  bool pairs_wanted; /* k by pairs down the tile's rows (right), not along them (left) */
  char *out;
} source;

CUSP_TILES_INLINE __mmask32 first_32(int64_t count) {
  return count >= 32 ? (__mmask32)-1 : count <= 0 ? 0 : (__mmask32)((1u << count) - 1);
}

/** 32 neighbours along k of one line, zeros behind `count`. */
CUSP_TILES_INLINE __m512i load_deep(const source *s, int64_t line, int64_t k, int64_t count) {
  const int64_t at = line * s->line + k;
  if (s->dtype == CUSP_BFLOAT16)
    return _mm512_maskz_loadu_epi16(first_32(count), s->data + at * 2);
  const float *data = (const float *)s->data + at;
  const __m512 low = _mm512_maskz_loadu_ps(cusp_first_16(count), data);
  const __m512 high = _mm512_maskz_loadu_ps(cusp_first_16(count - 16), data + 16);
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/** 16 neighbouring lines at one k, as 16-bit numbers. */
CUSP_TILES_INLINE __m256i load_lines(const source *s, int64_t line, int64_t k, __mmask16 mask) {
  const int64_t at = line + k * s->deep;
  if (s->dtype == CUSP_BFLOAT16)
    return _mm256_maskz_loadu_epi16(mask, s->data + at * 2);
  return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, (const float *)s->data + at));
}

/** 16 lines at k and k + 1, in pairs. */
CUSP_TILES_INLINE __m512i load_pairs(const source *s, int64_t line, int64_t k, __mmask16 mask) {
  const __m512i even = _mm512_cvtepu16_epi32(load_lines(s, line, k, mask));
  if (k + 1 >= s->k)
    return even;
  const __m512i odd = _mm512_cvtepu16_epi32(load_lines(s, line, k + 1, mask));
  return _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
}

CUSP_TILES_INLINE void pack_tile(const source *s, int64_t line, int64_t k, char *out,
                                 const bool deep, const bool turned) {
  __m512i rows[LINES];
  const __mmask16 mask = cusp_first_16(s->lines - line);
#pragma GCC unroll 16
  for (int i = 0; i < LINES; i++)
    if (deep)
      rows[i] = line + i < s->lines ? load_deep(s, line + i, k, s->k - k) : _mm512_setzero_si512();
    else
      rows[i] = k + 2 * i < s->k ? load_pairs(s, line, k + 2 * i, mask) : _mm512_setzero_si512();
  if (turned)
    cusp_transpose_16(rows);
#pragma GCC unroll 16
  for (int i = 0; i < LINES; i++)
    _mm512_store_si512(out + 64 * i, rows[i]);
}

/** A tile, whichever way k lies in memory and is wanted. */
CUSP_WITH_TILES static void pack_any(const source *s, int64_t line, int64_t k, char *out) {
  const bool deep = s->deep == 1;
  if (deep && s->pairs_wanted)
    pack_tile(s, line, k, out, true, true);
  else if (deep)
    pack_tile(s, line, k, out, true, false);
  else if (s->pairs_wanted)
    pack_tile(s, line, k, out, false, false);
  else
    pack_tile(s, line, k, out, false, true);
}

/** Panels of 16 lines, each with all of k. Two at a time, as their lines may share the memory's. */
static void pack_panels(void *context, int64_t begin, int64_t end) {
  const source *s = context;
  const int64_t depth = tiles_of(s->k, DEPTH);
  for (int64_t first = begin; first < end; first += 2)
    for (int64_t d = 0; d < depth; d++)
      for (int64_t panel = first; panel < first + 2 && panel < end; panel++)
        pack_any(s, panel * LINES, d * DEPTH, s->out + (panel * depth + d) * TILE_BYTES);
}

static source left_source(const cusp_tile_task *t, void *out) {
  return (source){.data = t->a.data,
                  .dtype = t->a.dtype,
                  .lines = t->m,
                  .k = t->k,
                  .line = t->a.row,
                  .deep = t->k == 1 ? 1 : t->a.column,
                  .out = out};
}

static source right_source(const cusp_tile_task *t, void *out) {
  return (source){.data = t->b.data,
                  .dtype = t->b.dtype,
                  .lines = t->n,
                  .k = t->k,
                  .line = t->b.column,
                  .deep = t->k == 1 ? 1 : t->b.row,
                  .pairs_wanted = true,
                  .out = out};
}

/* numbers that a thread packs in some 5 us */
#define PACKED_PER_PIECE 65536

static void pack(source s) {
  cusp_parallel_for(tiles_of(s.lines, LINES), PACKED_PER_PIECE / (LINES * s.k + 1) + 1, pack_panels,
                    &s);
}

void cusp_tiles_pack_right(const cusp_tile_task *task, void *memory) {
  pack(right_source(task, memory));
}

/* ------------------------------------------------------------------ products */

/** One tile of sums [16, 16] into c, as many rows and columns as there are. */
CUSP_TILES_INLINE void store_sums(const cusp_tile_task *t, const float *sums, int64_t row,
                                  int64_t column) {
  const __mmask16 mask = cusp_first_16(t->n - column);
  const int64_t rows = t->m - row < LINES ? t->m - row : LINES;
  for (int64_t i = 0; i < rows; i++) {
    const int64_t at = (row + i) * t->ldc + column;
    const __m512 sum = _mm512_load_ps(sums + 16 * i);
    if (t->c_dtype == CUSP_BFLOAT16)
      _mm256_mask_storeu_epi16((cusp_bfloat16 *)t->c + at, mask, (__m256i)_mm512_cvtneps_pbh(sum));
    else if (t->add)
      _mm512_mask_storeu_ps(
          (float *)t->c + at, mask,
          _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, (const float *)t->c + at)));
    else
      _mm512_mask_storeu_ps((float *)t->c + at, mask, sum);
  }
}

/** 32 x 32 numbers of c from two panels of each factor; `low` and `right` say whether the second
 * ones are there. */
CUSP_TILES_INLINE void multiply_block(const cusp_tile_task *t, const char *a, const char *b,
                                      int64_t row, int64_t column, const bool low,
                                      const bool right) {
  const int64_t depth = tiles_of(t->k, DEPTH), panel = depth * TILE_BYTES;
  float sums[4][LINES * LINES] __attribute__((aligned(64)));
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t d = 0; d < depth; d++, a += TILE_BYTES, b += TILE_BYTES) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, 64);
    _tile_dpbf16ps(0, 4, 6);
    if (right) {
      _tile_loadd(7, b + panel, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if (low) {
      _tile_loadd(5, a + panel, 64);
      _tile_dpbf16ps(2, 5, 6);
    }
    if (low && right)
      _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums[0], 64);
  _tile_stored(1, sums[1], 64);
  _tile_stored(2, sums[2], 64);
  _tile_stored(3, sums[3], 64);
  store_sums(t, sums[0], row, column);
  if (right)
    store_sums(t, sums[1], row, column + LINES);
  if (low)
    store_sums(t, sums[2], row + LINES, column);
  if (low && right)
    store_sums(t, sums[3], row + LINES, column + LINES);
}

typedef struct product {
  const cusp_tile_task *task;
  const char *a, *b;
  bool by_rows;
} product;

/** The block of panels (i, i + 1) of a and (j, j + 1) of b. */
CUSP_WITH_TILES static void multiply_panels(const product *p, int64_t i, int64_t j) {
  const cusp_tile_task *t = p->task;
  const int64_t panel = tiles_of(t->k, DEPTH) * TILE_BYTES;
  const bool low = (i + 1) * LINES < t->m, right = (j + 1) * LINES < t->n;
  const char *a = p->a + i * panel, *b = p->b + j * panel;
  if (low && right)
    multiply_block(t, a, b, i * LINES, j * LINES, true, true);
  else if (low)
    multiply_block(t, a, b, i * LINES, j * LINES, true, false);
  else if (right)
    multiply_block(t, a, b, i * LINES, j * LINES, false, true);
  else
    multiply_block(t, a, b, i * LINES, j * LINES, false, false);
}

/* bytes of the left factor that are gone through for every panel of the right one */
#define LEFT_BYTES (512 * 1024)

static void multiply_range(const product *p, int64_t i_first, int64_t i_last, int64_t j_first,
                           int64_t j_last) {
  const int64_t panel = tiles_of(p->task->k, DEPTH) * TILE_BYTES;
  const int64_t height = LEFT_BYTES / (2 * panel + 1) * 2 + 2;
  for (int64_t first = i_first; first < i_last; first += height) {
    const int64_t last = first + height < i_last ? first + height : i_last;
    for (int64_t j = j_first; j < j_last; j += 2)
      for (int64_t i = first; i < last; i += 2)
        multiply_panels(p, i, j);
  }
}

/** Pairs of panels begin <= i < end of the longer side. */
CUSP_WITH_TILES static void multiply_pairs(void *context, int64_t begin, int64_t end) {
  const product *p = context;
  const int64_t rows = tiles_of(p->task->m, LINES), columns = tiles_of(p->task->n, LINES);
  cusp_configure_whole_tiles();
  if (p->by_rows)
    multiply_range(p, 2 * begin, 2 * end < rows ? 2 * end : rows, 0, columns);
  else
    multiply_range(p, 0, rows, 2 * begin, 2 * end < columns ? 2 * end : columns);
  _tile_release();
}

/* products of pairs of tiles that a thread does in some 5 us */
#define BLOCKS_PER_PIECE 256

void cusp_tiles_multiply(const cusp_tile_task *task, void *workspace) {
  char *left = workspace, *right = left + cusp_tiles_bytes(task->m, task->k);
  if (task->m <= 0 || task->n <= 0)
    return;
  pack(left_source(task, left));
  if (!task->packed_right)
    pack(right_source(task, right));
  product p = {task, left, task->packed_right ? task->packed_right : right, task->m >= task->n};
  const int64_t m = tiles_of(task->m, 2 * LINES), n = tiles_of(task->n, 2 * LINES);
  const int64_t across = (p.by_rows ? n : m) * (tiles_of(task->k, DEPTH) + 1);
  cusp_parallel_for(p.by_rows ? m : n, BLOCKS_PER_PIECE / across + 1, multiply_pairs, &p);
}

void cusp_tiles_multiply_serial(const cusp_tile_task *task, void *workspace) {
  if (task->m <= 0 || task->n <= 0)
    return;
  source left = left_source(task, workspace);
  pack_panels(&left, 0, tiles_of(task->m, LINES));
  product p = {task, workspace, task->packed_right, true};
  multiply_pairs(&p, 0, tiles_of(task->m, 2 * LINES));
}

#else
bool cusp_tiles_present(void) { return false; }
void cusp_tiles_pack_right(const cusp_tile_task *task, void *memory) {
  (void)task;
  (void)memory;
}
void cusp_tiles_multiply(const cusp_tile_task *task, void *workspace) {
  (void)task;
  (void)workspace;
}
void cusp_tiles_multiply_serial(const cusp_tile_task *task, void *workspace) {
  (void)task;
  (void)workspace;
}
#endif
