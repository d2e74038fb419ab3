#ifndef CUSP_KERNELS_CONVOLUTION_H
#define CUSP_KERNELS_CONVOLUTION_H
/* Convolutions, plainly: the reference for faster ones. */

#include "windows.h"

/** The readable reference, for float32 and float64; row-major arrays; parallel. */
void cusp_convolution_reference(const cusp_convolution *convolution, cusp_convolution_face face,
                                cusp_dtype dtype, const void *a, const void *b, void *out);

/** Whether a few products with rows of x are the convolution, and a short one: along one axis,
 * without padding, strides or groups, in float32. */
bool cusp_convolution_is_short(const cusp_convolution *convolution);
/** Such a convolution (forward), on the calling thread. */
CUSP_NODISCARD cusp_status cusp_convolution_by_products(const cusp_convolution *convolution,
                                                        const float *x, const float *kernel,
                                                        float *y);

#endif
