/* The way back through a scan is a scan, too: cotangents of carried values are carried, those of
 * slices are slices, and gradients of captured values are added up. What it reads of a round forth
 * becomes an output of the scan forth. */
#include "rounds_gradient.h"

#include "../node/build.h"
#include "../node/state.h"
#include "round_back.h"

typedef struct backward {
  const cusp_gradient *g;
  cusp_node *scan; /* that went forth */
  cusp_rounds rounds;
  cusp_round_back back;
  int n_slice_targets, *slice_targets; /* which outputs, after the carried ones, have a cotangent */
  int *kept_outputs;                   /* of the scan, what of a round is kept */
  int n_inputs;                        /* of the scan back: nodes outside, and within */
  cusp_node **outer, **inner;
  int n_outputs; /* of the scan back: of its graph, and which source each is of */
  cusp_node **outputs;
  int *output_of_source; /* by source: its gradient, or its right factor */
  int *left_of_source;   /* its left factor: an output, or -1 - an input */
  cusp_node **picks;
} backward;

/* ------------------------------------------------------------------ what flows */

static cusp_status find_slice_targets(backward *b) {
  int n_outputs = b->back.graph->n_outputs;
  CUSP_TRY(cusp_arena_alloc((void **)&b->slice_targets, &b->back.arena,
                            ((size_t)n_outputs + 1) * sizeof *b->slice_targets));
  for (int k = b->rounds.n_carried; k < n_outputs; k++) {
    cusp_node *cotangent;
    if (!b->g->dy[k])
      continue;
    CUSP_TRY(cusp_round_back_cotangent(&cotangent, &b->back, k));
    cusp_round_back_target(&b->back, k, cotangent);
    b->slice_targets[b->n_slice_targets++] = k;
  }
  return CUSP_OK;
}

static cusp_status find_flow(backward *b) {
  int slices = b->rounds.n_carried, captures = slices + b->rounds.n_slices;
  CUSP_TRY(cusp_round_back_flow(&b->back, 0, slices));
  CUSP_TRY(find_slice_targets(b));
  for (int i = captures; i < b->g->n_inputs; i++)
    if (b->g->wanted[i])
      CUSP_TRY(cusp_round_back_source(&b->back, i, true));
  for (int i = slices; i < captures; i++)
    if (b->g->wanted[i])
      CUSP_TRY(cusp_round_back_source(&b->back, i, false));
  return CUSP_OK;
}

/* ------------------------------------------------------------------ what is kept */

static int output_of(const backward *b, const cusp_node *node) {
  for (int k = b->rounds.n_carried; k < b->back.graph->n_outputs; k++)
    if (b->back.graph->outputs[k] == node)
      return k;
  return -1;
}

/* What no output gives yet becomes one. */
static cusp_status extend_scan(backward *b) {
  cusp_node **more;
  int count = 0, before = b->scan->n_outputs;
  size_t room = (size_t)b->back.n_kept + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&more, &b->back.arena, room * sizeof *more));
  CUSP_TRY(
      cusp_arena_alloc((void **)&b->kept_outputs, &b->back.arena, room * sizeof *b->kept_outputs));
  for (int i = 0; i < b->back.n_kept; i++) {
    b->kept_outputs[i] = output_of(b, b->back.kept[i]);
    if (b->kept_outputs[i] >= 0)
      continue;
    b->kept_outputs[i] = before + count;
    more[count++] = b->back.kept[i];
  }
  if (!count)
    return CUSP_OK;
  CUSP_TRY(cusp_scan_extend(b->scan, count, more));
  b->back.graph = &b->scan->attrs[0].subgraphs->graphs[0];
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the scan back */

static void add_input(backward *b, cusp_node *outer, cusp_node *inner) {
  b->outer[b->n_inputs] = outer;
  b->inner[b->n_inputs++] = inner;
}

static int carried_target(const backward *b, int flowing) { return b->back.source_index[flowing]; }

static cusp_status add_carried(backward *b) {
  for (int i = 0; i < b->back.n_sources; i++) {
    bool flows = i < b->back.n_flowing;
    if (!flows && !b->back.sums[i])
      continue;
    cusp_node *inner = flows ? b->back.cotangents[i] : b->back.sums[i],
              *outer = flows ? b->g->dy[carried_target(b, i)] : NULL;
    if (!outer)
      outer = cusp_zeros_like(inner);
    CUSP_TRY(cusp_built(outer));
    add_input(b, outer, inner);
  }
  return CUSP_OK;
}

static cusp_status add_slices(backward *b) {
  for (int i = 0; i < b->n_slice_targets; i++)
    add_input(b, b->g->dy[b->slice_targets[i]], b->back.cotangents[b->back.n_flowing + i]);
  for (int i = 0; i < b->back.n_kept; i++) {
    cusp_node *pick;
    CUSP_TRY(cusp_node_pick(&pick, b->scan, b->kept_outputs[i]));
    if (!cusp_scope_adopt(pick))
      return cusp_error_status();
    add_input(b, pick, b->back.kept[i]);
  }
  for (int i = b->rounds.n_carried; i < b->rounds.n_carried + b->rounds.n_slices; i++)
    add_input(b, b->g->x[i], b->back.graph->inputs[i]);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ what it gives */

static int add_output(backward *b, cusp_node *node) {
  b->outputs[b->n_outputs] = node;
  return b->n_outputs++;
}

/* A factor that is a slice already needs no output. */
static int find_left(backward *b, int source, const cusp_rounds *rounds) {
  for (int i = rounds->n_carried; i < rounds->n_carried + rounds->n_slices; i++)
    if (b->inner[i] == b->back.left[source])
      return -1 - i;
  return add_output(b, b->back.left[source]);
}

/* What is carried comes first. */
static cusp_status list_outputs(backward *b, const cusp_rounds *rounds) {
  const cusp_round_back *back = &b->back;
  size_t room = 2 * (size_t)back->n_sources + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&b->outputs, &b->back.arena, room * sizeof *b->outputs));
  CUSP_TRY(cusp_arena_alloc((void **)&b->picks, &b->back.arena, room * sizeof *b->picks));
  CUSP_TRY(cusp_arena_alloc((void **)&b->output_of_source, &b->back.arena, room * sizeof(int)));
  CUSP_TRY(cusp_arena_alloc((void **)&b->left_of_source, &b->back.arena, room * sizeof(int)));
  for (int i = 0; i < back->n_sources; i++)
    if (i < back->n_flowing || back->sums[i])
      b->output_of_source[i] = add_output(b, back->gradients[i]);
  for (int i = back->n_flowing; i < back->n_sources; i++) {
    if (back->sums[i])
      continue;
    b->output_of_source[i] = add_output(b, back->left[i] ? back->right[i] : back->gradients[i]);
    if (back->left[i])
      b->left_of_source[i] = find_left(b, i, rounds);
  }
  return CUSP_OK;
}

static cusp_status make_graph(const backward *b, cusp_subgraphs **out) {
  CUSP_TRY(cusp_subgraphs_new(out, b->n_inputs, 1, &b->n_outputs));
  cusp_subgraph *graph = &(*out)->graphs[0];
  for (int i = 0; i < b->n_inputs; i++)
    cusp_node_retain(graph->inputs[i] = b->inner[i]);
  for (int k = 0; k < b->n_outputs; k++)
    cusp_node_retain(graph->outputs[k] = b->outputs[k]);
  return CUSP_OK;
}

/* Steps and batch as one axis. */
static cusp_node *rows_of(cusp_node *stacked) {
  const cusp_shape *shape = &stacked->type.shape;
  cusp_shape rows = {.ndim = 2, .size = {shape->size[0] * shape->size[1], shape->size[2]}};
  return cusp_reshape(stacked, &rows);
}

static cusp_node *gradient_of(const backward *b, int source) {
  cusp_node *pick = b->picks[b->output_of_source[source]];
  if (!b->back.left[source])
    return pick;
  int left = b->left_of_source[source];
  return cusp_matmul(cusp_transpose(rows_of(left < 0 ? b->outer[-1 - left] : b->picks[left]), NULL),
                     rows_of(pick));
}

static cusp_status give_gradients(backward *b, const cusp_rounds *rounds) {
  cusp_subgraphs *graph;
  CUSP_TRY(list_outputs(b, rounds));
  CUSP_TRY(make_graph(b, &graph));
  cusp_status status = cusp_scan_node(b->picks, b->n_inputs, b->outer, graph, rounds);
  cusp_subgraphs_release(graph);
  CUSP_TRY(status);
  for (int k = 0; k < b->n_outputs; k++)
    if (!cusp_scope_adopt(b->picks[k]))
      status = cusp_error_status();
  CUSP_TRY(status);
  for (int i = 0; i < b->back.n_sources; i++)
    CUSP_TRY(cusp_built(b->g->dx[b->back.source_index[i]] = gradient_of(b, i)));
  return CUSP_OK;
}

static cusp_status scan_back(backward *b) {
  size_t most =
      (size_t)(b->back.n_sources + b->back.n_targets + b->back.n_kept + b->g->n_inputs) + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&b->outer, &b->back.arena, most * sizeof *b->outer));
  CUSP_TRY(cusp_arena_alloc((void **)&b->inner, &b->back.arena, most * sizeof *b->inner));
  CUSP_TRY(add_carried(b));
  cusp_rounds rounds = {b->rounds.count, !b->rounds.reverse, b->n_inputs, 0};
  CUSP_TRY(add_slices(b));
  rounds.n_slices = b->n_inputs - rounds.n_carried;
  for (int i = b->rounds.n_carried + b->rounds.n_slices; i < b->g->n_inputs; i++)
    add_input(b, b->g->x[i], b->back.graph->inputs[i]);
  return give_gradients(b, &rounds);
}

static cusp_status go_back(backward *b, cusp_trace *trace) {
  CUSP_TRY(cusp_round_back_new(&b->back, b->scan->attrs[0].subgraphs, 0, trace));
  CUSP_TRY(find_flow(b));
  if (!b->back.n_targets)
    return CUSP_OK;
  CUSP_TRY(cusp_round_back_differentiate(&b->back, b->rounds.count > 0));
  if (!b->back.n_sources)
    return CUSP_OK;
  CUSP_TRY(cusp_round_back_keep(&b->back, 0, b->rounds.n_carried));
  CUSP_TRY(extend_scan(b));
  return scan_back(b);
}

cusp_status cusp_rounds_gradient(cusp_gradient *g) {
  cusp_node *scan = (cusp_node *)g->node; /* which gets outputs, and keeps those that it has */
  backward b = {.g = g, .scan = scan, .rounds = scan->attrs[0].subgraphs->rounds};
  cusp_status status = go_back(&b, scan->trace ? scan->trace : cusp_state()->trace);
  cusp_round_back_free(&b.back);
  return status;
}
