#ifndef CUSP_NODE_LOOPING_H
#define CUSP_NODE_LOOPING_H
/* Branches become the condition and the body of a loop, or the body of a scan. */

#include "branch.h"

/** What is given to each round. initial and stand_ins list the carried values, then what a scan
 * takes slices of along the first axis. stand_ins[k] stood for that while the body was traced. */
typedef struct cusp_repetition {
  /* for messages: the operation's, and what a carried value and the body are to the user */
  const char *name, *value_name, *body_name;
  int n_values, n_slices;
  cusp_node *const *initial, *const *stand_ins;
  int64_t count; /* rounds of a scan */
  bool reverse;  /* a scan's last slice comes first */
} cusp_repetition;

/**
 * Repeats `body` while `condition` gives true, or without one `count` times. Carried value k is
 * initial[k] at first and then result k of the body, which has its shape and dtype; results[k] is
 * the last one. Further results of a scan's body come stacked, as many as the body has. Variables
 * that the body assigns go from one round to the next. New references; none on failure.
 */
CUSP_NODISCARD cusp_status cusp_branches_repeat(cusp_node **results,
                                                const cusp_repetition *repetition,
                                                cusp_branch *condition, cusp_branch *body);

#endif
