/* Matrix products: OpenBLAS's through cusp_gemm against the plain loops, in every layout, at sizes
 * that threads share. */
#include "check.h"

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/blas.h"
#include "kernels/blas_plain.h"
#include "kernels/factor.h"
#include "kernels/panels.h"

#include <omp.h>
#include <stdlib.h>

static double value_at(int64_t i) { return (double)(i * 7919 % 1009) / 1009 - 0.5; }

static void fill(cusp_dtype dtype, void *data, int64_t count, int64_t seed) {
  for (int64_t i = 0; i < count; i++)
    cusp_store_double(dtype, (char *)data + (size_t)i * cusp_dtype_size(dtype), value_at(i + seed));
}

static double get(cusp_dtype dtype, const void *data, int64_t i) {
  return cusp_load_double(dtype, (const char *)data + (size_t)i * cusp_dtype_size(dtype));
}

static double factor = 0.5; /* alpha of the products below */

/** The largest difference between cusp_gemm and a sum written out, for matrices whose rows have
 * `gap` unused elements. */
static double largest_error(cusp_dtype dtype, int64_t m, int64_t n, int64_t k, bool trans_a,
                            bool trans_b, int64_t gap, double beta) {
  cusp_gemm_task t = {.dtype = dtype,
                      .trans_a = trans_a,
                      .trans_b = trans_b,
                      .m = m,
                      .n = n,
                      .k = k,
                      .alpha = factor,
                      .beta = beta};
  int64_t a_rows = trans_a ? k : m, b_rows = trans_b ? n : k;
  void *a, *b, *c;
  double worst = 0;
  t.lda = (trans_a ? m : k) + gap;
  t.ldb = (trans_b ? k : n) + gap;
  t.ldc = n + gap;
  size_t size = cusp_dtype_size(dtype);
  if (cusp_alloc(&a, (size_t)(a_rows * t.lda) * size) ||
      cusp_alloc(&b, (size_t)(b_rows * t.ldb) * size) || cusp_alloc(&c, (size_t)(m * t.ldc) * size))
    return INFINITY;
  fill(dtype, a, a_rows * t.lda, 1);
  fill(dtype, b, b_rows * t.ldb, 2);
  if (beta != 0)
    fill(dtype, c, m * t.ldc, 3);
  else
    for (int64_t i = 0; i < m * t.ldc; i++)
      cusp_store_double(dtype, (char *)c + (size_t)i * size, NAN);
  t.a = a;
  t.b = b;
  t.c = c;
  cusp_gemm(&t);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t l = 0; l < k; l++)
        sum += get(dtype, a, trans_a ? l * t.lda + i : i * t.lda + l) *
               get(dtype, b, trans_b ? j * t.ldb + l : l * t.ldb + j);
      sum = factor * sum + (beta != 0 ? beta * value_at(i * t.ldc + j + 3) : 0);
      worst = fmax(worst, fabs(get(dtype, c, i * t.ldc + j) - sum));
      if (isnan(get(dtype, c, i * t.ldc + j)))
        worst = INFINITY;
    }
  cusp_free(a);
  cusp_free(b);
  cusp_free(c);
  return worst;
}

static void test_layouts(void) {
  static const int64_t sizes[][3] = {{1, 1, 1},    {1, 9, 5},     {9, 1, 5}, {3, 4, 5},
                                     {32, 32, 72}, {17, 130, 33}, {2, 3, 0}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int flags = 0; flags < 16; flags++) {
      int64_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2], gap = flags & 4 ? 3 : 0;
      double beta = flags & 8 ? 2 : 0;
      CHECK(largest_error(CUSP_FLOAT32, m, n, k, flags & 1, flags & 2, gap, beta) < 1e-5);
      CHECK(largest_error(CUSP_FLOAT64, m, n, k, flags & 1, flags & 2, gap, beta) < 1e-13);
    }
}

/** Products that need no library: one row, and all of a thread that is to be quiet. */
static void test_without_library(void) {
  static const int64_t sizes[][3] = {{1, 1, 1},   {1, 1, 37},    {1, 3, 5},   {1, 17, 8},
                                     {1, 71, 40}, {1, 130, 200}, {2, 3, 7},   {3, 8, 9},
                                     {5, 33, 12}, {40, 16, 48},  {7, 300, 5}, {2, 5, 0}};
  factor = 1;
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int flags = 0; flags < 32; flags++) {
      bool before = cusp_gemm_set_quiet(flags & 16);
      CHECK(largest_error(CUSP_FLOAT32, sizes[s][0], sizes[s][1], sizes[s][2], flags & 1, flags & 2,
                          flags & 4 ? 3 : 0, flags & 8 ? 1 : 0) < 2e-5);
      CHECK(cusp_gemm_set_quiet(before) == ((flags & 16) != 0));
    }
  factor = 0.5;
}

/** Large enough to be split, by rows and by columns, with a last piece that is no multiple of the
 * block. */
static void test_threads(void) {
  int before = cusp_get_num_threads();
  for (int threads = 1; threads <= 4; threads++) {
    CHECK_OK(cusp_set_num_threads(threads));
    for (int flags = 0; flags < 4; flags++) {
      CHECK(largest_error(CUSP_FLOAT32, 301, 67, 200, flags & 1, flags & 2, 1, 0) < 1e-4);
      CHECK(largest_error(CUSP_FLOAT32, 67, 301, 200, flags & 1, flags & 2, 1, 1) < 1e-4);
    }
  }
  CHECK_OK(cusp_set_num_threads(before));
}

/** OpenBLAS changes OpenMP's number of threads; it must be what it was, as must the engine's. */
static void test_threads_are_kept(void) {
  omp_set_num_threads(3);
  CHECK_OK(cusp_set_num_threads(2));
  CHECK(largest_error(CUSP_FLOAT32, 40, 40, 40, false, false, 0, 0) < 1e-4);
  int entered = cusp_blas_enter();
  CHECK(omp_get_max_threads() == 1);
  cusp_blas_leave(entered);
  CHECK(omp_get_max_threads() == 3);
  CHECK(cusp_get_num_threads() == 2);
}

/** c = op(a) op(b) + beta * c, written out; columns beyond n stay. */
static void multiply_plainly(const cusp_gemm_task *t, float *c) {
  const float *a = t->a, *b = t->b;
  for (int64_t i = 0; i < t->m; i++)
    for (int64_t j = 0; j < t->n; j++) {
      double sum = t->beta * c[i * t->ldc + j];
      for (int64_t l = 0; l < t->k; l++)
        sum += (double)a[t->trans_a ? l * t->lda + i : i * t->lda + l] *
               b[t->trans_b ? j * t->ldb + l : l * t->ldb + j];
      c[i * t->ldc + j] = (float)sum;
    }
}

/** Panels and packed factors: all layouts, sizes around blocks and registers, depths above one
 * panel's. */
static void test_panels(void) {
  static const int64_t sizes[][3] = {{1, 1, 1},     {4, 8, 3},      {9, 16, 40},
                                     {7, 10, 16},   {13, 31, 17},   {33, 48, 64},
                                     {12, 32, 600}, {25, 33, 1100}, {400, 70, 513}};
  static float a[450000], b[450000], c[40000], d[40000];
  fill(CUSP_FLOAT32, a, 450000, 1);
  fill(CUSP_FLOAT32, b, 450000, 2);
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes && cusp_panel_loops_find(); s++)
    for (int flags = 0; flags < 8; flags++) {
      int64_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2], ldc = n + 1;
      bool trans_a = flags & 1, trans_b = flags & 2, beta = flags & 4;
      int64_t lda = (trans_a ? m : k) + 2, ldb = (trans_b ? k : n) + 3;
      cusp_gemm_task t = {CUSP_FLOAT32, trans_a, trans_b, m, n, k, a, b, c, lda, ldb, ldc, 1, beta};
      cusp_panel_rows rows = {a, trans_a ? 1 : lda, trans_a ? lda : 1};
      cusp_panel_source source = {b, trans_b, ldb};
      fill(CUSP_FLOAT32, c, m * ldc, 3);
      fill(CUSP_FLOAT32, d, m * ldc, 3);
      multiply_plainly(&t, c);
      cusp_panels_multiply(m, n, k, &rows, &source, beta, d, ldc);
      double worst = 0;
      for (int64_t i = 0; i < m * ldc; i++)
        worst = fmax(worst, fabs((double)c[i] - d[i]));
      CHECK(worst < 2e-4);
      if (trans_a)
        continue;
      cusp_factor f = {.dtype = CUSP_FLOAT32, .k = k, .n = n, .b = b, .trans = trans_b, .ldb = ldb};
      void *memory;
      CHECK_OK(cusp_alloc(&memory, cusp_factor_bytes(&f, 1 << 24) + 1));
      cusp_factor_pack(&f, 1 << 24, memory);
      CHECK((f.packed != NULL) == (cusp_factor_bytes(&f, 1 << 24) > 0));
      fill(CUSP_FLOAT32, d, m * ldc, 3);
      cusp_factor_multiply(&f, m, a, lda, beta, d, ldc);
      for (int64_t i = 0; i < m * ldc; i++)
        worst = fmax(worst, fabs((double)c[i] - d[i]));
      CHECK(worst < 2e-4);
      cusp_free(memory);
    }
}

static void test_integers(void) {
  int8_t a8[] = {100, 100, 100, -100}, b8[] = {100, 1, 100, 2};
  int32_t c32[4];
  cusp_plain_product p = {.m = 2,
                          .n = 2,
                          .k = 2,
                          .a = a8,
                          .b = b8,
                          .c = c32,
                          .a_row = 2,
                          .a_column = 1,
                          .b_row = 2,
                          .b_column = 1};
  p.c_row = 2;
  cusp_plain_find(CUSP_INT8, CUSP_INT32)(&p);
  CHECK(c32[0] == 20000 && c32[1] == 300 && c32[2] == 0 && c32[3] == -100);
  uint8_t t[] = {1, 0, 0, 0}, u[] = {1, 1, 1, 0}, r[4];
  p.a = t;
  p.b = u;
  p.c = r;
  cusp_plain_find(CUSP_BOOL, CUSP_BOOL)(&p);
  CHECK(r[0] == 1 && r[1] == 1 && r[2] == 0 && r[3] == 0);
  CHECK(cusp_plain_find(CUSP_FLOAT16, CUSP_FLOAT16) == NULL);
  CHECK(cusp_plain_find(CUSP_INT16, CUSP_INT32) == NULL);
}

int main(void) {
  CHECK(strlen(cusp_blas_name()) > 0);
  test_layouts();
  test_without_library();
  test_threads();
  test_threads_are_kept();
  test_panels();
  test_integers();
  return check_summary();
}
