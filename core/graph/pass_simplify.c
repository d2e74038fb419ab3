/* Local identities: what gives back one of its inputs is that input. Works forward, once. */
#include "graph.h"

#include "../kernels/vector.h"
#include "passes.h"

#include <string.h>

static bool same_type(const cusp_graph *graph, int a, int b) {
  const cusp_type *x = &graph->values[a].type, *y = &graph->values[b].type;
  return x->dtype == y->dtype && cusp_shape_equal(&x->shape, &y->shape);
}

static bool is_number(const cusp_graph *graph, int value, double number) {
  double found;
  return cusp_graph_scalar(graph, value, &found) && found == number;
}

/* x * 1, x / 1, x + 0, x - 0. (x + 0 turns -0 into 0; nobody can tell from x's other uses.) */
static int identity_operand(const cusp_graph *graph, const cusp_operation *operation) {
  int a = operation->inputs[0], b = operation->n_inputs > 1 ? operation->inputs[1] : -1;
  switch (operation->op->vector) {
  case CUSP_VECTOR_multiply: return is_number(graph, b, 1) ? a : is_number(graph, a, 1) ? b : -1;
  case CUSP_VECTOR_divide: return is_number(graph, b, 1) ? a : -1;
  case CUSP_VECTOR_add: return is_number(graph, b, 0) ? a : is_number(graph, a, 0) ? b : -1;
  case CUSP_VECTOR_subtract: return is_number(graph, b, 0) ? a : -1;
  case CUSP_VECTOR_copy: return a;
  default: return -1;
  }
}

/* Views whose result has the type of their input move no element, except those that reorder
 * (transpose, flip). */
static bool is_reordering(const cusp_operation *operation) {
  const char *name = operation->op->name;
  return strcmp(name, "reshape") != 0 && strcmp(name, "broadcast_to") != 0 &&
         strcmp(name, "expand_dims") != 0 && strcmp(name, "squeeze") != 0;
}

static bool reduces_nothing(const cusp_graph *graph, const cusp_operation *operation) {
  const cusp_shape *shape = &graph->values[operation->inputs[0]].type.shape;
  const cusp_attr *axes = &operation->attrs[0];
  if (axes->kind != CUSP_ATTR_INTS)
    return shape->ndim == 0;
  for (int i = 0; i < axes->count; i++)
    if (shape->size[axes->ints[i]] != 1)
      return false;
  return true;
}

static int simplified(const cusp_graph *graph, const cusp_operation *operation) {
  int candidate = -1;
  if (operation->op->flags & CUSP_OP_ELEMENTWISE)
    candidate = operation->n_inputs > 0 ? identity_operand(graph, operation) : -1;
  else if ((operation->op->flags & CUSP_OP_VIEW) && operation->n_inputs == 1 &&
           !is_reordering(operation))
    candidate = operation->inputs[0];
  else if ((operation->op->flags & CUSP_OP_REDUCTION) && reduces_nothing(graph, operation))
    candidate = operation->inputs[0];
  return candidate >= 0 && same_type(graph, candidate, operation->first_output) ? candidate : -1;
}

/* A view of a view of the same kind that only changes the shape needs the first one no more. */
static void shorten_reshapes(const cusp_graph *graph, cusp_operation *operation) {
  if (strcmp(operation->op->name, "reshape") != 0)
    return;
  const cusp_operation *before = cusp_graph_producer(graph, operation->inputs[0]);
  if (before && strcmp(before->op->name, "reshape") == 0)
    operation->inputs[0] = before->inputs[0];
}

cusp_status cusp_pass_simplify(cusp_graph *graph) {
  int *replacement;
  CUSP_TRY(cusp_alloc((void **)&replacement, ((size_t)graph->n_values + 1) * sizeof *replacement));
  for (int i = 0; i < graph->n_values; i++)
    replacement[i] = i;
  for (int i = 0; i < graph->n_operations; i++) {
    cusp_operation *operation = &graph->operations[i];
    if (operation->dead)
      continue;
    for (int k = 0; k < operation->n_inputs; k++)
      operation->inputs[k] = replacement[operation->inputs[k]];
    shorten_reshapes(graph, operation);
    int same = operation->n_outputs == 1 ? simplified(graph, operation) : -1;
    if (same >= 0)
      replacement[operation->first_output] = same;
    for (int k = 0; (operation->op->flags & CUSP_OP_HANDS_ON) && k < operation->n_outputs; k++)
      replacement[operation->first_output + k] = operation->inputs[k];
  }
  for (int i = 0; i < graph->n_outputs; i++)
    graph->outputs[i] = replacement[graph->outputs[i]];
  cusp_free(replacement);
  return CUSP_OK;
}
