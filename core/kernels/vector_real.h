/*
 * The vector functions of one float type. No include guard: the including file defines
 *   REAL          float or double                 WORD    the unsigned integer of its size
 *   C(name)       the C library's name (name ## f)
 *   LANES         numbers in a vector register    SLEEF(name, accuracy)  SLEEF's function for that
 * register TABLE         the name of the table to fill real_exp, real_log, real_tanh, real_sigmoid,
 * real_log1p_unit   functions or macros, see the including files; MAP_EXP, MAP_LOG, MAP_TANH,
 * MAP_SIGMOID, MAP_SOFTPLUS, MAP_GELU, MAP_GELU_SLOPE, MAP_ERFINV   the loops made of them.
 * Semantics are NumPy's and JAX's: maximum propagates NaN, round is half to even, mod has the
 * divisor's sign.
 */

typedef REAL vreal __attribute__((vector_size(LANES * sizeof(REAL))));
typedef REAL vreal_unaligned
    __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

static inline vreal load(const REAL *p) { return *(const vreal_unaligned *)p; }
static inline void store(REAL *p, vreal v) { *(vreal_unaligned *)p = v; }
static inline vreal splat(REAL x) { return x - (vreal){0}; } /* x - 0: keeps -0 and NaN */

static inline vreal load_some(const REAL *p, int64_t count) {
  REAL padded[LANES] = {0};
  for (int64_t i = 0; i < count; i++)
    padded[i] = p[i];
  return load(padded);
}

static inline void store_some(REAL *p, vreal v, int64_t count) {
  REAL padded[LANES];
  store(padded, v);
  for (int64_t i = 0; i < count; i++)
    p[i] = padded[i];
}

static void fill(int64_t n, REAL *o, REAL y) {
  for (int64_t i = 0; i < n; i++)
    o[i] = y;
}

/* Loops over an expression of whole vector registers: V(x), or V(a, b). The last, incomplete
 * register is padded with zeros. */
#define SLEEF_MAP1(NAME, EXPRESSION)                                                  \
  static void NAME(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    REAL *o = out;                                                                    \
    const REAL *p = in[0];                                                            \
    if (step[0] == 0) {                                                               \
      const vreal x = splat(p[0]);                                                    \
      const vreal y = EXPRESSION;                                                     \
      fill(n, o, y[0]);                                                               \
      return;                                                                         \
    }                                                                                 \
    int64_t i = 0;                                                                    \
    for (; i + LANES <= n; i += LANES) {                                              \
      const vreal x = load(p + i);                                                    \
      store(o + i, EXPRESSION);                                                       \
    }                                                                                 \
    if (i < n) {                                                                      \
      const vreal x = load_some(p + i, n - i);                                        \
      store_some(o + i, EXPRESSION, n - i);                                           \
    }                                                                                 \
  }

#define SLEEF_MAP2(NAME, EXPRESSION)                                                  \
  static void NAME(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    REAL *o = out;                                                                    \
    const REAL *p = in[0], *q = in[1];                                                \
    const vreal a0 = splat(p[0]), b0 = splat(q[0]);                                   \
    if (step[0] == 0 && step[1] == 0) {                                               \
      const vreal a = a0, b = b0;                                                     \
      const vreal y = EXPRESSION;                                                     \
      fill(n, o, y[0]);                                                               \
      return;                                                                         \
    }                                                                                 \
    int64_t i = 0;                                                                    \
    for (; i + LANES <= n; i += LANES) {                                              \
      const vreal a = step[0] ? load(p + i) : a0, b = step[1] ? load(q + i) : b0;     \
      store(o + i, EXPRESSION);                                                       \
    }                                                                                 \
    if (i < n) {                                                                      \
      const vreal a = step[0] ? load_some(p + i, n - i) : a0;                         \
      const vreal b = step[1] ? load_some(q + i, n - i) : b0;                         \
      store_some(o + i, EXPRESSION, n - i);                                           \
    }                                                                                 \
  }

#define UNARY(name, EXPRESSION) CUSP_MAP1(name##_, REAL, REAL, EXPRESSION)
#define BINARY(name, EXPRESSION) CUSP_MAP2(name##_, REAL, REAL, EXPRESSION)
#define TEST1(name, EXPRESSION) CUSP_MAP1(name##_, REAL, uint8_t, EXPRESSION)
#define TEST2(name, EXPRESSION) CUSP_MAP2(name##_, REAL, uint8_t, EXPRESSION)

#include "vector_simple.h"

/* ------------------------------------------------------------------ unary */

static inline uint8_t sign_bit(REAL x) {
  WORD bits;
  memcpy(&bits, &x, sizeof bits);
  return (uint8_t)(bits >> (8 * sizeof bits - 1));
}
TEST1(signbit, sign_bit(x))

MAP_EXP(exp_)
MAP_LOG(log_)
MAP_TANH(tanh_)
MAP_SIGMOID(sigmoid_)
MAP_SOFTPLUS(softplus_)
MAP_GELU(gelu_)
MAP_GELU_SLOPE(gelu_slope_)

#define CUSP_VECTOR(name, arity, result, cost)
#define CUSP_SLEEF(name, function, bound) SLEEF_MAP1(name##_, SLEEF(function, bound)(x))
#include "vector_functions.h"
#undef CUSP_VECTOR

MAP_ERFINV(erfinv_)
UNARY(digamma, cusp_special_digamma(x))
UNARY(i0, cusp_special_i0(x))
UNARY(i1, cusp_special_i1(x))

/* ------------------------------------------------------------------ binary */

/** The remainder with the divisor's sign; 0 takes the divisor's sign too, as in Python. */
static inline REAL floored_mod(REAL a, REAL b) {
  const REAL r = C(fmod)(a, b);
  if (r == 0)
    return C(__builtin_copysign)(0, b);
  return (r < 0) != (b < 0) ? r + b : r;
}

/** floor(a / b) where rounding of the quotient does not count: (a - mod(a, b)) / b, rounded.
 * Division by zero as divide. */
static inline REAL floored_quotient(REAL a, REAL b) {
  if (b == 0)
    return a / b;
  const REAL r = C(fmod)(a, b);
  REAL q = (a - r) / b;
  if (r != 0 && (r < 0) != (b < 0))
    q -= 1;
  return q == 0 ? C(__builtin_copysign)(0, a / b) : C(__builtin_rint)(q);
}

BINARY(fmod, C(fmod)(a, b))
BINARY(mod, floored_mod(a, b))
BINARY(floor_divide, floored_quotient(a, b))
SLEEF_MAP2(power_of_vectors, SLEEF(pow, u10)(a, b))
SLEEF_MAP2(arctan2_, SLEEF(atan2, u10)(a, b))
SLEEF_MAP2(hypot_, SLEEF(hypot, u05)(a, b))
BINARY(nextafter, C(nextafter)(a, b))

/** Small whole exponents given as one number are products. */
static void power_(int64_t n, void *out, const void *const *in, const int8_t *step) {
  const REAL exponent = ((const REAL *)in[1])[0];
  if (step[1] == 0 && exponent == 2) {
    square_(n, out, in, step);
  } else if (step[1] == 0 && exponent == 3 && step[0]) {
    REAL *o = out;
    const REAL *p = in[0];
    CUSP_LOOP o[i] = p[i] * p[i] * p[i];
  } else {
    power_of_vectors(n, out, in, step);
  }
}

/** log(e^a + e^b); equal infinities give themselves. */
static inline REAL log_add_exp(REAL a, REAL b) {
  const REAL high = (a > b) | IS_NAN(a) ? a : b;
  const REAL distance = a == b ? 0 : C(__builtin_fabs)(a - b);
  return high + real_log1p_unit(real_exp(-distance));
}
BINARY(logaddexp, log_add_exp(a, b))

/* ------------------------------------------------------------------ ternary */

CUSP_MAP3(multiply_add_, REAL, REAL, REAL, a *b + c)
CUSP_MAP3(select_, uint8_t, REAL, REAL, a ? b : c)
/* a bounded below by b, then above by c; NaN stays, NaN bounds win */
static inline REAL bounded(REAL a, REAL b, REAL c) {
  const REAL raised = (a < b) | IS_NAN(b) ? b : a;
  return (raised > c) | IS_NAN(c) ? c : raised;
}
CUSP_MAP3(clip_, REAL, REAL, REAL, bounded(a, b, c))

#define ENTRY(name) [CUSP_VECTOR_##name] = name##_
const cusp_vector_table TABLE = {
#define CUSP_VECTOR(name, arity, result, cost)
#define CUSP_SLEEF(name, function, bound) ENTRY(name),
#include "vector_functions.h"
#undef CUSP_VECTOR
    ENTRY(copy),
    ENTRY(negative),
    ENTRY(absolute),
    ENTRY(sign),
    ENTRY(square),
    ENTRY(sqrt),
    ENTRY(rsqrt),
    ENTRY(reciprocal),
    ENTRY(exp),
    ENTRY(log),
    ENTRY(tanh),
    ENTRY(erfinv),
    ENTRY(digamma),
    ENTRY(i0),
    ENTRY(i1),
    ENTRY(sigmoid),
    ENTRY(softplus),
    ENTRY(gelu),
    ENTRY(gelu_slope),
    ENTRY(relu),
    ENTRY(ceil),
    ENTRY(floor),
    ENTRY(round),
    ENTRY(trunc),
    ENTRY(logical_not),
    ENTRY(isnan),
    ENTRY(isinf),
    ENTRY(isfinite),
    ENTRY(signbit),
    ENTRY(add),
    ENTRY(subtract),
    ENTRY(multiply),
    ENTRY(divide),
    ENTRY(floor_divide),
    ENTRY(mod),
    ENTRY(fmod),
    ENTRY(power),
    ENTRY(maximum),
    ENTRY(minimum),
    ENTRY(fmax),
    ENTRY(fmin),
    ENTRY(arctan2),
    ENTRY(hypot),
    ENTRY(logaddexp),
    ENTRY(nextafter),
    ENTRY(copysign),
    ENTRY(equal),
    ENTRY(not_equal),
    ENTRY(less),
    ENTRY(less_equal),
    ENTRY(greater),
    ENTRY(greater_equal),
    ENTRY(logical_and),
    ENTRY(logical_or),
    ENTRY(logical_xor),
    ENTRY(relu_gradient),
    ENTRY(sigmoid_gradient),
    ENTRY(tanh_gradient),
    ENTRY(multiply_add),
    ENTRY(select),
    ENTRY(clip),
};
