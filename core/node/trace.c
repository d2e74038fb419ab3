/* Traces: placeholders for arguments and variables while a computation is recorded. */
#include "trace.h"

#include "coroutine.h"
#include "state.h"
#include "subgraphs.h"

static cusp_status open_trace(cusp_trace **out, bool suspends) {
  *out = NULL;
  cusp_graph_state *state = cusp_state();
  cusp_trace *trace;
  CUSP_TRY(cusp_alloc_zeroed((void **)&trace, sizeof *trace));
  trace->references = 1;
  trace->open = true;
  trace->suspends = suspends;
  trace->trial = state->trace && state->trace->trial;
  trace->any_size = state->trace && state->trace->any_size;
  trace->coroutine = state->coroutine;
  trace->depth = state->trace ? state->trace->depth + 1 : 1;
  trace->last_binding = &trace->bindings;
  trace->next_open = state->open_traces;
  state->open_traces = trace;
  cusp_find_visible();
  *out = trace;
  return CUSP_OK;
}

cusp_status cusp_trace_begin(cusp_trace **out) { return open_trace(out, false); }

cusp_status cusp_trace_begin_suspension(cusp_trace **out) { return open_trace(out, true); }

void cusp_trace_try(cusp_trace *trace, bool any_size) {
  trace->trial = true;
  trace->any_size = any_size;
}

void cusp_trace_retain(cusp_trace *trace) { trace->references++; }

void cusp_trace_release(cusp_trace *trace) {
  if (trace && --trace->references == 0)
    cusp_free(trace);
}

cusp_status cusp_trace_placeholder(cusp_node **out, cusp_trace *trace, const cusp_type *type) {
  *out = NULL;
  cusp_array empty = {.dtype = type->dtype, .shape = type->shape};
  cusp_node *node;
  CUSP_TRY(CUSP_GROW(trace->arguments, trace->arguments_capacity, trace->n_arguments + 1));
  CUSP_TRY(cusp_node_leaf(&node, &empty));
  node->trace = trace;
  cusp_trace_retain(trace);
  trace->arguments[trace->n_arguments++] = node;
  *out = node;
  return CUSP_OK;
}

cusp_status cusp_trace_stand_in(cusp_node **out, const cusp_type *type) {
  return cusp_subgraph_placeholder(out, type, cusp_state()->trace);
}

static void unbind(cusp_variable_binding *binding) {
  cusp_variable_binding **link = &binding->variable->binding;
  while (*link != binding)
    link = &(*link)->outer;
  *link = binding->outer;
  cusp_node_release(binding->initial);
  cusp_node_release(binding->current);
  cusp_variable_release(binding->variable);
  cusp_free(binding);
}

void cusp_trace_abandon(cusp_trace *trace) {
  if (!trace)
    return;
  if (trace->open) {
    trace->open = false;
    cusp_trace **link = &cusp_state()->open_traces;
    while (*link && *link != trace)
      link = &(*link)->next_open;
    if (*link)
      *link = trace->next_open;
    cusp_find_visible();
    for (cusp_variable_binding *binding = trace->bindings, *next; binding; binding = next) {
      next = binding->next;
      unbind(binding);
    }
    trace->bindings = NULL;
    for (int i = 0; i < trace->n_arguments; i++)
      cusp_node_release(trace->arguments[i]);
    cusp_free(trace->arguments);
    trace->arguments = NULL;
    trace->n_arguments = 0;
  }
  cusp_trace_release(trace);
}

bool cusp_tracing(void) { return cusp_state()->trace != NULL; }

cusp_trace *cusp_trace_suspend(void) {
  cusp_trace *trace = cusp_state()->trace;
  cusp_state()->trace = NULL;
  return trace;
}

void cusp_trace_resume(cusp_trace *trace) { cusp_state()->trace = trace; }
