/* Vector functions against the C library in double precision, element by element and for every way
 * of stepping. */

#include "check.h"

#include "kernels/vector.h"

#include <stdint.h>
#include <stdlib.h>

#define COUNT 4099

static uint64_t random_state = 88172645463325252u;
static uint64_t random_bits(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}
static double random_between(double low, double high) {
  return low + (high - low) * (double)(random_bits() >> 11) * 0x1p-53;
}

typedef struct row {
  int arity;
  bool to_bool;
} row;
#define RESULT_same false
#define RESULT_bool true
static const row rows[CUSP_VECTOR_COUNT] = {
#define CUSP_VECTOR(name, arity, result, cost) [CUSP_VECTOR_##name] = {arity, RESULT_##result},
#include "kernels/vector_functions.h"
#undef CUSP_VECTOR
};

/* Functions that a test of values has called; test_every_function_has_a_case asks for all of
 * them. */
static bool has_case[CUSP_VECTOR_COUNT];

/* ------------------------------------------------------------------ accuracy of float functions */

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double rsqrt(double x) { return 1 / sqrt(x); }
static double reciprocal(double x) { return 1 / x; }

static double square(double x) { return x * x; }
static double negative(double x) { return -x; }
static double sign(double x) { return (x > 0) - (x < 0); }
static double relu(double x) { return fmax(x, 0); }

/* The power series of the modified Bessel functions, all terms positive. */
static double bessel(double x, int order) {
  double term = order ? x / 2 : 1, sum = term;
  for (int k = 1; k < 200; k++)
    sum += term *= x * x / 4 / k / (k + order);
  return sum;
}
static double i0(double x) { return bessel(x, 0); }
static double i1(double x) { return bessel(x, 1); }

/* The recurrence up to where the asymptotic series is exact to double precision. */
static double digamma(double x) {
  double sum = 0;
  for (; x < 20; x++)
    sum -= 1 / x;
  const double r = 1 / (x * x);
  return sum + log(x) - 0.5 / x -
         r * (1. / 12 - r * (1. / 120 - r * (1. / 252 - r * (1. / 240 - r / 132))));
}

static double gelu(double x) { return 0.5 * x * erfc(-x * M_SQRT1_2); }
static double gelu_slope(double x) {
  return 0.5 * erfc(-x * M_SQRT1_2) + x * exp(-0.5 * x * x) * 0.39894228040143267794;
}

/* Newton's method on erf, from the tangent at 0. */
static double erfinv(double y) {
  double x = 0;
  for (int i = 0; i < 100; i++)
    x -= (erf(x) - y) * exp(x * x) * 0.88622692545275801365;
  return x;
}

typedef struct accuracy_case {
  const char *name;
  cusp_vector_id id;
  double (*reference)(double);
  double low, high;
  double ulps;
} accuracy_case;

static const accuracy_case accuracy_cases[] = {
    {"exp", CUSP_VECTOR_exp, exp, -87, 88.7, 1.5},
    {"exp near 0", CUSP_VECTOR_exp, exp, -1, 1, 1.5},
    {"exp subnormal", CUSP_VECTOR_exp, exp, -103, -87, 1.5},
    {"exp2", CUSP_VECTOR_exp2, exp2, -100, 100, 1.5},
    {"expm1", CUSP_VECTOR_expm1, expm1, -5, 5, 1.5},
    {"log", CUSP_VECTOR_log, log, 1e-30, 1e30, 1.5},
    {"log near 1", CUSP_VECTOR_log, log, 0.5, 2, 1.5},
    {"log subnormal", CUSP_VECTOR_log, log, 1e-42, 1e-38, 1.5},
    {"log2", CUSP_VECTOR_log2, log2, 1e-3, 1e3, 1.5},
    {"log10", CUSP_VECTOR_log10, log10, 1e-3, 1e3, 1.5},
    {"log1p", CUSP_VECTOR_log1p, log1p, -0.9, 10, 1.5},
    {"sin", CUSP_VECTOR_sin, sin, -30, 30, 1.5},
    {"cos", CUSP_VECTOR_cos, cos, -30, 30, 1.5},
    {"tan", CUSP_VECTOR_tan, tan, -30, 30, 1.5},
    {"arcsin", CUSP_VECTOR_arcsin, asin, -1, 1, 1.5},
    {"arccos", CUSP_VECTOR_arccos, acos, -1, 1, 1.5},
    {"arctan", CUSP_VECTOR_arctan, atan, -10, 10, 1.5},
    {"sinh", CUSP_VECTOR_sinh, sinh, -20, 20, 1.5},
    {"cosh", CUSP_VECTOR_cosh, cosh, -20, 20, 1.5},
    {"tanh", CUSP_VECTOR_tanh, tanh, -10, 10, 2},
    {"tanh near 0", CUSP_VECTOR_tanh, tanh, -0.7, 0.7, 2},
    {"arcsinh", CUSP_VECTOR_arcsinh, asinh, -20, 20, 1.5},
    {"arccosh", CUSP_VECTOR_arccosh, acosh, 1, 20, 1.5},
    {"arctanh", CUSP_VECTOR_arctanh, atanh, -0.99, 0.99, 1.5},
    {"cbrt", CUSP_VECTOR_cbrt, cbrt, -100, 100, 1.5},
    {"erf", CUSP_VECTOR_erf, erf, -4, 4, 2},
    {"erfc", CUSP_VECTOR_erfc, erfc, -4, 4, 2},
    {"lgamma", CUSP_VECTOR_lgamma, lgamma, 0.1, 30, 4},
    {"sigmoid", CUSP_VECTOR_sigmoid, sigmoid, -80, 80, 3},
    {"softplus", CUSP_VECTOR_softplus, softplus, -80, 80, 3},
    {"sqrt", CUSP_VECTOR_sqrt, sqrt, 1e-10, 1e10, 0.6},
    {"rsqrt", CUSP_VECTOR_rsqrt, rsqrt, 1e-10, 1e10, 1.6},
    {"reciprocal", CUSP_VECTOR_reciprocal, reciprocal, -10, 10, 0.6},
    {"gelu", CUSP_VECTOR_gelu, gelu, -12, 20, 6},
    {"gelu_slope", CUSP_VECTOR_gelu_slope, gelu_slope, 0, 20, 6},
    {"erfinv", CUSP_VECTOR_erfinv, erfinv, -0.9, 0.9, 3},
    {"erfinv near 1", CUSP_VECTOR_erfinv, erfinv, 0.9, 0.99, 3},
    {"digamma", CUSP_VECTOR_digamma, digamma, 2, 30, 2},
    {"i0", CUSP_VECTOR_i0, i0, -10, 10, 2},
    {"i1", CUSP_VECTOR_i1, i1, -10, 10, 2},
    {"square", CUSP_VECTOR_square, square, -10, 10, 0.6},
    {"negative", CUSP_VECTOR_negative, negative, -10, 10, 0},
    {"absolute", CUSP_VECTOR_absolute, fabs, -10, 10, 0},
    {"sign", CUSP_VECTOR_sign, sign, -10, 10, 0},
    {"relu", CUSP_VECTOR_relu, relu, -10, 10, 0},
    {"ceil", CUSP_VECTOR_ceil, ceil, -10, 10, 0},
    {"floor", CUSP_VECTOR_floor, floor, -10, 10, 0},
    {"round", CUSP_VECTOR_round, rint, -10, 10, 0},
    {"trunc", CUSP_VECTOR_trunc, trunc, -10, 10, 0},
};

static double float_ulp(double x) {
  const float f = fabsf((float)x);
  return f < 0x1p-126f ? 0x1p-149 : (double)nextafterf(f, INFINITY) - f;
}

static void check_accuracy(const accuracy_case *c, bool log_spaced) {
  float x[COUNT], y[COUNT];
  for (int i = 0; i < COUNT; i++)
    x[i] = (float)(log_spaced ? exp(random_between(log(c->low), log(c->high)))
                              : random_between(c->low, c->high));
  cusp_vector_find(c->id, CUSP_FLOAT32)(COUNT, y, (const void *[]){x}, (const int8_t[]){1});
  double worst = 0;
  for (int i = 0; i < COUNT; i++) {
    const double expected = c->reference((double)x[i]);
    const double error = fabs(y[i] - expected) / float_ulp(expected);
    worst = error > worst || isnan(error) ? error : worst;
  }
  if (!(worst <= c->ulps))
    fprintf(stderr, "%s: %g ulp, at most %g expected\n", c->name, worst, c->ulps);
  CHECK(worst <= c->ulps);
}

static void check_double(const accuracy_case *c) {
  double x[COUNT], y[COUNT];
  for (int i = 0; i < COUNT; i++)
    x[i] = random_between(c->low, c->high);
  cusp_vector_find(c->id, CUSP_FLOAT64)(COUNT, y, (const void *[]){x}, (const int8_t[]){1});
  double worst = 0;
  for (int i = 0; i < COUNT; i++) {
    const double expected = c->reference(x[i]);
    const double error = fabs(y[i] - expected) / (fabs(expected) + 1e-300);
    worst = error > worst ? error : worst;
  }
  if (!(worst <= 4e-15))
    fprintf(stderr, "%s in double: relative error %g\n", c->name, worst);
  CHECK(worst <= 4e-15 || c->id == CUSP_VECTOR_lgamma);
}

static void test_accuracy(void) {
  for (size_t i = 0; i < sizeof accuracy_cases / sizeof *accuracy_cases; i++) {
    has_case[accuracy_cases[i].id] = true;
    check_accuracy(&accuracy_cases[i],
                   strncmp(accuracy_cases[i].name, "log ", 4) != 0 && accuracy_cases[i].high > 1e8);
    check_double(&accuracy_cases[i]);
  }
}

static double logaddexp(double x, double y) { return fmax(x, y) + log1p(exp(-fabs(x - y))); }
static double add(double x, double y) { return x + y; }
static double subtract(double x, double y) { return x - y; }
static double multiply(double x, double y) { return x * y; }
static double divide(double x, double y) { return x / y; }
static double floor_divide(double x, double y) { return floor(x / y); }
static double mod(double x, double y) {
  const double rest = fmod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

typedef struct binary_case {
  const char *name;
  cusp_vector_id id;
  double (*reference)(double, double);
  double low, ulps;
} binary_case;

static const binary_case binary_cases[] = {
    {"add", CUSP_VECTOR_add, add, -10, 0.6},
    {"subtract", CUSP_VECTOR_subtract, subtract, -10, 0.6},
    {"multiply", CUSP_VECTOR_multiply, multiply, -10, 0.6},
    {"divide", CUSP_VECTOR_divide, divide, -10, 0.6},
    {"floor_divide", CUSP_VECTOR_floor_divide, floor_divide, -10, 0},
    {"mod", CUSP_VECTOR_mod, mod, -10, 0.6},
    {"fmod", CUSP_VECTOR_fmod, fmod, -10, 0.6},
    {"power", CUSP_VECTOR_power, pow, 0.1, 1.5},
    {"maximum", CUSP_VECTOR_maximum, fmax, -10, 0},
    {"minimum", CUSP_VECTOR_minimum, fmin, -10, 0},
    {"fmax", CUSP_VECTOR_fmax, fmax, -10, 0},
    {"fmin", CUSP_VECTOR_fmin, fmin, -10, 0},
    {"arctan2", CUSP_VECTOR_arctan2, atan2, -10, 1.5},
    {"hypot", CUSP_VECTOR_hypot, hypot, -10, 1.5},
    {"logaddexp", CUSP_VECTOR_logaddexp, logaddexp, 0.1, 2},
    {"copysign", CUSP_VECTOR_copysign, copysign, -10, 0},
};

static void check_binary(const binary_case *c) {
  float x[COUNT], y[COUNT], z[COUNT];
  for (int i = 0; i < COUNT; i++) {
    x[i] = (float)random_between(c->low, 10);
    y[i] = (float)random_between(c->low, 10);
  }
  cusp_vector_find(c->id, CUSP_FLOAT32)(COUNT, z, (const void *[]){x, y}, (const int8_t[]){1, 1});
  double worst = 0;
  for (int i = 0; i < COUNT; i++) {
    const double expected = c->reference((double)x[i], (double)y[i]);
    const double error = fabs(z[i] - expected) / float_ulp(expected);
    worst = error > worst || isnan(error) ? error : worst;
  }
  if (!(worst <= c->ulps))
    fprintf(stderr, "%s: %g ulp, at most %g expected\n", c->name, worst, c->ulps);
  CHECK(worst <= c->ulps);
  has_case[c->id] = true;
}

static void test_binary_accuracy(void) {
  for (size_t i = 0; i < sizeof binary_cases / sizeof *binary_cases; i++)
    check_binary(&binary_cases[i]);
}

/* ------------------------------------------------------------------ special values */

static double apply(cusp_vector_id id, cusp_dtype dtype, double a, double b, double c) {
  unsigned char operand[3][8], result[8] = {0};
  const double values[] = {a, b, c};
  for (int k = 0; k < 3; k++)
    cusp_store_double(id == CUSP_VECTOR_select && k == 0 ? CUSP_BOOL : dtype, operand[k],
                      values[k]);
  cusp_vector_find(id, dtype)(1, result, (const void *[]){operand[0], operand[1], operand[2]},
                              (const int8_t[]){1, 1, 1});
  has_case[id] = true;
  return cusp_load_double(rows[id].to_bool ? CUSP_BOOL : dtype, result);
}

#define APPLY(name, dtype, a, b, c) apply(CUSP_VECTOR_##name, CUSP_##dtype, a, b, c)

static void check_float_specials(cusp_dtype dtype) {
#define F(name, a, b, c) apply(CUSP_VECTOR_##name, dtype, a, b, c)
#define SAME(call, expected) CHECK_NEAR(call, expected, 0)
  SAME(F(exp, INFINITY, 0, 0), INFINITY);
  SAME(F(exp, -INFINITY, 0, 0), 0);
  SAME(F(exp, NAN, 0, 0), NAN);
  SAME(F(exp, 1000, 0, 0), INFINITY);
  SAME(F(exp, -1000, 0, 0), 0);
  SAME(F(exp, 0, 0, 0), 1);
  SAME(F(log, 0, 0, 0), -INFINITY);
  SAME(F(log, -1, 0, 0), NAN);
  SAME(F(log, INFINITY, 0, 0), INFINITY);
  SAME(F(log, NAN, 0, 0), NAN);
  SAME(F(log, 1, 0, 0), 0);
  SAME(F(tanh, INFINITY, 0, 0), 1);
  SAME(F(tanh, -INFINITY, 0, 0), -1);
  SAME(F(tanh, NAN, 0, 0), NAN);
  SAME(F(tanh, 0, 0, 0), 0);
  SAME(F(sigmoid, -INFINITY, 0, 0), 0);
  SAME(F(sigmoid, INFINITY, 0, 0), 1);
  SAME(F(sigmoid, NAN, 0, 0), NAN);
  SAME(F(softplus, INFINITY, 0, 0), INFINITY);
  SAME(F(softplus, -INFINITY, 0, 0), 0);
  SAME(F(softplus, NAN, 0, 0), NAN);
  SAME(F(maximum, NAN, 1, 0), NAN);
  SAME(F(maximum, 1, NAN, 0), NAN);
  SAME(F(minimum, NAN, 1, 0), NAN);
  SAME(F(minimum, 1, NAN, 0), NAN);
  SAME(F(fmax, NAN, 1, 0), 1);
  SAME(F(fmax, 1, NAN, 0), 1);
  SAME(F(fmin, 1, NAN, 0), 1);
  SAME(F(relu, NAN, 0, 0), NAN);
  SAME(F(relu, -3, 0, 0), 0);
  SAME(F(sign, NAN, 0, 0), NAN);
  SAME(F(sign, -2, 0, 0), -1);
  SAME(F(round, 2.5, 0, 0), 2);
  SAME(F(round, 3.5, 0, 0), 4);
  SAME(F(round, -0.5, 0, 0), 0);
  SAME(F(mod, -7, 3, 0), 2);
  SAME(F(mod, 7, -3, 0), -2);
  SAME(F(fmod, -7, 3, 0), -1);
  SAME(F(mod, 5, INFINITY, 0), 5);
  SAME(F(mod, 1, 0, 0), NAN);
  SAME(F(floor_divide, -7.5, 2, 0), -4);
  SAME(F(floor_divide, 1, 0, 0), INFINITY);
  SAME(F(floor_divide, 0, 0, 0), NAN);
  SAME(F(power, 2, 10, 0), 1024);
  SAME(F(power, -2, 3, 0), -8);
  SAME(F(power, 0, 0, 0), 1);
  SAME(F(power, -8, 1.0 / 3, 0), NAN);
  SAME(F(logaddexp, -INFINITY, -INFINITY, 0), -INFINITY);
  SAME(F(logaddexp, INFINITY, INFINITY, 0), INFINITY);
  SAME(F(logaddexp, INFINITY, -INFINITY, 0), INFINITY);
  SAME(F(clip, 5, 3, 1), 1);
  SAME(F(clip, NAN, 0, 1), NAN);
  SAME(F(select, 1, NAN, 2), NAN);
  SAME(F(select, 0, NAN, 2), 2);
  SAME(F(relu_gradient, 3, 0, 0), 0);
  SAME(F(relu_gradient, 3, 1, 0), 3);
  SAME(F(isnan, NAN, 0, 0), 1);
  SAME(F(isinf, -INFINITY, 0, 0), 1);
  SAME(F(isfinite, INFINITY, 0, 0), 0);
  SAME(F(i0, 0, 0, 0), 1);
  SAME(F(erfinv, 1, 0, 0), INFINITY);
  SAME(F(erfinv, 2, 0, 0), NAN);
  SAME(F(digamma, -1, 0, 0), NAN);
#undef F
}

static void test_special_functions(void) {
  CHECK_NEAR(APPLY(erfinv, FLOAT64, 0.5, 0, 0), 0.47693627620446987338, 1e-16);
  CHECK_NEAR(erfc(APPLY(erfinv, FLOAT64, 1 - 0x1p-40, 0, 0)) * 0x1p40, 1, 1e-12);
  CHECK_NEAR(APPLY(digamma, FLOAT64, 1, 0, 0), -0.57721566490153286061, 1e-15);
  CHECK_NEAR(APPLY(digamma, FLOAT64, -0.5, 0, 0), 0.03648997397857652056, 1e-14);
  CHECK_NEAR(APPLY(i0, FLOAT64, 1, 0, 0), 1.26606587775200833560, 1e-15);
  CHECK_NEAR(APPLY(i1, FLOAT64, -1, 0, 0), -0.56515910399248502721, 1e-15);
  CHECK_NEAR(APPLY(i0, FLOAT64, 30, 0, 0) / 781672297823.97748971738, 1, 1e-14);
  CHECK_NEAR(APPLY(i0, FLOAT64, 19.9, 0, 0) / APPLY(i0, FLOAT64, 20.1, 0, 0), 0.8229, 1e-3);
}

static void test_integers(void) {
  SAME(APPLY(floor_divide, INT32, 7, 0, 0), 0);
  SAME(APPLY(mod, INT32, 7, 0, 0), 0);
  SAME(APPLY(floor_divide, INT32, INT32_MIN, -1, 0), INT32_MIN);
  SAME(APPLY(mod, INT32, INT32_MIN, -1, 0), 0);
  SAME(APPLY(floor_divide, INT8, -128, -1, 0), -128);
  SAME(APPLY(floor_divide, INT32, -7, 2, 0), -4);
  SAME(APPLY(mod, INT32, -7, 3, 0), 2);
  SAME(APPLY(mod, INT32, 7, -3, 0), -2);
  SAME(APPLY(fmod, INT32, -7, 3, 0), -1);
  SAME(APPLY(power, INT32, 3, 4, 0), 81);
  SAME(APPLY(power, INT32, -1, -3, 0), -1);
  SAME(APPLY(power, INT32, 2, -3, 0), 0);
  SAME(APPLY(power, UINT8, 2, 8, 0), 0);
  SAME(APPLY(absolute, INT8, -128, 0, 0), -128);
  SAME(APPLY(negative, INT16, -32768, 0, 0), -32768);
  SAME(APPLY(add, UINT8, 250, 10, 0), 4);
  SAME(APPLY(multiply, INT32, 1 << 30, 4, 0), 0);
  SAME(APPLY(sign, INT32, -5, 0, 0), -1);
  SAME(APPLY(sign, UINT32, 5, 0, 0), 1);
  SAME(APPLY(gcd, INT32, -12, 18, 0), 6);
  SAME(APPLY(lcm, INT32, 4, -6, 0), 12);
  SAME(APPLY(lcm, INT32, 0, 0, 0), 0);
  SAME(APPLY(left_shift, INT32, 1, 40, 0), 0);
  SAME(APPLY(left_shift, INT32, 1, -1, 0), 0);
  SAME(APPLY(right_shift, INT32, -8, 40, 0), -1);
  SAME(APPLY(right_shift, INT32, -8, 1, 0), -4);
  SAME(APPLY(right_shift, UINT8, 200, 9, 0), 0);
  SAME(APPLY(clip, INT32, 5, 3, 1), 1);
  SAME(APPLY(add, BOOL, 1, 1, 0), 1);
  SAME(APPLY(multiply, BOOL, 1, 0, 0), 0);
  SAME(APPLY(absolute, BOOL, 1, 0, 0), 1);
  SAME(APPLY(logical_xor, BOOL, 1, 1, 0), 0);
}

static void test_quick_functions(void) {
  SAME(APPLY(copy, FLOAT32, 1.5, 0, 0), 1.5);
  SAME(APPLY(signbit, FLOAT32, -0.0, 0, 0), 1);
  SAME(APPLY(signbit, FLOAT32, 2, 0, 0), 0);
  SAME(APPLY(nextafter, FLOAT32, 1, 2, 0), 1 + 0x1p-23);
  SAME(APPLY(sigmoid_gradient, FLOAT64, 3, 0.25, 0), 3 * 0.25 * 0.75);
  SAME(APPLY(tanh_gradient, FLOAT64, 3, 0.5, 0), 3 * 0.75);
  SAME(APPLY(multiply_add, FLOAT32, 3, 4, 5), 17);
  SAME(APPLY(bitwise_not, INT32, 5, 0, 0), -6);
  SAME(APPLY(bitwise_and, INT32, 12, 10, 0), 8);
  SAME(APPLY(bitwise_or, INT32, 12, 10, 0), 14);
  SAME(APPLY(bitwise_xor, INT32, 12, 10, 0), 6);
  SAME(APPLY(logical_not, BOOL, 1, 0, 0), 0);
  SAME(APPLY(logical_and, BOOL, 1, 0, 0), 0);
  SAME(APPLY(logical_or, BOOL, 1, 0, 0), 1);
  SAME(APPLY(equal, FLOAT32, 2, 2, 0), 1);
  SAME(APPLY(equal, FLOAT32, NAN, NAN, 0), 0);
  SAME(APPLY(not_equal, FLOAT32, NAN, NAN, 0), 1);
  SAME(APPLY(less, FLOAT32, 2, 2, 0), 0);
  SAME(APPLY(less_equal, FLOAT32, 2, 2, 0), 1);
  SAME(APPLY(greater, FLOAT32, 3, 2, 0), 1);
  SAME(APPLY(greater_equal, FLOAT32, 1, 2, 0), 0);
}

/* ------------------------------------------------------------------ casts */

static double cast(cusp_dtype from, cusp_dtype to, double value) {
  unsigned char in[8], out[8];
  cusp_store_double(from, in, value);
  cusp_vector_find_cast(from, to)(1, out, (const void *[]){in}, (const int8_t[]){1});
  return cusp_load_double(to, out);
}

static void test_casts(void) {
  SAME(cast(CUSP_FLOAT32, CUSP_INT32, -1.7), -1);
  SAME(cast(CUSP_FLOAT32, CUSP_INT32, 1e20), INT32_MAX);
  SAME(cast(CUSP_FLOAT32, CUSP_INT32, -1e20), INT32_MIN);
  SAME(cast(CUSP_FLOAT32, CUSP_INT32, NAN), 0);
  SAME(cast(CUSP_FLOAT64, CUSP_INT64, 1e300), (double)INT64_MAX);
  SAME(cast(CUSP_FLOAT64, CUSP_UINT64, 1e19), 1e19);
  SAME(cast(CUSP_FLOAT32, CUSP_UINT32, 4e9), (float)4e9);
  SAME(cast(CUSP_FLOAT32, CUSP_UINT8, 300), 44);
  SAME(cast(CUSP_INT32, CUSP_UINT8, -1), 255);
  SAME(cast(CUSP_INT32, CUSP_INT8, 130), -126);
  SAME(cast(CUSP_FLOAT32, CUSP_BOOL, 0.5), 1);
  SAME(cast(CUSP_FLOAT32, CUSP_BOOL, NAN), 1);
  SAME(cast(CUSP_FLOAT16, CUSP_BOOL, 0), 0);
  SAME(cast(CUSP_BOOL, CUSP_FLOAT16, 1), 1);
  SAME(cast(CUSP_FLOAT32, CUSP_FLOAT16, 1e6), INFINITY);
  SAME(cast(CUSP_FLOAT32, CUSP_BFLOAT16, NAN), NAN);
  SAME(cast(CUSP_FLOAT16, CUSP_BFLOAT16, 1.5), 1.5);
  SAME(cast(CUSP_INT64, CUSP_FLOAT64, 1e15), 1e15);
}

/* ------------------------------------------------------------------ steps: the loop over n against
 * n calls of one element */

static void fill_random(cusp_dtype dtype, unsigned char *data, int count) {
  const size_t size = cusp_dtype_size(dtype);
  for (int i = 0; i < count; i++)
    if (dtype == CUSP_BOOL)
      data[i] = random_bits() & 1;
    else if (cusp_dtype_is_float(dtype))
      cusp_store_double(dtype, data + (size_t)i * size, random_between(-3, 3));
    else
      cusp_store_int(dtype, data + (size_t)i * size,
                     (int64_t)(random_bits() >> (random_bits() % 60)));
}

/** Elements agree; a vector register and a scalar may round differently in the last place (a
 * product that is fused into a sum). */
static bool same_element(cusp_dtype dtype, const unsigned char *a, const unsigned char *b) {
  if (memcmp(a, b, cusp_dtype_size(dtype)) == 0)
    return true;
  const double x = cusp_load_double(dtype, a), y = cusp_load_double(dtype, b);
  return cusp_dtype_is_float(dtype) &&
         check_near(x, y, 1e-6 * fabs(x) + (dtype == CUSP_FLOAT32 ? 1e-6 : 0));
}

static void check_steps(cusp_vector_id id, cusp_dtype dtype, int pattern, int64_t n,
                        bool in_place) {
  static unsigned char operand[3][8 * 600], expected[8 * 600], result[8 * 600];
  const cusp_vector_fn function = cusp_vector_find(id, dtype);
  const cusp_dtype out_dtype = rows[id].to_bool ? CUSP_BOOL : dtype;
  const size_t out_size = cusp_dtype_size(out_dtype);
  int8_t step[3];
  size_t size[3];
  const void *in[3] = {operand[0], operand[1], operand[2]};
  for (int k = 0; k < 3; k++) {
    const cusp_dtype kind = id == CUSP_VECTOR_select && k == 0 ? CUSP_BOOL : dtype;
    size[k] = cusp_dtype_size(kind);
    step[k] = pattern >> k & 1;
    fill_random(kind, operand[k], 600);
  }
  for (int64_t i = 0; i < n; i++) {
    const void *one[3] = {operand[0] + i * step[0] * (int64_t)size[0],
                          operand[1] + i * step[1] * (int64_t)size[1],
                          operand[2] + i * step[2] * (int64_t)size[2]};
    function(1, expected + (size_t)i * out_size, one, (const int8_t[]){1, 1, 1});
  }
  const int last = rows[id].arity - 1;
  void *out = in_place && step[last] && size[last] == out_size ? operand[last] : result;
  memset(result, 0x55, sizeof result);
  function(n, out, in, step);
  bool ok = out != result || result[(size_t)n * out_size] == 0x55;
  for (int64_t i = 0; i < n; i++)
    ok &= same_element(out_dtype, expected + (size_t)i * out_size,
                       (unsigned char *)out + (size_t)i * out_size);
  if (!ok)
    fprintf(stderr, "function %d, %s, steps %d, n %d\n", id, cusp_dtype_name(dtype), pattern,
            (int)n);
  CHECK(ok);
}

static void test_steps(void) {
  static const int64_t counts[] = {1, 2, 15, 16, 17, 100, 257, 515};
  for (int id = 1; id < CUSP_VECTOR_COUNT; id++)
    for (int dtype = 0; dtype < CUSP_STRING; dtype++)
      if (cusp_vector_find(id, dtype))
        for (int pattern = 0; pattern < 1 << rows[id].arity; pattern++)
          for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            check_steps(id, dtype, pattern, counts[c], c & 1);
}

static void test_cast_steps(void) {
  static unsigned char in[8 * 600], out[8 * 600];
  for (int from = 0; from < CUSP_STRING; from++)
    for (int to = 0; to < CUSP_STRING; to++) {
      const cusp_vector_fn function = cusp_vector_find_cast(from, to);
      fill_random(from, in, 600);
      for (int8_t step = 0; step < 2; step++) {
        function(515, out, (const void *[]){in}, &step);
        bool ok = true;
        for (int i = 0; i < 515; i++) {
          unsigned char one[8];
          function(1, one, (const void *[]){in + (size_t)(i * step) * cusp_dtype_size(from)},
                   (const int8_t[]){1});
          ok &= memcmp(one, out + (size_t)i * cusp_dtype_size(to), cusp_dtype_size(to)) == 0;
        }
        CHECK(ok);
      }
    }
}

/* More than one piece of work for a thread, and the first and last of each. */
static void test_conversion(void) {
  enum { ELEMENTS = 3 * 65536 + 5 };
  int32_t *from = malloc(ELEMENTS * sizeof *from);
  double *to = malloc(ELEMENTS * sizeof *to);
  int64_t wrong = 0;
  for (int i = 0; i < ELEMENTS; i++)
    from[i] = i - 1000;
  cusp_vector_convert(CUSP_INT32, from, CUSP_FLOAT64, to, ELEMENTS);
  for (int i = 0; i < ELEMENTS; i++)
    wrong += to[i] != i - 1000;
  CHECK(wrong == 0);
  free(from);
  free(to);
}

static void test_missing(void) {
  CHECK(cusp_vector_find(CUSP_VECTOR_bitwise_and, CUSP_FLOAT32) == NULL);
  CHECK(cusp_vector_find(CUSP_VECTOR_bitwise_and, CUSP_FLOAT16) == NULL);
  CHECK(cusp_vector_find(CUSP_VECTOR_exp, CUSP_INT32) == NULL);
  CHECK(cusp_vector_find(CUSP_VECTOR_subtract, CUSP_BOOL) == NULL);
  CHECK(cusp_vector_is_slow(cusp_vector_find(CUSP_VECTOR_tanh, CUSP_FLOAT32)));
  CHECK(!cusp_vector_is_slow(cusp_vector_find(CUSP_VECTOR_add, CUSP_FLOAT32)));
}

static void test_every_function_has_a_case(void) {
  static const char *const names[CUSP_VECTOR_COUNT] = {
#define CUSP_VECTOR(name, arity, result, cost) [CUSP_VECTOR_##name] = #name,
#include "kernels/vector_functions.h"
#undef CUSP_VECTOR
  };
  for (int id = 0; id < CUSP_VECTOR_COUNT; id++) {
    if (names[id] && !has_case[id])
      fprintf(stderr, "%s: no test of its values; add an accuracy case\n", names[id]);
    CHECK(!names[id] || has_case[id]);
  }
}

int main(void) {
  test_accuracy();
  test_binary_accuracy();
  check_float_specials(CUSP_FLOAT32);
  check_float_specials(CUSP_FLOAT64);
  check_float_specials(CUSP_FLOAT16);
  check_float_specials(CUSP_BFLOAT16);
  test_special_functions();
  test_integers();
  test_quick_functions();
  test_casts();
  test_steps();
  test_cast_steps();
  test_conversion();
  test_missing();
  test_every_function_has_a_case();
  return check_summary();
}
