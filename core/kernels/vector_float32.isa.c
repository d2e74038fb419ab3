/*
 * Vector functions of float32. exp, log, tanh, sigmoid and softplus dominate training, so they are
 * short polynomials that the compiler inlines and vectorises (coefficients from Moshier's Cephes,
 * single precision; within 2 ulp); the rest is SLEEF.
 */

#include "vector_exp.h"
#include "vector_loops.h"
#include "vector_sleef.h"
#include "vector_special.h"
#include "vector_tables.h"

#include <math.h>
#include <string.h>

/** log(x) - bias * log(2) for positive normal x = 2^e m with sqrt(1/2) <= m < sqrt(2). */
static inline float log_of_normal(float x, float bias) {
  const uint32_t root = 0x3f3504f3u; /* sqrt(1/2) */
  const uint32_t shifted = bits_of(x) - root;
  const float e = (float)((int32_t)shifted >> 23) - bias;
  const float f = float_of((shifted & 0x7fffffu) + root) - 1.0f;
  const float z = f * f;
  float y = 7.0376836292e-2f;
  y = y * f - 1.1514610310e-1f;
  y = y * f + 1.1676998740e-1f;
  y = y * f - 1.2420140846e-1f;
  y = y * f + 1.4249322787e-1f;
  y = y * f - 1.6668057665e-1f;
  y = y * f + 2.0000714765e-1f;
  y = y * f - 2.4999993993e-1f;
  y = y * f + 3.3333331174e-1f;
  y = y * f * z + e * -2.12194440e-4f - 0.5f * z;
  return f + y + e * 0.693359375f;
}

/** Subnormal numbers are scaled first. */
static inline float real_log(float x) {
  const bool tiny = x < 0x1p-126f;
  const float result = log_of_normal(tiny ? x * 0x1p23f : x, tiny ? 23.0f : 0.0f);
  /* 0, negative; infinity, NaN */
  const float special = x == 0 ? -__builtin_inff() : x < 0 ? __builtin_nanf("") : x;
  return (x > 0) & (x < __builtin_inff()) ? result : special;
}

/** log(1 + x) for 0 <= x <= 1 or NaN: the logarithm of the rounded sum, and what the rounding
 * lost. */
static inline float real_log1p_unit(float x) {
  const float sum = 1.0f + x;
  return log_of_normal(sum, 0.0f) + (x - (sum - 1.0f)) / sum;
}

/**
 * erfinv(x) / x depends on w = -log(1 - x^2) smoothly: a polynomial in w up to 5, one in its root
 * beyond (after Giles, "Approximating the erfinv function", 2011; coefficients by interpolation of
 * the function at Chebyshev's points, within 1.5e-8).
 */
static inline float real_erfinv(float x) {
  const float rest = (1.0f - x) * (1.0f + x);
  const float w = -log_of_normal(rest, 0.0f);
  const float p = w - 2.5f, q = __builtin_sqrtf(w) - 3.125f;
  float near = -8.9319259702e-9f;
  near = near * p + 2.3335967196e-8f;
  near = near * p + 4.6813134806e-7f;
  near = near * p - 3.4639852676e-6f;
  near = near * p - 4.9724196895e-6f;
  near = near * p + 0.00021834938624f;
  near = near * p - 0.0012527263918f;
  near = near * p - 0.0041773928752f;
  near = near * p + 0.24664027905f;
  near = near * p + 1.5014093605f;
  float far = 0.00010748661425f;
  far = far * q - 0.00018018754065f;
  far = far * q - 0.00028568353123f;
  far = far * q + 0.0013206242635f;
  far = far * q - 0.0025423233531f;
  far = far * q + 0.0037768980765f;
  far = far * q - 0.0052965898731f;
  far = far * q + 0.0070497630934f;
  far = far * q + 1.003718457f;
  far = far * q + 2.9583201168f;
  const float special = rest == 0 ? x * __builtin_inff() : __builtin_nanf("");
  return rest > 0 ? x * (w < 5.0f ? near : far) : special;
}

static inline float real_tanh(float x) {
  const float a = __builtin_fabsf(x), z = x * x;
  float near = -5.70498872745e-3f;
  near = near * z + 2.06390887954e-2f;
  near = near * z - 5.37397155531e-2f;
  near = near * z + 1.33314422036e-1f;
  near = near * z - 3.33332819422e-1f;
  near = near * z * x + x;
  const float far = 1.0f - 2.0f / (real_exp(2.0f * a) + 1.0f);
  return a < 0.625f ? near : __builtin_copysignf(far, x);
}

static inline float real_sigmoid(float x) { return 1.0f / (1.0f + real_exp(-x)); }

static inline float real_softplus(float x) {
  return (x <= 0 ? 0.0f : x) + real_log1p_unit(real_exp(-__builtin_fabsf(x)));
}

/** e^(-x^2 / 2) of the normal distribution, and its share below x. */
typedef struct normal {
  float x, exponential, share; /* x within the bounds beyond which the rest is constant */
} normal;

/**
 * The share beyond |x| is e^(-x^2 / 2) Q(t) with t = 1 / (1 + 0.35 |x|), Q a polynomial (fitted to
 * the scaled complementary error function for the least relative error, 3.2e-8). x is taken in two
 * parts, the first of few bits, so that rounding of x^2 does not grow with it.
 */
static inline normal normal_of(float x) {
  const float magnitude = __builtin_fabsf(x), a = magnitude > 20.0f ? 20.0f : magnitude;
  const float high = float_of(bits_of(a) & 0xfffff000u);
  const float rest = 0.5f * (a - high) * (a + high);
  const float small = 1.0f - rest * (1.0f - rest * (0.5f - rest * (0.16666667f - rest / 24.0f)));
  const float e = real_exp(-0.5f * high * high) * small;
  const float t = 1.0f / (1.0f + 0.35f * a);
  float q = -0.02914635092f;
  q = q * t + 0.1439737082f;
  q = q * t - 0.2557183206f;
  q = q * t + 0.159178704f;
  q = q * t - 0.02311287634f;
  q = q * t + 0.1055092439f;
  q = q * t + 0.1198325679f;
  q = q * t + 0.1398619115f;
  q = q * t + 0.1396214068f;
  const float beyond = e * q * t;
  return (normal){__builtin_copysignf(a, x), e, x < 0 ? beyond : 1.0f - beyond};
}

static inline float real_gelu_slope(float x) {
  const normal n = normal_of(x);
  return n.share + n.x * n.exponential * 0.3989422804f;
}

#define REAL float
#define WORD uint32_t
#define C(name) name##f
#define LANES ((int64_t)(CUSP_ISA_BYTES / sizeof(float)))
#define SLEEF(name, accuracy) CUSP_SLEEF_FLOAT(name, accuracy)
#define TABLE CUSP_ISA(cusp_vector_float32)
#define MAP_EXP(name) CUSP_MAP1(name, float, float, real_exp(x))
#define MAP_LOG(name) CUSP_MAP1(name, float, float, real_log(x))
#define MAP_TANH(name) CUSP_MAP1(name, float, float, real_tanh(x))
#define MAP_SIGMOID(name) CUSP_MAP1(name, float, float, real_sigmoid(x))
#define MAP_SOFTPLUS(name) CUSP_MAP1(name, float, float, real_softplus(x))
#define MAP_GELU(name) CUSP_MAP1(name, float, float, x *normal_of(x).share)
#define MAP_GELU_SLOPE(name) CUSP_MAP1(name, float, float, real_gelu_slope(x))
#define MAP_ERFINV(name) CUSP_MAP1(name, float, float, real_erfinv(x))
#include "vector_real.h"
