#include "panels.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "isa.h"

CUSP_ISA_DECLARE(const cusp_panel_loops, cusp_panel_loops);

const cusp_panel_loops *cusp_panel_loops_find(void) {
  return cusp_cpu_isa() == CUSP_ISA_BASELINE ? NULL : CUSP_ISA_CHOOSE(cusp_panel_loops);
}

#define MAX_WIDTH 32
/* rows of a panel at most: 64 KB, which leaves room for the left factor in the second-level
 * cache */
#define DEPTH 512
/* elements of the left factor that are gone through for every panel: 384 KB */
#define LEFT (96 * 1024)

/** Parts of `total` of nearly equal size, none above `most`. */
static int64_t part_count(int64_t total, int64_t most) { return (total + most - 1) / most; }

/** Rows m_first .. m_last - 1 of the result, summed over rows k_first .. of the right factor. */
static void multiply_part(int64_t m, int64_t n, int64_t k_first, int64_t k,
                          const cusp_panel_rows *a, const cusp_panel_source *b, int beta, float *c,
                          int64_t ldc) {
  const cusp_panel_loops *loops = cusp_panel_loops_find();
  float panel[DEPTH * MAX_WIDTH] __attribute__((aligned(CUSP_ALIGNMENT)));
  for (int64_t first = 0; first < n; first += loops->width) {
    int64_t columns = n - first < loops->width ? n - first : loops->width;
    loops->pack(b, k_first, k, first, columns, panel);
    loops->multiply(m, columns, k, a, panel, beta, c + first, ldc);
  }
}

/* The right factor is packed again for each part of the left one, which stays in the cache. */
void cusp_panels_multiply(int64_t m, int64_t n, int64_t k, const cusp_panel_rows *a,
                          const cusp_panel_source *b, int beta, float *c, int64_t ldc) {
  int64_t depths = part_count(k, DEPTH), depth = part_count(k, depths),
          heights = part_count(m * depth, LEFT);
  for (int64_t h = 0; h < heights; h++) {
    int64_t m_first = m * h / heights, m_last = m * (h + 1) / heights;
    for (int64_t k_first = 0; k_first < k; k_first += depth) {
      cusp_panel_rows rows = *a;
      rows.a += m_first * a->row + k_first * a->column;
      multiply_part(m_last - m_first, n, k_first, k - k_first < depth ? k - k_first : depth, &rows,
                    b, beta || k_first > 0, c + m_first * ldc, ldc);
    }
  }
}

/* ------------------------------------------------------------------ packed once */

/* multiplications of a piece of work for a thread */
#define PIECE 200000
/* rows below which a panel takes as long as reading it */
#define LEAST_ROWS 8

static int64_t count_panels(int64_t n) { return part_count(n, cusp_panel_loops_find()->width); }

size_t cusp_panels_bytes(int64_t k, int64_t n) {
  return (size_t)(count_panels(n) * cusp_panel_loops_find()->width * k) * sizeof(float);
}

typedef struct packing {
  int64_t k, n;
  const float *b, *scale;
  float *packed;
} packing;

static void pack_range(void *context, int64_t begin, int64_t end) {
  const packing *p = context;
  const cusp_panel_loops *loops = cusp_panel_loops_find();
  const cusp_panel_source source = {.b = p->b, .ld = p->n};
  for (int64_t i = begin; i < end; i++) {
    const int64_t first = i * loops->width;
    const int64_t columns = p->n - first < loops->width ? p->n - first : loops->width;
    float *panel = p->packed + i * loops->width * p->k;
    loops->pack(&source, 0, p->k, first, columns, panel);
    for (int64_t row = 0; p->scale && row < p->k; row++)
      for (int64_t j = 0; j < columns; j++)
        panel[row * loops->width + j] *= p->scale[first + j];
  }
}

void cusp_panels_pack(int64_t k, int64_t n, const float *b, const float *scale, float *packed) {
  packing p = {k, n, b, scale, packed};
  cusp_parallel_for(count_panels(n), PIECE / (k * MAX_WIDTH) + 1, pack_range, &p);
}

static void run_range(void *context, int64_t begin, int64_t end) {
  const cusp_panels *p = context;
  const cusp_panel_loops *loops = cusp_panel_loops_find();
  const int64_t size = loops->width * p->k;
  for (int64_t i = begin; i < end; i++) {
    const int64_t first = i * loops->width;
    const float *panel = p->packed + i * size;
    loops->stream(p->m, p->n - first < loops->width ? p->n - first : loops->width, p->k, &p->a,
                  panel, i + 1 < end ? panel + size : panel, p->shift ? p->shift + first : NULL,
                  p->c + first, p->n);
  }
}

/* ------------------------------------------------------------------ as it lies */

#define LINE 16 /* columns that share a line of the cache */

static void run_columns(void *context, int64_t begin, int64_t end) {
  const cusp_panels *p = context;
  const int64_t first = begin * LINE, last = end * LINE < p->n ? end * LINE : p->n;
  cusp_panel_loops_find()->row(last - first, p->k, p->a.a, p->plain + first, p->n,
                               p->scale ? p->scale + first : NULL,
                               p->shift ? p->shift + first : NULL, p->c + first);
}

static void end_columns(const cusp_panels *p, int64_t first, int64_t last) {
  for (int64_t i = 0; (p->scale || p->shift) && i < p->m; i++) {
    float *row = p->c + i * p->n;
    for (int64_t j = first; j < last; j++)
      row[j] = row[j] * (p->scale ? p->scale[j] : 1) + (p->shift ? p->shift[j] : 0);
  }
}

/** Rows that share a panel, which is packed for this product alone. */
static void run_rows(void *context, int64_t begin, int64_t end) {
  const cusp_panels *p = context;
  const int64_t width = cusp_panel_loops_find()->width, first = begin * width;
  const int64_t last = end * width < p->n ? end * width : p->n;
  const cusp_panel_source source = {.b = p->plain + first, .ld = p->n};
  cusp_panels_multiply(p->m, last - first, p->k, &p->a, &source, 0, p->c + first, p->n);
  end_columns(p, first, last);
}

/** Parts of a product that a thread takes, with so many columns each. */
static int64_t grain_of(const cusp_panels *p, int64_t columns) {
  const int64_t rows = p->m > LEAST_ROWS ? p->m : LEAST_ROWS;
  return PIECE / (rows * p->k * columns + 1) + 1;
}

void cusp_panels_run(const cusp_panels *p) {
  const int64_t panels = count_panels(p->n);
  if (p->packed)
    cusp_parallel_for(panels, grain_of(p, MAX_WIDTH), run_range, (void *)p);
  else if (p->m == 1)
    cusp_parallel_for(part_count(p->n, LINE), grain_of(p, LINE), run_columns, (void *)p);
  else
    cusp_parallel_for(panels, grain_of(p, MAX_WIDTH), run_rows, (void *)p);
}
