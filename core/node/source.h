#ifndef CUSP_NODE_SOURCE_H
#define CUSP_NODE_SOURCE_H
/* Where in the user's script nodes are made. */

/** The user's position for nodes made from now on (interned copy of `file`); NULL for none. */
void cusp_set_source(const char *file, int line);

#endif
