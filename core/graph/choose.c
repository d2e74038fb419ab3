/* The row `choose`: inputs are an index and what the branches read; the branch that is chosen
 * runs. */
#include "../node/build.h"
#include "../node/gradient.h"
#include "../node/infer.h"
#include "../node/subgraphs.h"
#include "subplan.h"

static cusp_status infer_choose(cusp_inference *inference) {
  return cusp_infer_fail(inference, CUSP_EUNSUPPORTED, "made by cond and switch only");
}

/* ------------------------------------------------------------------ gradient */

/* A choice among the branches' gradients, of the captures that are wanted, given those of the
 * outputs that have one. */
typedef struct backward {
  const cusp_subgraphs *graphs; /* whose inputs are the row's after the first */
  /* cotangents: placeholders within; flowing: what they stand for */
  cusp_node **targets, **cotangents, **flowing;
  int n_targets, *target_index;
  cusp_node **sources;
  int n_sources, *source_index;
  cusp_node **gradients; /* n_sources of each branch; references, NULL: none */
  cusp_subgraphs *result;
  cusp_arena arena;
} backward;

static cusp_status allocate_backward(backward *b) {
  size_t outputs = (size_t)b->graphs->graphs[0].n_outputs, captures = (size_t)b->graphs->n_inputs;
  CUSP_TRY(cusp_arena_alloc((void **)&b->targets, &b->arena, outputs * sizeof *b->targets));
  CUSP_TRY(cusp_arena_alloc((void **)&b->cotangents, &b->arena, outputs * sizeof *b->cotangents));
  CUSP_TRY(
      cusp_arena_alloc((void **)&b->flowing, &b->arena, (outputs + captures) * sizeof *b->flowing));
  CUSP_TRY(
      cusp_arena_alloc((void **)&b->target_index, &b->arena, outputs * sizeof *b->target_index));
  CUSP_TRY(cusp_arena_alloc((void **)&b->sources, &b->arena, captures * sizeof *b->sources));
  CUSP_TRY(
      cusp_arena_alloc((void **)&b->source_index, &b->arena, captures * sizeof *b->source_index));
  return cusp_arena_alloc((void **)&b->gradients, &b->arena,
                          (size_t)b->graphs->n_graphs * captures * sizeof *b->gradients);
}

static cusp_status find_flow(backward *b, const cusp_gradient *g) {
  for (int k = 0; k < b->graphs->graphs[0].n_outputs; k++) {
    if (!g->dy[k])
      continue;
    CUSP_TRY(
        cusp_subgraph_placeholder(&b->cotangents[b->n_targets], &g->dy[k]->type, g->node->trace));
    b->flowing[b->n_targets] = g->dy[k];
    b->target_index[b->n_targets++] = k;
  }
  for (int i = 0; i < b->graphs->n_inputs; i++)
    if (g->wanted[1 + i])
      b->source_index[b->n_sources++] = i;
  return CUSP_OK;
}

static cusp_status differentiate_branch(backward *b, int branch) {
  const cusp_subgraph *graph = &b->graphs->graphs[branch];
  cusp_node **gradients = b->gradients + branch * b->n_sources;
  cusp_map inputs = {0};
  for (int k = 0; k < b->n_targets; k++)
    b->targets[k] = graph->outputs[b->target_index[k]];
  for (int i = 0; i < b->n_sources; i++)
    b->sources[i] = graph->inputs[b->source_index[i]];
  cusp_status status = cusp_subgraph_map(&inputs, b->graphs, branch);
  if (status == CUSP_OK)
    status = cusp_gradients_within(cusp_subgraph_stop(&inputs), gradients, b->n_targets, b->targets,
                                   b->cotangents, b->n_sources, b->sources);
  cusp_map_free(&inputs);
  CUSP_TRY(status);
  for (int i = 0; i < b->n_sources; i++)
    if (gradients[i] && !cusp_scope_adopt(gradients[i]))
      status = cusp_error_status();
  return status;
}

/* Captures that no branch gives a gradient are no sources. */
static void drop_unreached(backward *b) {
  int kept = 0, all = b->n_sources;
  for (int i = 0; i < all; i++) {
    bool reached = false;
    for (int branch = 0; branch < b->graphs->n_graphs; branch++)
      reached |= b->gradients[branch * all + i] != NULL;
    if (!reached)
      continue;
    for (int branch = 0; branch < b->graphs->n_graphs; branch++)
      b->gradients[branch * all + kept] = b->gradients[branch * all + i];
    b->source_index[kept++] = b->source_index[i];
  }
  for (int branch = 1; branch < b->graphs->n_graphs; branch++)
    for (int i = 0; i < kept; i++)
      b->gradients[branch * kept + i] = b->gradients[branch * all + i];
  b->n_sources = kept;
}

static void fill_graph(const backward *b, int branch) {
  const cusp_subgraph *from = &b->graphs->graphs[branch], *to = &b->result->graphs[branch];
  for (int i = 0; i < b->graphs->n_inputs; i++)
    cusp_node_retain(to->inputs[i] = from->inputs[i]);
  for (int k = 0; k < b->n_targets; k++)
    cusp_node_retain(to->inputs[b->graphs->n_inputs + k] = b->cotangents[k]);
  for (int i = 0; i < b->n_sources; i++)
    cusp_node_retain(to->outputs[i] = b->gradients[branch * b->n_sources + i]);
}

/* All branches have the same outputs, so one without a gradient gives zeros. */
static cusp_status fill_result(backward *b) {
  int n = b->graphs->n_graphs, *counts;
  CUSP_TRY(cusp_arena_alloc((void **)&counts, &b->arena, (size_t)n * sizeof *counts));
  for (int branch = 0; branch < n; branch++)
    counts[branch] = b->n_sources;
  for (int i = 0; i < n * b->n_sources; i++) {
    if (!b->gradients[i])
      b->gradients[i] =
          cusp_zeros_like(b->graphs->graphs[0].inputs[b->source_index[i % b->n_sources]]);
    CUSP_TRY(cusp_built(b->gradients[i]));
  }
  CUSP_TRY(cusp_subgraphs_new(&b->result, b->graphs->n_inputs + b->n_targets, n, counts));
  for (int branch = 0; branch < n; branch++)
    fill_graph(b, branch);
  return CUSP_OK;
}

static cusp_status choose_gradients(backward *b, cusp_gradient *g) {
  cusp_node **inputs, **picks;
  cusp_type *types;
  int n = b->graphs->n_inputs, total = 1 + n + b->n_targets;
  CUSP_TRY(cusp_arena_alloc((void **)&inputs, &b->arena, (size_t)total * sizeof *inputs));
  CUSP_TRY(cusp_arena_alloc((void **)&picks, &b->arena, (size_t)b->n_sources * sizeof *picks));
  CUSP_TRY(cusp_arena_alloc((void **)&types, &b->arena, (size_t)b->n_sources * sizeof *types));
  for (int i = 0; i <= n; i++)
    inputs[i] = g->x[i];
  for (int k = 0; k < b->n_targets; k++)
    inputs[1 + n + k] = b->flowing[k];
  for (int i = 0; i < b->n_sources; i++)
    types[i] = g->x[1 + b->source_index[i]]->type;
  CUSP_TRY(cusp_subgraphs_node(picks, "choose", total, inputs, b->result, b->n_sources, types));
  for (int i = 0; i < b->n_sources; i++)
    g->dx[1 + b->source_index[i]] = cusp_scope_adopt(picks[i]);
  return CUSP_OK;
}

static cusp_status run_backward(backward *b, cusp_gradient *g) {
  CUSP_TRY(allocate_backward(b));
  CUSP_TRY(find_flow(b, g));
  for (int branch = 0; branch < b->graphs->n_graphs; branch++)
    CUSP_TRY(differentiate_branch(b, branch));
  drop_unreached(b);
  if (!b->n_sources)
    return CUSP_OK;
  CUSP_TRY(fill_result(b));
  return choose_gradients(b, g);
}

/* The branches' own nodes are differentiated, so what the way back needs of the way there is
 * computed again within the branch. */
static cusp_status choose_gradient(cusp_gradient *g) {
  backward b = {.graphs = g->node->attrs[0].subgraphs};
  cusp_status status = run_backward(&b, g);
  cusp_subgraphs_release(b.result);
  cusp_arena_free(&b.arena);
  return status;
}

/* ------------------------------------------------------------------ running */

typedef struct choose_state {
  int n_branches;
  void **destinations; /* scratch */
  cusp_subplan branches[];
} choose_state;

static bool can_choose(const cusp_call *call) {
  return call->attrs[0].kind == CUSP_ATTR_SUBGRAPHS && cusp_array_count(&call->inputs[0]) == 1;
}

static cusp_status prepare_choose(cusp_call *call) {
  const cusp_subgraphs *graphs = call->attrs[0].subgraphs;
  choose_state *state;
  CUSP_TRY(cusp_alloc_zeroed((void **)&state,
                             sizeof *state + (size_t)graphs->n_graphs * sizeof *state->branches));
  call->state = state;
  CUSP_TRY(cusp_alloc((void **)&state->destinations,
                      (size_t)call->n_outputs * sizeof *state->destinations));
  while (state->n_branches < graphs->n_graphs) {
    int branch = state->n_branches++;
    CUSP_TRY(cusp_subplan_new(&state->branches[branch], graphs, branch));
  }
  return CUSP_OK;
}

static void release_choose(cusp_call *call) {
  choose_state *state = call->state;
  if (!state)
    return;
  for (int i = 0; i < state->n_branches; i++)
    cusp_subplan_free(&state->branches[i]);
  cusp_free(state->destinations);
  cusp_free(state);
  call->state = NULL;
}

static int chosen(const cusp_array *index, int n_branches) {
  int64_t i = cusp_load_int(index->dtype, index->data);
  return i < 0 ? 0 : i >= n_branches ? n_branches - 1 : (int)i;
}

static cusp_status run_choose(cusp_call *call) {
  choose_state *state = call->state;
  for (int k = 0; k < call->n_outputs; k++)
    state->destinations[k] = call->outputs[k].data;
  return cusp_subplan_run(&state->branches[chosen(&call->inputs[0], state->n_branches)],
                          call->inputs + 1, state->destinations);
}

static const cusp_plan *inner_plan(const cusp_call *call, int index) {
  const choose_state *state = call->state;
  return index < state->n_branches ? state->branches[index].plan : NULL;
}

static const cusp_kernel choose_kernels[] = {
    {.name = "branches",
     .can_run = can_choose,
     .prepare = prepare_choose,
     .run = run_choose,
     .release = release_choose,
     .inner = inner_plan},
    {0},
};

const cusp_op cusp_ops_choose[] = {
    {.name = "choose",
     .arguments = "inputs..., graphs: int",
     .help = "What one of several sub-graphs computes.",
     .flags = CUSP_OP_HIDDEN,
     .infer = infer_choose,
     .gradient = choose_gradient,
     .kernels = choose_kernels},
    {0},
};
