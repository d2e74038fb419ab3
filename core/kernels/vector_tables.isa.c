/* The tables of vector functions of one instruction set, by dtype. */

#include "vector_tables.h"

#define ENTRY(NAME, name, ...) [CUSP_##NAME] = CUSP_ISA(cusp_vector_##name),
const cusp_vector_tables CUSP_ISA(cusp_vector_tables) = {
    .functions = {CUSP_DTYPES(ENTRY)},
    .half_bits = CUSP_ISA(cusp_vector_half_bits),
    .bfloat16_simple = CUSP_ISA(cusp_vector_bfloat16_simple),
    .casts = &CUSP_ISA(cusp_vector_cast),
};
