#ifndef CUSP_KERNELS_INT8_VECTORS_H
#define CUSP_KERNELS_INT8_VECTORS_H
/*
 * Products of int8 matrices by the instructions that CPUs have for them, AMX or VNNI: the part of
 * int8.h for such CPUs.
 */

#include "int8.h"

/* Added and taken away, it rounds numbers below 2^22 to whole ones, halves to even. */
#define CUSP_INT8_ROUNDER 12582912.0f

typedef enum cusp_int8_way { CUSP_INT8_FLOAT32, CUSP_INT8_VNNI, CUSP_INT8_AMX } cusp_int8_way;

/** The best way that this CPU has, and CUSP_ISA allows. */
cusp_int8_way cusp_int8_vectors_way(void);
size_t cusp_int8_vectors_workspace(const cusp_int8_task *task);
void cusp_int8_vectors_multiply(const cusp_int8_task *task, void *workspace);

#endif
