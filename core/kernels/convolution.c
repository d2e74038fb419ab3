#include "convolution.h"

#include "../base/threads.h"
#include "blas.h"
#include "panels.h"
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

/* ------------------------------------------------------------------ short ones */

static double products_of(const cusp_convolution *c) {
  const cusp_windows *w = &c->windows;
  const int last = CUSP_WINDOW_AXES - 1;
  return (double)w->batch * (double)w->output[last] * (double)w->size[last] * (double)c->channels *
         (double)c->filters;
}

bool cusp_convolution_is_plain(const cusp_convolution *c) {
  const cusp_windows *w = &c->windows;
  const int last = CUSP_WINDOW_AXES - 1;
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++)
    if (w->stride[axis] != 1 || w->low[axis] != 0 ||
        (axis < last && (w->size[axis] != 1 || w->input[axis] != 1)))
      return false;
  return c->groups == 1 && c->channels > 0 && c->dtype == CUSP_FLOAT32 &&
         c->result == CUSP_FLOAT32 &&
         w->output[last] - 1 + (w->size[last] - 1) * w->dilation[last] < w->input[last];
}

/* Where oneDNN would take as long to begin; it allocates, which `quiet` programs pay more to avoid.
 */
bool cusp_convolution_is_short(const cusp_convolution *c, bool quiet) {
  const cusp_windows *w = &c->windows;
  double most = quiet                                  ? 4e6
                : w->output[CUSP_WINDOW_AXES - 1] == 1 ? 65536
                : w->batch == 1                        ? 8192
                                                       : 0;
  return products_of(c) <= most;
}

/* Rows of the left factor, all taps of a window, overlap: panels are packed from the kernel alone.
 */
static void multiply_windows(const cusp_gemm_task *t) {
  cusp_panel_rows rows = {t->a, t->lda, 1};
  cusp_panel_source kernel = {t->b, false, t->ldb};
  cusp_panels_multiply(t->m, t->n, t->k, &rows, &kernel, 0, t->c, t->ldc);
}

static void multiply_taps(const cusp_gemm_task *whole, const cusp_convolution *c) {
  const int last = CUSP_WINDOW_AXES - 1;
  cusp_gemm_task t = *whole;
  t.k = c->channels;
  for (int64_t tap = 0; tap < c->windows.size[last]; tap++) {
    t.beta = tap > 0;
    cusp_gemm_serial(&t);
    t.a = (const float *)t.a + c->windows.dilation[last] * c->channels;
    t.b = (const float *)t.b + c->channels * c->filters;
  }
}

cusp_status cusp_convolution_by_products(const cusp_convolution *c, const float *x,
                                         const float *kernel, float *y) {
  const cusp_windows *w = &c->windows;
  const int last = CUSP_WINDOW_AXES - 1;
  cusp_gemm_task t = {.dtype = CUSP_FLOAT32, .m = w->output[last], .n = c->filters, .alpha = 1};
  t.k = w->size[last] * c->channels;
  t.lda = c->channels;
  t.ldb = t.ldc = c->filters;
  t.b = kernel;
  const bool together = w->dilation[last] == 1;
  const bool windows = together && t.m >= 4 && t.n >= 8 && cusp_panel_loops_find();
  if (!windows && t.m > 1)
    CUSP_TRY(cusp_blas_ready());
  for (int64_t row = 0; row < w->batch; row++) {
    t.a = x + row * w->input[last] * c->channels;
    t.c = y + row * t.m * c->filters;
    if (windows)
      multiply_windows(&t);
    else if (together && t.m == 1)
      cusp_gemm_serial(&t);
    else
      multiply_taps(&t, c);
  }
  return CUSP_OK;
}
