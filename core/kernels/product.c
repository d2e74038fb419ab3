#include "product.h"

#include "../base/cpu.h"
#include "../base/memory.h"
#include "../base/threads.h"
#include "onednn.h"
#include "split_product.h"

/* Below this many multiplications the library is not worth its loading. */
#define LEAST_WORK ((double)(1 << 26))
#define LEAST_SIDE 128
#define ROWS 512
#define MAX_BLOCKS 256

struct cusp_product {
  cusp_gemm_task task;
  int split_threads; /* on tiles; 0: by oneDNN, with what follows */
  const cusp_onednn *onednn;
  int64_t count, rows; /* of blocks, and of a block but for the last */
  int pieces;
  size_t packed, workspace; /* bytes of the right factor, and of a piece */
  cusp_onednn_product *blocks[MAX_BLOCKS];
};

/* A left factor that lies by columns is copied by oneDNN as it is by OpenBLAS. */
static bool pays(const cusp_gemm_task *t) {
  return !cusp_gemm_is_quiet() && t->dtype == CUSP_FLOAT32 && !t->trans_a && t->lda == t->k &&
         cusp_cpu_isa() == CUSP_ISA_AVX512 && t->m >= 2 * LEAST_SIDE && t->n >= LEAST_SIDE &&
         t->k >= LEAST_SIDE && (double)t->m * (double)t->n * (double)t->k >= LEAST_WORK;
}

static bool make_block(cusp_product *p, int64_t index) {
  const cusp_gemm_task *t = &p->task;
  const int64_t left = t->m - index * p->rows;
  const cusp_onednn_factors factors = {.m = left < p->rows ? left : p->rows,
                                       .n = t->n,
                                       .k = t->k,
                                       .lda = t->lda,
                                       .ldb = t->ldb,
                                       .ldc = t->ldc,
                                       .trans_b = t->trans_b};
  p->blocks[index] = p->onednn->product_new(&factors, index > 0 ? p->blocks[0] : NULL);
  if (!p->blocks[index])
    return false;
  const size_t bytes = p->onednn->product_workspace(p->blocks[index]);
  p->workspace = bytes > p->workspace ? bytes : p->workspace;
  return true;
}

/** Cuts the rows into at least two blocks of equal multiples of 16. */
static bool make_blocks(cusp_product *p) {
  const int64_t m = p->task.m, parts = m <= 2 * ROWS ? 2 : (m + ROWS - 1) / ROWS;
  p->rows = ((m + parts - 1) / parts + 15) / 16 * 16;
  p->count = (m + p->rows - 1) / p->rows;
  if (p->count > MAX_BLOCKS)
    return false;
  const int threads = cusp_get_num_threads();
  p->pieces = p->count < threads ? (int)p->count : threads;
  for (int64_t i = 0; i < p->count; i++)
    if (!make_block(p, i))
      return false;
  p->packed = p->onednn->product_packed(p->blocks[0]);
  return true;
}

cusp_product *cusp_product_new(const cusp_gemm_task *task) {
  cusp_product *p = NULL;
  if ((!pays(task) && !cusp_split_product_pays(task)) ||
      cusp_alloc_zeroed((void **)&p, sizeof *p) != CUSP_OK)
    return NULL;
  p->task = *task;
  if (cusp_split_product_pays(task)) {
    p->split_threads = cusp_get_num_threads();
    return p;
  }
  p->onednn = cusp_onednn_load();
  if (p->onednn && make_blocks(p))
    return p;
  cusp_product_free(p);
  return NULL;
}

void cusp_product_free(cusp_product *p) {
  for (int64_t i = 0; p && i < MAX_BLOCKS && p->blocks[i]; i++)
    p->onednn->product_free(p->blocks[i]);
  cusp_free(p);
}

size_t cusp_product_workspace(const cusp_product *p) {
  if (p->split_threads > 0)
    return cusp_split_product_workspace(&p->task, p->split_threads);
  return p->packed + (size_t)p->pieces * p->workspace;
}

typedef struct product_run {
  const cusp_product *product;
  const float *a;
  const void *b;
  float *c;
  char *workspace;
  bool failed; /* written with true alone */
} product_run;

static void run_pieces(void *context, int64_t begin, int64_t end) {
  product_run *run = context;
  const cusp_product *p = run->product;
  const cusp_gemm_task *t = &p->task;
  for (int64_t piece = begin; piece < end; piece++)
    for (int64_t i = p->count * piece / p->pieces; i < p->count * (piece + 1) / p->pieces; i++)
      if (!p->onednn->product_run(p->blocks[i], run->a + i * p->rows * t->lda, run->b,
                                  run->c + i * p->rows * t->ldc,
                                  run->workspace + (size_t)piece * p->workspace))
        __atomic_store_n(&run->failed, true, __ATOMIC_RELAXED);
}

/** Factors that are not for tiles are OpenBLAS's. */
static cusp_status run_split(const cusp_product *p, const void *a, const void *b, void *c,
                             void *workspace) {
  cusp_gemm_task task = p->task;
  task.a = a;
  task.b = b;
  task.c = c;
  if (cusp_split_product_run(&task, p->split_threads, workspace))
    return CUSP_OK;
  CUSP_TRY(cusp_blas_ready());
  cusp_gemm(&task);
  return CUSP_OK;
}

cusp_status cusp_product_run(const cusp_product *p, const void *a, const void *b, void *c,
                             void *workspace) {
  if (p->split_threads > 0)
    return run_split(p, a, b, c, workspace);
  product_run run = {p, a, b, c, (char *)workspace + p->packed, false};
  if (p->packed > 0) {
    run.failed = !p->onednn->product_pack(p->blocks[0], b, workspace);
    run.b = workspace;
  }
  if (!run.failed)
    cusp_parallel_for(p->pieces, 1, run_pieces, &run);
  return run.failed ? cusp_fail(CUSP_EBACKEND, "oneDNN: a product failed") : CUSP_OK;
}
