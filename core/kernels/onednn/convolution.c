/*
 * Convolutions by oneDNN, each on the calling thread: activations are plain channels-last arrays,
 * kernels are packed into whatever blocked form the primitive wants.
 */

#include "onednn_adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cusp_onednn_convolution {
  dnnl_primitive_desc_t descriptor;
  dnnl_primitive_t primitive;
  dnnl_memory_t src, weights, dst, scratchpad; /* weights: in the primitive's form */
  dnnl_memory_t shift;                         /* NULL where there is none */
  cusp_convolution_face face;
  struct {
    dnnl_memory_desc_t plain, wanted;
  } forms; /* of the weights */
  /* Between the caller's weights and the primitive's; NULL where they are the same, or another
     primitive's reorders have this part. */
  dnnl_primitive_t reorder;
  dnnl_memory_t plain_part, packed_part;
  size_t packed_bytes, workspace_bytes;
};

/** Sizes in oneDNN's order, [batch, channels, spatial...], with the leading axes of size 1 that 1-D
 * and 2-D do not need dropped. */
typedef struct shapes {
  int spatial; /* axes: 2 or 3 */
  dnnl_dims_t src, weights, dst, strides, dilates, low, high;
  dnnl_dims_t weights_strides; /* of the caller's, */
  dnnl_dim_t weights_first;    /* and where in them the first element is */
  int weights_ndim;
  dnnl_data_type_t src_type, weights_type, packed_type, dst_type;
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
  /* gradients of slices are summed before they are rounded */
  s->packed_type = face == CUSP_CONVOLUTION_KERNEL_GRADIENT ? dnnl_f32 : from;
  s->dst_type = face == CUSP_CONVOLUTION_FORWARD ? to : from;
}

/** The caller's weights, [size..., channels / groups, filters], as oneDNN orders their axes. */
static void fill_weights(shapes *s, const cusp_onednn_slice *slice, int first) {
  const cusp_convolution *c = &slice->convolution;
  const int grouped = c->groups > 1, k = grouped + 2 - first;
  int64_t step = c->channels / c->groups * c->filters;
  if (grouped)
    s->weights_strides[0] = c->filters / c->groups;
  s->weights_strides[grouped] = 1;
  s->weights_strides[grouped + 1] = c->filters;
  s->weights_first = 0;
  for (int axis = CUSP_WINDOW_AXES - 1; axis >= 0; axis--) {
    if (axis >= first)
      s->weights_strides[k + axis] = step;
    s->weights_first += slice->dropped[axis] * step;
    step *= slice->kernel_size[axis];
  }
}

static void fill_shapes(shapes *s, const cusp_onednn_slice *slice) {
  const cusp_convolution *c = &slice->convolution;
  const cusp_windows *w = &c->windows;
  const int first = axis_is_trivial(w, 0) ? 1 : 0;
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
  fill_weights(s, slice, first);
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
    status = dnnl_memory_desc_init_by_tag(&d->weights, s->weights_ndim, s->weights, s->packed_type,
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

/** How many filters a block of the form has. */
static int64_t filters_of_block(const dnnl_memory_desc_t *packed) {
  const dnnl_blocking_desc_t *form = &packed->format_desc.blocking;
  int64_t filters = 1;
  for (int i = 0; i < form->inner_nblks; i++)
    if (form->inner_idxs[i] == 0)
      filters *= form->inner_blks[i];
  return filters;
}

/** Narrows both to part `part` of `parts` of the filters, whole blocks. */
static dnnl_status_t cut(dnnl_memory_desc_t *plain, dnnl_memory_desc_t *packed, int part,
                         int parts) {
  const dnnl_memory_desc_t whole_plain = *plain, whole_packed = *packed;
  const int64_t block = filters_of_block(packed), filters = plain->dims[0];
  const int64_t blocks = (filters + block - 1) / block;
  const int64_t first = blocks * part / parts * block, last = blocks * (part + 1) / parts * block;
  dnnl_dims_t sizes, offsets = {first};
  memcpy(sizes, plain->dims, sizeof sizes);
  sizes[0] = (last < filters ? last : filters) - first;
  const dnnl_status_t status = dnnl_memory_desc_init_submemory(plain, &whole_plain, sizes, offsets);
  return status == dnnl_success
             ? dnnl_memory_desc_init_submemory(packed, &whole_packed, sizes, offsets)
             : status;
}

/** The reorder of a part of the weights: into the primitive's form, or for the kernel's gradient
 * out of it. */
static dnnl_status_t create_reorder(cusp_onednn_convolution *c, dnnl_memory_desc_t plain,
                                    dnnl_memory_desc_t packed, int part, int parts) {
  const bool out = c->face == CUSP_CONVOLUTION_KERNEL_GRADIENT;
  dnnl_primitive_desc_t descriptor;
  dnnl_engine_t engine = cusp_onednn_engine();
  dnnl_status_t status = parts > 1 ? cut(&plain, &packed, part, parts) : dnnl_success;
  if (status != dnnl_success || plain.dims[0] == 0)
    return status;
  status = dnnl_reorder_primitive_desc_create(&descriptor, out ? &packed : &plain, engine,
                                              out ? &plain : &packed, engine, NULL);
  if (status != dnnl_success)
    return status;
  status = dnnl_primitive_create(&c->reorder, descriptor);
  dnnl_primitive_desc_destroy(descriptor);
  if (status == dnnl_success)
    status = create_memory(&c->plain_part, &plain);
  if (status == dnnl_success)
    status = create_memory(&c->packed_part, &packed);
  return status;
}

static const dnnl_memory_desc_t *wanted_weights(const cusp_onednn_convolution *c) {
  return dnnl_primitive_desc_query_md(c->descriptor,
                                      c->face == CUSP_CONVOLUTION_KERNEL_GRADIENT
                                          ? dnnl_query_diff_weights_md
                                          : dnnl_query_weights_md,
                                      0);
}

static dnnl_status_t create_memories(cusp_onednn_convolution *c, const descriptors *d, int part,
                                     int parts) {
  const dnnl_memory_desc_t *wanted = wanted_weights(c);
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
  c->forms.plain = d->plain_weights;
  c->forms.wanted = *wanted;
  c->workspace_bytes = (dnnl_memory_desc_get_size(scratch) + 63) / 64 * 64;
  if (status != dnnl_success || dnnl_memory_desc_equal(&d->plain_weights, wanted))
    return status;
  c->packed_bytes = (dnnl_memory_desc_get_size(wanted) + 63) / 64 * 64;
  return create_reorder(c, d->plain_weights, *wanted, part, parts);
}

static dnnl_status_t create(cusp_onednn_convolution *c, const cusp_onednn_slice *slice) {
  const cusp_convolution *convolution = &slice->convolution;
  shapes s;
  descriptors d;
  dnnl_primitive_attr_t attributes = NULL;
  memset(&s, 0, sizeof s);
  memset(&d, 0, sizeof d);
  fill_shapes(&s, slice);
  fill_types(&s, convolution, c->face);
  dnnl_status_t status =
      cusp_onednn_engine() ? describe(&d, &s, convolution->shifted) : dnnl_runtime_error;
  if (slice->like)
    d.weights = *wanted_weights(slice->like);
  if (status == dnnl_success)
    status = dnnl_primitive_attr_create(&attributes);
  if (status == dnnl_success)
    status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
  if (status == dnnl_success)
    status = create_descriptor(&c->descriptor, c->face, &s, &d, attributes);
  if (status == dnnl_success)
    status = dnnl_primitive_create(&c->primitive, c->descriptor);
  if (status == dnnl_success)
    status = create_memories(c, &d, slice->part, slice->parts);
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
  dnnl_memory_t memories[] = {c->src,        c->weights,     c->dst,  c->scratchpad,
                              c->plain_part, c->packed_part, c->shift};
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

cusp_onednn_convolution *cusp_onednn_convolution_new(const cusp_onednn_slice *slice,
                                                     cusp_convolution_face face, char *message,
                                                     size_t message_bytes) {
  cusp_onednn_convolution *c = calloc(1, sizeof *c);
  if (!c) {
    snprintf(message, message_bytes, "no memory");
    return NULL;
  }
  c->face = face;
  const int threads = cusp_onednn_enter();
  const dnnl_status_t status = create(c, slice);
  cusp_onednn_leave(threads);
  if (status == dnnl_success && strncmp(cusp_onednn_convolution_name(c), "ref", 3) != 0)
    return c;
  snprintf(message, message_bytes, "%s",
           status == dnnl_success ? "only a reference implementation"
                                  : cusp_onednn_status_text(status));
  cusp_onednn_convolution_free(c);
  return NULL;
}

size_t cusp_onednn_convolution_packed(const cusp_onednn_convolution *c) { return c->packed_bytes; }

const void *cusp_onednn_convolution_manner(const cusp_onednn_convolution *c, size_t *bytes) {
  *bytes = sizeof c->forms;
  return &c->forms;
}

size_t cusp_onednn_convolution_workspace(const cusp_onednn_convolution *c) {
  return c->workspace_bytes;
}

bool cusp_onednn_convolution_pack(cusp_onednn_convolution *c, void *weights, void *packed) {
  const bool out = c->face == CUSP_CONVOLUTION_KERNEL_GRADIENT;
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, out ? c->packed_part : c->plain_part},
                                       {DNNL_ARG_TO, out ? c->plain_part : c->packed_part}};
  if (!c->reorder)
    return true;
  dnnl_status_t status = dnnl_memory_set_data_handle(c->plain_part, weights);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(c->packed_part, packed);
  return status == dnnl_success && cusp_onednn_execute(c->reorder, 2, arguments) == dnnl_success;
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
  dnnl_status_t status = dnnl_memory_set_data_handle(c->src, src);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(c->dst, dst);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(c->weights, weights);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(c->scratchpad, o->workspace);
  if (status == dnnl_success && c->shift)
    status = dnnl_memory_set_data_handle(c->shift, (void *)o->shift);
  return status;
}

bool cusp_onednn_convolution_run(cusp_onednn_convolution *c, const cusp_onednn_operands *o) {
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
  return place(c, o) == dnnl_success &&
         cusp_onednn_execute(c->primitive, c->shift ? 5 : 4, arguments) == dnnl_success;
}
