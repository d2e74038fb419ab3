#include "random.h"

#include "isa.h"

#include <math.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

CUSP_ISA_DECLARE(const cusp_random_loops, cusp_random_loops);

/* ------------------------------------------------------------------ Philox over several blocks at
 * once */

typedef uint64_t vec __attribute__((vector_size(CUSP_ISA_BYTES)));
typedef uint64_t unaligned __attribute__((vector_size(CUSP_ISA_BYTES), aligned(4), may_alias));

#define IN_VECTOR ((int)(CUSP_ISA_BYTES / sizeof(uint64_t)))
/* vectors at a time, so that no product waits for another */
#define VECTORS 4
/* blocks at a time */
#define LANES (VECTORS * IN_VECTOR)
#define LOW_WORD 0xFFFFFFFFu

/** Products of the lower words of each pair of elements; the compiler does not see that those are
 * all that there is. */
static inline vec multiply(vec a, vec b) {
#if defined(__AVX512F__)
  return (vec)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (vec)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (vec)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & LOW_WORD) * (b & LOW_WORD);
#endif
}

/** Four words of each block: their lower words count, in elements of twice the size. */
typedef struct blocks {
  vec c0, c1, c2, c3;
} blocks;

static inline blocks first_blocks(const cusp_random_key *key, uint64_t index) {
  const vec zero = {0};
  blocks b = {.c2 = zero + key->draw, .c3 = zero + (key->draw >> 32)};
  for (int i = 0; i < IN_VECTOR; i++)
    b.c0[i] = index + (uint64_t)i;
  b.c1 = b.c0 >> 32;
  return b;
}

static inline void turn(blocks *b, vec k0, vec k1) {
  const vec zero = {0};
  const vec first = multiply(b->c0, zero + 0xD2511F53u),
            second = multiply(b->c2, zero + 0xCD9E8D57u);
  b->c0 = second >> 32 ^ b->c1 ^ k0;
  b->c2 = first >> 32 ^ b->c3 ^ k1;
  b->c1 = second;
  b->c3 = first;
}

static inline void store_blocks(const blocks *b, uint32_t *out) {
  uint64_t pairs[2][IN_VECTOR];
  *(unaligned *)pairs[0] = (b->c0 & LOW_WORD) | b->c1 << 32;
  *(unaligned *)pairs[1] = (b->c2 & LOW_WORD) | b->c3 << 32;
  for (int i = 0; i < IN_VECTOR; i++) {
    memcpy(out + 4 * i, &pairs[0][i], sizeof pairs[0][i]);
    memcpy(out + 4 * i + 2, &pairs[1][i], sizeof pairs[1][i]);
  }
}

/** base/philox.h's cusp_philox for blocks index .. index + LANES - 1. */
static void philox_lanes(const cusp_random_key *key, uint64_t index, uint32_t *out) {
  blocks b[VECTORS];
  uint32_t k0 = (uint32_t)key->seed, k1 = (uint32_t)(key->seed >> 32);
  for (int v = 0; v < VECTORS; v++)
    b[v] = first_blocks(key, index + (uint64_t)(v * IN_VECTOR));
  for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
    for (int v = 0; v < VECTORS; v++)
      turn(&b[v], (vec){0} + k0, (vec){0} + k1);
  for (int v = 0; v < VECTORS; v++)
    store_blocks(&b[v], out + v * IN_VECTOR * 4);
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
