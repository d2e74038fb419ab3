#ifndef CUSP_OPS_EINSUM_H
#define CUSP_OPS_EINSUM_H
/* Einstein summation as a composition of transposes, sums and matrix products. */

#include "../node/node.h"

/**
 * Row einsum_operands: attrs[0] holds the subscripts ("bij,bjk->bik"; an ellipsis stands for
 * broadcast axes; without
 * "->" the result has the labels that occur once, in alphabetical order). Operands are contracted
 * from left to right.
 */
cusp_status cusp_einsum_compose(cusp_node *const *inputs, int n_inputs, const cusp_attr *attrs,
                                cusp_node **outputs, int *n_outputs);

#endif
