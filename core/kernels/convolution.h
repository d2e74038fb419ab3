#ifndef CUSP_KERNELS_CONVOLUTION_H
#define CUSP_KERNELS_CONVOLUTION_H
/* Convolutions, plainly: the reference for faster ones. */

#include "windows.h"

/** The readable reference, for float32 and float64; row-major arrays; parallel. */
void cusp_convolution_reference(const cusp_convolution *convolution, cusp_convolution_face face,
                                cusp_dtype dtype, const void *a, const void *b, void *out);

/** Whether products with rows of x are the convolution: along one axis, without padding, strides or
 * groups, in float32. */
bool cusp_convolution_is_plain(const cusp_convolution *convolution);
/** Whether it is so short that they are the best way. */
bool cusp_convolution_is_short(const cusp_convolution *convolution, bool quiet);
/** Such a plain convolution (forward), on the calling thread. */
CUSP_NODISCARD cusp_status cusp_convolution_by_products(const cusp_convolution *convolution,
                                                        const float *x, const float *kernel,
                                                        float *y);

#endif
