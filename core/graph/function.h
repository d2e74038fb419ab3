#ifndef CUSP_GRAPH_FUNCTION_H
#define CUSP_GRAPH_FUNCTION_H
/* Tracing a computation once, and running its plan many times. */

#include "../node/variable.h"

/**
 * Says which coroutine runs from here on. Traces and tapes belong to the coroutine that opens them: only it sees them, and those that
 * it has resumed, for which `is_active` holds of it. Without coroutines this need not be called.
 */
void cusp_set_coroutine(const void *coroutine, bool (*is_active)(const void *coroutine));

/** Opens a trace; traces nest (a symbolic call inside a traced function), the innermost one records variables. */
CUSP_NODISCARD cusp_status cusp_trace_begin(cusp_trace **out);
/** A node standing for argument `n` (in order of these calls). Lent, owned by the trace. */
CUSP_NODISCARD cusp_status cusp_trace_placeholder(cusp_node **out, cusp_trace *trace, const cusp_type *type);
/** A node of the open trace that only a loop gives a value; adopted by the innermost scope. */
CUSP_NODISCARD cusp_status cusp_trace_stand_in(cusp_node **out, const cusp_type *type);
/** Ends it without compiling; nodes made under it become useless. Also after a failure. NULL accepted. */
void cusp_trace_abandon(cusp_trace *trace);
/** Whether a trace is open (and not suspended) on this thread. */
bool cusp_tracing(void);
/** Opens what suspends all traces around it until it is abandoned, for the coroutine that opens it. */
CUSP_NODISCARD cusp_status cusp_trace_begin_suspension(cusp_trace **out);
/** Suspends all traces while no other coroutine can run; returns what to give back to cusp_trace_resume. */
cusp_trace *cusp_trace_suspend(void);
void cusp_trace_resume(cusp_trace *trace);

typedef struct cusp_function cusp_function;
/** Ends `trace`: rewrites, plans. `outputs` and the variables' assigned values are what is computed. Consumes the trace, also on failure. */
CUSP_NODISCARD cusp_status cusp_function_new(cusp_function **out, cusp_trace *trace, int n_outputs, cusp_node *const *outputs);
void cusp_function_free(cusp_function *function);
/**
 * Runs the plan: arguments by value in placeholder order (types as traced, any strides), results into fresh arrays
 * that the caller owns (cusp_array_release). Assigned variables are updated in place when all went well.
 */
CUSP_NODISCARD cusp_status cusp_function_run(cusp_function *function, int n_arguments, const cusp_array *arguments, cusp_array *results);
/** What the function holds between runs; the memory in which it computes is shared with others. */
size_t cusp_function_bytes(const cusp_function *function);
int cusp_function_n_arguments(const cusp_function *function);
int cusp_function_n_results(const cusp_function *function);
/** Type of argument `index`; lent. */
const cusp_type *cusp_function_argument_type(const cusp_function *function, int index);
/** The plan as text: one line a step, with kernel, shapes, buffers; ends with arena bytes. *text: free with cusp_free. */
cusp_status cusp_function_print(const cusp_function *function, char **text);

/** Counters for specs: plans made, plans run, steps run, nodes fused, since start. */
typedef struct cusp_graph_stats {
  uint64_t plans_made, plans_run, plan_cache_hits, nodes_made, nodes_evaluated, nodes_live, pending;
  uint64_t pending_bytes; /* of the values that are not yet computed */
} cusp_graph_stats;
cusp_graph_stats cusp_graph_get_stats(void);

/* ------------------------------------------------------------------ the loop over batches */

/**
 * Runs `function` over batches of whole arrays, without Lua: for each batch b of [first, last), gathers rows
 * order[b * batch_size ...] (or the rows in order where `order` is NULL) of each array into the arguments, runs, and keeps
 * results (where `results` is not NULL, appended by the caller's rule). Stops early, whole steps only, when `deadline`
 * (monotonic seconds, 0: none) has passed or on an interrupt; *done is the number of batches run.
 */
typedef struct cusp_batches {
  int n_arrays;
  const cusp_array *arrays; /* [samples, ...], any strides */
  const int64_t *order;     /* lent; NULL: 0, 1, 2, ... */
  int64_t samples, batch_size;
} cusp_batches;
CUSP_NODISCARD cusp_status cusp_function_run_batches(cusp_function *function, const cusp_batches *batches, int64_t first, int64_t last,
                                                     double deadline, int64_t *done, const cusp_array *results);
/* results[k], where given, is [samples, ...]: row block of batch b receives result k of that batch (predict). */

double cusp_monotonic_seconds(void);

#endif
