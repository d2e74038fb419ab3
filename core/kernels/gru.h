#ifndef CUSP_KERNELS_GRU_H
#define CUSP_KERNELS_GRU_H
/*
 * Gated recurrent units over whole sequences, forward and backward (Cho et al. 2014), as
 * keras.layers.GRU computes them with reset_after = true: gates in the order update, reset,
 * candidate; the reset gate multiplies the state's projection.
 *
 * B batch, T time, I input, U units. What the backward pass needs is kept by time first, in the
 * order of x: parts [T, B, 4U] (update, reset, candidate, and the state's projection for the
 * candidate), and the state before each step, h [T + 1, B, U], whose last slot is the final
 * state. */

#include "../tensor/dtype.h"

typedef struct cusp_gru {
  cusp_dtype dtype; /* float32 or float64, of all arrays but the mask */
  int64_t batch, time, input, units;
  /* from the last time to the first; `sequence` is in the order of the steps */
  bool backwards;
  const void *x;         /* [B, T, I] */
  const void *kernel;    /* [I, 3U] */
  const void *recurrent; /* [U, 3U] */
  const void *bias;      /* [2, 3U]: of the input's and of the state's projection; NULL: none */
  const uint8_t *mask;   /* [B, T]: where 0 the state stays; NULL: all 1 */
  void *parts, *h;       /* [T, B, 4U], [T + 1, B, U]: written forward, read backward */
  void *workspace;       /* cusp_gru_workspace, or cusp_gru_gradient_workspace */
} cusp_gru;

/** Elements of parts and h together. */
CUSP_NODISCARD cusp_status cusp_gru_reserve(int64_t *count, int64_t batch, int64_t time,
                                            int64_t units);
/** Points parts and h into one block of that many elements. */
void cusp_gru_place(cusp_gru *gru, void *reserve);

size_t cusp_gru_workspace(const cusp_gru *gru);
/** From h0 [B, U]; results: sequence [B, T, U], h [B, U], and the reserve. */
void cusp_gru_forward(const cusp_gru *gru, const void *h0, void *sequence, void *h);

/** Cotangents of sequence and h (NULL: zero), and where the gradients go (dx, dbias may be NULL:
 * not wanted). */
typedef struct cusp_gru_gradient {
  const void *dsequence, *dh;
  void *dx, *dh0, *dkernel, *drecurrent, *dbias;
} cusp_gru_gradient;

size_t cusp_gru_gradient_workspace(const cusp_gru *gru);
void cusp_gru_backward(const cusp_gru *gru, const cusp_gru_gradient *gradient);

/** Loops over the units of some rows, compiled for each instruction set (gru.isa.c). parts: [rows,
 * 4U]; gates: [rows, 2U]. */
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
  /** y += x. */
  void (*add)(int64_t count, const void *x, void *y);
} cusp_gru_loops;

#endif
