#ifndef CUSP_NODE_COROUTINE_H
#define CUSP_NODE_COROUTINE_H
/* Which of the open traces and tapes the running coroutine sees. */

#include "../base/status.h"

#include <stdbool.h>

/**
 * Says which coroutine runs from here on. Traces and tapes belong to the coroutine that opens them:
 * only it sees them, and those that it has resumed, for which `is_active` holds of it. Without
 * coroutines this need not be called.
 */
void cusp_set_coroutine(const void *coroutine, bool (*is_active)(const void *coroutine));

/** Finds anew what the running coroutine sees of the open traces and tapes. */
void cusp_find_visible(void);

#endif
