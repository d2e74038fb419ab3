/*
 * What follows a convolution, filter by filter, becomes part of it: a bias is added where the sum
 * is made, and a scale that rarely changes (a normalisation's, in inference) goes into the kernel
 * that is kept. Zeros put around its input become its padding.
 */
#include "../kernels/vector.h"
#include "../node/table.h"
#include "graph.h"
#include "passes.h"
#include "steady.h"

#include <string.h>

/** A product that is followed: the operations since, and what they say of each filter. */
typedef struct chain {
  int product, last; /* operations; the last one becomes the product with its ending */
  int scale, shift;  /* values; -1: none */
  bool steady_shift;
  const bool *steady; /* by value */
} chain;

static int64_t filters_of(const cusp_graph *graph, const chain *c) {
  const cusp_shape *shape = &graph->values[graph->operations[c->product].first_output].type.shape;
  return shape->size[shape->ndim - 1];
}

/** Whether `value` has one number for each filter, along the last axis, and no axis that the
 * product lacks. */
static bool is_per_filter(const cusp_graph *graph, const chain *c, int value) {
  const cusp_type *type = &graph->values[value].type;
  const int product = graph->operations[c->product].first_output;
  return type->dtype == CUSP_FLOAT32 && type->shape.ndim > 0 &&
         type->shape.ndim <= graph->values[product].type.shape.ndim &&
         cusp_shape_count(&type->shape) == filters_of(graph, c) &&
         type->shape.size[type->shape.ndim - 1] == filters_of(graph, c);
}

/** a (+ or *) b, both of the filters: as an operation at the end of the graph. */
static cusp_status combine(cusp_graph *graph, const cusp_operation *like, int a, int b, int *out) {
  const cusp_type *x = &graph->values[a].type, *y = &graph->values[b].type;
  const cusp_type type = x->shape.ndim >= y->shape.ndim ? *x : *y;
  const cusp_origin origin = like->origin;
  CUSP_TRY(cusp_graph_add(graph, like->op, 2, (int[]){a, b}, 0, NULL, 1, &type, out));
  cusp_graph_producer(graph, *out)->origin = origin;
  return CUSP_OK;
}

/** The operand beside the product's value; -1 where the operation is none of a chain. */
static int other_operand(const cusp_graph *graph, const chain *c, const cusp_operation *operation) {
  const int value = graph->operations[c->last].first_output;
  if (operation->n_inputs != 2 || !(operation->op->flags & CUSP_OP_ELEMENTWISE))
    return -1;
  const int other = operation->inputs[operation->inputs[0] == value];
  return other != value && is_per_filter(graph, c, other) ? other : -1;
}

static cusp_status add_shift(cusp_graph *graph, chain *c, int index, int other) {
  c->steady_shift = c->steady_shift && c->steady[other];
  if (c->shift < 0)
    c->shift = other;
  else
    CUSP_TRY(combine(graph, &graph->operations[index], c->shift, other, &c->shift));
  c->last = index;
  return CUSP_OK;
}

/* Only what is steady: scaling a kernel in every run would cost more than scaling its result may.
 */
static cusp_status add_scale(cusp_graph *graph, chain *c, int index, int other) {
  const int kernel = graph->operations[c->product].inputs[1];
  const cusp_operation *operation = &graph->operations[index];
  if (!c->steady[kernel] || !c->steady[other] || !c->steady_shift)
    return CUSP_OK;
  if (c->shift >= 0)
    CUSP_TRY(combine(graph, operation, c->shift, other, &c->shift));
  if (c->scale >= 0)
    CUSP_TRY(combine(graph, &graph->operations[index], c->scale, other, &c->scale));
  else
    c->scale = other;
  c->last = index;
  return CUSP_OK;
}

/** Follows the product for one operation; *followed says whether it did. */
static cusp_status follow(cusp_graph *graph, chain *c, const int *readers, bool *followed) {
  const int value = graph->operations[c->last].first_output, before = c->last;
  const int index = graph->values[value].uses == 1 ? readers[value] : -1;
  *followed = false;
  if (index < 0 ||
      graph->operations[index].origin.region != graph->operations[c->product].origin.region)
    return CUSP_OK;
  const int other = other_operand(graph, c, &graph->operations[index]);
  if (other < 0)
    return CUSP_OK;
  const int vector = graph->operations[index].op->vector;
  if (vector == CUSP_VECTOR_add)
    CUSP_TRY(add_shift(graph, c, index, other));
  else if (vector == CUSP_VECTOR_multiply)
    CUSP_TRY(add_scale(graph, c, index, other));
  *followed = c->last != before;
  return CUSP_OK;
}

/** The last operation of the chain becomes the product with its ending. */
static cusp_status end_product(cusp_graph *graph, const chain *c) {
  const cusp_operation *product = &graph->operations[c->product];
  cusp_operation *last = &graph->operations[c->last];
  cusp_attr *attrs;
  int *inputs, n = 0;
  CUSP_TRY(cusp_arena_alloc((void **)&inputs, &graph->arena, 4 * sizeof *inputs));
  CUSP_TRY(cusp_arena_alloc((void **)&attrs, &graph->arena,
                            (size_t)(product->n_attrs + 1) * sizeof *attrs));
  memcpy(attrs, product->attrs, (size_t)product->n_attrs * sizeof *attrs);
  attrs[product->n_attrs] = cusp_attr_int((c->scale >= 0 ? CUSP_ENDING_SCALE : 0) |
                                          (c->shift >= 0 ? CUSP_ENDING_SHIFT : 0));
  inputs[n++] = product->inputs[0];
  inputs[n++] = product->inputs[1];
  if (c->scale >= 0)
    inputs[n++] = c->scale;
  if (c->shift >= 0)
    inputs[n++] = c->shift;
  last->op = cusp_op_find(product->op->ended);
  last->origin = product->origin;
  last->attrs = attrs;
  last->n_attrs = product->n_attrs + 1;
  last->inputs = inputs;
  last->n_inputs = n;
  return CUSP_OK;
}

static bool can_end(const cusp_graph *graph, const cusp_operation *operation) {
  return !operation->dead && operation->op->ended &&
         graph->values[operation->first_output].type.dtype == CUSP_FLOAT32;
}

/* ------------------------------------------------------------------ zeros around the input */

enum { STRIDES, LOW, DILATIONS, SIZES };     /* attributes of a row that can be ended */
enum { PLACED_SIZES, PLACED_AT, PLACED_BY }; /* of one that places its input in zeros */

/** Whether padding alone, less than the window on either side, stands for the zeros. */
static bool is_padding(const cusp_graph *graph, const cusp_operation *product,
                       const cusp_operation *place) {
  const cusp_shape *x = &graph->values[place->inputs[0]].type.shape;
  const cusp_shape *kernel = &graph->values[product->inputs[1]].type.shape;
  const int64_t *sizes = place->attrs[PLACED_SIZES].ints, *at = place->attrs[PLACED_AT].ints;
  const int last = x->ndim - 1;
  if (place->n_inputs != 1 || at[0] || at[last] || sizes[0] != x->size[0] ||
      sizes[last] != x->size[last])
    return false;
  for (int i = 1; i < last; i++) {
    const int64_t low = product->attrs[LOW].ints[i - 1] + at[i];
    const int64_t extent = (kernel->size[i - 1] - 1) * product->attrs[DILATIONS].ints[i - 1] + 1;
    const int64_t end =
        (product->attrs[SIZES].ints[i - 1] - 1) * product->attrs[STRIDES].ints[i - 1] + extent -
        low;
    if (place->attrs[PLACED_BY].ints[i] != 1 || low < 0 || low >= extent ||
        end - x->size[i] >= extent)
      return false;
  }
  return true;
}

static cusp_status take_zeros(cusp_graph *graph, int index) {
  cusp_operation *product = &graph->operations[index];
  const cusp_operation *place = cusp_graph_producer(graph, product->inputs[0]);
  if (!place || !(place->op->flags & CUSP_OP_PLACES) ||
      graph->values[product->inputs[0]].uses != 1 ||
      place->origin.region != product->origin.region || !is_padding(graph, product, place))
    return CUSP_OK;
  const int count = product->attrs[LOW].count;
  int64_t *low;
  CUSP_TRY(cusp_arena_alloc((void **)&low, &graph->arena, (size_t)count * sizeof *low));
  for (int i = 0; i < count; i++)
    low[i] = product->attrs[LOW].ints[i] + place->attrs[PLACED_AT].ints[i + 1];
  product->attrs[LOW].ints = low;
  product->inputs[0] = place->inputs[0];
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the pass */

static bool has_products(const cusp_graph *graph) {
  for (int i = 0; i < graph->n_operations; i++)
    if (can_end(graph, &graph->operations[i]))
      return true;
  return false;
}

/* By value: the last operation that reads it. */
static cusp_status find_readers(cusp_graph *graph, int **readers) {
  CUSP_TRY(cusp_arena_alloc((void **)readers, &graph->arena,
                            (size_t)graph->n_values * sizeof **readers));
  memset(*readers, -1, (size_t)graph->n_values * sizeof **readers);
  for (int i = 0; i < graph->n_operations; i++)
    for (int k = 0; !graph->operations[i].dead && k < graph->operations[i].n_inputs; k++)
      (*readers)[graph->operations[i].inputs[k]] = i;
  return CUSP_OK;
}

static cusp_status end_chain(cusp_graph *graph, int index, const int *readers, const bool *steady) {
  chain c = {.product = index,
             .last = index,
             .scale = -1,
             .shift = -1,
             .steady_shift = true,
             .steady = steady};
  CUSP_TRY(take_zeros(graph, index));
  for (bool followed = true; followed;)
    CUSP_TRY(follow(graph, &c, readers, &followed));
  return c.last == index ? CUSP_OK : end_product(graph, &c);
}

cusp_status cusp_pass_ending(cusp_graph *graph, const bool *settled) {
  bool *steady;
  int *readers;
  if (!has_products(graph))
    return CUSP_OK;
  cusp_graph_count_uses(graph);
  CUSP_TRY(cusp_steady_values(&steady, graph, settled, INT64_MAX));
  CUSP_TRY(find_readers(graph, &readers));
  const int count = graph->n_operations;
  for (int i = 0; i < count; i++)
    if (can_end(graph, &graph->operations[i]))
      CUSP_TRY(end_chain(graph, i, readers, steady));
  CUSP_TRY(cusp_graph_sort(graph));
  return cusp_pass_dead(graph);
}
