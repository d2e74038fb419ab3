#ifndef CUSP_KERNELS_LSTM_H
#define CUSP_KERNELS_LSTM_H
/*
 * An LSTM over whole sequences, forward and backward (Hochreiter and Schmidhuber 1997, with Gers's
 * forget gate), as keras.layers.LSTM computes it: gates in the order input, forget, candidate,
 * output.
 *
 * B batch, T time, I input, U units. What the backward pass needs is kept by time first, in the
 * order of x, so that a step's rows lie together: gates [T, B, 4U] (activated), and the states
 * before each step, h and c [T + 1, B, U], whose last slot is the final state.
 */

#include "../tensor/dtype.h"

typedef struct cusp_lstm {
  cusp_dtype dtype; /* float32 or float64, of all arrays but the mask */
  int64_t batch, time, input, units;
  /* from the last time to the first; `sequence` is in the order of the steps */
  bool backwards;
  const void *x;         /* [B, T, I] */
  const void *kernel;    /* [I, 4U] */
  const void *recurrent; /* [U, 4U] */
  const void *bias;      /* [4U]; NULL: none */
  const uint8_t *mask;   /* [B, T]: where 0 the state stays and the output repeats; NULL: all 1 */
  void *gates, *h, *c;   /* [T, B, 4U], [T + 1, B, U] twice: written forward, read backward */
  void *workspace;       /* cusp_lstm_workspace, or cusp_lstm_gradient_workspace */
} cusp_lstm;

/** Elements of gates, h and c together: [T * B * 4U + 2 * (T + 1) * B * U]. */
CUSP_NODISCARD cusp_status cusp_lstm_reserve(int64_t *count, int64_t batch, int64_t time,
                                             int64_t units);
/** Points gates, h and c into one block of that many elements. */
void cusp_lstm_place(cusp_lstm *lstm, void *reserve);

size_t cusp_lstm_workspace(const cusp_lstm *lstm);
/** From h0, c0 [B, U]; results: sequence [B, T, U], h, c [B, U], and the reserve. */
void cusp_lstm_forward(const cusp_lstm *lstm, const void *h0, const void *c0, void *sequence,
                       void *h, void *c);

/** Cotangents of sequence, h and c (NULL: zero), and where the gradients go (dx, dbias may be NULL:
 * not wanted). */
typedef struct cusp_lstm_gradient {
  const void *dsequence, *dh, *dc;
  void *dx, *dh0, *dc0, *dkernel, *drecurrent, *dbias;
} cusp_lstm_gradient;

size_t cusp_lstm_gradient_workspace(const cusp_lstm *lstm);
void cusp_lstm_backward(const cusp_lstm *lstm, const cusp_lstm_gradient *gradient);

/** Loops over the units of some rows, compiled for each instruction set (lstm.isa.c). */
typedef struct cusp_lstm_loops {
  /** z [rows, 4U] gets the bias (may be NULL), and is halved but for the candidate: sigmoid(x) =
   * tanh(x / 2) / 2 + 1 / 2. */
  void (*before_tanh)(int64_t rows, int64_t units, void *z, const void *bias);
  /** From tanh: the gates' values in place, c_next = forget * c + input * candidate. */
  void (*after_tanh)(int64_t rows, int64_t units, void *z, const void *c, void *c_next);
  /** h_next = output * tanh_c. */
  void (*output)(int64_t rows, int64_t units, const void *gates, const void *tanh_c, void *h_next);
  /** dz [rows, 4U] from the gates, the state before and dh; dc is that after the step, and becomes
   * that before. */
  void (*gradient)(int64_t rows, int64_t units, const void *gates, const void *c,
                   const void *tanh_c, const void *dh, void *dc, void *dz);
  /** y += x. */
  void (*add)(int64_t count, const void *x, void *y);
} cusp_lstm_loops;

#endif
