/* The way back through a scan: its graph is differentiated once. Cotangents of carried values are
 * carried, those of slices are slices, and gradients of captured values are added up. What the way
 * back reads of a round becomes an output of the way forth. */
#include "rounds_gradient.h"

#include "../node/build.h"
#include "../node/gradient.h"
#include "../node/state.h"
#include "../node/subgraphs.h"

typedef struct backward {
  const cusp_gradient *g;
  const cusp_subgraph *body;
  cusp_rounds rounds;
  cusp_node *scan; /* that went forth */
  cusp_trace *trace;
  uint64_t first; /* the serial number of the first node that is made on the way back */
  cusp_map given; /* the body's inputs, by number */
  int n_targets;
  cusp_node **targets, **cotangents; /* outputs of the body that have a cotangent; placeholders */
  int *target_index;
  int n_flowing, n_sums, n_sources;
  cusp_node **sources, **sums, **gradients; /* carried and captured ones, then slices */
  int *source_index;
  int n_kept, kept_capacity;
  cusp_node **kept; /* of a round: what the way back reads */
  int *kept_output; /* which output of the scan that is */
  int n_inputs;     /* of the result: nodes outside, and what they are within */
  cusp_node **outer, **inner;
  cusp_arena arena;
} backward;

static cusp_status allocate(backward *b, int n_inputs, int n_outputs) {
  size_t all = (size_t)(n_inputs + n_outputs) + 1;
  cusp_node ***lists[] = {&b->targets, &b->cotangents, &b->sources, &b->sums, &b->gradients};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    CUSP_TRY(cusp_arena_alloc((void **)lists[i], &b->arena, all * sizeof **lists[i]));
  CUSP_TRY(
      cusp_arena_alloc((void **)&b->target_index, &b->arena, all * sizeof *b->target_index));
  return cusp_arena_alloc((void **)&b->source_index, &b->arena, all * sizeof *b->source_index);
}

/* ------------------------------------------------------------------ what flows */

static cusp_status add_target(backward *b, int output) {
  cusp_node *target = b->body->outputs[output];
  b->targets[b->n_targets] = target;
  b->target_index[b->n_targets] = output;
  return cusp_subgraph_placeholder(&b->cotangents[b->n_targets++], &target->type, b->trace);
}

static void add_source(backward *b, int input) {
  b->sources[b->n_sources] = b->body->inputs[input];
  b->source_index[b->n_sources++] = input;
}

/* Sums over the rounds of what is narrower than float32 are in float32. */
static cusp_status add_sum(backward *b, int input) {
  cusp_type type = b->body->inputs[input]->type;
  if (cusp_dtype_size(type.dtype) < cusp_dtype_size(CUSP_FLOAT32))
    type.dtype = CUSP_FLOAT32;
  CUSP_TRY(cusp_subgraph_placeholder(&b->sums[b->n_sources], &type, b->trace));
  add_source(b, input);
  b->n_sums++;
  return CUSP_OK;
}

static cusp_status find_flow(backward *b) {
  int slices = b->rounds.n_carried, captures = slices + b->rounds.n_slices;
  for (int k = 0; k < slices; k++)
    if (cusp_dtype_is_float(b->body->outputs[k]->type.dtype)) {
      CUSP_TRY(add_target(b, k));
      add_source(b, k);
    }
  b->n_flowing = b->n_targets;
  for (int k = slices; k < b->body->n_outputs; k++)
    if (b->g->dy[k])
      CUSP_TRY(add_target(b, k));
  for (int i = captures; i < b->g->n_inputs; i++)
    if (b->g->wanted[i])
      CUSP_TRY(add_sum(b, i));
  for (int i = slices; i < captures; i++)
    if (b->g->wanted[i])
      add_source(b, i);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the graph of a round back */

/* Captured values and slices without a gradient are no sources any more. */
static void drop_unreached(backward *b) {
  int kept = b->n_flowing, sums = b->n_sums;
  for (int i = b->n_flowing; i < b->n_sources; i++) {
    bool is_sum = i < b->n_flowing + sums;
    if (!b->gradients[i]) {
      b->n_sums -= is_sum;
      continue;
    }
    b->gradients[kept] = b->gradients[i];
    b->sources[kept] = b->sources[i];
    b->source_index[kept] = b->source_index[i];
    b->sums[kept++] = b->sums[i];
  }
  b->n_sources = kept;
}

static cusp_status differentiate(backward *b) {
  cusp_status status =
      cusp_gradients_within(cusp_subgraph_stop(&b->given), b->gradients, b->n_targets, b->targets,
                            b->cotangents, b->n_sources, b->sources);
  for (int i = 0; status == CUSP_OK && i < b->n_sources; i++)
    if (b->gradients[i] && !cusp_scope_adopt(b->gradients[i]))
      status = cusp_error_status();
  CUSP_TRY(status);
  drop_unreached(b);
  for (int i = 0; i < b->n_flowing + b->n_sums; i++) {
    if (i >= b->n_flowing)
      b->gradients[i] =
          cusp_add(b->sums[i], cusp_cast(b->gradients[i], b->sums[i]->type.dtype));
    else if (!b->gradients[i])
      b->gradients[i] = cusp_zeros_like(b->sources[i]);
    CUSP_TRY(cusp_built(b->gradients[i]));
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ what is kept of a round */

/* A node of the way forth, or one of its results. */
static bool made_before(const backward *b, const cusp_node *node) {
  if (node->inputs && node->n_inputs == 1 && node->inputs[0]->n_outputs > 1)
    node = node->inputs[0];
  return node->serial < b->first;
}

/* A view is made again of what it shows. */
static bool is_kept(const void *context, const cusp_node *node) {
  const backward *b = context;
  return cusp_is_leaf(node) || cusp_map_get(&b->given, node) >= 0 ||
         (made_before(b, node) && !(node->op->flags & CUSP_OP_VIEW));
}

static cusp_status keep(backward *b, cusp_node *node) {
  for (int k = b->rounds.n_carried; k < b->body->n_outputs; k++)
    if (b->body->outputs[k] == node) {
      b->kept_output[b->n_kept] = k;
      b->kept[b->n_kept++] = node;
      return CUSP_OK;
    }
  b->kept_output[b->n_kept] = -1;
  b->kept[b->n_kept++] = node;
  return CUSP_OK;
}

static bool is_placeholder(const cusp_node *node) {
  return !node->op && !cusp_node_evaluated(node);
}

/* Nodes of the way forth, and carried values; slices and captures are at hand. */
static cusp_status find_kept(backward *b) {
  cusp_order order = {0};
  cusp_stop stop = {.at = is_kept, .context = b};
  cusp_status status = cusp_order_collect(&order, b->n_sources, b->gradients, stop);
  size_t room = (size_t)order.count + 1;
  if (status == CUSP_OK)
    status = cusp_arena_alloc((void **)&b->kept, &b->arena, room * sizeof *b->kept);
  if (status == CUSP_OK)
    status = cusp_arena_alloc((void **)&b->kept_output, &b->arena, room * sizeof *b->kept_output);
  for (int i = 0; status == CUSP_OK && i < order.count; i++) {
    cusp_node *node = order.nodes[i];
    int input = cusp_map_get(&b->given, node);
    bool carried = input >= 0 && input < b->rounds.n_carried;
    if (carried || (input < 0 && cusp_stops(stop, node) && !cusp_node_evaluated(node) &&
                    !is_placeholder(node)))
      status = keep(b, node);
  }
  cusp_order_free(&order);
  return status;
}

/* What no output gives yet becomes one. */
static cusp_status extend_scan(backward *b) {
  cusp_node **more;
  int count = 0, before = b->scan->n_outputs;
  CUSP_TRY(cusp_arena_alloc((void **)&more, &b->arena, ((size_t)b->n_kept + 1) * sizeof *more));
  for (int i = 0; i < b->n_kept; i++)
    if (b->kept_output[i] < 0) {
      b->kept_output[i] = before + count;
      more[count++] = b->kept[i];
    }
  if (!count)
    return CUSP_OK;
  CUSP_TRY(cusp_scan_extend(b->scan, count, more));
  b->body = &b->scan->attrs[0].subgraphs->graphs[0];
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the scan back */

static void add_input(backward *b, cusp_node *outer, cusp_node *inner) {
  b->outer[b->n_inputs] = outer;
  b->inner[b->n_inputs++] = inner;
}

static cusp_status add_carried(backward *b) {
  for (int i = 0; i < b->n_flowing; i++) {
    cusp_node *flowing = b->g->dy[b->target_index[i]];
    add_input(b, flowing ? flowing : cusp_zeros_like(b->targets[i]), b->cotangents[i]);
    CUSP_TRY(cusp_built(b->outer[b->n_inputs - 1]));
  }
  for (int i = b->n_flowing; i < b->n_flowing + b->n_sums; i++) {
    add_input(b, cusp_zeros_like(b->sums[i]), b->sums[i]);
    CUSP_TRY(cusp_built(b->outer[b->n_inputs - 1]));
  }
  return CUSP_OK;
}

static cusp_status add_slices(backward *b) {
  for (int i = b->n_flowing; i < b->n_targets; i++)
    add_input(b, b->g->dy[b->target_index[i]], b->cotangents[i]);
  for (int i = 0; i < b->n_kept; i++) {
    cusp_node *pick;
    CUSP_TRY(cusp_node_pick(&pick, b->scan, b->kept_output[i]));
    if (!cusp_scope_adopt(pick))
      return cusp_error_status();
    add_input(b, pick, b->kept[i]);
  }
  for (int i = b->rounds.n_carried; i < b->rounds.n_carried + b->rounds.n_slices; i++)
    add_input(b, b->g->x[i], b->body->inputs[i]);
  return CUSP_OK;
}

static cusp_status make_graph(const backward *b, cusp_subgraphs **out) {
  CUSP_TRY(cusp_subgraphs_new(out, b->n_inputs, 1, &b->n_sources));
  cusp_subgraph *graph = &(*out)->graphs[0];
  for (int i = 0; i < b->n_inputs; i++)
    cusp_node_retain(graph->inputs[i] = b->inner[i]);
  for (int k = 0; k < b->n_sources; k++)
    cusp_node_retain(graph->outputs[k] = b->gradients[k]);
  return CUSP_OK;
}

static cusp_status give_gradients(backward *b, const cusp_rounds *rounds) {
  cusp_node **picks;
  cusp_subgraphs *graph;
  CUSP_TRY(cusp_arena_alloc((void **)&picks, &b->arena, (size_t)b->n_sources * sizeof *picks));
  CUSP_TRY(make_graph(b, &graph));
  cusp_status status = cusp_scan_node(picks, b->n_inputs, b->outer, graph, rounds);
  cusp_subgraphs_release(graph);
  CUSP_TRY(status);
  for (int i = 0; i < b->n_sources; i++)
    if (!(b->g->dx[b->source_index[i]] = cusp_scope_adopt(picks[i])))
      status = cusp_error_status();
  return status;
}

static cusp_status scan_back(backward *b) {
  size_t most = (size_t)(b->n_sources + b->n_targets + b->n_kept + b->g->n_inputs) + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&b->outer, &b->arena, most * sizeof *b->outer));
  CUSP_TRY(cusp_arena_alloc((void **)&b->inner, &b->arena, most * sizeof *b->inner));
  CUSP_TRY(add_carried(b));
  cusp_rounds rounds = {b->rounds.count, !b->rounds.reverse, b->n_inputs, 0};
  CUSP_TRY(add_slices(b));
  rounds.n_slices = b->n_inputs - rounds.n_carried;
  for (int i = b->rounds.n_carried + b->rounds.n_slices; i < b->g->n_inputs; i++)
    add_input(b, b->g->x[i], b->body->inputs[i]);
  return give_gradients(b, &rounds);
}

static cusp_status go_back(backward *b) {
  CUSP_TRY(allocate(b, b->g->n_inputs, b->body->n_outputs));
  CUSP_TRY(cusp_subgraph_map(&b->given, b->scan->attrs[0].subgraphs, 0));
  CUSP_TRY(find_flow(b));
  if (!b->n_targets)
    return CUSP_OK;
  CUSP_TRY(differentiate(b));
  if (!b->n_sources)
    return CUSP_OK;
  CUSP_TRY(find_kept(b));
  CUSP_TRY(extend_scan(b));
  return scan_back(b);
}

cusp_status cusp_rounds_gradient(cusp_gradient *g) {
  cusp_node *scan = (cusp_node *)g->node; /* which gets outputs, and keeps those that it has */
  const cusp_subgraphs *graphs = scan->attrs[0].subgraphs;
  backward b = {.g = g,
                .scan = scan,
                .trace = scan->trace ? scan->trace : cusp_state()->trace,
                .body = &graphs->graphs[0],
                .rounds = graphs->rounds,
                .first = cusp_state()->stats.nodes_made};
  cusp_status status = go_back(&b);
  cusp_map_free(&b.given);
  cusp_arena_free(&b.arena);
  return status;
}
