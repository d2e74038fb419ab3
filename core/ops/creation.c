/* Tensors from numbers: constants, ranges, masks of matrices, windows. */

#include "../base/numerals.h"
#include "../node/build.h"
#include "../node/evaluator.h"
#include "../node/infer.h"
#include "../node/promote.h"

#include <math.h>

/* ------------------------------------------------------------------ constants */

static cusp_dtype dtype_or(const cusp_attr *attr, cusp_dtype otherwise) {
  return attr->kind == CUSP_ATTR_DTYPE ? (cusp_dtype)attr->integer : otherwise;
}

/* A tensor of that shape, every element `fill` (which may itself broadcast). */
static cusp_node *filled(const cusp_attr *shape_attr, cusp_node *fill) {
  cusp_shape shape;
  return cusp_shape_from_attr(&shape, shape_attr) == CUSP_OK ? cusp_broadcast_to(fill, &shape)
                                                             : NULL;
}

static cusp_node *constant(const cusp_attr *shape_attr, const cusp_attr *dtype, double value) {
  cusp_shape shape;
  return cusp_shape_from_attr(&shape, shape_attr) == CUSP_OK
             ? cusp_full(&shape, value, dtype_or(dtype, cusp_get_floatx()))
             : NULL;
}

CUSP_COMPOSE(compose_zeros) { return cusp_built(outputs[0] = constant(&attrs[0], &attrs[1], 0)); }
CUSP_COMPOSE(compose_ones) { return cusp_built(outputs[0] = constant(&attrs[0], &attrs[1], 1)); }
CUSP_COMPOSE(compose_full) {
  return cusp_built(
      outputs[0] = filled(&attrs[0], cusp_cast(inputs[0], dtype_or(&attrs[1], cusp_get_floatx()))));
}

static cusp_node *constant_like(const cusp_node *x, const cusp_attr *dtype, double value) {
  return cusp_full(&x->type.shape, value, dtype_or(dtype, x->type.dtype));
}

CUSP_COMPOSE(compose_zeros_like) {
  return cusp_built(outputs[0] = constant_like(inputs[0], &attrs[0], 0));
}
CUSP_COMPOSE(compose_ones_like) {
  return cusp_built(outputs[0] = constant_like(inputs[0], &attrs[0], 1));
}
CUSP_COMPOSE(compose_full_like) {
  cusp_node *fill = cusp_cast(inputs[1], dtype_or(&attrs[0], inputs[0]->type.dtype));
  return cusp_built(outputs[0] = cusp_broadcast_to(fill, &inputs[0]->type.shape));
}

/* ------------------------------------------------------------------ ranges */

/* A bound or a step of a range; where `whole`, the exact integer is in `integer`. */
typedef struct bound {
  bool whole;
  int64_t integer;
  double number;
} bound;

/* The one number that `node` holds, computed if need be. */
static cusp_status static_bound(cusp_node *node, bound *out) {
  if (node->type.shape.ndim != 0)
    return cusp_fail(CUSP_ESHAPE, "expected numbers, got a tensor of shape %s",
                     cusp_shape_text(&node->type.shape));
  if (!cusp_node_evaluated(node))
    CUSP_TRY(cusp_evaluate(1, &node));
  cusp_dtype dtype = node->value.dtype;
  bool is_float = cusp_dtype_is_float(dtype);
  out->number = node->weak && is_float ? node->number : cusp_load_double(dtype, node->value.data);
  out->whole = !is_float && !(dtype == CUSP_UINT64 && out->number >= 0x1p63);
  out->integer = out->whole ? cusp_load_int(dtype, node->value.data) : 0;
  return CUSP_OK;
}

/* With one bound alone that is where the range stops. */
static cusp_status static_bounds(cusp_node *const *inputs, int n_inputs, bound *start, bound *stop,
                                 bound *step) {
  bool has_stop = n_inputs > 1 && inputs[1];
  *start = (bound){.whole = true};
  *step = (bound){.whole = true, .integer = 1, .number = 1};
  CUSP_TRY(static_bound(inputs[has_stop ? 1 : 0], stop));
  if (has_stop)
    CUSP_TRY(static_bound(inputs[0], start));
  return n_inputs > 2 ? static_bound(inputs[2], step) : CUSP_OK;
}

#define FILL(dtype_id, type)                                                                     \
  case dtype_id:                                                                                 \
    for (int64_t i = 0; i < count; i++)                                                          \
      ((type *)data)[i] =                                                                        \
          whole ? (type)((int64_t)start + i * (int64_t)step) : (type)(start + (double)i * step); \
    break;

static void fill_range(cusp_dtype dtype, void *data, int64_t count, double start, double step) {
  bool whole =
      start == floor(start) && step == floor(step) && fabs(start) < 0x1p53 && fabs(step) < 0x1p53;
  switch (dtype) {
    FILL(CUSP_INT32, int32_t)
    FILL(CUSP_INT64, int64_t)
    FILL(CUSP_FLOAT32, float)
    FILL(CUSP_FLOAT64, double)
  default:
    for (int64_t i = 0; i < count; i++)
      cusp_store_double(dtype, (char *)data + (size_t)i * cusp_dtype_size(dtype),
                        start + (double)i * step);
  }
}

/* start, start + step, ...: `count` of them, as a constant. */
static cusp_node *range(cusp_dtype dtype, int64_t count, double start, double step) {
  cusp_array value;
  cusp_node *node;
  if (cusp_array_new(&value, dtype, &(cusp_shape){.ndim = 1, .size = {count}}) != CUSP_OK)
    return NULL;
  fill_range(dtype, value.data, count, start, step);
  cusp_status status = cusp_node_leaf(&node, &value);
  cusp_array_release(&value);
  return status == CUSP_OK ? cusp_scope_adopt(node) : NULL;
}

/* How many numbers lie between the bounds: exact where they are whole. False where there is no such
 * number. */
static bool count_range(const bound *start, const bound *stop, const bound *step, int64_t *count) {
  if (start->whole && stop->whole && step->whole && step->integer != 0) {
    __int128 span = (__int128)stop->integer - start->integer, by = step->integer;
    __int128 steps = span / by + (span % by != 0 && (span > 0) == (by > 0));
    *count = steps > 0 ? (int64_t)(steps > INT64_MAX ? INT64_MAX : steps) : 0;
  } else {
    double steps = ceil((stop->number - start->number) / step->number);
    if (isnan(steps) || isinf(steps) || step->number == 0)
      return false;
    *count = steps > 0 ? (int64_t)fmin(steps, 0x1p62) : 0;
  }
  return *count <= (int64_t)1 << 50;
}

/* The greatest or least number of a range has to fit, too. */
static cusp_status check_range(cusp_dtype dtype, int64_t count, const bound *start,
                               const bound *step) {
  char text[32];
  double last = start->number + (double)(count - 1) * step->number;
  bool fits = cusp_dtype_holds_double(dtype, start->number) && cusp_dtype_holds_double(dtype, last);
  if (count == 0 || fits || (dtype == CUSP_INT64 && start->whole && step->whole))
    return CUSP_OK;
  cusp_format(text, sizeof text, "%.14g",
              cusp_dtype_holds_double(dtype, start->number) ? last : start->number);
  return cusp_dtype_fail_range(dtype, text);
}

/* `count` integers from `start`, whatever their size. */
static cusp_node *whole_range(cusp_dtype dtype, int64_t count, int64_t start, int64_t step) {
  cusp_array value;
  cusp_node *node;
  if (cusp_array_new(&value, CUSP_INT64, &(cusp_shape){.ndim = 1, .size = {count}}) != CUSP_OK)
    return NULL;
  for (int64_t i = 0; i < count; i++)
    ((int64_t *)value.data)[i] = (int64_t)((uint64_t)start + (uint64_t)i * (uint64_t)step);
  cusp_status status = cusp_node_leaf(&node, &value);
  cusp_array_release(&value);
  return status == CUSP_OK ? cusp_cast(cusp_scope_adopt(node), dtype) : NULL;
}

CUSP_COMPOSE(compose_arange) {
  bound start, stop, step;
  int64_t count;
  CUSP_TRY(static_bounds(inputs, n_inputs, &start, &stop, &step));
  if (!count_range(&start, &stop, &step, &count))
    return cusp_fail(CUSP_EVALUE, "from %g to %g in steps of %g is not a finite range",
                     start.number, stop.number, step.number);
  cusp_dtype dtype = dtype_or(&attrs[0], cusp_result_dtype(n_inputs, inputs));
  CUSP_TRY(check_range(dtype, count, &start, &step));
  bool large =
      fabs(start.number) >= 0x1p53 || fabs(step.number) >= 0x1p53 || fabs(stop.number) >= 0x1p53;
  if (start.whole && step.whole && large)
    return cusp_built(outputs[0] = whole_range(dtype, count, start.integer, step.integer));
  return cusp_built(outputs[0] = range(dtype, count, start.number, step.number));
}

/* 0 at the start and 1 at the end, `num` values along axis 0 of as many axes as `like` has and
 * one. */
static cusp_node *unit_range(int64_t num, bool endpoint, const cusp_node *like) {
  double intervals = (double)(endpoint ? num - 1 : num);
  cusp_shape shape = {.ndim = like->type.shape.ndim + 1, .size = {num}};
  if (shape.ndim > CUSP_MAX_DIMS) {
    cusp_fail(CUSP_ESHAPE,
              "start and stop have %d axes; one more is needed and at most %d are supported",
              like->type.shape.ndim, CUSP_MAX_DIMS);
    return NULL;
  }
  for (int axis = 1; axis < shape.ndim; axis++)
    shape.size[axis] = 1;
  return cusp_reshape(range(like->type.dtype, num, 0, intervals > 0 ? 1 / intervals : 0), &shape);
}

static cusp_node *interpolate(cusp_node *start, cusp_node *stop, cusp_node *share) {
  cusp_node *rest = cusp_subtract(cusp_scalar_like(1, share), share);
  return cusp_add(cusp_multiply(start, rest), cusp_multiply(stop, share));
}

/* Moves axis 0 to `axis`; integers are rounded down. */
static cusp_node *finish_range(cusp_node *values, int64_t axis, const cusp_attr *dtype) {
  if (axis != 0)
    values = CUSP_APPLY1("moveaxis", values, cusp_attr_int(0), cusp_attr_int(axis));
  if (values && dtype->kind == CUSP_ATTR_DTYPE)
    values = cusp_cast(cusp_dtype_is_int((cusp_dtype)dtype->integer) ? cusp_apply_1("floor", values)
                                                                     : values,
                       (cusp_dtype)dtype->integer);
  return values;
}

static cusp_dtype ends_dtype(cusp_node *const *inputs) {
  return cusp_dtype_to_float(cusp_result_dtype(2, inputs));
}

/* Start and stop brought to one shape, in float64 where integers or that are asked for. */
static cusp_status range_ends(cusp_node *const *inputs, int64_t num, const cusp_attr *dtype,
                              cusp_node **start, cusp_node **stop) {
  if (num < 0)
    return cusp_fail(CUSP_EVALUE, "num should be at least 0, got %lld", (long long)num);
  cusp_dtype wanted = dtype_or(dtype, CUSP_FLOAT32);
  cusp_dtype work =
      cusp_dtype_is_int(wanted) || wanted == CUSP_FLOAT64 ? CUSP_FLOAT64 : ends_dtype(inputs);
  *start = cusp_cast(inputs[0], work);
  *stop = cusp_cast(inputs[1], work);
  cusp_shape shape;
  CUSP_TRY(cusp_shape_broadcast(&shape, &inputs[0]->type.shape, &inputs[1]->type.shape));
  *start = cusp_broadcast_to(*start, &shape);
  return cusp_built(*stop = cusp_broadcast_to(*stop, &shape));
}

/* attrs: num, endpoint, retstep, dtype, axis */
CUSP_COMPOSE(compose_linspace) {
  cusp_node *start, *stop;
  int64_t num = attrs[0].integer;
  bool endpoint = attrs[1].integer;
  CUSP_TRY(range_ends(inputs, num, &attrs[3], &start, &stop));
  cusp_node *values = interpolate(start, stop, unit_range(num, endpoint, start));
  CUSP_TRY(cusp_built(outputs[0] = finish_range(values, attrs[4].integer, &attrs[3])));
  if (!attrs[2].integer)
    return CUSP_OK;
  *n_outputs = 2;
  double intervals = (double)(endpoint ? num - 1 : num);
  cusp_node *step = cusp_divide(cusp_subtract(stop, start),
                                cusp_scalar_like(intervals > 0 ? intervals : NAN, start));
  return cusp_built(outputs[1] = cusp_cast(step, ends_dtype(inputs)));
}

/* attrs: num, endpoint, base, dtype, axis */
CUSP_COMPOSE(compose_logspace) {
  cusp_node *start, *stop;
  CUSP_TRY(range_ends(inputs, attrs[0].integer, &attrs[3], &start, &stop));
  cusp_node *exponents =
      interpolate(start, stop, unit_range(attrs[0].integer, attrs[1].integer, start));
  cusp_node *values =
      cusp_apply_2("power", cusp_scalar_like(attrs[2].number, exponents), exponents);
  return cusp_built(outputs[0] = finish_range(values, attrs[4].integer, &attrs[3]));
}

/* attrs: num, endpoint, dtype, axis */
CUSP_COMPOSE(compose_geomspace) {
  cusp_node *start, *stop;
  CUSP_TRY(range_ends(inputs, attrs[0].integer, &attrs[2], &start, &stop));
  cusp_node *share = unit_range(attrs[0].integer, attrs[1].integer, start);
  cusp_node *logarithms =
      interpolate(cusp_log(cusp_absolute(start)), cusp_log(cusp_absolute(stop)), share);
  cusp_node *values = cusp_multiply(cusp_exp(logarithms), cusp_apply_1("sign", start));
  return cusp_built(outputs[0] = finish_range(values, attrs[3].integer, &attrs[2]));
}

/* ------------------------------------------------------------------ matrices */

/* row + k against column, as a bool matrix: by `row_name` "equal" the k-th diagonal, by
 * "greater_equal" that and below. */
static cusp_node *diagonal_mask(const char *comparison, int64_t rows, int64_t columns, int64_t k) {
  /* no matrix reaches so far, and doubles are exact up to there */
  const int64_t furthest = (int64_t)1 << 52;
  k = k < -furthest ? -furthest : k > furthest ? furthest : k;
  cusp_node *row = cusp_reshape(range(CUSP_INT64, rows, (double)k, 1),
                                &(cusp_shape){.ndim = 2, .size = {rows, 1}});
  return cusp_apply_2(comparison, row, range(CUSP_INT64, columns, 0, 1));
}

/* attrs: N, M, k, dtype */
static cusp_node *mask_matrix(const char *comparison, const cusp_attr *attrs) {
  int64_t rows = attrs[0].integer,
          columns = attrs[1].kind == CUSP_ATTR_INT ? attrs[1].integer : rows;
  if (rows < 0 || columns < 0) {
    cusp_fail(CUSP_EVALUE, "sizes should be at least 0, got %lld and %lld", (long long)rows,
              (long long)columns);
    return NULL;
  }
  return cusp_cast(diagonal_mask(comparison, rows, columns, attrs[2].integer),
                   dtype_or(&attrs[3], cusp_get_floatx()));
}

CUSP_COMPOSE(compose_eye) { return cusp_built(outputs[0] = mask_matrix("equal", attrs)); }
CUSP_COMPOSE(compose_tri) { return cusp_built(outputs[0] = mask_matrix("greater_equal", attrs)); }
CUSP_COMPOSE(compose_identity) {
  return cusp_built(outputs[0] = mask_matrix("equal", (cusp_attr[]){attrs[0], cusp_attr_none(),
                                                                    cusp_attr_int(0), attrs[1]}));
}

static cusp_node *triangle(cusp_node *x, int64_t k, bool lower) {
  const cusp_shape *shape = &x->type.shape;
  if (shape->ndim < 2) {
    cusp_fail(CUSP_ESHAPE, "expected a matrix or a batch of them, got shape %s",
              cusp_shape_text(shape));
    return NULL;
  }
  cusp_node *below =
      diagonal_mask("greater_equal", shape->size[shape->ndim - 2], shape->size[shape->ndim - 1],
                    lower || k == INT64_MIN ? k : k - 1);
  cusp_node *zero = cusp_scalar_like(0, x);
  return lower ? cusp_where(below, x, zero) : cusp_where(below, zero, x);
}

CUSP_COMPOSE(compose_tril) {
  return cusp_built(outputs[0] = triangle(inputs[0], attrs[0].integer, true));
}
CUSP_COMPOSE(compose_triu) {
  return cusp_built(outputs[0] = triangle(inputs[0], attrs[0].integer, false));
}

/* Puts the last axis of x, [..., length], on the k-th diagonal of zero matrices [..., rows,
 * columns]. */
static cusp_node *on_diagonal(cusp_node *x, int64_t rows, int64_t columns, int64_t k) {
  int last = x->type.shape.ndim - 1;
  int64_t start[CUSP_MAX_DIMS] = {0}, step[CUSP_MAX_DIMS];
  cusp_shape shape = x->type.shape;
  shape.size[last] = rows;
  start[last] = k < 0 ? -k : 0;
  for (int axis = 0; axis <= last; axis++)
    step[axis] = 1;
  cusp_node *by_row = CUSP_APPLY1("embed", x, cusp_attr_shape(&shape),
                                  cusp_attr_ints(start, last + 1), cusp_attr_ints(step, last + 1));
  return cusp_where(diagonal_mask("equal", rows, columns, k), cusp_expand_dims(by_row, -1),
                    cusp_scalar_like(0, x));
}

CUSP_COMPOSE(compose_on_diagonal) {
  return cusp_built(
      outputs[0] = on_diagonal(inputs[0], attrs[0].integer, attrs[1].integer, attrs[2].integer));
}

static cusp_node *diag(cusp_node *x, int64_t k) {
  const cusp_shape *shape = &x->type.shape;
  if (shape->ndim == 2)
    return CUSP_APPLY1("diagonal", x, cusp_attr_int(k));
  if (shape->ndim != 1) {
    cusp_fail(CUSP_ESHAPE, "expected a vector or a matrix, got shape %s", cusp_shape_text(shape));
    return NULL;
  }
  int64_t size;
  if (k == INT64_MIN || __builtin_add_overflow(shape->size[0], k < 0 ? -k : k, &size)) {
    cusp_fail(CUSP_EVALUE, "a diagonal at offset %lld is beyond any matrix", (long long)k);
    return NULL;
  }
  return on_diagonal(x, size, size, k);
}

CUSP_COMPOSE(compose_diag) { return cusp_built(outputs[0] = diag(inputs[0], attrs[0].integer)); }
CUSP_COMPOSE(compose_diagflat) {
  cusp_node *flat = cusp_apply_1("ravel", inputs[0]);
  return cusp_built(outputs[0] = flat ? diag(flat, attrs[0].integer) : NULL);
}

CUSP_COMPOSE(compose_vander) {
  cusp_node *x = inputs[0];
  if (x->type.shape.ndim != 1)
    return cusp_fail(CUSP_ESHAPE, "expected a vector, got shape %s",
                     cusp_shape_text(&x->type.shape));
  int64_t columns = attrs[0].kind == CUSP_ATTR_INT ? attrs[0].integer : x->type.shape.size[0];
  bool increasing = attrs[1].integer;
  if (columns < 0)
    return cusp_fail(CUSP_EVALUE, "N should be at least 0, got %lld", (long long)columns);
  cusp_node *exponents =
      range(x->type.dtype, columns, increasing ? 0 : (double)columns - 1, increasing ? 1 : -1);
  return cusp_built(outputs[0] = cusp_apply_2("power", cusp_expand_dims(x, 1), exponents));
}

/* ------------------------------------------------------------------ windows of signals */

typedef double (*window_function)(double phase, double beta);

/* phase runs from 0 to 1 over the window. */
static double bartlett(double phase, double beta) { return (void)beta, 1 - fabs(2 * phase - 1); }
static double hanning(double phase, double beta) {
  return (void)beta, 0.5 - 0.5 * cos(2 * M_PI * phase);
}
static double hamming(double phase, double beta) {
  return (void)beta, 0.54 - 0.46 * cos(2 * M_PI * phase);
}
static double blackman(double phase, double beta) {
  return (void)beta, 0.42 - 0.5 * cos(2 * M_PI * phase) + 0.08 * cos(4 * M_PI * phase);
}

/* I0 by its power series, which converges for every argument. */
static double bessel_i0(double x) {
  double term = 1, sum = 1;
  for (int k = 1; term > 1e-17 * sum; k++) {
    term *= (x / (2 * k)) * (x / (2 * k));
    sum += term;
  }
  return sum;
}

static double kaiser(double phase, double beta) {
  double centred = 2 * phase - 1;
  return bessel_i0(beta * sqrt(fmax(0, 1 - centred * centred))) / bessel_i0(beta);
}

static cusp_node *window(int64_t length, window_function function, double beta) {
  cusp_array value;
  cusp_node *node;
  cusp_dtype dtype = cusp_get_floatx();
  if (length < 0 ||
      cusp_array_new(&value, dtype, &(cusp_shape){.ndim = 1, .size = {length}}) != CUSP_OK)
    return (void)(length < 0 &&
                  cusp_fail(CUSP_EVALUE, "a window's length should be at least 0, got %lld",
                            (long long)length)),
           NULL;
  for (int64_t i = 0; i < length; i++)
    cusp_store_double(dtype, (char *)value.data + (size_t)i * cusp_dtype_size(dtype),
                      length == 1 ? 1 : function((double)i / (double)(length - 1), beta));
  cusp_status status = cusp_node_leaf(&node, &value);
  cusp_array_release(&value);
  return status == CUSP_OK ? cusp_scope_adopt(node) : NULL;
}

CUSP_COMPOSE(compose_bartlett) {
  return cusp_built(outputs[0] = window(attrs[0].integer, bartlett, 0));
}
CUSP_COMPOSE(compose_hanning) {
  return cusp_built(outputs[0] = window(attrs[0].integer, hanning, 0));
}
CUSP_COMPOSE(compose_hamming) {
  return cusp_built(outputs[0] = window(attrs[0].integer, hamming, 0));
}
CUSP_COMPOSE(compose_blackman) {
  return cusp_built(outputs[0] = window(attrs[0].integer, blackman, 0));
}
CUSP_COMPOSE(compose_kaiser) {
  if (!(fabs(attrs[1].number) < 700))
    return cusp_fail(CUSP_EVALUE, "beta should be a number below 700, got %g", attrs[1].number);
  return cusp_built(outputs[0] = window(attrs[0].integer, kaiser, attrs[1].number));
}

/* ------------------------------------------------------------------ rows */

#define CONSTANT .flags = CUSP_OP_NO_GRADIENT
#define SQUARE "N: int, M: int = nil, k: int = 0, dtype: dtype = nil"

const cusp_op cusp_ops_creation[] = {
    {.name = "zeros",
     .arguments = "shape: shape, dtype: dtype = nil",
     .help = "A tensor of zeros.",
     .flags = CUSP_OP_NO_GRADIENT | CUSP_OP_STRINGS,
     .compose = compose_zeros},
    {.name = "ones",
     .arguments = "shape: shape, dtype: dtype = nil",
     .help = "A tensor of ones.",
     CONSTANT,
     .compose = compose_ones},
    {.name = "empty",
     .arguments = "shape: shape, dtype: dtype = nil",
     .help = "A tensor whose values do not matter; they are zeros.",
     .flags = CUSP_OP_NO_GRADIENT | CUSP_OP_STRINGS,
     .compose = compose_zeros},
    {.name = "full",
     .arguments = "shape: shape, fill_value, dtype: dtype = nil",
     .help = "A tensor of one value.",
     .flags = CUSP_OP_FROM_DATA,
     .compose = compose_full},
    {.name = "zeros_like",
     .arguments = "x, dtype: dtype = nil",
     .help = "Zeros of x's shape and dtype.",
     .flags = CUSP_OP_NO_GRADIENT | CUSP_OP_STRINGS,
     .compose = compose_zeros_like},
    {.name = "ones_like",
     .arguments = "x, dtype: dtype = nil",
     .help = "Ones of x's shape and dtype.",
     CONSTANT,
     .compose = compose_ones_like},
    {.name = "empty_like",
     .arguments = "x, dtype: dtype = nil",
     .help = "A tensor of x's shape and dtype; zeros.",
     .flags = CUSP_OP_NO_GRADIENT | CUSP_OP_STRINGS,
     .compose = compose_zeros_like},
    {.name = "full_like",
     .arguments = "x, fill_value, dtype: dtype = nil",
     .help = "One value in x's shape and dtype.",
     .flags = CUSP_OP_FROM_DATA | CUSP_OP_UPDATES,
     .compose = compose_full_like},
    {.name = "arange",
     .arguments = "start, stop?, step?, dtype: dtype = nil",
     .help =
         "Numbers from start up to, not including, stop; with one number alone, from 0 up to it.",
     CONSTANT,
     .compose = compose_arange},
    {.name = "linspace",
     .arguments = "start, stop, num: int = 50, endpoint: bool = true, retstep: bool = false, "
                  "dtype: dtype = nil, axis: axis = 0",
     .help = "num values evenly spaced from start to stop; with retstep, also the step.",
     .compose = compose_linspace},
    {.name = "logspace",
     .arguments = "start, stop, num: int = 50, endpoint: bool = true, base: float = 10, dtype: "
                  "dtype = nil, axis: axis = 0",
     .help = "base to the power of num values evenly spaced from start to stop.",
     .compose = compose_logspace},
    {.name = "geomspace",
     .arguments =
         "start, stop, num: int = 50, endpoint: bool = true, dtype: dtype = nil, axis: axis = 0",
     .help = "num values from start to stop, each the same multiple of the one before.",
     .compose = compose_geomspace},
    {.name = "eye",
     .arguments = SQUARE,
     .help = "Ones on the k-th diagonal, zeros elsewhere.",
     CONSTANT,
     .compose = compose_eye},
    {.name = "identity",
     .arguments = "n: int, dtype: dtype = nil",
     .help = "The identity matrix.",
     CONSTANT,
     .compose = compose_identity},
    {.name = "tri",
     .arguments = SQUARE,
     .help = "Ones on and below the k-th diagonal, zeros elsewhere.",
     CONSTANT,
     .compose = compose_tri},
    {.name = "tril",
     .arguments = "x, k: int = 0",
     .help = "Matrices with zeros above the k-th diagonal.",
     .compose = compose_tril},
    {.name = "triu",
     .arguments = "x, k: int = 0",
     .help = "Matrices with zeros below the k-th diagonal.",
     .compose = compose_triu},
    {.name = "diag",
     .arguments = "x, k: int = 0",
     .help = "A matrix with x on its k-th diagonal, or the diagonal of a matrix.",
     .compose = compose_diag},
    {.name = "diagflat",
     .arguments = "x, k: int = 0",
     .help = "A matrix with all of x on its k-th diagonal.",
     .compose = compose_diagflat},
    {.name = "on_diagonal",
     .arguments = "x, rows: int, columns: int, k: int = 0",
     .help = "Zero matrices with x's last axis on the k-th diagonal.",
     .flags = CUSP_OP_HIDDEN,
     .compose = compose_on_diagonal},
    {.name = "vander",
     .arguments = "x, N: int = nil, increasing: bool = false",
     .help = "The powers of x in columns, falling unless increasing.",
     .compose = compose_vander},
    {.name = "bartlett",
     .arguments = "x: int",
     .help = "A triangular window of that length.",
     CONSTANT,
     .compose = compose_bartlett},
    {.name = "hanning",
     .arguments = "x: int",
     .help = "A Hann window of that length.",
     CONSTANT,
     .compose = compose_hanning},
    {.name = "hamming",
     .arguments = "x: int",
     .help = "A Hamming window of that length.",
     CONSTANT,
     .compose = compose_hamming},
    {.name = "blackman",
     .arguments = "x: int",
     .help = "A Blackman window of that length.",
     CONSTANT,
     .compose = compose_blackman},
    {.name = "kaiser",
     .arguments = "x: int, beta: float",
     .help = "A Kaiser window of that length.",
     CONSTANT,
     .compose = compose_kaiser},
    {0},
};
