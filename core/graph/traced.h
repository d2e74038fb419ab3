#ifndef CUSP_GRAPH_TRACED_H
#define CUSP_GRAPH_TRACED_H
/* The rewritten graph of an open trace, for code that says it in another language. */

#include "../node/subgraphs.h"
#include "../node/trace.h"
#include "graph.h"

typedef struct cusp_traced_graph {
  cusp_graph graph;
  int *arguments; /* by leaf: the placeholder or input that it is; -1: it has a value */
} cusp_traced_graph;

/**
 * What computes `outputs` from the placeholders of `trace`, after all passes. Whatever does not
 * depend on them is computed; a variable stands for the value that it has outside. The trace stays
 * open.
 */
CUSP_NODISCARD cusp_status cusp_traced_graph_new(cusp_traced_graph *out, const cusp_trace *trace,
                                                 int n_outputs, cusp_node *const *outputs);
/** The same of a sub-graph's first n_outputs outputs; arguments are the inputs of the graphs. */
CUSP_NODISCARD cusp_status cusp_traced_subgraph_new(cusp_traced_graph *out,
                                                    const cusp_subgraphs *subgraphs, int graph,
                                                    int n_outputs);
void cusp_traced_graph_free(cusp_traced_graph *traced); /* all zero is accepted */

#endif
