#include "transform.h"

#include <string.h>

/* The pairs that datasets are made of have loops of their own; the rest goes element by
 * element. */
#define TO_FLOAT(name, type)                                                            \
  static void name##_to_float(const cusp_transform *t, int64_t count, const void *from, \
                              void *to) {                                               \
    const type *restrict in = from;                                                     \
    float *restrict out = to, scale = (float)t->scale, offset = (float)t->offset;       \
    for (int64_t i = 0; i < count; i++)                                                 \
      out[i] = (float)in[i] * scale + offset;                                           \
  }
TO_FLOAT(uint8, uint8_t)
TO_FLOAT(int32, int32_t)
TO_FLOAT(int64, int64_t)
TO_FLOAT(float32, float)

/* Scaled in double, since that is what the numbers are. */
static void float64_to_float(const cusp_transform *t, int64_t count, const void *from, void *to) {
  const double *restrict in = from;
  float *restrict out = to;
  double scale = t->scale, offset = t->offset;
  for (int64_t i = 0; i < count; i++)
    out[i] = (float)(in[i] * scale + offset);
}

static void whole_numbers(const cusp_transform *t, int64_t count, const char *from, char *to) {
  size_t in = cusp_dtype_size(t->in), out = cusp_dtype_size(t->out);
  for (int64_t i = 0; i < count; i++)
    cusp_store_int(t->out, to + (size_t)i * out, cusp_load_int(t->in, from + (size_t)i * in));
}

static void any(const cusp_transform *t, int64_t count, const char *from, char *to) {
  size_t in = cusp_dtype_size(t->in), out = cusp_dtype_size(t->out);
  for (int64_t i = 0; i < count; i++)
    cusp_store_double(t->out, to + (size_t)i * out,
                      cusp_load_double(t->in, from + (size_t)i * in) * t->scale + t->offset);
}

void cusp_transform_run(const cusp_transform *t, int64_t count, const void *from, void *to) {
  if (cusp_transform_is_identity(t)) {
    memcpy(to, from, (size_t)count * cusp_dtype_size(t->in));
    return;
  }
  if (t->out == CUSP_FLOAT32)
    switch (t->in) {
    case CUSP_BOOL:
    case CUSP_UINT8: uint8_to_float(t, count, from, to); return;
    case CUSP_INT32: int32_to_float(t, count, from, to); return;
    case CUSP_INT64: int64_to_float(t, count, from, to); return;
    case CUSP_FLOAT32: float32_to_float(t, count, from, to); return;
    case CUSP_FLOAT64: float64_to_float(t, count, from, to); return;
    default: break;
    }
  if (t->scale == 1 && t->offset == 0 && !cusp_dtype_is_float(t->in) &&
      !cusp_dtype_is_float(t->out))
    whole_numbers(t, count, from, to);
  else
    any(t, count, from, to);
}
