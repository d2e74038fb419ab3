#ifndef CUSP_NODE_CARRIED_H
#define CUSP_NODE_CARRIED_H
/*
 * Graphs belong to the thread that makes them. A host whose threads take turns carries what the
 * graph modules know of them (traces, tapes, what is pending) from thread to thread.
 */

#include "../base/status.h"

typedef struct cusp_graph_state cusp_graph_state;

CUSP_NODISCARD cusp_status cusp_graph_state_new(cusp_graph_state **out);
void cusp_graph_state_free(cusp_graph_state *state); /* after all of its nodes; NULL accepted */
/** This thread works on the graphs of `state` from now on; NULL: on its own. Gives what it worked
 * on before, to be put back. */
cusp_graph_state *cusp_graph_state_use(cusp_graph_state *state);

#endif
