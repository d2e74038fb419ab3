#ifndef CUSP_GRAPH_CHOOSE_H
#define CUSP_GRAPH_CHOOSE_H
/* The row `choose`: one of several sub-graphs runs. Its inputs are the index and the captures; its attribute holds the rest. */

#include "node.h"

/** Sub-graphs over common captures. Shared by nodes and plans; never changes once a node has it. */
struct cusp_choices {
  int32_t references;
  int n_branches, n_captures, n_outputs;
  cusp_node **captures; /* references; input 1 + i of the row gives the value of capture i */
  cusp_node **outputs;  /* references; n_outputs of each branch, branch after branch */
};

/** Room for the lists, filled with NULL. */
CUSP_NODISCARD cusp_status cusp_choices_new(cusp_choices **out, int n_branches, int n_captures, int n_outputs);

/** A node of the row; picks[k] is output k, a new reference. Of no use without outputs: there has to be one at least. */
CUSP_NODISCARD cusp_status cusp_choose_new(cusp_node **picks, cusp_node *index, cusp_node *const *captured, cusp_choices *choices);

#endif
