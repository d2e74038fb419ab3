/* Fourier transforms along the last axis, of complex numbers as pairs of tensors; the public rows
 * are Lua's. */

#include "../kernels/fourier.h"
#include "../base/memory.h"
#include "../base/threads.h"
#include "../node/build.h"
#include "../node/infer.h"

/* ------------------------------------------------------------------ kernels: blocks of rows */

/** The number of pieces is kept because the number of threads may change between prepare and
 * run. */
typedef struct fourier_state {
  cusp_fourier_plan *plan;
  int64_t rows, lanes, pieces;
  size_t scratch; /* bytes a piece */
} fourier_state;

static int64_t last_size(const cusp_array *x) { return x->shape.size[x->shape.ndim - 1]; }

static int64_t row_count(const cusp_array *x) {
  cusp_shape rows = x->shape;
  rows.ndim--;
  return cusp_shape_count(&rows);
}

static int64_t at_most(int64_t a, int64_t limit) { return a < limit ? a : limit; }
static int64_t at_least(int64_t a, int64_t limit) { return a > limit ? a : limit; }

/** Deals the rows out: to threads where there is work enough, in blocks of lanes. */
static cusp_status deal(fourier_state *state, int64_t points) {
  int64_t threads = state->rows * points < 8192 ? 1 : cusp_get_num_threads();
  int64_t share = at_least((state->rows + threads - 1) / threads, 1);
  state->lanes = at_most(cusp_fourier_lanes(state->plan), share);
  state->pieces = at_most(threads, at_least((state->rows + state->lanes - 1) / state->lanes, 1));
  return cusp_fourier_scratch(&state->scratch, state->plan, state->lanes);
}

static void fourier_release(cusp_call *call) {
  fourier_state *state = call->state;
  if (state)
    cusp_fourier_plan_free(state->plan);
  cusp_free(state);
  call->state = NULL;
}

static cusp_status prepare(cusp_call *call, const cusp_fourier *what) {
  fourier_state *state;
  CUSP_TRY(cusp_alloc_zeroed((void **)&state, sizeof *state));
  call->state = state;
  state->rows = row_count(&call->inputs[0]);
  cusp_status status = cusp_fourier_plan_new(&state->plan, what);
  if (status == CUSP_OK)
    status = deal(state, what->n);
  if (status == CUSP_OK)
    status = cusp_multiply_size(&call->workspace_bytes, state->scratch, (size_t)state->pieces);
  if (status != CUSP_OK)
    fourier_release(call);
  return status;
}

static cusp_status complex_prepare(cusp_call *call) {
  const cusp_array *x = &call->inputs[0];
  return prepare(call, &(cusp_fourier){CUSP_FOURIER_COMPLEX, x->dtype, last_size(x),
                                       call->attrs[0].integer != 0, false});
}

static cusp_status real_prepare(cusp_call *call) {
  const cusp_array *x = &call->inputs[0];
  return prepare(call, &(cusp_fourier){CUSP_FOURIER_REAL, x->dtype, last_size(x), false,
                                       call->attrs[0].integer != 0});
}

static cusp_status half_prepare(cusp_call *call) {
  int64_t n = last_size(&call->outputs[0]);
  return prepare(call, &(cusp_fourier){CUSP_FOURIER_FROM_HALF, call->inputs[0].dtype, n, false,
                                       call->attrs[1].integer != 0});
}

static char *row_at(const cusp_array *array, int64_t row) {
  return (char *)array->data + row * last_size(array) * (int64_t)cusp_dtype_size(array->dtype);
}

static void run_block(const cusp_call *call, int64_t row, int64_t lanes, void *scratch) {
  const fourier_state *state = call->state;
  const void *in[2] = {row_at(&call->inputs[0], row), NULL};
  void *out[2] = {row_at(&call->outputs[0], row), NULL};
  if (call->n_inputs > 1)
    in[1] = row_at(&call->inputs[1], row);
  if (call->n_outputs > 1)
    out[1] = row_at(&call->outputs[1], row);
  cusp_fourier_run(state->plan, lanes, in, out, scratch);
}

static void run_pieces(void *context, int64_t begin, int64_t end) {
  const cusp_call *call = context;
  const fourier_state *state = call->state;
  for (int64_t piece = begin; piece < end; piece++) {
    int64_t last = state->rows * (piece + 1) / state->pieces;
    char *scratch = (char *)call->workspace + (size_t)piece * state->scratch;
    for (int64_t row = state->rows * piece / state->pieces; row < last; row += state->lanes)
      run_block(call, row, at_most(last - row, state->lanes), scratch);
  }
}

static cusp_status fourier_run(cusp_call *call) {
  cusp_parallel_for(((const fourier_state *)call->state)->pieces, 1, run_pieces, call);
  return CUSP_OK;
}

#define KERNEL(prepare_)                                                                           \
  (const cusp_kernel[]) {                                                                          \
    {.name = "passes", .prepare = prepare_, .run = fourier_run, .release = fourier_release}, { 0 } \
  }

/* ------------------------------------------------------------------ types */

static cusp_status check_rows(cusp_inference *inference) {
  const cusp_type *x = inference->inputs, *y = &inference->inputs[inference->n_inputs - 1];
  if (x->dtype != CUSP_FLOAT32 && x->dtype != CUSP_FLOAT64)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "expected float32 or float64, got %s",
                           cusp_dtype_name(x->dtype));
  if (x->shape.ndim < 1 || !cusp_shape_equal(&x->shape, &y->shape))
    return cusp_infer_fail(
        inference, CUSP_ESHAPE,
        "expected real and imaginary parts of one shape with a last axis, got %s and %s",
        cusp_shape_text(&x->shape), cusp_shape_text(&y->shape));
  if (x->shape.size[x->shape.ndim - 1] < 1)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected at least one point along the last axis, got shape %s",
                           cusp_shape_text(&x->shape));
  return CUSP_OK;
}

static cusp_status complex_infer(cusp_inference *inference) {
  CUSP_TRY(check_rows(inference));
  inference->n_outputs = 2;
  inference->outputs[0] = inference->outputs[1] = inference->inputs[0];
  return CUSP_OK;
}

static cusp_status real_infer(cusp_inference *inference) {
  CUSP_TRY(complex_infer(inference));
  int last = inference->inputs[0].shape.ndim - 1;
  for (int i = 0; i < 2; i++)
    inference->outputs[i].shape.size[last] = inference->inputs[0].shape.size[last] / 2 + 1;
  return CUSP_OK;
}

static cusp_status half_infer(cusp_inference *inference) {
  CUSP_TRY(check_rows(inference));
  int last = inference->inputs[0].shape.ndim - 1;
  int64_t n = inference->attrs[0].integer, count = inference->inputs[0].shape.size[last];
  if (n < 1 || n / 2 + 1 != count)
    return cusp_infer_fail(inference, CUSP_EVALUE, "%lld points have %lld frequencies, got %lld",
                           (long long)n, (long long)(n / 2 + 1), (long long)count);
  inference->outputs[0] = inference->inputs[0];
  inference->outputs[0].shape.size[last] = n;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ gradients: the transposed
 * transforms */

static cusp_node *cotangent(const cusp_gradient *g, int output) {
  return g->dy[output] ? g->dy[output] : cusp_zeros_like(g->y[output]);
}

static cusp_status pair_gradient(cusp_gradient *g, const char *name, int n_inputs,
                                 cusp_node *const *inputs, cusp_attr attr) {
  cusp_node *results[CUSP_MAX_OUTPUTS];
  for (int i = 0; i < n_inputs; i++)
    CUSP_TRY(cusp_built(inputs[i]));
  if (cusp_apply_many(results, name, n_inputs, inputs, 1, &attr) == 0)
    return cusp_built(NULL);
  g->dx[0] = results[0];
  g->dx[1] = results[1];
  return CUSP_OK;
}

static cusp_status complex_gradient(cusp_gradient *g) {
  cusp_node *dy[2] = {cotangent(g, 0), cotangent(g, 1)};
  return pair_gradient(g, "fourier", 2, dy, cusp_attr_bool(!g->node->attrs[0].integer));
}

static cusp_status real_gradient(cusp_gradient *g) {
  const cusp_shape *shape = &g->x[0]->type.shape;
  cusp_node *dy[2] = {cotangent(g, 0), cotangent(g, 1)};
  cusp_attr attrs[2] = {cusp_attr_int(shape->size[shape->ndim - 1]), g->node->attrs[0]};
  CUSP_TRY(cusp_built(dy[0]));
  CUSP_TRY(cusp_built(dy[1]));
  return cusp_built(g->dx[0] = cusp_apply("fourier_from_half", 2, dy, 2, attrs));
}

static cusp_status half_gradient(cusp_gradient *g) {
  return pair_gradient(g, "fourier_real", 1, g->dy, g->node->attrs[1]);
}

const cusp_op cusp_ops_fourier[] = {
    {.name = "fourier",
     .arguments = "real, imaginary, inverse: bool = false",
     .help = "Real and imaginary part of the Fourier transform along the last axis, unscaled.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_FLOAT,
     .infer = complex_infer,
     .gradient = complex_gradient,
     .kernels = KERNEL(complex_prepare)},
    {.name = "fourier_real",
     .arguments = "x, doubled: bool = false",
     .help = "The frequencies 0 .. n / 2 of n real values; those that stand for two are doubled or "
             "not.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_FLOAT,
     .infer = real_infer,
     .gradient = real_gradient,
     .kernels = KERNEL(real_prepare)},
    {.name = "fourier_from_half",
     .arguments = "real, imaginary, n: int, doubled: bool = true",
     .help = "The n real values of frequencies 0 .. n / 2, unscaled.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_FLOAT,
     .infer = half_infer,
     .gradient = half_gradient,
     .kernels = KERNEL(half_prepare)},
    {0},
};
