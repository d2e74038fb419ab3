#include "scan.h"

#include "../base/threads.h"

/*
 * One loop serves all kinds: row i of `inner` elements follows from row i - 1 and the input's row i
 * (or i - 1 where the scan is exclusive). STEP combines the previous result `p` with the input `v`
 * and, for a recurrence, the decay `d`.
 */
#define DEFINE_SCAN(name, type, FIRST, STEP)                                                  \
  static void name(const cusp_scan *s, int64_t outer, int64_t begin, int64_t end) {           \
    const type *x = (const type *)s->x + outer * s->length * s->inner;                        \
    const type *decay = s->decay ? (const type *)s->decay + outer * s->length * s->inner : x; \
    type *out = (type *)s->out + outer * s->length * s->inner;                                \
    int64_t step = s->reverse ? -s->inner : s->inner,                                         \
            first = s->reverse ? (s->length - 1) * s->inner : 0;                              \
    for (int64_t k = begin; k < end; k++)                                                     \
      out[first + k] = s->exclusive ? (type)FIRST : x[first + k];                             \
    for (int64_t i = 1, at = first + step; i < s->length; i++, at += step) {                  \
      const type *input = s->exclusive ? x + at - step : x + at;                              \
      for (int64_t k = begin; k < end; k++) {                                                 \
        const type p = out[at - step + k], v = input[k], d = decay[at + k];                   \
        (void)d;                                                                              \
        out[at + k] = (type)(STEP);                                                           \
      }                                                                                       \
    }                                                                                         \
  }

/* Integers wrap around: the operation is done unsigned, and wide enough not to be promoted to a
 * signed int. */
#define DEFINE_INTEGER(suffix, type, wide)              \
  DEFINE_SCAN(sum_##suffix, type, 0, (wide)p + (wide)v) \
  DEFINE_SCAN(product_##suffix, type, 1, (wide)p *(wide)v)

#define DEFINE_FLOAT(suffix, type)             \
  DEFINE_SCAN(sum_##suffix, type, 0, p + v)    \
  DEFINE_SCAN(product_##suffix, type, 1, p *v) \
  DEFINE_SCAN(recurrence_##suffix, type, 0, p *d + v)

DEFINE_INTEGER(int8, int8_t, uint32_t)
DEFINE_INTEGER(int16, int16_t, uint32_t)
DEFINE_INTEGER(int32, int32_t, uint32_t)
DEFINE_INTEGER(int64, int64_t, uint64_t)
DEFINE_INTEGER(uint8, uint8_t, uint32_t)
DEFINE_INTEGER(uint16, uint16_t, uint32_t)
DEFINE_INTEGER(uint32, uint32_t, uint32_t)
DEFINE_INTEGER(uint64, uint64_t, uint64_t)
DEFINE_FLOAT(float32, float)
DEFINE_FLOAT(float64, double)

typedef void (*scan_fn)(const cusp_scan *scan, int64_t outer, int64_t begin, int64_t end);

#define ROW(DTYPE, suffix) [DTYPE] = {sum_##suffix, product_##suffix}
#define FLOAT_ROW(DTYPE, suffix) [DTYPE] = {sum_##suffix, product_##suffix, recurrence_##suffix}
static const scan_fn scans[CUSP_DTYPE_COUNT][3] = {
    ROW(CUSP_INT8, int8),
    ROW(CUSP_INT16, int16),
    ROW(CUSP_INT32, int32),
    ROW(CUSP_INT64, int64),
    ROW(CUSP_UINT8, uint8),
    ROW(CUSP_UINT16, uint16),
    ROW(CUSP_UINT32, uint32),
    ROW(CUSP_UINT64, uint64),
    FLOAT_ROW(CUSP_FLOAT32, float32),
    FLOAT_ROW(CUSP_FLOAT64, float64),
};

/** Lanes are all outer * inner positions; a range of them is cut at the ends of inner rows. */
static void run_lanes(void *context, int64_t begin, int64_t end) {
  const cusp_scan *s = context;
  while (begin < end) {
    int64_t outer = begin / s->inner, first = begin % s->inner, last = s->inner;
    if (end - begin < last - first)
      last = first + (end - begin);
    scans[s->dtype][s->kind](s, outer, first, last);
    begin += last - first;
  }
}

void cusp_scan_run(const cusp_scan *scan) {
  if (scan->length > 0)
    cusp_parallel_for(scan->outer * scan->inner, 16384 / scan->length + 16, run_lanes,
                      (void *)scan);
}
