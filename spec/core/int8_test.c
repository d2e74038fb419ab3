/* Products of int8 against sums written out: every layout, sizes that fill no block, none at all,
 * and rows of floats that are quantized on the way. */
#include "check.h"

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/int8.h"

#include <math.h>
#include <string.h>

static int8_t whole_at(int64_t i) { return (int8_t)(i * 7919 % 256 - 128); }
static float value_at(int64_t i) { return (float)(i * 7919 % 1009) / 1009.0f - 0.5f; }

static void *memory(int64_t bytes) {
  void *data = NULL;
  CHECK_OK(cusp_alloc(&data, (size_t)bytes + 64));
  return data;
}

static int64_t sum_of(const cusp_int8_task *t, const int8_t *a, int64_t i, int64_t j) {
  int64_t sum = 0;
  for (int64_t k = 0; k < t->k; k++)
    sum += (int64_t)a[i * t->a_row + k * t->a_column] * t->b[k * t->b_row + j * t->b_column];
  return sum;
}

static void run(cusp_int8_task *t) {
  void *workspace = memory((int64_t)cusp_int8_workspace(t));
  cusp_int8_multiply(t, workspace);
  cusp_free(workspace);
}

static void check_integers(int64_t m, int64_t n, int64_t k, bool turned_a, bool turned_b) {
  int8_t *a = memory(m * k), *b = memory(k * n);
  int32_t *c = memory(m * n * 4);
  for (int64_t i = 0; i < m * k; i++)
    a[i] = whole_at(i);
  for (int64_t i = 0; i < k * n; i++)
    b[i] = whole_at(i + 5);
  cusp_int8_task t = {.m = m, .n = n, .k = k, .a = a, .b = b, .c = c};
  t.a_row = turned_a ? 1 : k;
  t.a_column = turned_a ? m : 1;
  t.b_row = turned_b ? 1 : n;
  t.b_column = turned_b ? k : 1;
  run(&t);
  int64_t wrong = 0;
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      wrong += c[i * n + j] != sum_of(&t, a, i, j);
  CHECK(wrong == 0);
  cusp_free(a);
  cusp_free(b);
  cusp_free(c);
}

/** Rows of x as the header says that they are quantized. */
static void quantize(const cusp_int8_task *t, int8_t *a, float *scales) {
  for (int64_t i = 0; i < t->m; i++) {
    float top = 0;
    for (int64_t k = 0; k < t->k; k++)
      top = fmaxf(top, fabsf(t->x[i * t->k + k]));
    scales[i] = t->range.high / (top + t->range.epsilon);
    for (int64_t k = 0; k < t->k; k++)
      a[i * t->k + k] = (int8_t)fminf(
          fmaxf(nearbyintf(t->x[i * t->k + k] * scales[i]), t->range.low), t->range.high);
  }
}

static void check_floats(int64_t m, int64_t n, int64_t k) {
  float *x = memory(m * k * 4), *scale = memory(n * 4), *c = memory(m * n * 4);
  float *scales = memory(m * 4);
  int8_t *a = memory(m * k), *b = memory(k * n);
  for (int64_t i = 0; i < m * k; i++)
    x[i] = value_at(i);
  for (int64_t i = 0; i < k * n; i++)
    b[i] = whole_at(i);
  for (int64_t i = 0; i < n; i++)
    scale[i] = 1 + (float)i;
  cusp_int8_task t = {.m = m,
                      .n = n,
                      .k = k,
                      .x = x,
                      .b = b,
                      .scale = scale,
                      .c = c,
                      .a_row = k,
                      .a_column = 1,
                      .b_row = n,
                      .b_column = 1};
  t.range = (cusp_int8_range){-100, 110, 1e-7f};
  run(&t);
  quantize(&t, a, scales);
  int64_t wrong = 0;
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      wrong += c[i * n + j] != (float)sum_of(&t, a, i, j) / (scale[j] * scales[i]);
  CHECK(wrong == 0);
  void *all[] = {x, scale, c, scales, a, b};
  for (int i = 0; i < 6; i++)
    cusp_free(all[i]);
}

static void test_sizes(void) {
  const int64_t sizes[] = {0, 1, 4, 5, 16, 33, 97, 193}, depths[] = {1, 3, 64, 130, 2100};
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < 8; j++)
      for (int l = 0; l < 5; l++) {
        check_integers(sizes[i], sizes[j], depths[l], (i + l) % 2 == 1, (j + l) % 2 == 1);
        check_floats(sizes[i], sizes[j], depths[l]);
      }
}

static void test_threads(void) {
  CHECK_OK(cusp_set_num_threads(3));
  check_integers(200, 70, 300, false, false);
  check_integers(40, 300, 130, false, true);
  check_floats(200, 90, 300);
}

/* All ways hold the extremes: float32 sums of 1024 products of -128 and -128 are 2^24. */
static void test_extremes(void) {
  int8_t a[2048], b[2048];
  int32_t c = 0;
  memset(a, -128, sizeof a);
  memset(b, -128, sizeof b);
  cusp_int8_task t = {.m = 1,
                      .n = 1,
                      .k = 2048,
                      .a = a,
                      .a_row = 2048,
                      .a_column = 1,
                      .b = b,
                      .b_row = 1,
                      .b_column = 1,
                      .c = &c};
  run(&t);
  CHECK(c == 2048 * 16384);
}

int main(void) {
  printf("int8 products by %s\n", cusp_int8_name());
  test_sizes();
  test_threads();
  test_extremes();
  return check_summary();
}
