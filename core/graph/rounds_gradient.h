#ifndef CUSP_GRAPH_ROUNDS_GRADIENT_H
#define CUSP_GRAPH_ROUNDS_GRADIENT_H
/* The gradient of a scan: another scan, the other way round. */

#include "../node/op.h"

/** A rule of the table: the scan that went forth also gives what of each round its way back reads.
 */
CUSP_NODISCARD cusp_status cusp_rounds_gradient(cusp_gradient *g);

#endif
