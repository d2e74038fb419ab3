/*
 * Convolutions. The public rows read Keras's arguments, move channels last, and build three hidden
 * rows, the faces of one sum (kernels/windows.h). Each is linear in both operands, so each one's
 * gradients are the other two, to any order: conv_forward(x, kernel)           sizes: the output's
 * spatial axes conv_input_gradient(dy, kernel)   sizes: the input's spatial axes and channels
 *   conv_kernel_gradient(x, dy)       sizes: the kernel's axes
 * with attributes strides, low (positions of padding before the input), dilations and
 * sizes. */

#include "../kernels/convolution.h"
#include "../base/memory.h"
#include "../kernels/onednn.h"
#include "../kernels/sliced_convolution.h"
#include "../kernels/tiles.h"
#include "../kernels/vector.h"
#include "../node/infer.h"
#include "windows.h"

#include <string.h>

enum { STRIDES, LOW, DILATIONS, SIZES, N_ATTRS };

/* ------------------------------------------------------------------ hidden rows: types and
 * gradients */

/** The attribute of sizes has `extra_sizes` more numbers than there are spatial axes. */
static cusp_status check_operands(cusp_inference *inference, int extra_sizes) {
  const cusp_type *a = &inference->inputs[0], *b = &inference->inputs[1];
  if (a->dtype != CUSP_BFLOAT16)
    CUSP_TRY(cusp_infer_float_or_double(inference));
  if (a->dtype != b->dtype)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "expected operands of one dtype, got %s and %s",
                           cusp_dtype_name(a->dtype), cusp_dtype_name(b->dtype));
  if (a->shape.ndim != b->shape.ndim || a->shape.ndim < 3 || a->shape.ndim > 2 + CUSP_WINDOW_AXES)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected operands of 3 to 5 axes, got shapes %s and %s",
                           cusp_shape_text(&a->shape), cusp_shape_text(&b->shape));
  static const int64_t least[SIZES] = {[STRIDES] = 1, [LOW] = -(int64_t)INT32_MAX, [DILATIONS] = 1};
  for (int k = 0; k < SIZES; k++)
    CUSP_TRY(cusp_window_check(inference, k, a->shape.ndim - 2, least[k]));
  return cusp_window_check(inference, SIZES, a->shape.ndim - 2 + extra_sizes, 0);
}

/** Result of shape [first, sizes..., last], or of exactly the sizes. */
static void set_output(cusp_inference *inference, int64_t first, int64_t last, bool whole) {
  const cusp_attr *sizes = &inference->attrs[SIZES];
  cusp_shape *shape = &inference->outputs[0].shape;
  inference->outputs[0].dtype = inference->inputs[0].dtype;
  shape->ndim = 0;
  if (!whole)
    shape->size[shape->ndim++] = first;
  for (int i = 0; i < sizes->count; i++)
    shape->size[shape->ndim++] = sizes->ints[i];
  if (last >= 0)
    shape->size[shape->ndim++] = last;
}

static int64_t last_size(const cusp_shape *shape) { return shape->size[shape->ndim - 1]; }

/** The three shapes of the sum, one of them the result's: batches, channels in groups and filters
 * have to agree. */
static cusp_status check_agreement(const cusp_inference *inference, const cusp_shape *x,
                                   const cusp_shape *kernel, const cusp_shape *y) {
  const int64_t channels = last_size(x), group_channels = kernel->size[kernel->ndim - 2],
                filters = last_size(kernel);
  const int64_t groups = group_channels > 0 ? channels / group_channels : 1;
  if (x->size[0] != y->size[0] || last_size(y) != filters || groups * group_channels != channels ||
      (groups > 0 && filters % groups != 0))
    return cusp_infer_fail(
        inference, CUSP_ESHAPE,
        "inputs of shape %s, a kernel of %s and outputs of %s do not belong together",
        cusp_shape_text(x), cusp_shape_text(kernel), cusp_shape_text(y));
  return CUSP_OK;
}

static cusp_status forward_infer(cusp_inference *inference) {
  const cusp_shape *x = &inference->inputs[0].shape, *kernel = &inference->inputs[1].shape;
  CUSP_TRY(check_operands(inference, 0));
  set_output(inference, x->size[0], last_size(kernel), false);
  return check_agreement(inference, x, kernel, &inference->outputs[0].shape);
}

static cusp_status input_gradient_infer(cusp_inference *inference) {
  const cusp_shape *y = &inference->inputs[0].shape;
  CUSP_TRY(check_operands(inference, 1));
  set_output(inference, y->size[0], -1, false);
  return check_agreement(inference, &inference->outputs[0].shape, &inference->inputs[1].shape, y);
}

static cusp_status kernel_gradient_infer(cusp_inference *inference) {
  CUSP_TRY(check_operands(inference, 2));
  set_output(inference, 0, -1, true);
  return check_agreement(inference, &inference->inputs[0].shape, &inference->outputs[0].shape,
                         &inference->inputs[1].shape);
}

static cusp_status wide_kernel_gradient_infer(cusp_inference *inference) {
  if (inference->inputs[0].dtype != CUSP_BFLOAT16)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "expected bfloat16, got %s",
                           cusp_dtype_name(inference->inputs[0].dtype));
  CUSP_TRY(kernel_gradient_infer(inference));
  inference->outputs[0].dtype = CUSP_FLOAT32;
  return CUSP_OK;
}

static cusp_node *face(const char *name, cusp_node *a, cusp_node *b, const cusp_attr *attrs,
                       const int64_t *sizes, int count) {
  const cusp_attr all[N_ATTRS] = {attrs[STRIDES], attrs[LOW], attrs[DILATIONS],
                                  cusp_attr_ints(sizes, count)};
  return cusp_apply(name, 2, (cusp_node *[]){a, b}, N_ATTRS, all);
}

/** The faces for a result like `x` (an input), like `kernel`, or like `dy`. */
static cusp_node *face_for_input(cusp_node *dy, cusp_node *kernel, const cusp_node *x,
                                 const cusp_attr *attrs) {
  return face("conv_input_gradient", dy, kernel, attrs, x->type.shape.size + 1,
              x->type.shape.ndim - 1);
}
static cusp_node *face_for_kernel(cusp_node *x, cusp_node *dy, const cusp_node *kernel,
                                  const cusp_attr *attrs) {
  return face("conv_kernel_gradient", x, dy, attrs, kernel->type.shape.size,
              kernel->type.shape.ndim);
}
static cusp_node *face_for_output(cusp_node *x, cusp_node *kernel, const cusp_node *dy,
                                  const cusp_attr *attrs) {
  return face("conv_forward", x, kernel, attrs, dy->type.shape.size + 1, dy->type.shape.ndim - 2);
}

static cusp_status finish(const cusp_gradient *g) {
  for (int i = 0; i < 2; i++)
    if (g->wanted[i])
      CUSP_TRY(cusp_built(g->dx[i]));
  return CUSP_OK;
}

static cusp_status forward_gradient(cusp_gradient *g) {
  if (g->wanted[0])
    g->dx[0] = face_for_input(g->dy[0], g->x[1], g->x[0], g->node->attrs);
  if (g->wanted[1])
    g->dx[1] = face_for_kernel(g->x[0], g->dy[0], g->x[1], g->node->attrs);
  return finish(g);
}

static cusp_status input_gradient_gradient(cusp_gradient *g) {
  if (g->wanted[0])
    g->dx[0] = face_for_output(g->dy[0], g->x[1], g->x[0], g->node->attrs);
  if (g->wanted[1])
    g->dx[1] = face_for_kernel(g->dy[0], g->x[0], g->x[1], g->node->attrs);
  return finish(g);
}

static cusp_status kernel_gradient_gradient(cusp_gradient *g) {
  if (g->wanted[0])
    g->dx[0] = face_for_input(g->x[1], g->dy[0], g->x[0], g->node->attrs);
  if (g->wanted[1])
    g->dx[1] = face_for_output(g->x[0], g->dy[0], g->x[1], g->node->attrs);
  return finish(g);
}

/* ------------------------------------------------------------------ kernels */

/** Which arrays of a call are x, kernel and y. */
static cusp_convolution convolution_of(const cusp_call *call, cusp_convolution_face which) {
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
  c.windows = cusp_windows_of(&x->shape, &y->shape, kernel->shape.size, attrs[STRIDES].ints,
                              attrs[LOW].ints, attrs[DILATIONS].ints);
  c.groups = group_channels > 0 ? c.channels / group_channels : 1;
  return c;
}

static cusp_convolution_face face_of(const cusp_op *op) {
  return op->infer == forward_infer          ? CUSP_CONVOLUTION_FORWARD
         : op->infer == input_gradient_infer ? CUSP_CONVOLUTION_INPUT_GRADIENT
                                             : CUSP_CONVOLUTION_KERNEL_GRADIENT;
}

static size_t wide_bytes(const cusp_array *x) {
  const size_t bytes = (size_t)cusp_array_count(x) * sizeof(float);
  return (bytes + CUSP_ALIGNMENT - 1) / CUSP_ALIGNMENT * CUSP_ALIGNMENT;
}

/** The plain loops know no bfloat16: operands and result get float32 copies. */
static cusp_status prepare_reference(cusp_call *call) {
  if (call->inputs[0].dtype == CUSP_BFLOAT16)
    call->workspace_bytes =
        wide_bytes(&call->inputs[0]) + wide_bytes(&call->inputs[1]) + wide_bytes(&call->outputs[0]);
  return CUSP_OK;
}

static void convert(cusp_dtype from, const void *x, cusp_dtype to, void *y, int64_t count) {
  cusp_vector_find_cast(from, to)(count, y, (const void *[]){x}, (const int8_t[]){1});
}

static void run_widened(const cusp_call *call, const cusp_convolution *c,
                        cusp_convolution_face which) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1], *out = &call->outputs[0];
  char *wide_a = call->workspace, *wide_b = wide_a + wide_bytes(a), *wide = wide_b + wide_bytes(b);
  convert(a->dtype, a->data, CUSP_FLOAT32, wide_a, cusp_array_count(a));
  convert(b->dtype, b->data, CUSP_FLOAT32, wide_b, cusp_array_count(b));
  cusp_convolution_reference(c, which, CUSP_FLOAT32, wide_a, wide_b, wide);
  convert(CUSP_FLOAT32, wide, out->dtype, out->data, cusp_array_count(out));
}

static cusp_status run_reference(cusp_call *call) {
  const cusp_convolution_face which = face_of(call->op);
  const cusp_convolution c = convolution_of(call, which);
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

static bool can_run_onednn(const cusp_call *call) {
  const cusp_dtype dtype = call->inputs[0].dtype;
  return (dtype == CUSP_FLOAT32 || (dtype == CUSP_BFLOAT16 && cusp_tiles_present())) &&
         cusp_array_count(&call->inputs[0]) > 0 && cusp_array_count(&call->inputs[1]) > 0 &&
         cusp_array_count(&call->outputs[0]) > 0 && cusp_onednn_load() != NULL;
}

/* more than oneDNN takes for a convolution; it raises what ends the program without it */
#define PRIMITIVE_BYTES ((size_t)16 << 20)

/* without a state where oneDNN had no fast implementation after all */
static cusp_status prepare_onednn(cusp_call *call) {
  CUSP_TRY(cusp_memory_check(PRIMITIVE_BYTES));
  const cusp_convolution_face which = face_of(call->op);
  const cusp_convolution c = convolution_of(call, which);
  CUSP_TRY(cusp_sliced_convolution_new((cusp_sliced_convolution **)&call->state, &c, which));
  if (call->state)
    call->workspace_bytes = cusp_sliced_convolution_workspace(call->state);
  return call->state ? CUSP_OK : prepare_reference(call);
}

static cusp_status run_onednn(cusp_call *call) {
  if (!call->state)
    return run_reference(call);
  if (!cusp_sliced_convolution_run(call->state, call->inputs[0].data, call->inputs[1].data,
                                   call->outputs[0].data, call->workspace))
    return cusp_fail(CUSP_EBACKEND, "%s: oneDNN failed", call->name);
  return CUSP_OK;
}

static void release_onednn(cusp_call *call) {
  cusp_sliced_convolution_free(call->state);
  call->state = NULL;
}

static const cusp_kernel kernels[] = {
    {.name = "onednn",
     .can_run = can_run_onednn,
     .prepare = prepare_onednn,
     .run = run_onednn,
     .release = release_onednn},
    {.name = "reference", .prepare = prepare_reference, .run = run_reference},
    {0}};

/* ------------------------------------------------------------------ public rows */

/** Half precision is computed in float32, but for bfloat16 where the CPU multiplies it. */
static cusp_node *widened(cusp_node *x) {
  if (!x || x->type.dtype == CUSP_FLOAT64 ||
      (x->type.dtype == CUSP_BFLOAT16 && cusp_tiles_present()))
    return x;
  return cusp_cast(x, CUSP_FLOAT32);
}

static cusp_status check_kernel(const cusp_window_arguments *arguments, const cusp_node *kernel,
                                const char *what, const char *form) {
  if (kernel->type.shape.ndim == arguments->count + 2)
    return CUSP_OK;
  return cusp_fail(
      CUSP_ESHAPE, "expected %s of %d axes for inputs of %d spatial axes, %s, got shape %s", what,
      arguments->count + 2, arguments->count, form, cusp_shape_text(&kernel->type.shape));
}

static const cusp_attr *attrs_of(const cusp_window_arguments *a, cusp_attr attrs[N_ATTRS]) {
  attrs[STRIDES] = cusp_attr_ints(a->stride, a->count);
  attrs[LOW] = cusp_attr_ints(a->low, a->count);
  attrs[DILATIONS] = cusp_attr_ints(a->dilation, a->count);
  attrs[SIZES] = cusp_attr_none();
  return attrs;
}

/** The convolution of channels-last inputs with [size..., channels / groups, filters], in the dtype
 * of the inputs. */
static cusp_node *build_forward(cusp_node *x, cusp_node *kernel, const cusp_window_arguments *a) {
  cusp_attr attrs[N_ATTRS];
  if (!x || !kernel)
    return NULL;
  cusp_node *y =
      face("conv_forward", widened(x), widened(kernel), attrs_of(a, attrs), a->output, a->count);
  return y ? cusp_cast(y, x->type.dtype) : NULL;
}

/** Reads strides, padding and dilation_rate; data_format was read with the inputs. */
static cusp_status read_geometry(cusp_window_arguments *a, const cusp_node *kernel,
                                 const cusp_attr *strides, const cusp_attr *padding,
                                 const cusp_attr *dilation) {
  for (int axis = 0; axis < a->count; axis++) {
    a->size[axis] = kernel->type.shape.size[axis];
    if (a->size[axis] < 1)
      return cusp_fail(CUSP_ESHAPE, "kernel has shape %s, with an axis of size 0",
                       cusp_shape_text(&kernel->type.shape));
  }
  CUSP_TRY(cusp_window_read_ints(a->stride, a->count, strides, NULL, "strides"));
  CUSP_TRY(cusp_window_read_ints(a->dilation, a->count, dilation, NULL, "dilation_rate"));
  return cusp_window_place(a, padding->string);
}

/** Other windows may be nowhere; for a convolution Keras takes that as a mistake. */
static cusp_status check_output(const cusp_window_arguments *a, const cusp_node *x) {
  for (int axis = 0; axis < a->count; axis++)
    if (a->output[axis] == 0 && cusp_shape_count(&x->type.shape) > 0)
      return cusp_fail(
          CUSP_ESHAPE,
          "a window of %lld does not fit into an axis of size %lld: the output would be empty",
          (long long)((a->size[axis] - 1) * a->dilation[axis] + 1), (long long)a->input[axis]);
  return CUSP_OK;
}

CUSP_COMPOSE(compose_conv) {
  cusp_window_arguments a;
  cusp_node *kernel = inputs[1];
  CUSP_TRY(cusp_window_read_input(&a, &inputs[0]->type.shape, &attrs[2]));
  CUSP_TRY(check_kernel(&a, kernel, "a kernel", "[size..., channels / groups, filters]"));
  CUSP_TRY(read_geometry(&a, kernel, &attrs[0], &attrs[1], &attrs[3]));
  CUSP_TRY(check_output(&a, inputs[0]));
  cusp_node *x = cusp_channels_last(inputs[0], &a);
  CUSP_TRY(cusp_built(x));
  const int64_t channels = last_size(&x->type.shape), filters = last_size(&kernel->type.shape);
  const int64_t group_channels = kernel->type.shape.size[a.count];
  if (group_channels < 1 || channels % group_channels != 0)
    return cusp_fail(CUSP_ESHAPE,
                     "the inputs' channels (%lld) should be a multiple of the kernel's (%lld), "
                     "got shapes %s and %s",
                     (long long)channels, (long long)group_channels,
                     cusp_shape_text(&inputs[0]->type.shape), cusp_shape_text(&kernel->type.shape));
  const int64_t groups = channels / group_channels;
  if (groups > 0 && filters % groups != 0)
    return cusp_fail(CUSP_ESHAPE,
                     "the kernel's filters (%lld) should be a multiple of the groups (%lld)",
                     (long long)filters, (long long)groups);
  return cusp_built(outputs[0] = cusp_channels_back(build_forward(x, kernel, &a), &a));
}

/** [size..., channels, multiplier] as the grouped kernel [size..., 1, channels * multiplier]. */
static cusp_node *as_grouped(cusp_node *kernel) {
  cusp_shape shape = kernel->type.shape;
  shape.size[shape.ndim - 1] *= shape.size[shape.ndim - 2];
  shape.size[shape.ndim - 2] = 1;
  return cusp_reshape(kernel, &shape);
}

CUSP_COMPOSE(compose_depthwise_conv) {
  cusp_window_arguments a;
  cusp_node *kernel = inputs[1];
  CUSP_TRY(cusp_window_read_input(&a, &inputs[0]->type.shape, &attrs[2]));
  CUSP_TRY(check_kernel(&a, kernel, "a kernel", "[size..., channels, multiplier]"));
  CUSP_TRY(read_geometry(&a, kernel, &attrs[0], &attrs[1], &attrs[3]));
  cusp_node *x = cusp_channels_last(inputs[0], &a);
  CUSP_TRY(cusp_built(x));
  if (last_size(&x->type.shape) != kernel->type.shape.size[a.count])
    return cusp_fail(
        CUSP_ESHAPE, "the kernel has %lld channels but the inputs have %lld, got shapes %s and %s",
        (long long)kernel->type.shape.size[a.count], (long long)last_size(&x->type.shape),
        cusp_shape_text(&inputs[0]->type.shape), cusp_shape_text(&kernel->type.shape));
  return cusp_built(outputs[0] = cusp_channels_back(build_forward(x, as_grouped(kernel), &a), &a));
}

CUSP_COMPOSE(compose_separable_conv) {
  const cusp_attr pointwise[] = {cusp_attr_int(1), cusp_attr_string("valid"), attrs[2],
                                 cusp_attr_int(1)};
  cusp_node *depthwise =
      cusp_apply("depthwise_conv", 2, (cusp_node *[]){inputs[0], inputs[1]}, 4, attrs);
  return cusp_built(outputs[0] =
                        cusp_apply("conv", 2, (cusp_node *[]){depthwise, inputs[2]}, 4, pointwise));
}

/**
 * Size and beginning of a transposed convolution's output along one axis. Without output_padding,
 * "valid" gives (input - 1) * stride + max(window, stride) and "same" input * stride; with it, the
 * padding is added at the end.
 */
static cusp_status place_transposed(cusp_window_arguments *a, int axis, bool same,
                                    const int64_t *output_padding) {
  const int64_t extent = (a->size[axis] - 1) * a->dilation[axis] + 1, stride = a->stride[axis];
  int64_t before = extent - 1, after; /* as padding of the dilated input */
  if (same) {
    const int64_t all =
        output_padding ? extent + extent % 2 - 2 + output_padding[axis] : stride + extent - 2;
    const int64_t half = all / 2 + all % 2;
    before = half < extent - 1 ? half : extent - 1;
    after = all - before;
  } else {
    after = extent - 1 +
            (output_padding ? output_padding[axis] : (extent > stride ? extent : stride) - extent);
  }
  a->low[axis] = extent - 1 - before;
  a->output[axis] = (a->input[axis] - 1) * stride + before + after + 2 - extent;
  if (a->output[axis] < 1)
    return cusp_fail(CUSP_ESHAPE, "the output would have size %lld", (long long)a->output[axis]);
  return CUSP_OK;
}

/** One number or one for each axis; zero is allowed. */
static cusp_status read_output_padding(int64_t out[CUSP_WINDOW_AXES], int count,
                                       const cusp_attr *attr) {
  const int64_t *values = attr->kind == CUSP_ATTR_INTS ? attr->ints : &attr->integer;
  const int given = attr->kind == CUSP_ATTR_INTS ? attr->count : 1;
  if (given != 1 && given != count)
    return cusp_fail(CUSP_EVALUE, "output_padding should be one number or %d, got %d", count,
                     given);
  for (int axis = 0; axis < count; axis++) {
    out[axis] = values[given == 1 ? 0 : axis];
    if (out[axis] < 0 || out[axis] > INT32_MAX)
      return cusp_fail(CUSP_EVALUE, "output_padding should be 0 or more, got %lld",
                       (long long)out[axis]);
  }
  return CUSP_OK;
}

static cusp_status read_transposed(cusp_window_arguments *a, const cusp_attr *attrs) {
  int64_t output_padding[CUSP_WINDOW_AXES];
  const bool given = attrs[2].kind != CUSP_ATTR_NONE, same = strcmp(attrs[1].string, "same") == 0;
  if (!same && strcmp(attrs[1].string, "valid") != 0)
    return cusp_fail(CUSP_EVALUE, "padding should be \"valid\" or \"same\", got \"%s\"",
                     attrs[1].string);
  CUSP_TRY(cusp_window_read_ints(a->stride, a->count, &attrs[0], NULL, "strides"));
  CUSP_TRY(cusp_window_read_ints(a->dilation, a->count, &attrs[4], NULL, "dilation_rate"));
  if (given)
    CUSP_TRY(read_output_padding(output_padding, a->count, &attrs[2]));
  for (int axis = 0; axis < a->count; axis++)
    CUSP_TRY(place_transposed(a, axis, same, given ? output_padding : NULL));
  return CUSP_OK;
}

CUSP_COMPOSE(compose_conv_transpose) {
  cusp_window_arguments a;
  cusp_node *kernel = inputs[1];
  CUSP_TRY(cusp_window_read_input(&a, &inputs[0]->type.shape, &attrs[3]));
  CUSP_TRY(check_kernel(&a, kernel, "a kernel", "[size..., filters, channels]"));
  for (int axis = 0; axis < a.count; axis++)
    a.size[axis] = kernel->type.shape.size[axis];
  CUSP_TRY(read_transposed(&a, attrs));
  cusp_node *x = cusp_channels_last(inputs[0], &a);
  CUSP_TRY(cusp_built(x));
  if (last_size(&x->type.shape) != last_size(&kernel->type.shape))
    return cusp_fail(
        CUSP_ESHAPE,
        "the kernel takes %lld channels but the inputs have %lld, got shapes %s and %s",
        (long long)last_size(&kernel->type.shape), (long long)last_size(&x->type.shape),
        cusp_shape_text(&inputs[0]->type.shape), cusp_shape_text(&kernel->type.shape));
  cusp_attr hidden[N_ATTRS];
  int64_t sizes[CUSP_WINDOW_AXES + 1];
  memcpy(sizes, a.output, sizeof a.output);
  sizes[a.count] = kernel->type.shape.size[a.count];
  cusp_node *y = face("conv_input_gradient", widened(x), widened(kernel), attrs_of(&a, hidden),
                      sizes, a.count + 1);
  return cusp_built(outputs[0] = y ? cusp_channels_back(cusp_cast(y, x->type.dtype), &a) : NULL);
}

#define HIDDEN_ARGUMENTS "strides: ints, low: ints, dilations: ints, sizes: ints"
/* One sum of products for each element of y: the output, or the first or second input. */
static double work_of(const cusp_shape *kernel, const cusp_shape *y) {
  double filters = (double)last_size(kernel);
  return filters > 0
             ? 2.0 * (double)cusp_shape_count(y) * (double)cusp_shape_count(kernel) / filters
             : 0;
}

static double forward_work(const cusp_call *call) {
  return work_of(&call->inputs[1].shape, &call->outputs[0].shape);
}

static double input_gradient_work(const cusp_call *call) {
  return work_of(&call->inputs[1].shape, &call->inputs[0].shape);
}

static double kernel_gradient_work(const cusp_call *call) {
  return work_of(&call->outputs[0].shape, &call->inputs[1].shape);
}

#define GEOMETRY                                                                               \
  "strides: ints = 1, padding: string = \"valid\", data_format: string = nil, dilation_rate: " \
  "ints = 1"

const cusp_op cusp_ops_convolution[] = {
    {.name = "conv",
     .arguments = "inputs, kernel, " GEOMETRY,
     .help = "Convolution over 1 to 3 spatial axes; kernel: [size..., channels / groups, filters].",
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_conv},
    {.name = "depthwise_conv",
     .arguments = "inputs, kernel, " GEOMETRY,
     .help = "Convolution of each channel by itself; kernel: [size..., channels, multiplier].",
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_depthwise_conv},
    {.name = "separable_conv",
     .arguments = "inputs, depthwise_kernel, pointwise_kernel, " GEOMETRY,
     .help = "A depthwise convolution, then one of window size 1 that mixes the channels.",
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_separable_conv},
    {.name = "conv_transpose",
     .arguments = "inputs, kernel, strides: ints = 1, padding: string = \"valid\", output_padding: "
                  "ints = nil, data_format: string = nil, "
                  "dilation_rate: ints = 1",
     .help = "The gradient of a convolution as an operation of its own; kernel: [size..., filters, "
             "channels].",
     .promotion = CUSP_PROMOTE_FLOAT,
     .compose = compose_conv_transpose},
    {.name = "conv_forward",
     .arguments = "x, kernel, " HIDDEN_ARGUMENTS,
     .help = "Convolution of channels-last x, geometry spelled out.",
     .flags = CUSP_OP_HIDDEN,
     .infer = forward_infer,
     .gradient = forward_gradient,
     .kernels = kernels,
     .work = forward_work},
    {.name = "conv_input_gradient",
     .arguments = "dy, kernel, " HIDDEN_ARGUMENTS,
     .help = "The gradient of conv_forward with respect to x.",
     .flags = CUSP_OP_HIDDEN,
     .infer = input_gradient_infer,
     .gradient = input_gradient_gradient,
     .kernels = kernels,
     .work = input_gradient_work},
    {.name = "conv_kernel_gradient",
     .arguments = "x, dy, " HIDDEN_ARGUMENTS,
     .help = "The gradient of conv_forward with respect to the kernel.",
     .flags = CUSP_OP_HIDDEN,
     .infer = kernel_gradient_infer,
     .gradient = kernel_gradient_gradient,
     .kernels = kernels,
     .work = kernel_gradient_work,
     .wide = "conv_kernel_gradient_float32"},
    {.name = "conv_kernel_gradient_float32",
     .arguments = "x, dy, " HIDDEN_ARGUMENTS,
     .help = "conv_kernel_gradient of bfloat16 operands, not rounded to it.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_NO_GRADIENT,
     .infer = wide_kernel_gradient_infer,
     .kernels = kernels,
     .work = kernel_gradient_work},
    {0}};
