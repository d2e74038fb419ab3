/* Who holds nodes, and how long chains of them are freed. */
#include "references.h"
#include "pending.h"
#include "state.h"
#include "subgraphs.h"
#include "trace.h"

void cusp_node_retain(cusp_node *node) { node->references++; }

void cusp_node_hold(cusp_node *node) { node->handles++; }

void cusp_node_unhold(cusp_node *node) { node->handles--; }

/* A long chain of nodes is freed through a list (threaded by pending_next), not by recursion. */
static void free_chain(cusp_node *dead) {
  cusp_graph_state *state = cusp_state();
  while (dead) {
    cusp_node *node = dead;
    dead = node->pending_next;
    for (int i = 0; node->inputs && i < node->n_inputs; i++) {
      cusp_node *input = node->inputs[i];
      if (--input->references == 0) {
        cusp_pending_remove(input);
        input->pending_next = dead;
        dead = input;
      }
    }
    for (int i = 0; i < node->n_attrs; i++)
      if (node->attrs[i].kind == CUSP_ATTR_SUBGRAPHS)
        cusp_subgraphs_release(node->attrs[i].subgraphs);
    cusp_storage_release(node->value.storage);
    cusp_trace_release(node->trace);
    cusp_free(node);
    state->stats.nodes_live--;
  }
}

void cusp_node_release(cusp_node *node) {
  if (!node || --node->references > 0)
    return;
  cusp_pending_remove(node);
  node->pending_next = NULL;
  free_chain(node);
}

void cusp_node_let_go(cusp_node *node) {
  if (node->keeps > 0 || !node->inputs || !cusp_node_evaluated(node))
    return;
  cusp_node **inputs = node->inputs;
  node->inputs = NULL;
  for (int i = 0; i < node->n_inputs; i++)
    cusp_node_release(inputs[i]);
}
