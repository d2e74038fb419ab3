/* Vector functions of float64; the transcendental ones are SLEEF's. */

#include "vector_loops.h"
#include "vector_sleef.h"
#include "vector_special.h"
#include "vector_tables.h"

#include <math.h>
#include <string.h>

static inline double real_exp(double x) { return exp(x); }
static inline double real_log1p_unit(double x) { return log1p(x); }

static inline double real_softplus(double x) {
  return (x <= 0 ? 0.0 : x) + log1p(exp(-__builtin_fabs(x)));
}

static inline double normal_share(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }

static inline double real_gelu_slope(double x) {
  const double a = x > 40 ? 40 : x < -40 ? -40 : x; /* where the density is 0 */
  return normal_share(x) + a * exp(-0.5 * a * a) * (0.5 * M_SQRT1_2 * M_2_SQRTPI);
}

#define REAL double
#define WORD uint64_t
#define C(name) name
#define LANES ((int64_t)(CUSP_ISA_BYTES / sizeof(double)))
#define SLEEF(name, accuracy) CUSP_SLEEF_DOUBLE(name, accuracy)
#define TABLE CUSP_ISA(cusp_vector_float64)
#define MAP_EXP(name) SLEEF_MAP1(name, SLEEF(exp, u10)(x))
#define MAP_LOG(name) SLEEF_MAP1(name, SLEEF(log, u10)(x))
#define MAP_TANH(name) SLEEF_MAP1(name, SLEEF(tanh, u10)(x))
#define MAP_SIGMOID(name) SLEEF_MAP1(name, 1 / (1 + SLEEF(exp, u10)(-x)))
#define MAP_SOFTPLUS(name) CUSP_MAP1(name, double, double, real_softplus(x))
#define MAP_GELU(name) CUSP_MAP1(name, double, double, x *normal_share(x))
#define MAP_GELU_SLOPE(name) CUSP_MAP1(name, double, double, real_gelu_slope(x))
#define MAP_ERFINV(name) CUSP_MAP1(name, double, double, cusp_special_erfinv(x))
#include "vector_real.h"
