#ifndef CUSP_DATA_TRANSFORM_H
#define CUSP_DATA_TRANSFORM_H
/* Casting and scaling of what was read, in the thread that read it. */

#include "../tensor/dtype.h"

/** out = in * scale + offset in the dtype `out`, by way of float where it is a float. */
typedef struct cusp_transform {
  cusp_dtype in, out;
  double scale, offset;
} cusp_transform;

static inline bool cusp_transform_is_identity(const cusp_transform *t) {
  return t->in == t->out && t->scale == 1 && t->offset == 0;
}

/** Serial. `to` and `from` do not overlap. */
void cusp_transform_run(const cusp_transform *transform, int64_t count, const void *from, void *to);

#endif
