#ifndef CUSP_NODE_REFERENCES_H
#define CUSP_NODE_REFERENCES_H
/* Who holds nodes: references, and handles of users among them. */

#include "op.h"

void cusp_node_retain(cusp_node *node);
void cusp_node_release(cusp_node *node); /* NULL accepted; frees long chains without recursion */
/** Counts a user's handle (in addition to a reference). */
void cusp_node_hold(cusp_node *node);
void cusp_node_unhold(cusp_node *node);
/** Drops an evaluated node's inputs, unless a tape keeps them. */
void cusp_node_let_go(cusp_node *node);

#endif
