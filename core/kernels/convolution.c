#include "convolution.h"

#include "../base/threads.h"
#include "windows.h"

#include <string.h>

typedef struct task {
  const cusp_convolution *convolution;
  const void *a, *b;
  void *out;
} task;

#define REAL float
#define NAME(name) name##_float32
#include "convolution_loops.h"
#undef REAL
#undef NAME

#define REAL double
#define NAME(name) name##_float64
#include "convolution_loops.h"
#undef REAL
#undef NAME

void cusp_convolution_reference(const cusp_convolution *convolution, cusp_convolution_face face,
                                cusp_dtype dtype, const void *a, const void *b, void *out) {
  static const cusp_range_fn loops[][2] = {
      [CUSP_CONVOLUTION_FORWARD] = {forward_float32, forward_float64},
      [CUSP_CONVOLUTION_INPUT_GRADIENT] = {input_gradient_float32, input_gradient_float64},
      [CUSP_CONVOLUTION_KERNEL_GRADIENT] = {kernel_gradient_float32, kernel_gradient_float64},
  };
  const cusp_windows *w = &convolution->windows;
  const int64_t channels_in_group = convolution->channels / convolution->groups;
  const int64_t counts[] = {
      [CUSP_CONVOLUTION_FORWARD] = w->batch * cusp_window_count(w->output),
      [CUSP_CONVOLUTION_INPUT_GRADIENT] = w->batch * cusp_window_count(w->input),
      [CUSP_CONVOLUTION_KERNEL_GRADIENT] = cusp_window_count(w->size) * channels_in_group,
  };
  const int64_t products = w->batch * cusp_window_count(w->output) * cusp_window_count(w->size) *
                           channels_in_group * convolution->filters;
  task t = {convolution, a, b, out};
  const int64_t count = counts[face];
  /* a product takes half a nanosecond */
  const int64_t grain = products > 0 ? 16384 * count / products + 1 : count + 1;
  cusp_parallel_for(count, grain, loops[face][dtype == CUSP_FLOAT64], &t);
}
