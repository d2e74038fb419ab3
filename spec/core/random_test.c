/* Random fills: the same numbers however the work is split and whatever the instruction set;
 * moments of the distributions. */
#include "check.h"

#include "base/philox.h"
#include "kernels/random.h"

#define COUNT 200003 /* odd, and no multiple of a tile */

static double data[COUNT + 8], other[COUNT + 8];
static const cusp_random_key key = {12345, 7};

static cusp_random_fill fill_of(cusp_dtype dtype, void *out) {
  return (cusp_random_fill){key, dtype, COUNT, out};
}

typedef void (*fill_fn)(const cusp_random_fill *, int64_t, int64_t);

static void uniform(const cusp_random_fill *f, int64_t begin, int64_t end) {
  cusp_random_uniform(f, begin, end, -1, 3);
}
static void normal(const cusp_random_fill *f, int64_t begin, int64_t end) {
  cusp_random_normal(f, begin, end, 5, 2);
}
static void integers(const cusp_random_fill *f, int64_t begin, int64_t end) {
  cusp_random_integers(f, begin, end, -3, 4);
}
static void coins(const cusp_random_fill *f, int64_t begin, int64_t end) {
  cusp_random_bernoulli(f, begin, end, 0.3);
}

static void test_splits(fill_fn fn, cusp_dtype dtype, cusp_dtype block_dtype) {
  int64_t blocks = cusp_random_blocks(block_dtype, COUNT);
  cusp_random_fill whole = fill_of(dtype, data), parts = fill_of(dtype, other);
  fn(&whole, 0, blocks);
  for (int64_t begin = 0; begin < blocks; begin += 777)
    fn(&parts, begin, begin + 777 < blocks ? begin + 777 : blocks);
  CHECK(memcmp(data, other, COUNT * cusp_dtype_size(dtype)) == 0);
}

/** Mean and variance of `data` are within 5 standard errors; `kurtosis` is that of the
 * distribution. */
static void check_moments(cusp_dtype dtype, double mean, double variance, double kurtosis) {
  double sum = 0, squares = 0;
  for (int i = 0; i < COUNT; i++) {
    double x = cusp_load_double(dtype, (char *)data + (size_t)i * cusp_dtype_size(dtype)) - mean;
    sum += x;
    squares += x * x;
  }
  CHECK_NEAR(sum / COUNT, 0, 5 * sqrt(variance / COUNT));
  CHECK_NEAR(squares / COUNT, variance, 5 * variance * sqrt((kurtosis - 1) / COUNT));
}

static void test_fills(void) {
  test_splits(uniform, CUSP_FLOAT32, CUSP_FLOAT32);
  check_moments(CUSP_FLOAT32, 1, 16.0 / 12, 1.8);
  test_splits(uniform, CUSP_FLOAT64, CUSP_FLOAT64);
  check_moments(CUSP_FLOAT64, 1, 16.0 / 12, 1.8);
  test_splits(normal, CUSP_FLOAT32, CUSP_FLOAT32);
  check_moments(CUSP_FLOAT32, 5, 4, 3);
  test_splits(normal, CUSP_FLOAT64, CUSP_FLOAT64);
  check_moments(CUSP_FLOAT64, 5, 4, 3);
  test_splits(integers, CUSP_INT32, CUSP_INT64);
  check_moments(CUSP_INT32, 0, 4, 1.75);
  test_splits(integers, CUSP_INT8, CUSP_INT64);
  test_splits(coins, CUSP_BOOL, CUSP_BOOL);
  check_moments(CUSP_BOOL, 0.3, 0.21, 1.762);
}

/** The vectorised generator is the one in base/philox.h, whose own values are those of the
 * published test vectors. */
static void test_words(void) {
  cusp_random_fill f = fill_of(CUSP_FLOAT32, data);
  cusp_random_uniform(&f, 0, cusp_random_blocks(CUSP_FLOAT32, COUNT), 0, 1);
  for (int i = 0; i < 1000; i += 37) {
    cusp_philox_block block = cusp_philox(key.seed, key.draw, (uint64_t)i / 4);
    CHECK(((float *)data)[i] == cusp_philox_float(block.word[i % 4]));
  }
  cusp_philox_block zero = cusp_philox(0, 0, 0);
  CHECK(zero.word[0] == 0x6627e8d5 && zero.word[1] == 0xe169c58d && zero.word[2] == 0xbc57ac4c &&
        zero.word[3] == 0x9b00dbd8);
}

static void test_bounds(void) {
  cusp_random_fill f = fill_of(CUSP_FLOAT32, data);
  /* two floats: rounding must not reach the top */
  cusp_random_uniform(&f, 0, cusp_random_blocks(CUSP_FLOAT32, COUNT), 16777216, 16777218);
  bool inside = true;
  for (int i = 0; i < COUNT; i++)
    inside = inside && ((float *)data)[i] >= 16777216 && ((float *)data)[i] < 16777218;
  CHECK(inside);
  f = fill_of(CUSP_BOOL, data);
  cusp_random_bernoulli(&f, 0, cusp_random_blocks(CUSP_BOOL, COUNT), 1);
  CHECK(memchr(data, 0, COUNT) == NULL);
  cusp_random_bernoulli(&f, 0, cusp_random_blocks(CUSP_BOOL, COUNT), 0);
  CHECK(memchr(data, 1, COUNT) == NULL);
}

static void test_samples(void) {
  for (int i = 0; i < COUNT; i++)
    data[i] = exp(cusp_random_log_gamma(&key, i, 0, 0.4));
  check_moments(CUSP_FLOAT64, 0.4, 0.4, 3 + 6 / 0.4);
  for (int i = 0; i < COUNT; i++)
    data[i] = exp(cusp_random_log_gamma(&key, i, 1, 9));
  check_moments(CUSP_FLOAT64, 9, 9, 3 + 6.0 / 9);
  for (int i = 0; i < COUNT; i++)
    data[i] = cusp_random_binomial(&key, i, 12, 0.2); /* by inversion */
  check_moments(CUSP_FLOAT64, 2.4, 1.92, 3.02);
  for (int i = 0; i < COUNT; i++)
    data[i] = cusp_random_binomial(&key, i, 1000, 0.7); /* by rejection, mirrored */
  check_moments(CUSP_FLOAT64, 700, 210, 3);
  CHECK(isnan(cusp_random_binomial(&key, 0, -1, 0.5)) &&
        isnan(cusp_random_binomial(&key, 0, 3, 1.5)));
  CHECK(isnan(cusp_random_log_gamma(&key, 0, 0, -1)) &&
        cusp_random_log_gamma(&key, 0, 0, 0) == -INFINITY);
}

static void test_permutation(void) {
  static int64_t order[COUNT];
  static bool seen[COUNT];
  int64_t fixed = 0;
  bool all = true;
  cusp_random_permutation(&key, COUNT, order);
  for (int64_t i = 0; i < COUNT; i++) {
    fixed += order[i] == i;
    seen[order[i]] = true;
  }
  for (int64_t i = 0; i < COUNT; i++)
    all = all && seen[i];
  CHECK(all);
  CHECK(fixed < 12); /* one is expected */
}

int main(void) {
  test_words();
  test_fills();
  test_bounds();
  test_samples();
  test_permutation();
  return check_summary();
}
