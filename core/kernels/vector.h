#ifndef CUSP_KERNELS_VECTOR_H
#define CUSP_KERNELS_VECTOR_H
/*
 * Vector functions: one elementwise operation over n contiguous elements, for each dtype and
 * instruction set. kernels/vector_*.c are compiled once for each cusp_isa (with -DCUSP_ISA_SUFFIX)
 * and fill one table each.
 */

#include "../base/cpu.h"
#include "../tensor/dtype.h"

/** X-macro list of all functions: CUSP_VECTOR(NAME, arity, result, cost); see
 * vector_functions.h. */
typedef enum cusp_vector_id {
  CUSP_VECTOR_NONE = 0,
#define CUSP_VECTOR(name, arity, result, cost) CUSP_VECTOR_##name,
#include "vector_functions.h"
#undef CUSP_VECTOR
  CUSP_VECTOR_COUNT
} cusp_vector_id;

/**
 * out[i] = f(a[i * sa], b[i * sb], c[i * sc]) for i < n, where each step is 0 (one value for all)
 * or 1. All operands have the function's dtype (select's first one is bool); out may be the same
 * memory as any operand of step 1.
 */
typedef void (*cusp_vector_fn)(int64_t n, void *out, const void *const *in, const int8_t *step);

/** NULL where the function is not defined for that dtype. */
cusp_vector_fn cusp_vector_find(cusp_vector_id id, cusp_dtype dtype);
/** Conversion of n elements; float to int truncates, to bool is != 0. Step as above. */
cusp_vector_fn cusp_vector_find_cast(cusp_dtype from, cusp_dtype to);
/** Converts n elements, many of them on several threads. */
void cusp_vector_convert(cusp_dtype from_dtype, const void *from, cusp_dtype to_dtype, void *to,
                         int64_t n);
/** Whether it costs some ten times an addition (exp, tanh, power, ...); for estimates. */
bool cusp_vector_is_slow(cusp_vector_fn function);

#endif
