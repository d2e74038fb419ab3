/*
 * How the rows of convolutions are computed: by oneDNN, or by plain loops. A kernel that is the
 * same in many runs is kept as oneDNN wants it, times its scale.
 */

#include "convolution_kernels.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "../kernels/blas.h"
#include "../kernels/convolution.h"
#include "../kernels/depthwise.h"
#include "../kernels/onednn.h"
#include "../kernels/sliced_convolution.h"
#include "../kernels/tiles.h"
#include "../kernels/vector.h"
#include "kept_kernels.h"
#include "windows.h"

#include <string.h>

const cusp_convolution_face cusp_convolution_faces[] = {
    CUSP_CONVOLUTION_FORWARD, CUSP_CONVOLUTION_INPUT_GRADIENT, CUSP_CONVOLUTION_KERNEL_GRADIENT};

static int64_t last_size(const cusp_shape *shape) { return shape->size[shape->ndim - 1]; }

cusp_ending cusp_ending_of(const cusp_call *call) {
  cusp_ending e = {NULL, NULL};
  if (call->op->kernels != cusp_convolution_ended_kernels)
    return e;
  const int64_t terms = call->attrs[CUSP_CONVOLUTION_TERMS].integer;
  const cusp_array *next = call->inputs + 2;
  if (terms & CUSP_ENDING_SCALE)
    e.scale = next++;
  if (terms & CUSP_ENDING_SHIFT)
    e.shift = next;
  return e;
}

/** Which arrays of a call are x, kernel and y. */
cusp_convolution cusp_convolution_of(const cusp_call *call, cusp_convolution_face which) {
  const cusp_array *x =
      which == CUSP_CONVOLUTION_INPUT_GRADIENT ? &call->outputs[0] : &call->inputs[0];
  const cusp_array *kernel =
      which == CUSP_CONVOLUTION_KERNEL_GRADIENT ? &call->outputs[0] : &call->inputs[1];
  const cusp_array *y = which == CUSP_CONVOLUTION_FORWARD          ? &call->outputs[0]
                        : which == CUSP_CONVOLUTION_INPUT_GRADIENT ? &call->inputs[0]
                                                                   : &call->inputs[1];
  const cusp_attr *attrs = call->attrs;
  const int64_t group_channels = kernel->shape.size[kernel->shape.ndim - 2];
  cusp_convolution c = {.channels = last_size(&x->shape),
                        .filters = last_size(&kernel->shape),
                        .dtype = call->inputs[0].dtype,
                        .result = call->outputs[0].dtype};
  c.windows = cusp_windows_of(
      &x->shape, &y->shape, kernel->shape.size, attrs[CUSP_CONVOLUTION_STRIDES].ints,
      attrs[CUSP_CONVOLUTION_LOW].ints, attrs[CUSP_CONVOLUTION_DILATIONS].ints);
  c.shifted = cusp_ending_of(call).shift != NULL;
  c.groups = group_channels > 0 ? c.channels / group_channels : 1;
  return c;
}

/* ------------------------------------------------------------------ plain loops */

/** The plain loops know no bfloat16: operands and result get float32 copies. */
static cusp_status prepare_reference(cusp_call *call) {
  if (call->inputs[0].dtype == CUSP_BFLOAT16)
    call->workspace_bytes = cusp_wide_bytes(&call->inputs[0]) + cusp_wide_bytes(&call->inputs[1]) +
                            cusp_wide_bytes(&call->outputs[0]);
  return CUSP_OK;
}

static void run_widened(const cusp_call *call, const cusp_convolution *c,
                        cusp_convolution_face which) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1], *out = &call->outputs[0];
  char *wide_a = call->workspace, *wide_b = wide_a + cusp_wide_bytes(a),
       *wide = wide_b + cusp_wide_bytes(b);
  cusp_vector_convert(a->dtype, a->data, CUSP_FLOAT32, wide_a, cusp_array_count(a));
  cusp_vector_convert(b->dtype, b->data, CUSP_FLOAT32, wide_b, cusp_array_count(b));
  cusp_convolution_reference(c, which, CUSP_FLOAT32, wide_a, wide_b, wide);
  cusp_vector_convert(CUSP_FLOAT32, wide, out->dtype, out->data, cusp_array_count(out));
}

static cusp_status run_plain(cusp_call *call) {
  const cusp_convolution_face which = cusp_face_of(call);
  const cusp_convolution c = cusp_convolution_of(call, which);
  const size_t bytes =
      (size_t)cusp_array_count(&call->outputs[0]) * cusp_dtype_size(call->outputs[0].dtype);
  if (bytes == 0)
    return CUSP_OK;
  if (c.groups == 0 || c.filters == 0 || c.channels == 0)
    memset(call->outputs[0].data, 0, bytes);
  else if (c.dtype == CUSP_BFLOAT16)
    run_widened(call, &c, which);
  else
    cusp_convolution_reference(&c, which, c.dtype, call->inputs[0].data, call->inputs[1].data,
                               call->outputs[0].data);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ endings */

#define SCALE_GRAIN 32768 /* numbers that a thread changes in some 5 us */

typedef struct scaling {
  int64_t filters;
  const float *x, *scale, *shift; /* scale or shift may be NULL */
  float *y;
  cusp_vector_fn multiply, add;
} scaling;

static void scale_rows(void *context, int64_t begin, int64_t end) {
  const scaling *s = context;
  static const int8_t steps[] = {1, 1};
  for (int64_t row = begin; row < end; row++) {
    const float *x = s->x + row * s->filters;
    float *y = s->y + row * s->filters;
    if (s->scale)
      s->multiply(s->filters, y, (const void *[]){x, s->scale}, steps);
    else if (x != y)
      memcpy(y, x, (size_t)s->filters * sizeof *y);
    if (s->shift)
      s->add(s->filters, y, (const void *[]){y, s->shift}, steps);
  }
}

void cusp_scale_filters(const cusp_array *x, const cusp_array *scale, const cusp_array *shift,
                        float *y) {
  scaling s = {.filters = last_size(&x->shape),
               .x = x->data,
               .scale = scale ? scale->data : NULL,
               .shift = shift ? shift->data : NULL,
               .y = y,
               .multiply = cusp_vector_find(CUSP_VECTOR_multiply, CUSP_FLOAT32),
               .add = cusp_vector_find(CUSP_VECTOR_add, CUSP_FLOAT32)};
  const int64_t rows = s.filters > 0 ? cusp_array_count(x) / s.filters : 0;
  cusp_parallel_for(rows, SCALE_GRAIN / (s.filters + 1) + 1, scale_rows, &s);
}

static cusp_status run_reference(cusp_call *call) {
  const cusp_ending e = cusp_ending_of(call);
  CUSP_TRY(run_plain(call));
  if (e.scale || e.shift)
    cusp_scale_filters(&call->outputs[0], e.scale, e.shift, call->outputs[0].data);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ oneDNN */

bool cusp_keeps_kernel(const cusp_call *call) {
  return (call->steady & 2) && (!cusp_ending_of(call).scale || (call->steady & 4));
}

/** oneDNN's state of a call; `convolution` is NULL where it had no fast implementation after
 * all. */
typedef struct onednn_state {
  cusp_sliced_convolution *convolution;
  bool keeps; /* the kernel, scaled and packed */
  cusp_kept_kernel kept;
  size_t form_bytes;    /* of its form */
  size_t own_workspace; /* of oneDNN; behind it there is room for a scaled kernel */
} onednn_state;

/** Whether a window is longer than the image, for which oneDNN has no fast depthwise gradient, and
 * of bfloat16 at strides a wrong one: it adds what lies in memory. */
static bool exceeds_image(const cusp_windows *w) {
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++)
    if ((w->size[axis] - 1) * w->dilation[axis] >= w->input[axis])
      return true;
  return false;
}

static bool is_mistaken(const cusp_call *call) {
  if (cusp_face_of(call) != CUSP_CONVOLUTION_KERNEL_GRADIENT ||
      call->inputs[0].dtype != CUSP_BFLOAT16)
    return false;
  const cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_KERNEL_GRADIENT);
  const int64_t *stride = c.windows.stride;
  return exceeds_image(&c.windows) && (stride[0] > 1 || stride[1] > 1 || stride[2] > 1);
}

static bool can_run_onednn(const cusp_call *call) {
  const cusp_dtype dtype = call->inputs[0].dtype;
  return (dtype == CUSP_FLOAT32 || (dtype == CUSP_BFLOAT16 && cusp_tiles_present())) &&
         cusp_array_count(&call->inputs[0]) > 0 && cusp_array_count(&call->inputs[1]) > 0 &&
         cusp_array_count(&call->outputs[0]) > 0 && !is_mistaken(call) &&
         cusp_onednn_load() != NULL;
}

/* more than oneDNN takes for a convolution; it raises what ends the program without it */
#define PRIMITIVE_BYTES ((size_t)16 << 20)

static size_t kernel_bytes(const cusp_call *call) {
  return (size_t)cusp_array_count(&call->inputs[1]) * cusp_dtype_size(call->inputs[1].dtype);
}

/** What is kept between runs, and the scratch memory of one. */
static void plan_forms(cusp_call *call, onednn_state *state) {
  const bool scaled = cusp_ending_of(call).scale != NULL;
  const size_t packed = cusp_sliced_convolution_packed(state->convolution);
  state->keeps = cusp_face_of(call) != CUSP_CONVOLUTION_KERNEL_GRADIENT &&
                 cusp_keeps_kernel(call) && (packed > 0 || scaled);
  state->form_bytes = packed > 0 ? packed : kernel_bytes(call);
  state->own_workspace = cusp_aligned_size(cusp_sliced_convolution_workspace(state->convolution) -
                                           (state->keeps ? packed : 0));
  call->workspace_bytes =
      state->own_workspace + (scaled ? cusp_aligned_size(kernel_bytes(call)) : 0);
  call->kept_bytes = state->keeps ? state->form_bytes : 0;
}

static cusp_status prepare_onednn(cusp_call *call) {
  onednn_state *state;
  CUSP_TRY(cusp_memory_check(PRIMITIVE_BYTES));
  CUSP_TRY(cusp_alloc_zeroed((void **)&state, sizeof *state));
  const cusp_convolution_face which = cusp_face_of(call);
  const cusp_convolution c = cusp_convolution_of(call, which);
  call->state = state;
  CUSP_TRY(cusp_sliced_convolution_new(&state->convolution, &c, which));
  if (!state->convolution)
    return prepare_reference(call);
  plan_forms(call, state);
  return CUSP_OK;
}

/** The kernel times its scale, in scratch memory. */
static const void *scaled_kernel(const cusp_call *call, const onednn_state *state) {
  float *scaled = (float *)((char *)call->workspace + state->own_workspace);
  cusp_scale_filters(&call->inputs[1], cusp_ending_of(call).scale, NULL, scaled);
  return scaled;
}

static bool fill_form(const cusp_call *call, const onednn_state *state, void *form) {
  const bool scaled = cusp_ending_of(call).scale != NULL;
  if (cusp_sliced_convolution_packed(state->convolution) == 0) {
    cusp_scale_filters(&call->inputs[1], cusp_ending_of(call).scale, NULL, form);
    return true;
  }
  const void *kernel = scaled ? scaled_kernel(call, state) : call->inputs[1].data;
  return cusp_sliced_convolution_pack(state->convolution, kernel, form);
}

/** Makes the form where there is none of the present kernel and scale. */
static cusp_status refresh_form(cusp_call *call, onednn_state *state) {
  size_t manner_bytes;
  const void *manner = cusp_sliced_convolution_manner(state->convolution, &manner_bytes);
  cusp_kept_kernel *kept = &state->kept;
  bool fill;
  CUSP_TRY(cusp_kernel_form(call, cusp_ending_of(call).scale, kept, manner, manner_bytes,
                            state->form_bytes, &fill));
  if (!fill)
    return CUSP_OK;
  if (fill_form(call, state, cusp_form_bytes(kept->form))) {
    cusp_form_filled(kept->form);
    return CUSP_OK;
  }
  cusp_form_release(kept->form);
  kept->form = NULL;
  return cusp_fail(CUSP_EBACKEND, "%s: oneDNN: a kernel could not be packed", call->name);
}

static cusp_status run_onednn(cusp_call *call) {
  onednn_state *state = call->state;
  if (!state->convolution)
    return run_reference(call);
  const cusp_ending e = cusp_ending_of(call);
  cusp_convolution_operands operands = {.a = call->inputs[0].data,
                                        .b = call->inputs[1].data,
                                        .shift = e.shift ? e.shift->data : NULL,
                                        .out = call->outputs[0].data,
                                        .workspace = call->workspace,
                                        .packed = state->keeps};
  if (state->keeps) {
    CUSP_TRY(refresh_form(call, state));
    operands.b = cusp_form_bytes(state->kept.form);
  } else if (e.scale) {
    operands.b = scaled_kernel(call, state);
  }
  if (!cusp_sliced_convolution_run(state->convolution, &operands))
    return cusp_fail(CUSP_EBACKEND, "%s: oneDNN failed", call->name);
  return CUSP_OK;
}

static void release_onednn(cusp_call *call) {
  onednn_state *state = call->state;
  if (!state)
    return;
  cusp_sliced_convolution_free(state->convolution);
  cusp_form_release(state->kept.form);
  cusp_free(state);
  call->state = NULL;
}

/* ------------------------------------------------------------------ own products */

static bool can_run_products(const cusp_call *call) {
  if (cusp_face_of(call) != CUSP_CONVOLUTION_FORWARD || cusp_array_count(&call->outputs[0]) == 0)
    return false;
  const cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_FORWARD);
  return cusp_convolution_by_products_pays(&c, cusp_gemm_is_quiet());
}

static cusp_status prepare_products(cusp_call *call) {
  const cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_FORWARD);
  call->workspace_bytes = cusp_convolution_workspace(&c);
  return CUSP_OK;
}

static cusp_status run_products(cusp_call *call) {
  const cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_FORWARD);
  cusp_convolution_by_products(&c, call->inputs[0].data, call->inputs[1].data,
                               call->outputs[0].data, call->workspace);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ own depthwise */

static bool can_run_depthwise(const cusp_call *call) {
  if (cusp_face_of(call) != CUSP_CONVOLUTION_KERNEL_GRADIENT ||
      cusp_array_count(&call->inputs[0]) == 0 || cusp_array_count(&call->outputs[0]) == 0)
    return false;
  const cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_KERNEL_GRADIENT);
  return c.groups > 1 && c.groups == c.channels && c.groups == c.filters &&
         (c.dtype == CUSP_FLOAT32 || (c.dtype == CUSP_BFLOAT16 && exceeds_image(&c.windows)));
}

/** Of bfloat16, operands and result get float32 copies behind the sums. */
static cusp_status prepare_depthwise(cusp_call *call) {
  const cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_KERNEL_GRADIENT);
  call->workspace_bytes = cusp_aligned_size(cusp_depthwise_workspace(&c));
  if (c.dtype == CUSP_BFLOAT16)
    call->workspace_bytes += cusp_wide_bytes(&call->inputs[0]) + cusp_wide_bytes(&call->inputs[1]) +
                             cusp_wide_bytes(&call->outputs[0]);
  return CUSP_OK;
}

static void run_depthwise_widened(const cusp_call *call, const cusp_convolution *c) {
  const cusp_array *x = &call->inputs[0], *dy = &call->inputs[1], *out = &call->outputs[0];
  char *wide_x = (char *)call->workspace + cusp_aligned_size(cusp_depthwise_workspace(c));
  char *wide_dy = wide_x + cusp_wide_bytes(x), *wide = wide_dy + cusp_wide_bytes(dy);
  cusp_vector_convert(x->dtype, x->data, CUSP_FLOAT32, wide_x, cusp_array_count(x));
  cusp_vector_convert(dy->dtype, dy->data, CUSP_FLOAT32, wide_dy, cusp_array_count(dy));
  cusp_depthwise_kernel_gradient(c, (const float *)wide_x, (const float *)wide_dy, (float *)wide,
                                 call->workspace);
  cusp_vector_convert(CUSP_FLOAT32, wide, out->dtype, out->data, cusp_array_count(out));
}

static cusp_status run_depthwise(cusp_call *call) {
  const cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_KERNEL_GRADIENT);
  if (c.dtype == CUSP_BFLOAT16)
    run_depthwise_widened(call, &c);
  else
    cusp_depthwise_kernel_gradient(&c, call->inputs[0].data, call->inputs[1].data,
                                   call->outputs[0].data, call->workspace);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the lists */

#define PANELS                                                            \
  {                                                                       \
    .name = "panels", .can_run = cusp_few_positions_can_run,              \
    .prepare = cusp_few_positions_prepare, .run = cusp_few_positions_run, \
    .release = cusp_few_positions_release, .keeps = true                  \
  }
#define ONEDNN                                                                                 \
  {                                                                                            \
    .name = "onednn", .can_run = can_run_onednn, .prepare = prepare_onednn, .run = run_onednn, \
    .release = release_onednn, .keeps = true                                                   \
  }
#define TILES                                                                 \
  {                                                                           \
    .name = "tiles", .can_run = cusp_large_positions_can_run,                 \
    .prepare = cusp_large_positions_prepare, .run = cusp_large_positions_run, \
    .release = cusp_large_positions_release                                   \
  }
#define REFERENCE \
  { .name = "reference", .prepare = prepare_reference, .run = run_reference }

const cusp_kernel cusp_convolution_kernels[] = {{.name = "products",
                                                 .can_run = can_run_products,
                                                 .prepare = prepare_products,
                                                 .run = run_products},
                                                {.name = "depthwise",
                                                 .can_run = can_run_depthwise,
                                                 .prepare = prepare_depthwise,
                                                 .run = run_depthwise},
                                                TILES,
                                                PANELS,
                                                {.name = "positions",
                                                 .can_run = cusp_single_positions_can_run,
                                                 .prepare = cusp_single_positions_prepare,
                                                 .run = cusp_single_positions_run},
                                                ONEDNN,
                                                REFERENCE,
                                                {0}};
const cusp_kernel cusp_convolution_ended_kernels[] = {TILES, PANELS, ONEDNN, REFERENCE, {0}};
