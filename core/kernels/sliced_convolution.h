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
/** Bytes of the kernel in the form that oneDNN wants; 0 where that is the caller's. */
size_t cusp_sliced_convolution_packed(const cusp_sliced_convolution *convolution);
/** What pack does, as bytes: convolutions for which they are equal can share what it makes; lent.
 */
const void *cusp_sliced_convolution_manner(const cusp_sliced_convolution *convolution,
                                           size_t *bytes);
bool cusp_sliced_convolution_pack(const cusp_sliced_convolution *convolution, const void *kernel,
                                  void *packed);

/** What a face reads and writes (windows.h). `packed`: b is what pack made of it. */
typedef struct cusp_convolution_operands {
  const void *a, *b, *shift;
  void *out, *workspace;
  bool packed;
} cusp_convolution_operands;

/** Bytes of scratch memory, aligned to 64, that run needs; of a packed kernel, `packed` fewer. */
size_t cusp_sliced_convolution_workspace(const cusp_sliced_convolution *convolution);
/** False where oneDNN fails. */
bool cusp_sliced_convolution_run(const cusp_sliced_convolution *convolution,
                                 const cusp_convolution_operands *operands);

#endif
