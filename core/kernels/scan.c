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
#define INTEGER(NAME, name, type, ...)                                              \
  DEFINE_SCAN(sum_##name, type, 0, (CUSP_WRAPPING(type))p + (CUSP_WRAPPING(type))v) \
  DEFINE_SCAN(product_##name, type, 1, (CUSP_WRAPPING(type))p *(CUSP_WRAPPING(type))v)

#define REAL(NAME, name, type, ...)          \
  DEFINE_SCAN(sum_##name, type, 0, p + v)    \
  DEFINE_SCAN(product_##name, type, 1, p *v) \
  DEFINE_SCAN(recurrence_##name, type, 0, p *d + v)

CUSP_INT_DTYPES(INTEGER)
CUSP_REAL_DTYPES(REAL)

typedef void (*scan_fn)(const cusp_scan *scan, int64_t outer, int64_t begin, int64_t end);

#define ROW(NAME, name, ...) [CUSP_##NAME] = {sum_##name, product_##name},
#define REAL_ROW(NAME, name, ...) [CUSP_##NAME] = {sum_##name, product_##name, recurrence_##name},
static const scan_fn scans[CUSP_DTYPE_COUNT][3] = {CUSP_INT_DTYPES(ROW) CUSP_REAL_DTYPES(REAL_ROW)};

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
