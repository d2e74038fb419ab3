#ifndef CUSP_GRAPH_ROUND_BACK_H
#define CUSP_GRAPH_ROUND_BACK_H
/*
 * The way back through one round of a loop or scan: the graph of the round is differentiated. Used
 * by the gradients of both, which say where what flows comes from.
 */

#include "../node/op.h"
#include "../node/subgraphs.h"

typedef struct cusp_round_back {
  const cusp_subgraph *graph; /* of the way forth */
  int n_inputs;
  cusp_trace *trace;
  uint64_t first; /* the serial number of the first node that is made on the way back */
  cusp_map given; /* the graph's inputs, by number */
  int n_targets;
  cusp_node **targets, **cotangents;
  int n_flowing, n_sources; /* the first n_flowing are carried, and always have a gradient */
  cusp_node **sources, **gradients;
  cusp_node **sums; /* placeholders of what was added up before; NULL: nothing is */
  /* where the sum over all rounds is one product of all rows: its factors, transposed and as it is.
   * They have no sum, and their gradient is of the round alone */
  cusp_node **left, **right;
  int *source_index;
  int n_kept;
  cusp_node **kept; /* what the way back reads of a round forth */
  cusp_arena arena; /* of all lists */
} cusp_round_back;

CUSP_NODISCARD cusp_status cusp_round_back_new(cusp_round_back *b, const cusp_subgraphs *all,
                                               int graph, cusp_trace *trace);
void cusp_round_back_free(cusp_round_back *b);

/** A placeholder, adopted by the innermost scope, for the cotangent of an output of the graph. */
CUSP_NODISCARD cusp_status cusp_round_back_cotangent(cusp_node **out, const cusp_round_back *b,
                                                     int output);
void cusp_round_back_target(cusp_round_back *b, int output, cusp_node *cotangent);
/** Carried floats: the targets and sources that come first. */
CUSP_NODISCARD cusp_status cusp_round_back_flow(cusp_round_back *b, int first, int n_carried);
/** Another input whose gradient is wanted, for each round or as the sum over them. */
CUSP_NODISCARD cusp_status cusp_round_back_source(cusp_round_back *b, int input, bool summed);
/** Fills gradients, and where `factored` the factors; drops the sources that have none. */
CUSP_NODISCARD cusp_status cusp_round_back_differentiate(cusp_round_back *b, bool factored);
/** Fills kept; of the graph's inputs only those from `first` on, `count` of them, are not at
 * hand. */
CUSP_NODISCARD cusp_status cusp_round_back_keep(cusp_round_back *b, int first, int count);

#endif
