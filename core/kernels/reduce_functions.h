#ifndef CUSP_KERNELS_REDUCE_FUNCTIONS_H
#define CUSP_KERNELS_REDUCE_FUNCTIONS_H
/* The functions that the tiled loop makes reductions of. Between fused*.c and reduce*.c only. */

#include "isa.h"
#include "reduce.h"
#include "vector.h"

/** accumulators[r] = combine(accumulators[r], all of row r) for `rows` rows of `n` contiguous
 * elements. */
typedef void (*cusp_reduce_rows_fn)(int64_t rows, int64_t n, const void *x, void *accumulators);

typedef cusp_reduce_rows_fn cusp_reduce_table[CUSP_REDUCE_COUNT][CUSP_DTYPE_COUNT];

/** NULL where the reducer is not defined for that dtype (the 16-bit floats: they are reduced as
 * float32). */
cusp_reduce_rows_fn cusp_reduce_find_rows(cusp_reducer_id reducer, cusp_dtype dtype);
/** The vector function that combines two accumulators. */
cusp_vector_fn cusp_reduce_find_combine(cusp_reducer_id reducer, cusp_dtype dtype);
/** Stores the reducer's neutral element at `element`. */
void cusp_reduce_identity(cusp_reducer_id reducer, cusp_dtype dtype, void *element);

CUSP_ISA_DECLARE(const cusp_reduce_table, cusp_reduce_table);

#endif
