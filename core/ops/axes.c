#include "axes.h"

#include "build.h"

cusp_status cusp_resolve_axis(int *out, const char *name, int64_t axis, int ndim) {
  if (axis < -ndim || axis >= ndim)
    return cusp_fail(CUSP_EVALUE, "%s: axis %lld is out of range for a tensor of %d axes", name, (long long)(axis < 0 ? axis : axis + 1),
                     ndim);
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
