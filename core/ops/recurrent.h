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
} cusp_recurrent_rows;

cusp_status cusp_sequence_infer(cusp_inference *inference);
cusp_status cusp_sequence_gradient(cusp_gradient *g);
extern const cusp_kernel cusp_sequence_kernels[];

cusp_status cusp_sequence_gradient_infer(cusp_inference *inference);
cusp_status cusp_sequence_no_second_gradient(cusp_gradient *g);
extern const cusp_kernel cusp_sequence_gradient_kernels[];

/** The public row: x, states, kernel, recurrent_kernel, bias?, mask?, go_backwards. */
CUSP_NODISCARD cusp_status cusp_sequence_compose(const cusp_recurrent_rows *rows,
                                                 cusp_node *const *inputs, int n_inputs,
                                                 const cusp_attr *attrs, cusp_node **outputs,
                                                 int *n_outputs);

/** The hidden rows but for their names, arguments and help. */
#define CUSP_SEQUENCE_ROW(rows)                                          \
  .flags = CUSP_OP_HIDDEN, .detail = rows, .infer = cusp_sequence_infer, \
  .gradient = cusp_sequence_gradient, .kernels = cusp_sequence_kernels
#define CUSP_SEQUENCE_GRADIENT_ROW(rows)                                          \
  .flags = CUSP_OP_HIDDEN, .detail = rows, .infer = cusp_sequence_gradient_infer, \
  .gradient = cusp_sequence_no_second_gradient, .kernels = cusp_sequence_gradient_kernels

#endif
