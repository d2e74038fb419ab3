#ifndef CUSP_KERNELS_VECTOR_HALF_H
#define CUSP_KERNELS_VECTOR_HALF_H
/* Blocks of float16 and bfloat16 to and from float32, for the instruction set being compiled
 * for. */

#include "../tensor/dtype.h"
#include "vector_narrow.h"

#include <string.h>
#if defined(__F16C__)
#include <immintrin.h>
#endif

#define CUSP_HALF_BLOCK 256

static inline void cusp_bfloat16_block_to_float(int64_t n, float *out, const cusp_bfloat16 *in) {
  for (int64_t i = 0; i < n; i++)
    out[i] = cusp_bfloat16_to_float(in[i]);
}

/** The nearest, or the even one of the two nearest; without a branch, so that loops of it are
 * vectorised. */
static inline cusp_bfloat16 cusp_bfloat16_of_float(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16, nan = (u >> 16) | 0x40u;
  return (cusp_bfloat16){(uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? nan : rounded)};
}

static inline void cusp_bfloat16_block_from_float(int64_t n, cusp_bfloat16 *out, const float *in) {
#if defined(__AVX512F__)
  if (cusp_bfloat16_narrow(n, out, in))
    return;
#endif
  for (int64_t i = 0; i < n; i++)
    out[i] = cusp_bfloat16_of_float(in[i]);
}

static inline void cusp_float16_block_to_float(int64_t n, float *out, const cusp_float16 *in) {
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(in + i))));
#endif
  for (; i < n; i++)
    out[i] = cusp_float16_to_float(in[i]);
}

static inline void cusp_float16_block_from_float(int64_t n, cusp_float16 *out, const float *in) {
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128((__m128i *)(out + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
#endif
  for (; i < n; i++)
    out[i] = cusp_float_to_float16(in[i]);
}

#endif
