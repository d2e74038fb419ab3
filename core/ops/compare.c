/* Comparisons and logic: results are bool. */

#include "../node/build.h"

#include "../kernels/vector.h"
#include "../node/infer.h"

#include <math.h>

static cusp_node *scalar(double value, cusp_node *like) { return cusp_scalar_like(value, like); }
static cusp_node *both(cusp_node *a, cusp_node *b) { return cusp_apply_2("logical_and", a, b); }
static cusp_node *either(cusp_node *a, cusp_node *b) { return cusp_apply_2("logical_or", a, b); }

CUSP_COMPOSE(compose_isposinf) {
  return cusp_built(outputs[0] = cusp_equal(inputs[0], scalar(INFINITY, inputs[0])));
}
CUSP_COMPOSE(compose_isneginf) {
  return cusp_built(outputs[0] = cusp_equal(inputs[0], scalar(-INFINITY, inputs[0])));
}
CUSP_COMPOSE(compose_isreal) {
  return cusp_built(outputs[0] = cusp_full(&inputs[0]->type.shape, 1, CUSP_BOOL));
}

/* Infinities are close to themselves alone. */
static cusp_node *isclose(cusp_node *a, cusp_node *b, double rtol, double atol, bool equal_nan) {
  cusp_node *bound = cusp_shift(cusp_scale(cusp_absolute(b), rtol), atol);
  cusp_node *near = cusp_apply_2("less_equal", cusp_absolute(cusp_subtract(a, b)), bound);
  cusp_node *close = either(cusp_equal(a, b), both(cusp_apply_1("isfinite", b), near));
  return equal_nan ? either(close, both(cusp_apply_1("isnan", a), cusp_apply_1("isnan", b)))
                   : close;
}

CUSP_COMPOSE(compose_isclose) {
  return cusp_built(outputs[0] = isclose(inputs[0], inputs[1], attrs[0].number, attrs[1].number,
                                         attrs[2].integer));
}

CUSP_COMPOSE(compose_allclose) {
  return cusp_built(outputs[0] = cusp_apply_1("all", isclose(inputs[0], inputs[1], attrs[0].number,
                                                             attrs[1].number, attrs[2].integer)));
}

/* Every element of x1 against every one of x2, as one broadcast comparison. */
CUSP_COMPOSE(compose_isin) {
  cusp_node *x = inputs[0], *set = cusp_apply_1("ravel", inputs[1]);
  cusp_node *found =
      CUSP_APPLY1("any", cusp_equal(cusp_expand_dims(x, -1), set), cusp_attr_int(-1));
  return cusp_built(outputs[0] = attrs[1].integer ? cusp_apply_1("logical_not", found) : found);
}

#define TESTING CUSP_OP_ELEMENTWISE | CUSP_OP_NO_GRADIENT
#define COMPARE(function)                                                                 \
  .flags = TESTING, .promotion = CUSP_PROMOTE_COMMON, .infer = cusp_infer_broadcast_bool, \
  .vector = CUSP_VECTOR_##function
#define EQUALITY(function)                                              \
  .flags = TESTING | CUSP_OP_STRINGS, .promotion = CUSP_PROMOTE_COMMON, \
  .infer = cusp_infer_broadcast_bool, .vector = CUSP_VECTOR_##function
#define LOGIC(function)                                                                 \
  .flags = TESTING, .promotion = CUSP_PROMOTE_BOOL, .infer = cusp_infer_broadcast_bool, \
  .vector = CUSP_VECTOR_##function
#define CLOSE "x1, x2, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = false"

const cusp_op cusp_ops_compare[] = {
    {.name = "equal", .arguments = "x1, x2", .help = "Whether x1 = x2.", EQUALITY(equal)},
    {.name = "not_equal",
     .arguments = "x1, x2",
     .help = "Whether x1 differs from x2.",
     EQUALITY(not_equal)},
    {.name = "less", .arguments = "x1, x2", .help = "Whether x1 < x2.", COMPARE(less)},
    {.name = "less_equal", .arguments = "x1, x2", .help = "Whether x1 <= x2.", COMPARE(less_equal)},
    {.name = "greater", .arguments = "x1, x2", .help = "Whether x1 > x2.", COMPARE(greater)},
    {.name = "greater_equal",
     .arguments = "x1, x2",
     .help = "Whether x1 >= x2.",
     COMPARE(greater_equal)},
    {.name = "logical_and",
     .arguments = "x1, x2",
     .help = "Whether both are true (not 0).",
     LOGIC(logical_and)},
    {.name = "logical_or",
     .arguments = "x1, x2",
     .help = "Whether either is true (not 0).",
     LOGIC(logical_or)},
    {.name = "logical_xor",
     .arguments = "x1, x2",
     .help = "Whether one alone is true (not 0).",
     LOGIC(logical_xor)},
    {.name = "logical_not",
     .arguments = "x",
     .help = "Whether x is false (0).",
     LOGIC(logical_not)},
    {.name = "isposinf",
     .arguments = "x",
     .help = "Whether x is +infinity.",
     .flags = CUSP_OP_NO_GRADIENT,
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_isposinf},
    {.name = "isneginf",
     .arguments = "x",
     .help = "Whether x is -infinity.",
     .flags = CUSP_OP_NO_GRADIENT,
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_isneginf},
    {.name = "isreal",
     .arguments = "x",
     .help = "Whether x has no imaginary part.",
     .flags = CUSP_OP_NO_GRADIENT,
     .compose = compose_isreal},
    {.name = "isclose",
     .arguments = CLOSE,
     .help = "Whether |x1 - x2| <= atol + rtol * |x2|.",
     .flags = CUSP_OP_NO_GRADIENT,
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_isclose},
    {.name = "allclose",
     .arguments = CLOSE,
     .help = "Whether |x1 - x2| <= atol + rtol * |x2| everywhere.",
     .flags = CUSP_OP_NO_GRADIENT,
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_allclose},
    {.name = "isin",
     .arguments = "x1, x2, assume_unique: bool = false, invert: bool = false",
     .help = "Whether each element of x1 is among those of x2.",
     .flags = CUSP_OP_NO_GRADIENT | CUSP_OP_STRINGS,
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = compose_isin},
    {0},
};
