#ifndef CUSP_KERNELS_RECURRENT_H
#define CUSP_KERNELS_RECURRENT_H
/*
 * Recurrent layers over whole sequences, forward and backward. A cell says how many gates and
 * states it has and what a step computes of an element; the walk through time, the products with
 * the kernels and the masks are the same for all of them.
 *
 * B batch, T time, I input, U units, G gates, P parts (see cusp_cell_parts). What the backward pass
 * needs is kept by time first, in the order of x, so that a step's rows lie together: parts [T, B,
 * P * U], and each state before each step [T + 1, B, U], whose last slot is the final state.
 */

#include "../tensor/dtype.h"

#define CUSP_CELL_STATES 2

/** A step of some rows of the batch. Arrays of states are [rows, U]; the first state is h. */
typedef struct cusp_cell_step {
  cusp_dtype dtype;
  int64_t rows, units;
  void *parts;      /* [rows, P * U] */
  const void *bias; /* NULL: none */
  void *before[CUSP_CELL_STATES], *after[CUSP_CELL_STATES];
  void *scratch; /* [rows, cell->scratch * U] */
} cusp_cell_step;

/** Cotangents of a step: of the states, in place, and of the two projections [rows, G * U]. */
typedef struct cusp_cell_cotangents {
  void *states[CUSP_CELL_STATES];
  void *input, *state; /* the same memory where no gate is apart */
} cusp_cell_cotangents;

typedef struct cusp_cell {
  int gates;  /* G: the kernels have G * U columns */
  int states; /* h, and what else goes from step to step */
  /* of the gates, the last ones whose projections of input and state are not simply added */
  int apart;
  int scratch; /* numbers a row and unit that a step works in */
  /** The parts hold the projections, those of the state for the gates apart at the end. They become
   * what the way back needs; the states after the step are filled. */
  void (*forward)(const cusp_cell_step *step);
  /** From the cotangents of the states after the step to those before it, but for what flows to h
   * through its projection; and to those of the projections. */
  void (*backward)(const cusp_cell_step *step, const cusp_cell_cotangents *d);
} cusp_cell;

/** P: numbers a row and unit that the forward pass keeps of a step. */
static inline int cusp_cell_parts(const cusp_cell *cell) { return cell->gates + cell->apart; }
/** Rows of the bias [rows, G * U]: two where the projections have one each. */
static inline int cusp_cell_biases(const cusp_cell *cell) { return cell->apart ? 2 : 1; }

typedef struct cusp_recurrent {
  const cusp_cell *cell;
  cusp_dtype dtype; /* float32 or float64, of all arrays but the mask */
  int64_t batch, time, input, units;
  /* from the last time to the first; `sequence` is in the order of the steps */
  bool backwards;
  bool narrow;           /* products of float32 are made of bfloat16 where the CPU multiplies it */
  const void *x;         /* [B, T, I] */
  const void *kernel;    /* [I, G * U] */
  const void *recurrent; /* [U, G * U] */
  const void *bias;      /* [biases, G * U]; NULL: none */
  const uint8_t *mask;   /* [B, T]: where 0 the states stay and the output repeats; NULL: all 1 */
  void *parts, *states[CUSP_CELL_STATES]; /* written forward, read backward */
  void *workspace; /* cusp_recurrent_workspace, or cusp_recurrent_gradient_workspace */
} cusp_recurrent;

/** Elements of parts and states together; fails where they are too many. */
CUSP_NODISCARD cusp_status cusp_recurrent_reserve(int64_t *count, const cusp_recurrent *recurrent);
/** Points parts and states into one block of that many elements. */
void cusp_recurrent_place(cusp_recurrent *recurrent, void *reserve);

size_t cusp_recurrent_workspace(const cusp_recurrent *recurrent);
/** From states [B, U] to sequence [B, T, U], the last states [B, U], and the reserve. */
void cusp_recurrent_forward(const cusp_recurrent *recurrent, const void *const *from,
                            void *sequence, void *const *to);

/** Cotangents of sequence and states (NULL: zero), and where the gradients go (dx, dbias may be
 * NULL: not wanted). */
typedef struct cusp_recurrent_gradient {
  const void *dsequence, *dstates[CUSP_CELL_STATES];
  void *dx, *dstates0[CUSP_CELL_STATES], *dkernel, *drecurrent, *dbias;
} cusp_recurrent_gradient;

size_t cusp_recurrent_gradient_workspace(const cusp_recurrent *recurrent);
void cusp_recurrent_backward(const cusp_recurrent *recurrent,
                             const cusp_recurrent_gradient *gradient);

#endif
