/* Products of bfloat16 on tiles against sums written out, and the rounding to it: every layout and
 * dtype, sizes that fill no tile, none at all; products of float32 in parts, as precise as
 * float32's. Where the CPU has no tiles nothing is tested. */
#include "check.h"

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/factor.h"
#include "kernels/split_product.h"
#include "kernels/tiles.h"
#include "kernels/vector.h"
#include "kernels/vector_narrow.h"

#include <math.h>
#include <string.h>

static double value_at(int64_t i) { return (double)(i * 7919 % 1009) / 1009 - 0.5; }

static double get(cusp_dtype dtype, const void *data, int64_t i) {
  return cusp_load_double(dtype, (const char *)data + (size_t)i * cusp_dtype_size(dtype));
}

static void *filled(cusp_dtype dtype, int64_t count, int64_t seed) {
  void *data = NULL;
  CHECK_OK(cusp_alloc(&data, ((size_t)count + 1) * cusp_dtype_size(dtype)));
  for (int64_t i = 0; i < count; i++)
    cusp_store_double(dtype, (char *)data + (size_t)i * cusp_dtype_size(dtype), value_at(i + seed));
  return data;
}

typedef struct layout {
  cusp_dtype from, to;
  bool trans_a, trans_b, add, packed;
} layout;

/** What the tiles see of a number. */
static double rounded(double x) {
  return (double)cusp_bfloat16_to_float(cusp_float_to_bfloat16((float)x));
}

static double element(const cusp_tile_matrix *matrix, int64_t i, int64_t j) {
  return rounded(get(matrix->dtype, matrix->data, i * matrix->row + j * matrix->column));
}

static double largest_error(const cusp_tile_task *t, const void *before) {
  double worst = 0;
  for (int64_t i = 0; i < t->m; i++)
    for (int64_t j = 0; j < t->n; j++) {
      double sum = t->add ? get(CUSP_FLOAT32, before, i * t->ldc + j) : 0;
      for (int64_t l = 0; l < t->k; l++)
        sum += element(&t->a, i, l) * element(&t->b, l, j);
      double error = fabs(sum - get(t->c_dtype, t->c, i * t->ldc + j));
      worst = error > worst || isnan(error) ? error : worst;
    }
  return worst;
}

static void run(cusp_tile_task *t, bool packed) {
  void *workspace, *right;
  CHECK_OK(cusp_alloc(&workspace, cusp_tiles_workspace(t->m, t->n, t->k) + 64));
  CHECK_OK(cusp_alloc(&right, cusp_tiles_bytes(t->n, t->k) + 64));
  if (packed) {
    cusp_tiles_pack_right(t, right);
    t->packed_right = right;
    cusp_tiles_multiply_serial(t, workspace);
  } else {
    cusp_tiles_multiply(t, workspace);
  }
  cusp_free(workspace);
  cusp_free(right);
}

static void check_product(int64_t m, int64_t n, int64_t k, layout l, int64_t gap) {
  int64_t a_ld = (l.trans_a ? m : k) + gap, b_ld = (l.trans_b ? k : n) + gap;
  void *a = filled(l.from, (l.trans_a ? k : m) * a_ld, 1),
       *b = filled(l.from, (l.trans_b ? n : k) * b_ld, 2);
  cusp_tile_task t = {.m = m, .n = n, .k = k, .c_dtype = l.to, .ldc = n + gap, .add = l.add};
  t.a = (cusp_tile_matrix){a, l.from, l.trans_a ? 1 : a_ld, l.trans_a ? a_ld : 1};
  t.b = (cusp_tile_matrix){b, l.from, l.trans_b ? 1 : b_ld, l.trans_b ? b_ld : 1};
  void *before = filled(l.to, m * t.ldc, 3);
  t.c = filled(l.to, m * t.ldc, 3);
  run(&t, l.packed);
  double tolerance = 1e-5 * (double)(k + 1) + (l.to == CUSP_BFLOAT16 ? 4e-3 * (double)(k + 1) : 0);
  CHECK(largest_error(&t, before) < tolerance);
  bool untouched = true; /* what lies between the rows is nobody's */
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = n; j < t.ldc; j++)
      untouched = untouched && get(l.to, t.c, i * t.ldc + j) == get(l.to, before, i * t.ldc + j);
  CHECK(untouched);
  cusp_free(a);
  cusp_free(b);
  cusp_free(t.c);
  cusp_free(before);
}

static void test_products(void) {
  static const int64_t sizes[][3] = {{1, 1, 1},    {5, 7, 3},    {16, 16, 32}, {17, 33, 31},
                                     {33, 16, 65}, {48, 20, 96}, {3, 130, 2},  {100, 1, 70},
                                     {0, 4, 4},    {4, 0, 4},    {4, 4, 0}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int bits = 0; bits < 64; bits++) {
      layout l = {.from = bits & 1 ? CUSP_FLOAT32 : CUSP_BFLOAT16,
                  .to = bits & 2 ? CUSP_FLOAT32 : CUSP_BFLOAT16,
                  .trans_a = bits & 4,
                  .trans_b = bits & 8,
                  .add = (bits & 16) && (bits & 2),
                  .packed = bits & 32};
      check_product(sizes[s][0], sizes[s][1], sizes[s][2], l, (int64_t)s % 3);
    }
}

static void test_narrow_factors(void) {
  enum { M = 37, K = 50, N = 20 };
  float *a = filled(CUSP_FLOAT32, M * K, 1), *b = filled(CUSP_FLOAT32, K * N, 2), c[M * N];
  cusp_factor f = {.dtype = CUSP_FLOAT32, .narrow = true, .k = K, .n = N, .b = b, .ldb = N};
  void *memory;
  CHECK_OK(cusp_alloc(&memory, cusp_factor_bytes(&f, M) + 64));
  cusp_factor_pack(&f, M, memory);
  cusp_factor_multiply(&f, M, a, K, 0, c, N);
  cusp_tile_task t = {.m = M, .n = N, .k = K, .c = c, .c_dtype = CUSP_FLOAT32, .ldc = N};
  t.a = (cusp_tile_matrix){a, CUSP_FLOAT32, K, 1};
  t.b = (cusp_tile_matrix){b, CUSP_FLOAT32, N, 1};
  CHECK(largest_error(&t, NULL) < 1e-4);
  cusp_free(memory);
  cusp_free(a);
  cusp_free(b);
}

/* ------------------------------------------------------------------ float32 in parts */

/** Numbers with all of float32's digits, of several magnitudes. */
static float *full_numbers(int64_t count, int64_t seed) {
  float *data = NULL;
  CHECK_OK(cusp_alloc((void **)&data, (size_t)(count + 1) * sizeof *data));
  for (int64_t i = 0; i < count; i++)
    data[i] = (float)ldexp(value_at(i * 31 + seed) / 3, (int)((i + seed) % 5) - 2);
  return data;
}

static bool split_run(const cusp_gemm_task *t, int threads) {
  void *workspace = NULL;
  CHECK_OK(cusp_set_num_threads(threads));
  CHECK_OK(cusp_alloc(&workspace, cusp_split_product_workspace(t, threads)));
  const bool done = cusp_split_product_run(t, threads, workspace);
  cusp_free(workspace);
  CHECK_OK(cusp_set_num_threads(1));
  return done;
}

static double split_element(const void *data, bool trans, int64_t ld, int64_t i, int64_t j) {
  return (double)((const float *)data)[trans ? j * ld + i : i * ld + j];
}

/** The largest error of every 7th element in units of what its terms add up to, and whether what
 * lies between the rows of c is as it was, -1. */
static double split_error(const cusp_gemm_task *t, bool *untouched) {
  double worst = 0;
  const float *c = t->c;
  for (int64_t at = 0; at < t->m * t->n; at += 7) {
    const int64_t i = at / t->n, j = at % t->n;
    double sum = 0, size = 0;
    for (int64_t l = 0; l < t->k; l++) {
      const double term = split_element(t->a, t->trans_a, t->lda, i, l) *
                          split_element(t->b, t->trans_b, t->ldb, l, j);
      sum += term;
      size += fabs(term);
    }
    const double error = fabs(sum - (double)c[i * t->ldc + j]) / size;
    worst = error > worst || isnan(error) ? error : worst;
  }
  for (int64_t i = 0; i < t->m; i++)
    for (int64_t j = t->n; j < t->ldc; j++)
      *untouched = *untouched && c[i * t->ldc + j] == -1;
  return worst;
}

static cusp_gemm_task split_task(int64_t m, int64_t n, int64_t k, int turns, int64_t gap) {
  cusp_gemm_task t = {.dtype = CUSP_FLOAT32, .m = m, .n = n, .k = k, .alpha = 1};
  t.trans_a = turns & 1;
  t.trans_b = turns & 2;
  t.lda = (t.trans_a ? m : k) + gap;
  t.ldb = (t.trans_b ? k : n) + gap;
  t.ldc = n + gap;
  t.a = full_numbers((t.trans_a ? k : m) * t.lda, 1);
  t.b = full_numbers((t.trans_b ? n : k) * t.ldb, 2);
  t.c = full_numbers(m * t.ldc, 3);
  for (int64_t i = 0; i < m * t.ldc; i++)
    ((float *)t.c)[i] = -1;
  return t;
}

static void free_split(const cusp_gemm_task *t) {
  cusp_free((void *)(uintptr_t)t->a);
  cusp_free((void *)(uintptr_t)t->b);
  cusp_free(t->c);
}

/* The sums of float32 that a library makes are as far from the exact ones. */
static void check_split(int64_t m, int64_t n, int64_t k, int turns) {
  cusp_gemm_task t = split_task(m, n, k, turns, turns == 3 ? 5 : 0);
  bool untouched = true;
  CHECK(split_run(&t, 1));
  CHECK(split_error(&t, &untouched) < 0x1p-21);
  CHECK(untouched);
  float *one = t.c;
  t.c = full_numbers(m * t.ldc, 4);
  for (int threads = 2; threads <= 3; threads++) {
    bool equal = split_run(&t, threads);
    for (int64_t i = 0; i < m; i++)
      equal = equal &&
              memcmp((float *)t.c + i * t.ldc, one + i * t.ldc, (size_t)n * sizeof(float)) == 0;
    CHECK(equal);
  }
  cusp_free(one);
  free_split(&t);
}

static void test_split_products(void) {
  static const int64_t sizes[][3] = {{64, 64, 64}, {65, 97, 129},  {40, 1100, 70},  {300, 50, 33},
                                     {1, 70, 31},  {70, 530, 400}, {1100, 600, 300}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int turns = 0; turns < 4; turns++)
      check_split(sizes[s][0], sizes[s][1], sizes[s][2], turns);
}

/** Whether a product is made with one number `a` in the left factor and `b` in the right one. */
static bool takes(float a, float b) {
  enum { SIZE = 70 };
  cusp_gemm_task t = split_task(SIZE, SIZE, SIZE, 0, 0);
  ((float *)(uintptr_t)t.a)[3 * SIZE + 4] = a;
  ((float *)(uintptr_t)t.b)[4 * SIZE + 6] = b;
  const bool taken = split_run(&t, 2);
  free_split(&t);
  return taken;
}

static void test_split_range(void) {
  CHECK(takes(1, 1));
  CHECK(takes(0, -0.0f));
  CHECK(takes(1e20f, -1e12f));
  CHECK(takes(1e-30f, 1e-42f));
  CHECK(!takes(INFINITY, 1));
  CHECK(!takes(1, -INFINITY));
  CHECK(!takes(NAN, 1));
  CHECK(!takes(3.4028234e38f, 1e-20f));
  CHECK(!takes(1e20f, 1e20f));
}

/* A NaN whose digits are all ones is carried into the sign where it is rounded. */
static void test_split_nan(void) {
  enum { SIZE = 70 };
  cusp_gemm_task t = split_task(SIZE, SIZE, SIZE, 0, 0);
  for (int sign = 0; sign < 2; sign++) {
    const uint32_t bits = sign ? 0xffffffffu : 0x7fffffffu;
    memcpy((float *)(uintptr_t)t.a + 3 * SIZE + 4 + sign, &bits, sizeof bits);
  }
  const float *c = t.c;
  bool right = true;
  if (split_run(&t, 1))
    for (int64_t i = 0; i < SIZE * SIZE; i++)
      right = right && (isnan(c[i]) != 0) == (i / SIZE == 3);
  CHECK(right);
  free_split(&t);
}

/* Numbers all of which are too small for their last parts. */
static void test_split_small(void) {
  enum { SIZE = 70 };
  cusp_gemm_task t = split_task(SIZE, SIZE, SIZE, 0, 0);
  for (int64_t i = 0; i < SIZE * SIZE; i++)
    ((float *)(uintptr_t)t.a)[i] *= 1e-30f;
  CHECK(!split_run(&t, 1));
  for (int64_t i = 0; i < SIZE * SIZE; i++)
    ((float *)(uintptr_t)t.a)[i] = 0;
  CHECK(split_run(&t, 1));
  CHECK(((float *)t.c)[17] == 0);
  free_split(&t);
}

/* Numbers of every exponent with the rounded bits below, at and above one half; infinity, NaN. */
static void test_rounding(void) {
  static const uint32_t low[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
  for (uint32_t high = 0; high < 0x10000; high += 13)
    for (size_t k = 0; k + 1 < sizeof low / sizeof *low; k++) {
      float in[37];
      cusp_bfloat16 out[37];
      for (uint32_t i = 0; i < 37; i++) {
        uint32_t bits = (high + i) << 16 | low[(k + i) % 6];
        memcpy(&in[i], &bits, sizeof bits);
      }
      if (!cusp_bfloat16_narrow(37, out, in))
        return;
      bool equal = true;
      for (int i = 0; i < 37; i++)
        equal = equal && (out[i].bits == cusp_float_to_bfloat16(in[i]).bits || isnan(in[i]));
      for (int i = 0; i < 37; i++)
        equal = equal && (!isnan(in[i]) || isnan(cusp_bfloat16_to_float(out[i])));
      CHECK(equal);
    }
}

static void test_erfc(void) {
  cusp_vector_fn erfc_of = cusp_vector_find(CUSP_VECTOR_erfc, CUSP_BFLOAT16);
  int wrong = 0;
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    cusp_bfloat16 in = {(uint16_t)bits}, out;
    erfc_of(1, &out, (const void *[]){&in}, (const int8_t[]){1});
    double x = (double)cusp_bfloat16_to_float(in), y = (double)cusp_bfloat16_to_float(out);
    wrong += isnan(x) ? !isnan(y) : !(fabs(y - erfc(x)) <= erfc(x) * 0x1.01p-8 + 1e-37);
  }
  CHECK(wrong == 0);
}

int main(void) {
  if (cusp_tiles_present()) {
    test_products();
    test_narrow_factors();
    test_split_products();
    test_split_range();
    test_split_nan();
    test_split_small();
  }
  test_rounding();
  test_erfc();
  return check_summary();
}
