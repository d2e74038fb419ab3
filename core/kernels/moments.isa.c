/* Loops of means and variances, compiled for each instruction set. */

#include "moments.h"

#include "vector.h"

#include <string.h>

#define BLOCK 8 /* registers of sums: additions take the time of four */

static int64_t divisor(int64_t a, int64_t b) { return b == 0 ? a : divisor(b, a % b); }

/** How many rows are taken side by side, so that they fill registers. */
static int64_t folded(int64_t columns, int64_t lanes) {
  if (columns >= CUSP_MOMENTS_WIDE)
    return 1;
  const int64_t step = lanes / divisor(columns, lanes);
  const int64_t rows = (CUSP_MOMENTS_WIDE + columns - 1) / columns;
  return (rows + step - 1) / step * step;
}

#define REAL float
#define WIDE CUSP_FLOAT32
#define LANES (CUSP_ISA_BYTES / 4)
#define NAME(name) name##_float32
#include "moments_loops.h"
const cusp_moments_loops CUSP_ISA(cusp_moments_table_float32) = {run_float32, finish_float32};
#undef REAL
#undef WIDE
#undef LANES
#undef NAME

#define REAL double
#define WIDE CUSP_FLOAT64
#define LANES (CUSP_ISA_BYTES / 8)
#define NAME(name) name##_float64
#include "moments_loops.h"
const cusp_moments_loops CUSP_ISA(cusp_moments_table_float64) = {run_float64, finish_float64};
