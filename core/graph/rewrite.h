#ifndef CUSP_GRAPH_REWRITE_H
#define CUSP_GRAPH_REWRITE_H
/* The passes, run in their order. */

#include "graph.h"

/** Runs the passes in their order. `CUSP_DISABLE_PASSES=name,name` leaves some out;
 * `CUSP_DUMP_GRAPH=1` prints after each to stderr. */
CUSP_NODISCARD cusp_status cusp_graph_rewrite(cusp_graph *graph);

/** Whether CUSP_DISABLE_PASSES lists it. */
bool cusp_pass_is_disabled(const char *name);

#endif
