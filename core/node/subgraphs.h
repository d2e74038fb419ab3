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

struct cusp_subgraphs {
  int32_t references;
  int n_inputs, n_graphs; /* inputs are those of all graphs alike */
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

/**
 * What the graphs read of what was traced before node number `first` becomes their common inputs,
 * behind the n_given that `given` lists for each graph (graph after graph). `outputs` are lists of
 * nodes by graph. The captured nodes go to *captures, which the caller frees; they are lent by the
 * result.
 */
CUSP_NODISCARD cusp_status cusp_subgraphs_capture(cusp_subgraphs **out, cusp_node ***captures,
                                                  uint64_t first, int n_graphs,
                                                  const int *n_outputs,
                                                  cusp_node *const *const *outputs, int n_given,
                                                  cusp_node *const *given);

/** A node of `op` with those graphs as its attribute; picks[k], of n_outputs, are new references,
 * none on failure. */
CUSP_NODISCARD cusp_status cusp_subgraphs_node(cusp_node **picks, const char *op, int n_inputs,
                                               cusp_node *const *inputs, cusp_subgraphs *subgraphs,
                                               int n_outputs, const cusp_type *types);

#endif
