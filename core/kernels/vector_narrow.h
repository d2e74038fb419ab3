#ifndef CUSP_KERNELS_VECTOR_NARROW_H
#define CUSP_KERNELS_VECTOR_NARROW_H
/* float32 to bfloat16 by the instruction that some CPUs have. */

#include "../tensor/dtype.h"

#include <stdbool.h>

/** Rounds n numbers as cusp_float_to_bfloat16 does; false, with nothing done, where the CPU has no
 * instruction for it. */
bool cusp_bfloat16_narrow(int64_t n, cusp_bfloat16 *out, const float *in);

#endif
