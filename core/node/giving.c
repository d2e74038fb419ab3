/* Values whose gradient is what a branch computes: a node of the row `given_gradient`. */
#include "giving.h"

#include "build.h"
#include "subgraphs.h"

static cusp_status check(const cusp_given_gradient *given) {
  CUSP_TRY(cusp_branch_check(given->gradient, "custom_gradient"));
  if (given->gradient->n_results == given->n_arguments)
    return CUSP_OK;
  return cusp_fail(CUSP_EVALUE, "custom_gradient: %d gradients for %d arguments",
                   given->gradient->n_results, given->n_arguments);
}

/* Its inputs are the outputs, the arguments, and what the gradient reads besides. */
static cusp_status make_node(cusp_node **results, const cusp_given_gradient *given,
                             cusp_subgraphs *graph, cusp_node *const *captures, cusp_arena *arena) {
  int n = given->n_outputs, all = graph->n_inputs + given->n_arguments, at = 0;
  cusp_node **inputs;
  cusp_type *types;
  CUSP_TRY(cusp_arena_alloc((void **)&inputs, arena, (size_t)all * sizeof *inputs));
  CUSP_TRY(cusp_arena_alloc((void **)&types, arena, (size_t)n * sizeof *types));
  for (int k = 0; k < n; k++) {
    types[k] = given->outputs[k]->type;
    inputs[at++] = given->outputs[k];
  }
  for (int i = 0; i < given->n_arguments; i++)
    inputs[at++] = given->arguments[i];
  for (int i = 0; at < all; i++)
    inputs[at++] = captures[i];
  return cusp_subgraphs_node(results, "given_gradient", all, inputs, graph, n, types);
}

cusp_status cusp_branch_give_gradient(cusp_node **results, const cusp_given_gradient *given) {
  cusp_subgraphs *graph;
  cusp_node **captures, *const *outputs[] = {given->gradient->results};
  cusp_arena arena = {0};
  CUSP_TRY(check(given));
  cusp_status status =
      cusp_subgraphs_capture(&graph, &captures, given->gradient->first, 1, &given->n_arguments,
                             outputs, given->n_outputs, given->stand_ins, CUSP_HOIST_NOTHING);
  if (status == CUSP_OK)
    status = make_node(results, given, graph, captures, &arena);
  cusp_subgraphs_release(graph);
  cusp_free(captures);
  cusp_arena_free(&arena);
  return status;
}
