#include "subplan.h"

#include "../node/subgraphs.h"
#include "import.h"
#include "plan_run.h"

cusp_status cusp_subplan_new(cusp_subplan *out, const cusp_subgraphs *subgraphs, int graph) {
  return cusp_subplan_new_first(out, subgraphs, graph, subgraphs->graphs[graph].n_outputs);
}

cusp_status cusp_subplan_new_first(cusp_subplan *out, const cusp_subgraphs *subgraphs, int graph,
                                   int n_outputs) {
  cusp_plan_options options = {.own_outputs = true, .recurs = true};
  cusp_graph lowered;
  *out = (cusp_subplan){0};
  CUSP_TRY(cusp_graph_import_subgraph(&lowered, &out->inputs, subgraphs, graph, n_outputs));
  out->n_leaves = lowered.n_leaves;
  cusp_status status =
      cusp_alloc_zeroed((void **)&out->leaves, ((size_t)out->n_leaves + 1) * sizeof *out->leaves);
  if (status == CUSP_OK)
    return cusp_plan_new(&out->plan, &lowered, &options);
  cusp_graph_free(&lowered);
  return status;
}

void cusp_subplan_free(cusp_subplan *subplan) {
  cusp_plan_free(subplan->plan);
  cusp_free(subplan->inputs);
  cusp_free(subplan->leaves);
  *subplan = (cusp_subplan){0};
}

cusp_status cusp_subplan_run(cusp_subplan *subplan, const cusp_array *inputs,
                             void *const *destinations) {
  for (int i = 0; i < subplan->n_leaves; i++)
    if (subplan->inputs[i] >= 0)
      subplan->leaves[i] = inputs[subplan->inputs[i]];
  cusp_plan_io io = {.leaves = subplan->leaves, .destinations = destinations};
  return cusp_plan_run(subplan->plan, &io);
}
