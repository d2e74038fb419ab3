#include "factor.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "blas.h"
#include "panels.h"
#include "tiles.h"

/* Below this many multiplications OpenBLAS has kernels of its own that do not pack. */
#define SMALL 2000000.0

static int64_t panel_count(const cusp_factor *f) {
  int64_t width = cusp_panel_loops_find()->width;
  return (f->n + width - 1) / width;
}

/* Rows that are multiplied by tiles at a time, and the longest of them: their tiles lie on the
 * stack. */
#define TILE_ROWS 32
#define TILE_DEPTH 2048

static bool by_tiles(const cusp_factor *f) {
  return f->narrow && f->k > 0 && f->k <= TILE_DEPTH && cusp_tiles_present();
}

size_t cusp_factor_bytes(const cusp_factor *f, int64_t rows) {
  if (by_tiles(f))
    return cusp_tiles_bytes(f->n, f->k);
  const cusp_panel_loops *loops = cusp_panel_loops_find();
  bool pays =
      loops && f->dtype == CUSP_FLOAT32 && (double)rows * (double)f->n * (double)f->k > SMALL;
  return pays ? (size_t)(panel_count(f) * loops->width * f->k) * sizeof(float) : 0;
}

typedef struct packing {
  const cusp_factor *factor;
  float *memory;
} packing;

static void pack_panels(void *context, int64_t begin, int64_t end) {
  const packing *p = context;
  const cusp_factor *f = p->factor;
  const cusp_panel_loops *loops = cusp_panel_loops_find();
  cusp_panel_source source = {f->b, f->trans, f->ldb};
  for (int64_t i = begin; i < end; i++) {
    int64_t first = i * loops->width,
            columns = f->n - first < loops->width ? f->n - first : loops->width;
    loops->pack(&source, 0, f->k, first, columns, p->memory + first * f->k);
  }
}

/** The product of `m` rows at `a` with the factor. */
static cusp_tile_task tile_task(const cusp_factor *f, int64_t m, const void *a, int64_t lda,
                                int beta, void *c, int64_t ldc) {
  cusp_tile_task t = {.m = m, .n = f->n, .k = f->k, .c = c, .ldc = ldc, .add = beta};
  t.a = cusp_tile_matrix_of(a, CUSP_FLOAT32, false, lda);
  t.b = cusp_tile_matrix_of(f->b, CUSP_FLOAT32, f->trans, f->ldb);
  t.c_dtype = CUSP_FLOAT32;
  return t;
}

void cusp_factor_pack(cusp_factor *f, int64_t rows, void *memory) {
  f->packed = NULL;
  if (cusp_factor_bytes(f, rows) == 0)
    return;
  f->packed = memory;
  if (by_tiles(f)) {
    cusp_tile_task t = tile_task(f, 0, NULL, f->k, 0, NULL, f->n);
    cusp_tiles_pack_right(&t, memory);
    return;
  }
  packing p = {f, memory};
  cusp_parallel_for(panel_count(f), 32768 / (cusp_panel_loops_find()->width * f->k + 1) + 1,
                    pack_panels, &p);
}

static void multiply_tiles(const cusp_factor *f, int64_t m, const float *a, int64_t lda, int beta,
                           float *c, int64_t ldc) {
  char workspace[TILE_ROWS * TILE_DEPTH * 2] __attribute__((aligned(CUSP_ALIGNMENT)));
  for (int64_t first = 0; first < m; first += TILE_ROWS) {
    int64_t rows = m - first < TILE_ROWS ? m - first : TILE_ROWS;
    cusp_tile_task t = tile_task(f, rows, a + first * lda, lda, beta, c + first * ldc, ldc);
    t.packed_right = f->packed;
    cusp_tiles_multiply_serial(&t, workspace);
  }
}

static void multiply_packed(const cusp_factor *f, int64_t m, const cusp_panel_rows *a, int beta,
                            float *c, int64_t ldc) {
  const cusp_panel_loops *loops = cusp_panel_loops_find();
  for (int64_t first = 0; first < f->n; first += loops->width) {
    int64_t columns = f->n - first < loops->width ? f->n - first : loops->width;
    loops->multiply(m, columns, f->k, a, (const float *)f->packed + first * f->k, beta, c + first,
                    ldc);
  }
}

void cusp_factor_multiply(const cusp_factor *f, int64_t m, const void *a, int64_t lda, int beta,
                          void *c, int64_t ldc) {
  if (f->packed && by_tiles(f)) {
    multiply_tiles(f, m, a, lda, beta, c, ldc);
    return;
  }
  if (f->packed) {
    cusp_panel_rows rows = {a, lda, 1};
    multiply_packed(f, m, &rows, beta, c, ldc);
    return;
  }
  cusp_gemm_task t = {.dtype = f->dtype,
                      .trans_b = f->trans,
                      .m = m,
                      .n = f->n,
                      .k = f->k,
                      .alpha = 1,
                      .beta = beta};
  t.a = a;
  t.b = f->b;
  t.c = c;
  t.lda = lda;
  t.ldb = f->ldb;
  t.ldc = ldc;
  cusp_gemm_serial(&t);
}
