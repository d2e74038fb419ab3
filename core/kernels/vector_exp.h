#ifndef CUSP_KERNELS_VECTOR_EXP_H
#define CUSP_KERNELS_VECTOR_EXP_H
/* The exponential of float32 as an expression that the compiler inlines and vectorises. */

#include <stdint.h>
#include <string.h>

static inline uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/**
 * e^x = 2^n e^r with |r| <= log(2) / 2. Adding 1.5 * 2^23 rounds x / log(2) to a whole number and
 * leaves it in the low bits, which also holds for NaN without an undefined conversion. 2^n is
 * applied in two halves, so that results beyond either end of the exponent range round properly to
 * infinity, subnormals or zero.
 */
static inline float real_exp(float x) {
  const float rounder = 0x1.8p23f;
  x = x > 89.0f ? 89.0f : x;
  x = x < -105.0f ? -105.0f : x;
  const float shifted = x * 1.44269504088896341f + rounder;
  const float n = shifted - rounder;
  const uint32_t whole = bits_of(shifted) - bits_of(rounder);
  float r = x - n * 0.693359375f; /* log(2) in two parts, the first short: n * it is exact */
  r = r - n * -2.12194440e-4f;
  float y = 1.9875691500e-4f;
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * (r * r) + r + 1.0f;
  const uint32_t half = (uint32_t)((int32_t)whole >> 1);
  return y * float_of((half + 127u) << 23) * float_of((whole - half + 127u) << 23);
}

#endif
