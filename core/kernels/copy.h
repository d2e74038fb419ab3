#ifndef CUSP_KERNELS_COPY_H
#define CUSP_KERNELS_COPY_H
/* Kernels that move whole blocks: placing arrays within larger ones, joining them, slices whose
 * start is known at run time. */

#include "call.h"

/** inputs: x, and optionally the scalar that fills the rest (zero without it). Attributes: shape,
 * start, step (as a strided slice of the result). */
extern const cusp_kernel cusp_embed_kernels[];
/** Any number of inputs along attribute 0, a normalised axis. */
extern const cusp_kernel cusp_concatenate_kernels[];
/** inputs: x, starts (int64 [ndim of x]). The result's shape says how much; starts are clamped so
 * that it fits. */
extern const cusp_kernel cusp_dynamic_slice_kernels[];
/** inputs: x, starts (int64), updates: a copy of x with `updates` written at the clamped starts. */
extern const cusp_kernel cusp_dynamic_update_kernels[];

/** Writes one element, at `value`, to `count` places of `element_size` bytes (parallel when large);
 * NULL: zero bytes. */
void cusp_fill(void *to, int64_t count, size_t element_size, const void *value);

#endif
