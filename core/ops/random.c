/*
 * Random draws. Every row takes a key (uint64[2]: seed, draw) first and is a function of it: the
 * same key gives the same numbers, however many threads there are. The hidden rows named _draw have
 * the kernels.
 */

#include "../kernels/random.h"
#include "../base/memory.h"
#include "../base/threads.h"
#include "../node/build.h"
#include "../node/infer.h"

#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------ kernels */

static cusp_random_key key_of(const cusp_call *call) {
  const uint64_t *words = call->inputs[0].data;
  return (cusp_random_key){words[0], words[1]};
}

/** A fill split by blocks. */
typedef struct fill_call {
  cusp_random_fill fill;
  const cusp_call *call;
} fill_call;

static cusp_status run_fill(cusp_call *call, cusp_dtype block_dtype, int64_t grain,
                            cusp_range_fn fn) {
  const cusp_array *out = &call->outputs[0];
  fill_call f = {{key_of(call), out->dtype, cusp_array_count(out), out->data}, call};
  cusp_parallel_for(cusp_random_blocks(block_dtype, f.fill.count), grain, fn, &f);
  return CUSP_OK;
}

/* Attributes: shape, minval, maxval, dtype. */
static void uniform_range(void *context, int64_t begin, int64_t end) {
  const fill_call *f = context;
  cusp_random_uniform(&f->fill, begin, end, f->call->attrs[1].number, f->call->attrs[2].number);
}
static cusp_status uniform_run(cusp_call *call) {
  return run_fill(call, call->outputs[0].dtype, 4096, uniform_range);
}

/* Attributes: shape, mean, stddev, dtype. */
static void normal_range(void *context, int64_t begin, int64_t end) {
  const fill_call *f = context;
  cusp_random_normal(&f->fill, begin, end, f->call->attrs[1].number, f->call->attrs[2].number);
}
static cusp_status normal_run(cusp_call *call) {
  return run_fill(call, call->outputs[0].dtype, 1024, normal_range);
}

/* Attributes: shape, minval, maxval, dtype. */
static void integers_range(void *context, int64_t begin, int64_t end) {
  const fill_call *f = context;
  cusp_random_integers(&f->fill, begin, end, f->call->attrs[1].integer, f->call->attrs[2].integer);
}
static cusp_status integers_run(cusp_call *call) {
  return run_fill(call, CUSP_INT64, 2048, integers_range);
}

/* Attributes: shape, p. */
static void bernoulli_range(void *context, int64_t begin, int64_t end) {
  const fill_call *f = context;
  cusp_random_bernoulli(&f->fill, begin, end, f->call->attrs[1].number);
}
static cusp_status bernoulli_run(cusp_call *call) {
  return run_fill(call, CUSP_BOOL, 4096, bernoulli_range);
}

/* Input 1: x. Attribute: rate. */
static void dropout_range(void *context, int64_t begin, int64_t end) {
  const fill_call *f = context;
  cusp_random_dropout(&f->fill, begin, end, f->call->attrs[0].number, f->call->inputs[1].data);
}
static cusp_status dropout_run(cusp_call *call) {
  return run_fill(call, CUSP_FLOAT32, 4096, dropout_range);
}

static cusp_status dropout_prepare(cusp_call *call) {
  call->in_place = 1 << 1;
  return CUSP_OK;
}

/** What samples that reject have in common: the key, parameters by element, one result by
 * element. */
typedef struct sample_call {
  cusp_random_key key;
  const cusp_call *call;
} sample_call;

static cusp_status run_samples(cusp_call *call, cusp_range_fn fn) {
  sample_call s = {key_of(call), call};
  cusp_parallel_for(cusp_array_count(&call->outputs[0]), 64, fn, &s);
  return CUSP_OK;
}

static double parameter(const sample_call *s, int input, int64_t i) {
  const cusp_array *x = &s->call->inputs[input];
  return cusp_load_double(x->dtype, (const char *)x->data + (size_t)i * cusp_dtype_size(x->dtype));
}

static void put(const sample_call *s, int64_t i, double value) {
  const cusp_array *out = &s->call->outputs[0];
  cusp_store_double(out->dtype, (char *)out->data + (size_t)i * cusp_dtype_size(out->dtype), value);
}

static void gamma_range(void *context, int64_t begin, int64_t end) {
  const sample_call *s = context;
  for (int64_t i = begin; i < end; i++)
    put(s, i, exp(cusp_random_log_gamma(&s->key, i, 0, parameter(s, 1, i))));
}
static cusp_status gamma_run(cusp_call *call) { return run_samples(call, gamma_range); }

/** g / (g + h) of two gamma variates, from their logarithms. */
static void beta_range(void *context, int64_t begin, int64_t end) {
  const sample_call *s = context;
  for (int64_t i = begin; i < end; i++) {
    double g = cusp_random_log_gamma(&s->key, i, 0, parameter(s, 1, i));
    double h = cusp_random_log_gamma(&s->key, i, 1, parameter(s, 2, i));
    put(s, i, 1 / (1 + exp(h - g)));
  }
}
static cusp_status beta_run(cusp_call *call) { return run_samples(call, beta_range); }

static void binomial_range(void *context, int64_t begin, int64_t end) {
  const sample_call *s = context;
  for (int64_t i = begin; i < end; i++)
    put(s, i, cusp_random_binomial(&s->key, i, parameter(s, 1, i), parameter(s, 2, i)));
}
static cusp_status binomial_run(cusp_call *call) { return run_samples(call, binomial_range); }

static cusp_status permutation_run(cusp_call *call) {
  cusp_random_key key = key_of(call);
  cusp_random_permutation(&key, call->outputs[0].shape.size[0], call->outputs[0].data);
  return CUSP_OK;
}

/* Categorical: each row's cumulative probabilities stand in the workspace; a sample is found by
 * bisection. */

static cusp_status categorical_prepare(cusp_call *call) {
  CUSP_TRY(cusp_multiply_size(&call->workspace_bytes, (size_t)cusp_array_count(&call->inputs[1]),
                              sizeof(double)));
  return CUSP_OK;
}

static void cumulate(const sample_call *s, int64_t row, int64_t classes, double *cumulative) {
  double largest = -INFINITY, sum = 0;
  for (int64_t i = 0; i < classes; i++)
    largest = fmax(largest, parameter(s, 1, row * classes + i));
  for (int64_t i = 0; i < classes; i++)
    cumulative[i] = sum += exp(parameter(s, 1, row * classes + i) - largest);
}

static int64_t first_above(const double *cumulative, int64_t count, double threshold) {
  int64_t low = 0, high = count - 1;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (cumulative[middle] > threshold)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

static void categorical_range(void *context, int64_t begin, int64_t end) {
  const sample_call *s = context;
  const cusp_array *logits = &s->call->inputs[1], *out = &s->call->outputs[0];
  int64_t classes = logits->shape.size[1], samples = out->shape.size[1];
  for (int64_t row = begin; row < end; row++) {
    double *cumulative = (double *)s->call->workspace + row * classes;
    cumulate(s, row, classes, cumulative);
    for (int64_t i = row * samples; i < (row + 1) * samples; i++) {
      double threshold = cusp_random_unit(&s->key, i) * cumulative[classes - 1];
      put(s, i, (double)first_above(cumulative, classes, threshold));
    }
  }
}

static cusp_status categorical_run(cusp_call *call) {
  sample_call s = {key_of(call), call};
  cusp_parallel_for(call->outputs[0].shape.size[0], 1, categorical_range, &s);
  return CUSP_OK;
}

#define KERNEL(prepare_, run_)                                  \
  (const cusp_kernel[]) {                                       \
    {.name = "philox", .prepare = prepare_, .run = run_}, { 0 } \
  }

/* ------------------------------------------------------------------ types */

static cusp_status check_key(cusp_inference *inference) {
  const cusp_type *key = &inference->inputs[0];
  if (key->dtype != CUSP_UINT64 || key->shape.ndim != 1 || key->shape.size[0] != 2)
    return cusp_infer_fail(
        inference, CUSP_EVALUE,
        "the key must be uint64 of shape [2] (a seed and a draw), got %s of shape %s",
        cusp_dtype_name(key->dtype), cusp_shape_text(&key->shape));
  return CUSP_OK;
}

/** The shape attribute (number 0) as output 0's. */
static cusp_status shape_output(cusp_inference *inference, cusp_dtype dtype) {
  const cusp_attr *shape = &inference->attrs[0];
  cusp_type *out = &inference->outputs[0];
  int64_t count;
  CUSP_TRY(check_key(inference));
  if (shape->count > CUSP_MAX_DIMS)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "expected a shape of at most %d axes, got %d",
                           CUSP_MAX_DIMS, shape->count);
  *out = (cusp_type){.dtype = dtype, .shape.ndim = shape->count};
  if (shape->count > 0)
    memcpy(out->shape.size, shape->ints, (size_t)shape->count * sizeof *shape->ints);
  if (cusp_shape_count_checked(&count, &out->shape) != CUSP_OK)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected a shape of nonnegative sizes that are not too large, got %s",
                           cusp_shape_text(&out->shape));
  return CUSP_OK;
}

static cusp_status float_draw_infer(cusp_inference *inference) {
  cusp_dtype dtype = (cusp_dtype)inference->attrs[3].integer;
  if (dtype != CUSP_FLOAT32 && dtype != CUSP_FLOAT64)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "expected float32 or float64, got %s",
                           cusp_dtype_name(dtype));
  return shape_output(inference, dtype);
}

static cusp_status integers_infer(cusp_inference *inference) {
  int64_t low = inference->attrs[1].integer, high = inference->attrs[2].integer;
  cusp_dtype dtype = (cusp_dtype)inference->attrs[3].integer;
  if (!cusp_dtype_is_int(dtype))
    return cusp_infer_fail(inference, CUSP_EDTYPE, "expected an integer dtype, got %s",
                           cusp_dtype_name(dtype));
  if (low >= high)
    return cusp_infer_fail(inference, CUSP_EVALUE,
                           "minval must be less than maxval, got %lld and %lld", (long long)low,
                           (long long)high);
  if (!cusp_dtype_holds_int(dtype, low) || !cusp_dtype_holds_int(dtype, high - 1))
    return cusp_infer_fail(inference, CUSP_EVALUE, "numbers from %lld up to %lld do not fit %s",
                           (long long)low, (long long)high - 1, cusp_dtype_name(dtype));
  return shape_output(inference, dtype);
}

static cusp_status bernoulli_infer(cusp_inference *inference) {
  return shape_output(inference, CUSP_BOOL);
}

static cusp_status dropout_infer(cusp_inference *inference) {
  cusp_dtype dtype = inference->inputs[1].dtype;
  CUSP_TRY(check_key(inference));
  if (dtype != CUSP_FLOAT32 && dtype != CUSP_FLOAT64)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "x must be float32 or float64, got %s",
                           cusp_dtype_name(dtype));
  inference->outputs[0] = inference->inputs[1];
  return CUSP_OK;
}

/** A sample for each element of input 1 (and 2, of the same shape), in the dtype of attribute 0. */
static cusp_status sample_infer(cusp_inference *inference) {
  const cusp_type *first = &inference->inputs[1];
  cusp_dtype dtype = (cusp_dtype)inference->attrs[0].integer;
  CUSP_TRY(check_key(inference));
  if (!cusp_dtype_is_float(dtype))
    return cusp_infer_fail(inference, CUSP_EDTYPE, "expected a float dtype, got %s",
                           cusp_dtype_name(dtype));
  inference->outputs[0] = (cusp_type){dtype, first->shape};
  return inference->n_inputs < 3
             ? CUSP_OK
             : cusp_infer_expect(inference, 2, "the second parameter", first->dtype, first->shape);
}

static cusp_status categorical_infer(cusp_inference *inference) {
  const cusp_type *logits = &inference->inputs[1];
  int64_t samples = inference->attrs[0].integer;
  CUSP_TRY(check_key(inference));
  if (!cusp_dtype_is_float(logits->dtype) || logits->shape.ndim != 2 || logits->shape.size[1] < 1)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected float logits of shape [batch, classes], got %s of shape %s",
                           cusp_dtype_name(logits->dtype), cusp_shape_text(&logits->shape));
  if (samples < 0)
    return cusp_infer_fail(inference, CUSP_EVALUE, "num_samples must not be negative, got %lld",
                           (long long)samples);
  inference->outputs[0] =
      (cusp_type){(cusp_dtype)inference->attrs[1].integer, {2, {logits->shape.size[0], samples}}};
  return CUSP_OK;
}

static cusp_status permutation_infer(cusp_inference *inference) {
  int64_t n = inference->attrs[0].integer;
  CUSP_TRY(check_key(inference));
  if (n < 0)
    return cusp_infer_fail(inference, CUSP_EVALUE, "n must not be negative, got %lld",
                           (long long)n);
  inference->outputs[0] = (cusp_type){CUSP_INT64, {1, {n}}};
  return CUSP_OK;
}

/** Linear in x: the cotangent goes through the same mask, drawn again from the same key. */
static cusp_status dropout_gradient(cusp_gradient *g) {
  cusp_attr rate = g->node->attrs[0];
  return cusp_built(g->dx[1] = CUSP_APPLY2("dropout_elements", g->x[0], g->dy[0], rate));
}

/* ------------------------------------------------------------------ the public rows */

/** The dtype attribute, floatx where it is absent; CUSP_EDTYPE for one that is no float. */
static cusp_status float_dtype(const char *name, const cusp_attr *attr, cusp_dtype *out) {
  *out = attr->kind == CUSP_ATTR_DTYPE ? (cusp_dtype)attr->integer : cusp_get_floatx();
  return cusp_dtype_is_float(*out) ? CUSP_OK
                                   : cusp_fail(CUSP_EDTYPE, "%s: expected a float dtype, got %s",
                                               name, cusp_dtype_name(*out));
}

/** A hidden draw of attributes (shape, first, second, dtype): 16-bit floats are drawn as float32
 * and rounded. */
static cusp_status draw(const char *row, const char *name, cusp_node *key, const cusp_attr *attrs,
                        double first, double second, cusp_node **out) {
  cusp_dtype dtype;
  CUSP_TRY(float_dtype(name, &attrs[3], &dtype));
  cusp_attr wide = cusp_attr_dtype(cusp_dtype_widened(dtype));
  cusp_node *drawn =
      CUSP_APPLY1(row, key, attrs[0], cusp_attr_float(first), cusp_attr_float(second), wide);
  *out = drawn ? cusp_cast(drawn, dtype) : NULL;
  return cusp_built(*out);
}

CUSP_COMPOSE(uniform_compose) {
  *n_outputs = 1;
  if (!(attrs[1].number <= attrs[2].number))
    return cusp_fail(CUSP_EVALUE, "random_uniform: minval must not exceed maxval, got %g and %g",
                     attrs[1].number, attrs[2].number);
  return draw("uniform_draw", "random_uniform", inputs[0], attrs, attrs[1].number, attrs[2].number,
              outputs);
}

CUSP_COMPOSE(normal_compose) {
  *n_outputs = 1;
  return draw("normal_draw", "random_normal", inputs[0], attrs, attrs[1].number, attrs[2].number,
              outputs);
}

/** By inversion: sqrt(2) * erfinv(u) is normal where u is uniform in (-1, 1), and within 2 for |u|
 * < erf(sqrt(2)). */
CUSP_COMPOSE(truncated_normal_compose) {
  double limit = erf(sqrt(2.0)), mean = attrs[1].number, stddev = attrs[2].number;
  cusp_node *u = NULL;
  *n_outputs = 1;
  CUSP_TRY(draw("uniform_draw", "random_truncated_normal", inputs[0], attrs, -limit, limit, &u));
  cusp_dtype dtype = u->type.dtype;
  cusp_node *z =
      cusp_scale(cusp_apply_1("erfinv", cusp_cast(u, cusp_dtype_widened(dtype))), sqrt(2.0));
  z = z ? cusp_apply_3("clip", z, cusp_scalar_like(-2, z), cusp_scalar_like(2, z)) : NULL;
  cusp_node *scaled = cusp_shift(cusp_scale(z, stddev), mean);
  return cusp_built(outputs[0] = scaled ? cusp_cast(scaled, dtype) : NULL);
}

CUSP_COMPOSE(randint_compose) {
  *n_outputs = 1;
  return cusp_built(
      outputs[0] = CUSP_APPLY1("integer_draw", inputs[0], attrs[0], attrs[1], attrs[2], attrs[3]));
}

/** Attribute 0 is the shape, 1 the dtype: parameters broadcast to the shape, in float64 so that
 * large counts stay whole. */
static cusp_status samples(const char *row, const char *name, cusp_node *const *inputs,
                           int n_inputs, const cusp_attr *attrs, cusp_node **out) {
  cusp_node *x[3] = {inputs[0]};
  cusp_shape shape = {.ndim = attrs[0].count};
  cusp_dtype dtype;
  CUSP_TRY(float_dtype(name, &attrs[1], &dtype));
  if (shape.ndim > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_ESHAPE, "%s: expected a shape of at most %d axes, got %d", name,
                     CUSP_MAX_DIMS, shape.ndim);
  if (shape.ndim > 0)
    memcpy(shape.size, attrs[0].ints, (size_t)shape.ndim * sizeof *shape.size);
  for (int i = 1; i < n_inputs; i++) {
    cusp_node *wide = cusp_cast(inputs[i], CUSP_FLOAT64);
    x[i] = wide ? cusp_broadcast_to(wide, &shape) : NULL;
    CUSP_TRY(cusp_built(x[i]));
  }
  cusp_attr result = cusp_attr_dtype(dtype);
  return cusp_built(*out = cusp_apply(row, n_inputs, x, 1, &result));
}

CUSP_COMPOSE(gamma_compose) {
  *n_outputs = 1;
  return samples("gamma_draw", "random_gamma", inputs, n_inputs, attrs, outputs);
}

CUSP_COMPOSE(beta_compose) {
  *n_outputs = 1;
  return samples("beta_draw", "random_beta", inputs, n_inputs, attrs, outputs);
}

CUSP_COMPOSE(binomial_compose) {
  *n_outputs = 1;
  return samples("binomial_draw", "random_binomial", inputs, n_inputs, attrs, outputs);
}

CUSP_COMPOSE(shuffle_compose) {
  cusp_node *x = inputs[1];
  int ndim = x->type.shape.ndim;
  int64_t axis = attrs[0].integer < 0 ? attrs[0].integer + ndim : attrs[0].integer;
  *n_outputs = 1;
  if (axis < 0 || axis >= ndim)
    return cusp_fail(
        CUSP_EVALUE, "random_shuffle: axis %lld is out of range for a tensor of %d axes",
        (long long)(attrs[0].integer < 0 ? attrs[0].integer : attrs[0].integer + 1), ndim);
  cusp_node *order =
      CUSP_APPLY1("random_permutation", inputs[0], cusp_attr_int(x->type.shape.size[axis]));
  return cusp_built(outputs[0] = CUSP_APPLY2("take", x, order, cusp_attr_int(axis)));
}

/** The mask's shape: x's, or noise_shape, of which a size below 0 stands for x's. */
static cusp_status noise_shape(const cusp_attr *attr, const cusp_shape *x, cusp_shape *out) {
  *out = *x;
  if (attr->kind != CUSP_ATTR_INTS)
    return CUSP_OK;
  if (attr->count != x->ndim)
    return cusp_fail(
        CUSP_ESHAPE,
        "dropout: noise_shape must have as many axes as the input, got %d for shape %s",
        attr->count, cusp_shape_text(x));
  for (int i = 0; i < attr->count; i++) {
    out->size[i] = attr->ints[i] < 0 ? x->size[i] : attr->ints[i];
    if (out->size[i] != 1 && out->size[i] != x->size[i])
      return cusp_fail(CUSP_ESHAPE,
                       "dropout: size %lld of noise_shape at axis %d must be 1 or the input's, "
                       "whose shape is %s",
                       (long long)attr->ints[i], i + 1, cusp_shape_text(x));
  }
  return CUSP_OK;
}

CUSP_COMPOSE(dropout_compose) {
  cusp_node *key = inputs[0], *x = inputs[1];
  double rate = attrs[0].number;
  cusp_shape mask_shape;
  *n_outputs = 1;
  if (!(rate >= 0 && rate <= 1))
    return cusp_fail(CUSP_EVALUE, "dropout: rate should be between 0 and 1, got %g", rate);
  CUSP_TRY(noise_shape(&attrs[1], &x->type.shape, &mask_shape));
  if (rate == 0 || rate == 1)
    return cusp_built(outputs[0] = rate == 0 ? cusp_cast(x, x->type.dtype) : cusp_zeros_like(x));
  bool whole = cusp_shape_equal(&mask_shape, &x->type.shape);
  if (whole && (x->type.dtype == CUSP_FLOAT32 || x->type.dtype == CUSP_FLOAT64))
    return cusp_built(outputs[0] = CUSP_APPLY2("dropout_elements", key, x, cusp_attr_float(rate)));
  cusp_node *keep =
      CUSP_APPLY1("bernoulli_draw", key, cusp_attr_shape(&mask_shape), cusp_attr_float(1 - rate));
  return cusp_built(outputs[0] =
                        cusp_where(keep, cusp_scale(x, 1 / (1 - rate)), cusp_scalar_like(0, x)));
}

#define RANDOM .flags = CUSP_OP_RANDOM | CUSP_OP_NO_GRADIENT
#define HIDDEN .flags = CUSP_OP_RANDOM | CUSP_OP_NO_GRADIENT | CUSP_OP_HIDDEN

const cusp_op cusp_ops_random[] = {
    {.name = "random_uniform",
     .arguments = "key, shape: shape, minval: float = 0, maxval: float = 1, dtype: dtype = nil",
     .help = "Numbers uniform in [minval, maxval).",
     RANDOM,
     .compose = uniform_compose},
    {.name = "random_normal",
     .arguments = "key, shape: shape, mean: float = 0, stddev: float = 1, dtype: dtype = nil",
     .help = "Normally distributed numbers.",
     RANDOM,
     .compose = normal_compose},
    {.name = "random_truncated_normal",
     .arguments = "key, shape: shape, mean: float = 0, stddev: float = 1, dtype: dtype = nil",
     .help =
         "Normal numbers of which none lies further than two standard deviations from the mean.",
     RANDOM,
     .compose = truncated_normal_compose},
    {.name = "random_randint",
     .arguments = "key, shape: shape, minval: int, maxval: int, dtype: dtype = int32",
     .help = "Integers uniform in [minval, maxval).",
     RANDOM,
     .compose = randint_compose},
    {.name = "random_binomial",
     .arguments = "key, counts, probabilities, shape: shape, dtype: dtype = nil",
     .help = "Successes in so many trials of such a probability.",
     RANDOM,
     .compose = binomial_compose},
    {.name = "random_gamma",
     .arguments = "key, alpha, shape: shape, dtype: dtype = nil",
     .help = "Gamma distributed numbers of scale 1.",
     RANDOM,
     .compose = gamma_compose},
    {.name = "random_beta",
     .arguments = "key, alpha, beta, shape: shape, dtype: dtype = nil",
     .help = "Beta distributed numbers.",
     RANDOM,
     .compose = beta_compose},
    {.name = "random_categorical",
     .arguments = "key, logits, num_samples: int, dtype: dtype = int32",
     .help = "Class numbers drawn from softmax(logits), row by row.",
     RANDOM,
     .infer = categorical_infer,
     .kernels = KERNEL(categorical_prepare, categorical_run)},
    {.name = "random_permutation",
     .arguments = "key, n: int",
     .help = "0 .. n - 1 in random order (int64).",
     RANDOM,
     .infer = permutation_infer,
     .kernels = KERNEL(NULL, permutation_run)},
    {.name = "random_shuffle",
     .arguments = "key, x, axis: axis = 0",
     .help = "x with its slices along an axis in random order.",
     .flags = CUSP_OP_RANDOM | CUSP_OP_STRINGS,
     .first_promoted = 1,
     .compose = shuffle_compose},
    {.name = "dropout",
     .arguments = "key, x, rate: float, noise_shape: shape = nil",
     .help = "Zeros with probability rate, the rest scaled by 1 / (1 - rate).",
     .flags = CUSP_OP_RANDOM,
     .promotion = CUSP_PROMOTE_FLOAT,
     .first_promoted = 1,
     .compose = dropout_compose},
    {.name = "uniform_draw",
     .arguments = "key, shape: shape, minval: float, maxval: float, dtype: dtype",
     .help = "random_uniform of float32 or float64.",
     HIDDEN,
     .infer = float_draw_infer,
     .kernels = KERNEL(NULL, uniform_run)},
    {.name = "normal_draw",
     .arguments = "key, shape: shape, mean: float, stddev: float, dtype: dtype",
     .help = "random_normal of float32 or float64.",
     HIDDEN,
     .infer = float_draw_infer,
     .kernels = KERNEL(NULL, normal_run)},
    {.name = "integer_draw",
     .arguments = "key, shape: shape, minval: int, maxval: int, dtype: dtype",
     .help = "random_randint.",
     HIDDEN,
     .infer = integers_infer,
     .kernels = KERNEL(NULL, integers_run)},
    {.name = "bernoulli_draw",
     .arguments = "key, shape: shape, p: float",
     .help = "True with probability p.",
     HIDDEN,
     .infer = bernoulli_infer,
     .kernels = KERNEL(NULL, bernoulli_run)},
    {.name = "dropout_elements",
     .arguments = "key, x, rate: float",
     .help = "dropout of float32 or float64, each element by itself.",
     .flags = CUSP_OP_RANDOM | CUSP_OP_HIDDEN,
     .first_promoted = 1,
     .infer = dropout_infer,
     .gradient = dropout_gradient,
     .kernels = KERNEL(dropout_prepare, dropout_run)},
    {.name = "binomial_draw",
     .arguments = "key, counts, probabilities, dtype: dtype",
     .help = "random_binomial of the parameters' shape.",
     HIDDEN,
     .infer = sample_infer,
     .kernels = KERNEL(NULL, binomial_run)},
    {.name = "gamma_draw",
     .arguments = "key, alpha, dtype: dtype",
     .help = "random_gamma of the parameter's shape.",
     HIDDEN,
     .infer = sample_infer,
     .kernels = KERNEL(NULL, gamma_run)},
    {.name = "beta_draw",
     .arguments = "key, alpha, beta, dtype: dtype",
     .help = "random_beta of the parameters' shape.",
     HIDDEN,
     .infer = sample_infer,
     .kernels = KERNEL(NULL, beta_run)},
    {0},
};
