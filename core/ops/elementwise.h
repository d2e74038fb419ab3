#ifndef CUSP_OPS_ELEMENTWISE_H
#define CUSP_OPS_ELEMENTWISE_H
/* What rows of one operand and of several have in common: fields of a row whose kernel is a loop
 * over elements, and the types of such rows. */

#include "../node/build.h"

#include "../kernels/vector.h"
#include "../node/infer.h"

/** Inputs broadcast; the vector function of the row has a loop for their dtype. */
CUSP_NODISCARD cusp_status cusp_infer_loop(cusp_inference *inference);
/** As cusp_infer_loop, with bool as the result. */
CUSP_NODISCARD cusp_status cusp_infer_test(cusp_inference *inference);

#define FLOATS .promotion = CUSP_PROMOTE_FLOAT
#define TENSORS .promotion = CUSP_PROMOTE_TENSORS
#define NUMBERS .promotion = CUSP_PROMOTE_NO_BOOL
#define ANY .promotion = CUSP_PROMOTE_COMMON
#define LOOP(function, rule)                                                           \
  .flags = CUSP_OP_ELEMENTWISE, .infer = cusp_infer_loop, .gradient = rule##_gradient, \
  .vector = CUSP_VECTOR_##function
#define STEPS(function)                                                         \
  .flags = CUSP_OP_ELEMENTWISE | CUSP_OP_NO_GRADIENT, .infer = cusp_infer_loop, \
  .vector = CUSP_VECTOR_##function
#define TEST(function)                                                          \
  .flags = CUSP_OP_ELEMENTWISE | CUSP_OP_NO_GRADIENT, .infer = cusp_infer_test, \
  .vector = CUSP_VECTOR_##function
#define HIDDEN(function, rule)                                             \
  .flags = CUSP_OP_ELEMENTWISE | CUSP_OP_HIDDEN, .infer = cusp_infer_loop, \
  .gradient = rule##_gradient, .vector = CUSP_VECTOR_##function

#endif
