/*
 * The list of vector functions (see vector.h): CUSP_VECTOR(NAME, arity, result, cost).
 * result: `same` dtype as the operands, or `bool`. cost of an element: `quick`, or `slow`, some ten
 * times an addition; for estimates. No include guard: included several times with CUSP_VECTOR
 * defined.
 */
#ifndef CUSP_SLEEF
#define CUSP_SLEEF(name, function, bound) CUSP_VECTOR(name, 1, same, slow)
#endif
/* what SLEEF computes: its name of the function, and of the bound on the error */
CUSP_SLEEF(exp2, exp2, u10)
CUSP_SLEEF(expm1, expm1, u10)
CUSP_SLEEF(log2, log2, u10)
CUSP_SLEEF(log10, log10, u10)
CUSP_SLEEF(log1p, log1p, u10)
CUSP_SLEEF(sin, sin, u10)
CUSP_SLEEF(cos, cos, u10)
CUSP_SLEEF(tan, tan, u10)
CUSP_SLEEF(arcsin, asin, u10)
CUSP_SLEEF(arccos, acos, u10)
CUSP_SLEEF(arctan, atan, u10)
CUSP_SLEEF(sinh, sinh, u10)
CUSP_SLEEF(cosh, cosh, u10)
CUSP_SLEEF(arcsinh, asinh, u10)
CUSP_SLEEF(arccosh, acosh, u10)
CUSP_SLEEF(arctanh, atanh, u10)
CUSP_SLEEF(cbrt, cbrt, u10)
CUSP_SLEEF(erf, erf, u10)
CUSP_SLEEF(erfc, erfc, u15)
CUSP_SLEEF(lgamma, lgamma, u10)
/* unary */
CUSP_VECTOR(copy, 1, same, quick)
CUSP_VECTOR(negative, 1, same, quick)
CUSP_VECTOR(absolute, 1, same, quick)
CUSP_VECTOR(sign, 1, same, quick)
CUSP_VECTOR(square, 1, same, quick)
CUSP_VECTOR(sqrt, 1, same, quick)
CUSP_VECTOR(rsqrt, 1, same, quick)
CUSP_VECTOR(reciprocal, 1, same, quick)
CUSP_VECTOR(exp, 1, same, slow)
CUSP_VECTOR(log, 1, same, slow)
CUSP_VECTOR(tanh, 1, same, slow)
CUSP_VECTOR(erfinv, 1, same, slow)
CUSP_VECTOR(digamma, 1, same, slow)
CUSP_VECTOR(i0, 1, same, slow)
CUSP_VECTOR(i1, 1, same, slow)
CUSP_VECTOR(sigmoid, 1, same, slow)
CUSP_VECTOR(softplus, 1, same, slow)
CUSP_VECTOR(gelu, 1, same, slow)
CUSP_VECTOR(gelu_slope, 1, same, slow)
CUSP_VECTOR(relu, 1, same, quick)
CUSP_VECTOR(ceil, 1, same, quick)
CUSP_VECTOR(floor, 1, same, quick)
CUSP_VECTOR(round, 1, same, quick)
CUSP_VECTOR(trunc, 1, same, quick)
CUSP_VECTOR(bitwise_not, 1, same, quick)
CUSP_VECTOR(logical_not, 1, bool, quick)
CUSP_VECTOR(isnan, 1, bool, quick)
CUSP_VECTOR(isinf, 1, bool, quick)
CUSP_VECTOR(isfinite, 1, bool, quick)
CUSP_VECTOR(signbit, 1, bool, quick)
/* binary */
CUSP_VECTOR(add, 2, same, quick)
CUSP_VECTOR(subtract, 2, same, quick)
CUSP_VECTOR(multiply, 2, same, quick)
CUSP_VECTOR(divide, 2, same, quick)
CUSP_VECTOR(floor_divide, 2, same, slow)
CUSP_VECTOR(mod, 2, same, slow)
CUSP_VECTOR(fmod, 2, same, slow)
CUSP_VECTOR(power, 2, same, slow)
CUSP_VECTOR(maximum, 2, same, quick)
CUSP_VECTOR(minimum, 2, same, quick)
CUSP_VECTOR(fmax, 2, same, quick)
CUSP_VECTOR(fmin, 2, same, quick)
CUSP_VECTOR(arctan2, 2, same, quick)
CUSP_VECTOR(hypot, 2, same, quick)
CUSP_VECTOR(logaddexp, 2, same, quick)
CUSP_VECTOR(nextafter, 2, same, quick)
CUSP_VECTOR(copysign, 2, same, quick)
CUSP_VECTOR(gcd, 2, same, quick)
CUSP_VECTOR(lcm, 2, same, quick)
CUSP_VECTOR(bitwise_and, 2, same, quick)
CUSP_VECTOR(bitwise_or, 2, same, quick)
CUSP_VECTOR(bitwise_xor, 2, same, quick)
CUSP_VECTOR(left_shift, 2, same, quick)
CUSP_VECTOR(right_shift, 2, same, quick)
CUSP_VECTOR(equal, 2, bool, quick)
CUSP_VECTOR(not_equal, 2, bool, quick)
CUSP_VECTOR(less, 2, bool, quick)
CUSP_VECTOR(less_equal, 2, bool, quick)
CUSP_VECTOR(greater, 2, bool, quick)
CUSP_VECTOR(greater_equal, 2, bool, quick)
CUSP_VECTOR(logical_and, 2, bool, quick)
CUSP_VECTOR(logical_or, 2, bool, quick)
CUSP_VECTOR(logical_xor, 2, bool, quick)
/* gradient helpers: (cotangent, value) in one pass */
CUSP_VECTOR(relu_gradient, 2, same, quick)    /* y > 0 ? dy : 0, from the output y */
CUSP_VECTOR(sigmoid_gradient, 2, same, quick) /* dy * y * (1 - y) */
CUSP_VECTOR(tanh_gradient, 2, same, quick)    /* dy * (1 - y * y) */
/* ternary */
CUSP_VECTOR(multiply_add, 3, same, quick) /* a * b + c */
CUSP_VECTOR(select, 3, same, quick)       /* condition (bool) ? b : c */
CUSP_VECTOR(clip, 3, same, quick)         /* min(max(x, low), high): high wins when low > high */
#undef CUSP_SLEEF
