#include "random.h"

#include "isa.h"

#include <math.h>

CUSP_ISA_DECLARE(const cusp_random_loops, cusp_random_loops);

/* ------------------------------------------------------------------ Philox over several blocks at
 * once */

/* blocks at a time: their counters lie word by word in arrays, which the compiler keeps in
 * registers */
#define LANES 16

/** The high and low halves of 32 x 32 bit products. */
static inline void multiply(const uint32_t *x, uint32_t factor, uint32_t *high, uint32_t *low) {
  for (int i = 0; i < LANES; i++) {
    uint64_t product = (uint64_t)x[i] * factor;
    high[i] = (uint32_t)(product >> 32);
    low[i] = (uint32_t)product;
  }
}

/** base/philox.h's cusp_philox for blocks index .. index + LANES - 1. */
static inline void philox_lanes(const cusp_random_key *key, uint64_t index, uint32_t *out) {
  uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
  uint32_t k0 = (uint32_t)key->seed, k1 = (uint32_t)(key->seed >> 32);
  for (int i = 0; i < LANES; i++) {
    c0[i] = (uint32_t)(index + (uint64_t)i);
    c1[i] = (uint32_t)((index + (uint64_t)i) >> 32);
    c2[i] = (uint32_t)key->draw;
    c3[i] = (uint32_t)(key->draw >> 32);
  }
  for (int round = 0; round < 10; round++) {
    uint32_t high0[LANES], low0[LANES], high1[LANES], low1[LANES];
    multiply(c0, 0xD2511F53u, high0, low0);
    multiply(c2, 0xCD9E8D57u, high1, low1);
    for (int i = 0; i < LANES; i++) {
      c0[i] = high1[i] ^ c1[i] ^ k0;
      c2[i] = high0[i] ^ c3[i] ^ k1;
      c1[i] = low1[i];
      c3[i] = low0[i];
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < LANES; i++) {
    out[4 * i] = c0[i];
    out[4 * i + 1] = c1[i];
    out[4 * i + 2] = c2[i];
    out[4 * i + 3] = c3[i];
  }
}

static void words(const cusp_random_key *key, uint64_t first, int64_t count, uint32_t *out) {
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES)
    philox_lanes(key, first + (uint64_t)i, out + 4 * i);
  if (i < count) {
    uint32_t rest[4 * LANES];
    philox_lanes(key, first + (uint64_t)i, rest);
    for (int64_t k = 0; k < 4 * (count - i); k++)
      out[4 * i + k] = rest[k];
  }
}

/* ------------------------------------------------------------------ words to numbers */

/* Through a signed integer, which every instruction set converts at once. */
static inline float unit_float(uint32_t word) { return (float)(int32_t)(word >> 8) * 0x1p-24f; }
static inline double unit_double(const uint32_t *pair) {
  return (double)(int64_t)((((uint64_t)pair[0] << 32) | pair[1]) >> 11) * 0x1p-53;
}

static void uniform_float(int64_t count, const uint32_t *words, float low, float width, float top,
                          float *out) {
  for (int64_t i = 0; i < count; i++) {
    float value = low + unit_float(words[i]) * width;
    out[i] = value < top ? value : top;
  }
}

static void uniform_double(int64_t count, const uint32_t *words, double low, double width,
                           double top, double *out) {
  for (int64_t i = 0; i < count; i++) {
    double value = low + unit_double(words + 2 * i) * width;
    out[i] = value < top ? value : top;
  }
}

/* The radius keeps all 32 bits, so that values beyond 6 standard deviations occur; half a unit
 * keeps it above 0. */
static void polar_float(int64_t pairs, const uint32_t *words, float *radius, float *turn) {
  for (int64_t i = 0; i < pairs; i++) {
    radius[i] = (float)(int32_t)(words[2 * i] >> 1) * 0x1p-31f + 0x1p-32f;
    turn[i] = unit_float(words[2 * i + 1]) * 6.28318530717958648f;
  }
}

static void polar_double(int64_t pairs, const uint32_t *words, double *radius, double *turn) {
  for (int64_t i = 0; i < pairs; i++) {
    radius[i] = unit_double(words + 4 * i) + 0x1p-54;
    turn[i] = unit_double(words + 4 * i + 2) * 6.28318530717958648;
  }
}

static void join_float(int64_t pairs, const float *l, const float *c, const float *s, float mean,
                       float scale, float *out) {
  for (int64_t i = 0; i < pairs; i++) {
    float radius = scale * sqrtf(-2 * (l[i] < 0 ? l[i] : 0));
    out[2 * i] = mean + radius * c[i];
    out[2 * i + 1] = mean + radius * s[i];
  }
}

static void join_double(int64_t pairs, const double *l, const double *c, const double *s,
                        double mean, double scale, double *out) {
  for (int64_t i = 0; i < pairs; i++) {
    double radius = scale * sqrt(-2 * (l[i] < 0 ? l[i] : 0));
    out[2 * i] = mean + radius * c[i];
    out[2 * i + 1] = mean + radius * s[i];
  }
}

static void keep_float(int64_t count, const uint32_t *words, uint32_t threshold, float scale,
                       const float *x, float *out) {
  for (int64_t i = 0; i < count; i++)
    out[i] = words[i] >= threshold ? x[i] * scale : 0;
}

static void keep_double(int64_t count, const uint32_t *words, uint32_t threshold, double scale,
                        const double *x, double *out) {
  for (int64_t i = 0; i < count; i++)
    out[i] = words[i] >= threshold ? x[i] * scale : 0;
}

const cusp_random_loops CUSP_ISA(cusp_random_loops) = {words,       uniform_float, uniform_double,
                                                       polar_float, polar_double,  join_float,
                                                       join_double, keep_float,    keep_double};
