#ifndef CUSP_NODE_SOURCE_H
#define CUSP_NODE_SOURCE_H
/* Where in the user's script nodes are made. */
#include "../base/status.h"

/** The user's position for nodes made from now on (interned copy of `file`); NULL for none. */
void cusp_set_source(const char *file, int line);
/** What the user called for them, a name that outlives them; NULL for none. */
void cusp_set_caller(const char *name);

/** Puts "take (made at script.lua:3): " before the message of a failure of a node made by the row
 * `op`, whose own name goes from the message. */
cusp_status cusp_fail_at_source(cusp_status status, const char *op, const char *caller,
                                const char *file, int line);

#endif
