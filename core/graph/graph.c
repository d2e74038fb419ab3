#include "graph.h"

#include "../base/text.h"
#include "../node/attributes.h"

#include <string.h>

void cusp_graph_free(cusp_graph *graph) {
  for (int i = 0; i < graph->n_leaves; i++)
    cusp_array_release(&graph->leaves[i].array);
  cusp_free(graph->operations);
  cusp_free(graph->values);
  cusp_free(graph->leaves);
  cusp_free(graph->outputs);
  cusp_arena_free(&graph->arena);
  *graph = (cusp_graph){0};
}

static cusp_status add_value(cusp_graph *graph, cusp_value_kind kind, const cusp_type *type,
                             int producer, int *value) {
  CUSP_TRY(CUSP_GROW(graph->values, graph->values_capacity, graph->n_values + 1));
  graph->values[graph->n_values] = (cusp_value){.kind = kind, .type = *type, .producer = producer};
  *value = graph->n_values++;
  return CUSP_OK;
}

cusp_status cusp_graph_add_leaf(cusp_graph *graph, const cusp_array *array, bool constant,
                                int *value) {
  CUSP_TRY(CUSP_GROW(graph->leaves, graph->leaves_capacity, graph->n_leaves + 1));
  cusp_type type = {array->dtype, array->shape};
  CUSP_TRY(add_value(graph, CUSP_VALUE_LEAF, &type, graph->n_leaves, value));
  cusp_leaf *leaf = &graph->leaves[graph->n_leaves++];
  *leaf = (cusp_leaf){.value = *value, .constant = constant, .array = *array};
  if (constant && array->storage)
    cusp_storage_retain(array->storage);
  else if (!constant) {
    leaf->array.data = NULL;
    leaf->array.storage = NULL;
  }
  return CUSP_OK;
}

static cusp_status copy_attrs(cusp_graph *graph, cusp_operation *operation, int n_attrs,
                              const cusp_attr *attrs) {
  operation->n_attrs = n_attrs;
  CUSP_TRY(
      cusp_arena_alloc((void **)&operation->attrs, &graph->arena, (size_t)n_attrs * sizeof *attrs));
  for (int i = 0; i < n_attrs; i++) {
    void *copy;
    operation->attrs[i] = attrs[i];
    if (attrs[i].kind == CUSP_ATTR_INTS) {
      CUSP_TRY(cusp_arena_alloc(&copy, &graph->arena, (size_t)attrs[i].count * sizeof(int64_t)));
      memcpy(copy, attrs[i].ints, (size_t)attrs[i].count * sizeof(int64_t));
      operation->attrs[i].ints = copy;
    } else if (attrs[i].kind == CUSP_ATTR_STRING) {
      size_t length = strlen(attrs[i].string) + 1;
      CUSP_TRY(cusp_arena_alloc(&copy, &graph->arena, length));
      memcpy(copy, attrs[i].string, length);
      operation->attrs[i].string = copy;
    }
  }
  return CUSP_OK;
}

cusp_status cusp_graph_add(cusp_graph *graph, const cusp_op *op, int n_inputs, const int *inputs,
                           int n_attrs, const cusp_attr *attrs, int n_outputs,
                           const cusp_type *types, int *value) {
  CUSP_TRY(CUSP_GROW(graph->operations, graph->operations_capacity, graph->n_operations + 1));
  cusp_operation operation = {.op = op, .n_inputs = n_inputs, .n_outputs = n_outputs};
  CUSP_TRY(cusp_arena_alloc((void **)&operation.inputs, &graph->arena,
                            (size_t)n_inputs * sizeof *inputs));
  if (n_inputs)
    memcpy(operation.inputs, inputs, (size_t)n_inputs * sizeof *inputs);
  CUSP_TRY(copy_attrs(graph, &operation, n_attrs, attrs));
  operation.first_output = graph->n_values;
  for (int i = 0; i < n_outputs; i++) {
    int output;
    CUSP_TRY(add_value(graph, CUSP_VALUE_COMPUTED, &types[i], graph->n_operations, &output));
  }
  graph->operations[graph->n_operations++] = operation;
  *value = operation.first_output;
  return CUSP_OK;
}

void cusp_graph_count_uses(cusp_graph *graph) {
  for (int i = 0; i < graph->n_values; i++)
    graph->values[i].uses = 0;
  for (int i = 0; i < graph->n_operations; i++) {
    const cusp_operation *operation = &graph->operations[i];
    for (int k = 0; !operation->dead && k < operation->n_inputs; k++)
      graph->values[operation->inputs[k]].uses++;
  }
  for (int i = 0; i < graph->n_outputs; i++)
    graph->values[graph->outputs[i]].uses++;
}

/* ------------------------------------------------------------------ sorting */

typedef struct sorter {
  cusp_graph *graph;
  int *place; /* new index + 1; 0: not placed; -1: on the stack */
  int *sorted;
  int count;
  int *stack, depth, capacity;
} sorter;

/* Depth first with an explicit stack: a graph may be thousands of operations deep. */
static cusp_status place(sorter *s, int root) {
  CUSP_TRY(CUSP_GROW(s->stack, s->capacity, s->depth + 1));
  s->stack[s->depth++] = root;
  while (s->depth > 0) {
    int index = s->stack[s->depth - 1];
    if (s->place[index] > 0) {
      s->depth--;
      continue;
    }
    const cusp_operation *operation = &s->graph->operations[index];
    bool ready = true;
    for (int k = 0; k < operation->n_inputs; k++) {
      const cusp_value *value = &s->graph->values[operation->inputs[k]];
      if (value->kind == CUSP_VALUE_LEAF || s->place[value->producer] > 0)
        continue;
      ready = false;
      CUSP_TRY(CUSP_GROW(s->stack, s->capacity, s->depth + 1));
      s->stack[s->depth++] = value->producer;
    }
    if (ready) {
      s->sorted[s->count++] = index;
      s->place[index] = s->count;
      s->depth--;
    }
  }
  return CUSP_OK;
}

static void renumber(cusp_graph *graph, const cusp_operation *old, const int *sorted, int count) {
  for (int i = 0; i < count; i++) {
    graph->operations[i] = old[sorted[i]];
    for (int k = 0; k < graph->operations[i].n_outputs; k++)
      graph->values[graph->operations[i].first_output + k].producer = i;
  }
  graph->n_operations = count;
}

cusp_status cusp_graph_sort(cusp_graph *graph) {
  size_t n = (size_t)graph->n_operations;
  sorter s = {.graph = graph};
  cusp_operation *old = NULL;
  cusp_status status = cusp_alloc_zeroed((void **)&s.place, (n + 1) * sizeof *s.place);
  if (status == CUSP_OK)
    status = cusp_alloc((void **)&s.sorted, (n + 1) * sizeof *s.sorted);
  if (status == CUSP_OK)
    status = cusp_alloc((void **)&old, (n + 1) * sizeof *old);
  for (int i = 0; status == CUSP_OK && i < graph->n_operations; i++)
    if (!graph->operations[i].dead && s.place[i] == 0)
      status = place(&s, i);
  if (status == CUSP_OK && n) {
    memcpy(old, graph->operations, n * sizeof *old);
    renumber(graph, old, s.sorted, s.count);
  }
  cusp_free(s.place);
  cusp_free(s.sorted);
  cusp_free(s.stack);
  cusp_free(old);
  return status;
}

bool cusp_graph_scalar(const cusp_graph *graph, int value, double *number) {
  if (graph->values[value].kind != CUSP_VALUE_LEAF)
    return false;
  const cusp_leaf *leaf = &graph->leaves[graph->values[value].producer];
  if (!leaf->constant || cusp_array_count(&leaf->array) == 0)
    return false;
  for (int i = 0; i < leaf->array.shape.ndim; i++)
    if (leaf->array.shape.size[i] > 1 && leaf->array.strides[i] != 0)
      return false;
  *number = cusp_load_double(leaf->array.dtype, leaf->array.data);
  return true;
}

/* ------------------------------------------------------------------ checking and printing */

cusp_status cusp_graph_verify(const cusp_graph *graph) {
  for (int i = 0; i < graph->n_operations; i++) {
    const cusp_operation *operation = &graph->operations[i];
    for (int k = 0; !operation->dead && k < operation->n_inputs; k++) {
      int input = operation->inputs[k];
      if (input < 0 || input >= graph->n_values)
        return cusp_fail(CUSP_EVALUE, "graph: operation %d (%s) reads value %d of %d", i,
                         operation->op->name, input, graph->n_values);
      const cusp_value *value = &graph->values[input];
      if (value->kind == CUSP_VALUE_COMPUTED && value->producer >= i)
        return cusp_fail(CUSP_EVALUE, "graph: operation %d (%s) reads value %d before it is made",
                         i, operation->op->name, input);
      if (value->kind == CUSP_VALUE_COMPUTED && graph->operations[value->producer].dead)
        return cusp_fail(CUSP_EVALUE, "graph: operation %d (%s) reads value %d of a dead operation",
                         i, operation->op->name, input);
    }
  }
  return CUSP_OK;
}

static void append_inputs(cusp_text *text, const cusp_operation *operation) {
  for (int k = 0; k < operation->n_inputs; k++)
    cusp_text_add(text, "%s%%%d", k ? ", " : "", operation->inputs[k]);
  for (int k = 0; k < operation->n_attrs; k++) {
    cusp_text_add(text, k || operation->n_inputs ? ", " : "");
    cusp_text_add_attr(text, &operation->attrs[k]);
  }
}

cusp_status cusp_graph_text(const cusp_graph *graph, char **out) {
  cusp_text text = {0};
  for (int i = 0; i < graph->n_leaves; i++) {
    const cusp_leaf *leaf = &graph->leaves[i];
    cusp_text_add(&text, "%%%d = %s %s %s\n", leaf->value, leaf->constant ? "constant" : "leaf",
                  cusp_dtype_name(leaf->array.dtype), cusp_shape_text(&leaf->array.shape));
  }
  for (int i = 0; i < graph->n_operations; i++) {
    const cusp_operation *operation = &graph->operations[i];
    const cusp_type *type = &graph->values[operation->first_output].type;
    if (operation->dead)
      continue;
    cusp_text_add(&text, "%%%d = %s(", operation->first_output, operation->op->name);
    append_inputs(&text, operation);
    cusp_text_add(&text, ") %s %s", cusp_dtype_name(type->dtype), cusp_shape_text(&type->shape));
    if (operation->origin.file)
      cusp_text_add(&text, "  %s:%d", operation->origin.file, operation->origin.line);
    cusp_text_add(&text, "\n");
  }
  for (int i = 0; i < graph->n_outputs; i++)
    cusp_text_add(&text, "%s%%%d", i ? ", " : "return ", graph->outputs[i]);
  cusp_text_add(&text, "\n");
  return cusp_text_take(&text, out);
}
