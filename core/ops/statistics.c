/* Averages, order statistics, and reductions that leave NaN out: compositions of reductions and
 * sorting. */

#include "../node/build.h"
#include "../node/infer.h"

#include <math.h>
#include <string.h>

static cusp_node *scalar(double value, cusp_node *like) { return cusp_scalar_like(value, like); }
static bool is_float(const cusp_node *x) { return cusp_dtype_is_float(x->type.dtype); }
static cusp_node *is_nan(cusp_node *x) { return cusp_apply_1("isnan", x); }
static cusp_node *without_nan(cusp_node *x, double instead) {
  return is_float(x) ? cusp_where(is_nan(x), scalar(instead, x), x) : x;
}
static cusp_node *reduce(const char *row, cusp_node *x, cusp_attr axes, bool keepdims) {
  return CUSP_APPLY1(row, x, axes, cusp_attr_bool(keepdims));
}

/* ------------------------------------------------------------------ average */

/* A vector of weights lies along the one axis. */
static cusp_status spread_weights(cusp_node *x, const cusp_attr *axis, cusp_node **weights) {
  int along;
  if (cusp_shape_equal(&(*weights)->type.shape, &x->type.shape))
    return CUSP_OK;
  bool single = axis->kind == CUSP_ATTR_INT || (axis->kind == CUSP_ATTR_INTS && axis->count == 1);
  if (!single || (*weights)->type.shape.ndim != 1)
    return cusp_fail(CUSP_ESHAPE,
                     "weights of shape %s for a tensor of shape %s; expected the same shape, or a "
                     "vector and one axis",
                     cusp_shape_text(&(*weights)->type.shape), cusp_shape_text(&x->type.shape));
  CUSP_TRY(cusp_axis_check(axis->kind == CUSP_ATTR_INT ? axis->integer : axis->ints[0],
                           x->type.shape.ndim, &along));
  cusp_shape shape = {.ndim = x->type.shape.ndim, .size = {1, 1, 1, 1, 1, 1, 1, 1}};
  shape.size[along] = x->type.shape.size[along];
  if ((*weights)->type.shape.size[0] != shape.size[along])
    return cusp_fail(CUSP_ESHAPE, "%lld weights for axis %d of size %lld",
                     (long long)(*weights)->type.shape.size[0], along + 1,
                     (long long)shape.size[along]);
  return cusp_built(*weights = cusp_broadcast_to(cusp_reshape(*weights, &shape), &x->type.shape));
}

CUSP_COMPOSE(compose_average) {
  cusp_node *x = inputs[0], *weights = n_inputs > 1 ? inputs[1] : NULL;
  if (!weights)
    return cusp_built(outputs[0] = reduce("mean", x, attrs[0], false));
  CUSP_TRY(spread_weights(x, &attrs[0], &weights));
  cusp_node *sum = reduce("sum", cusp_multiply(x, weights), attrs[0], false);
  return cusp_built(outputs[0] = cusp_divide(sum, reduce("sum", weights, attrs[0], false)));
}

/* ------------------------------------------------------------------ leaving NaN out */

CUSP_COMPOSE(compose_nansum) {
  return cusp_built(outputs[0] =
                        reduce("sum", without_nan(inputs[0], 0), attrs[0], attrs[1].integer));
}
CUSP_COMPOSE(compose_nanprod) {
  return cusp_built(outputs[0] =
                        reduce("prod", without_nan(inputs[0], 1), attrs[0], attrs[1].integer));
}

/* NaN where there is nothing else. */
static cusp_node *nan_extreme(const char *row, cusp_node *x, const cusp_attr *attrs,
                              double instead) {
  if (!is_float(x))
    return reduce(row, x, attrs[0], attrs[1].integer);
  cusp_node *extreme = reduce(row, without_nan(x, instead), attrs[0], attrs[1].integer);
  return cusp_where(reduce("all", is_nan(x), attrs[0], attrs[1].integer), scalar(NAN, x), extreme);
}

CUSP_COMPOSE(compose_nanmax) {
  return cusp_built(outputs[0] = nan_extreme("amax", inputs[0], attrs, -INFINITY));
}
CUSP_COMPOSE(compose_nanmin) {
  return cusp_built(outputs[0] = nan_extreme("amin", inputs[0], attrs, INFINITY));
}

/* How many are not NaN, in x's dtype. */
static cusp_node *count_numbers(cusp_node *x, cusp_attr axes, bool keepdims) {
  return reduce("sum", cusp_cast(cusp_apply_1("logical_not", is_nan(x)), x->type.dtype), axes,
                keepdims);
}

/* Half precision holds neither large sums nor large counts. */
static cusp_node *accumulating(cusp_node *x) {
  return cusp_cast(x, cusp_dtype_widened(x->type.dtype));
}

static cusp_node *nan_mean(cusp_node *x, cusp_attr axes, bool keepdims) {
  return cusp_divide(reduce("sum", without_nan(x, 0), axes, keepdims),
                     count_numbers(x, axes, keepdims));
}

static cusp_node *nan_variance(cusp_node *x, cusp_attr axes, bool keepdims) {
  cusp_node *deviation =
      cusp_where(is_nan(x), scalar(0, x), cusp_subtract(x, nan_mean(x, axes, true)));
  return cusp_divide(reduce("sum", cusp_square(deviation), axes, keepdims),
                     count_numbers(x, axes, keepdims));
}

typedef cusp_node *nan_moment(cusp_node *x, cusp_attr axes, bool keepdims);

static cusp_node *in_dtype(nan_moment *moment, cusp_node *x, const cusp_attr *attrs) {
  return cusp_cast(moment(accumulating(x), attrs[0], attrs[1].integer), x->type.dtype);
}

CUSP_COMPOSE(compose_nanmean) {
  return cusp_built(outputs[0] = in_dtype(nan_mean, inputs[0], attrs));
}
CUSP_COMPOSE(compose_nanvar) {
  return cusp_built(outputs[0] = in_dtype(nan_variance, inputs[0], attrs));
}
CUSP_COMPOSE(compose_nanstd) {
  return cusp_built(outputs[0] = cusp_sqrt(in_dtype(nan_variance, inputs[0], attrs)));
}

/* -1 where there is nothing but NaN. */
static cusp_node *nan_position(const char *row, cusp_node *x, const cusp_attr *attrs,
                               double instead) {
  cusp_node *position = CUSP_APPLY1(row, without_nan(x, instead), attrs[0], attrs[1]);
  if (!is_float(x))
    return position;
  return cusp_where(reduce("all", is_nan(x), attrs[0], attrs[1].integer), scalar(-1, position),
                    position);
}

CUSP_COMPOSE(compose_nanargmax) {
  return cusp_built(outputs[0] = nan_position("argmax", inputs[0], attrs, -INFINITY));
}
CUSP_COMPOSE(compose_nanargmin) {
  return cusp_built(outputs[0] = nan_position("argmin", inputs[0], attrs, INFINITY));
}

/* ------------------------------------------------------------------ quantiles */

typedef struct quantile_groups {
  cusp_node *lines; /* x with the reduced axes together as the last: [groups..., n] */
  cusp_shape kept;  /* [groups...], with axes of size 1 for the reduced ones under keepdims */
} quantile_groups;

static cusp_status group_lines(cusp_node *x, const cusp_attr *axes, bool keepdims,
                               quantile_groups *groups) {
  const cusp_shape *shape = &x->type.shape;
  bool gone[CUSP_MAX_DIMS] = {false}, all = axes->kind == CUSP_ATTR_NONE;
  int64_t order[CUSP_MAX_DIMS];
  cusp_shape lines = {0};
  int count = axes->kind == CUSP_ATTR_INT    ? 1
              : axes->kind == CUSP_ATTR_INTS ? axes->count
                                             : 0,
      placed = 0;
  groups->kept = (cusp_shape){0};
  for (int i = 0; i < count; i++) {
    int axis;
    CUSP_TRY(cusp_axis_check(axes->kind == CUSP_ATTR_INT ? axes->integer : axes->ints[i],
                             shape->ndim, &axis));
    gone[axis] = true;
  }
  int64_t size = 1;
  for (int axis = 0; axis < shape->ndim; axis++) {
    bool reduced = all || gone[axis];
    size *= reduced ? shape->size[axis] : 1;
    if (!reduced)
      lines.size[lines.ndim++] = shape->size[order[placed++] = axis];
    if (!reduced || keepdims)
      groups->kept.size[groups->kept.ndim++] = reduced ? 1 : shape->size[axis];
  }
  for (int axis = 0; axis < shape->ndim; axis++)
    if (all || gone[axis])
      order[placed++] = axis;
  if (size == 0)
    return cusp_fail(CUSP_EVALUE, "expected at least one element per quantile, got shape %s",
                     cusp_shape_text(shape));
  if (lines.ndim == CUSP_MAX_DIMS)
    return cusp_fail(CUSP_ESHAPE, "no axis of %d is reduced", shape->ndim);
  lines.size[lines.ndim++] = size;
  return cusp_built(groups->lines =
                        cusp_reshape(shape->ndim ? cusp_transpose(x, order) : x, &lines));
}

/* What lies in sorted lines [groups..., n] at float positions [groups or 1..., m]. */
static cusp_node *take_sorted(cusp_node *sorted, cusp_node *positions) {
  return CUSP_APPLY2("take_along_axis", sorted, cusp_cast(positions, CUSP_INT64),
                     cusp_attr_int(-1));
}

/* What lies between the neighbours of a position, which may be of a wider dtype. */
static cusp_node *between(cusp_node *sorted, cusp_node *positions, const char *method) {
  cusp_node *below = cusp_apply_1("floor", positions), *above = cusp_apply_1("ceil", positions);
  if (!strcmp(method, "nearest"))
    return take_sorted(sorted, CUSP_APPLY1("round", positions));
  if (!strcmp(method, "lower"))
    return take_sorted(sorted, below);
  if (!strcmp(method, "higher"))
    return take_sorted(sorted, above);
  cusp_node *low = take_sorted(sorted, below), *high = take_sorted(sorted, above);
  if (!strcmp(method, "midpoint"))
    return cusp_scale(cusp_add(low, high), 0.5);
  cusp_node *share = cusp_cast(cusp_subtract(positions, below), sorted->type.dtype),
            *rest = cusp_subtract(scalar(1, share), share);
  return cusp_add(cusp_multiply(low, rest), cusp_multiply(high, share));
}

/* [groups..., m] as [m, groups...], and without m where q was one number; reduced axes back under
 * keepdims. */
static cusp_node *arrange_quantiles(cusp_node *values, const quantile_groups *groups,
                                    const cusp_shape *q) {
  cusp_shape shape = groups->kept;
  if (!values || q->ndim == 0)
    return cusp_reshape(values, &shape);
  values = CUSP_APPLY1("moveaxis", values, cusp_attr_int(-1), cusp_attr_int(0));
  memmove(shape.size + 1, shape.size, (size_t)shape.ndim * sizeof *shape.size);
  shape.size[0] = q->size[0];
  shape.ndim++;
  return cusp_reshape(values, &shape);
}

/* q as shares of 1. Sorted NaNs are last: with skip_nan they are not counted, else one of them
 * makes its group NaN. */
static cusp_status quantile(cusp_node *x, cusp_node *q, const cusp_attr *axes, const char *method,
                            bool keepdims, bool skip_nan, cusp_node **out) {
  static const char *const methods[] = {"linear", "lower", "higher", "midpoint", "nearest"};
  quantile_groups groups = {0};
  bool known = false;
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    known = known || !strcmp(methods[i], method);
  if (!known)
    return cusp_fail(CUSP_EVALUE,
                     "unknown method \"%s\"; expected linear, lower, higher, midpoint or nearest",
                     method);
  x = cusp_cast(x, cusp_dtype_to_float(x->type.dtype));
  CUSP_TRY(cusp_built(x));
  CUSP_TRY(cusp_built(q));
  if (q->type.shape.ndim > 1)
    return cusp_fail(CUSP_ESHAPE, "q should be a number or a vector, got shape %s",
                     cusp_shape_text(&q->type.shape));
  CUSP_TRY(group_lines(x, axes, keepdims, &groups));
  if (groups.kept.ndim + q->type.shape.ndim > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_ESHAPE, "the result would have %d axes; at most %d are supported",
                     groups.kept.ndim + 1, CUSP_MAX_DIMS);
  cusp_attr last = cusp_attr_int(-1);
  cusp_node *lines = groups.lines, *missing = is_nan(lines);
  double size = (double)lines->type.shape.size[lines->type.shape.ndim - 1];
  bool wide = size > 0x1p24 || lines->type.dtype == CUSP_FLOAT64 || q->type.dtype == CUSP_FLOAT64;
  cusp_node *whole = cusp_cast(q, wide ? CUSP_FLOAT64 : CUSP_FLOAT32);
  cusp_node *count = skip_nan
                         ? cusp_cast(count_numbers(cusp_cast(lines, whole->type.dtype), last, true),
                                     whole->type.dtype)
                         : cusp_broadcast_to(scalar(size, whole), &(cusp_shape){1, {1}});
  cusp_node *positions =
      cusp_multiply(cusp_maximum(cusp_shift(count, -1), scalar(0, whole)), whole);
  if (positions && positions->type.shape.ndim < lines->type.shape.ndim) {
    cusp_shape shape = {.ndim = lines->type.shape.ndim, .size = {1, 1, 1, 1, 1, 1, 1, 1}};
    shape.size[shape.ndim - 1] = cusp_shape_count(&positions->type.shape);
    positions = cusp_reshape(positions, &shape);
  }
  cusp_node *values = between(CUSP_APPLY1("sort", lines, last), positions, method);
  if (!skip_nan)
    values = cusp_where(reduce("any", missing, last, true), scalar(NAN, lines), values);
  return cusp_built(*out = arrange_quantiles(values, &groups, &q->type.shape));
}

/* attrs of quantiles: axis, method, keepdims */
CUSP_COMPOSE(compose_quantile) {
  return quantile(inputs[0], inputs[1], &attrs[0], attrs[1].string, attrs[2].integer, false,
                  &outputs[0]);
}
CUSP_COMPOSE(compose_nanquantile) {
  return quantile(inputs[0], inputs[1], &attrs[0], attrs[1].string, attrs[2].integer, true,
                  &outputs[0]);
}
static cusp_node *hundredths(cusp_node *q) {
  return cusp_scale(cusp_cast(q, cusp_dtype_to_float(q->type.dtype)), 0.01);
}

CUSP_COMPOSE(compose_percentile) {
  return quantile(inputs[0], hundredths(inputs[1]), &attrs[0], attrs[1].string, attrs[2].integer,
                  false, &outputs[0]);
}
CUSP_COMPOSE(compose_nanpercentile) {
  return quantile(inputs[0], hundredths(inputs[1]), &attrs[0], attrs[1].string, attrs[2].integer,
                  true, &outputs[0]);
}
CUSP_COMPOSE(compose_median) {
  return quantile(inputs[0], scalar(0.5, inputs[0]), &attrs[0], "midpoint", attrs[1].integer, false,
                  &outputs[0]);
}
CUSP_COMPOSE(compose_nanmedian) {
  return quantile(inputs[0], scalar(0.5, inputs[0]), &attrs[0], "midpoint", attrs[1].integer, true,
                  &outputs[0]);
}

/* ------------------------------------------------------------------ correlation */

/* Rows are variables, columns observations. */
CUSP_COMPOSE(compose_corrcoef) {
  cusp_node *x = inputs[0];
  int ndim = x->type.shape.ndim;
  if (ndim < 1 || ndim > 2)
    return cusp_fail(CUSP_ESHAPE, "expected a vector or a matrix, got shape %s",
                     cusp_shape_text(&x->type.shape));
  if (ndim == 1)
    x = cusp_expand_dims(x, 0);
  cusp_node *centred = cusp_subtract(x, reduce("mean", x, cusp_attr_int(1), true));
  cusp_node *covariance = cusp_matmul(centred, cusp_transpose(centred, NULL));
  cusp_node *deviation = cusp_sqrt(CUSP_APPLY1("diagonal", covariance));
  cusp_node *scaled =
      cusp_divide(cusp_divide(covariance, deviation), cusp_expand_dims(deviation, 1));
  cusp_node *kept =
      scaled ? cusp_apply_3("clip", scaled, scalar(-1, scaled), scalar(1, scaled)) : NULL;
  return cusp_built(outputs[0] = ndim == 1 ? cusp_reshape(kept, &(cusp_shape){0}) : kept);
}

/* ------------------------------------------------------------------ histogram */

static cusp_status histogram_range(cusp_node *x, const cusp_attr *range, cusp_node **low,
                                   cusp_node **high) {
  if (range->kind == CUSP_ATTR_INTS && range->count == 2) {
    *low = scalar((double)range->ints[0], x);
    *high = scalar((double)range->ints[1], x);
  } else if (range->kind != CUSP_ATTR_NONE) {
    return cusp_fail(CUSP_EVALUE, "expected range as a pair");
  } else if (cusp_shape_count(&x->type.shape) == 0) {
    *low = scalar(0, x);
    *high = scalar(1, x);
  } else {
    *low = cusp_apply_1("amin", x);
    *high = cusp_apply_1("amax", x);
    cusp_node *flat = cusp_equal(*low, *high),
              *half = cusp_where(flat, scalar(0.5, x), scalar(0, x));
    *low = cusp_subtract(*low, half);
    *high = cusp_add(*high, half);
  }
  return cusp_built(*high);
}

/* Counts as floats, and the edges; the last bin holds its right edge too. attrs: bins, range */
CUSP_COMPOSE(compose_histogram) {
  cusp_node *x = cusp_apply_1("ravel", inputs[0]), *low = NULL, *high = NULL;
  int64_t bins = attrs[0].integer;
  if (bins < 1)
    return cusp_fail(CUSP_EVALUE, "bins should be at least 1, got %lld", (long long)bins);
  CUSP_TRY(cusp_built(x));
  CUSP_TRY(histogram_range(x, &attrs[1], &low, &high));
  *n_outputs = 2;
  CUSP_TRY(cusp_built(outputs[1] = CUSP_APPLY2("linspace", low, high, cusp_attr_int(bins + 1))));
  cusp_node *inside =
      cusp_apply_2("logical_and", cusp_greater_equal(x, low), cusp_apply_2("less_equal", x, high));
  cusp_node *bin =
      cusp_shift(CUSP_APPLY2("searchsorted", outputs[1], x, cusp_attr_string("right")), -1);
  bin = bin ? cusp_minimum(bin, scalar((double)bins - 1, bin)) : NULL;
  bin = bin ? cusp_where(inside, bin, scalar((double)bins, bin)) : NULL;
  return cusp_built(outputs[0] =
                        CUSP_APPLY2("segment_sum", cusp_ones_like(x), bin, cusp_attr_int(bins)));
}

/* ------------------------------------------------------------------ rows */

#define AXES "x, axis: axes = nil, keepdims: bool = false"
#define AXIS "x, axis: axis = nil, keepdims: bool = false"
#define QUANTILE "x, q, axis: axes = nil, method: string = \"linear\", keepdims: bool = false"
#define FLOATS .promotion = CUSP_PROMOTE_FLOAT
#define CONSTANT .flags = CUSP_OP_NO_GRADIENT

const cusp_op cusp_ops_statistics[] = {
    {.name = "average",
     .arguments = "x, axis: axes = nil, weights?",
     .help = "The weighted mean over axes.",
     FLOATS,
     .compose = compose_average},
    {.name = "nansum",
     .arguments = AXES,
     .help = "The sum over axes, leaving NaN out.",
     .compose = compose_nansum},
    {.name = "nanprod",
     .arguments = AXES,
     .help = "The product over axes, leaving NaN out.",
     .compose = compose_nanprod},
    {.name = "nanmax",
     .arguments = AXES,
     .help = "The largest element over axes, leaving NaN out.",
     .compose = compose_nanmax},
    {.name = "nanmin",
     .arguments = AXES,
     .help = "The smallest element over axes, leaving NaN out.",
     .compose = compose_nanmin},
    {.name = "nanmean",
     .arguments = AXES,
     .help = "The mean over axes, leaving NaN out.",
     FLOATS,
     .compose = compose_nanmean},
    {.name = "nanvar",
     .arguments = AXES,
     .help = "The variance over axes, leaving NaN out.",
     FLOATS,
     .compose = compose_nanvar},
    {.name = "nanstd",
     .arguments = AXES,
     .help = "The standard deviation over axes, leaving NaN out.",
     FLOATS,
     .compose = compose_nanstd},
    {.name = "nanargmax",
     .arguments = AXIS,
     .help = "The position (from 0) of the largest element, leaving NaN out; -1 where all are NaN.",
     CONSTANT,
     .compose = compose_nanargmax},
    {.name = "nanargmin",
     .arguments = AXIS,
     .help =
         "The position (from 0) of the smallest element, leaving NaN out; -1 where all are NaN.",
     CONSTANT,
     .compose = compose_nanargmin},
    {.name = "quantile",
     .arguments = QUANTILE,
     .help = "What a share q of the elements over axes does not exceed.",
     .compose = compose_quantile},
    {.name = "nanquantile",
     .arguments = QUANTILE,
     .help = "quantile, leaving NaN out.",
     .compose = compose_nanquantile},
    {.name = "percentile",
     .arguments = QUANTILE,
     .help = "quantile, with q in hundredths.",
     .compose = compose_percentile},
    {.name = "nanpercentile",
     .arguments = QUANTILE,
     .help = "percentile, leaving NaN out.",
     .compose = compose_nanpercentile},
    {.name = "median",
     .arguments = AXES,
     .help = "The middle element over axes, or the mean of the middle two.",
     FLOATS,
     .compose = compose_median},
    {.name = "nanmedian",
     .arguments = AXES,
     .help = "median, leaving NaN out.",
     FLOATS,
     .compose = compose_nanmedian},
    {.name = "corrcoef",
     .arguments = "x",
     .help = "The correlation of the rows of x with each other.",
     FLOATS,
     .compose = compose_corrcoef},
    {.name = "histogram",
     .arguments = "x, bins: int = 10, range: ints = nil",
     .help = "How many elements fall into each of equal bins, and the edges of the bins.",
     FLOATS,
     CONSTANT,
     .compose = compose_histogram},
    {0},
};
