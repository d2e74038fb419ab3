#ifndef CUSP_KERNELS_CONVOLUTION_H
#define CUSP_KERNELS_CONVOLUTION_H
/* Convolutions, plainly: the reference for faster ones. */

#include "windows.h"

/** The readable reference, for float32 and float64; row-major arrays; parallel. */
void cusp_convolution_reference(const cusp_convolution *convolution, cusp_convolution_face face,
                                cusp_dtype dtype, const void *a, const void *b, void *out);

/**
 * Whether products with rows of x are the way for a convolution: it has no groups, is in float32,
 * and oneDNN would take as long to begin; or the caller is `quiet` and wants nothing allocated, as
 * oneDNN does in each run.
 */
bool cusp_convolution_by_products_pays(const cusp_convolution *convolution, bool quiet);
/** Bytes that it works in, for a padded copy of x; 0 where there is no padding. */
size_t cusp_convolution_workspace(const cusp_convolution *convolution);
/** Such a convolution, forward. */
void cusp_convolution_by_products(const cusp_convolution *convolution, const float *x,
                                  const float *kernel, float *y, float *workspace);

#endif
