/* Functions of each element of one operand; see kernels/vector_functions.h for the loops. */

#include "elementwise.h"

#include <math.h>

/* ------------------------------------------------------------------ inference */

/* 16-bit floats are computed in float32. */
static bool has_loop(int vector, cusp_dtype dtype) {
  return cusp_vector_find((cusp_vector_id)vector, cusp_dtype_widened(dtype)) != NULL;
}

cusp_status cusp_infer_loop(cusp_inference *inference) {
  cusp_dtype dtype = inference->inputs[inference->n_inputs - 1].dtype;
  if (!has_loop(inference->op->vector, dtype))
    return cusp_infer_fail(inference, CUSP_EDTYPE, "not defined for dtype %s",
                           cusp_dtype_name(dtype));
  return cusp_infer_broadcast(inference);
}

cusp_status cusp_infer_test(cusp_inference *inference) {
  CUSP_TRY(cusp_infer_loop(inference));
  inference->outputs[0].dtype = CUSP_BOOL;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ gradients */

#define RULE(name, expression)                           \
  static cusp_status name##_gradient(cusp_gradient *g) { \
    CUSP_UNUSED cusp_node *x = g->x[0], *y = g->y[0];    \
    cusp_node *dy = g->dy[0];                            \
    return cusp_built(g->dx[0] = (expression));          \
  }

static cusp_node *apply1(const char *name, cusp_node *x) { return cusp_apply_1(name, x); }
static cusp_node *scalar(double value, cusp_node *like) { return cusp_scalar_like(value, like); }
/* 1 + x^2 and 1 - x^2 */
static cusp_node *one_plus_square(cusp_node *x) { return cusp_shift(cusp_square(x), 1); }
static cusp_node *one_minus_square(cusp_node *x) {
  return cusp_subtract(scalar(1, x), cusp_square(x));
}
static cusp_node *is_zero(cusp_node *x) { return cusp_equal(x, scalar(0, x)); }

RULE(negative, cusp_negative(dy))
RULE(absolute, cusp_multiply(dy, apply1("sign", x)))
RULE(square, cusp_multiply(dy, cusp_scale(x, 2)))
RULE(sqrt, cusp_multiply(dy, cusp_divide(scalar(0.5, y), y)))
RULE(rsqrt, cusp_multiply(cusp_multiply(dy, cusp_scale(y, -0.5)), cusp_square(y)))
RULE(reciprocal, cusp_negative(cusp_multiply(dy, cusp_square(y))))
RULE(exp, cusp_multiply(dy, y))
RULE(exp2, cusp_multiply(dy, cusp_scale(y, M_LN2)))
RULE(expm1, cusp_multiply(dy, cusp_shift(y, 1)))
RULE(log, cusp_divide(dy, x))
RULE(log2, cusp_divide(cusp_scale(dy, 1 / M_LN2), x))
RULE(log10, cusp_divide(cusp_scale(dy, 1 / M_LN10), x))
RULE(log1p, cusp_divide(dy, cusp_shift(x, 1)))
RULE(sin, cusp_multiply(dy, apply1("cos", x)))
RULE(cos, cusp_negative(cusp_multiply(dy, apply1("sin", x))))
RULE(tan, cusp_multiply(dy, one_plus_square(y)))
RULE(arcsin, cusp_multiply(dy, apply1("rsqrt", one_minus_square(x))))
RULE(arccos, cusp_negative(cusp_multiply(dy, apply1("rsqrt", one_minus_square(x)))))
RULE(arctan, cusp_divide(dy, one_plus_square(x)))
RULE(sinh, cusp_multiply(dy, apply1("cosh", x)))
RULE(cosh, cusp_multiply(dy, apply1("sinh", x)))
RULE(tanh, cusp_apply_2("tanh_gradient", dy, y))
RULE(arcsinh, cusp_multiply(dy, apply1("rsqrt", one_plus_square(x))))
RULE(arccosh,
     cusp_multiply(dy, apply1("rsqrt", cusp_multiply(cusp_shift(x, -1), cusp_shift(x, 1)))))
RULE(arctanh, cusp_divide(dy, one_minus_square(x)))
RULE(cbrt, cusp_divide(cusp_scale(dy, 1.0 / 3), cusp_square(y)))
RULE(erf, cusp_multiply(dy, cusp_scale(cusp_exp(cusp_negative(cusp_square(x))), M_2_SQRTPI)))
RULE(erfc, cusp_multiply(dy, cusp_scale(cusp_exp(cusp_negative(cusp_square(x))), -M_2_SQRTPI)))
RULE(erfinv, cusp_multiply(dy, cusp_scale(cusp_exp(cusp_square(y)), 1 / M_2_SQRTPI)))
RULE(lgamma, cusp_multiply(dy, apply1("digamma", x)))
RULE(i0, cusp_multiply(dy, apply1("i1", x)))
RULE(sigmoid, cusp_apply_2("sigmoid_gradient", dy, y))
RULE(softplus, cusp_multiply(dy, cusp_sigmoid(x)))
RULE(gelu, cusp_multiply(dy, apply1("gelu_slope", x)))

/* phi'(x) = -x phi(x), so that of Phi(x) + x phi(x) is (2 - x^2) phi(x). */
static cusp_status gelu_slope_gradient(cusp_gradient *g) {
  cusp_node *x = g->x[0], *square = cusp_square(x);
  cusp_node *density = cusp_scale(cusp_exp(cusp_scale(square, -0.5)), 0.5 * M_SQRT1_2 * M_2_SQRTPI);
  cusp_node *slope = cusp_multiply(cusp_shift(cusp_negative(square), 2), density);
  return cusp_built(g->dx[0] = cusp_multiply(g->dy[0], slope));
}

RULE(relu, cusp_apply_2("relu_gradient", dy, y))

/* I1'(x) = I0(x) - I1(x) / x, which tends to 1/2 at 0. */
static cusp_status i1_gradient(cusp_gradient *g) {
  cusp_node *x = g->x[0], *zero = is_zero(x);
  cusp_node *slope =
      cusp_subtract(apply1("i0", x), cusp_divide(g->y[0], cusp_where(zero, scalar(1, x), x)));
  return cusp_built(g->dx[0] = cusp_multiply(g->dy[0], cusp_where(zero, scalar(0.5, x), slope)));
}

/* psi'(z) for z >= 1/2: six steps of the recurrence, then the asymptotic series (Abramowitz and
 * Stegun 6.4.12). */
static cusp_node *trigamma_right(cusp_node *z) {
  static const double series[] = {7.0 / 6,  -691.0 / 2730, 5.0 / 66, -1.0 / 30,
                                  1.0 / 42, -1.0 / 30,     1.0 / 6};
  cusp_node *sum = scalar(0, z);
  for (int step = 0; step < 6; step++) {
    sum = cusp_add(sum, apply1("reciprocal", cusp_square(z)));
    z = cusp_shift(z, 1);
  }
  cusp_node *inverse = apply1("reciprocal", z), *square = cusp_square(inverse),
            *tail = scalar(0, z);
  for (size_t i = 0; i < sizeof series / sizeof *series; i++)
    tail = cusp_multiply(cusp_shift(tail, series[i]), square);
  return cusp_add(sum,
                  cusp_multiply(inverse, cusp_add(cusp_shift(tail, 1), cusp_scale(inverse, 0.5))));
}

static cusp_status digamma_gradient(cusp_gradient *g) {
  cusp_node *x = g->x[0], *left = cusp_less(x, scalar(0.5, x));
  cusp_node *right = trigamma_right(cusp_where(left, cusp_subtract(scalar(1, x), x), x));
  cusp_node *sine = apply1("sin", cusp_scale(x, M_PI));
  cusp_node *reflected =
      cusp_subtract(cusp_divide(scalar(M_PI * M_PI, x), cusp_square(sine)), right);
  return cusp_built(g->dx[0] = cusp_multiply(g->dy[0], cusp_where(left, reflected, right)));
}

/* ------------------------------------------------------------------ compositions */

CUSP_COMPOSE(compose_deg2rad) { return cusp_built(outputs[0] = cusp_scale(inputs[0], M_PI / 180)); }
CUSP_COMPOSE(compose_rad2deg) { return cusp_built(outputs[0] = cusp_scale(inputs[0], 180 / M_PI)); }
CUSP_COMPOSE(compose_fabs) { return cusp_built(outputs[0] = cusp_absolute(inputs[0])); }

CUSP_COMPOSE(compose_sinc) {
  cusp_node *x = inputs[0], *zero = is_zero(x),
            *angle = cusp_where(zero, scalar(1, x), cusp_scale(x, M_PI));
  return cusp_built(outputs[0] =
                        cusp_where(zero, scalar(1, x), cusp_divide(apply1("sin", angle), angle)));
}

CUSP_COMPOSE(compose_signbit) {
  cusp_node *number = apply1("logical_not", apply1("isnan", inputs[0]));
  return cusp_built(outputs[0] =
                        cusp_apply_2("logical_and", apply1("sign_bit", inputs[0]), number));
}

/* Half to even, at `decimals` places after the point, or before it where negative. */
CUSP_COMPOSE(compose_round) {
  cusp_node *x = inputs[0];
  bool whole = !cusp_dtype_is_float(x->type.dtype);
  int64_t decimals = attrs[0].integer;
  if (whole && decimals >= 0)
    return cusp_built(outputs[0] = x);
  cusp_node *number = whole ? cusp_cast(x, CUSP_FLOAT64) : x;
  double factor = pow(10, fabs((double)decimals));
  cusp_node *scale = scalar(factor, number);
  if (decimals > 0)
    number = cusp_divide(apply1("round_to_whole", cusp_multiply(number, scale)), scale);
  else if (decimals < 0)
    number = cusp_multiply(apply1("round_to_whole", cusp_divide(number, scale)), scale);
  else
    number = apply1("round_to_whole", number);
  return cusp_built(outputs[0] = cusp_cast(number, x->type.dtype));
}

CUSP_COMPOSE(compose_trunc) {
  bool whole = !cusp_dtype_is_float(inputs[0]->type.dtype);
  return cusp_built(outputs[0] = whole ? inputs[0] : apply1("trunc_to_whole", inputs[0]));
}

CUSP_COMPOSE(compose_nan_to_num) {
  cusp_node *x = inputs[0], *y = x;
  if (!cusp_dtype_is_float(x->type.dtype))
    return cusp_built(outputs[0] = x);
  double most = cusp_dtype_greatest(x->type.dtype);
  double posinf = attrs[1].kind == CUSP_ATTR_FLOAT ? attrs[1].number : most,
         neginf = attrs[2].kind == CUSP_ATTR_FLOAT ? attrs[2].number : -most;
  y = cusp_where(cusp_equal(x, scalar(INFINITY, x)), scalar(posinf, x), y);
  y = cusp_where(cusp_equal(x, scalar(-INFINITY, x)), scalar(neginf, x), y);
  return cusp_built(outputs[0] = cusp_where(apply1("isnan", x), scalar(attrs[0].number, x), y));
}

/* Real numbers as complex ones: their parts, and their angle, 0 or pi. */
CUSP_COMPOSE(compose_real) { return cusp_built(outputs[0] = inputs[0]); }
CUSP_COMPOSE(compose_imag) { return cusp_built(outputs[0] = cusp_zeros_like(inputs[0])); }
CUSP_COMPOSE(compose_angle) {
  cusp_node *x = inputs[0];
  cusp_node *angle = cusp_where(apply1("sign_bit", x), scalar(M_PI, x), scalar(0, x));
  return cusp_built(outputs[0] = cusp_where(apply1("isnan", x), x, angle));
}

/* ------------------------------------------------------------------ rows */

const cusp_op cusp_ops_functions[] = {
    {.name = "negative", .arguments = "x", .help = "-x.", NUMBERS, LOOP(negative, negative)},
    {.name = "absolute", .arguments = "x", .help = "The magnitude of x.", LOOP(absolute, absolute)},
    {.name = "abs", .arguments = "x", .help = "The magnitude of x.", LOOP(absolute, absolute)},
    {.name = "fabs",
     .arguments = "x",
     .help = "The magnitude of x as a float.",
     FLOATS,
     .compose = compose_fabs},
    {.name = "sign", .arguments = "x", .help = "-1, 0 or 1.", NUMBERS, STEPS(sign)},
    {.name = "square", .arguments = "x", .help = "x * x.", NUMBERS, LOOP(square, square)},
    {.name = "sqrt",
     .arguments = "x",
     .help = "The square root; NaN below 0.",
     FLOATS,
     LOOP(sqrt, sqrt)},
    {.name = "rsqrt", .arguments = "x", .help = "1 / sqrt(x).", FLOATS, LOOP(rsqrt, rsqrt)},
    {.name = "reciprocal",
     .arguments = "x",
     .help = "1 / x.",
     FLOATS,
     LOOP(reciprocal, reciprocal)},
    {.name = "exp", .arguments = "x", .help = "e to the power x.", FLOATS, LOOP(exp, exp)},
    {.name = "exp2", .arguments = "x", .help = "2 to the power x.", FLOATS, LOOP(exp2, exp2)},
    {.name = "expm1",
     .arguments = "x",
     .help = "exp(x) - 1, accurate near 0.",
     FLOATS,
     LOOP(expm1, expm1)},
    {.name = "log", .arguments = "x", .help = "The natural logarithm.", FLOATS, LOOP(log, log)},
    {.name = "log2",
     .arguments = "x",
     .help = "The logarithm to base 2.",
     FLOATS,
     LOOP(log2, log2)},
    {.name = "log10",
     .arguments = "x",
     .help = "The logarithm to base 10.",
     FLOATS,
     LOOP(log10, log10)},
    {.name = "log1p",
     .arguments = "x",
     .help = "log(1 + x), accurate near 0.",
     FLOATS,
     LOOP(log1p, log1p)},
    {.name = "sin", .arguments = "x", .help = "The sine of x radians.", FLOATS, LOOP(sin, sin)},
    {.name = "cos", .arguments = "x", .help = "The cosine of x radians.", FLOATS, LOOP(cos, cos)},
    {.name = "tan", .arguments = "x", .help = "The tangent of x radians.", FLOATS, LOOP(tan, tan)},
    {.name = "arcsin",
     .arguments = "x",
     .help = "The angle whose sine is x.",
     FLOATS,
     LOOP(arcsin, arcsin)},
    {.name = "arccos",
     .arguments = "x",
     .help = "The angle whose cosine is x.",
     FLOATS,
     LOOP(arccos, arccos)},
    {.name = "arctan",
     .arguments = "x",
     .help = "The angle whose tangent is x.",
     FLOATS,
     LOOP(arctan, arctan)},
    {.name = "sinh", .arguments = "x", .help = "The hyperbolic sine.", FLOATS, LOOP(sinh, sinh)},
    {.name = "cosh", .arguments = "x", .help = "The hyperbolic cosine.", FLOATS, LOOP(cosh, cosh)},
    {.name = "tanh", .arguments = "x", .help = "The hyperbolic tangent.", FLOATS, LOOP(tanh, tanh)},
    {.name = "arcsinh",
     .arguments = "x",
     .help = "The inverse of sinh.",
     FLOATS,
     LOOP(arcsinh, arcsinh)},
    {.name = "arccosh",
     .arguments = "x",
     .help = "The inverse of cosh.",
     FLOATS,
     LOOP(arccosh, arccosh)},
    {.name = "arctanh",
     .arguments = "x",
     .help = "The inverse of tanh.",
     FLOATS,
     LOOP(arctanh, arctanh)},
    {.name = "cbrt",
     .arguments = "x",
     .help = "The cube root, of negative numbers too.",
     FLOATS,
     LOOP(cbrt, cbrt)},
    {.name = "erf", .arguments = "x", .help = "The error function.", FLOATS, LOOP(erf, erf)},
    {.name = "erfc",
     .arguments = "x",
     .help = "1 - erf(x), accurate for large x.",
     FLOATS,
     LOOP(erfc, erfc)},
    {.name = "gelu_exact",
     .arguments = "x",
     .help = "x times the share of a normal distribution below it.",
     FLOATS,
     HIDDEN(gelu, gelu)},
    {.name = "gelu_slope",
     .arguments = "x",
     .help = "The derivative of gelu_exact.",
     FLOATS,
     HIDDEN(gelu_slope, gelu_slope)},
    {.name = "erfinv",
     .arguments = "x",
     .help = "The inverse of erf.",
     FLOATS,
     LOOP(erfinv, erfinv)},
    {.name = "lgamma",
     .arguments = "x",
     .help = "The logarithm of the gamma function's magnitude.",
     FLOATS,
     LOOP(lgamma, lgamma)},
    {.name = "digamma",
     .arguments = "x",
     .help = "The derivative of lgamma.",
     FLOATS,
     LOOP(digamma, digamma)},
    {.name = "i0",
     .arguments = "x",
     .help = "The modified Bessel function of the first kind, order 0.",
     FLOATS,
     LOOP(i0, i0)},
    {.name = "i1",
     .arguments = "x",
     .help = "The modified Bessel function of the first kind, order 1.",
     FLOATS,
     LOOP(i1, i1)},
    {.name = "ceil",
     .arguments = "x",
     .help = "The smallest whole number not below x, as a float.",
     FLOATS,
     STEPS(ceil)},
    {.name = "floor",
     .arguments = "x",
     .help = "The largest whole number not above x, as a float.",
     FLOATS,
     STEPS(floor)},
    {.name = "round",
     .arguments = "x, decimals: int = 0",
     .help = "To that many decimals, half to even.",
     .compose = compose_round},
    {.name = "trunc", .arguments = "x", .help = "The whole part of x.", .compose = compose_trunc},
    {.name = "round_to_whole",
     .arguments = "x",
     .help = "Half to even.",
     FLOATS,
     .flags = CUSP_OP_ELEMENTWISE | CUSP_OP_NO_GRADIENT | CUSP_OP_HIDDEN,
     .infer = cusp_infer_loop,
     .vector = CUSP_VECTOR_round},
    {.name = "trunc_to_whole",
     .arguments = "x",
     .help = "Towards zero.",
     FLOATS,
     .flags = CUSP_OP_ELEMENTWISE | CUSP_OP_NO_GRADIENT | CUSP_OP_HIDDEN,
     .infer = cusp_infer_loop,
     .vector = CUSP_VECTOR_trunc},
    {.name = "bitwise_not", .arguments = "x", .help = "Every bit inverted.", STEPS(bitwise_not)},
    {.name = "bitwise_invert", .arguments = "x", .help = "Every bit inverted.", STEPS(bitwise_not)},
    {.name = "isnan", .arguments = "x", .help = "Whether x is not a number.", FLOATS, TEST(isnan)},
    {.name = "isinf", .arguments = "x", .help = "Whether x is infinite.", FLOATS, TEST(isinf)},
    {.name = "isfinite",
     .arguments = "x",
     .help = "Whether x is neither infinite nor NaN.",
     FLOATS,
     TEST(isfinite)},
    {.name = "signbit",
     .arguments = "x",
     .help = "Whether x is below 0, or -0; NaN has no sign.",
     FLOATS,
     .flags = CUSP_OP_NO_GRADIENT,
     .compose = compose_signbit},
    {.name = "sign_bit",
     .arguments = "x",
     .help = "Whether the sign bit is set.",
     FLOATS,
     .flags = CUSP_OP_ELEMENTWISE | CUSP_OP_NO_GRADIENT | CUSP_OP_HIDDEN,
     .infer = cusp_infer_test,
     .vector = CUSP_VECTOR_signbit},
    {.name = "deg2rad",
     .arguments = "x",
     .help = "Degrees to radians.",
     FLOATS,
     .compose = compose_deg2rad},
    {.name = "rad2deg",
     .arguments = "x",
     .help = "Radians to degrees.",
     FLOATS,
     .compose = compose_rad2deg},
    {.name = "sinc",
     .arguments = "x",
     .help = "sin(pi x) / (pi x), and 1 at 0.",
     FLOATS,
     .compose = compose_sinc},
    {.name = "nan_to_num",
     .arguments = "x, nan: float = 0, posinf: float = nil, neginf: float = nil",
     .help = "NaN and infinities replaced; infinities by the largest finite numbers unless given.",
     .compose = compose_nan_to_num},
    {.name = "real", .arguments = "x", .help = "The real part.", .compose = compose_real},
    {.name = "imag", .arguments = "x", .help = "The imaginary part.", .compose = compose_imag},
    {.name = "conj", .arguments = "x", .help = "The complex conjugate.", .compose = compose_real},
    {.name = "conjugate",
     .arguments = "x",
     .help = "The complex conjugate.",
     .compose = compose_real},
    {.name = "angle",
     .arguments = "x",
     .help = "The angle of x as a complex number.",
     FLOATS,
     .compose = compose_angle},
    /* the smooth steps of networks that have loops of their own */
    {.name = "sigmoid",
     .arguments = "x",
     .help = "1 / (1 + exp(-x)).",
     FLOATS,
     LOOP(sigmoid, sigmoid)},
    {.name = "softplus",
     .arguments = "x",
     .help = "log(1 + exp(x)).",
     FLOATS,
     LOOP(softplus, softplus)},
    {.name = "relu",
     .arguments = "x",
     .help = "x where it is above 0, else 0.",
     NUMBERS,
     LOOP(relu, relu)},
    {0},
};
