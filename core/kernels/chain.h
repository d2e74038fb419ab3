#ifndef CUSP_KERNELS_CHAIN_H
#define CUSP_KERNELS_CHAIN_H
/*
 * Chains: vector functions that follow one another, as one loop that keeps what lies between them
 * in registers. An optimizer's step is three loops instead of ten, with the same numbers.
 */

#include "fused.h"

/** Puts chains in place of the instructions that they do, where nothing else reads what lies
 * between. */
void cusp_chains_join(cusp_fused_program *program);

/** The loops of float32, compiled for each instruction set (chain.isa.c). */
typedef struct cusp_chain_loops {
  cusp_vector_fn approach;        /* a + (b - a) * c */
  cusp_vector_fn approach_square; /* a + (b * b - a) * c */
  cusp_vector_fn descend;         /* a - b * c / (sqrt(d) + e) */
} cusp_chain_loops;

const cusp_chain_loops *cusp_chain_loops_find(void);

#endif
