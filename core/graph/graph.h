#ifndef CUSP_GRAPH_GRAPH_H
#define CUSP_GRAPH_GRAPH_H
/*
 * The graph that passes rewrite and the planner lowers: operations and values in arrays, numbered,
 * apart from the users' nodes. Built from nodes (cusp_graph_import), changed by passes (pass_*.c),
 * consumed by the planner.
 */

#include "../base/collections.h"
#include "../node/order.h"

typedef enum cusp_value_kind {
  CUSP_VALUE_COMPUTED = 0, /* an output of an operation */
  CUSP_VALUE_LEAF          /* given from outside: argument, variable or constant */
} cusp_value_kind;

typedef struct cusp_value {
  cusp_value_kind kind;
  cusp_type type;
  int producer; /* index of the operation, or of the leaf */
  int uses;     /* inputs and outputs that read it; kept by cusp_graph_count_uses */
} cusp_value;

/** One operation. Attributes and lists live in the graph's arena. */
typedef struct cusp_operation {
  const cusp_op *op;
  cusp_attr *attrs;
  int n_attrs;
  int n_inputs;
  int *inputs; /* values */
  int n_outputs;
  int first_output; /* values first_output .. first_output + n_outputs - 1 */
  bool dead;
  cusp_origin origin;
  uint64_t serial; /* of the node that it was made from; 0: a pass made it */
} cusp_operation;

typedef struct cusp_leaf {
  int value;
  bool constant;    /* `array` is its value, retained */
  cusp_array array; /* others: the strides it will have; data is NULL */
} cusp_leaf;

typedef struct cusp_graph {
  cusp_arena arena;
  cusp_operation *operations; /* inputs before users */
  int n_operations, operations_capacity;
  cusp_value *values;
  int n_values, values_capacity;
  cusp_leaf *leaves;
  int n_leaves, leaves_capacity;
  int *outputs; /* values to compute */
  int n_outputs;
  bool traced; /* part of a compiled function: only its outputs are seen */
} cusp_graph;

void cusp_graph_free(cusp_graph *graph); /* releases constants too */

/** Adds a leaf; *value is its number. `array` is retained when constant. */
CUSP_NODISCARD cusp_status cusp_graph_add_leaf(cusp_graph *graph, const cusp_array *array,
                                               bool constant, int *value);
/** Adds an operation at the end; attributes are copied. Its first output's number goes to
 * *value. */
CUSP_NODISCARD cusp_status cusp_graph_add(cusp_graph *graph, const cusp_op *op, int n_inputs,
                                          const int *inputs, int n_attrs, const cusp_attr *attrs,
                                          int n_outputs, const cusp_type *types, int *value);

/** Sets `uses` of all values from what live operations and the outputs read. */
void cusp_graph_count_uses(cusp_graph *graph);
/** Sorts operations so that inputs come before users (after a pass added some), dropping dead
 * ones. */
CUSP_NODISCARD cusp_status cusp_graph_sort(cusp_graph *graph);
/** The operation that makes `value`, NULL for a leaf. Lent until the next addition. */
static inline cusp_operation *cusp_graph_producer(const cusp_graph *graph, int value) {
  return graph->values[value].kind == CUSP_VALUE_LEAF
             ? NULL
             : &graph->operations[graph->values[value].producer];
}
/** Whether `value` is a constant leaf whose elements all equal one number; gives it. */
bool cusp_graph_scalar(const cusp_graph *graph, int value, double *number);

/** Text of the graph, one line an operation. Free with cusp_free. */
cusp_status cusp_graph_text(const cusp_graph *graph, char **text);
/** Broken invariants of the numbering, for debug builds: CUSP_EVALUE with what is wrong. */
CUSP_NODISCARD cusp_status cusp_graph_verify(const cusp_graph *graph);

#endif
