#ifndef CUSP_KERNELS_SLICED_CONVOLUTION_H
#define CUSP_KERNELS_SLICED_CONVOLUTION_H
/*
 * Convolutions by oneDNN on several threads: each runs a primitive of its own on some of the
 * images. Slices depend on sizes and the number of threads alone, so results do not depend on how
 * busy the machine is.
 */

#include "../base/status.h"
#include "windows.h"

typedef struct cusp_sliced_convolution cusp_sliced_convolution;

/** *out is NULL where oneDNN has no fast implementation; CUSP_ENOMEM on failure. */
CUSP_NODISCARD cusp_status cusp_sliced_convolution_new(cusp_sliced_convolution **out,
                                                       const cusp_convolution *convolution,
                                                       cusp_convolution_face face);
void cusp_sliced_convolution_free(cusp_sliced_convolution *convolution); /* NULL is accepted */
/** Bytes of scratch memory, aligned to 64, that run needs. */
size_t cusp_sliced_convolution_workspace(const cusp_sliced_convolution *convolution);
/** The operands and result of the face (windows.h); false where oneDNN fails. */
bool cusp_sliced_convolution_run(const cusp_sliced_convolution *convolution, const void *a,
                                 const void *b, void *out, void *workspace);

#endif
