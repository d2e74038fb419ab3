#ifndef CUSP_KERNELS_SCAN_H
#define CUSP_KERNELS_SCAN_H
/* Running sums, products and linear recurrences along one axis of an array without gaps. */

#include "../tensor/dtype.h"

typedef enum cusp_scan_kind {
  CUSP_SCAN_SUM,       /* out_i = out_(i-1) + x_i */
  CUSP_SCAN_PRODUCT,   /* out_i = out_(i-1) * x_i */
  CUSP_SCAN_RECURRENCE /* out_i = out_(i-1) * decay_i + x_i; float32 and float64 only */
} cusp_scan_kind;

/** Arrays of [outer, length, inner] elements, scanned along the middle axis. */
typedef struct cusp_scan {
  cusp_scan_kind kind;
  cusp_dtype dtype; /* not bool nor a 16-bit float */
  bool reverse;     /* from the last element to the first */
  /* out_i leaves x_i out: it begins with 0, or with 1 for a product. Not for a recurrence */
  bool exclusive;
  int64_t outer, length, inner;
  const void *x, *decay;
  void *out; /* none of the others */
} cusp_scan;

/** Runs it, on several threads where it is large. */
void cusp_scan_run(const cusp_scan *scan);

#endif
