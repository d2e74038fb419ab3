/* See runner.h. */
#include "runner.h"

#include "../kernels/blas.h"
#include "../node/state.h"
#include "function_parts.h"
#include "plan_parts.h"
#include "plan_run.h"

#include <string.h>

struct cusp_runner {
  cusp_function *function;
  cusp_node **values; /* by variable: the value that is read, retained; NULL: a state */
  cusp_type *output_types;
  size_t *offsets;    /* by assigned variable, into the state */
  int *state_of;      /* by variable: the place among the assigned ones, -1: only read */
  char *start, *next; /* states: at the beginning, and after a run until all went well */
  size_t state_bytes;
  bool quiet;
};

/* ------------------------------------------------------------------ making */

static cusp_status refuse_strings(const cusp_trace *trace, int n_outputs,
                                  cusp_node *const *outputs) {
  bool strings = false;
  for (int i = 0; i < trace->n_arguments; i++)
    strings = strings || trace->arguments[i]->type.dtype == CUSP_STRING;
  for (int i = 0; i < n_outputs; i++)
    strings = strings || outputs[i]->type.dtype == CUSP_STRING;
  return strings ? cusp_fail(CUSP_EUNSUPPORTED, "strings do not go through plain memory") : CUSP_OK;
}

static size_t bytes_of(const cusp_type *type) {
  return (size_t)cusp_shape_count(&type->shape) * cusp_dtype_size(type->dtype);
}

static cusp_status place_states(cusp_runner *r) {
  const cusp_function *f = r->function;
  CUSP_TRY(cusp_alloc((void **)&r->offsets, ((size_t)f->n_assigned + 1) * sizeof *r->offsets));
  CUSP_TRY(cusp_alloc((void **)&r->state_of, ((size_t)f->n_variables + 1) * sizeof *r->state_of));
  for (int i = 0; i < f->n_variables; i++)
    r->state_of[i] = -1;
  for (int k = 0; k < f->n_assigned; k++) {
    r->state_of[f->assigned[k]] = k;
    r->offsets[k] = r->state_bytes;
    r->state_bytes += cusp_aligned_size(bytes_of(&f->variables[f->assigned[k]]->type));
  }
  CUSP_TRY(cusp_alloc_zeroed((void **)&r->start, r->state_bytes));
  return cusp_alloc((void **)&r->next, r->state_bytes);
}

static void keep_start(cusp_runner *r) {
  const cusp_function *f = r->function;
  for (int k = 0; k < f->n_assigned; k++) {
    const cusp_array *from = &f->variables[f->assigned[k]]->value->value;
    cusp_array to = *from;
    to.data = r->start + r->offsets[k];
    cusp_strides_row_major(to.strides, &to.shape);
    cusp_array_copy(&to, from);
  }
}

static cusp_status keep_output_types(cusp_runner *r) {
  const cusp_function *f = r->function;
  CUSP_TRY(cusp_alloc_zeroed((void **)&r->output_types,
                             ((size_t)f->n_results + 1) * sizeof *r->output_types));
  for (int i = 0; i < f->n_results; i++)
    r->output_types[i] = (cusp_type){.dtype = f->plan->outputs[i].array.dtype,
                                     .shape = f->plan->outputs[i].array.shape};
  return CUSP_OK;
}

static cusp_status prepare(cusp_runner *r) {
  const cusp_function *f = r->function;
  CUSP_TRY(
      cusp_alloc_zeroed((void **)&r->values, ((size_t)f->n_variables + 1) * sizeof *r->values));
  CUSP_TRY(place_states(r));
  CUSP_TRY(keep_output_types(r));
  keep_start(r);
  for (int k = 0; k < f->n_assigned; k++)
    f->destinations[f->n_results + k] = r->next + r->offsets[k];
  cusp_runner_refresh(r);
  return CUSP_OK;
}

cusp_status cusp_runner_new(cusp_runner **out, cusp_trace *trace, int n_outputs,
                            cusp_node *const *outputs, bool quiet) {
  *out = NULL;
  cusp_runner *r = NULL;
  cusp_status status = refuse_strings(trace, n_outputs, outputs);
  if (status == CUSP_OK)
    status = cusp_alloc_zeroed((void **)&r, sizeof *r);
  if (status != CUSP_OK) {
    cusp_trace_abandon(trace);
    return status;
  }
  cusp_graph_state *state = cusp_state();
  bool before = state->plans_keep_memory, loud = cusp_gemm_set_quiet(quiet);
  state->plans_keep_memory = true;
  r->quiet = quiet;
  status = cusp_function_make(&r->function, trace, n_outputs, outputs, true);
  state->plans_keep_memory = before;
  cusp_gemm_set_quiet(loud);
  if (status == CUSP_OK)
    status = prepare(r);
  if (status != CUSP_OK) {
    cusp_runner_free(r);
    return status;
  }
  *out = r;
  return CUSP_OK;
}

void cusp_runner_free(cusp_runner *r) {
  if (!r)
    return;
  for (int i = 0; r->values && i < r->function->n_variables; i++)
    if (r->values[i])
      cusp_node_release(r->values[i]);
  cusp_function_free(r->function);
  cusp_free(r->values);
  cusp_free(r->output_types);
  cusp_free(r->offsets);
  cusp_free(r->state_of);
  cusp_free(r->start);
  cusp_free(r->next);
  cusp_free(r);
}

void cusp_runner_refresh(cusp_runner *r) {
  const cusp_function *f = r->function;
  for (int i = 0; i < f->n_leaves; i++) {
    int v = f->sources[i].index;
    if (f->sources[i].kind != CUSP_FROM_VARIABLE || r->state_of[v] >= 0)
      continue;
    cusp_node *value = f->variables[v]->value;
    cusp_node_retain(value);
    if (r->values[v])
      cusp_node_release(r->values[v]);
    r->values[v] = value;
    f->leaves[i] = value->value;
  }
}

/* ------------------------------------------------------------------ running */

int cusp_runner_n_inputs(const cusp_runner *r) { return r->function->n_arguments; }
int cusp_runner_n_outputs(const cusp_runner *r) { return r->function->n_results; }
const cusp_type *cusp_runner_input_type(const cusp_runner *r, int index) {
  return &r->function->argument_types[index];
}
const cusp_type *cusp_runner_output_type(const cusp_runner *r, int index) {
  return &r->output_types[index];
}
size_t cusp_runner_state_bytes(const cusp_runner *r) { return r->state_bytes; }
void cusp_runner_start(const cusp_runner *r, void *state) {
  if (r->state_bytes)
    memcpy(state, r->start, r->state_bytes);
}

static void *without_const(const void *pointer) { return (void *)(uintptr_t)pointer; }

cusp_status cusp_runner_run(cusp_runner *r, const void *const *inputs, void *const *outputs,
                            void *state) {
  cusp_function *f = r->function;
  for (int i = 0; i < f->n_leaves; i++) {
    const cusp_leaf_source *source = &f->sources[i];
    if (source->kind == CUSP_FROM_ARGUMENT)
      f->leaves[i].data = without_const(inputs[source->index]);
    else if (source->kind == CUSP_FROM_VARIABLE && r->state_of[source->index] >= 0)
      f->leaves[i].data = (char *)state + r->offsets[r->state_of[source->index]];
  }
  memcpy(f->destinations, outputs, (size_t)f->n_results * sizeof *outputs);
  cusp_plan_io io = {.leaves = f->leaves, .destinations = f->destinations};
  bool quiet = cusp_gemm_set_quiet(r->quiet);
  cusp_status status = cusp_steady_refresh(&f->steady, f->leaves, f->n_leaves);
  if (status == CUSP_OK)
    status = cusp_plan_run(f->plan, &io);
  cusp_gemm_set_quiet(quiet);
  if (status == CUSP_OK && r->state_bytes)
    memcpy(state, r->next, r->state_bytes);
  return status;
}
