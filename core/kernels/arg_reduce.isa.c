/* The first extreme of rows, a register at a time. */
#include "arg_reduce.h"

#include "isa.h"

#ifdef __AVX512F__
#include <immintrin.h>

/** The numbers of one register, with the sign that makes the extreme the largest. */
typedef struct part {
  __m512 values;
  __mmask16 lanes, undefined;
} part;

static inline __m512 load_float32(__mmask16 lanes, const float *x) {
  return _mm512_maskz_loadu_ps(lanes, x);
}

static inline __m512 load_bfloat16(__mmask16 lanes, const cusp_bfloat16 *x) {
  const __m512i bits = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, x));
  return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
}

/* The extreme first, then its first place; NaN counts as the extreme. */
#define FIND(name, type)                                                                           \
  static inline part name##_part(const type *x, int64_t left, __m512 sign) {                       \
    const __mmask16 lanes = left < 16 ? (__mmask16)((1u << left) - 1) : (__mmask16)0xffff;         \
    const __m512 line = load_##name(lanes, x);                                                     \
    return (part){_mm512_xor_ps(line, sign), lanes, _mm512_cmp_ps_mask(line, line, _CMP_UNORD_Q)}; \
  }                                                                                                \
  static int32_t name##_place(const type *x, int64_t count, __m512 sign) {                         \
    __m512 most = _mm512_set1_ps(-__builtin_inff());                                               \
    __mmask16 undefined = 0;                                                                       \
    for (int64_t k = 0; k < count; k += 16) {                                                      \
      const part p = name##_part(x + k, count - k, sign);                                          \
      most = _mm512_mask_max_ps(most, p.lanes, most, p.values);                                    \
      undefined |= p.undefined;                                                                    \
    }                                                                                              \
    most = _mm512_set1_ps(_mm512_reduce_max_ps(most));                                             \
    for (int64_t k = 0; k < count; k += 16) {                                                      \
      const part p = name##_part(x + k, count - k, sign);                                          \
      const __mmask16 found =                                                                      \
          undefined ? p.undefined : _mm512_mask_cmp_ps_mask(p.lanes, p.values, most, _CMP_EQ_OQ);  \
      if (found)                                                                                   \
        return (int32_t)(k + __builtin_ctz(found));                                                \
    }                                                                                              \
    return 0;                                                                                      \
  }                                                                                                \
  static void name##_places(int64_t rows, int64_t count, bool largest, const void *x,              \
                            int32_t *out) {                                                        \
    const __m512 sign = _mm512_castsi512_ps(_mm512_set1_epi32(largest ? 0 : INT32_MIN));           \
    for (int64_t row = 0; row < rows; row++)                                                       \
      out[row] = name##_place((const type *)x + row * count, count, sign);                         \
  }

FIND(float32, float)
FIND(bfloat16, cusp_bfloat16)

const cusp_arg_rows CUSP_ISA(cusp_arg_rows) = {float32_places, bfloat16_places};

#else

const cusp_arg_rows CUSP_ISA(cusp_arg_rows) = {0};

#endif
