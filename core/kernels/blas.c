#include "blas.h"

#include "../base/cpu.h"
#include "../base/threads.h"
#include "blas_plain.h"
#include "panels.h"
#include "small.h"

#include <dlfcn.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The C interface of BLAS, as OpenBLAS has it: 32-bit sizes, enumerations with these values. */
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
typedef void (*sgemm_fn)(int, int, int, int, int, int, float, const float *, int, const float *,
                         int, float, float *, int);
typedef void (*dgemm_fn)(int, int, int, int, int, int, double, const double *, int, const double *,
                         int, double, double *, int);
typedef void (*sgemv_fn)(int, int, int, int, float, const float *, int, const float *, int, float,
                         float *, int);
typedef void (*dgemv_fn)(int, int, int, int, double, const double *, int, const double *, int,
                         double, double *, int);

/* Filled once; `library` is NULL where there is no OpenBLAS. */
static struct {
  void *library;
  sgemm_fn sgemm;
  dgemm_fn dgemm;
  sgemv_fn sgemv;
  dgemv_fn dgemv;
  bool suits;   /* its kernels use the registers that this CPU has */
  bool starved; /* it was not opened, for want of address space */
  int buffers;  /* threads that may call it at once without its asking for memory */
  char name[64];
} blas;
static pthread_once_t blas_once = PTHREAD_ONCE_INIT;

/* ------------------------------------------------------------------ opening the library */

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#define MULTIARCH "lib"
#endif

/** The OpenMP build first: the pthread build keeps threads of its own, which fight ours for the
 * cores. */
static void *open_library(void) {
  static const char *const names[] = {"/usr/lib/" MULTIARCH "/openblas-openmp/libopenblas.so.0",
                                      "libopenblas.so.0", "libopenblas.so"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    void *library = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
    if (library)
      return library;
  }
  return NULL;
}

static void set_or_clear(const char *name, const char *value) {
  if (value)
    setenv(name, value, 1);
  else
    unsetenv(name);
}

/*
 * OpenBLAS maps 128 MB for each thread that calls it, and as it is loaded, and asks again for ever
 * where there is none. So what it will ask for is asked for before, and its buffers are made at
 * once: what it does not use of them is no memory.
 */
#define LIBRARY_BYTES ((size_t)64 << 20)
#define BUFFER_BYTES ((size_t)136 << 20)

static bool has_room(size_t bytes) {
  void *room =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED)
    return false;
  munmap(room, bytes);
  return true;
}

static int make_buffers(void *library, int wanted) {
  void *(*take)(int) = NULL, *taken[64];
  void (*give)(void *) = NULL;
  int count = 0;
  *(void **)&take = dlsym(library, "blas_memory_alloc");
  *(void **)&give = dlsym(library, "blas_memory_free");
  if (!take || !give)
    return INT32_MAX;
  while (count < wanted && count < 64 && has_room(BUFFER_BYTES))
    taken[count++] = take(1);
  for (int i = 0; i < count; i++)
    give(taken[i]);
  return count;
}

/**
 * OpenBLAS 0.3.21 does not know Zen 4 and 5 and takes Haswell kernels there, at half the speed;
 * environments made for several machines name the oldest of them in OPENBLAS_CORETYPE, with the
 * same effect. OpenBLAS reads the variable as it is loaded, so it is set for that moment:
 * CUSP_BLAS_CORETYPE is the user's own choice, and "inherit" leaves the
 * environment's. */
static void *open_with_right_kernels(void) {
  const char *wanted = getenv("CUSP_BLAS_CORETYPE"), *present = getenv("OPENBLAS_CORETYPE");
  if (!wanted && cusp_cpu_isa() >= CUSP_ISA_AVX512)
    wanted = "SKYLAKEX";
  if (!wanted || strcmp(wanted, "inherit") == 0)
    return open_library();
  char before[64];
  snprintf(before, sizeof before, "%s", present ? present : "");
  setenv("OPENBLAS_CORETYPE", wanted, 1);
  void *library = open_library();
  set_or_clear("OPENBLAS_CORETYPE", present ? before : NULL);
  return library;
}

/** It is called for one thread at a time; with more it would map a buffer for each of them as it is
 * loaded. */
static void *open_for_one_thread(void) {
  const char *present = getenv("OMP_NUM_THREADS");
  char before[64];
  snprintf(before, sizeof before, "%s", present ? present : "");
  setenv("OMP_NUM_THREADS", "1", 1);
  void *library = open_with_right_kernels();
  set_or_clear("OMP_NUM_THREADS", present ? before : NULL);
  return library;
}

static bool suits_cpu(const char *core) {
  static const char *const wide[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
  if (cusp_cpu_isa() < CUSP_ISA_AVX512)
    return true;
  for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
    if (strcmp(core, wide[i]) == 0)
      return true;
  return false;
}

static void load(void) {
  snprintf(blas.name, sizeof blas.name, "plain loops");
  if (getenv("CUSP_NO_BLAS"))
    return;
  int callers = cusp_get_num_threads(); /* OpenMP reads its environment before that is changed */
  blas.starved = !has_room(LIBRARY_BYTES + 2 * BUFFER_BYTES);
  void *library = blas.starved ? NULL : open_for_one_thread();
  if (!library)
    return;
  *(void **)&blas.sgemm = dlsym(library, "cblas_sgemm");
  *(void **)&blas.dgemm = dlsym(library, "cblas_dgemm");
  *(void **)&blas.sgemv = dlsym(library, "cblas_sgemv");
  *(void **)&blas.dgemv = dlsym(library, "cblas_dgemv");
  if (!blas.sgemm || !blas.dgemm || !blas.sgemv || !blas.dgemv) {
    dlclose(library);
    return;
  }
  char *(*core_name)(void) = NULL;
  void (*set_threads)(int) = NULL;
  *(void **)&core_name = dlsym(library, "openblas_get_corename");
  *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
  /* for builds that are not OpenMP; this one sets OpenMP's own limit, which is not its to set */
  if (set_threads) {
    int threads = omp_get_max_threads();
    set_threads(1);
    omp_set_num_threads(threads);
  }
  snprintf(blas.name, sizeof blas.name, "OpenBLAS %s", core_name ? core_name() : "");
  blas.suits = !core_name || suits_cpu(core_name());
  blas.buffers = make_buffers(library, callers);
  blas.library = blas.buffers > 0 ? library : NULL;
  blas.starved = blas.buffers == 0;
}

static bool available(void) {
  pthread_once(&blas_once, load);
  return blas.library != NULL;
}

cusp_status cusp_blas_ready(void) {
  available();
  if (!blas.starved)
    return CUSP_OK;
  return cusp_fail(CUSP_ENOMEM,
                   "out of memory: OpenBLAS needs %zu MB of address space, more than this process "
                   "may have (ulimit -v); "
                   "with CUSP_NO_BLAS=1 in the environment slower loops do without it",
                   (LIBRARY_BYTES + 2 * BUFFER_BYTES) >> 20);
}

const char *cusp_blas_name(void) {
  available();
  return blas.name;
}

void *cusp_blas_symbol(const char *name) { return available() ? dlsym(blas.library, name) : NULL; }

/* One thread a call: the pieces of a product are shared out here. */
int cusp_blas_enter(void) {
  int threads = omp_get_max_threads();
  if (threads != 1)
    omp_set_num_threads(1);
  return threads;
}

void cusp_blas_leave(int entered) {
  if (entered != 1)
    omp_set_num_threads(entered);
}

/* ------------------------------------------------------------------ one thread */

static void run_plain(const cusp_gemm_task *t) {
  cusp_plain_product product = {.m = t->m,
                                .n = t->n,
                                .k = t->k,
                                .a = t->a,
                                .b = t->b,
                                .c = t->c,
                                .alpha = t->alpha,
                                .beta = t->beta};
  product.a_row = t->trans_a ? 1 : t->lda;
  product.a_column = t->trans_a ? t->lda : 1;
  product.b_row = t->trans_b ? 1 : t->ldb;
  product.b_column = t->trans_b ? t->ldb : 1;
  product.c_row = t->ldc;
  cusp_plain_find(t->dtype, t->dtype)(&product);
}

/** A product with a vector: `matrix` is stored [rows, columns]; y = alpha * op(matrix) x + beta *
 * y. */
typedef struct gemv {
  bool trans;
  int64_t rows, columns, ld, x_step, y_step;
  const void *matrix, *x;
} gemv;

static void run_gemv(const cusp_gemm_task *t, const gemv *v) {
  int trans = v->trans ? TRANS : NO_TRANS, rows = (int)v->rows, columns = (int)v->columns;
  int ld = (int)v->ld, x_step = (int)v->x_step, y_step = (int)v->y_step;
  if (t->dtype == CUSP_FLOAT32)
    blas.sgemv(ROW_MAJOR, trans, rows, columns, (float)t->alpha, v->matrix, ld, v->x, x_step,
               (float)t->beta, t->c, y_step);
  else
    blas.dgemv(ROW_MAJOR, trans, rows, columns, t->alpha, v->matrix, ld, v->x, x_step, t->beta,
               t->c, y_step);
}

/** OpenBLAS 0.3.21 does not see by itself that a product is one with a vector; its GEMM would pack
 * the matrix for one use. */
static void run_blas(const cusp_gemm_task *t) {
  int64_t b_step = t->trans_b ? 1 : t->ldb, a_step = t->trans_a ? t->lda : 1;
  if (t->n == 1) {
    gemv v = {.trans = t->trans_a,
              .ld = t->lda,
              .x_step = b_step,
              .y_step = t->ldc,
              .matrix = t->a,
              .x = t->b};
    v.rows = t->trans_a ? t->k : t->m;
    v.columns = t->trans_a ? t->m : t->k;
    run_gemv(t, &v);
  } else if (t->m == 1) {
    gemv v = {.trans = !t->trans_b,
              .ld = t->ldb,
              .x_step = a_step,
              .y_step = 1,
              .matrix = t->b,
              .x = t->a};
    v.rows = t->trans_b ? t->n : t->k;
    v.columns = t->trans_b ? t->k : t->n;
    run_gemv(t, &v);
  } else {
    int trans_a = t->trans_a ? TRANS : NO_TRANS, trans_b = t->trans_b ? TRANS : NO_TRANS;
    int m = (int)t->m, n = (int)t->n, k = (int)t->k, lda = (int)t->lda, ldb = (int)t->ldb,
        ldc = (int)t->ldc;
    if (t->dtype == CUSP_FLOAT32)
      blas.sgemm(ROW_MAJOR, trans_a, trans_b, m, n, k, (float)t->alpha, t->a, lda, t->b, ldb,
                 (float)t->beta, t->c, ldc);
    else
      blas.dgemm(ROW_MAJOR, trans_a, trans_b, m, n, k, t->alpha, t->a, lda, t->b, ldb, t->beta,
                 t->c, ldc);
  }
}

static bool fits_int(const cusp_gemm_task *t) {
  return t->m <= INT32_MAX && t->n <= INT32_MAX && t->k <= INT32_MAX && t->lda <= INT32_MAX &&
         t->ldb <= INT32_MAX && t->ldc <= INT32_MAX;
}

/* multiplications up to which OpenBLAS 0.3.21 packs nothing on CPUs with AVX-512 */
#define UNPACKED 1000000.0
/* numbers of a left factor by columns that stay in a cache, and of its rows that need not */
#define LEFT_BY_COLUMNS 100000
#define NARROW_LEFT 128

/* Panels take the rest: OpenBLAS's kernels are no faster, and pack the left factor too. */
static bool better_by_blas(const cusp_gemm_task *t) {
  if (!available() || !blas.suits)
    return false;
  const double work = (double)t->m * (double)t->n * (double)t->k;
  if (cusp_cpu_isa() >= CUSP_ISA_AVX512 && !t->trans_b && work <= UNPACKED)
    return true;
  return t->trans_a && t->lda > NARROW_LEFT && t->k > LEFT_BY_COLUMNS / t->lda;
}

static bool better_by_panels(const cusp_gemm_task *t) {
  return t->dtype == CUSP_FLOAT32 && t->alpha == 1 && (t->beta == 0 || t->beta == 1) && t->m >= 4 &&
         t->n >= 8 && t->k > 0 && cusp_panel_loops_find() && !better_by_blas(t);
}

/* ------------------------------------------------------------------ without the library */

bool cusp_gemm_needs_blas(const cusp_gemm_task *t) {
  return t->m != 1 || t->dtype != CUSP_FLOAT32 || t->alpha != 1 || (t->beta != 0 && t->beta != 1) ||
         (t->trans_b && t->n > 1) || t->n > CUSP_SMALL_PRODUCT || t->k < 1 ||
         t->k > CUSP_SMALL_PRODUCT / t->n;
}

static void run_small(const cusp_gemm_task *t) {
  cusp_row_product product = {.n = t->n, .k = t->k, .a = t->a, .b = t->b, .c = t->c};
  product.step = t->trans_a ? t->lda : 1;
  product.ldb = t->trans_b ? 1 : t->ldb;
  product.beta = t->beta != 0;
  cusp_small_loops_find()->multiply(&product);
}

static _Thread_local bool quiet;

bool cusp_gemm_set_quiet(bool value) {
  bool before = quiet;
  quiet = value;
  return before;
}

bool cusp_gemm_is_quiet(void) { return quiet; }

static bool can_do_without(const cusp_gemm_task *t) {
  return t->dtype == CUSP_FLOAT32 && t->alpha == 1 && (t->beta == 0 || t->beta == 1) && t->k > 0 &&
         (!t->trans_b || t->n >= 8) && cusp_panel_loops_find();
}

/* Rows that are too short for panels are multiplied one by one. */
static void run_rows_apart(const cusp_gemm_task *whole) {
  cusp_gemm_task t = *whole;
  t.m = 1;
  for (int64_t i = 0; i < whole->m; i++) {
    run_small(&t);
    t.a = (const float *)t.a + (t.trans_a ? 1 : t.lda);
    t.c = (float *)t.c + t.ldc;
  }
}

static void run_panels(const cusp_gemm_task *t) {
  cusp_panel_rows a = {t->a, t->trans_a ? 1 : t->lda, t->trans_a ? t->lda : 1};
  cusp_panel_source b = {t->b, t->trans_b, t->ldb};
  cusp_panels_multiply(t->m, t->n, t->k, &a, &b, t->beta != 0, t->c, t->ldc);
}

void cusp_gemm_serial(const cusp_gemm_task *task) {
  if (task->m <= 0 || task->n <= 0)
    return;
  if (!cusp_gemm_needs_blas(task)) {
    run_small(task);
    return;
  }
  if (quiet && can_do_without(task)) {
    (task->n >= 8 ? run_panels : run_rows_apart)(task);
    return;
  }
  if (better_by_panels(task)) {
    run_panels(task);
    return;
  }
  if (task->k <= 0 || !fits_int(task) || !available()) { /* BLAS need not touch c where k is 0 */
    run_plain(task);
    return;
  }
  static pthread_mutex_t few_buffers = PTHREAD_MUTEX_INITIALIZER;
  bool in_turn = cusp_get_num_threads() > blas.buffers;
  int entered = cusp_blas_enter();
  if (in_turn)
    pthread_mutex_lock(&few_buffers);
  run_blas(task);
  if (in_turn)
    pthread_mutex_unlock(&few_buffers);
  cusp_blas_leave(entered);
}

/* ------------------------------------------------------------------ several threads */

/* rows or columns: pieces start at multiples, where OpenBLAS's kernels are at their best */
#define BLOCK 16
/* 2.5 us at 240 GFLOP/s, and twice that where the matrices are thin */
#define FLOPS_PER_PIECE 600000

static const char *at(const void *base, cusp_dtype dtype, int64_t element) {
  return (const char *)base + element * (int64_t)cusp_dtype_size(dtype);
}

static void run_rows(void *context, int64_t begin, int64_t end) {
  cusp_gemm_task piece = *(const cusp_gemm_task *)context;
  int64_t first = begin * BLOCK, last = end * BLOCK < piece.m ? end * BLOCK : piece.m;
  piece.a = at(piece.a, piece.dtype, first * (piece.trans_a ? 1 : piece.lda));
  piece.c = (char *)at(piece.c, piece.dtype, first * piece.ldc);
  piece.m = last - first;
  cusp_gemm_serial(&piece);
}

static void run_columns(void *context, int64_t begin, int64_t end) {
  cusp_gemm_task piece = *(const cusp_gemm_task *)context;
  int64_t first = begin * BLOCK, last = end * BLOCK < piece.n ? end * BLOCK : piece.n;
  piece.b = at(piece.b, piece.dtype, first * (piece.trans_b ? piece.ldb : 1));
  piece.c = (char *)at(piece.c, piece.dtype, first);
  piece.n = last - first;
  cusp_gemm_serial(&piece);
}

/* Along the longer side, so that pieces are as near to squares as they can be. */
void cusp_gemm(const cusp_gemm_task *task) {
  double flops = 2.0 * (double)task->m * (double)task->n * (double)task->k;
  if (flops < 2.0 * FLOPS_PER_PIECE) {
    cusp_gemm_serial(task);
    return;
  }
  bool by_rows = task->m >= task->n;
  int64_t blocks = ((by_rows ? task->m : task->n) + BLOCK - 1) / BLOCK;
  int64_t grain = (int64_t)(FLOPS_PER_PIECE * (double)blocks / flops) + 1;
  cusp_parallel_for(blocks, grain, by_rows ? run_rows : run_columns, (void *)task);
}
