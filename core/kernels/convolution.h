#ifndef CUSP_KERNELS_CONVOLUTION_H
#define CUSP_KERNELS_CONVOLUTION_H
/* Convolutions, plainly: the reference for faster ones. */

#include "windows.h"

/** The readable reference, for float32 and float64; row-major arrays; parallel. */
void cusp_convolution_reference(const cusp_convolution *convolution, cusp_convolution_face face,
                                cusp_dtype dtype, const void *a, const void *b, void *out);

#endif
