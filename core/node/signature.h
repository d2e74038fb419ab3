#ifndef CUSP_NODE_SIGNATURE_H
#define CUSP_NODE_SIGNATURE_H
/* The parameters of a row, from their text. */

#include "op.h"

/** The parsed form of op->arguments, cached; lent. Asserts in debug builds that the text is
 * well-formed. */
const cusp_signature *cusp_op_signature(const cusp_op *op);

#endif
