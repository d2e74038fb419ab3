#ifndef CUSP_BASE_LIBRARY_H
#define CUSP_BASE_LIBRARY_H
/* Parts of the engine that are libraries of their own, loaded when first needed, because what they
 * link to is large or rarely wanted. */

#include "status.h"

#include <stddef.h>

/**
 * The symbol `symbol` of the shared object `name` ("onednn.so"), looked for where the host says, in
 * CUSP_LIBRARY_DIR, beside this code (engine.so), and where the build and `make install` put it as
 * seen from the program. NULL, with the reason in `failure`, where there is none. The symbol starts
 * with an int that has to equal `version`. The library stays loaded.
 */
const void *cusp_library_load(const char *name, const char *symbol, int version, char *failure,
                              size_t failure_bytes);

/** Names the directory that is looked into first. Before the first search of another thread. */
CUSP_NODISCARD cusp_status cusp_library_set_place(const char *directory);

#endif
