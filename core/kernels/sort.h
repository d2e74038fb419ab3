#ifndef CUSP_KERNELS_SORT_H
#define CUSP_KERNELS_SORT_H
/*
 * Order within a row. Elements become unsigned keys of the same order first, so that one algorithm
 * serves all dtypes: NaN is above everything, -0 and 0 are equal. Serial; rows are without gaps and
 * have at most 2^31 - 1 elements.
 */

#include "../tensor/dtype.h"

typedef struct cusp_sort_record {
  uint64_t key;
  uint32_t index;
} cusp_sort_record;

/** out[i] = index of the i-th smallest element of a row; equal elements keep their order.
 * `scratch`: 2 * n records. */
void cusp_argsort(cusp_dtype dtype, int64_t n, const void *x, int32_t *out,
                  cusp_sort_record *scratch);
/** out[0 .. k-1] = indices of the k largest elements, the largest first, of equal ones the first
 * first. `scratch`: 2 * n records. */
void cusp_top_k(cusp_dtype dtype, int64_t n, int64_t k, const void *x, int32_t *out,
                cusp_sort_record *scratch);
/** How many elements of the ascending row `x` are below `value`, or with `or_equal` not above
 * it. */
int64_t cusp_search_sorted(cusp_dtype dtype, int64_t n, const void *x, const void *value,
                           bool or_equal);

#endif
