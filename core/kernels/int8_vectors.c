#include "int8_vectors.h"

#include "../base/cpu.h"
#include "../base/memory.h"
#include "../base/threads.h"

#include <string.h>

/* Both factors lie in blocks of 64 numbers along k: the left one row by row, the right one in
 * panels of 16 columns, whose lines of 64 bytes have four neighbours along k of each column. */
#define LINES 16
#define DEPTH 64
#define TILE_BYTES (LINES * DEPTH)

static int64_t tiles_of(int64_t size, int64_t tile) { return (size + tile - 1) / tile; }

/** Whether rows are so few that packing the right factor would take longer than reading it. */
static bool is_few(const cusp_int8_task *t) { return t->m <= 4 && t->b_column == 1; }

/** The memory of a product. */
typedef struct parts {
  int8_t *left;  /* [rows, depth]; VNNI has unsigned numbers, 128 more */
  int8_t *right; /* [panels][depth / 4][16][4] */
  float *scales; /* [rows] */
  int32_t *lift; /* [panels][16]: what the 128 more add, with the sign turned */
} parts;

/* Rows are computed by twelves and sixteens, from 32 on: behind the last, so many may be read. */
#define SPARE 48

static int64_t depth_of(const cusp_int8_task *t) { return tiles_of(t->k, DEPTH) * DEPTH; }

static parts lay_out(const cusp_int8_task *t, char *memory, size_t *bytes) {
  const int64_t rows = tiles_of(t->m, LINES) * LINES + SPARE,
                columns = tiles_of(t->n, LINES) * LINES;
  const size_t left = (size_t)(rows * depth_of(t));
  const size_t right = is_few(t) ? 0 : (size_t)(columns * depth_of(t));
  const size_t lift = is_few(t) ? 0 : (size_t)columns * sizeof(int32_t);
  if (bytes)
    *bytes = left + right + lift + (size_t)rows * sizeof(float);
  if (!memory)
    return (parts){0};
  return (parts){(int8_t *)memory, (int8_t *)memory + left,
                 (float *)(void *)(memory + left + right + lift),
                 (int32_t *)(void *)(memory + left + right)};
}

size_t cusp_int8_vectors_workspace(const cusp_int8_task *task) {
  size_t bytes;
  lay_out(task, NULL, &bytes);
  return bytes;
}

#if defined(__x86_64__) && defined(__GNUC__) && __GNUC__ >= 11
#include "tile_lines.h"

#include <cpuid.h>

#define WITH_VECTORS __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define WITH_TILES \
  __attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define IN_LINE static inline __attribute__((always_inline)) WITH_VECTORS

#define AMX_INT8 (1u << 25) /* of leaf 7 */

cusp_int8_way cusp_int8_vectors_way(void) {
  unsigned a, b, c, d;
  if (cusp_cpu_isa() < CUSP_ISA_AVX512 || !__builtin_cpu_supports("avx512vnni"))
    return CUSP_INT8_FLOAT32;
  if (cusp_cpu_isa() < CUSP_ISA_AMX || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return CUSP_INT8_VNNI;
  return d & AMX_INT8 ? CUSP_INT8_AMX : CUSP_INT8_VNNI;
}

typedef struct product {
  const cusp_int8_task *task;
  parts parts;
  bool tiles, by_rows;
} product;

/* ------------------------------------------------------------------ the left factor */

/** The greatest absolute value of a row; NaN, whose bits are the greatest, if there is one. */
IN_LINE float top_of(const float *x, int64_t count) {
  const __m512i positive = _mm512_set1_epi32(0x7fffffff);
  __m512i top = _mm512_setzero_si512();
  for (int64_t k = 0; k < count; k += 16) {
    const __m512i bits = (__m512i)_mm512_maskz_loadu_ps(cusp_first_16(count - k), x + k);
    top = _mm512_max_epi32(top, _mm512_and_si512(bits, positive));
  }
  const int bits = _mm512_reduce_max_epi32(top);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/** Row i of x as integers. A row with NaN or infinities has none: its results are NaN. */
WITH_VECTORS static void quantize_row(const product *p, int64_t i) {
  const cusp_int8_task *t = p->task;
  const float *x = t->x + i * t->k;
  int8_t *out = p->parts.left + i * depth_of(t);
  const float top = top_of(x, t->k), scale = t->range.high / (top + t->range.epsilon);
  p->parts.scales[i] = scale;
  const __m512 factor = _mm512_set1_ps(top - top == 0 ? scale : 0);
  const __m512 low = _mm512_set1_ps(t->range.low), high = _mm512_set1_ps(t->range.high);
  const __m512 rounder = _mm512_set1_ps(CUSP_INT8_ROUNDER);
  const __m128i lift = _mm_set1_epi8(p->tiles ? 0 : (char)-128);
  for (int64_t k = 0; k < t->k; k += 16) {
    const __mmask16 mask = cusp_first_16(t->k - k);
    __m512 y = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + k), factor);
    y = _mm512_sub_ps(_mm512_add_ps(y, rounder), rounder);
    y = _mm512_min_ps(_mm512_max_ps(y, low), high);
    if (top - top != 0)
      y = _mm512_setzero_ps();
    const __m128i whole = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(y));
    _mm_mask_storeu_epi8(out + k, mask, _mm_xor_si128(whole, lift));
  }
}

WITH_VECTORS static void copy_row(const product *p, int64_t i) {
  const cusp_int8_task *t = p->task;
  const int8_t *from = t->a + i * t->a_row;
  int8_t *out = p->parts.left + i * depth_of(t);
  for (int64_t k = 0; k < t->k; k++)
    out[k] = (int8_t)(from[k * t->a_column] ^ (p->tiles ? 0 : -128));
}

WITH_VECTORS static void prepare_rows(void *context, int64_t begin, int64_t end) {
  const product *p = context;
  const int64_t k = p->task->k, depth = depth_of(p->task);
  for (int64_t i = begin; i < end; i++) {
    if (p->task->a)
      copy_row(p, i);
    else
      quantize_row(p, i);
    memset(p->parts.left + i * depth + k, 0, (size_t)(depth - k));
  }
}

/* ------------------------------------------------------------------ the right factor */

/** A line of 16 columns and four neighbours along k, of which all are there and columns lie beside
 * each other. */
IN_LINE void interleave(const int8_t *b, int64_t row, int8_t *out) {
  const __m128i r0 = _mm_loadu_si128((const __m128i *)(const void *)b);
  const __m128i r1 = _mm_loadu_si128((const __m128i *)(const void *)(b + row));
  const __m128i r2 = _mm_loadu_si128((const __m128i *)(const void *)(b + 2 * row));
  const __m128i r3 = _mm_loadu_si128((const __m128i *)(const void *)(b + 3 * row));
  const __m128i low01 = _mm_unpacklo_epi8(r0, r1), high01 = _mm_unpackhi_epi8(r0, r1);
  const __m128i low23 = _mm_unpacklo_epi8(r2, r3), high23 = _mm_unpackhi_epi8(r2, r3);
  __m128i *to = (__m128i *)(void *)out;
  _mm_store_si128(to, _mm_unpacklo_epi16(low01, low23));
  _mm_store_si128(to + 1, _mm_unpackhi_epi16(low01, low23));
  _mm_store_si128(to + 2, _mm_unpacklo_epi16(high01, high23));
  _mm_store_si128(to + 3, _mm_unpackhi_epi16(high01, high23));
}

static void gather_line(const cusp_int8_task *t, int64_t column, int64_t k, int8_t *out) {
  for (int64_t j = 0; j < LINES; j++)
    for (int64_t i = 0; i < 4; i++)
      out[4 * j + i] = column + j < t->n && k + i < t->k
                           ? t->b[(k + i) * t->b_row + (column + j) * t->b_column]
                           : 0;
}

WITH_VECTORS static void pack_panels(void *context, int64_t begin, int64_t end) {
  const product *p = context;
  const cusp_int8_task *t = p->task;
  const int64_t depth = depth_of(t);
  for (int64_t panel = begin; panel < end; panel++) {
    int8_t *out = p->parts.right + panel * LINES * depth;
    const int64_t column = panel * LINES;
    __m512i sums = _mm512_setzero_si512();
    for (int64_t k = 0; k < depth; k += 4, out += 64) {
      if (t->b_column == 1 && k + 4 <= t->k && column + LINES <= t->n)
        interleave(t->b + k * t->b_row + column, t->b_row, out);
      else
        gather_line(t, column, k, out);
      sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), _mm512_load_si512(out));
    }
    _mm512_store_si512(p->parts.lift + column,
                       _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sums, 7)));
  }
}

/* ------------------------------------------------------------------ sums */

/** Sums of 16 neighbouring columns of a row into c. */
IN_LINE void store_sums(const product *p, int64_t row, int64_t column, __m512i sums) {
  const cusp_int8_task *t = p->task;
  const __mmask16 mask = cusp_first_16(t->n - column);
  const int64_t at = row * t->n + column;
  if (t->a) {
    _mm512_mask_storeu_epi32((int32_t *)t->c + at, mask, sums);
    return;
  }
  const __m512 scale = _mm512_maskz_loadu_ps(mask, t->scale + column);
  const __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(p->parts.scales[row]));
  _mm512_mask_storeu_ps((float *)t->c + at, mask, _mm512_div_ps(_mm512_cvtepi32_ps(sums), both));
}

/* Rows whose sums, of two panels, fill the registers. Named one by one: GCC keeps an array of them
 * in memory. */
#define ROWS 12
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define OPEN_ROW(i) __m512i first##i = lift[0], second##i = lift[right];
#define ADD_ROW(i)                                        \
  four = _mm512_set1_epi32(load_four(a + i * depth + k)); \
  first##i = _mm512_dpbusd_epi32(first##i, four, b0);     \
  if (right)                                              \
    second##i = _mm512_dpbusd_epi32(second##i, four, b1);
#define KEEP_ROW(i)       \
  sums[2 * i] = first##i; \
  sums[2 * i + 1] = second##i;

IN_LINE int load_four(const int8_t *from) {
  int four;
  memcpy(&four, from, sizeof four);
  return four;
}

/** Twelve rows, as many of them as there are, of one or two panels, by VNNI. */
IN_LINE void multiply_rows(const product *p, int64_t row, int64_t panel, const bool right) {
  const int64_t depth = depth_of(p->task);
  const int8_t *a = p->parts.left + row * depth, *b = p->parts.right + panel * LINES * depth;
  const __m512i *lift = (const __m512i *)(const void *)(p->parts.lift + panel * LINES);
  __m512i four, sums[2 * ROWS];
  EACH_ROW(OPEN_ROW)
  for (int64_t k = 0; k < depth; k += 4, b += 64) {
    const __m512i b0 = _mm512_load_si512(b);
    const __m512i b1 = right ? _mm512_load_si512(b + LINES * depth) : b0;
    EACH_ROW(ADD_ROW)
  }
  EACH_ROW(KEEP_ROW)
  for (int64_t i = 0; i < ROWS && row + i < p->task->m; i++) {
    store_sums(p, row + i, panel * LINES, sums[2 * i]);
    if (right)
      store_sums(p, row + i, (panel + 1) * LINES, sums[2 * i + 1]);
  }
}

WITH_VECTORS static void multiply_column(const product *p, int64_t first, int64_t last,
                                         int64_t panel) {
  const bool right = (panel + 1) * LINES < p->task->n;
  for (int64_t i = first; i < last; i += ROWS)
    if (right)
      multiply_rows(p, i, panel, true);
    else
      multiply_rows(p, i, panel, false);
}

/* ------------------------------------------------------------------ few rows */

#define STRIP 64 /* columns that a row is multiplied by at once */

typedef struct strip {
  const int8_t *b;
  int64_t rows, row; /* of b below, and the step between them */
  __mmask64 columns;
} strip;

IN_LINE __m512i load_strip(const strip *s, int64_t k) {
  return k < s->rows ? _mm512_maskz_loadu_epi8(s->columns, s->b + k * s->row)
                     : _mm512_setzero_si512();
}

/** Four lines of the strip; line j has columns 4 j to 4 j + 3 of each quarter. */
IN_LINE void load_lines(const strip *s, int64_t k, __m512i *l0, __m512i *l1, __m512i *l2,
                        __m512i *l3) {
  const __m512i r0 = load_strip(s, k), r1 = load_strip(s, k + 1);
  const __m512i r2 = load_strip(s, k + 2), r3 = load_strip(s, k + 3);
  const __m512i low01 = _mm512_unpacklo_epi8(r0, r1), high01 = _mm512_unpackhi_epi8(r0, r1);
  const __m512i low23 = _mm512_unpacklo_epi8(r2, r3), high23 = _mm512_unpackhi_epi8(r2, r3);
  *l0 = _mm512_unpacklo_epi16(low01, low23);
  *l1 = _mm512_unpackhi_epi16(low01, low23);
  *l2 = _mm512_unpacklo_epi16(high01, high23);
  *l3 = _mm512_unpackhi_epi16(high01, high23);
}

/** Sums in the order of `load_lines`, into c. */
IN_LINE void store_strip(const product *p, int64_t row, int64_t column, __m512i s0, __m512i s1,
                         __m512i s2, __m512i s3) {
  const __m512i low01 = _mm512_shuffle_i32x4(s0, s1, 0x44);
  const __m512i high01 = _mm512_shuffle_i32x4(s0, s1, 0xee);
  const __m512i low23 = _mm512_shuffle_i32x4(s2, s3, 0x44);
  const __m512i high23 = _mm512_shuffle_i32x4(s2, s3, 0xee);
  store_sums(p, row, column, _mm512_shuffle_i32x4(low01, low23, 0x88));
  store_sums(p, row, column + 16, _mm512_shuffle_i32x4(low01, low23, 0xdd));
  store_sums(p, row, column + 32, _mm512_shuffle_i32x4(high01, high23, 0x88));
  store_sums(p, row, column + 48, _mm512_shuffle_i32x4(high01, high23, 0xdd));
}

IN_LINE __m512i without_lift(__m512i sums, __m512i columns) {
  return _mm512_sub_epi32(sums, _mm512_slli_epi32(columns, 7));
}

WITH_VECTORS static void multiply_strip(const product *p, int64_t row, int64_t column) {
  const cusp_int8_task *t = p->task;
  const int64_t left = t->n - column;
  const int8_t *a = p->parts.left + row * depth_of(t);
  const strip s = {t->b + column, t->k, t->b_row,
                   left >= STRIP ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1};
  const __m512i ones = _mm512_set1_epi8(1), zero = _mm512_setzero_si512();
  __m512i s0 = zero, s1 = zero, s2 = zero, s3 = zero, c0 = zero, c1 = zero, c2 = zero, c3 = zero;
  for (int64_t k = 0; k < t->k; k += 4) {
    const __m512i four = _mm512_set1_epi32(load_four(a + k));
    __m512i l0, l1, l2, l3;
    load_lines(&s, k, &l0, &l1, &l2, &l3);
    s0 = _mm512_dpbusd_epi32(s0, four, l0);
    s1 = _mm512_dpbusd_epi32(s1, four, l1);
    s2 = _mm512_dpbusd_epi32(s2, four, l2);
    s3 = _mm512_dpbusd_epi32(s3, four, l3);
    c0 = _mm512_dpbusd_epi32(c0, ones, l0);
    c1 = _mm512_dpbusd_epi32(c1, ones, l1);
    c2 = _mm512_dpbusd_epi32(c2, ones, l2);
    c3 = _mm512_dpbusd_epi32(c3, ones, l3);
  }
  store_strip(p, row, column, without_lift(s0, c0), without_lift(s1, c1), without_lift(s2, c2),
              without_lift(s3, c3));
}

static void multiply_strips(void *context, int64_t begin, int64_t end) {
  const product *p = context;
  for (int64_t i = begin; i < end; i++)
    for (int64_t row = 0; row < p->task->m; row++)
      multiply_strip(p, row, i * STRIP);
}

/* ------------------------------------------------------------------ tiles */

WITH_TILES static inline __attribute__((always_inline)) void
store_tile(const product *p, const int32_t *sums, int64_t row, int64_t column) {
  const int64_t rows = p->task->m - row < LINES ? p->task->m - row : LINES;
  for (int64_t i = 0; i < rows; i++)
    store_sums(p, row + i, column, _mm512_load_si512(sums + LINES * i));
}

/** 32 rows of two panels; `low` and `right` say whether the second halves are there. */
WITH_TILES static inline __attribute__((always_inline)) void
multiply_block(const product *p, int64_t row, int64_t panel, const bool low, const bool right) {
  const int64_t depth = depth_of(p->task), line = depth;
  const int8_t *a = p->parts.left + row * depth, *b = p->parts.right + panel * LINES * depth;
  int32_t sums[4][LINES * LINES] __attribute__((aligned(64)));
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t k = 0; k < depth; k += DEPTH, a += DEPTH, b += TILE_BYTES) {
    _tile_loadd(4, a, line);
    _tile_loadd(6, b, 64);
    _tile_dpbssd(0, 4, 6);
    if (right) {
      _tile_loadd(7, b + LINES * depth, 64);
      _tile_dpbssd(1, 4, 7);
    }
    if (low) {
      _tile_loadd(5, a + LINES * depth, line);
      _tile_dpbssd(2, 5, 6);
    }
    if (low && right)
      _tile_dpbssd(3, 5, 7);
  }
  _tile_stored(0, sums[0], 64);
  _tile_stored(1, sums[1], 64);
  _tile_stored(2, sums[2], 64);
  _tile_stored(3, sums[3], 64);
  store_tile(p, sums[0], row, panel * LINES);
  if (right)
    store_tile(p, sums[1], row, (panel + 1) * LINES);
  if (low)
    store_tile(p, sums[2], row + LINES, panel * LINES);
  if (low && right)
    store_tile(p, sums[3], row + LINES, (panel + 1) * LINES);
}

WITH_TILES static void multiply_tiles(const product *p, int64_t first, int64_t last,
                                      int64_t panel) {
  const bool right = (panel + 1) * LINES < p->task->n;
  for (int64_t i = first; i < last; i += 2 * LINES) {
    const bool low = i + LINES < p->task->m;
    if (low && right)
      multiply_block(p, i, panel, true, true);
    else if (low)
      multiply_block(p, i, panel, true, false);
    else if (right)
      multiply_block(p, i, panel, false, true);
    else
      multiply_block(p, i, panel, false, false);
  }
}

/* ------------------------------------------------------------------ shares of threads */

/* bytes of the left factor that are gone through for every panel of the right one */
#define LEFT_BYTES (256 * 1024)

static void multiply_range(const product *p, int64_t first, int64_t last, int64_t panel,
                           int64_t end) {
  const int64_t height = LEFT_BYTES / (depth_of(p->task) * 96 + 1) * 96 + 96;
  for (int64_t i = first; i < last; i += height) {
    const int64_t stop = i + height < last ? i + height : last;
    for (int64_t j = panel; j < end; j += 2)
      if (p->tiles)
        multiply_tiles(p, i, stop, j);
      else
        multiply_column(p, i, stop, j);
  }
}

/** Groups of 32 rows, or of two panels, begin <= i < end. */
WITH_TILES static void multiply_share(void *context, int64_t begin, int64_t end) {
  const product *p = context;
  const int64_t rows = p->task->m, panels = tiles_of(p->task->n, LINES);
  if (p->tiles)
    cusp_configure_whole_tiles();
  if (p->by_rows)
    multiply_range(p, 32 * begin, 32 * end < rows ? 32 * end : rows, 0, panels);
  else
    multiply_range(p, 0, rows, 2 * begin, 2 * end < panels ? 2 * end : panels);
  if (p->tiles)
    _tile_release();
}

/* numbers that a thread packs, and products of four pairs that it sums, in some 5 us */
#define PACKED_PER_PIECE 65536
#define PRODUCTS_PER_PIECE (1 << 22)

void cusp_int8_vectors_multiply(const cusp_int8_task *task, void *workspace) {
  const int64_t depth = depth_of(task), panels = tiles_of(task->n, LINES);
  product p = {.task = task, .parts = lay_out(task, workspace, NULL)};
  p.tiles = cusp_int8_vectors_way() == CUSP_INT8_AMX && !is_few(task);
  p.by_rows = task->m >= task->n;
  cusp_parallel_for(task->m, PACKED_PER_PIECE / (depth + 1) + 1, prepare_rows, &p);
  if (is_few(task)) {
    cusp_parallel_for(tiles_of(task->n, STRIP), PACKED_PER_PIECE / (STRIP * depth + 1) + 1,
                      multiply_strips, &p);
    return;
  }
  cusp_parallel_for(panels, PACKED_PER_PIECE / (LINES * depth + 1) + 1, pack_panels, &p);
  const int64_t groups = tiles_of(p.by_rows ? task->m : task->n, 32);
  const int64_t across = 32 * depth * (p.by_rows ? task->n : task->m);
  cusp_parallel_for(groups, PRODUCTS_PER_PIECE / (across + 1) + 1, multiply_share, &p);
}

#else
cusp_int8_way cusp_int8_vectors_way(void) { return CUSP_INT8_FLOAT32; }
void cusp_int8_vectors_multiply(const cusp_int8_task *task, void *workspace) {
  (void)task;
  (void)workspace;
}
#endif
