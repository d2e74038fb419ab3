#ifndef CUSP_KERNELS_GRU_H
#define CUSP_KERNELS_GRU_H
/*
 * The cell of gated recurrent units (Cho et al. 2014), as keras.layers.GRU computes them with
 * reset_after = true: gates in the order update, reset, candidate. The reset gate multiplies the
 * state's projection, so the candidate's is apart. The parts of a step are update, reset,
 * candidate, and that projection.
 */

#include "recurrent.h"

extern const cusp_cell cusp_gru_cell;

/** Loops over the units of some rows, compiled for each instruction set (recurrent.isa.c). parts:
 * [rows, 4U]; gates: [rows, 2U]. */
typedef struct cusp_gru_loops {
  /** Biases (may be NULL) are added; gates = what sigmoid is to be taken of. */
  void (*before_gates)(int64_t rows, int64_t units, void *parts, const void *bias, void *gates);
  /** The gates go into the parts; candidate [rows, U] = what tanh is to be taken of. */
  void (*after_gates)(int64_t rows, int64_t units, void *parts, const void *gates, void *candidate);
  /** The candidate goes into the parts; h_next = update * h + (1 - update) * candidate. */
  void (*output)(int64_t rows, int64_t units, void *parts, const void *candidate, const void *h,
                 void *h_next);
  /** d_input and d_state [rows, 3U] of the two projections; dh becomes what flows past them. */
  void (*gradient)(int64_t rows, int64_t units, const void *parts, const void *h, void *dh,
                   void *d_input, void *d_state);
} cusp_gru_loops;

#endif
