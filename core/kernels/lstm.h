#ifndef CUSP_KERNELS_LSTM_H
#define CUSP_KERNELS_LSTM_H
/*
 * The cell of an LSTM (Hochreiter and Schmidhuber 1997, with Gers's forget gate), as
 * keras.layers.LSTM computes it: gates in the order input, forget, candidate, output; states h and
 * c. The parts of a step are the activated gates.
 */

#include "recurrent.h"

extern const cusp_cell cusp_lstm_cell;

/** Loops over the units of some rows, compiled for each instruction set (recurrent.isa.c). */
typedef struct cusp_lstm_loops {
  /** z [rows, 4U] gets the bias (may be NULL), and is halved but for the candidate: sigmoid(x) =
   * tanh(x / 2) / 2 + 1 / 2. */
  void (*before_tanh)(int64_t rows, int64_t units, void *z, const void *bias);
  /** From tanh: the gates' values in place, c_next = forget * c + input * candidate. */
  void (*after_tanh)(int64_t rows, int64_t units, void *z, const void *c, void *c_next);
  /** h_next = output * tanh_c. */
  void (*output)(int64_t rows, int64_t units, const void *gates, const void *tanh_c, void *h_next);
  /** dz [rows, 4U] from the gates, the state before and dh, which becomes 0; dc is that after the
   * step, and becomes that before. */
  void (*gradient)(int64_t rows, int64_t units, const void *gates, const void *c,
                   const void *tanh_c, void *dh, void *dc, void *dz);
} cusp_lstm_loops;

#endif
