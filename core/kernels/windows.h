#ifndef CUSP_KERNELS_WINDOWS_H
#define CUSP_KERNELS_WINDOWS_H
/*
 * Sliding windows over the spatial axes of channels-last arrays, [batch, depth, height, width,
 * channels]: what convolution and pooling share. Missing leading axes have size 1. Output position
 * o sees the input positions o * stride - low + k * dilation for 0 <= k < size; those outside the
 * input are padding.
 */

#include "../tensor/dtype.h"

#include <stdbool.h>

#define CUSP_WINDOW_AXES 3

typedef struct cusp_windows {
  int64_t batch;
  int64_t input[CUSP_WINDOW_AXES], output[CUSP_WINDOW_AXES];
  int64_t size[CUSP_WINDOW_AXES], stride[CUSP_WINDOW_AXES], dilation[CUSP_WINDOW_AXES],
      low[CUSP_WINDOW_AXES];
} cusp_windows;

/**
 * y[n, o, f] = sum over k and c of x[n, o * stride - low + k * dilation, c] * kernel[k, c, f], with
 * channels and filters in `groups` equal parts: filters of a part see its channels alone. kernel:
 * [size..., channels / groups, filters].
 */
typedef struct cusp_convolution {
  cusp_windows windows;
  int64_t channels, filters, groups;
  cusp_dtype dtype, result; /* of the operands; of what a face makes of them */
  bool shifted;             /* the forward face adds a number of each filter */
} cusp_convolution;

/** The three faces of the same sum: it is linear in each of x, kernel and the cotangent of y. */
typedef enum cusp_convolution_face {
  CUSP_CONVOLUTION_FORWARD,        /* (x, kernel) -> y */
  CUSP_CONVOLUTION_INPUT_GRADIENT, /* (dy, kernel) -> dx */
  CUSP_CONVOLUTION_KERNEL_GRADIENT /* (x, dy) -> dkernel */
} cusp_convolution_face;

/** Positions that share one input or output position, flattened over batch and spatial axes: see
 * the fields. */
typedef struct cusp_position {
  int64_t batch, at[CUSP_WINDOW_AXES];
} cusp_position;

/** The position of index `index` within [batch, sizes...]. */
static inline cusp_position cusp_position_of(int64_t index, const int64_t sizes[CUSP_WINDOW_AXES]) {
  cusp_position p;
  for (int axis = CUSP_WINDOW_AXES - 1; axis >= 0; axis--) {
    p.at[axis] = index % sizes[axis];
    index /= sizes[axis];
  }
  p.batch = index;
  return p;
}

/** Index within [batch, sizes...]. */
static inline int64_t cusp_position_index(int64_t batch, const int64_t at[CUSP_WINDOW_AXES],
                                          const int64_t sizes[CUSP_WINDOW_AXES]) {
  return ((batch * sizes[0] + at[0]) * sizes[1] + at[1]) * sizes[2] + at[2];
}

static inline int64_t cusp_window_count(const int64_t sizes[CUSP_WINDOW_AXES]) {
  return sizes[0] * sizes[1] * sizes[2];
}

/** Whether element `k` of the windows lies over the input at some output position. */
static inline bool cusp_window_sees(const cusp_windows *w, int axis, int64_t k) {
  for (int64_t o = 0; o < w->output[axis]; o++) {
    const int64_t at = o * w->stride[axis] - w->low[axis] + k * w->dilation[axis];
    if (at >= 0 && at < w->input[axis])
      return true;
  }
  return false;
}

/** Takes off the ends of the window that only ever see padding, at small images. Returns how many
 * elements went at its beginning. */
static inline int64_t cusp_window_trim(cusp_windows *w, int axis) {
  const int64_t dilation = w->dilation[axis];
  int64_t dropped = 0;
  while (w->size[axis] > 1 && w->low[axis] >= dilation && !cusp_window_sees(w, axis, 0)) {
    w->low[axis] -= dilation;
    w->size[axis]--;
    dropped++;
  }
  while (w->size[axis] > 1 && !cusp_window_sees(w, axis, w->size[axis] - 1))
    w->size[axis]--;
  return dropped;
}

/** Input position under element `k` of the window at output `o`; false in the padding. */
static inline bool cusp_window_input(const cusp_windows *w, const int64_t o[CUSP_WINDOW_AXES],
                                     const int64_t k[CUSP_WINDOW_AXES],
                                     int64_t input[CUSP_WINDOW_AXES]) {
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++) {
    input[axis] = o[axis] * w->stride[axis] - w->low[axis] + k[axis] * w->dilation[axis];
    if (input[axis] < 0 || input[axis] >= w->input[axis])
      return false;
  }
  return true;
}

/** Output position whose window has input `i` under its element `k`; false if there is none. */
static inline bool cusp_window_output(const cusp_windows *w, const int64_t i[CUSP_WINDOW_AXES],
                                      const int64_t k[CUSP_WINDOW_AXES],
                                      int64_t output[CUSP_WINDOW_AXES]) {
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++) {
    const int64_t from = i[axis] + w->low[axis] - k[axis] * w->dilation[axis];
    if (from < 0 || from % w->stride[axis] != 0 || from / w->stride[axis] >= w->output[axis])
      return false;
    output[axis] = from / w->stride[axis];
  }
  return true;
}

#endif
