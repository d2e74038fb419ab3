#ifndef CUSP_GRAPH_PASSES_H
#define CUSP_GRAPH_PASSES_H
/* Each pass rewrites the graph in place, and leaves every value's type as it was. */

#include "graph.h"

/* pass_remat.c: values of regions are computed again for those who read them later */
cusp_status cusp_pass_remat(cusp_graph *graph);
/* pass_simplify.c: identities, no-op views and casts */
cusp_status cusp_pass_simplify(cusp_graph *graph);
/* pass_masks.c: where a clipped relu let nothing through, in one mask */
cusp_status cusp_pass_masks(cusp_graph *graph);
cusp_status cusp_pass_common(cusp_graph *graph); /* pass_common.c: equal operations become one */
/* pass_widen.c: conversions from 16 bits to float32 move to where they cost nothing */
cusp_status cusp_pass_widen(cusp_graph *graph);
/* pass_ending.c: what follows a convolution filter by filter becomes part of it; `settled` as in
 * steady.h */
cusp_status cusp_pass_ending(cusp_graph *graph, const bool *settled);
cusp_status cusp_pass_dead(cusp_graph *graph); /* pass_dead.c: what no output needs goes */

#endif
