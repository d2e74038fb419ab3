/* Activation functions: compositions of elementwise rows, which fusion makes one loop. Formulas as
 * keras.ops defines them. */

#include "../node/build.h"

#include <math.h>

static cusp_node *scalar(double value, cusp_node *like) { return cusp_scalar_like(value, like); }
static cusp_node *relu(cusp_node *x) { return cusp_apply_1("relu", x); }
static cusp_node *positive(cusp_node *x) { return cusp_greater(x, scalar(0, x)); }
static cusp_node *clip(cusp_node *x, double low, double high) {
  return cusp_apply_3("clip", x, scalar(low, x), scalar(high, x));
}
static cusp_node *magnitude(cusp_node *x) { return cusp_absolute(x); }

/* expm1 of what is not above 0, so that the branch not taken does not overflow. */
static cusp_node *below(cusp_node *x) { return cusp_where(positive(x), scalar(0, x), x); }
static cusp_node *expm1_below(cusp_node *x) { return cusp_apply_1("expm1", below(x)); }

static cusp_node *elu(cusp_node *x, double alpha) {
  return cusp_where(positive(x), x, cusp_scale(expm1_below(x), alpha));
}

CUSP_COMPOSE(compose_silu) {
  return cusp_built(outputs[0] = cusp_multiply(inputs[0], cusp_sigmoid(inputs[0])));
}

/* Hendrycks and Gimpel, "Gaussian error linear units" (2016). */
CUSP_COMPOSE(compose_gelu) {
  cusp_node *x = inputs[0];
  if (!attrs[0].integer)
    return cusp_built(outputs[0] = cusp_apply_1("gelu_exact", x));
  cusp_node *cubic = cusp_add(x, cusp_scale(cusp_multiply(x, cusp_square(x)), 0.044715));
  cusp_node *share = cusp_shift(cusp_apply_1("tanh", cusp_scale(cubic, M_2_SQRTPI * M_SQRT1_2)), 1);
  return cusp_built(outputs[0] = cusp_multiply(cusp_scale(x, 0.5), share));
}

CUSP_COMPOSE(compose_elu) { return cusp_built(outputs[0] = elu(inputs[0], attrs[0].number)); }

/* Klambauer et al., "Self-normalizing neural networks" (2017): its two constants. */
CUSP_COMPOSE(compose_selu) {
  return cusp_built(outputs[0] = cusp_scale(elu(inputs[0], 1.6732632423543772848170429916717),
                                            1.0507009873554804934193349852946));
}

CUSP_COMPOSE(compose_celu) {
  cusp_node *x = inputs[0];
  double alpha = attrs[0].number;
  if (alpha == 0)
    return cusp_fail(CUSP_EVALUE, "alpha should be different from 0");
  cusp_node *curve = cusp_apply_1("expm1", cusp_scale(below(x), 1 / alpha));
  return cusp_built(outputs[0] = cusp_add(relu(x), cusp_scale(curve, alpha)));
}

CUSP_COMPOSE(compose_leaky_relu) {
  cusp_node *x = inputs[0];
  return cusp_built(outputs[0] = cusp_where(positive(x), x, cusp_scale(x, attrs[0].number)));
}

/* Flat at both corners, where clip would have a slope. */
static cusp_node *relu6(cusp_node *x) {
  return cusp_where(cusp_greater_equal(x, scalar(6, x)), scalar(6, x), relu(x));
}
static cusp_node *hard_sigmoid(cusp_node *x) {
  return cusp_scale(relu6(cusp_shift(x, 3)), 1.0 / 6);
}

CUSP_COMPOSE(compose_relu6) { return cusp_built(outputs[0] = relu6(inputs[0])); }

CUSP_COMPOSE(compose_hard_sigmoid) { return cusp_built(outputs[0] = hard_sigmoid(inputs[0])); }
CUSP_COMPOSE(compose_hard_silu) {
  return cusp_built(outputs[0] = cusp_multiply(inputs[0], hard_sigmoid(inputs[0])));
}
CUSP_COMPOSE(compose_hard_tanh) { return cusp_built(outputs[0] = clip(inputs[0], -1, 1)); }

CUSP_COMPOSE(compose_hard_shrink) {
  cusp_node *x = inputs[0];
  return cusp_built(outputs[0] = cusp_where(cusp_greater(magnitude(x), scalar(attrs[0].number, x)),
                                            x, scalar(0, x)));
}

CUSP_COMPOSE(compose_soft_shrink) {
  cusp_node *x = inputs[0];
  double edge = attrs[0].number;
  cusp_node *inner = cusp_where(cusp_less(x, scalar(-edge, x)), cusp_shift(x, edge), scalar(0, x));
  return cusp_built(outputs[0] =
                        cusp_where(cusp_greater(x, scalar(edge, x)), cusp_shift(x, -edge), inner));
}

CUSP_COMPOSE(compose_tanh_shrink) {
  return cusp_built(outputs[0] = cusp_subtract(inputs[0], cusp_apply_1("tanh", inputs[0])));
}

CUSP_COMPOSE(compose_threshold) {
  cusp_node *x = inputs[0];
  return cusp_built(outputs[0] = cusp_where(cusp_greater(x, scalar(attrs[0].number, x)), x,
                                            scalar(attrs[1].number, x)));
}

/* Misra, "Mish: a self regularized non-monotonic activation function" (2019). */
CUSP_COMPOSE(compose_mish) {
  cusp_node *x = inputs[0];
  return cusp_built(outputs[0] =
                        cusp_multiply(x, cusp_apply_1("tanh", cusp_apply_1("softplus", x))));
}

CUSP_COMPOSE(compose_log_sigmoid) {
  return cusp_built(outputs[0] = cusp_negative(cusp_apply_1("softplus", cusp_negative(inputs[0]))));
}

CUSP_COMPOSE(compose_softsign) {
  cusp_node *x = inputs[0];
  return cusp_built(outputs[0] = cusp_divide(x, cusp_shift(magnitude(x), 1)));
}

CUSP_COMPOSE(compose_squareplus) {
  cusp_node *x = inputs[0];
  return cusp_built(outputs[0] = cusp_scale(
                        cusp_add(x, cusp_sqrt(cusp_shift(cusp_square(x), attrs[0].number))), 0.5));
}

/* 0 up to -1, (x + 1)^2 / 4 up to 1, then x. */
CUSP_COMPOSE(compose_sparse_plus) {
  cusp_node *x = inputs[0], *curve = cusp_scale(cusp_square(cusp_shift(clip(x, -1, 1), 1)), 0.25);
  return cusp_built(outputs[0] = cusp_where(cusp_less(x, scalar(1, x)), curve, x));
}

CUSP_COMPOSE(compose_sparse_sigmoid) {
  return cusp_built(outputs[0] = clip(cusp_scale(cusp_shift(inputs[0], 1), 0.5), 0, 1));
}

/* Dauphin et al., "Language modeling with gated convolutional networks" (2016): one half times the
 * other's sigmoid. */
CUSP_COMPOSE(compose_glu) {
  cusp_node *halves[CUSP_MAX_OUTPUTS];
  int count =
      cusp_apply_many(halves, "split", 1, inputs, 2, (cusp_attr[]){cusp_attr_int(2), attrs[0]});
  return cusp_built(outputs[0] =
                        count == 2 ? cusp_multiply(halves[0], cusp_sigmoid(halves[1])) : NULL);
}

#define FLOATS .promotion = CUSP_PROMOTE_FLOAT

const cusp_op cusp_ops_activations[] = {
    {.name = "silu", .arguments = "x", .help = "x * sigmoid(x).", FLOATS, .compose = compose_silu},
    {.name = "swish", .arguments = "x", .help = "x * sigmoid(x).", FLOATS, .compose = compose_silu},
    {.name = "gelu",
     .arguments = "x, approximate: bool = true",
     .help = "x times the normal distribution function of x, or its approximation by tanh.",
     FLOATS,
     .compose = compose_gelu},
    {.name = "elu",
     .arguments = "x, alpha: float = 1",
     .help = "x above 0, alpha * (exp(x) - 1) below.",
     FLOATS,
     .compose = compose_elu},
    {.name = "selu",
     .arguments = "x",
     .help = "elu scaled so that activations normalise themselves.",
     FLOATS,
     .compose = compose_selu},
    {.name = "celu",
     .arguments = "x, alpha: float = 1",
     .help = "x above 0, alpha * (exp(x / alpha) - 1) below.",
     FLOATS,
     .compose = compose_celu},
    {.name = "leaky_relu",
     .arguments = "x, negative_slope: float = 0.2",
     .help = "x above 0, negative_slope * x below.",
     FLOATS,
     .compose = compose_leaky_relu},
    {.name = "relu6",
     .arguments = "x",
     .help = "x kept between 0 and 6.",
     FLOATS,
     .compose = compose_relu6},
    {.name = "hard_sigmoid",
     .arguments = "x",
     .help = "x / 6 + 1 / 2, kept between 0 and 1.",
     FLOATS,
     .compose = compose_hard_sigmoid},
    {.name = "hard_silu",
     .arguments = "x",
     .help = "x * hard_sigmoid(x).",
     FLOATS,
     .compose = compose_hard_silu},
    {.name = "hard_swish",
     .arguments = "x",
     .help = "x * hard_sigmoid(x).",
     FLOATS,
     .compose = compose_hard_silu},
    {.name = "hard_tanh",
     .arguments = "x",
     .help = "x kept between -1 and 1.",
     .promotion = CUSP_PROMOTE_NO_BOOL,
     .compose = compose_hard_tanh},
    {.name = "hard_shrink",
     .arguments = "x, threshold: float = 0.5",
     .help = "x where its magnitude is above the threshold, else 0.",
     FLOATS,
     .compose = compose_hard_shrink},
    {.name = "soft_shrink",
     .arguments = "x, threshold: float = 0.5",
     .help = "x moved towards 0 by the threshold, and 0 within it.",
     FLOATS,
     .compose = compose_soft_shrink},
    {.name = "tanh_shrink",
     .arguments = "x",
     .help = "x - tanh(x).",
     FLOATS,
     .compose = compose_tanh_shrink},
    {.name = "threshold",
     .arguments = "x, threshold: float, default_value: float",
     .help = "x where it is above the threshold, else the default value.",
     FLOATS,
     .compose = compose_threshold},
    {.name = "mish",
     .arguments = "x",
     .help = "x * tanh(softplus(x)).",
     FLOATS,
     .compose = compose_mish},
    {.name = "log_sigmoid",
     .arguments = "x",
     .help = "log(sigmoid(x)), without overflow.",
     FLOATS,
     .compose = compose_log_sigmoid},
    {.name = "softsign",
     .arguments = "x",
     .help = "x / (1 + |x|).",
     FLOATS,
     .compose = compose_softsign},
    {.name = "squareplus",
     .arguments = "x, b: float = 4",
     .help = "(x + sqrt(x^2 + b)) / 2.",
     FLOATS,
     .compose = compose_squareplus},
    {.name = "sparse_plus",
     .arguments = "x",
     .help = "0 up to -1, (x + 1)^2 / 4 up to 1, x beyond.",
     FLOATS,
     .compose = compose_sparse_plus},
    {.name = "sparse_sigmoid",
     .arguments = "x",
     .help = "(x + 1) / 2, kept between 0 and 1.",
     FLOATS,
     .compose = compose_sparse_sigmoid},
    {.name = "glu",
     .arguments = "x, axis: axis = -1",
     .help = "Splits an axis into halves: the first times the sigmoid of the second.",
     FLOATS,
     .compose = compose_glu},
    {0},
};
