#ifndef CUSP_KERNELS_DEPTHWISE_H
#define CUSP_KERNELS_DEPTHWISE_H
/*
 * The kernel's gradient of a depthwise convolution, a filter for each channel, of float32:
 * registers hold the sums of some channels while a row of the image goes by. Images are summed in
 * groups, whose number depends on sizes alone, and so do the results.
 */

#include "isa.h"
#include "windows.h"

#include <stddef.h>

/** Bytes of scratch memory, aligned to 64. */
size_t cusp_depthwise_workspace(const cusp_convolution *convolution);
/** dkernel [size..., 1, channels] from x and dy; parallel. */
void cusp_depthwise_kernel_gradient(const cusp_convolution *convolution, const float *x,
                                    const float *dy, float *dkernel, void *workspace);

/* Between depthwise.c and depthwise.isa.c. */

/** Some images and channels, and the kernel's gradient that they give. */
typedef struct cusp_depthwise_part {
  const cusp_convolution *convolution;
  int64_t first_image, end_image, first_channel, channels;
  const float *x, *dy;
  float *sums; /* of all channels */
} cusp_depthwise_part;

typedef void (*cusp_depthwise_loops)(const cusp_depthwise_part *part);
CUSP_ISA_DECLARE(const cusp_depthwise_loops, cusp_depthwise_table);

#endif
