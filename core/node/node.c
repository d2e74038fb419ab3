/* Making nodes. */
#include "node.h"

#include "../base/limits.h"
#include "../kernels/vector.h"
#include "pending.h"
#include "promote.h"
#include "signature.h"
#include "state.h"
#include "subgraphs.h"
#include "table.h"
#include "tape.h"
#include "trace.h"

#include <string.h>

#define MUCH ((size_t)1 << 26) /* bytes; below, it is not worth asking what there is */

/* What memory cannot hold is refused though it might be fused away: running through it takes
 * minutes. */
static cusp_status check_room(const cusp_shape *shape, cusp_dtype dtype) {
  int64_t count;
  size_t bytes;
  CUSP_TRY(cusp_shape_count_checked(&count, shape));
  CUSP_TRY(cusp_multiply_size(&bytes, (size_t)count, cusp_dtype_size(dtype)));
  const cusp_trace *trace = cusp_state()->trace;
  if (bytes < MUCH || bytes <= cusp_memory_limit() || (trace && trace->any_size))
    return CUSP_OK;
  return cusp_fail(CUSP_ENOMEM,
                   "out of memory: a tensor of shape %s would take %.3g GB of the %.3g GB that "
                   "this process may have",
                   cusp_shape_text(shape), (double)bytes / 1e9, (double)cusp_memory_limit() / 1e9);
}

static size_t round_up(size_t bytes) { return (bytes + 15) & ~(size_t)15; }

static size_t attr_extra(const cusp_attr *attr) {
  if (attr->kind == CUSP_ATTR_INTS)
    return round_up((size_t)attr->count * sizeof(int64_t));
  if (attr->kind == CUSP_ATTR_STRING)
    return round_up(strlen(attr->string) + 1);
  return 0;
}

static void copy_attr(cusp_attr *to, const cusp_attr *from, char **space) {
  *to = *from;
  if (from->kind == CUSP_ATTR_INTS) {
    memcpy(*space, from->ints, (size_t)from->count * sizeof(int64_t));
    to->ints = (const int64_t *)(void *)*space;
  } else if (from->kind == CUSP_ATTR_STRING) {
    memcpy(*space, from->string, strlen(from->string) + 1);
    to->string = *space;
  } else if (from->kind == CUSP_ATTR_SUBGRAPHS) {
    cusp_subgraphs_retain(to->subgraphs);
  }
  *space += attr_extra(from);
}

/* One block holds the node, its inputs, its attributes with their lists, and its outputs' types. */
static cusp_status allocate(cusp_node **out, int n_inputs, int n_attrs, const cusp_attr *attrs,
                            int n_outputs) {
  size_t inputs = round_up((size_t)n_inputs * sizeof(cusp_node *)),
         list = round_up((size_t)n_attrs * sizeof(cusp_attr));
  size_t types = n_outputs > 1 ? round_up((size_t)n_outputs * sizeof(cusp_type)) : 0, extra = 0;
  for (int i = 0; i < n_attrs; i++)
    extra += attr_extra(&attrs[i]);
  cusp_node *node;
  CUSP_TRY(cusp_alloc((void **)&node, round_up(sizeof *node) + inputs + list + types + extra));
  memset(node, 0, sizeof *node);
  char *space = (char *)node + round_up(sizeof *node);
  node->references = 1;
  node->n_outputs = (int16_t)n_outputs;
  node->n_inputs = (int16_t)n_inputs;
  node->n_attrs = (int16_t)n_attrs;
  node->inputs = n_inputs ? (cusp_node **)(void *)space : NULL;
  space += inputs;
  node->attrs = n_attrs ? (cusp_attr *)(void *)space : NULL;
  space += list;
  node->types = n_outputs > 1 ? (cusp_type *)(void *)space : NULL;
  space += types;
  for (int i = 0; i < n_attrs; i++)
    copy_attr(&node->attrs[i], &attrs[i], &space);
  cusp_graph_state *state = cusp_state();
  node->origin = cusp_current_origin();
  node->serial = state->stats.nodes_made++;
  state->stats.nodes_live++;
  *out = node;
  return CUSP_OK;
}

static void adopt_inputs(cusp_node *node, cusp_node *const *inputs) {
  for (int i = 0; i < node->n_inputs; i++) {
    node->inputs[i] = inputs[i];
    cusp_node_retain(inputs[i]);
    cusp_trace *trace = inputs[i]->trace;
    if (trace && (!node->trace || trace->depth > node->trace->depth))
      node->trace = trace;
    node->watched |= inputs[i]->watched;
  }
  if (node->trace)
    cusp_trace_retain(node->trace);
}

static cusp_status check_vector_function(const cusp_op *op, const cusp_inference *inference) {
  if (!(op->flags & CUSP_OP_ELEMENTWISE) || inference->n_inputs == 0)
    return CUSP_OK;
  cusp_dtype from = inference->inputs[inference->n_inputs - 1].dtype,
             to = inference->outputs[0].dtype;
  bool converts = op->vector == CUSP_VECTOR_copy && from != to;
  if (converts ? cusp_vector_find_cast(from, to) != NULL
               : cusp_vector_find((cusp_vector_id)op->vector, from) != NULL)
    return CUSP_OK;
  if (converts && (from == CUSP_STRING || to == CUSP_STRING))
    return cusp_fail(CUSP_EDTYPE, "%s: %s is not converted to %s", op->name, cusp_dtype_name(from),
                     cusp_dtype_name(to));
  return cusp_fail(CUSP_EDTYPE, "%s: not defined for dtype %s", op->name, cusp_dtype_name(from));
}

static bool any_traced(int n, cusp_node *const *nodes) {
  for (int i = 0; i < n; i++)
    if (nodes[i]->trace)
      return true;
  return false;
}

/* Of a traced node only the shape has to be possible: its function may never run, or with other
 * sizes. */
static cusp_status check_shapes(const cusp_inference *inference, bool traced) {
  for (int i = 0; i < inference->n_outputs; i++) {
    const cusp_type *type = &inference->outputs[i];
    int64_t count;
    size_t bytes;
    if (!traced)
      CUSP_TRY(check_room(&type->shape, type->dtype));
    CUSP_TRY(cusp_shape_count_checked(&count, &type->shape));
    CUSP_TRY(cusp_multiply_size(&bytes, (size_t)count, cusp_dtype_size(type->dtype)));
  }
  return CUSP_OK;
}

/* Inputs are promoted and attributes complete here. */
static cusp_status make(cusp_node **out, const cusp_op *op, int n_inputs, cusp_node *const *inputs,
                        int n_attrs, cusp_attr *attrs) {
  cusp_type small[CUSP_MAX_INPUTS], *types = small;
  if (n_inputs > CUSP_MAX_INPUTS)
    CUSP_TRY(cusp_alloc((void **)&types, (size_t)n_inputs * sizeof *types));
  for (int i = 0; i < n_inputs; i++)
    types[i] = inputs[i]->type;
  cusp_inference inference;
  inference.op = op;
  inference.n_inputs = n_inputs;
  inference.inputs = types;
  inference.attrs = attrs;
  inference.n_outputs = 1;
  cusp_status status = op->infer(&inference);
  if (status == CUSP_OK)
    status = check_shapes(&inference, any_traced(n_inputs, inputs));
  if (status == CUSP_OK)
    status = check_vector_function(op, &inference);
  if (types != small)
    cusp_free(types);
  CUSP_TRY(status);
  cusp_node *node;
  CUSP_TRY(allocate(&node, n_inputs, n_attrs, attrs, inference.n_outputs));
  node->op = op;
  node->type = inference.outputs[0];
  for (int i = 0; node->types && i < inference.n_outputs; i++)
    node->types[i] = inference.outputs[i];
  adopt_inputs(node, inputs);
  *out = node;
  return CUSP_OK;
}

static cusp_status finish(cusp_node *node) {
  if (node->watched)
    CUSP_TRY(cusp_tape_record(node));
  if (!node->trace)
    cusp_pending_add(node);
  return CUSP_OK;
}

static cusp_status check_counts(const cusp_op *op, int n_inputs, int n_attrs) {
  const cusp_signature *signature = cusp_op_signature(op);
  bool list = signature->n_tensors > 0 && signature->parameters[0].kind == CUSP_PARAMETER_TENSORS;
  if ((!list && n_inputs > signature->n_tensors) || n_attrs > signature->n_attrs ||
      n_inputs > INT16_MAX)
    return cusp_fail(CUSP_EVALUE,
                     "%s: got %d tensors and %d other arguments, expected at most %d and %d",
                     op->name, n_inputs, n_attrs, signature->n_tensors, signature->n_attrs);
  return CUSP_OK;
}

static void release_all(cusp_node **nodes, int count) {
  for (int i = 0; i < count; i++)
    cusp_node_release(nodes[i]);
}

cusp_status cusp_node_new(cusp_node **out, const cusp_op *op, int n_inputs,
                          cusp_node *const *inputs, int n_attrs, const cusp_attr *attrs) {
  *out = NULL;
  CUSP_TRY(check_counts(op, n_inputs, n_attrs));
  cusp_attr full[CUSP_MAX_PARAMETERS];
  CUSP_TRY(cusp_fill_attrs(op, n_attrs, attrs, full));
  cusp_node *small[CUSP_MAX_INPUTS], **promoted = small;
  if (n_inputs > CUSP_MAX_INPUTS)
    CUSP_TRY(cusp_alloc((void **)&promoted, (size_t)n_inputs * sizeof *promoted));
  memset(promoted, 0, (size_t)n_inputs * sizeof *promoted);
  cusp_status status = cusp_promote_inputs(op, n_inputs, inputs, promoted);
  cusp_node *node = NULL;
  if (status == CUSP_OK) {
    status = make(&node, op, n_inputs, promoted, cusp_op_signature(op)->n_attrs, full);
    release_all(promoted, n_inputs);
  }
  if (promoted != small)
    cusp_free(promoted);
  if (status == CUSP_OK)
    status = finish(node);
  if (status != CUSP_OK) {
    cusp_node_release(node);
    return status;
  }
  *out = node;
  return CUSP_OK;
}

/* Finishes a node and gives it away; frees it where that fails. */
static cusp_status hand_over(cusp_node **out, cusp_node *node) {
  cusp_status status = finish(node);
  if (status == CUSP_OK)
    *out = node;
  else
    cusp_node_release(node);
  return status;
}

cusp_status cusp_node_of_types(cusp_node **out, const cusp_op *op, int n_inputs,
                               cusp_node *const *inputs, const cusp_attr *attr, int n_outputs,
                               const cusp_type *types) {
  *out = NULL;
  cusp_node *node;
  if (n_inputs > INT16_MAX || n_outputs > INT16_MAX)
    return cusp_fail(CUSP_EVALUE, "%s: %d inputs and %d outputs, at most %d of each are supported",
                     op->name, n_inputs, n_outputs, INT16_MAX);
  CUSP_TRY(allocate(&node, n_inputs, 1, attr, n_outputs));
  node->op = op;
  node->type = types[0];
  for (int i = 0; node->types && i < n_outputs; i++)
    node->types[i] = types[i];
  adopt_inputs(node, inputs);
  return hand_over(out, node);
}

cusp_status cusp_node_pick(cusp_node **out, cusp_node *node, int index) {
  *out = NULL;
  cusp_assert(index >= 0 && index < node->n_outputs);
  if (node->n_outputs == 1) {
    cusp_node_retain(node);
    *out = node;
    return CUSP_OK;
  }
  static const cusp_op *pick;
  if (!pick)
    pick = cusp_op_find("pick");
  cusp_node *result;
  cusp_attr attr = cusp_attr_int(index);
  CUSP_TRY(allocate(&result, 1, 1, &attr, 1));
  result->op = pick;
  result->type = node->types[index];
  result->output_index = (int16_t)index;
  adopt_inputs(result, &node);
  return hand_over(out, result);
}

cusp_status cusp_node_leaf(cusp_node **out, const cusp_array *value) {
  *out = NULL;
  cusp_node *node;
  CUSP_TRY(allocate(&node, 0, 0, NULL, 1));
  node->type = (cusp_type){value->dtype, value->shape};
  node->value = *value;
  if (value->storage)
    cusp_storage_retain(value->storage);
  *out = node;
  return CUSP_OK;
}

cusp_status cusp_node_full(cusp_node **out, const cusp_shape *shape, cusp_dtype dtype,
                           double value) {
  *out = NULL;
  cusp_array scalar, whole;
  cusp_shape none = {0};
  if (dtype == CUSP_STRING && value != 0)
    return cusp_fail(CUSP_EDTYPE, "expected a dtype of numbers, got string");
  CUSP_TRY(check_room(shape, dtype));
  CUSP_TRY(cusp_array_new(&scalar, dtype, &none));
  if (cusp_dtype_is_float(dtype))
    cusp_store_double(dtype, scalar.data, value);
  else if (dtype == CUSP_UINT64 && value >= 0x1p63)
    cusp_store_double(dtype, scalar.data, value);
  else
    cusp_store_int(dtype, scalar.data, (int64_t)value);
  cusp_array_broadcast(&whole, &scalar, shape);
  cusp_status status = cusp_node_leaf(out, &whole);
  cusp_array_release(&scalar);
  return status;
}
