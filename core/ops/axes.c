#include "axes.h"

#include "../node/infer.h"

#include "../base/memory.h"
#include "../node/build.h"

#include <string.h>

cusp_status cusp_resolve_axis(int *out, const char *name, int64_t axis, int ndim) {
  if (axis < -ndim || axis >= ndim)
    return cusp_fail(CUSP_EVALUE, "%s: axis %lld is out of range for a tensor of %d axes", name,
                     (long long)(axis < 0 ? axis : axis + 1), ndim);
  *out = (int)(axis < 0 ? axis + ndim : axis);
  return CUSP_OK;
}

cusp_status cusp_axis_or_flat(int *out, const char *name, const cusp_attr *attr, cusp_node **x) {
  if (attr->kind != CUSP_ATTR_NONE)
    return cusp_resolve_axis(out, name, attr->integer, (*x)->type.shape.ndim);
  *out = 0;
  *x = cusp_reshape(*x, &(cusp_shape){1, {cusp_shape_count(&(*x)->type.shape)}});
  return cusp_built(*x);
}

/* The index of the axis that is null, or -1. */
static int null_axis(int n_attrs, const cusp_attr *attrs) {
  for (int i = 0; i < n_attrs; i++)
    if (attrs[i].kind == CUSP_ATTR_NULL)
      return i;
  return -1;
}

static cusp_status over_flat(cusp_node **out, const cusp_op *op, int n, cusp_node *const *x,
                             int n_attrs, const cusp_attr *attrs, bool shaped) {
  static const int64_t last = -1;
  int at = null_axis(n_attrs, attrs);
  cusp_attr given[CUSP_MAX_PARAMETERS];
  void *flat;
  if (at < 0)
    return CUSP_OK;
  memcpy(given, attrs, (size_t)n_attrs * sizeof *attrs);
  given[at] = shaped ? cusp_attr_ints(&last, 1) : cusp_attr_int(-1);
  CUSP_TRY(cusp_alloc(&flat, (size_t)n * sizeof *x));
  cusp_scope scope = cusp_scope_open();
  for (int i = 0; i < n; i++)
    ((cusp_node **)flat)[i] =
        cusp_reshape(x[i], &(cusp_shape){1, {cusp_shape_count(&x[i]->type.shape)}});
  cusp_node *y = cusp_apply(op->name, n, flat, n_attrs, given);
  *out = shaped ? cusp_reshape(y, &x[0]->type.shape) : y;
  cusp_status status = cusp_built(*out);
  if (*out)
    cusp_node_retain(*out);
  cusp_scope_close(scope);
  cusp_free(flat);
  return status;
}

cusp_status cusp_over_flat(cusp_node **out, const cusp_op *op, int n, cusp_node *const *x,
                           int n_attrs, const cusp_attr *attrs) {
  return over_flat(out, op, n, x, n_attrs, attrs, false);
}

cusp_status cusp_over_flat_shaped(cusp_node **out, const cusp_op *op, int n, cusp_node *const *x,
                                  int n_attrs, const cusp_attr *attrs) {
  return over_flat(out, op, n, x, n_attrs, attrs, true);
}

cusp_node *cusp_labels(cusp_node *x) {
  cusp_dtype dtype = x ? x->type.dtype : CUSP_INT32;
  if (dtype == CUSP_INT64 || dtype == CUSP_UINT64 || dtype == CUSP_UINT32) {
    x = cusp_cast(x, CUSP_INT64);
    x = cusp_apply_3("clip", x, cusp_scalar(-1, CUSP_INT64), cusp_scalar(INT32_MAX, CUSP_INT64));
  }
  return cusp_cast(x, CUSP_INT32);
}

cusp_node *cusp_move_axis(cusp_node *x, int from, int to) {
  int64_t order[CUSP_MAX_DIMS];
  if (!x || from == to)
    return x;
  int ndim = x->type.shape.ndim;
  for (int place = 0, next = 0; place < ndim; place++) {
    if (next == from)
      next++;
    order[place] = place == to ? from : next++;
  }
  return cusp_transpose(x, order);
}

int cusp_axes_of(const cusp_attr *attr, const int64_t **axes) {
  *axes = attr->kind == CUSP_ATTR_INT ? &attr->integer : attr->ints;
  return attr->kind == CUSP_ATTR_INT ? 1 : attr->kind == CUSP_ATTR_INTS ? attr->count : 0;
}

cusp_status cusp_choose_axes(const cusp_attr *attr, int ndim, bool *chosen) {
  const int64_t *axes;
  int count = cusp_axes_of(attr, &axes);
  for (int i = 0; i < count; i++) {
    int axis;
    CUSP_TRY(cusp_axis_check(axes[i], ndim, &axis));
    if (chosen[axis])
      return cusp_fail(CUSP_EVALUE, "axis %d is given twice", axis + 1);
    chosen[axis] = true;
  }
  return CUSP_OK;
}
