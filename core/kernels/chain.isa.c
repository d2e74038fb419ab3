/*
 * The loops of chains. They are compiled without contraction into fused multiplication and
 * addition, so that they round where the single functions do.
 */

#include "chain.h"

#include "isa.h"
#include "vector_loops.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

CUSP_ISA_DECLARE(const cusp_chain_loops, cusp_chain_loops);

/* First the steps that optimizers have: numbers of each element, and one rate for all, which is the
 * last factor of a product. */
#define CHAIN3(NAME, EXPRESSION)                                                      \
  static void NAME(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    float *o = out;                                                                   \
    const float *p = in[0], *q = in[1], *r = in[2];                                   \
    if (step[0] && step[1] && !step[2]) {                                             \
      const float c = *r;                                                             \
      CUSP_LOOP {                                                                     \
        const float a = p[i], b = q[i];                                               \
        o[i] = EXPRESSION;                                                            \
      }                                                                               \
      return;                                                                         \
    }                                                                                 \
    CUSP_LOOP {                                                                       \
      const float a = p[i * step[0]], b = q[i * step[1]], c = r[i * step[2]];         \
      o[i] = EXPRESSION;                                                              \
    }                                                                                 \
  }

CHAIN3(approach, a + (b - a) * c)
CHAIN3(approach_square, a + (b * b - a) * c)

#if defined(__AVX512F__)
/**
 * Square roots, rounded as the instruction rounds them, which would have the divider wait: Newton's
 * step and a correction by what the square lacks (Markstein, "IA-64 and Elementary Functions",
 * 2000). It holds for numbers whose squares and products are far from either end of the range, and
 * zeros.
 */
static inline __m512 roots(__m512 x) {
  const __mmask16 positive = _mm512_cmp_ps_mask(x, _mm512_set1_ps(0x1p-100f), _CMP_GE_OQ) &
                             _mm512_cmp_ps_mask(x, _mm512_set1_ps(0x1p100f), _CMP_LE_OQ);
  const __mmask16 zero = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_EQ_OQ);
  if ((positive | zero) != 0xffff)
    return _mm512_sqrt_ps(x);
  const __m512 half = _mm512_set1_ps(0.5f), guess = _mm512_rsqrt14_ps(x);
  __m512 root = _mm512_mul_ps(x, guess), slope = _mm512_mul_ps(half, guess);
  const __m512 off = _mm512_fnmadd_ps(root, slope, half);
  root = _mm512_fmadd_ps(root, off, root);
  slope = _mm512_fmadd_ps(slope, off, slope);
  root = _mm512_fmadd_ps(_mm512_fnmadd_ps(root, root, x), slope, root);
  return _mm512_mask_mov_ps(root, zero, x);
}

/** The first elements of `descend`; says how many. */
static int64_t descend_vectors(int64_t n, float *o, const float *p, const float *q, float rate,
                               const float *s, float epsilon) {
  const __m512 c = _mm512_set1_ps(rate), e = _mm512_set1_ps(epsilon);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m512 numerator = _mm512_mul_ps(_mm512_loadu_ps(q + i), c);
    const __m512 denominator = _mm512_add_ps(roots(_mm512_loadu_ps(s + i)), e);
    _mm512_storeu_ps(o + i,
                     _mm512_sub_ps(_mm512_loadu_ps(p + i), _mm512_div_ps(numerator, denominator)));
  }
  return i;
}
#else
static int64_t descend_vectors(int64_t n, float *o, const float *p, const float *q, float rate,
                               const float *s, float epsilon) {
  (void)n, (void)o, (void)p, (void)q, (void)rate, (void)s, (void)epsilon;
  return 0;
}
#endif

static void descend(int64_t n, void *out, const void *const *in, const int8_t *step) {
  float *o = out;
  const float *p = in[0], *q = in[1], *r = in[2], *s = in[3], *t = in[4];
  if (!step[1] && step[2]) {
    const void *const turned[] = {p, r, q, s, t};
    descend(n, out, turned, (const int8_t[]){step[0], step[2], step[1], step[3], step[4]});
    return;
  }
  if (step[0] && step[1] && !step[2] && step[3] && !step[4]) {
    const float c = *r, e = *t;
    _Pragma("GCC ivdep") for (int64_t i = descend_vectors(n, o, p, q, c, s, e); i < n; i++) o[i] =
        p[i] - q[i] * c / (__builtin_sqrtf(s[i]) + e);
    return;
  }
  CUSP_LOOP o[i] = p[i * step[0]] - q[i * step[1]] * r[i * step[2]] /
                                        (__builtin_sqrtf(s[i * step[3]]) + t[i * step[4]]);
}

const cusp_chain_loops CUSP_ISA(cusp_chain_loops) = {
    .approach = approach, .approach_square = approach_square, .descend = descend};
