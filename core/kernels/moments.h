#ifndef CUSP_KERNELS_MOMENTS_H
#define CUSP_KERNELS_MOMENTS_H
/*
 * Mean and variance of each column of a matrix, which is read once: tiles that stay in the
 * first-level cache are summed, then their squared distances from their own means; what tiles found
 * is brought together after Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
 * for computing sample variances" (1979). Rows are cut into chunks by their number alone, so
 * results do not depend on threads.
 */

#include "../tensor/dtype.h"
#include "isa.h"

typedef struct cusp_moments {
  cusp_dtype dtype; /* of x; those of 16 bits are read as float32 */
  int64_t rows, columns;
} cusp_moments;

/** Bytes of scratch memory, aligned to 64. */
size_t cusp_moments_workspace(const cusp_moments *moments);
/** From x [rows, columns], row-major; parallel. Results are float32 or float64. */
void cusp_moments_run(const cusp_moments *moments, const void *x, void *mean, void *variance,
                      void *workspace);

/* Between moments.c and moments.isa.c. */

#define CUSP_MOMENTS_TILE 4096 /* elements, where a row has no more */
#define CUSP_MOMENTS_WIDE 128  /* elements that are summed side by side */

/** Elements of a row, or of several short ones side by side, and some to fill a register. */
static inline int64_t cusp_moments_width(int64_t columns) {
  return columns < CUSP_MOMENTS_WIDE ? CUSP_MOMENTS_WIDE + 16 * columns : columns;
}

typedef struct cusp_moments_task {
  const cusp_moments *moments;
  int64_t chunks;
  const void *x;
  void *mean, *variance;
  char *states; /* of the chunks: sums, squares, three of a tile, and a tile of wider numbers */
  size_t state_bytes;
} cusp_moments_task;

typedef struct cusp_moments_loops {
  void (*run)(void *task, int64_t begin, int64_t end); /* chunks */
  void (*finish)(const cusp_moments_task *task);
} cusp_moments_loops;
CUSP_ISA_DECLARE_FLOATS(const cusp_moments_loops, cusp_moments_table);

#endif
