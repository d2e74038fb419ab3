#ifndef CUSP_NODE_VARIABLE_H
#define CUSP_NODE_VARIABLE_H
/* Variables: what changes. Reading gives the node of the present value; in a trace, the trace's. */

#include "node.h"

typedef struct cusp_variable {
  int32_t references;
  cusp_type type;
  /* tapes watch trainable variables by themselves when they are read */
  bool trainable;
  bool deferred;    /* `value` is still to be computed */
  cusp_node *value; /* outside traces: an evaluated leaf unless deferred */
  /* within the innermost trace that touched it; owned by the trace */
  struct cusp_variable_binding *binding;
} cusp_variable;

/* evaluates `initial` */
CUSP_NODISCARD cusp_status cusp_variable_new(cusp_variable **out, cusp_node *initial,
                                             bool trainable);
/** As cusp_variable_new, but `initial` is computed when it is first asked for: what is assigned
 * before that is not computed at all. */
CUSP_NODISCARD cusp_status cusp_variable_new_deferred(cusp_variable **out, cusp_node *initial,
                                                      bool trainable);
/** Computes a deferred value. */
CUSP_NODISCARD cusp_status cusp_variable_settle(cusp_variable *variable);
/** The value outside of all traces as it stands, even deferred; lent to the innermost scope. */
CUSP_NODISCARD cusp_status cusp_variable_peek(cusp_node **out, cusp_variable *variable);
void cusp_variable_retain(cusp_variable *variable);
void cusp_variable_release(cusp_variable *variable);
/** The present value as a node; lent to the innermost scope (retain to keep). */
CUSP_NODISCARD cusp_status cusp_variable_read(cusp_node **out, cusp_variable *variable);
/** As cusp_variable_read, but no tape takes note. */
CUSP_NODISCARD cusp_status cusp_variable_present(cusp_node **out, cusp_variable *variable);
/** Shape must match; dtype is cast. Outside a trace the value is computed now; earlier readers keep
 * the old one. */
CUSP_NODISCARD cusp_status cusp_variable_assign(cusp_variable *variable, cusp_node *value);
/** Assigns all of them or none: values are computed before the first variable changes. */
CUSP_NODISCARD cusp_status cusp_variables_assign(int count, cusp_variable *const *variables,
                                                 cusp_node *const *values);

#endif
