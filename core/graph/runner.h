#ifndef CUSP_GRAPH_RUNNER_H
#define CUSP_GRAPH_RUNNER_H
/*
 * A traced computation for programs that cannot wait: it runs in memory that its caller gives and
 * in its own, without touching what other threads use. A quiet one neither allocates nor locks;
 * others keep forms of weights, which all share. Variables that are
 * only read keep the values that they had when it was made or refreshed last. Those that are
 * assigned are its state, which the caller keeps.
 */

#include "../node/trace.h"

typedef struct cusp_runner cusp_runner;
/** Ends `trace`, as cusp_function_new does; of the arguments and `outputs`, none may be strings.
 * `quiet`: libraries that lock or allocate are avoided, even where they would be faster. */
CUSP_NODISCARD cusp_status cusp_runner_new(cusp_runner **out, cusp_trace *trace, int n_outputs,
                                           cusp_node *const *outputs, bool quiet);
/** On the thread that works on the graphs of its variables, as all but the functions below it. */
void cusp_runner_free(cusp_runner *runner);
/** Takes the present values of the variables that are only read. */
void cusp_runner_refresh(cusp_runner *runner);

int cusp_runner_n_inputs(const cusp_runner *runner);
int cusp_runner_n_outputs(const cusp_runner *runner);
const cusp_type *cusp_runner_input_type(const cusp_runner *runner, int index);  /* lent */
const cusp_type *cusp_runner_output_type(const cusp_runner *runner, int index); /* lent */
/** Bytes of its state, 0 where there is none; it is plain data, aligned to CUSP_ALIGNMENT or to
 * what its elements need. */
size_t cusp_runner_state_bytes(const cusp_runner *runner);
/** Fills `state` with the values of the variables when the runner was made. */
void cusp_runner_start(const cusp_runner *runner, void *state);
/**
 * Computes outputs from inputs, row-major arrays that do not overlap. `state` is read, and
 * overwritten when all went well; NULL where there is none. One thread at a time.
 */
CUSP_NODISCARD cusp_status cusp_runner_run(cusp_runner *runner, const void *const *inputs,
                                           void *const *outputs, void *state);

#endif
