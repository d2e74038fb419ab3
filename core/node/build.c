/* Building graphs in C: scopes that own temporaries, and the everyday operations (see build.h). */

#include "build.h"

#include "../base/memory.h"
#include "evaluator.h"
#include "promote.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ scopes */

#define FIRST_CAPACITY 512

/* What open scopes own, in order; a scope is a mark in it. The first part needs no allocation. */
static _Thread_local struct {
  cusp_node **nodes;
  size_t count, capacity;
  int depth;
  cusp_node *first[FIRST_CAPACITY];
} owned;

cusp_scope cusp_scope_open(void) {
  if (!owned.nodes) {
    owned.nodes = owned.first;
    owned.capacity = FIRST_CAPACITY;
  }
  owned.depth++;
  return (cusp_scope){owned.count};
}

void cusp_scope_close(cusp_scope scope) {
  while (owned.count > scope.mark)
    cusp_node_release(owned.nodes[--owned.count]);
  if (--owned.depth == 0 && owned.nodes != owned.first) {
    cusp_free(owned.nodes);
    owned.nodes = owned.first;
    owned.capacity = FIRST_CAPACITY;
  }
}

static cusp_status grow_owned(void) {
  void *larger;
  CUSP_TRY(cusp_alloc(&larger, 2 * owned.capacity * sizeof(cusp_node *)));
  memcpy(larger, owned.nodes, owned.count * sizeof(cusp_node *));
  if (owned.nodes != owned.first)
    cusp_free(owned.nodes);
  owned.nodes = larger;
  owned.capacity *= 2;
  return CUSP_OK;
}

cusp_node *cusp_scope_adopt(cusp_node *node) {
  cusp_assert(owned.depth > 0);
  if (!node)
    return NULL;
  if (owned.count == owned.capacity && grow_owned() != CUSP_OK) {
    cusp_node_release(node);
    return NULL;
  }
  return owned.nodes[owned.count++] = node;
}

cusp_status cusp_built(const cusp_node *node) {
  if (node)
    return CUSP_OK;
  cusp_status status = cusp_error_status();
  return status != CUSP_OK ? status : cusp_fail(CUSP_EVALUE, "a graph could not be built");
}

/* ------------------------------------------------------------------ applying rows */

/* How deep compositions are nested on this thread: the outermost one puts its name before a
 * message. */
static _Thread_local int composing;

static cusp_status name_failure(const cusp_op *op, cusp_status status) {
  size_t length = strlen(op->name);
  const char *message = cusp_error_message();
  if (composing > 0 || (!strncmp(message, op->name, length) && message[length] == ':'))
    return status;
  return cusp_fail_prefix(status, "%s: ", op->name);
}

/* Runs the composition with promoted inputs; outputs are new references. */
static cusp_status compose(cusp_node **outputs, int *n_outputs, const cusp_op *op, int n_inputs,
                           cusp_node *const *inputs, const cusp_attr *attrs) {
  cusp_scope scope = cusp_scope_open();
  outputs[0] = NULL;
  *n_outputs = 1;
  composing++;
  cusp_status status = op->compose(inputs, n_inputs, attrs, outputs, n_outputs);
  for (int i = 0; status == CUSP_OK && i < *n_outputs; i++)
    status = cusp_built(outputs[i]);
  composing--;
  if (status == CUSP_OK)
    for (int i = 0; i < *n_outputs; i++)
      cusp_node_retain(outputs[i]);
  else
    *n_outputs = 0;
  cusp_scope_close(scope);
  return status == CUSP_OK ? CUSP_OK : name_failure(op, status);
}

static cusp_status apply_composition(cusp_node **outputs, int *n_outputs, const cusp_op *op,
                                     int n_inputs, cusp_node *const *inputs, int n_attrs,
                                     const cusp_attr *attrs) {
  cusp_attr full[CUSP_MAX_PARAMETERS];
  cusp_node *few[CUSP_MAX_INPUTS], **promoted = few;
  void *block = NULL;
  CUSP_TRY(cusp_check_inputs(op, n_inputs));
  CUSP_TRY(cusp_fill_attrs(op, n_attrs, attrs, full));
  if (n_inputs > CUSP_MAX_INPUTS) {
    CUSP_TRY(cusp_alloc(&block, (size_t)n_inputs * sizeof(cusp_node *)));
    promoted = block;
  }
  cusp_status status = cusp_promote_inputs(op, n_inputs, inputs, promoted);
  if (status == CUSP_OK) {
    status = compose(outputs, n_outputs, op, n_inputs, promoted, full);
    for (int i = 0; i < n_inputs; i++)
      cusp_node_release(promoted[i]);
  }
  cusp_free(block);
  return status;
}

/* The picks of a row of several outputs; consumes `node`. */
static cusp_status pick_outputs(cusp_node **outputs, int *n_outputs, cusp_node *node) {
  cusp_status status = CUSP_OK;
  int count = node->n_outputs, made = 0;
  while (status == CUSP_OK && made < count) {
    status = cusp_node_pick(&outputs[made], node, made);
    if (status == CUSP_OK)
      made++;
  }
  while (status != CUSP_OK && made > 0)
    cusp_node_release(outputs[--made]);
  cusp_node_release(node);
  *n_outputs = made;
  return status;
}

cusp_status cusp_op_apply(cusp_node **outputs, int *n_outputs, const cusp_op *op, int n_inputs,
                          cusp_node *const *inputs, int n_attrs, const cusp_attr *attrs) {
  *n_outputs = 0;
  if (op->instead) {
    outputs[0] = NULL;
    CUSP_TRY(op->instead(&outputs[0], op, n_inputs, inputs, n_attrs, attrs));
    *n_outputs = outputs[0] != NULL;
    if (outputs[0])
      return CUSP_OK;
  }
  if (op->compose)
    return apply_composition(outputs, n_outputs, op, n_inputs, inputs, n_attrs, attrs);
  CUSP_TRY(cusp_node_new(&outputs[0], op, n_inputs, inputs, n_attrs, attrs));
  *n_outputs = 1;
  return outputs[0]->n_outputs > 1 ? pick_outputs(outputs, n_outputs, outputs[0]) : CUSP_OK;
}

/* Applies the row called `name` and adopts what it gives; the number of outputs, 0 on failure. */
static int apply(cusp_node **outputs, const char *name, int n_inputs, cusp_node *const *inputs,
                 int n_attrs, const cusp_attr *attrs) {
  int count;
  const cusp_op *op = cusp_op_find(name);
  for (int i = 0; i < n_inputs; i++)
    if (!inputs[i])
      return 0;
  if (!op)
    cusp_fail(CUSP_EUNSUPPORTED, "there is no operation called '%s'", name);
  if (!op || cusp_op_apply(outputs, &count, op, n_inputs, inputs, n_attrs, attrs) != CUSP_OK)
    return 0;
  bool whole = true;
  for (int i = 0; i < count; i++)
    whole = (outputs[i] = cusp_scope_adopt(outputs[i])) && whole;
  return whole ? count : 0;
}

cusp_node *cusp_apply(const char *name, int n_inputs, cusp_node *const *inputs, int n_attrs,
                      const cusp_attr *attrs) {
  cusp_node *outputs[CUSP_MAX_RESULTS];
  return apply(outputs, name, n_inputs, inputs, n_attrs, attrs) > 0 ? outputs[0] : NULL;
}

int cusp_apply_many(cusp_node *outputs[CUSP_MAX_OUTPUTS], const char *name, int n_inputs,
                    cusp_node *const *inputs, int n_attrs, const cusp_attr *attrs) {
  cusp_node *results[CUSP_MAX_RESULTS];
  int count = apply(results, name, n_inputs, inputs, n_attrs, attrs);
  if (count > CUSP_MAX_OUTPUTS) {
    cusp_fail(CUSP_EVALUE, "%s: more than %d results", name, CUSP_MAX_OUTPUTS);
    return 0;
  }
  memcpy(outputs, results, (size_t)count * sizeof *outputs);
  return count;
}

/* ------------------------------------------------------------------ everyday operations */

cusp_node *cusp_cast(cusp_node *x, cusp_dtype dtype) {
  cusp_node *result;
  if (!x || (x->type.dtype == dtype && !x->weak))
    return x;
  return cusp_cast_node(&result, x, dtype) == CUSP_OK ? cusp_scope_adopt(result) : NULL;
}

cusp_node *cusp_sum_axes(cusp_node *x, const int64_t *axes, int count, bool keepdims) {
  if (count == 0)
    return x;
  return CUSP_APPLY1("sum", x, cusp_attr_ints(axes, count), cusp_attr_bool(keepdims));
}

cusp_node *cusp_reshape(cusp_node *x, const cusp_shape *shape) {
  if (!x || cusp_shape_equal(&x->type.shape, shape))
    return x;
  return CUSP_APPLY1("reshape", x, cusp_attr_shape(shape));
}

cusp_node *cusp_broadcast_to(cusp_node *x, const cusp_shape *shape) {
  if (!x || cusp_shape_equal(&x->type.shape, shape))
    return x;
  return CUSP_APPLY1("broadcast_to", x, cusp_attr_shape(shape));
}

cusp_node *cusp_transpose(cusp_node *x, const int64_t *axes) {
  if (!x)
    return NULL;
  return CUSP_APPLY1("transpose", x,
                     axes ? cusp_attr_ints(axes, x->type.shape.ndim) : cusp_attr_none());
}

cusp_node *cusp_expand_dims(cusp_node *x, int axis) {
  return CUSP_APPLY1("expand_dims", x, cusp_attr_int(axis));
}

cusp_node *cusp_sum_to(cusp_node *x, const cusp_shape *shape) {
  if (!x || cusp_shape_equal(&x->type.shape, shape))
    return x;
  int64_t axes[CUSP_MAX_DIMS];
  int count = 0, extra = x->type.shape.ndim - shape->ndim;
  for (int axis = 0; axis < x->type.shape.ndim; axis++)
    if (axis < extra || (shape->size[axis - extra] == 1 && x->type.shape.size[axis] != 1))
      axes[count++] = axis;
  /* Small integers keep their dtype here: a gradient has the dtype of what it belongs to. */
  return cusp_reshape(cusp_cast(cusp_sum_axes(x, axes, count, false), x->type.dtype), shape);
}

cusp_node *cusp_full(const cusp_shape *shape, double value, cusp_dtype dtype) {
  cusp_node *node;
  return cusp_node_full(&node, shape, dtype, value) == CUSP_OK ? cusp_scope_adopt(node) : NULL;
}

cusp_node *cusp_scalar(double value, cusp_dtype dtype) {
  return cusp_full(&(cusp_shape){0}, value, dtype);
}

cusp_node *cusp_scalar_like(double value, const cusp_node *like) {
  return like ? cusp_scalar(value, like->type.dtype) : NULL;
}

cusp_node *cusp_constant_1d(cusp_dtype dtype, int64_t count, const void *data) {
  cusp_array value;
  cusp_node *node;
  if (cusp_array_new(&value, dtype, &(cusp_shape){.ndim = 1, .size = {count}}) != CUSP_OK)
    return NULL;
  memcpy(value.data, data, (size_t)count * cusp_dtype_size(dtype));
  cusp_status status = cusp_node_leaf(&node, &value);
  cusp_array_release(&value);
  return status == CUSP_OK ? cusp_scope_adopt(node) : NULL;
}

cusp_status cusp_static_ints(cusp_node *node, int64_t *values, int capacity, int *count) {
  int64_t n = cusp_shape_count(&node->type.shape);
  if (cusp_dtype_is_float(node->type.dtype) || node->type.dtype == CUSP_STRING)
    return cusp_fail(CUSP_EDTYPE, "expected integers, got a tensor of dtype %s",
                     cusp_dtype_name(node->type.dtype));
  if (n > capacity || node->type.shape.ndim > 1)
    return cusp_fail(CUSP_ESHAPE, "expected at most %d integers, got a tensor of shape %s",
                     capacity, cusp_shape_text(&node->type.shape));
  if (!cusp_node_evaluated(node))
    CUSP_TRY(cusp_evaluate(1, &node));
  const cusp_array *array = &node->value;
  const char *data = array->data;
  int64_t step = array->shape.ndim == 1 ? array->strides[0] : 0;
  for (int64_t i = 0; i < n; i++)
    values[i] =
        cusp_load_int(array->dtype, data + i * step * (int64_t)cusp_dtype_size(array->dtype));
  *count = (int)n;
  return CUSP_OK;
}

cusp_node *cusp_scale(cusp_node *x, double factor) {
  return cusp_multiply(x, cusp_scalar_like(factor, x));
}

cusp_node *cusp_shift(cusp_node *x, double term) { return cusp_add(x, cusp_scalar_like(term, x)); }
