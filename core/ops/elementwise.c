/* Arithmetic of the elements of several operands, which broadcast; see kernels/vector_functions.h
 * for the loops. */

#include "elementwise.h"

#include <math.h>

/* ------------------------------------------------------------------ gradients */

static cusp_node *apply1(const char *name, cusp_node *x) { return cusp_apply_1(name, x); }
static cusp_node *scalar(double value, cusp_node *like) { return cusp_scalar_like(value, like); }
static cusp_node *zero_where(cusp_node *condition, cusp_node *x) {
  return cusp_where(condition, scalar(0, x), x);
}
static cusp_node *keep_where(cusp_node *condition, cusp_node *x) {
  return cusp_where(condition, x, scalar(0, x));
}
static cusp_node *is_zero(cusp_node *x) { return cusp_equal(x, scalar(0, x)); }

#define RULE2(name, first, second)                                   \
  static cusp_status name##_gradient(cusp_gradient *g) {             \
    CUSP_UNUSED cusp_node *a = g->x[0], *b = g->x[1];                \
    CUSP_UNUSED cusp_node *y = g->y[0], *dy = g->dy[0];              \
    if (g->wanted[0])                                                \
      CUSP_TRY(cusp_built(g->dx[0] = (first)));                      \
    return g->wanted[1] ? cusp_built(g->dx[1] = (second)) : CUSP_OK; \
  }

RULE2(add, dy, dy)
RULE2(subtract, dy, cusp_negative(dy))
RULE2(multiply, cusp_multiply(dy, b), cusp_multiply(dy, a))
RULE2(divide, cusp_divide(dy, b), cusp_negative(cusp_multiply(dy, cusp_divide(y, b))))
RULE2(mod, dy, cusp_negative(cusp_multiply(dy, apply1("floor", cusp_divide(a, b)))))
RULE2(fmod, dy, cusp_negative(cusp_multiply(dy, apply1("trunc", cusp_divide(a, b)))))
/* Of two equal operands each has half of the gradient. */
static cusp_node *shared(cusp_node *a, cusp_node *b, cusp_node *dy) {
  return cusp_where(cusp_equal(a, b), cusp_scale(dy, 0.5), dy);
}
RULE2(maximum, keep_where(cusp_greater_equal(a, b), shared(a, b, dy)),
      zero_where(cusp_greater(a, b), shared(a, b, dy)))
RULE2(minimum, keep_where(cusp_greater_equal(b, a), shared(a, b, dy)),
      zero_where(cusp_greater(b, a), shared(a, b, dy)))
/* y is one of the two, whichever is not NaN. */
RULE2(fmax, keep_where(cusp_equal(a, y), dy), zero_where(cusp_equal(a, y), dy))
RULE2(fmin, keep_where(cusp_equal(a, y), dy), zero_where(cusp_equal(a, y), dy))
RULE2(hypot, cusp_multiply(dy, cusp_divide(a, y)), cusp_multiply(dy, cusp_divide(b, y)))
RULE2(logaddexp, cusp_multiply(dy, cusp_exp(cusp_subtract(a, y))),
      cusp_multiply(dy, cusp_exp(cusp_subtract(b, y))))
/* The gradient helpers themselves, for second derivatives; a is a cotangent, b the output it
 * belongs to. */
RULE2(relu_gradient, cusp_apply_2("relu_gradient", dy, b), cusp_zeros_like(b))
RULE2(sigmoid_gradient, cusp_apply_2("sigmoid_gradient", dy, b),
      cusp_multiply(cusp_multiply(dy, a), cusp_subtract(scalar(1, b), cusp_scale(b, 2))))
RULE2(tanh_gradient, cusp_apply_2("tanh_gradient", dy, b),
      cusp_multiply(cusp_multiply(dy, a), cusp_scale(b, -2)))

static cusp_status arctan2_gradient(cusp_gradient *g) {
  cusp_node *a = g->x[0], *b = g->x[1];
  cusp_node *scaled = cusp_divide(g->dy[0], cusp_add(cusp_square(a), cusp_square(b)));
  CUSP_TRY(cusp_built(g->dx[0] = cusp_multiply(scaled, b)));
  return cusp_built(g->dx[1] = cusp_negative(cusp_multiply(scaled, a)));
}

static cusp_status copysign_gradient(cusp_gradient *g) {
  cusp_node *dy = g->dy[0];
  cusp_node *same = cusp_equal(apply1("sign_bit", g->x[0]), apply1("sign_bit", g->x[1]));
  return cusp_built(g->dx[0] = cusp_where(same, dy, cusp_negative(dy)));
}

/* The value of a constant scalar, such as a Lua number. */
static bool constant_value(const cusp_node *node, double *value) {
  bool known = !node->op && cusp_node_evaluated(node) && node->type.shape.ndim == 0;
  if (known)
    *value = cusp_load_double(node->type.dtype, node->value.data);
  return known;
}

/* x^p by x: p * x^(p - 1), and 0 where p is 0 even for x = 0. */
static cusp_node *power_slope(cusp_node *x, cusp_node *p) {
  double exponent;
  if (constant_value(p, &exponent)) {
    if (exponent == 2)
      return cusp_scale(x, 2);
    return exponent == 0 ? cusp_zeros_like(x)
                         : cusp_scale(cusp_apply_2("power", x, scalar(exponent - 1, x)), exponent);
  }
  cusp_node *zero = is_zero(p), *less = cusp_where(zero, scalar(1, p), cusp_shift(p, -1));
  return zero_where(zero, cusp_multiply(p, cusp_apply_2("power", x, less)));
}

/* x^p by p: x^p * log(x), and 0 for x = 0. */
static cusp_status power_gradient(cusp_gradient *g) {
  cusp_node *x = g->x[0], *p = g->x[1], *dy = g->dy[0];
  if (g->wanted[0])
    CUSP_TRY(cusp_built(g->dx[0] = cusp_multiply(dy, power_slope(x, p))));
  if (!g->wanted[1])
    return CUSP_OK;
  cusp_node *logarithm = cusp_log(cusp_where(is_zero(x), scalar(1, x), x));
  return cusp_built(g->dx[1] = cusp_multiply(dy, cusp_multiply(g->y[0], logarithm)));
}

static cusp_status multiply_add_gradient(cusp_gradient *g) {
  cusp_node *dy = g->dy[0];
  CUSP_TRY(cusp_built(g->dx[0] = cusp_multiply(dy, g->x[1])));
  CUSP_TRY(cusp_built(g->dx[1] = cusp_multiply(dy, g->x[0])));
  g->dx[2] = dy;
  return CUSP_OK;
}

static cusp_status select_gradient(cusp_gradient *g) {
  if (g->wanted[1])
    CUSP_TRY(cusp_built(g->dx[1] = keep_where(g->x[0], g->dy[0])));
  return g->wanted[2] ? cusp_built(g->dx[2] = zero_where(g->x[0], g->dy[0])) : CUSP_OK;
}

/* Where x lies between the bounds, both included, the gradient is x's; else that of the bound which
 * was taken. */
static cusp_status clip_gradient(cusp_gradient *g) {
  cusp_node *x = g->x[0], *low = g->x[1], *high = g->x[2], *dy = g->dy[0];
  cusp_node *above = cusp_greater(cusp_maximum(x, low), high), *below = cusp_less(x, low);
  if (g->wanted[0])
    CUSP_TRY(cusp_built(g->dx[0] = zero_where(cusp_apply_2("logical_or", above, below), dy)));
  if (g->wanted[1])
    CUSP_TRY(cusp_built(g->dx[1] = keep_where(below, zero_where(above, dy))));
  return g->wanted[2] ? cusp_built(g->dx[2] = keep_where(above, dy)) : CUSP_OK;
}

static cusp_status infer_select(cusp_inference *inference) {
  CUSP_TRY(cusp_infer_broadcast(inference));
  if (inference->inputs[0].dtype != CUSP_BOOL)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "the condition should be bool, got %s",
                           cusp_dtype_name(inference->inputs[0].dtype));
  return CUSP_OK;
}

/* ------------------------------------------------------------------ compositions */

/* Keras makes int32 of bools before it looks at the bounds. */
static cusp_status clip_bools(cusp_node **out, const cusp_op *op, int n_inputs,
                              cusp_node *const *inputs, int n_attrs, const cusp_attr *attrs) {
  int n_outputs;
  cusp_node *x[3] = {n_inputs == 3 ? inputs[0] : NULL};
  if (!x[0] || x[0]->type.dtype != CUSP_BOOL)
    return CUSP_OK;
  CUSP_TRY(cusp_built(x[0] = cusp_cast(x[0], CUSP_INT32)));
  x[1] = inputs[1];
  x[2] = inputs[2];
  return cusp_op_apply(out, &n_outputs, op, 3, x, n_attrs, attrs);
}

CUSP_COMPOSE(compose_logaddexp2) {
  cusp_node *sum =
      cusp_apply_2("logaddexp", cusp_scale(inputs[0], M_LN2), cusp_scale(inputs[1], M_LN2));
  return cusp_built(outputs[0] = cusp_scale(sum, 1 / M_LN2));
}

/* A NaN on the left stays NaN. */
CUSP_COMPOSE(compose_heaviside) {
  cusp_node *x = inputs[0], *zero = scalar(0, x);
  cusp_node *not_positive =
      cusp_where(cusp_equal(x, zero), inputs[1], cusp_where(cusp_less(x, zero), zero, x));
  return cusp_built(outputs[0] = cusp_where(cusp_greater(x, zero), scalar(1, x), not_positive));
}

CUSP_COMPOSE(compose_divide_no_nan) {
  cusp_node *zero = is_zero(inputs[1]);
  cusp_node *quotient = cusp_divide(inputs[0], cusp_where(zero, scalar(1, inputs[1]), inputs[1]));
  return cusp_built(outputs[0] = zero_where(zero, quotient));
}

CUSP_COMPOSE(compose_ldexp) {
  cusp_dtype dtype = cusp_dtype_to_float(inputs[0]->type.dtype);
  cusp_node *power = apply1("exp2", cusp_cast(inputs[1], dtype));
  return cusp_built(outputs[0] = cusp_multiply(cusp_cast(inputs[0], dtype), power));
}

CUSP_COMPOSE(compose_where) {
  if (n_inputs == 1) {
    int count = cusp_apply_many(outputs, "nonzero", 1, inputs, 0, NULL);
    *n_outputs = count;
    return count > 0 ? CUSP_OK : cusp_built(NULL);
  }
  if (n_inputs == 2 || !inputs[1])
    return cusp_fail(CUSP_EVALUE, "expected both x1 and x2, or neither; got only %s",
                     n_inputs == 2 ? "x1" : "x2");
  return cusp_built(outputs[0] = cusp_apply_3("select_where", cusp_cast(inputs[0], CUSP_BOOL),
                                              inputs[1], inputs[2]));
}

/* ------------------------------------------------------------------ rows */

const cusp_op cusp_ops_elementwise[] = {
    /* two operands */
    {.name = "add", .arguments = "x1, x2", .help = "x1 + x2.", ANY, LOOP(add, add)},
    {.name = "subtract",
     .arguments = "x1, x2",
     .help = "x1 - x2.",
     NUMBERS,
     LOOP(subtract, subtract)},
    {.name = "multiply", .arguments = "x1, x2", .help = "x1 * x2.", ANY, LOOP(multiply, multiply)},
    {.name = "divide",
     .arguments = "x1, x2",
     .help = "x1 / x2, a float.",
     FLOATS,
     LOOP(divide, divide)},
    {.name = "true_divide",
     .arguments = "x1, x2",
     .help = "x1 / x2, a float.",
     FLOATS,
     LOOP(divide, divide)},
    {.name = "divide_no_nan",
     .arguments = "x1, x2",
     .help = "x1 / x2, and 0 where x2 is 0.",
     FLOATS,
     .compose = compose_divide_no_nan},
    {.name = "floor_divide",
     .arguments = "x1, x2",
     .help = "The largest whole number not above x1 / x2.",
     NUMBERS,
     STEPS(floor_divide)},
    {.name = "mod",
     .arguments = "x1, x2",
     .help = "What is left of x1 / x2, with the sign of x2.",
     NUMBERS,
     LOOP(mod, mod)},
    {.name = "fmod",
     .arguments = "x1, x2",
     .help = "What is left of x1 / x2, with the sign of x1.",
     NUMBERS,
     LOOP(fmod, fmod)},
    {.name = "power",
     .arguments = "x1, x2",
     .help = "x1 to the power x2.",
     NUMBERS,
     LOOP(power, power)},
    {.name = "maximum",
     .arguments = "x1, x2",
     .help = "The larger of the two; NaN where either is.",
     ANY,
     LOOP(maximum, maximum)},
    {.name = "minimum",
     .arguments = "x1, x2",
     .help = "The smaller of the two; NaN where either is.",
     ANY,
     LOOP(minimum, minimum)},
    {.name = "fmax",
     .arguments = "x1, x2",
     .help = "The larger of the two, leaving NaN out.",
     ANY,
     LOOP(fmax, fmax)},
    {.name = "fmin",
     .arguments = "x1, x2",
     .help = "The smaller of the two, leaving NaN out.",
     ANY,
     LOOP(fmin, fmin)},
    {.name = "arctan2",
     .arguments = "x1, x2",
     .help = "The angle of the point (x2, x1).",
     TENSORS,
     LOOP(arctan2, arctan2)},
    {.name = "hypot",
     .arguments = "x1, x2",
     .help = "sqrt(x1^2 + x2^2) without overflow.",
     FLOATS,
     LOOP(hypot, hypot)},
    {.name = "logaddexp",
     .arguments = "x1, x2",
     .help = "log(exp(x1) + exp(x2)) without overflow.",
     TENSORS,
     LOOP(logaddexp, logaddexp)},
    {.name = "logaddexp2",
     .arguments = "x1, x2",
     .help = "log2(2^x1 + 2^x2) without overflow.",
     TENSORS,
     .compose = compose_logaddexp2},
    {.name = "heaviside",
     .arguments = "x1, x2",
     .help = "0 below 0, x2 at 0, 1 above.",
     FLOATS,
     .compose = compose_heaviside},
    {.name = "nextafter",
     .arguments = "x1, x2",
     .help = "The next float after x1 towards x2.",
     FLOATS,
     STEPS(nextafter)},
    {.name = "copysign",
     .arguments = "x1, x2",
     .help = "The magnitude of x1 with the sign of x2.",
     FLOATS,
     LOOP(copysign, copysign)},
    {.name = "ldexp", .arguments = "x1, x2", .help = "x1 * 2^x2.", .compose = compose_ldexp},
    {.name = "gcd",
     .arguments = "x1, x2",
     .help = "The greatest common divisor.",
     NUMBERS,
     STEPS(gcd)},
    {.name = "lcm",
     .arguments = "x1, x2",
     .help = "The least common multiple.",
     NUMBERS,
     STEPS(lcm)},
    {.name = "bitwise_and",
     .arguments = "x, y",
     .help = "The bits set in both.",
     ANY,
     STEPS(bitwise_and)},
    {.name = "bitwise_or",
     .arguments = "x, y",
     .help = "The bits set in either.",
     ANY,
     STEPS(bitwise_or)},
    {.name = "bitwise_xor",
     .arguments = "x, y",
     .help = "The bits set in one alone.",
     ANY,
     STEPS(bitwise_xor)},
    {.name = "left_shift",
     .arguments = "x, y",
     .help = "x's bits moved up by y.",
     NUMBERS,
     STEPS(left_shift)},
    {.name = "right_shift",
     .arguments = "x, y",
     .help = "x's bits moved down by y, the sign kept.",
     NUMBERS,
     STEPS(right_shift)},
    {.name = "bitwise_left_shift",
     .arguments = "x, y",
     .help = "x's bits moved up by y.",
     NUMBERS,
     STEPS(left_shift)},
    {.name = "bitwise_right_shift",
     .arguments = "x, y",
     .help = "x's bits moved down by y, the sign kept.",
     NUMBERS,
     STEPS(right_shift)},
    /* three operands */
    {.name = "where",
     .arguments = "condition, x1?, x2?",
     .help = "x1 where the condition holds, x2 elsewhere; with a condition alone, the positions "
             "where it holds.",
     ANY,
     .first_promoted = 1,
     .flags = CUSP_OP_STRINGS,
     .compose = compose_where},
    {.name = "clip",
     .arguments = "x, x_min, x_max",
     .help = "x kept between x_min and x_max; x_max wins.",
     NUMBERS,
     LOOP(clip, clip),
     .instead = clip_bools},
    /* hidden */
    {.name = "select_where",
     .arguments = "condition, x1, x2",
     .help = "x1 where the condition holds, x2 elsewhere.",
     ANY,
     .first_promoted = 1,
     .flags = CUSP_OP_ELEMENTWISE | CUSP_OP_HIDDEN | CUSP_OP_STRINGS,
     .infer = infer_select,
     .gradient = select_gradient,
     .vector = CUSP_VECTOR_select},
    {.name = "multiply_add",
     .arguments = "x1, x2, x3",
     .help = "x1 * x2 + x3.",
     ANY,
     HIDDEN(multiply_add, multiply_add)},
    {.name = "relu_gradient",
     .arguments = "x1, x2",
     .help = "x1 where x2 is above 0.",
     ANY,
     HIDDEN(relu_gradient, relu_gradient)},
    {.name = "sigmoid_gradient",
     .arguments = "x1, x2",
     .help = "x1 * x2 * (1 - x2).",
     ANY,
     HIDDEN(sigmoid_gradient, sigmoid_gradient)},
    {.name = "tanh_gradient",
     .arguments = "x1, x2",
     .help = "x1 * (1 - x2 * x2).",
     ANY,
     HIDDEN(tanh_gradient, tanh_gradient)},
    {0},
};
