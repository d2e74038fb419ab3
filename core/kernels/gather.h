#ifndef CUSP_KERNELS_GATHER_H
#define CUSP_KERNELS_GATHER_H
/*
 * Reading and writing elements at positions that a tensor holds. Positions are int32 or int64,
 * count from 0, and from the end where negative; one outside its axis is an error, except where an
 * attribute says that it is dropped. Sums are in the order of the positions at any number of
 * threads: each thread owns a part of the result.
 */

#include "call.h"

/** inputs: x [outer, n, inner], positions [m]; result [outer, m, inner]. Attribute: axis
 * (normalised). */
extern const cusp_kernel cusp_gather_axis_kernels[];
/** inputs: x [outer, n, inner], positions [outer, m, inner]; result like the positions. Attribute:
 * axis. */
extern const cusp_kernel cusp_gather_along_kernels[];
/** inputs: x, positions [..., k] into its first k axes; result [..., rest of x]. Attribute: drop
 * (zeros for positions outside). */
extern const cusp_kernel cusp_gather_nd_kernels[];

/*
 * Shared by the two files of kernels.
 */

/** An array as [outer, count, inner] around an axis, or around `width` axes from it. */
typedef struct cusp_lines {
  int64_t outer, count, inner;
} cusp_lines;
cusp_lines cusp_lines_around(const cusp_shape *shape, int axis, int width);

/** Fails, naming the row, for a position outside [-size, size). */
CUSP_NODISCARD cusp_status cusp_positions_check(const cusp_call *call, const cusp_array *positions,
                                                int64_t size);

/** Position i of row-major int32 or int64 positions. */
static inline int64_t cusp_position(const cusp_array *positions, int64_t i) {
  return positions->dtype == CUSP_INT32 ? ((const int32_t *)positions->data)[i]
                                        : ((const int64_t *)positions->data)[i];
}

/** The element offset of index row `row` of positions [rows, k] into an array of `shape`, times
 * `inner`; -1 where outside. */
int64_t cusp_position_offset(const cusp_array *positions, int64_t row, int k,
                             const cusp_shape *shape, int64_t inner);
/** Fails, with such an index row, which lies outside. */
CUSP_NODISCARD cusp_status cusp_position_fail(const cusp_call *call, const cusp_array *positions,
                                              int64_t row, int k, const cusp_shape *shape);

#endif
