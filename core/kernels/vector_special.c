#include "vector_special.h"

#include <math.h>

static double polynomial(double x, int count, const double *coefficients) {
  double y = coefficients[0];
  for (int i = 1; i < count; i++)
    y = y * x + coefficients[i];
  return y;
}

/* Starts from Giles, "Approximating the erfinv function" (GPU Computing Gems, 2011), single
 * precision; steps of Halley follow. */
static double erfinv_start(double x) {
  static const double centre[] = {2.81022636e-08,  3.43273939e-07, -3.5233877e-06,
                                  -4.39150654e-06, 0.00021858087,  -0.00125372503,
                                  -0.00417768164,  0.246640727,    1.50140941};
  static const double tail[] = {-0.000200214257, 0.000100950558, 0.00134934322,
                                -0.00367342844,  0.00573950773,  -0.0076224613,
                                0.00943887047,   1.00167406,     2.83297682};
  const double w = -log((1 - x) * (1 + x));
  return x * (w < 5 ? polynomial(w - 2.5, 9, centre) : polynomial(sqrt(w) - 3, 9, tail));
}

double cusp_special_erfinv(double x) {
  if (!(fabs(x) < 1))
    return fabs(x) == 1 ? copysign(INFINITY, x) : NAN;
  double y = erfinv_start(x);
  for (int round = 0; round < 5; round++) {
    /* near the ends erf(y) - x cancels; the complements do not */
    const double error = x > 0.5 ? (1 - x) - erfc(y) : x < -0.5 ? erfc(-y) - (1 + x) : erf(y) - x;
    /* over the slope 2 / sqrt(pi) * e^-y^2 */
    const double newton = error * exp(y * y) * 0.88622692545275801365;
    y -= newton / (1 + y * newton);
  }
  return y;
}

double cusp_special_digamma(double x) {
  if (x <= 0) {
    if (x == floor(x))
      return NAN;
    return cusp_special_digamma(1 - x) - M_PI / tan(M_PI * x);
  }
  double sum = 0;
  /* psi(x) = psi(x + 1) - 1 / x, until the asymptotic series is exact enough */
  for (; x < 10; x += 1)
    sum -= 1 / x;
  static const double series[] = {1.0 / 12,  -691.0 / 32760, 1.0 / 132, -1.0 / 240,
                                  1.0 / 252, -1.0 / 120,     1.0 / 12};
  const double square = 1 / (x * x);
  return sum + log(x) - 0.5 / x - square * polynomial(square, 7, series);
}

/** e^-|x| I_order(x) for large |x|: the asymptotic series, whose smallest term is below 1e-16 from
 * |x| = 20 on. */
static double bessel_asymptotic(int order, double x) {
  const double mu = 4.0 * order * order;
  double term = 1, sum = 1;
  for (int k = 1; k < 40; k++) {
    const double odd = 2 * k - 1;
    const double next = -term * (mu - odd * odd) / (k * 8 * x);
    if (fabs(next) >= fabs(term) || fabs(next) < 1e-17)
      break;
    term = next;
    sum += term;
  }
  return sum / sqrt(2 * M_PI * x);
}

/** The power series: all terms have one sign, so nothing cancels. */
static double bessel_series(int order, double x) {
  const double quarter = x * x / 4;
  double term = order == 0 ? 1 : x / 2, sum = term;
  for (int k = 1; term > sum * 1e-17; k++) {
    term *= quarter / ((double)k * (k + order));
    sum += term;
  }
  return sum;
}

/** NaN at infinity, as in the libraries that Keras runs on. */
static double bessel(int order, double x) {
  if (isnan(x) || isinf(x))
    return NAN;
  if (x <= 20)
    return bessel_series(order, x);
  const double half = exp(x / 2); /* e^x would overflow before the result does */
  return isinf(half) ? INFINITY : half * bessel_asymptotic(order, x) * half;
}

double cusp_special_i0(double x) { return bessel(0, fabs(x)); }

double cusp_special_i1(double x) { return copysign(bessel(1, fabs(x)), x); }
