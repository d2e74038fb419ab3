#ifndef CUSP_KERNELS_VECTOR_SPECIAL_H
#define CUSP_KERNELS_VECTOR_SPECIAL_H
/* Special functions that neither the C library nor SLEEF has, one number at a time in double
 * (rarely used, exact enough). */

/** The y with erf(y) = x, for -1 <= x <= 1; NaN outside. */
double cusp_special_erfinv(double x);
/** The derivative of log gamma; NaN at 0, -1, -2, ... */
double cusp_special_digamma(double x);
/** Modified Bessel functions of the first kind, of order 0 and 1. */
double cusp_special_i0(double x);
double cusp_special_i1(double x);

#endif
