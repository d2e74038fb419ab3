#include "factor.h"

#include "../base/threads.h"
#include "blas.h"
#include "panels.h"

/* Below this many multiplications OpenBLAS has kernels of its own that do not pack. */
#define SMALL 2000000.0

static int64_t panel_count(const cusp_factor *f) {
  int64_t width = cusp_panel_loops_find()->width;
  return (f->n + width - 1) / width;
}

size_t cusp_factor_bytes(const cusp_factor *f, int64_t rows) {
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

void cusp_factor_pack(cusp_factor *f, int64_t rows, void *memory) {
  f->packed = NULL;
  if (cusp_factor_bytes(f, rows) == 0)
    return;
  packing p = {f, memory};
  cusp_parallel_for(panel_count(f), 32768 / (cusp_panel_loops_find()->width * f->k + 1) + 1,
                    pack_panels, &p);
  f->packed = memory;
}

static void multiply_packed(const cusp_factor *f, int64_t m, const cusp_panel_rows *a, int beta,
                            float *c, int64_t ldc) {
  const cusp_panel_loops *loops = cusp_panel_loops_find();
  for (int64_t first = 0; first < f->n; first += loops->width) {
    int64_t columns = f->n - first < loops->width ? f->n - first : loops->width;
    loops->multiply(m, columns, f->k, a, f->packed + first * f->k, beta, c + first, ldc);
  }
}

void cusp_factor_multiply(const cusp_factor *f, int64_t m, const void *a, int64_t lda, int beta,
                          void *c, int64_t ldc) {
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
