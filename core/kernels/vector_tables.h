#ifndef CUSP_KERNELS_VECTOR_TABLES_H
#define CUSP_KERNELS_VECTOR_TABLES_H
/*
 * The tables that the files compiled once for each instruction set export.
 * Between vector.c and kernels/vector_*.isa.c only.
 */

#include "isa.h"
#include "vector.h"

typedef cusp_vector_fn cusp_vector_table[CUSP_VECTOR_COUNT];
typedef cusp_vector_fn cusp_vector_casts[CUSP_DTYPE_COUNT][CUSP_DTYPE_COUNT]; /* [from][to] */

#define CUSP_VECTOR_DECLARE(suffix)                                                            \
  extern const cusp_vector_table cusp_vector_bool##suffix, cusp_vector_int8##suffix,           \
      cusp_vector_int16##suffix, cusp_vector_int32##suffix, cusp_vector_int64##suffix,         \
      cusp_vector_uint8##suffix, cusp_vector_uint16##suffix, cusp_vector_uint32##suffix,       \
      cusp_vector_uint64##suffix, cusp_vector_float16##suffix, cusp_vector_bfloat16##suffix,   \
      cusp_vector_half_bits##suffix, cusp_vector_float32##suffix, cusp_vector_float64##suffix; \
  extern const cusp_vector_casts cusp_vector_cast##suffix

CUSP_VECTOR_DECLARE(_baseline);
#if defined(__x86_64__)
CUSP_VECTOR_DECLARE(_avx2);
CUSP_VECTOR_DECLARE(_avx512);
#endif

#endif
