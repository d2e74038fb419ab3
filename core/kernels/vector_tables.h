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

#define CUSP_VECTOR_DECLARE(NAME, name, ...) \
  CUSP_ISA_DECLARE(const cusp_vector_table, cusp_vector_##name);
CUSP_DTYPES(CUSP_VECTOR_DECLARE)
#undef CUSP_VECTOR_DECLARE
CUSP_ISA_DECLARE(const cusp_vector_table, cusp_vector_half_bits);
CUSP_ISA_DECLARE(const cusp_vector_table, cusp_vector_bfloat16_simple);
CUSP_ISA_DECLARE(const cusp_vector_casts, cusp_vector_cast);

/** All of an instruction set's. */
typedef struct cusp_vector_tables {
  const cusp_vector_fn *functions[CUSP_DTYPE_COUNT];
  const cusp_vector_fn *half_bits;
  const cusp_vector_fn *bfloat16_simple; /* in place of those in `functions` */
  const cusp_vector_casts *casts;
} cusp_vector_tables;
CUSP_ISA_DECLARE(const cusp_vector_tables, cusp_vector_tables);

#endif
