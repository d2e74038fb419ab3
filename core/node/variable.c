/* Variables: values that change, outside and within traces. */
#include "build.h"
#include "evaluator.h"
#include "pending.h"
#include "state.h"
#include "tape.h"
#include "trace.h"

#include <string.h>

/* ------------------------------------------------------------------ values */

/* A variable's array is row-major, owns all of its storage, and shares it with no other node: plans
 * may write into it. */
static cusp_status own_copy(cusp_node **out, const cusp_array *value) {
  cusp_array copy;
  CUSP_TRY(cusp_array_new(&copy, value->dtype, &value->shape));
  cusp_array_copy(&copy, value);
  cusp_status status = cusp_node_leaf(out, &copy);
  cusp_array_release(&copy);
  return status;
}

enum { SMALL = 4096 }; /* bytes that are not worth a copy */

/* In memory that a variable may keep: a part of a larger tensor would keep all of that. */
static bool plain(const cusp_node *node) {
  const cusp_array *value = &node->value;
  const size_t bytes = (size_t)cusp_array_count(value) * cusp_dtype_size(value->dtype);
  return value->storage && value->data == value->storage->data && cusp_array_is_contiguous(value) &&
         value->storage->bytes >= bytes && value->storage->bytes <= 2 * bytes + SMALL;
}

/* The computed value as a fresh leaf: the node given keeps its own handle, and no history hangs on
 * the variable. */
static cusp_status settle(cusp_node **out, cusp_node *value, const cusp_type *type) {
  *out = NULL;
  cusp_scope scope = cusp_scope_open();
  cusp_node *cast = cusp_cast(value, type->dtype);
  cusp_status status = cusp_built(cast);
  if (status == CUSP_OK)
    status = cusp_evaluate(1, &cast);
  if (status == CUSP_OK)
    status = plain(cast) ? cusp_node_leaf(out, &cast->value) : own_copy(out, &cast->value);
  cusp_scope_close(scope);
  return status;
}

/* Without a value. */
static cusp_status make(cusp_variable **out, const cusp_node *initial, bool trainable) {
  CUSP_TRY(cusp_alloc_zeroed((void **)out, sizeof **out));
  (*out)->references = 1;
  (*out)->type = initial->type;
  (*out)->trainable = trainable;
  return CUSP_OK;
}

cusp_status cusp_variable_new(cusp_variable **out, cusp_node *initial, bool trainable) {
  cusp_variable *variable;
  *out = NULL;
  if (initial->type.dtype == CUSP_STRING)
    return cusp_fail(CUSP_EDTYPE, "a variable holds numbers, got a tensor of strings");
  CUSP_TRY(make(&variable, initial, trainable));
  cusp_status status = settle(&variable->value, initial, &initial->type);
  if (status != CUSP_OK) {
    cusp_free(variable);
    return status;
  }
  *out = variable;
  return CUSP_OK;
}

/* What waits for a variable is no pending work: nobody may ever ask for it. */
static void leave_pending(cusp_node *node) {
  if (!cusp_pending_remove(node))
    return;
  for (int i = 0; node->inputs && i < node->n_inputs; i++)
    leave_pending(node->inputs[i]);
}

cusp_status cusp_variable_new_deferred(cusp_variable **out, cusp_node *initial, bool trainable) {
  if (cusp_node_evaluated(initial) || initial->trace || cusp_state()->tape)
    return cusp_variable_new(out, initial, trainable);
  *out = NULL;
  CUSP_TRY(make(out, initial, trainable));
  leave_pending(initial);
  cusp_node_retain(initial);
  (*out)->value = initial;
  (*out)->deferred = true;
  return CUSP_OK;
}

static void set_value(cusp_variable *variable, cusp_node *settled) {
  cusp_node_release(variable->value);
  variable->value = settled;
  variable->deferred = false;
}

cusp_status cusp_variable_settle(cusp_variable *variable) {
  cusp_node *settled;
  if (!variable->deferred)
    return CUSP_OK;
  cusp_trace *trace = cusp_trace_suspend();
  cusp_status status = settle(&settled, variable->value, &variable->type);
  cusp_trace_resume(trace);
  if (status == CUSP_OK)
    set_value(variable, settled);
  return status;
}

cusp_status cusp_variable_peek(cusp_node **out, cusp_variable *variable) {
  cusp_node_retain(variable->value);
  *out = cusp_scope_adopt(variable->value);
  return *out ? CUSP_OK : cusp_error_status();
}

void cusp_variable_retain(cusp_variable *variable) { variable->references++; }

void cusp_variable_release(cusp_variable *variable) {
  if (!variable || --variable->references > 0)
    return;
  cusp_node_release(variable->value);
  cusp_free(variable);
}

/* ------------------------------------------------------------------ reading and assigning */

static cusp_status bind(cusp_variable_binding **out, cusp_variable *variable, cusp_trace *trace) {
  cusp_variable_binding *binding = variable->binding;
  /* another coroutine's trace may have touched it since */
  while (binding && binding->trace != trace)
    binding = binding->outer;
  if (binding) {
    *out = binding;
    return CUSP_OK;
  }
  CUSP_TRY(cusp_alloc_zeroed((void **)&binding, sizeof *binding));
  cusp_array empty = {.dtype = variable->type.dtype, .shape = variable->type.shape};
  cusp_status status = cusp_node_leaf(&binding->initial, &empty);
  if (status != CUSP_OK) {
    cusp_free(binding);
    return status;
  }
  binding->initial->trace = trace;
  cusp_trace_retain(trace);
  binding->current = binding->initial;
  cusp_node_retain(binding->current);
  binding->trace = trace;
  binding->variable = variable;
  cusp_variable_retain(variable);
  binding->outer = variable->binding;
  variable->binding = binding;
  *trace->last_binding = binding;
  trace->last_binding = &binding->next;
  trace->n_bindings++;
  *out = binding;
  return cusp_branch_tell(binding);
}

cusp_status cusp_variable_present(cusp_node **out, cusp_variable *variable) {
  cusp_graph_state *state = cusp_state();
  *out = NULL;
  if (!state->trace) {
    CUSP_TRY(cusp_variable_settle(variable));
    return cusp_variable_peek(out, variable);
  }
  cusp_variable_binding *binding;
  CUSP_TRY(bind(&binding, variable, state->trace));
  cusp_node_retain(binding->current);
  *out = cusp_scope_adopt(binding->current);
  return *out ? CUSP_OK : cusp_error_status();
}

/* A zero that is added to a version made within a branch. The version is out of reach of gradients
 * from outside of the branch; the zero is given to the branch as its captures are, and has the same
 * gradient. */
static cusp_status read_within_branch(cusp_node **out, cusp_variable *variable) {
  cusp_node *zero = cusp_zeros_like(*out);
  CUSP_TRY(cusp_built(zero));
  zero->trace = cusp_state()->trace;
  cusp_trace_retain(zero->trace);
  CUSP_TRY(cusp_tape_record_reading(variable, zero));
  return cusp_built(*out = cusp_add(*out, zero));
}

cusp_status cusp_variable_read(cusp_node **out, cusp_variable *variable) {
  CUSP_TRY(cusp_variable_present(out, variable));
  if (!cusp_state()->tape || !cusp_dtype_is_float(variable->type.dtype))
    return CUSP_OK;
  if (!cusp_is_leaf(*out) && cusp_branch_made(*out))
    return read_within_branch(out, variable);
  return cusp_tape_record_reading(variable, *out);
}

static cusp_status check_assignment(const cusp_variable *variable, const cusp_node *value) {
  if (cusp_shape_equal(&variable->type.shape, &value->type.shape))
    return CUSP_OK;
  return cusp_fail(CUSP_ESHAPE, "assign: the variable has shape %s but the value has shape %s",
                   cusp_shape_text(&variable->type.shape), cusp_shape_text(&value->type.shape));
}

/* The next version of the variable: a node of its own, at which gradients end as they do at a value
 * computed outside a trace. */
static cusp_status assign_traced(cusp_variable *variable, cusp_node *value, cusp_trace *trace) {
  cusp_variable_binding *binding;
  CUSP_TRY(bind(&binding, variable, trace));
  cusp_scope scope = cusp_scope_open();
  cusp_node *version = cusp_apply_1("stop_gradient", cusp_cast(value, variable->type.dtype));
  cusp_status status = cusp_built(version);
  if (status == CUSP_OK) {
    cusp_node_retain(version);
    cusp_node_release(binding->current);
    binding->current = version;
  }
  cusp_scope_close(scope);
  return status;
}

cusp_status cusp_variable_assign(cusp_variable *variable, cusp_node *value) {
  CUSP_TRY(check_assignment(variable, value));
  cusp_trace *trace = cusp_state()->trace;
  if (trace)
    return assign_traced(variable, value, trace);
  cusp_node *settled;
  CUSP_TRY(settle(&settled, value, &variable->type));
  set_value(variable, settled);
  return CUSP_OK;
}

static cusp_status settle_all(cusp_node **settled, int count, cusp_variable *const *variables,
                              cusp_node *const *values) {
  for (int i = 0; i < count; i++)
    CUSP_TRY(check_assignment(variables[i], values[i]));
  CUSP_TRY(cusp_evaluate(count, values));
  for (int i = 0; i < count; i++)
    CUSP_TRY(settle(&settled[i], values[i], &variables[i]->type));
  return CUSP_OK;
}

cusp_status cusp_variables_assign(int count, cusp_variable *const *variables,
                                  cusp_node *const *values) {
  cusp_node **settled;
  CUSP_TRY(cusp_alloc_zeroed((void **)&settled, ((size_t)count + 1) * sizeof *settled));
  cusp_status status = settle_all(settled, count, variables, values);
  for (int i = 0; i < count; i++) {
    if (status == CUSP_OK)
      set_value(variables[i], settled[i]);
    else
      cusp_node_release(settled[i]);
  }
  cusp_free(settled);
  return status;
}
