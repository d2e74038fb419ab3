/*
 * Convolutions by oneDNN: activations are plain channels-last arrays, kernels are reordered into
 * whatever blocked form the primitive wants: by the caller, who keeps what pack makes, or in the
 * workspace at every run (they change at every training step).
 */

#include "onednn_adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cusp_onednn_convolution {
  dnnl_primitive_desc_t descriptor;
  dnnl_primitive_t primitive;
  dnnl_memory_t src, weights, dst, scratchpad; /* weights: in the primitive's form */
  dnnl_memory_t plain_weights;                 /* NULL where the primitive takes them as they are */
  dnnl_memory_t shift;                         /* NULL where there is none */
  struct {
    dnnl_memory_desc_t plain, wanted;
  } forms; /* of the weights */
  dnnl_primitive_t reorder;
  cusp_convolution_face face;
  size_t weights_bytes, workspace_bytes;
};

/** Sizes in oneDNN's order, [batch, channels, spatial...], with the leading axes of size 1 that 1-D
 * and 2-D do not need dropped. */
typedef struct shapes {
  int spatial; /* axes: 2 or 3 */
  dnnl_dims_t src, weights, dst, strides, dilates, low, high;
  dnnl_dims_t weights_strides; /* of the caller's, */
  dnnl_dim_t weights_first;    /* and where in them the first element is */
  int weights_ndim;
  dnnl_data_type_t src_type, weights_type, dst_type;
} shapes;

static bool axis_is_trivial(const cusp_windows *w, int axis) {
  return w->input[axis] == 1 && w->output[axis] == 1 && w->size[axis] == 1 && w->low[axis] == 0;
}

static dnnl_data_type_t type_of(cusp_dtype dtype) {
  return dtype == CUSP_BFLOAT16 ? dnnl_bf16 : dnnl_f32;
}

static void fill_types(shapes *s, const cusp_convolution *c, cusp_convolution_face face) {
  const dnnl_data_type_t from = type_of(c->dtype), to = type_of(c->result);
  s->src_type = face == CUSP_CONVOLUTION_INPUT_GRADIENT ? to : from;
  s->weights_type = face == CUSP_CONVOLUTION_KERNEL_GRADIENT ? to : from;
  s->dst_type = face == CUSP_CONVOLUTION_FORWARD ? to : from;
}

/** The caller's weights, [size..., channels / groups, filters], as oneDNN orders their axes. */
static void fill_weights(shapes *s, const cusp_convolution *c, int first,
                         const int64_t dropped[CUSP_WINDOW_AXES]) {
  const cusp_windows *w = &c->windows;
  const int grouped = c->groups > 1, k = grouped + 2;
  int64_t step = c->channels / c->groups * c->filters;
  if (grouped)
    s->weights_strides[0] = c->filters / c->groups;
  s->weights_strides[grouped] = 1;
  s->weights_strides[grouped + 1] = c->filters;
  s->weights_first = 0;
  for (int i = s->spatial - 1; i >= 0; i--) {
    s->weights_strides[k + i] = step;
    s->weights_first += dropped[first + i] * step;
    step *= w->size[first + i];
  }
}

static void fill_shapes(shapes *s, const cusp_convolution *c, cusp_convolution_face face) {
  cusp_windows trimmed = c->windows, *w = &trimmed;
  const int first = axis_is_trivial(w, 0) ? 1 : 0;
  int64_t dropped[CUSP_WINDOW_AXES] = {0};
  for (int axis = first; axis < CUSP_WINDOW_AXES && face == CUSP_CONVOLUTION_FORWARD; axis++)
    dropped[axis] = cusp_window_trim(w, axis);
  s->spatial = CUSP_WINDOW_AXES - first;
  s->src[0] = s->dst[0] = w->batch;
  s->src[1] = c->channels;
  s->dst[1] = c->filters;
  int k = 0;
  if (c->groups > 1)
    s->weights[k++] = c->groups;
  s->weights[k++] = c->filters / c->groups;
  s->weights[k++] = c->channels / c->groups;
  for (int i = 0; i < s->spatial; i++) {
    const int axis = first + i;
    s->src[2 + i] = w->input[axis];
    s->dst[2 + i] = w->output[axis];
    s->weights[k++] = w->size[axis];
    s->strides[i] = w->stride[axis];
    s->dilates[i] = w->dilation[axis] - 1;
    s->low[i] = w->low[axis];
    const int64_t extent = (w->size[axis] - 1) * w->dilation[axis] + 1;
    const int64_t high =
        (w->output[axis] - 1) * w->stride[axis] + extent - w->input[axis] - w->low[axis];
    s->high[i] = high > 0 ? high : 0; /* what a stride leaves over at the end needs no padding */
  }
  s->weights_ndim = k;
  fill_weights(s, c, first, dropped);
}

/** The descriptors of plain arrays, and of weights in any form. */
typedef struct descriptors {
  dnnl_memory_desc_t src, dst, weights, plain_weights, shift;
  bool shifted;
} descriptors;

static dnnl_status_t describe(descriptors *d, const shapes *s, bool shifted) {
  const dnnl_format_tag_t activations = s->spatial == 3 ? dnnl_ndhwc : dnnl_nhwc;
  const dnnl_dims_t filters = {s->dst[1]};
  d->shifted = shifted;
  dnnl_status_t status =
      dnnl_memory_desc_init_by_tag(&d->src, 2 + s->spatial, s->src, s->src_type, activations);
  if (status == dnnl_success)
    status =
        dnnl_memory_desc_init_by_tag(&d->dst, 2 + s->spatial, s->dst, s->dst_type, activations);
  if (status == dnnl_success)
    status = dnnl_memory_desc_init_by_strides(&d->plain_weights, s->weights_ndim, s->weights,
                                              s->weights_type, s->weights_strides);
  d->plain_weights.offset0 = s->weights_first;
  if (status == dnnl_success)
    status = dnnl_memory_desc_init_by_tag(&d->shift, 1, filters, s->dst_type, dnnl_a);
  if (status == dnnl_success)
    status = dnnl_memory_desc_init_by_tag(&d->weights, s->weights_ndim, s->weights, s->weights_type,
                                          dnnl_format_tag_any);
  return status;
}

static dnnl_status_t create_forward(dnnl_primitive_desc_t *out, const shapes *s,
                                    const descriptors *given, dnnl_primitive_attr_t attributes) {
  dnnl_convolution_desc_t desc;
  descriptors hint = *given, *d = &hint;
  /* a gradient's result may be wider than what the forward pass would have */
  d->weights.data_type = d->src.data_type;
  dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
      &desc, dnnl_forward_training, dnnl_convolution_direct, &d->src, &d->weights,
      d->shifted ? &d->shift : NULL, &d->dst, s->strides, s->dilates, s->low, s->high);
  return status == dnnl_success
             ? dnnl_primitive_desc_create(out, &desc, attributes, cusp_onednn_engine(), NULL)
             : status;
}

static dnnl_status_t create_descriptor(dnnl_primitive_desc_t *out, cusp_convolution_face face,
                                       const shapes *s, const descriptors *d,
                                       dnnl_primitive_attr_t attributes) {
  dnnl_convolution_desc_t desc;
  dnnl_primitive_desc_t forward = NULL; /* a hint that the backward ones want */
  dnnl_status_t status = create_forward(&forward, s, d, attributes);
  if (status != dnnl_success || face == CUSP_CONVOLUTION_FORWARD) {
    *out = forward;
    return status;
  }
  if (face == CUSP_CONVOLUTION_INPUT_GRADIENT)
    status = dnnl_dilated_convolution_backward_data_desc_init(
        &desc, dnnl_convolution_direct, &d->src, &d->weights, &d->dst, s->strides, s->dilates,
        s->low, s->high);
  else
    status = dnnl_dilated_convolution_backward_weights_desc_init(
        &desc, dnnl_convolution_direct, &d->src, &d->weights, NULL, &d->dst, s->strides, s->dilates,
        s->low, s->high);
  if (status == dnnl_success)
    status = dnnl_primitive_desc_create(out, &desc, attributes, cusp_onednn_engine(), forward);
  dnnl_primitive_desc_destroy(forward);
  return status;
}

static dnnl_status_t create_memory(dnnl_memory_t *out, const dnnl_memory_desc_t *desc) {
  return dnnl_memory_create(out, desc, cusp_onednn_engine(), DNNL_MEMORY_NONE);
}

/** The reorder between the caller's weights and the primitive's: into it, or for the kernel's
 * gradient out of it. */
static dnnl_status_t create_reorder(cusp_onednn_convolution *c, const dnnl_memory_desc_t *plain,
                                    const dnnl_memory_desc_t *wanted) {
  c->forms.plain = *plain;
  c->forms.wanted = *wanted;
  if (dnnl_memory_desc_equal(plain, wanted))
    return dnnl_success;
  const bool out = c->face == CUSP_CONVOLUTION_KERNEL_GRADIENT;
  dnnl_primitive_desc_t descriptor;
  dnnl_engine_t engine = cusp_onednn_engine();
  dnnl_status_t status = dnnl_reorder_primitive_desc_create(
      &descriptor, out ? wanted : plain, engine, out ? plain : wanted, engine, NULL);
  if (status != dnnl_success)
    return status;
  status = dnnl_primitive_create(&c->reorder, descriptor);
  dnnl_primitive_desc_destroy(descriptor);
  if (status == dnnl_success)
    status = create_memory(&c->plain_weights, plain);
  c->weights_bytes = (dnnl_memory_desc_get_size(wanted) + 63) / 64 * 64;
  return status;
}

static dnnl_status_t create_memories(cusp_onednn_convolution *c, const descriptors *d) {
  const dnnl_query_t query = c->face == CUSP_CONVOLUTION_KERNEL_GRADIENT
                                 ? dnnl_query_diff_weights_md
                                 : dnnl_query_weights_md;
  const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(c->descriptor, query, 0);
  const dnnl_memory_desc_t *scratch =
      dnnl_primitive_desc_query_md(c->descriptor, dnnl_query_scratchpad_md, 0);
  dnnl_status_t status = create_memory(&c->src, &d->src);
  if (status == dnnl_success)
    status = create_memory(&c->dst, &d->dst);
  if (status == dnnl_success)
    status = create_memory(&c->weights, wanted);
  if (status == dnnl_success)
    status = create_memory(&c->scratchpad, scratch);
  if (status == dnnl_success && d->shifted)
    status = create_memory(&c->shift, &d->shift);
  if (status == dnnl_success)
    status = create_reorder(c, &d->plain_weights, wanted);
  c->workspace_bytes = c->weights_bytes + dnnl_memory_desc_get_size(scratch);
  return status;
}

static dnnl_status_t create(cusp_onednn_convolution *c, const cusp_convolution *convolution) {
  shapes s;
  descriptors d;
  dnnl_primitive_attr_t attributes = NULL;
  memset(&s, 0, sizeof s);
  memset(&d, 0, sizeof d);
  fill_shapes(&s, convolution, c->face);
  fill_types(&s, convolution, c->face);
  dnnl_status_t status =
      cusp_onednn_engine() ? describe(&d, &s, convolution->shifted) : dnnl_runtime_error;
  if (status == dnnl_success)
    status = dnnl_primitive_attr_create(&attributes);
  if (status == dnnl_success)
    status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
  if (status == dnnl_success)
    status = create_descriptor(&c->descriptor, c->face, &s, &d, attributes);
  if (status == dnnl_success)
    status = dnnl_primitive_create(&c->primitive, c->descriptor);
  if (status == dnnl_success)
    status = create_memories(c, &d);
  if (attributes)
    dnnl_primitive_attr_destroy(attributes);
  return status;
}

const char *cusp_onednn_convolution_name(const cusp_onednn_convolution *c) {
  const char *name = NULL;
  dnnl_primitive_desc_query(c->descriptor, dnnl_query_impl_info_str, 0, (void *)&name);
  return name ? name : "";
}

void cusp_onednn_convolution_free(cusp_onednn_convolution *c) {
  if (!c)
    return;
  dnnl_memory_t memories[] = {c->src,        c->weights,       c->dst,
                              c->scratchpad, c->plain_weights, c->shift};
  for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
    if (memories[i])
      dnnl_memory_destroy(memories[i]);
  if (c->reorder)
    dnnl_primitive_destroy(c->reorder);
  if (c->primitive)
    dnnl_primitive_destroy(c->primitive);
  if (c->descriptor)
    dnnl_primitive_desc_destroy(c->descriptor);
  free(c);
}

cusp_onednn_convolution *cusp_onednn_convolution_new(const cusp_convolution *convolution,
                                                     cusp_convolution_face face, char *message,
                                                     size_t message_bytes) {
  cusp_onednn_convolution *c = calloc(1, sizeof *c);
  if (!c) {
    snprintf(message, message_bytes, "no memory");
    return NULL;
  }
  c->face = face;
  const dnnl_status_t status = create(c, convolution);
  if (status == dnnl_success && strncmp(cusp_onednn_convolution_name(c), "ref", 3) != 0)
    return c;
  snprintf(message, message_bytes, "%s",
           status == dnnl_success ? "only a reference implementation"
                                  : cusp_onednn_status_text(status));
  cusp_onednn_convolution_free(c);
  return NULL;
}

size_t cusp_onednn_convolution_workspace(const cusp_onednn_convolution *c) {
  return c->workspace_bytes;
}

size_t cusp_onednn_convolution_packed(const cusp_onednn_convolution *c) { return c->weights_bytes; }

const void *cusp_onednn_convolution_manner(const cusp_onednn_convolution *c, size_t *bytes) {
  *bytes = sizeof c->forms;
  return &c->forms;
}

/** Points the memories at this run's data. */
static dnnl_status_t place(cusp_onednn_convolution *c, const cusp_onednn_operands *o) {
  const cusp_convolution_face face = c->face;
  void *a = (void *)o->a, *b = (void *)o->b;
  void *src = face == CUSP_CONVOLUTION_INPUT_GRADIENT ? o->out : a;
  void *dst = face == CUSP_CONVOLUTION_FORWARD          ? o->out
              : face == CUSP_CONVOLUTION_INPUT_GRADIENT ? a
                                                        : b;
  void *weights = face == CUSP_CONVOLUTION_KERNEL_GRADIENT ? o->out : b;
  const bool moved = c->plain_weights && !o->packed;
  dnnl_status_t status = dnnl_memory_set_data_handle(c->src, src);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(c->dst, dst);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(c->weights, moved ? o->workspace : weights);
  if (status == dnnl_success && moved)
    status = dnnl_memory_set_data_handle(c->plain_weights, weights);
  if (status == dnnl_success && c->shift)
    status = dnnl_memory_set_data_handle(c->shift, (void *)o->shift);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(c->scratchpad,
                                         (char *)o->workspace + (o->packed ? 0 : c->weights_bytes));
  return status;
}

static dnnl_status_t execute(cusp_onednn_convolution *c) {
  static const int names[][3] = {
      [CUSP_CONVOLUTION_FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
      [CUSP_CONVOLUTION_INPUT_GRADIENT] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
      [CUSP_CONVOLUTION_KERNEL_GRADIENT] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST},
  };
  const int *name = names[c->face];
  const dnnl_exec_arg_t arguments[] = {{name[0], c->src},
                                       {name[1], c->weights},
                                       {name[2], c->dst},
                                       {DNNL_ARG_SCRATCHPAD, c->scratchpad},
                                       {DNNL_ARG_BIAS, c->shift}};
  return dnnl_primitive_execute(c->primitive, cusp_onednn_stream(), c->shift ? 5 : 4, arguments);
}

static dnnl_status_t reorder(cusp_onednn_convolution *c, dnnl_memory_t from, dnnl_memory_t to) {
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  return dnnl_primitive_execute(c->reorder, cusp_onednn_stream(), 2, arguments);
}

bool cusp_onednn_convolution_pack(cusp_onednn_convolution *c, const void *kernel, void *packed) {
  dnnl_status_t status = dnnl_memory_set_data_handle(c->plain_weights, (void *)kernel);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(c->weights, packed);
  return status == dnnl_success && reorder(c, c->plain_weights, c->weights) == dnnl_success;
}

bool cusp_onednn_convolution_run(cusp_onednn_convolution *c, const cusp_onednn_operands *operands,
                                 char *message, size_t message_bytes) {
  const bool gradient = c->face == CUSP_CONVOLUTION_KERNEL_GRADIENT;
  dnnl_status_t status = place(c, operands);
  if (status == dnnl_success && c->reorder && !gradient && !operands->packed)
    status = reorder(c, c->plain_weights, c->weights);
  if (status == dnnl_success)
    status = execute(c);
  if (status == dnnl_success && c->reorder && gradient)
    status = reorder(c, c->weights, c->plain_weights);
  if (status == dnnl_success)
    return true;
  snprintf(message, message_bytes, "%s", cusp_onednn_status_text(status));
  return false;
}
