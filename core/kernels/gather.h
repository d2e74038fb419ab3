#ifndef CUSP_KERNELS_GATHER_H
#define CUSP_KERNELS_GATHER_H
/*
 * Reading and writing elements at positions that a tensor holds. Positions are int32 or int64,
 * count from 0, and from the end where negative; one outside its axis is an error, except where an
 * attribute says that it is dropped. Sums are in the order of the positions at any number of
 * threads: each thread owns a part of the result.
 */

#include "call.h"
#include "rows.h"

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

#define CUSP_ROWS_BLOCK 256 /* positions at a time, resolved on the stack */

/** The rows, of those that the first `k` axes of `shape` count, at index rows [first, first + n) of
 * positions [rows, k]; -1 where outside. */
void cusp_rows_at(const cusp_array *positions, int k, const cusp_shape *shape, int64_t first,
                  int64_t n, int64_t *at);
/** Fails for the first of `rows` index rows that lies outside. */
CUSP_NODISCARD cusp_status cusp_rows_check(const cusp_call *call, const cusp_array *positions,
                                           int64_t rows, int k, const cusp_shape *shape);

#endif
