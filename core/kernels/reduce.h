#ifndef CUSP_KERNELS_REDUCE_H
#define CUSP_KERNELS_REDUCE_H
/* Reductions over axes: what is reduced how. Used by the tiled loop (fused.h). */

#include "../base/cpu.h"
#include "../tensor/dtype.h"

typedef enum cusp_reducer_id {
  CUSP_REDUCE_NONE = 0,
  /* floats in blocks with several accumulators (pairwise-like error); float16/bfloat16 accumulate
     in float32 */
  CUSP_REDUCE_SUM,
  CUSP_REDUCE_PROD,
  CUSP_REDUCE_MAX, /* NaN wins, as in NumPy */
  CUSP_REDUCE_MIN,
  CUSP_REDUCE_ANY,
  CUSP_REDUCE_ALL,
  CUSP_REDUCE_COUNT
} cusp_reducer_id;

#endif
