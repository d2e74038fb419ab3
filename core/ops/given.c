/* The hidden row of values that have a gradient of their own. */
#include "../node/build.h"
#include "../node/gradient.h"
#include "../node/infer.h"
#include "../node/subgraphs.h"

#include <string.h>

static cusp_status infer_given(cusp_inference *inference) {
  return cusp_infer_fail(inference, CUSP_EUNSUPPORTED, "made by custom_gradient only");
}

/* ------------------------------------------------------------------ gradient */

typedef struct giving {
  cusp_gradient *g;
  const cusp_subgraphs *graph;
  int n_outputs, n_arguments, n_inputs; /* of the node; of the choice */
  cusp_node **inputs, **picks;
  cusp_type *types;
  cusp_arena arena;
} giving;

static cusp_status list_inputs(giving *v) {
  cusp_shape scalar = {0};
  v->n_inputs = 1 + v->graph->n_inputs;
  CUSP_TRY(
      cusp_arena_alloc((void **)&v->inputs, &v->arena, (size_t)v->n_inputs * sizeof *v->inputs));
  CUSP_TRY(cusp_built(v->inputs[0] = cusp_full(&scalar, 0, CUSP_INT32)));
  for (int k = 0; k < v->n_outputs; k++) {
    cusp_node *flowing = v->g->dy[k];
    v->inputs[1 + k] = flowing ? flowing : cusp_zeros_like(v->g->x[k]);
    CUSP_TRY(cusp_built(v->inputs[1 + k]));
  }
  for (int i = v->n_outputs; i < v->graph->n_inputs; i++)
    v->inputs[1 + i] = v->g->x[v->n_arguments + i];
  return CUSP_OK;
}

/* The graph as the one branch of a choice, which has gradients itself. */
static cusp_status choose_graph(giving *v) {
  size_t n = (size_t)v->n_arguments + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&v->picks, &v->arena, n * sizeof *v->picks));
  CUSP_TRY(cusp_arena_alloc((void **)&v->types, &v->arena, n * sizeof *v->types));
  for (int i = 0; i < v->n_arguments; i++)
    v->types[i] = v->graph->graphs[0].outputs[i]->type;
  CUSP_TRY(cusp_subgraphs_node(v->picks, "choose", v->n_inputs, v->inputs,
                               (cusp_subgraphs *)v->graph, v->n_arguments, v->types));
  cusp_status status = CUSP_OK;
  for (int i = 0; i < v->n_arguments; i++)
    if (!(v->g->dx[v->n_outputs + i] = cusp_scope_adopt(v->picks[i])))
      status = cusp_error_status();
  return status;
}

static cusp_status given_gradient(cusp_gradient *g) {
  giving v = {.g = g, .graph = g->node->attrs[0].subgraphs, .n_outputs = g->node->n_outputs};
  v.n_arguments = v.graph->graphs[0].n_outputs;
  cusp_status status = list_inputs(&v);
  if (status == CUSP_OK)
    status = choose_graph(&v);
  cusp_arena_free(&v.arena);
  return status;
}

/* ------------------------------------------------------------------ values */

/* Where the passes are skipped: they put the first inputs in the place of the outputs. */
static cusp_status run_copy(cusp_call *call) {
  for (int k = 0; k < call->n_outputs; k++)
    memcpy(call->outputs[k].data, call->inputs[k].data,
           (size_t)cusp_array_count(&call->outputs[k]) * cusp_dtype_size(call->outputs[k].dtype));
  return CUSP_OK;
}

static const cusp_kernel given_kernels[] = {{.name = "copy", .run = run_copy}, {0}};

const cusp_op cusp_ops_given[] = {
    {.name = "given_gradient",
     .arguments = "inputs..., graphs: int",
     .help = "The first inputs, with the gradients that a sub-graph computes.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_HANDS_ON,
     .infer = infer_given,
     .gradient = given_gradient,
     .kernels = given_kernels},
    {0},
};
