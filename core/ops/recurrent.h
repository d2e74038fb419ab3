#ifndef CUSP_OPS_RECURRENT_H
#define CUSP_OPS_RECURRENT_H
/*
 * Recurrent layers as one operation for a whole sequence. Each has three rows: the public one
 * brings its arguments to one dtype; the hidden ones have the kernels, and take a list because a
 * row's own inputs are limited in number and cannot be absent in the middle.
 */

#include "../kernels/recurrent.h"
#include "../node/build.h"

/** What the rows of a layer are made of: `detail` of the hidden ones. */
typedef struct cusp_recurrent_rows {
  const cusp_cell *cell;
  const char *name, *sequence, *gradient; /* of the rows */
  /** A step of other rows: from the projections [batch, gates * units] of input and state, with
   * their biases, to the states after it, which replace those before it. */
  void (*step)(cusp_node *input, cusp_node *state, int64_t units, cusp_node **states);
} cusp_recurrent_rows;

void cusp_lstm_step(cusp_node *input, cusp_node *state, int64_t units, cusp_node **states);
void cusp_gru_step(cusp_node *input, cusp_node *state, int64_t units, cusp_node **states);

cusp_status cusp_sequence_infer(cusp_inference *inference);
cusp_status cusp_sequence_gradient(cusp_gradient *g);
extern const cusp_kernel cusp_sequence_kernels[];
double cusp_sequence_work(const cusp_call *call);

cusp_status cusp_sequence_gradient_infer(cusp_inference *inference);
cusp_status cusp_sequence_second_gradient(cusp_gradient *g);
extern const cusp_kernel cusp_sequence_gradient_kernels[];
double cusp_sequence_gradient_work(const cusp_call *call);

/** The public row: x, states, kernel, recurrent_kernel, bias?, mask?, go_backwards. */
CUSP_NODISCARD cusp_status cusp_sequence_compose(const cusp_recurrent_rows *rows,
                                                 cusp_node *const *inputs, int n_inputs,
                                                 const cusp_attr *attrs, cusp_node **outputs,
                                                 int *n_outputs);

/*
 * A recurrence step by step.
 */

/** What it is made of; bias, mask and the cotangents of sequence and states may be NULL. */
typedef struct cusp_steps {
  cusp_node *x, *states[CUSP_CELL_STATES], *kernel, *recurrent, *bias, *mask;
  bool backwards;
  cusp_node *cotangents[1 + CUSP_CELL_STATES];
} cusp_steps;

/** What gradients are asked for: the inputs of the recurrence, then the cotangents. */
#define CUSP_STEP_LEAVES (5 + 2 * CUSP_CELL_STATES)
typedef struct cusp_step_leaves {
  cusp_node *nodes[CUSP_STEP_LEAVES];
  int n_inputs, count;
} cusp_step_leaves;

/** From what flows back into the gradients of the inputs (NULL: nothing) to the gradients of the
 * leaves (NULL: none). */
CUSP_NODISCARD cusp_status cusp_steps_second_gradient(const cusp_recurrent_rows *rows,
                                                      const cusp_steps *steps,
                                                      const cusp_step_leaves *leaves,
                                                      cusp_node *const *flowing,
                                                      cusp_node **gradients);

/** The hidden rows but for their names, arguments and help. */
#define CUSP_SEQUENCE_ROW(rows)                                          \
  .flags = CUSP_OP_HIDDEN, .detail = rows, .infer = cusp_sequence_infer, \
  .gradient = cusp_sequence_gradient, .kernels = cusp_sequence_kernels, .work = cusp_sequence_work
#define CUSP_SEQUENCE_GRADIENT_ROW(rows)                                                \
  .flags = CUSP_OP_HIDDEN, .detail = rows, .infer = cusp_sequence_gradient_infer,       \
  .gradient = cusp_sequence_second_gradient, .kernels = cusp_sequence_gradient_kernels, \
  .work = cusp_sequence_gradient_work

#endif
