/* What waits for its value. */
#include "pending.h"
#include "evaluator.h"
#include "state.h"

static uint64_t node_bytes(const cusp_node *node) {
  return (uint64_t)cusp_shape_count(&node->type.shape) * cusp_dtype_size(node->type.dtype);
}

static void append(cusp_node *node) {
  cusp_graph_state *state = cusp_state();
  node->pending_previous = state->pending_last;
  node->pending_next = NULL;
  if (state->pending_last)
    state->pending_last->pending_next = node;
  else
    state->pending_first = node;
  state->pending_last = node;
  state->pending_nodes++;
  state->pending_bytes += node_bytes(node);
}

static bool is_pending(const cusp_node *node) {
  return node->pending_previous || node->pending_next || cusp_state()->pending_first == node;
}

bool cusp_pending_remove(cusp_node *node) {
  cusp_graph_state *state = cusp_state();
  if (!is_pending(node))
    return false;
  if (node->pending_previous)
    node->pending_previous->pending_next = node->pending_next;
  else
    state->pending_first = node->pending_next;
  if (node->pending_next)
    node->pending_next->pending_previous = node->pending_previous;
  else
    state->pending_last = node->pending_previous;
  node->pending_previous = node->pending_next = NULL;
  state->pending_nodes--;
  state->pending_bytes -= node_bytes(node);
  return true;
}

/* Asked for by a user, and worth trying: what failed once would fail again, for nobody. */
static bool is_wanted(const cusp_node *node) {
  return node->handles > 0 && node->n_outputs == 1 && !node->failed;
}

/* Newest first: evaluating a node also computes the held ones below it. Components are evaluated
 * one by one, so that unrelated tensors of equal history share a plan whichever of them are
 * alive. */
void cusp_evaluate_pending(void) {
  cusp_graph_state *state = cusp_state();
  cusp_node *node = state->pending_last;
  while (node) {
    if (!is_wanted(node)) {
      node = node->pending_previous;
      continue;
    }
    node->failed = cusp_evaluate(1, &node) != CUSP_OK;
    node = node->failed ? node->pending_previous : state->pending_last;
  }
}

/* What stays pending (rules under construction, what failed) does not count: the next limit starts
 * from there. */
static void bound_pending(void) {
  cusp_graph_state *state = cusp_state();
  if ((state->pending_nodes < state->nodes_limit && state->pending_bytes < state->bytes_limit) ||
      state->evaluating)
    return;
  cusp_evaluate_pending();
  state->nodes_limit = state->pending_nodes + CUSP_PENDING_NODES;
  state->bytes_limit = state->pending_bytes + CUSP_PENDING_BYTES;
}

void cusp_pending_add(cusp_node *node) {
  const cusp_trace *trace = cusp_state()->trace;
  node->failed = trace && trace->trial;
  append(node);
  bound_pending();
}
