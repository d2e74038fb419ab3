#include "pooling.h"

#include "../base/threads.h"

void cusp_pool(const cusp_pooling *pooling, cusp_pooling_face face, cusp_dtype dtype, const void *a,
               const void *b, void *out) {
  const cusp_windows *w = &pooling->windows;
  const bool gradient = face == CUSP_POOL_MAX_GRADIENT || face == CUSP_POOL_AVERAGE_GRADIENT;
  const int64_t positions = cusp_window_count(w->output);
  const int64_t count = gradient ? w->batch : w->batch * positions;
  /* an element of a window takes about 0.2 ns, a window 20 */
  const int64_t cost =
      (gradient ? positions : 1) * (20 + cusp_window_count(w->size) * pooling->channels / 5);
  cusp_pooling_task task = {pooling, a, b, out};
  cusp_parallel_for(count, 10000 / (cost + 1) + 1,
                    (*CUSP_ISA_CHOOSE(cusp_pooling_table))[face][dtype == CUSP_FLOAT64], &task);
}
