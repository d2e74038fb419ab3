#include "vector_narrow.h"

#include "../base/cpu.h"

#if defined(__x86_64__) && defined(__GNUC__) && __GNUC__ >= 11
#include <immintrin.h>

#define WITH_NARROWING __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
/* the class of subnormal numbers, which the instruction takes for 0 */
#define SUBNORMAL 0x20

WITH_NARROWING static void narrow_some(int64_t n, cusp_bfloat16 *out, const float *in) {
  const __mmask16 mask = n >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << n) - 1);
  const __m512 x = _mm512_maskz_loadu_ps(mask, in);
  _mm256_mask_storeu_epi16(out, mask, (__m256i)_mm512_cvtneps_pbh(x));
  for (__mmask16 left = _mm512_fpclass_ps_mask(x, SUBNORMAL) & mask; left; left &= left - 1) {
    const int i = __builtin_ctz(left);
    out[i] = cusp_float_to_bfloat16(in[i]);
  }
}

WITH_NARROWING static void narrow(int64_t n, cusp_bfloat16 *out, const float *in) {
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m512 low = _mm512_loadu_ps(in + i), high = _mm512_loadu_ps(in + i + 16);
    const __mmask16 subnormal =
        _mm512_fpclass_ps_mask(low, SUBNORMAL) | _mm512_fpclass_ps_mask(high, SUBNORMAL);
    if (__builtin_expect(subnormal, 0)) {
      narrow_some(16, out + i, in + i);
      narrow_some(16, out + i + 16, in + i + 16);
    } else {
      _mm512_storeu_si512(out + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
  }
  for (; i < n; i += 16)
    narrow_some(n - i, out + i, in + i);
}

bool cusp_bfloat16_narrow(int64_t n, cusp_bfloat16 *out, const float *in) {
  if (cusp_cpu_isa() < CUSP_ISA_AMX)
    return false;
  narrow(n, out, in);
  return true;
}

#else
bool cusp_bfloat16_narrow(int64_t n, cusp_bfloat16 *out, const float *in) {
  (void)n;
  (void)out;
  (void)in;
  return false;
}
#endif
