/* What the infer functions of the families share. */

#include "infer.h"

#include "../base/numerals.h"
#include "op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

cusp_status cusp_infer_fail(const cusp_inference *inference, cusp_status status, const char *format,
                            ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  cusp_vformat(text, sizeof text, format, arguments);
  va_end(arguments);
  return cusp_fail(status, "%s: %s", inference->op->name, text);
}

/* Axes as a Lua user counts them: from 1, negative ones from the end as they are. */
static long long lua_axis(int64_t axis) { return (long long)(axis < 0 ? axis : axis + 1); }

cusp_status cusp_axis_check(int64_t axis, int ndim, int *out) {
  *out = 0;
  if (ndim == 0)
    return cusp_fail(CUSP_EVALUE,
                     "axis %lld is out of range: the tensor is a scalar and has no axes",
                     lua_axis(axis));
  if (axis < -ndim || axis >= ndim)
    return cusp_fail(
        CUSP_EVALUE,
        "axis %lld is out of range for a tensor of %d dimension%s (expected 1 to %d, or -%d to -1)",
        lua_axis(axis), ndim, ndim == 1 ? "" : "s", ndim, ndim);
  *out = (int)(axis < 0 ? axis + ndim : axis);
  return CUSP_OK;
}

cusp_status cusp_infer_axis(const cusp_inference *inference, int64_t axis, int ndim, int *out) {
  cusp_status status = cusp_axis_check(axis, ndim, out);
  return status == CUSP_OK ? CUSP_OK : cusp_fail_prefix(status, "%s: ", inference->op->name);
}

cusp_status cusp_shape_from_attr(cusp_shape *out, const cusp_attr *attr) {
  int64_t elements;
  bool single = attr->kind == CUSP_ATTR_INT;
  *out = (cusp_shape){.ndim = single ? 1 : attr->count};
  if (out->ndim > CUSP_MAX_DIMS) {
    out->ndim = 0;
    return cusp_fail(CUSP_ESHAPE, "a shape of %d axes; at most %d are supported", attr->count,
                     CUSP_MAX_DIMS);
  }
  for (int axis = 0; axis < out->ndim; axis++)
    out->size[axis] = single ? attr->integer : attr->ints[axis];
  return cusp_shape_count_checked(&elements, out);
}

/* Marks the axes of a list (or one int) in `chosen`. */
static cusp_status mark_axes(cusp_inference *inference, const cusp_attr *attr, int ndim,
                             bool *chosen) {
  const int64_t *axes = attr->kind == CUSP_ATTR_INT ? &attr->integer : attr->ints;
  int count = attr->kind == CUSP_ATTR_INT ? 1 : attr->count;
  for (int i = 0; i < count; i++) {
    int axis;
    CUSP_TRY(cusp_infer_axis(inference, axes[i], ndim, &axis));
    if (chosen[axis])
      return cusp_infer_fail(inference, CUSP_EVALUE, "axis %lld is given twice", lua_axis(axes[i]));
    chosen[axis] = true;
  }
  return CUSP_OK;
}

cusp_status cusp_infer_axes(cusp_inference *inference, int attr, int ndim) {
  bool chosen[CUSP_MAX_DIMS] = {false};
  bool all = inference->attrs[attr].kind == CUSP_ATTR_NONE;
  if (!all)
    CUSP_TRY(mark_axes(inference, &inference->attrs[attr], ndim, chosen));
  int64_t *axes = inference->scratch + (attr % CUSP_MAX_DIMS) * CUSP_MAX_DIMS;
  int count = 0;
  for (int axis = 0; axis < ndim; axis++)
    if (all || chosen[axis])
      axes[count++] = axis;
  inference->attrs[attr] = cusp_attr_ints(axes, count);
  return CUSP_OK;
}

cusp_status cusp_infer_count(const cusp_inference *inference, int count) {
  if (inference->n_inputs != count)
    return cusp_infer_fail(inference, CUSP_EVALUE, "expected %d tensors, got %d", count,
                           inference->n_inputs);
  return CUSP_OK;
}

cusp_status cusp_infer_expect(const cusp_inference *inference, int input, const char *name,
                              cusp_dtype dtype, cusp_shape shape) {
  const cusp_type *type = &inference->inputs[input];
  if (type->dtype != dtype)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "%s must be %s, got %s", name,
                           cusp_dtype_name(dtype), cusp_dtype_name(type->dtype));
  if (!cusp_shape_equal(&type->shape, &shape))
    return cusp_infer_fail(inference, CUSP_ESHAPE, "%s must have shape %s, got %s", name,
                           cusp_shape_text(&shape), cusp_shape_text(&type->shape));
  return CUSP_OK;
}

cusp_status cusp_infer_float_or_double(const cusp_inference *inference) {
  cusp_dtype dtype = inference->inputs[0].dtype;
  if (dtype != CUSP_FLOAT32 && dtype != CUSP_FLOAT64)
    return cusp_infer_fail(inference, CUSP_EDTYPE, "expected float32 or float64, got %s",
                           cusp_dtype_name(dtype));
  return CUSP_OK;
}

cusp_status cusp_infer_same(cusp_inference *inference) {
  inference->outputs[0] = inference->inputs[0];
  return CUSP_OK;
}

static cusp_status broadcast_shapes(cusp_inference *inference) {
  cusp_shape shape = inference->inputs[0].shape;
  for (int i = 1; i < inference->n_inputs; i++) {
    cusp_shape other = inference->inputs[i].shape, both;
    cusp_status status = cusp_shape_broadcast(&both, &shape, &other);
    if (status != CUSP_OK)
      return cusp_infer_fail(
          inference, status,
          "shapes %s and %s do not broadcast: sizes should be equal, or one of them 1",
          cusp_shape_text(&shape), cusp_shape_text(&other));
    shape = both;
  }
  inference->outputs[0].shape = shape;
  return CUSP_OK;
}

cusp_status cusp_infer_broadcast(cusp_inference *inference) {
  CUSP_TRY(broadcast_shapes(inference));
  inference->outputs[0].dtype = inference->inputs[inference->n_inputs - 1].dtype;
  return CUSP_OK;
}

cusp_status cusp_infer_broadcast_bool(cusp_inference *inference) {
  CUSP_TRY(broadcast_shapes(inference));
  inference->outputs[0].dtype = CUSP_BOOL;
  return CUSP_OK;
}
