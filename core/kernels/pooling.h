#ifndef CUSP_KERNELS_POOLING_H
#define CUSP_KERNELS_POOLING_H
/* Pooling over channels-last arrays, for float32 and float64: each channel by itself, so that loops
 * run over channels. */

#include "isa.h"
#include "windows.h"

typedef struct cusp_pooling {
  cusp_windows windows; /* dilation is not used */
  int64_t channels;
} cusp_pooling;

typedef enum cusp_pooling_face {
  CUSP_POOL_MAX,              /* x -> y: the greatest of each window, padding left out; NaN wins */
  CUSP_POOL_MAX_GRADIENT,     /* (x, dy) -> dx: dy goes to the first greatest of its window */
  CUSP_POOL_MAX_PICK,         /* (x, g) -> y: of g, what lies where x is greatest */
  CUSP_POOL_AVERAGE,          /* x -> y: the mean of each window, padding left out */
  CUSP_POOL_AVERAGE_GRADIENT, /* dy -> dx */
  CUSP_POOL_FACES
} cusp_pooling_face;

/** Row-major arrays; b is NULL where a face has one operand. Parallel. */
void cusp_pool(const cusp_pooling *pooling, cusp_pooling_face face, cusp_dtype dtype, const void *a,
               const void *b, void *out);

/* Between pooling.c and pooling.isa.c: loops are cusp_range_fn over output positions, of the
 * gradients over the batch. */
typedef struct cusp_pooling_task {
  const cusp_pooling *pooling;
  const void *a, *b;
  void *out;
} cusp_pooling_task;
typedef void (*cusp_pooling_loop)(void *context, int64_t begin, int64_t end);
typedef cusp_pooling_loop cusp_pooling_loops[CUSP_POOL_FACES][2]; /* float32, float64 */
CUSP_ISA_DECLARE(const cusp_pooling_loops, cusp_pooling_table);

#endif
