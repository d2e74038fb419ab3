/* The first extreme of rows that fit a register. */
#include "arg_reduce.h"

#include "isa.h"

#ifdef __AVX512F__
#include <immintrin.h>

static void find_extremes(int64_t rows, int64_t count, bool largest, const float *x, int32_t *out) {
  const __mmask16 lanes = (__mmask16)((1u << count) - 1);
  const __m512 sign = _mm512_castsi512_ps(_mm512_set1_epi32(largest ? 0 : INT32_MIN));
  const __m512 least = _mm512_set1_ps(-__builtin_inff());
  for (int64_t row = 0; row < rows; row++, x += count) {
    const __m512 line = _mm512_mask_loadu_ps(least, lanes, x);
    const __m512 values = _mm512_mask_xor_ps(least, lanes, line, sign);
    const __m512 most = _mm512_set1_ps(_mm512_reduce_max_ps(values));
    const __mmask16 undefined = _mm512_cmp_ps_mask(line, line, _CMP_UNORD_Q);
    const __mmask16 found = _mm512_mask_cmp_ps_mask(lanes, values, most, _CMP_EQ_OQ);
    out[row] = __builtin_ctz(undefined ? undefined : found);
  }
}

const cusp_arg_rows CUSP_ISA(cusp_arg_rows) = {find_extremes, 16};

#else

const cusp_arg_rows CUSP_ISA(cusp_arg_rows) = {0};

#endif
