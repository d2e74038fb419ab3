/* Promotion of inputs and defaults of attributes (see promote.h). */

#include "promote.h"

#include "../base/numerals.h"
#include "infer.h"
#include "signature.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ dtypes */

/* Whether `dtype` holds the Lua number that the weak `node` is. */
static bool holds_number(const cusp_node *node, cusp_dtype dtype) {
  if (!cusp_dtype_is_int(dtype))
    return true;
  if (cusp_dtype_is_float(node->type.dtype))
    return cusp_dtype_holds_double(dtype, node->number);
  return cusp_dtype_holds_int(dtype, cusp_load_int(node->type.dtype, node->value.data));
}

static cusp_status fail_number(const cusp_node *node, cusp_dtype dtype) {
  char text[32];
  if (cusp_dtype_is_float(node->type.dtype))
    cusp_format(text, sizeof text, "%.14g", node->number);
  else
    snprintf(text, sizeof text, "%lld",
             (long long)cusp_load_int(node->type.dtype, node->value.data));
  return cusp_dtype_fail_range(dtype, text);
}

/* A constant scalar of `dtype` with the value of the evaluated scalar `node`. */
static cusp_status convert_constant(cusp_node **out, const cusp_node *node, cusp_dtype dtype) {
  cusp_array value;
  if (dtype == CUSP_STRING)
    return cusp_fail(CUSP_EDTYPE, "numbers are not converted to strings");
  if (!holds_number(node, dtype))
    return fail_number(node, dtype);
  CUSP_TRY(cusp_array_new(&value, dtype, &node->type.shape));
  if (cusp_dtype_is_float(node->type.dtype))
    cusp_store_double(dtype, value.data, node->number);
  else
    cusp_store_int(dtype, value.data, cusp_load_int(node->type.dtype, node->value.data));
  cusp_status status = cusp_node_leaf(out, &value);
  cusp_array_release(&value);
  return status;
}

cusp_status cusp_cast_node(cusp_node **out, cusp_node *node, cusp_dtype dtype) {
  if (node->weak && node->type.shape.ndim == 0 && cusp_node_evaluated(node))
    return convert_constant(out, node, dtype);
  if (node->type.dtype != dtype)
    return cusp_node_new(out, cusp_op_find("cast"), 1, &node, 1,
                         &(cusp_attr){.kind = CUSP_ATTR_DTYPE, .integer = dtype});
  cusp_node_retain(node);
  *out = node;
  return CUSP_OK;
}

/* Keras's result_type of all inputs from `first` on: tensors among themselves, then Lua numbers
 * joining them, unless they are `strong`. */
static cusp_dtype common_dtype(int first, int n, cusp_node *const *in, bool strong) {
  bool any = false;
  cusp_dtype result = CUSP_BOOL;
  for (int i = first; i < n; i++)
    if (in[i] && (strong || !in[i]->weak)) {
      result = any ? cusp_dtype_promote(result, in[i]->type.dtype) : in[i]->type.dtype;
      any = true;
    }
  cusp_dtype numbers = CUSP_BOOL;
  for (int i = first; i < n; i++)
    if (in[i] && in[i]->weak)
      numbers = cusp_dtype_promote(numbers, in[i]->type.dtype);
  return any ? cusp_dtype_promote_weak(result, numbers) : numbers;
}

cusp_dtype cusp_result_dtype(int n, cusp_node *const *in) { return common_dtype(0, n, in, false); }

/* A dtype in which tensors of `dtype` compare rightly with Lua numbers, which may lie beyond it. */
static cusp_dtype comparable_dtype(cusp_dtype dtype, int n, cusp_node *const *in) {
  for (int i = 0; i < n; i++)
    if (in[i] && in[i]->weak && cusp_node_evaluated(in[i]) && !holds_number(in[i], dtype))
      return dtype == CUSP_UINT64 ? CUSP_FLOAT64 : CUSP_INT64;
  return dtype;
}

static cusp_dtype widen_for_sum(cusp_dtype dtype) {
  if (cusp_dtype_is_float(dtype) || cusp_dtype_size(dtype) >= sizeof(int32_t))
    return dtype;
  return cusp_dtype_is_int(dtype) && !cusp_dtype_is_signed_int(dtype) ? CUSP_UINT32 : CUSP_INT32;
}

static cusp_dtype target_dtype(const cusp_op *op, int n, cusp_node *const *in) {
  cusp_dtype common =
      common_dtype(op->first_promoted, n, in, op->promotion == CUSP_PROMOTE_TENSORS);
  switch (op->promotion) {
  case CUSP_PROMOTE_TENSORS:
  case CUSP_PROMOTE_FLOAT: return cusp_dtype_to_float(common);
  case CUSP_PROMOTE_NO_BOOL: return common == CUSP_BOOL ? CUSP_INT32 : common;
  case CUSP_PROMOTE_SUM: return widen_for_sum(common);
  case CUSP_PROMOTE_BOOL: return CUSP_BOOL;
  default: return op->infer == cusp_infer_broadcast_bool ? comparable_dtype(common, n, in) : common;
  }
}

/* Strings go where elements are moved or compared, and not beside numbers. */
static cusp_status check_strings(const cusp_op *op, int n, cusp_node *const *in) {
  int strings = 0, promoted = 0;
  for (int i = 0; i < n; i++) {
    bool is_string = in[i] && in[i]->type.dtype == CUSP_STRING;
    if (is_string && !(op->flags & CUSP_OP_STRINGS))
      return cusp_fail(CUSP_EDTYPE, "%s: expected numbers, got a tensor of strings", op->name);
    strings += is_string && i >= op->first_promoted;
    promoted += in[i] && i >= op->first_promoted;
  }
  if (strings > 0 && strings < promoted && op->promotion != CUSP_PROMOTE_NONE)
    return cusp_fail(CUSP_EDTYPE, "%s: expected all tensors of numbers or all of strings, got both",
                     op->name);
  return CUSP_OK;
}

cusp_status cusp_promote_inputs(const cusp_op *op, int n, cusp_node *const *in, cusp_node **out) {
  bool promoting = op->promotion != CUSP_PROMOTE_NONE && n > op->first_promoted;
  CUSP_TRY(check_strings(op, n, in));
  cusp_dtype dtype = promoting ? target_dtype(op, n, in) : CUSP_BOOL;
  for (int i = 0; i < n; i++) {
    cusp_status status = CUSP_OK;
    if (!in[i]) {
      out[i] = NULL; /* an optional operand of a composition */
    } else if (promoting && i >= op->first_promoted) {
      status = cusp_cast_node(&out[i], in[i], dtype);
    } else {
      cusp_node_retain(in[i]);
      out[i] = in[i];
    }
    if (status != CUSP_OK) {
      while (i-- > 0)
        cusp_node_release(out[i]);
      return status;
    }
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ attributes */

static bool is_tensor_parameter(const cusp_parameter *parameter) {
  return parameter->kind == CUSP_PARAMETER_TENSOR || parameter->kind == CUSP_PARAMETER_TENSORS;
}

static bool suits(const cusp_parameter *parameter, const cusp_attr *attr) {
  switch (parameter->kind) {
  case CUSP_PARAMETER_INT:
  case CUSP_PARAMETER_AXIS: return attr->kind == CUSP_ATTR_INT;
  case CUSP_PARAMETER_FLOAT: return attr->kind == CUSP_ATTR_FLOAT;
  case CUSP_PARAMETER_BOOL: return attr->kind == CUSP_ATTR_BOOL;
  case CUSP_PARAMETER_DTYPE: return attr->kind == CUSP_ATTR_DTYPE;
  case CUSP_PARAMETER_STRING: return attr->kind == CUSP_ATTR_STRING;
  case CUSP_PARAMETER_SHAPE: return attr->kind == CUSP_ATTR_INTS;
  default: return attr->kind == CUSP_ATTR_INTS || attr->kind == CUSP_ATTR_INT;
  }
}

static cusp_status fill_attr(const cusp_op *op, const cusp_parameter *parameter, cusp_attr given,
                             cusp_attr *out) {
  if (given.kind == CUSP_ATTR_NONE) {
    *out = parameter->default_value;
    if (!parameter->optional)
      return cusp_fail(CUSP_EVALUE, "%s: argument '%s' is missing", op->name, parameter->name);
    return CUSP_OK;
  }
  if (given.kind == CUSP_ATTR_INT && parameter->kind == CUSP_PARAMETER_FLOAT)
    given = cusp_attr_float((double)given.integer);
  *out = given;
  if (!suits(parameter, &given))
    return cusp_fail(CUSP_EVALUE, "%s: argument '%s' is of the wrong kind", op->name,
                     parameter->name);
  return CUSP_OK;
}

cusp_status cusp_fill_attrs(const cusp_op *op, int n_attrs, const cusp_attr *attrs,
                            cusp_attr *full) {
  const cusp_signature *signature = cusp_op_signature(op);
  if (n_attrs > signature->n_attrs)
    return cusp_fail(CUSP_EVALUE, "%s: expected at most %d attributes, got %d", op->name,
                     signature->n_attrs, n_attrs);
  int k = 0;
  for (int i = 0; i < signature->count; i++) {
    if (is_tensor_parameter(&signature->parameters[i]))
      continue;
    CUSP_TRY(fill_attr(op, &signature->parameters[i], k < n_attrs ? attrs[k] : cusp_attr_none(),
                       &full[k]));
    if (full[k].kind == CUSP_ATTR_DTYPE && full[k].integer == CUSP_STRING &&
        !(op->flags & CUSP_OP_STRINGS))
      return cusp_fail(CUSP_EDTYPE, "%s: expected a dtype of numbers, got string", op->name);
    k++;
  }
  return CUSP_OK;
}

cusp_status cusp_check_inputs(const cusp_op *op, int n) {
  const cusp_signature *signature = cusp_op_signature(op);
  int least = 0, most = 0;
  bool list = false;
  for (int i = 0; i < signature->count; i++) {
    const cusp_parameter *parameter = &signature->parameters[i];
    list = list || parameter->kind == CUSP_PARAMETER_TENSORS;
    if (parameter->kind == CUSP_PARAMETER_TENSOR) {
      most++;
      least += !parameter->optional;
    }
  }
  if (list && n < least + 1)
    return cusp_fail(CUSP_EVALUE, "%s: expected at least one tensor, got an empty list", op->name);
  if (n < least || (!list && n > most))
    return cusp_fail(CUSP_EVALUE, "%s: expected %s%d tensor%s, got %d", op->name,
                     least == most ? ""
                     : n < least   ? "at least "
                                   : "at most ",
                     n < least ? least : most, (n < least ? least : most) == 1 ? "" : "s", n);
  return CUSP_OK;
}
