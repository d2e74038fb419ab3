/* What one thread knows of nodes. */
#include "state.h"
#include "pending.h"
#include "stats.h"

static const cusp_graph_state fresh = {.nodes_limit = CUSP_PENDING_NODES,
                                       .bytes_limit = CUSP_PENDING_BYTES};
static _Thread_local cusp_graph_state *carried;

cusp_graph_state *cusp_state(void) {
  static _Thread_local cusp_graph_state own = {.nodes_limit = CUSP_PENDING_NODES,
                                               .bytes_limit = CUSP_PENDING_BYTES};
  return carried ? carried : &own;
}

cusp_status cusp_graph_state_new(cusp_graph_state **out) {
  CUSP_TRY(cusp_alloc((void **)out, sizeof **out));
  **out = fresh;
  return CUSP_OK;
}

void cusp_graph_state_free(cusp_graph_state *state) {
  if (state && state->plans)
    state->free_plans(state->plans);
  cusp_free(state);
}

cusp_graph_state *cusp_graph_state_use(cusp_graph_state *state) {
  cusp_graph_state *before = carried;
  carried = state;
  return before;
}

cusp_graph_stats cusp_graph_get_stats(void) {
  cusp_graph_stats stats = cusp_state()->stats;
  stats.pending = cusp_state()->pending_nodes;
  stats.pending_bytes = cusp_state()->pending_bytes;
  return stats;
}
