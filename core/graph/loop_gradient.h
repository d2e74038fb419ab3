#ifndef CUSP_GRAPH_LOOP_GRADIENT_H
#define CUSP_GRAPH_LOOP_GRADIENT_H
/* The gradient of a loop: a loop with one more pass for each pass that it has. */

#include "../node/op.h"

/** A rule of the table: the loop is run again, keeping what the passes back read of each round. */
CUSP_NODISCARD cusp_status cusp_loop_gradient(cusp_gradient *g);

#endif
