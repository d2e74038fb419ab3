/* Drops operations that no output needs. */
#include "../node/subgraphs.h"
#include "graph.h"
#include "passes.h"

#include <string.h>

/* Carried values are needed by the next round. */
static void trim(cusp_operation *operation, const bool *needed) {
  int least = operation->attrs[0].subgraphs->rounds.n_carried;
  if (least < 1)
    least = 1;
  while (operation->n_outputs > least &&
         !needed[operation->first_output + operation->n_outputs - 1])
    operation->n_outputs--;
}

cusp_status cusp_pass_dead(cusp_graph *graph) {
  bool *needed;
  CUSP_TRY(cusp_alloc_zeroed((void **)&needed, (size_t)graph->n_values + 1));
  for (int i = 0; i < graph->n_outputs; i++)
    needed[graph->outputs[i]] = true;
  for (int i = graph->n_operations - 1; i >= 0; i--) {
    cusp_operation *operation = &graph->operations[i];
    bool used = false;
    for (int k = 0; k < operation->n_outputs; k++)
      used |= needed[operation->first_output + k];
    operation->dead = !used;
    if (used && (operation->op->flags & CUSP_OP_TRIMMED))
      trim(operation, needed);
    for (int k = 0; used && k < operation->n_inputs; k++)
      needed[operation->inputs[k]] = true;
  }
  cusp_free(needed);
  return cusp_graph_sort(graph);
}
