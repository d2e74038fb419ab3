/* Which of the open traces and tapes the running coroutine sees. */
#include "coroutine.h"

#include "state.h"

static bool sees(const cusp_graph_state *state, const void *coroutine) {
  return coroutine == state->coroutine || (state->is_active && state->is_active(coroutine));
}

/* Its own come first: those around it were opened in coroutines that wait for this one. */
static void find_traces(cusp_graph_state *state) {
  cusp_trace **link = &state->trace;
  *link = NULL;
  for (int others = 0; others < 2; others++)
    for (cusp_trace *trace = state->open_traces; trace; trace = trace->next_open) {
      if ((trace->coroutine != state->coroutine) != others || !sees(state, trace->coroutine))
        continue;
      if (trace->suspends)
        return;
      *link = trace;
      link = &trace->outer;
      *link = NULL;
    }
}

static void find_tapes(cusp_graph_state *state) {
  cusp_tape **link = &state->tape;
  *link = NULL;
  for (int others = 0; others < 2; others++)
    for (cusp_tape *tape = state->open_tapes; tape; tape = tape->next_open) {
      if ((tape->coroutine != state->coroutine) != others || !sees(state, tape->coroutine))
        continue;
      *link = tape;
      link = &tape->outer;
      *link = NULL;
    }
}

void cusp_find_visible(void) {
  cusp_graph_state *state = cusp_state();
  find_traces(state);
  find_tapes(state);
}

static bool has_others(const cusp_graph_state *state) {
  for (const cusp_trace *trace = state->open_traces; trace; trace = trace->next_open)
    if (trace->coroutine != state->coroutine)
      return true;
  for (const cusp_tape *tape = state->open_tapes; tape; tape = tape->next_open)
    if (tape->coroutine != state->coroutine)
      return true;
  return false;
}

/* Which coroutines are active may have changed since the last look, whichever they are. */
void cusp_set_coroutine(const void *coroutine, bool (*is_active)(const void *coroutine)) {
  cusp_graph_state *state = cusp_state();
  bool changed = state->coroutine != coroutine;
  state->coroutine = coroutine;
  state->is_active = is_active;
  if ((state->open_traces || state->open_tapes) && (changed || has_others(state)))
    cusp_find_visible();
}
