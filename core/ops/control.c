/*
 * Rows that compute nothing new: conversions, copies, and the hidden row by which one output of
 * several is reached (its cotangents are collected for the node below it, whose rule sees them
 * together).
 */

#include "../node/build.h"
#include "../node/promote.h"

#include "../kernels/vector.h"
#include "../node/infer.h"

static cusp_status infer_cast(cusp_inference *inference) {
  inference->outputs[0] = inference->inputs[0];
  inference->outputs[0].dtype = (cusp_dtype)inference->attrs[0].integer;
  return CUSP_OK;
}

/* A Lua number is converted as it is written, not by way of the dtype that it would have alone. */
static cusp_status cast_number(cusp_node **out, const cusp_op *op, int n_inputs,
                               cusp_node *const *inputs, int n_attrs, const cusp_attr *attrs) {
  (void)op;
  bool number =
      n_inputs == 1 && inputs[0]->weak && n_attrs == 1 && attrs[0].kind == CUSP_ATTR_DTYPE;
  return number ? cusp_cast_node(out, inputs[0], (cusp_dtype)attrs[0].integer) : CUSP_OK;
}

/* The caller casts a cotangent to the dtype of what it belongs to. */
static cusp_status gradient_passes(cusp_gradient *g) {
  if (cusp_dtype_is_float(g->x[0]->type.dtype))
    g->dx[0] = g->dy[0];
  return CUSP_OK;
}

CUSP_COMPOSE(compose_convert) {
  bool given = attrs[0].kind == CUSP_ATTR_DTYPE;
  return cusp_built(outputs[0] = cusp_cast(inputs[0], given ? (cusp_dtype)attrs[0].integer
                                                            : inputs[0]->type.dtype));
}

CUSP_COMPOSE(compose_copy) {
  return cusp_built(outputs[0] = cusp_cast(inputs[0], inputs[0]->type.dtype));
}

/* ------------------------------------------------------------------ saturate_cast */

/* Exact bounds of an integer dtype within int64; uint64's upper one is the largest that int64
 * holds. */
static void int_bounds(cusp_dtype dtype, int64_t *low, int64_t *high) {
  int bits = 8 * (int)cusp_dtype_size(dtype);
  bool is_signed = cusp_dtype_is_signed_int(dtype);
  *low = is_signed ? (bits == 64 ? INT64_MIN : -((int64_t)1 << (bits - 1))) : 0;
  *high = bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - is_signed)) - 1;
}

static cusp_node *int64_scalar(int64_t value) {
  return cusp_reshape(cusp_constant_1d(CUSP_INT64, 1, &value), &(cusp_shape){0});
}

static cusp_node *saturate_ints(cusp_node *x, cusp_dtype dtype) {
  int64_t low, high;
  int_bounds(dtype, &low, &high);
  if (x->type.dtype == CUSP_UINT64)
    return dtype == CUSP_UINT64
               ? x
               : cusp_cast(cusp_minimum(x, cusp_cast(int64_scalar(high), CUSP_UINT64)), dtype);
  return cusp_cast(
      cusp_apply_3("clip", cusp_cast(x, CUSP_INT64), int64_scalar(low), int64_scalar(high)), dtype);
}

/* Through float64, where every bound of up to 53 bits is exact; 64-bit ones are rounded towards
 * zero. */
static cusp_node *saturate_floats(cusp_node *x, cusp_dtype dtype) {
  int64_t low, high;
  int_bounds(dtype, &low, &high);
  double top = cusp_dtype_greatest(dtype);
  x = cusp_cast(x, CUSP_FLOAT64);
  return cusp_cast(
      cusp_apply_3("clip", x, cusp_scalar_like((double)low, x), cusp_scalar_like(top, x)), dtype);
}

CUSP_COMPOSE(compose_saturate_cast) {
  cusp_node *x = inputs[0];
  cusp_dtype from = x->type.dtype, to = (cusp_dtype)attrs[0].integer;
  if (to == CUSP_BOOL && from != CUSP_BOOL) {
    x = cusp_maximum(x, cusp_scalar_like(0, x));
  } else if (to == CUSP_FLOAT16 && cusp_dtype_is_int(from)) {
    x = cusp_cast(x, CUSP_FLOAT64);
    x = cusp_apply_3("clip", x, cusp_scalar_like(-cusp_dtype_greatest(to), x),
                     cusp_scalar_like(cusp_dtype_greatest(to), x));
  } else if (cusp_dtype_is_float(to) && cusp_dtype_is_float(from) &&
             cusp_dtype_greatest(to) < cusp_dtype_greatest(from)) {
    double top = cusp_dtype_greatest(to);
    x = cusp_apply_3("clip", x, cusp_scalar_like(-top, x), cusp_scalar_like(top, x));
  } else if (cusp_dtype_is_int(to) && cusp_dtype_is_float(from)) {
    return cusp_built(outputs[0] = saturate_floats(x, to));
  } else if (cusp_dtype_is_int(to) && cusp_dtype_is_int(from)) {
    return cusp_built(outputs[0] = saturate_ints(x, to));
  }
  return cusp_built(outputs[0] = cusp_cast(x, to));
}

/* The engine makes picks without asking: one that is asked for has nothing to pick from. */
static cusp_status infer_pick(cusp_inference *inference) {
  return cusp_infer_fail(inference, CUSP_EVALUE,
                         "expected an operation with several results, got one tensor");
}

/* ------------------------------------------------------------------ rows */

#define COPYING CUSP_OP_ELEMENTWISE

const cusp_op cusp_ops_control[] = {
    {.name = "cast",
     .arguments = "x, dtype: dtype",
     .help = "Converts to another dtype; float to int truncates, anything but zero is true.",
     .flags = COPYING | CUSP_OP_STRINGS,
     .infer = infer_cast,
     .gradient = gradient_passes,
     .vector = CUSP_VECTOR_copy,
     .instead = cast_number},
    {.name = "saturate_cast",
     .arguments = "x, dtype: dtype",
     .help = "Converts to another dtype; what lies outside its range becomes its nearest bound.",
     .compose = compose_saturate_cast},
    {.name = "convert_to_tensor",
     .arguments = "x, dtype: dtype = nil",
     .help = "The value as a tensor, of that dtype if one is given.",
     .flags = CUSP_OP_FROM_DATA | CUSP_OP_STRINGS,
     .compose = compose_convert},
    {.name = "array",
     .arguments = "x, dtype: dtype = nil",
     .help = "The value as a tensor, of that dtype if one is given.",
     .flags = CUSP_OP_FROM_DATA | CUSP_OP_STRINGS,
     .compose = compose_convert},
    {.name = "copy",
     .arguments = "x",
     .help = "The same values; tensors never change, so nothing is copied before it has to be.",
     .flags = CUSP_OP_STRINGS,
     .compose = compose_copy},
    {.name = "stop_gradient",
     .arguments = "variable",
     .help = "The same values, through which no gradient flows.",
     .flags = COPYING | CUSP_OP_NO_GRADIENT | CUSP_OP_STRINGS,
     .infer = cusp_infer_same,
     .vector = CUSP_VECTOR_copy},
    {.name = "region_output",
     .arguments = "x",
     .help = "What leaves a region of values that may be computed again.",
     .flags = COPYING | CUSP_OP_HIDDEN,
     .infer = cusp_infer_same,
     .gradient = gradient_passes,
     .vector = CUSP_VECTOR_copy},
    {.name = "pick",
     .arguments = "x, index: int",
     .help = "One output of a node that has several.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_STRINGS,
     .infer = infer_pick},
    {0},
};
