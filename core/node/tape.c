/* Tapes: which nodes keep their inputs so that gradients can be asked after evaluation. */
#include "tape.h"

#include "coroutine.h"
#include "gradient.h"
#include "order.h"
#include "state.h"

cusp_status cusp_tape_new(cusp_tape **out, bool watches_variables) {
  cusp_graph_state *state = cusp_state();
  cusp_tape *tape;
  *out = NULL;
  CUSP_TRY(cusp_alloc_zeroed((void **)&tape, sizeof *tape));
  tape->recording = true;
  tape->watches_variables = watches_variables;
  tape->within = state->trace;
  tape->coroutine = state->coroutine;
  tape->number = ++state->tapes_made;
  tape->next_open = state->open_tapes;
  state->open_tapes = tape;
  cusp_find_visible();
  *out = tape;
  return CUSP_OK;
}

static bool listens(const cusp_tape *tape) {
  return !tape->paused && tape->within == cusp_state()->trace;
}

static bool recorded(const cusp_tape *tape, const cusp_node *node) {
  return cusp_map_get(&tape->index, node) >= 0;
}

static cusp_status record_on(cusp_tape *tape, cusp_node *node) {
  if (recorded(tape, node))
    return CUSP_OK;
  CUSP_TRY(CUSP_GROW(tape->nodes, tape->nodes_capacity, tape->n_nodes + 1));
  CUSP_TRY(cusp_map_put(&tape->index, node, tape->n_nodes));
  tape->nodes[tape->n_nodes++] = node;
  cusp_node_retain(node);
  node->keeps++;
  return CUSP_OK;
}

static bool recorded_an_input(const cusp_tape *tape, const cusp_node *node) {
  for (int i = 0; i < node->n_inputs; i++)
    if (node->inputs[i]->watched && recorded(tape, node->inputs[i]))
      return true;
  return false;
}

/* Within a trace, what is made of a watched constant is traced like all else: a plan may have to go
 * back through it. */
cusp_status cusp_tape_record(cusp_node *node) {
  for (cusp_tape *tape = cusp_state()->tape; tape; tape = tape->outer) {
    if (!listens(tape) || !recorded_an_input(tape, node))
      continue;
    CUSP_TRY(record_on(tape, node));
    if (!node->trace && cusp_state()->trace)
      cusp_trace_retain(node->trace = cusp_state()->trace);
  }
  return CUSP_OK;
}

cusp_status cusp_tape_watch(cusp_tape *tape, cusp_node *node) {
  node->watched = true;
  return tape->recording ? record_on(tape, node) : CUSP_OK;
}

cusp_status cusp_tape_watch_variable(cusp_tape *tape, cusp_variable *variable) {
  if (cusp_map_get(&tape->variables, variable) >= 0)
    return CUSP_OK;
  CUSP_TRY(cusp_map_put(&tape->variables, variable, 0));
  cusp_variable_retain(variable);
  return CUSP_OK;
}

static bool watches(const cusp_tape *tape, const cusp_variable *variable) {
  return (tape->watches_variables && variable->trainable) ||
         cusp_map_get(&tape->variables, variable) >= 0;
}

static bool has_reading(const cusp_tape *tape, const cusp_variable *variable,
                        const cusp_node *node) {
  for (int i = cusp_map_get(&tape->latest, variable); i >= 0; i = tape->readings[i].previous)
    if (tape->readings[i].node == node)
      return true;
  return false;
}

static cusp_status add_reading(cusp_tape *tape, cusp_variable *variable, cusp_node *node) {
  int previous = cusp_map_get(&tape->latest, variable);
  CUSP_TRY(CUSP_GROW(tape->readings, tape->readings_capacity, tape->n_readings + 1));
  CUSP_TRY(cusp_map_put(&tape->latest, variable, tape->n_readings));
  tape->readings[tape->n_readings].variable = variable;
  tape->readings[tape->n_readings].previous = previous;
  tape->readings[tape->n_readings++].node = node;
  cusp_variable_retain(variable);
  cusp_node_retain(node);
  return CUSP_OK;
}

cusp_status cusp_tape_record_reading(cusp_variable *variable, cusp_node *node) {
  for (cusp_tape *tape = cusp_state()->tape; tape; tape = tape->outer) {
    if (!listens(tape) || !watches(tape, variable) ||
        (recorded(tape, node) && has_reading(tape, variable, node)))
      continue;
    node->watched = true;
    CUSP_TRY(record_on(tape, node));
    CUSP_TRY(add_reading(tape, variable, node));
  }
  return CUSP_OK;
}

int cusp_tape_count_readings(const cusp_tape *tape, const cusp_variable *variable) {
  int count = 0;
  for (int i = cusp_map_get(&tape->latest, variable); i >= 0; i = tape->readings[i].previous)
    count++;
  return count;
}

void cusp_tape_readings(const cusp_tape *tape, const cusp_variable *variable, int count,
                        cusp_node **nodes) {
  for (int i = cusp_map_get(&tape->latest, variable); i >= 0; i = tape->readings[i].previous)
    nodes[--count] = tape->readings[i].node;
}

static bool not_recorded(const void *tape, const cusp_node *node) { return !recorded(tape, node); }

cusp_status cusp_tape_gradients(const cusp_tape *tape, cusp_node **gradients, int n_targets,
                                cusp_node *const *targets, cusp_node *const *cotangents,
                                int n_sources, cusp_node *const *sources) {
  cusp_stop stop = {.at = not_recorded, .context = tape};
  CUSP_TRY(
      cusp_gradients_within(stop, gradients, n_targets, targets, cotangents, n_sources, sources));
  for (int i = 0; i < n_sources; i++)
    if (!recorded(tape, sources[i])) {
      cusp_node_release(gradients[i]);
      gradients[i] = NULL;
    }
  return CUSP_OK;
}

bool cusp_recording(void) { return cusp_state()->tape != NULL; }

void cusp_tape_pause(cusp_tape *tape, bool paused) { tape->paused = paused; }

static void unlink_tape(cusp_tape *tape) {
  cusp_tape **link = &cusp_state()->open_tapes;
  while (*link && *link != tape)
    link = &(*link)->next_open;
  if (*link)
    *link = tape->next_open;
  cusp_find_visible();
}

/* Stops recording and lets go of what was recorded. */
static void close_tape(cusp_tape *tape) {
  if (!tape->recording)
    return;
  tape->recording = false;
  unlink_tape(tape);
  for (int i = 0; i < tape->n_nodes; i++) {
    cusp_node *node = tape->nodes[i];
    node->keeps--;
    cusp_node_let_go(node);
    cusp_node_release(node);
  }
  for (int i = 0; i < tape->n_readings; i++) {
    cusp_variable_release(tape->readings[i].variable);
    cusp_node_release(tape->readings[i].node);
  }
  for (int i = 0; i < tape->variables.capacity; i++)
    if (tape->variables.keys[i])
      cusp_variable_release((cusp_variable *)tape->variables.keys[i]);
  cusp_map_free(&tape->variables);
  cusp_map_free(&tape->index);
  cusp_map_free(&tape->latest);
  cusp_free(tape->nodes);
  cusp_free(tape->readings);
  tape->nodes = NULL;
  tape->readings = NULL;
  tape->n_nodes = tape->n_readings = tape->nodes_capacity = tape->readings_capacity = 0;
}

int64_t cusp_tape_count(void) { return cusp_state()->tapes_made; }

void cusp_tape_close_after(int64_t count) {
  cusp_graph_state *state = cusp_state();
  for (cusp_tape *tape = state->open_tapes, *next; tape && tape->number > count; tape = next) {
    next = tape->next_open;
    if (tape->coroutine == state->coroutine)
      close_tape(tape);
  }
}

void cusp_tape_free(cusp_tape *tape) {
  if (!tape)
    return;
  close_tape(tape);
  cusp_free(tape);
}
