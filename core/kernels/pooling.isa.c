/* Pooling loops, compiled for each instruction set: windows are small, so the time goes into loops
 * over channels. */

#include "pooling.h"

#include <stdbool.h>
#include <string.h>

#define BLOCK 128 /* channels at a time */

/** What a window covers of the input, padding left out. */
typedef struct box {
  int64_t begin[CUSP_WINDOW_AXES], end[CUSP_WINDOW_AXES];
} box;

static inline box window_at(const cusp_windows *w, const cusp_position *o) {
  box b;
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++) {
    const int64_t first = o->at[axis] * w->stride[axis] - w->low[axis],
                  last = first + w->size[axis];
    b.begin[axis] = first > 0 ? first : 0;
    b.end[axis] = last < w->input[axis] ? last : w->input[axis];
  }
  return b;
}

static inline int64_t pixels_of(const box *b) {
  const int64_t count =
      (b->end[0] - b->begin[0]) * (b->end[1] - b->begin[1]) * (b->end[2] - b->begin[2]);
  return count > 0 ? count : 1;
}

/** The next position in row-major order. */
static inline void advance(cusp_position *p, const int64_t sizes[CUSP_WINDOW_AXES]) {
  for (int axis = CUSP_WINDOW_AXES - 1; axis >= 0; axis--) {
    if (++p->at[axis] < sizes[axis])
      return;
    p->at[axis] = 0;
  }
  p->batch++;
}

#define REAL float
#define NAME(name) name##_float32
#include "pooling_loops.h"
#undef REAL
#undef NAME

#define REAL double
#define NAME(name) name##_float64
#include "pooling_loops.h"
#undef REAL
#undef NAME

const cusp_pooling_loops CUSP_ISA(cusp_pooling_table) = {
    [CUSP_POOL_MAX] = {max_float32, max_float64},
    [CUSP_POOL_MAX_GRADIENT] = {max_gradient_float32, max_gradient_float64},
    [CUSP_POOL_MAX_PICK] = {max_pick_float32, max_pick_float64},
    [CUSP_POOL_AVERAGE] = {average_float32, average_float64},
    [CUSP_POOL_AVERAGE_GRADIENT] = {average_gradient_float32, average_gradient_float64},
};
