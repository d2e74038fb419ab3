#include "order.h"

#include <stdlib.h>

typedef struct frame {
  cusp_node *node;
  int next_input;
} frame;

typedef struct walk {
  frame *frames;
  int depth, capacity;
} walk;

static cusp_status enter(walk *w, cusp_order *order, cusp_node *node) {
  if (cusp_map_get(&order->index, node) >= 0)
    return CUSP_OK;
  CUSP_TRY(CUSP_GROW(w->frames, w->capacity, w->depth + 1));
  w->frames[w->depth++] = (frame){node, 0};
  return CUSP_OK;
}

static cusp_status append(cusp_order *order, cusp_node *node) {
  CUSP_TRY(CUSP_GROW(order->nodes, order->capacity, order->count + 1));
  CUSP_TRY(cusp_map_put(&order->index, node, order->count));
  order->nodes[order->count++] = node;
  order->n_collectives += node->op && (node->op->flags & CUSP_OP_COLLECTIVE);
  return CUSP_OK;
}

static cusp_status walk_root(walk *w, cusp_order *order, cusp_node *root, cusp_stop stop) {
  CUSP_TRY(enter(w, order, root));
  while (w->depth > 0) {
    frame *top = &w->frames[w->depth - 1];
    cusp_node *node = top->node;
    bool inner = node->inputs && !cusp_stops(stop, node);
    if (inner && top->next_input < node->n_inputs) {
      CUSP_TRY(enter(w, order, node->inputs[top->next_input++]));
    } else {
      w->depth--;
      if (cusp_map_get(&order->index, node) < 0)
        CUSP_TRY(append(order, node));
    }
  }
  return CUSP_OK;
}

static bool at_leaf(const void *context, const cusp_node *node) {
  (void)context;
  return cusp_is_leaf(node);
}

const cusp_stop cusp_stop_at_leaves = {.at = at_leaf};

static cusp_status walk_roots(cusp_order *order, int n_roots, cusp_node *const *roots,
                              cusp_stop stop) {
  walk w = {0};
  cusp_status status = CUSP_OK;
  order->stop = stop;
  for (int i = 0; i < n_roots && status == CUSP_OK; i++)
    status = walk_root(&w, order, roots[i], stop);
  cusp_free(w.frames);
  return status;
}

static int compare_serials(const void *a, const void *b) {
  const cusp_node *x = *(cusp_node *const *)a, *y = *(cusp_node *const *)b;
  return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* Collectives come first, in the order in which they were made: that is the same in all processes,
 * and each can begin as soon as its inputs are there. */
static cusp_status collectives_first(cusp_order *order, int n_roots, cusp_node *const *roots,
                                     cusp_stop stop) {
  cusp_order first = {0};
  cusp_node **collectives = NULL;
  int count = 0;
  CUSP_TRY(cusp_alloc((void **)&collectives, (size_t)order->n_collectives * sizeof *collectives));
  for (int i = 0; i < order->count; i++)
    if (order->nodes[i]->op && (order->nodes[i]->op->flags & CUSP_OP_COLLECTIVE))
      collectives[count++] = order->nodes[i];
  qsort(collectives, (size_t)count, sizeof *collectives, compare_serials);
  cusp_status status = walk_roots(&first, count, collectives, stop);
  if (status == CUSP_OK)
    status = walk_roots(&first, n_roots, roots, stop);
  cusp_free(collectives);
  cusp_order_free(status == CUSP_OK ? order : &first);
  if (status == CUSP_OK)
    *order = first;
  return status;
}

cusp_status cusp_order_collect(cusp_order *order, int n_roots, cusp_node *const *roots,
                               cusp_stop stop) {
  bool alone = order->count == 0;
  CUSP_TRY(walk_roots(order, n_roots, roots, stop));
  return alone && order->n_collectives ? collectives_first(order, n_roots, roots, stop) : CUSP_OK;
}

void cusp_order_free(cusp_order *order) {
  cusp_free(order->nodes);
  cusp_map_free(&order->index);
  *order = (cusp_order){0};
}
