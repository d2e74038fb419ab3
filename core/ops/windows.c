#include "windows.h"

#include "../node/infer.h"

#include <string.h>

cusp_status cusp_window_read_input(cusp_window_arguments *out, const cusp_shape *shape,
                                   const cusp_attr *data_format) {
  *out = (cusp_window_arguments){0};
  if (data_format->kind == CUSP_ATTR_STRING) {
    out->channels_first = strcmp(data_format->string, "channels_first") == 0;
    if (!out->channels_first && strcmp(data_format->string, "channels_last") != 0)
      return cusp_fail(CUSP_EVALUE,
                       "data_format should be \"channels_last\" or \"channels_first\", got \"%s\"",
                       data_format->string);
  }
  if (shape->ndim < 3 || shape->ndim > 2 + CUSP_WINDOW_AXES)
    return cusp_fail(
        CUSP_ESHAPE,
        "expected inputs of 3 to 5 axes (batch, 1 to 3 spatial axes, channels), got shape %s",
        cusp_shape_text(shape));
  out->count = shape->ndim - 2;
  for (int axis = 0; axis < out->count; axis++)
    out->input[axis] = shape->size[axis + (out->channels_first ? 2 : 1)];
  return CUSP_OK;
}

cusp_status cusp_window_read_ints(int64_t out[CUSP_WINDOW_AXES], int count, const cusp_attr *attr,
                                  const int64_t *otherwise, const char *what) {
  const int64_t *values = attr->kind == CUSP_ATTR_INTS ? attr->ints : &attr->integer;
  const int given = attr->kind == CUSP_ATTR_INTS ? attr->count : 1;
  if (attr->kind == CUSP_ATTR_NONE) {
    memcpy(out, otherwise, (size_t)count * sizeof *out);
    return CUSP_OK;
  }
  if (given != 1 && given != count)
    return cusp_fail(CUSP_EVALUE,
                     "%s should be one number or %d (one for each spatial axis), got %d", what,
                     count, given);
  for (int axis = 0; axis < count; axis++) {
    out[axis] = values[given == 1 ? 0 : axis];
    if (out[axis] < 1 || out[axis] > INT32_MAX)
      return cusp_fail(CUSP_EVALUE, "%s should be positive and at most %d, got %lld", what,
                       INT32_MAX, (long long)out[axis]);
  }
  return CUSP_OK;
}

cusp_status cusp_window_check(const cusp_inference *inference, int attr, int count, int64_t least) {
  const cusp_attr *numbers = &inference->attrs[attr];
  if (numbers->count != count)
    return cusp_infer_fail(inference, CUSP_EVALUE, "expected %d numbers for each attribute, got %d",
                           count, numbers->count);
  for (int i = 0; i < count; i++)
    if (numbers->ints[i] < least || numbers->ints[i] > INT32_MAX)
      return cusp_infer_fail(inference, CUSP_EVALUE, "expected numbers from %lld to %d, got %lld",
                             (long long)least, INT32_MAX, (long long)numbers->ints[i]);
  return CUSP_OK;
}

/** Windows within one axis, given the padding before it; none where the axis is shorter than
 * one. */
static void place_axis(cusp_window_arguments *a, int axis, int64_t extent, int64_t low) {
  const int64_t room = a->input[axis] + low - extent;
  a->low[axis] = low;
  a->output[axis] = room < 0 ? 0 : room / a->stride[axis] + 1;
}

cusp_status cusp_window_place(cusp_window_arguments *a, const char *padding) {
  const bool same = strcmp(padding, "same") == 0, causal = strcmp(padding, "causal") == 0;
  if (!same && !causal && strcmp(padding, "valid") != 0)
    return cusp_fail(CUSP_EVALUE, "padding should be \"valid\" or \"same\", got \"%s\"", padding);
  if (causal && a->count != 1)
    return cusp_fail(CUSP_EVALUE, "padding \"causal\" requires one spatial axis, got %d", a->count);
  for (int axis = 0; axis < a->count; axis++) {
    const int64_t extent = (a->size[axis] - 1) * a->dilation[axis] + 1;
    if (same) {
      const int64_t count = (a->input[axis] + a->stride[axis] - 1) / a->stride[axis];
      const int64_t padded = (count - 1) * a->stride[axis] + extent - a->input[axis];
      a->low[axis] = padded > 0 ? padded / 2 : 0;
      a->output[axis] = count;
    } else {
      const int64_t before = causal ? extent - 1 : 0;
      place_axis(a, axis, extent, before);
    }
  }
  return CUSP_OK;
}

cusp_node *cusp_channels_last(cusp_node *x, const cusp_window_arguments *arguments) {
  static const int64_t axes[] = {0, 2, 3, 4};
  if (!x || !arguments->channels_first)
    return x;
  int64_t order[CUSP_MAX_DIMS];
  memcpy(order, axes, sizeof axes);
  order[arguments->count + 1] = 1;
  return cusp_transpose(x, order);
}

cusp_node *cusp_channels_back(cusp_node *x, const cusp_window_arguments *arguments) {
  if (!x || !arguments->channels_first)
    return x;
  int64_t order[CUSP_MAX_DIMS] = {0, arguments->count + 1};
  for (int axis = 0; axis < arguments->count; axis++)
    order[2 + axis] = 1 + axis;
  return cusp_transpose(x, order);
}

cusp_windows cusp_windows_of(const cusp_shape *input, const cusp_shape *output, const int64_t *size,
                             const int64_t *stride, const int64_t *low, const int64_t *dilation) {
  cusp_windows w = {.batch = input->size[0]};
  const int count = input->ndim - 2, first = CUSP_WINDOW_AXES - count;
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++) {
    const int from = axis - first;
    w.input[axis] = from < 0 ? 1 : input->size[1 + from];
    w.output[axis] = from < 0 ? 1 : output->size[1 + from];
    w.size[axis] = from < 0 ? 1 : size[from];
    w.stride[axis] = from < 0 ? 1 : stride[from];
    w.low[axis] = from < 0 ? 0 : low[from];
    w.dilation[axis] = from < 0 ? 1 : dilation[from];
  }
  return w;
}
