#include "round_back.h"

#include "../node/build.h"
#include "../node/gradient.h"
#include "../node/state.h"
#include "../node/table.h"

cusp_status cusp_round_back_new(cusp_round_back *b, const cusp_subgraphs *all, int graph,
                                cusp_trace *trace) {
  *b = (cusp_round_back){.graph = &all->graphs[graph],
                         .n_inputs = all->n_inputs,
                         .trace = trace,
                         .first = cusp_state()->stats.nodes_made};
  size_t room = (size_t)(all->n_inputs + b->graph->n_outputs) + 1;
  cusp_node ***lists[] = {&b->targets,   &b->cotangents, &b->sources, &b->sums,
                          &b->gradients, &b->left,       &b->right};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    CUSP_TRY(cusp_arena_alloc((void **)lists[i], &b->arena, room * sizeof **lists[i]));
  CUSP_TRY(cusp_arena_alloc((void **)&b->source_index, &b->arena, room * sizeof *b->source_index));
  return cusp_subgraph_map(&b->given, all, graph);
}

void cusp_round_back_free(cusp_round_back *b) {
  cusp_map_free(&b->given);
  cusp_arena_free(&b->arena);
}

/* ------------------------------------------------------------------ what flows */

cusp_status cusp_round_back_cotangent(cusp_node **out, const cusp_round_back *b, int output) {
  return cusp_subgraph_placeholder(out, &b->graph->outputs[output]->type, b->trace);
}

void cusp_round_back_target(cusp_round_back *b, int output, cusp_node *cotangent) {
  b->targets[b->n_targets] = b->graph->outputs[output];
  b->cotangents[b->n_targets++] = cotangent;
}

cusp_status cusp_round_back_flow(cusp_round_back *b, int first, int n_carried) {
  for (int k = 0; k < n_carried; k++) {
    cusp_node *cotangent;
    if (!cusp_dtype_is_float(b->graph->outputs[k]->type.dtype))
      continue;
    CUSP_TRY(cusp_round_back_cotangent(&cotangent, b, k));
    cusp_round_back_target(b, k, cotangent);
    CUSP_TRY(cusp_round_back_source(b, first + k, false));
    b->n_flowing++;
  }
  return CUSP_OK;
}

/* Sums over the rounds of what is narrower than float32 are in float32. */
cusp_status cusp_round_back_source(cusp_round_back *b, int input, bool summed) {
  int i = b->n_sources++;
  b->sources[i] = b->graph->inputs[input];
  b->source_index[i] = input;
  b->sums[i] = NULL;
  if (!summed)
    return CUSP_OK;
  cusp_type type = b->sources[i]->type;
  if (cusp_dtype_size(type.dtype) < cusp_dtype_size(CUSP_FLOAT32))
    type.dtype = CUSP_FLOAT32;
  return cusp_subgraph_placeholder(&b->sums[i], &type, b->trace);
}

/* ------------------------------------------------------------------ the graph of a round back */

static void drop_unreached(cusp_round_back *b) {
  int left = b->n_flowing;
  for (int i = b->n_flowing; i < b->n_sources; i++) {
    if (!b->gradients[i])
      continue;
    b->gradients[left] = b->gradients[i];
    b->sources[left] = b->sources[i];
    b->source_index[left] = b->source_index[i];
    b->sums[left++] = b->sums[i];
  }
  b->n_sources = left;
}

static cusp_status adopt_gradients(cusp_round_back *b) {
  cusp_status status = CUSP_OK;
  for (int i = 0; i < b->n_sources; i++)
    if (b->gradients[i] && !cusp_scope_adopt(b->gradients[i]))
      status = cusp_error_status();
  return status;
}

static bool is_op(const cusp_node *node, const char *name) {
  return node->op && node->inputs && node->op == cusp_op_find(name);
}

static bool swaps_axes(const cusp_node *node) {
  const cusp_attr *axes = &node->attrs[0];
  return node->type.shape.ndim == 2 &&
         (axes->kind != CUSP_ATTR_INTS || (axes->ints[0] == 1 && axes->ints[1] == 0));
}

#define FITS_CACHE ((int64_t)1 << 15) /* elements of a sum that each round finds in the cache */

/* A large product over few rows: adding up the results of the rounds would take longer than they
 * do. */
static void find_factors(cusp_round_back *b, int i) {
  const cusp_node *product = b->gradients[i];
  if (!b->sums[i] || !is_op(product, "matmul"))
    return;
  cusp_node *a = product->inputs[0], *right = product->inputs[1];
  if (!is_op(a, "transpose") || !swaps_axes(a) || right->type.shape.ndim != 2 ||
      cusp_shape_count(&product->type.shape) < FITS_CACHE ||
      right->type.shape.size[0] > a->type.shape.size[0])
    return;
  b->left[i] = a->inputs[0];
  b->right[i] = right;
  b->sums[i] = NULL;
}

cusp_status cusp_round_back_differentiate(cusp_round_back *b, bool factored) {
  CUSP_TRY(cusp_gradients_within(cusp_subgraph_stop(&b->given), b->gradients, b->n_targets,
                                 b->targets, b->cotangents, b->n_sources, b->sources));
  CUSP_TRY(adopt_gradients(b));
  drop_unreached(b);
  for (int i = 0; i < b->n_sources; i++) {
    if (factored)
      find_factors(b, i);
    if (b->sums[i])
      b->gradients[i] = cusp_add(b->sums[i], cusp_cast(b->gradients[i], b->sums[i]->type.dtype));
    else if (!b->gradients[i])
      b->gradients[i] = cusp_zeros_like(b->sources[i]);
    CUSP_TRY(cusp_built(b->gradients[i]));
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ what is kept of a round */

/* A node of the way forth, or one of its results. */
static bool made_before(const cusp_round_back *b, const cusp_node *node) {
  if (node->inputs && node->n_inputs == 1 && node->inputs[0]->n_outputs > 1)
    node = node->inputs[0];
  return node->serial < b->first;
}

/* A view is made again of what it shows. */
static bool is_read(const void *context, const cusp_node *node) {
  const cusp_round_back *b = context;
  return cusp_is_leaf(node) || cusp_map_get(&b->given, node) >= 0 ||
         (made_before(b, node) && !(node->op->flags & CUSP_OP_VIEW));
}

static bool has_to_be_kept(const cusp_round_back *b, const cusp_node *node, int first, int count) {
  int input = cusp_map_get(&b->given, node);
  if (input >= 0)
    return input >= first && input < first + count;
  return !cusp_is_leaf(node) && is_read(b, node);
}

cusp_status cusp_round_back_keep(cusp_round_back *b, int first, int count) {
  cusp_order order = {0};
  cusp_stop stop = {.at = is_read, .context = b};
  cusp_status status = CUSP_OK;
  for (int i = 0; status == CUSP_OK && i < b->n_sources; i++) {
    cusp_node *factors[] = {b->left[i], b->right[i]};
    status = b->left[i] ? cusp_order_collect(&order, 2, factors, stop)
                        : cusp_order_collect(&order, 1, &b->gradients[i], stop);
  }
  if (status == CUSP_OK)
    status =
        cusp_arena_alloc((void **)&b->kept, &b->arena, ((size_t)order.count + 1) * sizeof *b->kept);
  for (int i = 0; status == CUSP_OK && i < order.count; i++)
    if (has_to_be_kept(b, order.nodes[i], first, count))
      b->kept[b->n_kept++] = order.nodes[i];
  cusp_order_free(&order);
  return status;
}
