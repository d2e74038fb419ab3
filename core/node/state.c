/* What one thread knows of nodes. */
#include "state.h"
#include "pending.h"
#include "stats.h"

cusp_graph_state *cusp_state(void) {
  static _Thread_local cusp_graph_state state = {.nodes_limit = CUSP_PENDING_NODES,
                                                 .bytes_limit = CUSP_PENDING_BYTES};
  return &state;
}

cusp_graph_stats cusp_graph_get_stats(void) {
  cusp_graph_stats stats = cusp_state()->stats;
  stats.pending = cusp_state()->pending_nodes;
  stats.pending_bytes = cusp_state()->pending_bytes;
  return stats;
}
