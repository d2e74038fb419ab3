#ifndef CUSP_NODE_TRACE_H
#define CUSP_NODE_TRACE_H
/* Tracing: recording a computation with placeholders for its arguments and variables. */

#include "node.h"

/** Opens a trace; traces nest (a symbolic call inside a traced function), the innermost one records
 * variables. */
CUSP_NODISCARD cusp_status cusp_trace_begin(cusp_trace **out);
/** Says that a trace, and those within it, are for types alone: what they make of constants, too,
 * is computed only if its value is asked for. With `any_size`, sizes stand for unknown ones, and
 * memory need not hold them. */
void cusp_trace_try(cusp_trace *trace, bool any_size);
/** A node standing for argument `n` (in order of these calls). Lent, owned by the trace. */
CUSP_NODISCARD cusp_status cusp_trace_placeholder(cusp_node **out, cusp_trace *trace,
                                                  const cusp_type *type);
/** A node of the open trace that only a loop gives a value; adopted by the innermost scope. */
CUSP_NODISCARD cusp_status cusp_trace_stand_in(cusp_node **out, const cusp_type *type);
/** Ends it without compiling; nodes made under it become useless. Also after a failure. NULL
 * accepted. */
void cusp_trace_abandon(cusp_trace *trace);
/** Whether a trace is open (and not suspended) on this thread. */
bool cusp_tracing(void);
/** Opens what suspends all traces around it until it is abandoned, for the coroutine that opens
 * it. */
CUSP_NODISCARD cusp_status cusp_trace_begin_suspension(cusp_trace **out);
/** Suspends all traces while no other coroutine can run; returns what to give back to
 * cusp_trace_resume. */
cusp_trace *cusp_trace_suspend(void);
void cusp_trace_resume(cusp_trace *trace);

void cusp_trace_retain(cusp_trace *trace);
void cusp_trace_release(cusp_trace *trace); /* NULL accepted */

#endif
