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

/* ------------------------------------------------------------------ by products */

enum { DEPTH, HEIGHT, WIDTH };

/** What one convolution works on: rows of the result over a padded copy of x, or x itself. */
typedef struct products {
  const cusp_convolution *c;
  int64_t extent[CUSP_WINDOW_AXES]; /* of the padded copy */
  const float *x, *kernel;
  float *y;
} products;

static bool is_padded(const cusp_windows *w, const int64_t *extent) {
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++)
    if (w->low[axis] != 0 || extent[axis] > w->input[axis])
      return true;
  return false;
}

/* Of the positions that some window sees; of x itself where none of them is padding. */
static bool find_extent(const cusp_windows *w, int64_t *extent) {
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++)
    extent[axis] =
        (w->output[axis] - 1) * w->stride[axis] + (w->size[axis] - 1) * w->dilation[axis] + 1;
  if (is_padded(w, extent))
    return true;
  memcpy(extent, w->input, CUSP_WINDOW_AXES * sizeof *extent);
  return false;
}

size_t cusp_convolution_workspace(const cusp_convolution *c) {
  int64_t extent[CUSP_WINDOW_AXES], count = c->windows.batch * c->channels;
  bool padded = find_extent(&c->windows, extent);
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++)
    count *= extent[axis];
  return padded ? (size_t)count * sizeof(float) : 0;
}

bool cusp_convolution_by_products_pays(const cusp_convolution *c, bool quiet) {
  int64_t extent[CUSP_WINDOW_AXES];
  const cusp_windows *w = &c->windows;
  double count = (double)w->batch * (double)w->output[WIDTH] * (double)w->size[WIDTH] *
                 (double)c->channels * (double)c->filters;
  if (c->groups != 1 || c->channels < 1 || c->dtype != CUSP_FLOAT32 || c->result != CUSP_FLOAT32)
    return false;
  if (quiet)
    return true;
  bool one_axis = w->size[DEPTH] == 1 && w->size[HEIGHT] == 1 && w->output[DEPTH] == 1 &&
                  w->output[HEIGHT] == 1;
  /* oneDNN would take as long to begin */
  return one_axis && !find_extent(w, extent) &&
         (w->output[WIDTH] == 1 ? count <= 65536 : w->batch == 1 && count <= 8192);
}

/* The part of a line of x, or of padding, that a line of the copy has. */
static void pad_line(const products *p, float *to, const float *x, int64_t batch, int64_t depth,
                     int64_t height) {
  const cusp_windows *w = &p->c->windows;
  int64_t channels = p->c->channels, d = depth - w->low[DEPTH], h = height - w->low[HEIGHT],
          first = w->low[WIDTH] < p->extent[WIDTH] ? w->low[WIDTH] : p->extent[WIDTH],
          count = p->extent[WIDTH] - first < w->input[WIDTH] ? p->extent[WIDTH] - first
                                                             : w->input[WIDTH];
  bool inside = d >= 0 && d < w->input[DEPTH] && h >= 0 && h < w->input[HEIGHT];
  memset(to, 0, (size_t)(p->extent[WIDTH] * channels) * sizeof *to);
  if (inside)
    memcpy(to + first * channels,
           x + ((batch * w->input[DEPTH] + d) * w->input[HEIGHT] + h) * w->input[WIDTH] * channels,
           (size_t)(count * channels) * sizeof *to);
}

static void pad(products *p, const float *x, float *workspace) {
  float *to = workspace;
  for (int64_t batch = 0; batch < p->c->windows.batch; batch++)
    for (int64_t depth = 0; depth < p->extent[DEPTH]; depth++)
      for (int64_t height = 0; height < p->extent[HEIGHT]; height++) {
        pad_line(p, to, x, batch, depth, height);
        to += p->extent[WIDTH] * p->c->channels;
      }
  p->x = workspace;
}

/* Rows of the left factor overlap, so no BLAS could read them: panels do, or they go one by one. */
static void multiply(const cusp_gemm_task *whole) {
  cusp_gemm_task t = *whole;
  if (t.m >= 4 && t.n >= 8 && cusp_panel_loops_find()) {
    cusp_panel_rows rows = {t.a, t.lda, 1};
    cusp_panel_source kernel = {t.b, false, t.ldb};
    cusp_panels_multiply(t.m, t.n, t.k, &rows, &kernel, t.beta != 0, t.c, t.ldc);
    return;
  }
  t.m = 1;
  for (int64_t i = 0; i < whole->m; i++) {
    cusp_gemm_serial(&t);
    t.a = (const float *)t.a + t.lda;
    t.c = (float *)t.c + t.ldc;
  }
}

/* One row of windows, side by side: taps without gaps make one row of the left factor. */
static void multiply_row(const products *p, const float *x, const float *kernel, float *y,
                         bool add) {
  const cusp_windows *w = &p->c->windows;
  bool together = w->dilation[WIDTH] == 1;
  cusp_gemm_task t = {.dtype = CUSP_FLOAT32, .m = w->output[WIDTH], .n = p->c->filters, .alpha = 1};
  t.k = (together ? w->size[WIDTH] : 1) * p->c->channels;
  t.lda = w->stride[WIDTH] * p->c->channels;
  t.ldb = t.ldc = p->c->filters;
  t.c = y;
  for (int64_t tap = 0; tap < (together ? 1 : w->size[WIDTH]); tap++) {
    t.a = x + tap * w->dilation[WIDTH] * p->c->channels;
    t.b = kernel + tap * p->c->channels * p->c->filters;
    t.beta = add || tap > 0;
    multiply(&t);
  }
}

static void run_lines(void *context, int64_t begin, int64_t end) {
  const products *p = context;
  const cusp_windows *w = &p->c->windows;
  int64_t taps = w->size[WIDTH] * p->c->channels * p->c->filters;
  for (int64_t line = begin; line < end; line++) {
    int64_t height = line % w->output[HEIGHT], rest = line / w->output[HEIGHT],
            depth = rest % w->output[DEPTH], batch = rest / w->output[DEPTH];
    float *y = p->y + line * w->output[WIDTH] * p->c->filters;
    for (int64_t tap = 0; tap < w->size[DEPTH] * w->size[HEIGHT]; tap++) {
      int64_t d = depth * w->stride[DEPTH] + tap / w->size[HEIGHT] * w->dilation[DEPTH],
              h = height * w->stride[HEIGHT] + tap % w->size[HEIGHT] * w->dilation[HEIGHT];
      const float *x = p->x + ((batch * p->extent[DEPTH] + d) * p->extent[HEIGHT] + h) *
                                  p->extent[WIDTH] * p->c->channels;
      multiply_row(p, x, p->kernel + tap * taps, y, tap > 0);
    }
  }
}

void cusp_convolution_by_products(const cusp_convolution *c, const float *x, const float *kernel,
                                  float *y, float *workspace) {
  const cusp_windows *w = &c->windows;
  products p = {.c = c, .x = x, .kernel = kernel, .y = y};
  if (find_extent(w, p.extent))
    pad(&p, x, workspace);
  int64_t lines = w->batch * w->output[DEPTH] * w->output[HEIGHT],
          line = w->output[WIDTH] * w->size[DEPTH] * w->size[HEIGHT] * w->size[WIDTH] *
                 c->channels * c->filters;
  cusp_parallel_for(lines, 600000 / (line + 1) + 1, run_lines, &p);
}
