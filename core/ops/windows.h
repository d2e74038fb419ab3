#ifndef CUSP_OPS_WINDOWS_H
#define CUSP_OPS_WINDOWS_H
/* What the rows of convolution and pooling share: reading their arguments, and moving channels
 * last. */

#include "../kernels/windows.h"
#include "../node/build.h"

/** The spatial axes of one call, in the order of the user's arguments (1 to 3 of them), and what
 * hidden rows take as attributes. */
typedef struct cusp_window_arguments {
  int count; /* spatial axes */
  bool channels_first;
  int64_t input[CUSP_WINDOW_AXES], size[CUSP_WINDOW_AXES], stride[CUSP_WINDOW_AXES],
      dilation[CUSP_WINDOW_AXES];
  int64_t low[CUSP_WINDOW_AXES], output[CUSP_WINDOW_AXES];
} cusp_window_arguments;

/** "channels_last", "channels_first", or absent for the former; fills channels_first, count and
 * input. 3 to 5 axes expected. */
CUSP_NODISCARD cusp_status cusp_window_read_input(cusp_window_arguments *out,
                                                  const cusp_shape *shape,
                                                  const cusp_attr *data_format);
/** One number for all axes or one for each, all at least 1; `what` names it in messages. Absent:
 * `otherwise`. */
CUSP_NODISCARD cusp_status cusp_window_read_ints(int64_t out[CUSP_WINDOW_AXES], int count,
                                                 const cusp_attr *attr, const int64_t *otherwise,
                                                 const char *what);
/**
 * From input, size, stride and dilation: where windows begin and how many there are. "valid":
 * windows inside the input alone; "same": as many as input / stride, rounded up, padding shared
 * with the odd one at the end; "causal": all padding before.
 */
CUSP_NODISCARD cusp_status cusp_window_place(cusp_window_arguments *arguments, const char *padding);

/** Of a hidden row: attribute `attr` is `count` whole numbers from `least` to what a kernel's int
 * holds. */
CUSP_NODISCARD cusp_status cusp_window_check(const cusp_inference *inference, int attr, int count,
                                             int64_t least);

/** x with its channels moved last, and back. */
cusp_node *cusp_channels_last(cusp_node *x, const cusp_window_arguments *arguments);
cusp_node *cusp_channels_back(cusp_node *x, const cusp_window_arguments *arguments);

/** The geometry of kernels from a hidden row's attributes: sizes of windows, strides, low,
 * dilations; leading axes get size 1. */
cusp_windows cusp_windows_of(const cusp_shape *input, const cusp_shape *output, const int64_t *size,
                             const int64_t *stride, const int64_t *low, const int64_t *dilation);

#endif
