#ifndef CUSP_GRAPH_SCRATCH_H
#define CUSP_GRAPH_SCRATCH_H
/*
 * The memory in which compiled plans compute, lent for one run. Plans that do not run at once so
 * share one block, however many there are; what runs meanwhile (another thread, a plan within a
 * plan) gets a block of its own.
 */

#include "../base/memory.h"

/** What one plan borrows: embedded in it, registered while it lives, so that the block that waits
 * is no larger than needed. */
typedef struct cusp_scratch_user {
  struct cusp_scratch_user *next, **link; /* NULL: not registered */
  size_t bytes;
} cusp_scratch_user;

void cusp_scratch_register(cusp_scratch_user *user, size_t bytes);
/** Gives the waiting block to the system where no user that is left needs half of it. Accepts one
 * that is not registered. */
void cusp_scratch_unregister(cusp_scratch_user *user);

/** At least the user's bytes, uninitialised. An exchange of pointers where the waiting block is
 * large enough. */
CUSP_NODISCARD cusp_status cusp_scratch_borrow(void **out, const cusp_scratch_user *user);
void cusp_scratch_return(void *block); /* NULL accepted */

#endif
