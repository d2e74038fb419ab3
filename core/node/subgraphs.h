#ifndef CUSP_NODE_SUBGRAPHS_H
#define CUSP_NODE_SUBGRAPHS_H
/* Graphs within a node: what a branch or the body of a loop computes, given the node's inputs.
 * Shared by nodes, never changed. */

#include "node.h"
#include "order.h"

/** Input `i` gives the value of the node inputs[i] within the graph; NULL: the graph does not read
 * it. References. */
typedef struct cusp_subgraph {
  int n_outputs;
  cusp_node **inputs, **outputs;
} cusp_subgraph;

/** How often the one graph of a scan runs, and what its first inputs and outputs are: carried
 * values, then slices of the node's inputs and outputs along their first axis. */
typedef struct cusp_rounds {
  int64_t count;
  bool reverse; /* from the last slice to the first */
  int n_carried, n_slices;
} cusp_rounds;

/** One way through the rounds of a loop. Its graph reads its carried values, what the passes before
 * it kept of the round, and captures; it gives the next carried values and what it keeps. */
typedef struct cusp_pass {
  int n_carried, n_kept;
  bool reverse; /* from the last round to the first */
} cusp_pass;

struct cusp_subgraphs {
  int32_t references;
  int n_inputs, n_graphs; /* inputs are those of all graphs alike */
  cusp_rounds rounds;     /* of a scan */
  cusp_type *types;       /* of a scan's node: one for each output of the graph; else NULL */
  /* of a loop, whose graphs are those of the passes, then the condition of the first. Inputs are
   * the carried values of all passes, what all keep, then captures */
  cusp_pass *passes;
  int n_passes;
  cusp_subgraph graphs[];
};

/** Room for the lists, filled with NULL. */
CUSP_NODISCARD cusp_status cusp_subgraphs_new(cusp_subgraphs **out, int n_inputs, int n_graphs,
                                              const int *n_outputs);

void cusp_subgraphs_retain(cusp_subgraphs *subgraphs);
void cusp_subgraphs_release(cusp_subgraphs *subgraphs); /* NULL accepted */

/** Ends walks within a graph at its inputs, which `map` maps to their numbers (cusp_subgraph_map),
 * and at leaves. */
cusp_stop cusp_subgraph_stop(const cusp_map *map);
CUSP_NODISCARD cusp_status cusp_subgraph_map(cusp_map *map, const cusp_subgraphs *subgraphs,
                                             int graph);

/** A placeholder of the trace of `like`, adopted by the innermost scope: what only a sub-graph
 * gives a value. */
CUSP_NODISCARD cusp_status cusp_subgraph_placeholder(cusp_node **out, const cusp_type *type,
                                                     cusp_trace *trace);

/** What of a graph's own nodes is computed before the node: none; what can neither fail nor cost
 * much; all that reads no input that the caller gives. */
typedef enum cusp_hoist { CUSP_HOIST_NOTHING, CUSP_HOIST_CHEAP, CUSP_HOIST_ALL } cusp_hoist;

/** Says that the graphs are a loop's; the passes are copied. */
CUSP_NODISCARD cusp_status cusp_subgraphs_set_passes(cusp_subgraphs *graphs, int n_passes,
                                                     const cusp_pass *passes);

/**
 * What the graphs read of what was traced before node number `first` becomes their common inputs,
 * behind the n_given that `given` lists for each graph (graph after graph), and so does what is
 * hoisted. `outputs` are lists of nodes by graph. The captured nodes go to *captures, which the
 * caller frees; they are lent by the result.
 */
CUSP_NODISCARD cusp_status cusp_subgraphs_capture(cusp_subgraphs **out, cusp_node ***captures,
                                                  uint64_t first, int n_graphs,
                                                  const int *n_outputs,
                                                  cusp_node *const *const *outputs, int n_given,
                                                  cusp_node *const *given, cusp_hoist hoist);

/** A node of `op` with those graphs as its attribute; picks[k], of n_outputs, are new references,
 * none on failure. */
CUSP_NODISCARD cusp_status cusp_subgraphs_node(cusp_node **picks, const char *op, int n_inputs,
                                               cusp_node *const *inputs, cusp_subgraphs *subgraphs,
                                               int n_outputs, const cusp_type *types);

/** A scan of the one graph: inputs are the carried values, the stacked ones, then captures.
 * picks[k], one for each of the graph's outputs: the carried values, then what is stacked. */
CUSP_NODISCARD cusp_status cusp_scan_node(cusp_node **picks, int n_inputs, cusp_node *const *inputs,
                                          const cusp_subgraphs *graph, const cusp_rounds *rounds);
/** Gives a scan further outputs, `more` of its graph; what there is stays what it is. */
CUSP_NODISCARD cusp_status cusp_scan_extend(cusp_node *scan, int n_more, cusp_node *const *more);

#endif
