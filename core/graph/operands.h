#ifndef CUSP_GRAPH_OPERANDS_H
#define CUSP_GRAPH_OPERANDS_H
/* What a unit reads and writes. */

#include "lower.h"

/** Values, each once; the lists are freed by who keeps them. */
typedef struct cusp_operands {
  int *inputs, n_inputs, inputs_capacity;
  int *outputs, n_outputs, outputs_capacity;
} cusp_operands;

CUSP_NODISCARD cusp_status cusp_operands_of_fused(const cusp_lowering *lowering, int unit,
                                                  const int *outside_uses, cusp_operands *operands);
CUSP_NODISCARD cusp_status cusp_operands_of_call(const cusp_lowering *lowering, int unit,
                                                 cusp_operands *operands);
/** Readers of each value outside the unit that makes it, by root; graph outputs count. In the arena
 * of the graph. */
CUSP_NODISCARD cusp_status cusp_count_outside_uses(const cusp_lowering *lowering, int **out);

#endif
