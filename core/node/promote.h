#ifndef CUSP_NODE_PROMOTE_H
#define CUSP_NODE_PROMOTE_H
/* Before a row is inferred or composed: bringing its inputs to their dtypes, and its attributes to
 * their full number. */

#include "node.h"

/**
 * out[i] is input i in the dtype that op->promotion asks for: the input itself, a cast of it, or
 * for a Lua number
 * ("weak") a constant of that dtype. New references, none on failure; `out` has room for
 * n. */
CUSP_NODISCARD cusp_status cusp_promote_inputs(const cusp_op *op, int n, cusp_node *const *in,
                                               cusp_node **out);

/**
 * full[0 .. n_attrs of the row - 1] (room for CUSP_MAX_PARAMETERS): what was given, then defaults;
 * an int given for a float becomes one. Fails for a missing attribute without default, for too many
 * and for one of the wrong kind.
 */
CUSP_NODISCARD cusp_status cusp_fill_attrs(const cusp_op *op, int n_attrs, const cusp_attr *attrs,
                                           cusp_attr *full);

/** Keras's result_type of the inputs: tensors among themselves, joined by Lua numbers; NULL ones
 * are left out. */
cusp_dtype cusp_result_dtype(int n, cusp_node *const *in);

/** `node` in another dtype: itself where it has it and is not weak. New reference, NULL on failure.
 * A Lua number that the dtype cannot hold is an error. */
CUSP_NODISCARD cusp_status cusp_cast_node(cusp_node **out, cusp_node *node, cusp_dtype dtype);

/** Whether `n` inputs suit the row's tensor parameters; the message says what was expected. */
CUSP_NODISCARD cusp_status cusp_check_inputs(const cusp_op *op, int n);

#endif
