#ifndef CUSP_NODE_PENDING_H
#define CUSP_NODE_PENDING_H
/* The nodes of this thread that wait for their value, oldest first, and the bound on them. */

#include "node.h"

/* Past as many nodes or bytes, what waits is computed. */
enum { CUSP_PENDING_NODES = 2000 };
#define CUSP_PENDING_BYTES ((uint64_t)256 << 20)

/** Enters a new node; past the bound, what waits is computed. */
void cusp_pending_add(cusp_node *node);
/** Takes a node out of the pending list once it has a value or dies; whether it was there. */
bool cusp_pending_remove(cusp_node *node);
/** Everything pending that users hold. What fails keeps its error to itself, and raises it when its
 * own value is asked for. */
void cusp_evaluate_pending(void);

#endif
