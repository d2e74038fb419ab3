#ifndef CUSP_NODE_NODE_H
#define CUSP_NODE_NODE_H
/*
 * The node: one operation applied to nodes, its type known, its value computed later.
 * A graph belongs to one thread. Nodes never change what they mean.
 */

#include "references.h"
#include "source.h"

typedef struct cusp_trace cusp_trace;

struct cusp_node {
  const cusp_op *op;  /* NULL for a leaf: a value that was given, or a trace's placeholder */
  int32_t references; /* all of them */
  /* those held by users (Lua userdata): their values are kept when computed on the way */
  int32_t handles;
  int32_t keeps; /* > 0: a tape records this node, so it keeps its inputs after evaluation */
  int16_t n_inputs;
  int16_t n_attrs;
  int16_t n_outputs;    /* > 1: `type` is output 0's; the outputs are reached through pick nodes */
  int16_t output_index; /* of a pick */
  uint64_t serial;      /* nodes of a thread in the order in which they were made */
  bool weak;            /* a Lua number: takes the other operand's dtype in promotion */
  /* its computation has failed, or it is made on trial: computed only when its value is asked for
   */
  bool failed;
  /* some tape may have recorded it: whether an open one did is the tape's to say */
  bool watched;
  cusp_type type;
  cusp_node **inputs; /* NULL once let go */
  cusp_attr *attrs;
  cusp_type *types; /* n_outputs > 1: all of them */
  /* value.data != NULL: evaluated (or a leaf). Multi-output nodes have none, their picks do */
  cusp_array value;
  /* the trace it depends on (a placeholder below it); NULL: its value can be computed any time */
  cusp_trace *trace;
  cusp_origin origin;
  /* of a weak leaf of a float dtype: the Lua number, which its value may round */
  double number;
  cusp_node *pending_previous, *pending_next; /* list of what is not yet evaluated */
};

/**
 * Makes a node: promotes (inserting casts), fills default attributes, infers types, copies
 * attributes. Multi-output rows give the tuple node; use cusp_node_pick. Constants fold and equal
 * nodes are merged later, by the passes. Inputs are retained. *out is a new reference, NULL on
 * failure.
 */
CUSP_NODISCARD cusp_status cusp_node_new(cusp_node **out, const cusp_op *op, int n_inputs,
                                         cusp_node *const *inputs, int n_attrs,
                                         const cusp_attr *attrs);
/** A node whose outputs' types only the caller knows: nothing is promoted or inferred. New
 * reference. */
CUSP_NODISCARD cusp_status cusp_node_of_types(cusp_node **out, const cusp_op *op, int n_inputs,
                                              cusp_node *const *inputs, const cusp_attr *attr,
                                              int n_outputs, const cusp_type *types);
/** Output `index` of a multi-output node (the node itself where it has one). New reference. */
CUSP_NODISCARD cusp_status cusp_node_pick(cusp_node **out, cusp_node *node, int index);
/** A leaf holding `value` (its storage is retained). New reference. */
CUSP_NODISCARD cusp_status cusp_node_leaf(cusp_node **out, const cusp_array *value);
/** A leaf that broadcasts one element to `shape`. New reference. */
CUSP_NODISCARD cusp_status cusp_node_full(cusp_node **out, const cusp_shape *shape,
                                          cusp_dtype dtype, double value);

static inline bool cusp_node_evaluated(const cusp_node *node) { return node->value.data != NULL; }
/** Whether a node has a value already, or is a placeholder: nothing is to be computed for it. */
static inline bool cusp_is_leaf(const cusp_node *node) {
  return node->op == NULL || cusp_node_evaluated(node);
}

#endif
