#ifndef CUSP_NODE_SOURCE_H
#define CUSP_NODE_SOURCE_H
/* Where in the user's script nodes are made. */
#include "../base/status.h"

#include <stdint.h>

/** What a node comes from, for messages. */
typedef struct cusp_origin {
  const char *file;   /* the user's line that made it, interned; NULL: unknown */
  const char *caller; /* what the user called there; NULL: unknown */
  int32_t line;
  uint32_t place : 31;   /* the layer that made it, a number of the bindings'; 0: none */
  uint32_t backward : 1; /* a gradient rule made it, of a node of that layer */
  /* what it computes may be computed again rather than kept: a number for all that goes together;
   * below 0 for what is computed again, 0 for what is not */
  int32_t region;
} cusp_origin;

/** The user's position for nodes made from now on (interned copy of `file`); NULL for none. */
void cusp_set_source(const char *file, int line);
/** What the user called for them, a name that outlives them; NULL for none. */
void cusp_set_caller(const char *name);
/** The layer that makes them and the region, as long as this coroutine runs; 0 for none. */
void cusp_set_place(int32_t place, int32_t region);
/** Whose nodes are made: the place, and the coroutine that is there. */
typedef struct cusp_placement {
  cusp_origin origin;
  const void *coroutine;
} cusp_placement;

/** Nodes made from now on are gradients of the node that comes from `of`. Gives what to pass to
 * cusp_leave_backward. */
cusp_placement cusp_enter_backward(const cusp_origin *of);
void cusp_leave_backward(const cusp_placement *before);
/** The origin of a node that is made now. */
cusp_origin cusp_current_origin(void);
/** A copy of a name that lives as long as the process; NULL where memory is short. */
const char *cusp_intern(const char *name);

/** Puts "take (made at script.lua:3): " before the message of a failure of a node made by the row
 * `op`, whose own name goes from the message. */
cusp_status cusp_fail_at_source(cusp_status status, const char *op, const cusp_origin *origin);
/** The place of the node whose run has failed last on this thread; 0 for none, and when it has been
 * asked for. */
int32_t cusp_take_failed_place(void);

#endif
