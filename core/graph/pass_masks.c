/*
 * Of a relu whose result is clipped, the way back needs to know where it was 0 and where it was cut
 * off. One mask says both, so that only the clipped result and a byte for each element are kept,
 * not the relu's result: select(mask, 0, dy) where the relu was positive is a select of both.
 */
#include "../kernels/vector.h"
#include "../node/table.h"
#include "graph.h"
#include "passes.h"

static const cusp_operation *made_by(const cusp_graph *graph, int value, int vector) {
  const cusp_operation *operation = cusp_graph_producer(graph, value);
  return operation && (operation->op->flags & CUSP_OP_ELEMENTWISE) &&
                 operation->op->vector == vector
             ? operation
             : NULL;
}

static bool is_zero(const cusp_graph *graph, int value) {
  double number;
  return cusp_graph_scalar(graph, value, &number) && number == 0;
}

static bool same_shape(const cusp_graph *graph, int a, int b) {
  return cusp_shape_equal(&graph->values[a].type.shape, &graph->values[b].type.shape);
}

/** relu_gradient(select(mask, 0, dy), relu(x)). */
typedef struct chain {
  int back;              /* the operation */
  int mask, zero, dy, x; /* values */
} chain;

static bool find_chain(const cusp_graph *graph, int index, chain *c) {
  const cusp_operation *back = &graph->operations[index];
  if (back->dead || !made_by(graph, back->first_output, CUSP_VECTOR_relu_gradient))
    return false;
  const int given = back->inputs[0];
  const cusp_operation *select = made_by(graph, given, CUSP_VECTOR_select);
  const cusp_operation *relu = made_by(graph, back->inputs[1], CUSP_VECTOR_relu);
  if (!select || !relu || graph->values[given].uses != 1)
    return false;
  *c = (chain){index, select->inputs[0], select->inputs[1], select->inputs[2], relu->inputs[0]};
  return is_zero(graph, c->zero) && same_shape(graph, c->mask, c->x) &&
         same_shape(graph, given, c->x) &&
         graph->values[c->x].type.dtype == graph->values[c->zero].type.dtype;
}

static cusp_status add(cusp_graph *graph, const chain *c, const char *name, int n_inputs,
                       const int *inputs, int *out) {
  const cusp_type type = {CUSP_BOOL, graph->values[c->x].type.shape};
  CUSP_TRY(cusp_graph_add(graph, cusp_op_find(name), n_inputs, inputs, 0, NULL, 1, &type, out));
  cusp_graph_producer(graph, *out)->origin = graph->operations[c->back].origin;
  return CUSP_OK;
}

static cusp_status join(cusp_graph *graph, const chain *c) {
  int positive, other, both;
  CUSP_TRY(add(graph, c, "greater", 2, (int[]){c->x, c->zero}, &positive));
  CUSP_TRY(add(graph, c, "logical_not", 1, &positive, &other));
  CUSP_TRY(add(graph, c, "logical_or", 2, (int[]){c->mask, other}, &both));
  const int given = graph->operations[c->back].inputs[0];
  const cusp_operation *select = cusp_graph_producer(graph, given);
  cusp_operation *back = &graph->operations[c->back];
  back->op = select->op;
  back->attrs = select->attrs;
  back->n_attrs = select->n_attrs;
  back->inputs = select->inputs;
  back->n_inputs = select->n_inputs;
  back->inputs[0] = both;
  cusp_graph_producer(graph, given)->dead = true;
  return CUSP_OK;
}

cusp_status cusp_pass_masks(cusp_graph *graph) {
  if (!graph->traced)
    return CUSP_OK;
  chain c;
  cusp_graph_count_uses(graph);
  const int count = graph->n_operations;
  for (int i = 0; i < count; i++)
    if (find_chain(graph, i, &c))
      CUSP_TRY(join(graph, &c));
  return graph->n_operations > count ? cusp_graph_sort(graph) : CUSP_OK;
}
