#include "subplan.h"

#include "../node/subgraphs.h"
#include "import.h"
#include "plan_run.h"
#include "rewrite.h"

static cusp_status find_inputs(cusp_subplan *p, const cusp_order *order, const cusp_map *map) {
  CUSP_TRY(cusp_alloc((void **)&p->inputs, ((size_t)order->count + 1) * sizeof *p->inputs));
  for (int i = 0; i < order->count; i++) {
    const cusp_node *node = order->nodes[i];
    if (!cusp_stops(order->stop, node))
      continue;
    int input = cusp_map_get(map, node);
    if (input < 0 && !cusp_node_evaluated(node))
      return cusp_fail(CUSP_ETRACED,
                       "a traced tensor of another function or branch (shape %s) is used here: it "
                       "has no value outside of that",
                       cusp_shape_text(&node->type.shape));
    p->inputs[p->n_leaves++] = input;
  }
  return cusp_alloc_zeroed((void **)&p->leaves, ((size_t)p->n_leaves + 1) * sizeof *p->leaves);
}

static cusp_status import(cusp_subplan *p, cusp_graph *graph, const cusp_subgraph *from,
                          int n_outputs, const cusp_map *map) {
  cusp_order order = {0};
  cusp_status status =
      cusp_order_collect(&order, n_outputs, from->outputs, cusp_subgraph_stop(map));
  if (status == CUSP_OK)
    status = find_inputs(p, &order, map);
  if (status == CUSP_OK)
    status = cusp_graph_import(graph, &order, true, n_outputs, from->outputs);
  graph->traced = true;
  if (status == CUSP_OK)
    status = cusp_graph_rewrite(graph);
  cusp_order_free(&order);
  return status;
}

cusp_status cusp_subplan_new(cusp_subplan *out, const cusp_subgraphs *subgraphs, int graph) {
  return cusp_subplan_new_first(out, subgraphs, graph, subgraphs->graphs[graph].n_outputs);
}

cusp_status cusp_subplan_new_first(cusp_subplan *out, const cusp_subgraphs *subgraphs, int graph,
                                   int n_outputs) {
  const cusp_subgraph *from = &subgraphs->graphs[graph];
  cusp_plan_options options = {.own_outputs = true, .recurs = true};
  cusp_graph lowered = {0};
  cusp_map map = {0};
  *out = (cusp_subplan){0};
  cusp_status status = cusp_subgraph_map(&map, subgraphs, graph);
  if (status == CUSP_OK)
    status = import(out, &lowered, from, n_outputs, &map);
  if (status == CUSP_OK)
    status = cusp_plan_new(&out->plan, &lowered, &options);
  else
    cusp_graph_free(&lowered);
  cusp_map_free(&map);
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
