#ifndef CUSP_NODE_STATS_H
#define CUSP_NODE_STATS_H
/* Counters of this thread. */

#include <stdint.h>

/** For specs: counts since start, but for live and pending nodes, which are those of now. */
typedef struct cusp_graph_stats {
  uint64_t plans_made, plans_run, plan_cache_hits, nodes_made, nodes_evaluated, nodes_live, pending;
  uint64_t pending_bytes; /* of the values that are not yet computed */
} cusp_graph_stats;
cusp_graph_stats cusp_graph_get_stats(void);

#endif
