#ifndef CUSP_GRAPH_FUNCTION_H
#define CUSP_GRAPH_FUNCTION_H
/* A traced computation, planned once and run many times. */

#include "../node/trace.h"

typedef struct cusp_function cusp_function;
/** Ends `trace`: rewrites, plans. `outputs` and the variables' assigned values are what is
 * computed. Consumes the trace, also on failure. */
CUSP_NODISCARD cusp_status cusp_function_new(cusp_function **out, cusp_trace *trace, int n_outputs,
                                             cusp_node *const *outputs);
void cusp_function_free(cusp_function *function);
/**
 * Runs the plan: arguments by value in placeholder order (types as traced, any strides), results
 * into fresh arrays that the caller owns (cusp_array_release). Assigned variables are updated in
 * place when all went well.
 */
CUSP_NODISCARD cusp_status cusp_function_run(cusp_function *function, int n_arguments,
                                             const cusp_array *arguments, cusp_array *results);
/** What the function holds between runs; the memory in which it computes is shared with others. */
size_t cusp_function_bytes(const cusp_function *function);
int cusp_function_n_arguments(const cusp_function *function);
int cusp_function_n_results(const cusp_function *function);
/** Type of argument `index`; lent. */
const cusp_type *cusp_function_argument_type(const cusp_function *function, int index);
/** The plan as text: one line a step, with kernel, shapes, buffers; ends with arena bytes. *text:
 * free with cusp_free. */
cusp_status cusp_function_print(const cusp_function *function, char **text);

/* ------------------------------------------------------------------ the loop over batches */

/**
 * Runs `function` over batches of whole arrays, without Lua: for each batch b of [first, last),
 * gathers rows order[b * batch_size ...] (or the rows in order where `order` is NULL) of each array
 * into the arguments, runs, and keeps results (where `results` is not NULL, appended by the
 * caller's rule). Stops early, whole steps only, when `deadline` (monotonic seconds, 0: none) has
 * passed or on an interrupt; *done is the number of batches run.
 */
typedef struct cusp_batches {
  int n_arrays;
  const cusp_array *arrays; /* [samples, ...], any strides */
  const int64_t *order;     /* lent; NULL: 0, 1, 2, ... */
  int64_t samples, batch_size;
} cusp_batches;
CUSP_NODISCARD cusp_status cusp_function_run_batches(cusp_function *function,
                                                     const cusp_batches *batches, int64_t first,
                                                     int64_t last, double deadline, int64_t *done,
                                                     const cusp_array *results);
/* results[k], where given, is [samples, ...]: row block of batch b receives result k of that batch
 * (predict). */

#endif
