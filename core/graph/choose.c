/* The row `choose`: each of its sub-graphs is a plan of its own, and the one that is chosen runs. */
#include "choose.h"

#include "../ops/build.h"
#include "import.h"
#include "plan.h"
#include "state.h"

/* ------------------------------------------------------------------ sub-graphs */

cusp_status cusp_choices_new(cusp_choices **out, int n_branches, int n_captures, int n_outputs) {
  cusp_choices *choices;
  *out = NULL;
  size_t captures = (size_t)n_captures * sizeof(cusp_node *);
  size_t outputs = (size_t)n_branches * (size_t)n_outputs * sizeof(cusp_node *);
  CUSP_TRY(cusp_alloc_zeroed((void **)&choices, sizeof *choices + captures + outputs));
  choices->references = 1;
  choices->n_branches = n_branches;
  choices->n_captures = n_captures;
  choices->n_outputs = n_outputs;
  choices->captures = (cusp_node **)(void *)(choices + 1);
  choices->outputs = choices->captures + n_captures;
  *out = choices;
  return CUSP_OK;
}

void cusp_choices_retain(cusp_choices *choices) { choices->references++; }

void cusp_choices_release(cusp_choices *choices) {
  if (!choices || --choices->references > 0)
    return;
  for (int i = 0; i < choices->n_captures; i++)
    cusp_node_release(choices->captures[i]);
  for (int i = 0; i < choices->n_branches * choices->n_outputs; i++)
    cusp_node_release(choices->outputs[i]);
  cusp_free(choices);
}

static cusp_status map_captures(cusp_map *map, const cusp_choices *choices) {
  for (int i = 0; i < choices->n_captures; i++)
    CUSP_TRY(cusp_map_put(map, choices->captures[i], i));
  return CUSP_OK;
}

static bool captured_or_leaf(const void *map, const cusp_node *node) { return cusp_is_leaf(node) || cusp_map_get(map, node) >= 0; }

/* ------------------------------------------------------------------ nodes */

static cusp_status infer_choose(cusp_inference *inference) {
  return cusp_infer_fail(inference, CUSP_EUNSUPPORTED, "made by cond and switch only");
}

cusp_status cusp_choose_new(cusp_node **picks, cusp_node *index, cusp_node *const *captured, cusp_choices *choices) {
  int n_inputs = 1 + choices->n_captures, n_outputs = choices->n_outputs, made = 0;
  cusp_node **inputs = NULL, *node = NULL;
  cusp_type *types = NULL;
  cusp_attr attr = {.kind = CUSP_ATTR_CHOICES, .choices = choices};
  cusp_status status = cusp_alloc((void **)&inputs, (size_t)n_inputs * sizeof *inputs);
  if (status == CUSP_OK)
    status = cusp_alloc((void **)&types, (size_t)n_outputs * sizeof *types);
  if (status == CUSP_OK) {
    inputs[0] = index;
    for (int i = 0; i < choices->n_captures; i++)
      inputs[1 + i] = captured[i];
    for (int k = 0; k < n_outputs; k++)
      types[k] = choices->outputs[k]->type;
    status = cusp_node_of_types(&node, cusp_op_find("choose"), n_inputs, inputs, &attr, n_outputs, types);
  }
  while (status == CUSP_OK && made < n_outputs) {
    status = cusp_node_pick(&picks[made], node, made);
    made += status == CUSP_OK;
  }
  for (int k = 0; status != CUSP_OK && k < made; k++)
    cusp_node_release(picks[k]);
  cusp_node_release(node);
  cusp_free(inputs);
  cusp_free(types);
  return status;
}

/* ------------------------------------------------------------------ gradient */

/* A choice among the branches' gradients, of the captures that are wanted, given those of the outputs that have one. */
typedef struct backward {
  const cusp_choices *choices;
  cusp_map captures;
  cusp_node **targets, **cotangents, **flowing; /* cotangents: placeholders within; flowing: what they stand for */
  int n_targets, *target_index;
  cusp_node **sources;
  int n_sources, *source_index;
  cusp_node **gradients; /* n_sources of each branch; references, NULL: none */
  cusp_choices *result;
  cusp_arena arena;
} backward;

static cusp_status allocate_backward(backward *b) {
  size_t outputs = (size_t)b->choices->n_outputs, captures = (size_t)b->choices->n_captures;
  CUSP_TRY(cusp_arena_alloc((void **)&b->targets, &b->arena, outputs * sizeof *b->targets));
  CUSP_TRY(cusp_arena_alloc((void **)&b->cotangents, &b->arena, outputs * sizeof *b->cotangents));
  CUSP_TRY(cusp_arena_alloc((void **)&b->flowing, &b->arena, (outputs + captures) * sizeof *b->flowing));
  CUSP_TRY(cusp_arena_alloc((void **)&b->target_index, &b->arena, outputs * sizeof *b->target_index));
  CUSP_TRY(cusp_arena_alloc((void **)&b->sources, &b->arena, captures * sizeof *b->sources));
  CUSP_TRY(cusp_arena_alloc((void **)&b->source_index, &b->arena, captures * sizeof *b->source_index));
  return cusp_arena_alloc((void **)&b->gradients, &b->arena, (size_t)b->choices->n_branches * captures * sizeof *b->gradients);
}

static cusp_status placeholder(cusp_node **out, const cusp_type *type, cusp_trace *trace) {
  cusp_array empty = {.dtype = type->dtype, .shape = type->shape};
  CUSP_TRY(cusp_node_leaf(out, &empty));
  cusp_scope_adopt(*out);
  (*out)->trace = trace;
  cusp_trace_retain(trace);
  return CUSP_OK;
}

static cusp_status find_flow(backward *b, const cusp_gradient *g) {
  for (int k = 0; k < b->choices->n_outputs; k++) {
    if (!g->dy[k])
      continue;
    CUSP_TRY(placeholder(&b->cotangents[b->n_targets], &g->dy[k]->type, g->node->trace));
    b->flowing[b->n_targets] = g->dy[k];
    b->target_index[b->n_targets++] = k;
  }
  for (int i = 0; i < b->choices->n_captures; i++)
    if (g->wanted[1 + i]) {
      b->source_index[b->n_sources] = i;
      b->sources[b->n_sources++] = b->choices->captures[i];
    }
  return CUSP_OK;
}

static cusp_status differentiate_branch(backward *b, int branch) {
  cusp_stop stop = {.at = captured_or_leaf, .context = &b->captures};
  for (int k = 0; k < b->n_targets; k++)
    b->targets[k] = b->choices->outputs[branch * b->choices->n_outputs + b->target_index[k]];
  cusp_node **gradients = b->gradients + branch * b->n_sources;
  CUSP_TRY(cusp_gradients_within(stop, gradients, b->n_targets, b->targets, b->cotangents, b->n_sources, b->sources));
  for (int i = 0; i < b->n_sources; i++)
    if (gradients[i] && !cusp_scope_adopt(gradients[i]))
      return cusp_error_status();
  return CUSP_OK;
}

/* Captures that no branch gives a gradient are no sources. */
static void drop_unreached(backward *b) {
  int kept = 0, all = b->n_sources;
  for (int i = 0; i < all; i++) {
    bool reached = false;
    for (int branch = 0; branch < b->choices->n_branches; branch++)
      reached |= b->gradients[branch * all + i] != NULL;
    if (!reached)
      continue;
    for (int branch = 0; branch < b->choices->n_branches; branch++)
      b->gradients[branch * all + kept] = b->gradients[branch * all + i];
    b->sources[kept] = b->sources[i];
    b->source_index[kept++] = b->source_index[i];
  }
  for (int branch = 1; branch < b->choices->n_branches; branch++)
    for (int i = 0; i < kept; i++)
      b->gradients[branch * kept + i] = b->gradients[branch * all + i];
  b->n_sources = kept;
}

static cusp_status fill_result(backward *b) {
  const cusp_choices *from = b->choices;
  CUSP_TRY(cusp_choices_new(&b->result, from->n_branches, from->n_captures + b->n_targets, b->n_sources));
  for (int i = 0; i < from->n_captures; i++)
    cusp_node_retain(b->result->captures[i] = from->captures[i]);
  for (int k = 0; k < b->n_targets; k++)
    cusp_node_retain(b->result->captures[from->n_captures + k] = b->cotangents[k]);
  for (int i = 0; i < from->n_branches * b->n_sources; i++) {
    cusp_node *gradient = b->gradients[i] ? b->gradients[i] : cusp_zeros_like(b->sources[i % b->n_sources]);
    CUSP_TRY(cusp_built(gradient));
    cusp_node_retain(b->result->outputs[i] = gradient);
  }
  return CUSP_OK;
}

static cusp_status choose_gradients(backward *b, cusp_gradient *g) {
  cusp_node **captured, **picks;
  size_t captures = (size_t)b->choices->n_captures;
  CUSP_TRY(cusp_arena_alloc((void **)&captured, &b->arena, (captures + (size_t)b->n_targets) * sizeof *captured));
  CUSP_TRY(cusp_arena_alloc((void **)&picks, &b->arena, (size_t)b->n_sources * sizeof *picks));
  for (size_t i = 0; i < captures; i++)
    captured[i] = g->x[1 + i];
  for (int k = 0; k < b->n_targets; k++)
    captured[captures + (size_t)k] = b->flowing[k];
  CUSP_TRY(cusp_choose_new(picks, g->x[0], captured, b->result));
  for (int i = 0; i < b->n_sources; i++)
    g->dx[1 + b->source_index[i]] = cusp_scope_adopt(picks[i]);
  return CUSP_OK;
}

static cusp_status run_backward(backward *b, cusp_gradient *g) {
  CUSP_TRY(allocate_backward(b));
  CUSP_TRY(map_captures(&b->captures, b->choices));
  CUSP_TRY(find_flow(b, g));
  for (int branch = 0; branch < b->choices->n_branches; branch++)
    CUSP_TRY(differentiate_branch(b, branch));
  drop_unreached(b);
  if (!b->n_sources)
    return CUSP_OK;
  CUSP_TRY(fill_result(b));
  return choose_gradients(b, g);
}

/* The branches' own nodes are differentiated, so what the way back needs of the way there is computed again within the branch. */
static cusp_status choose_gradient(cusp_gradient *g) {
  backward b = {.choices = g->node->attrs[0].choices};
  cusp_status status = run_backward(&b, g);
  cusp_choices_release(b.result);
  cusp_map_free(&b.captures);
  cusp_arena_free(&b.arena);
  return status;
}

/* ------------------------------------------------------------------ running */

typedef struct branch_plan {
  cusp_plan *plan;
  int n_leaves, *inputs; /* by leaf: the row's input, -1: a constant */
  cusp_array *leaves;
} branch_plan;

typedef struct choose_state {
  int n_branches;
  cusp_array *results; /* scratch */
  void **destinations; /* scratch */
  branch_plan branches[];
} choose_state;

static bool can_choose(const cusp_call *call) {
  return call->attrs[0].kind == CUSP_ATTR_CHOICES && cusp_array_count(&call->inputs[0]) == 1;
}

static cusp_status find_inputs(branch_plan *b, const cusp_order *order, const cusp_map *captures) {
  CUSP_TRY(cusp_alloc((void **)&b->inputs, ((size_t)order->count + 1) * sizeof *b->inputs));
  for (int i = 0; i < order->count; i++)
    if (cusp_stops(order->stop, order->nodes[i])) {
      int capture = cusp_map_get(captures, order->nodes[i]);
      b->inputs[b->n_leaves++] = capture >= 0 ? 1 + capture : -1;
    }
  return cusp_alloc_zeroed((void **)&b->leaves, ((size_t)b->n_leaves + 1) * sizeof *b->leaves);
}

static cusp_status plan_branch(branch_plan *b, const cusp_choices *choices, int branch, const cusp_map *captures) {
  cusp_order order = {0};
  cusp_graph graph = {0};
  cusp_stop stop = {.at = captured_or_leaf, .context = captures};
  cusp_node *const *outputs = choices->outputs + branch * choices->n_outputs;
  cusp_status status = cusp_order_collect(&order, choices->n_outputs, outputs, stop);
  if (status == CUSP_OK)
    status = find_inputs(b, &order, captures);
  if (status == CUSP_OK)
    status = cusp_graph_import(&graph, &order, true, choices->n_outputs, outputs);
  cusp_order_free(&order);
  if (status == CUSP_OK)
    status = cusp_graph_rewrite(&graph);
  if (status != CUSP_OK) {
    cusp_graph_free(&graph);
    return status;
  }
  cusp_plan_options options = {.own_outputs = true, .keep_arena = true};
  return cusp_plan_new(&b->plan, &graph, &options);
}

static cusp_status prepare_choose(cusp_call *call) {
  const cusp_choices *choices = call->attrs[0].choices;
  choose_state *state;
  cusp_map captures = {0};
  size_t outputs = (size_t)choices->n_outputs;
  CUSP_TRY(cusp_alloc_zeroed((void **)&state, sizeof *state + (size_t)choices->n_branches * sizeof *state->branches));
  call->state = state;
  state->n_branches = choices->n_branches;
  CUSP_TRY(cusp_alloc_zeroed((void **)&state->results, outputs * sizeof *state->results));
  CUSP_TRY(cusp_alloc_zeroed((void **)&state->destinations, outputs * sizeof *state->destinations));
  cusp_status status = map_captures(&captures, choices);
  for (int i = 0; status == CUSP_OK && i < choices->n_branches; i++)
    status = plan_branch(&state->branches[i], choices, i, &captures);
  cusp_map_free(&captures);
  return status;
}

static void release_choose(cusp_call *call) {
  choose_state *state = call->state;
  if (!state)
    return;
  for (int i = 0; i < state->n_branches; i++) {
    cusp_plan_free(state->branches[i].plan);
    cusp_free(state->branches[i].inputs);
    cusp_free(state->branches[i].leaves);
  }
  cusp_free(state->results);
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
  branch_plan *b = &state->branches[chosen(&call->inputs[0], state->n_branches)];
  for (int i = 0; i < b->n_leaves; i++)
    if (b->inputs[i] >= 0)
      b->leaves[i] = call->inputs[b->inputs[i]];
  for (int k = 0; k < call->n_outputs; k++)
    state->destinations[k] = call->outputs[k].data;
  cusp_plan_io io = {.leaves = b->leaves, .destinations = state->destinations, .results = state->results};
  return cusp_plan_run(b->plan, &io);
}

static const cusp_kernel choose_kernels[] = {
    {.name = "branches", .can_run = can_choose, .prepare = prepare_choose, .run = run_choose, .release = release_choose},
    {0},
};

const cusp_op cusp_ops_choose[] = {
    {.name = "choose",
     .arguments = "inputs..., branches: int",
     .help = "What one of several sub-graphs computes.",
     .flags = CUSP_OP_HIDDEN,
     .infer = infer_choose,
     .gradient = choose_gradient,
     .kernels = choose_kernels},
    {0},
};
