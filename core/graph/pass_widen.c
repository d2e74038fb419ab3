/*
 * Conversions from 16 bits to float32 go to where they cost nothing: into each loop that reads the
 * number and into kernels that can, so that memory holds 16 bits; and in compiled functions into
 * the product that made it, or before the sum, which then are not rounded. Eagerly that would make
 * a value depend on whether the one before was looked at.
 */
#include "../kernels/vector.h"
#include "../node/table.h"
#include "graph.h"
#include "passes.h"

static bool widens(const cusp_graph *graph, const cusp_operation *operation) {
  if (operation->dead || operation->op->vector != CUSP_VECTOR_copy ||
      !(operation->op->flags & CUSP_OP_ELEMENTWISE) || operation->n_inputs != 1)
    return false;
  return cusp_dtype_is_half(graph->values[operation->inputs[0]].type.dtype) &&
         graph->values[operation->first_output].type.dtype == CUSP_FLOAT32;
}

/** The operation whose result is converted and read by nobody else; NULL where there is none. */
static cusp_operation *private_producer(const cusp_graph *graph, const cusp_operation *cast) {
  const int value = cast->inputs[0];
  return graph->values[value].uses == 1 ? cusp_graph_producer(graph, value) : NULL;
}

/** cast(product) is the row that does not round. */
static void take_wide_row(const cusp_graph *graph, cusp_operation *cast) {
  cusp_operation *product = private_producer(graph, cast);
  if (!product || !product->op->wide)
    return;
  cast->op = cusp_op_find(product->op->wide);
  cast->attrs = product->attrs;
  cast->n_attrs = product->n_attrs;
  cast->inputs = product->inputs;
  cast->n_inputs = product->n_inputs;
  product->dead = true;
}

static bool sums_halves(const cusp_graph *graph, const cusp_operation *operation) {
  return operation && (operation->op->flags & CUSP_OP_REDUCTION) &&
         cusp_dtype_is_half(graph->values[operation->inputs[0]].type.dtype);
}

/** cast(sum(x)) is sum(cast(x)): the sum is made in float32 either way. */
static cusp_status convert_before_sum(cusp_graph *graph, int index) {
  cusp_operation *cast = &graph->operations[index];
  cusp_operation *sum = private_producer(graph, cast);
  if (!sums_halves(graph, sum))
    return CUSP_OK;
  const cusp_op *convert = cast->op;
  cusp_attr *attrs = cast->attrs;
  const int n_attrs = cast->n_attrs;
  int x = sum->inputs[0], wide;
  cusp_type type = graph->values[x].type;
  type.dtype = CUSP_FLOAT32;
  cast->op = sum->op;
  cast->attrs = sum->attrs;
  cast->n_attrs = sum->n_attrs;
  sum->dead = true;
  CUSP_TRY(cusp_graph_add(graph, convert, 1, &x, n_attrs, attrs, 1, &type, &wide));
  cusp_graph_producer(graph, wide)->origin = graph->operations[index].origin;
  graph->operations[index].inputs[0] = wide;
  return CUSP_OK;
}

/** Whether it runs in a tiled loop, which converts what it reads. */
static bool reads_in_loop(const cusp_operation *operation) {
  return !operation->dead && (operation->op->flags & (CUSP_OP_ELEMENTWISE | CUSP_OP_REDUCTION));
}

/** Gives input `k` of an operation a conversion of its own, where a shared one would be stored. */
static cusp_status convert_apart(cusp_graph *graph, int index, int k) {
  const int value = graph->operations[index].inputs[k];
  const cusp_operation *cast = cusp_graph_producer(graph, value);
  if (!cast || !widens(graph, cast) || graph->values[value].uses < 2)
    return CUSP_OK;
  const cusp_type type = graph->values[value].type;
  int from = cast->inputs[0], copy;
  CUSP_TRY(cusp_graph_add(graph, cast->op, 1, &from, cast->n_attrs, cast->attrs, 1, &type, &copy));
  cusp_operation *reader = &graph->operations[index];
  cusp_graph_producer(graph, copy)->origin = reader->origin;
  for (int i = k; i < reader->n_inputs; i++)
    if (reader->inputs[i] == value)
      reader->inputs[i] = copy;
  return CUSP_OK;
}

/** A kernel that converts what it reads is given what is to be converted. */
static void skip_conversions(const cusp_graph *graph, cusp_operation *operation) {
  for (int k = 0; (operation->op->flags & CUSP_OP_READS_HALVES) && k < operation->n_inputs; k++) {
    const cusp_operation *cast = cusp_graph_producer(graph, operation->inputs[k]);
    if (cast && widens(graph, cast))
      operation->inputs[k] = cast->inputs[0];
  }
}

static bool has_halves(const cusp_graph *graph) {
  for (int i = 0; i < graph->n_operations; i++)
    if (widens(graph, &graph->operations[i]))
      return true;
  return false;
}

cusp_status cusp_pass_widen(cusp_graph *graph) {
  if (!has_halves(graph))
    return CUSP_OK;
  cusp_graph_count_uses(graph);
  const int count = graph->n_operations;
  for (int i = 0; graph->traced && i < count; i++) {
    if (widens(graph, &graph->operations[i]))
      take_wide_row(graph, &graph->operations[i]);
    if (widens(graph, &graph->operations[i]))
      CUSP_TRY(convert_before_sum(graph, i));
  }
  for (int i = 0; i < count; i++)
    skip_conversions(graph, &graph->operations[i]);
  cusp_graph_count_uses(graph);
  for (int i = 0; i < count; i++)
    for (int k = 0; reads_in_loop(&graph->operations[i]) && k < graph->operations[i].n_inputs; k++)
      CUSP_TRY(convert_apart(graph, i, k));
  CUSP_TRY(cusp_graph_sort(graph));
  return cusp_pass_dead(graph);
}
