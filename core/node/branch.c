/* Recording branches: what a function computes and assigns, apart from what was there before. */
#include "branch.h"

#include "build.h"
#include "pending.h"
#include "state.h"
#include "trace.h"

/* A node of the branch's own with that value, older than all others there; it goes away with the
 * passes. It is traced, though the value may be a constant: in a loop it stands for what the round
 * before assigned. */
static cusp_status start_anew(cusp_node **out, cusp_node *value, const cusp_branch *branch) {
  cusp_scope scope = cusp_scope_open();
  *out = cusp_apply_1("stop_gradient", value);
  cusp_status status = cusp_built(*out);
  if (status == CUSP_OK) {
    cusp_node_retain(*out);
    (*out)->serial = branch->first;
    if (!(*out)->trace) {
      cusp_trace_retain((*out)->trace = branch->trace);
      cusp_pending_remove(*out);
    }
  }
  cusp_scope_close(scope);
  return status;
}

static cusp_status remember_variable(cusp_branch *branch, cusp_variable_binding *binding) {
  cusp_node *start = binding->current;
  const int count = branch->n_before + 1;
  CUSP_TRY(CUSP_GROW(branch->before, branch->before_capacity, count));
  CUSP_TRY(CUSP_GROW(branch->starts, branch->starts_capacity, count));
  if (branch->repeated)
    CUSP_TRY(start_anew(&start, binding->current, branch));
  else
    cusp_node_retain(start);
  /* the binding's reference is the branch's until it ends */
  branch->before[branch->n_before] = binding->current;
  branch->starts[branch->n_before++] = start;
  cusp_node_retain(start);
  binding->current = start;
  return CUSP_OK;
}

static cusp_status remember_variables(cusp_branch *branch) {
  for (cusp_variable_binding *binding = branch->trace->bindings; binding; binding = binding->next)
    CUSP_TRY(remember_variable(branch, binding));
  return CUSP_OK;
}

/* The outermost first: what a variable is to one is what those within start with. */
static cusp_status tell(cusp_branch *branch, cusp_variable_binding *binding) {
  if (!branch)
    return CUSP_OK;
  CUSP_TRY(tell(branch->outer, binding));
  bool next = branch->trace == binding->trace && branch->n_before == branch->trace->n_bindings - 1;
  return next ? remember_variable(branch, binding) : CUSP_OK;
}

cusp_status cusp_branch_tell(cusp_variable_binding *binding) {
  return tell(cusp_state()->branch, binding);
}

cusp_status cusp_branch_begin(cusp_branch **out, bool repeated) {
  cusp_graph_state *state = cusp_state();
  *out = NULL;
  if (!state->trace)
    return cusp_fail(CUSP_EVALUE, "a branch can be recorded only while a function is traced");
  cusp_branch *branch;
  CUSP_TRY(cusp_alloc_zeroed((void **)&branch, sizeof *branch));
  branch->trace = state->trace;
  branch->open = true;
  branch->repeated = repeated;
  branch->first = state->stats.nodes_made++;
  branch->n_bindings = branch->trace->n_bindings;
  branch->outer = state->branch;
  state->branch = branch;
  cusp_trace_retain(branch->trace);
  *out = branch;
  return remember_variables(branch);
}

bool cusp_in_branch(void) {
  const cusp_graph_state *state = cusp_state();
  for (const cusp_branch *branch = state->branch; branch; branch = branch->outer)
    if (branch->trace == state->trace)
      return true;
  return false;
}

bool cusp_branch_made(const cusp_node *node) {
  const cusp_graph_state *state = cusp_state();
  for (const cusp_branch *branch = state->branch; branch; branch = branch->outer)
    if (branch->trace == state->trace && node->serial >= branch->first)
      return true;
  return false;
}

/* What the variable of the trace's binding number `index` was to the branch when it began. */
static cusp_node *start_of(const cusp_branch *branch, const cusp_variable_binding *binding,
                           int index) {
  return index < branch->n_before ? branch->starts[index] : binding->initial;
}

cusp_node *cusp_branch_start(const cusp_branch *branch, const cusp_variable *variable) {
  int index = 0;
  for (const cusp_variable_binding *binding = branch->trace->bindings; binding;
       binding = binding->next, index++)
    if (binding->variable == variable)
      return start_of(branch, binding, index);
  return NULL;
}

static cusp_status collect_assignments(cusp_branch *branch) {
  int index = 0;
  for (const cusp_variable_binding *binding = branch->trace->bindings; binding;
       binding = binding->next, index++) {
    cusp_node *start = start_of(branch, binding, index);
    if (binding->current == start)
      continue;
    CUSP_TRY(CUSP_GROW(branch->assigned, branch->assigned_capacity, branch->n_assigned + 1));
    branch->assigned[branch->n_assigned++] =
        (cusp_branch_assignment){binding->variable, start, binding->current};
    cusp_variable_retain(binding->variable);
    cusp_node_retain(start);
    cusp_node_retain(binding->current);
  }
  return CUSP_OK;
}

/* Of a trace that was abandoned no binding is left, and the values are let go. */
static void restore_variables(cusp_branch *branch) {
  int index = 0;
  for (cusp_variable_binding *binding = branch->trace->bindings; binding;
       binding = binding->next, index++) {
    if (index >= branch->n_before && index < branch->n_bindings)
      continue;
    cusp_node_release(binding->current);
    if (index < branch->n_before)
      binding->current = branch->before[index];
    else
      cusp_node_retain(binding->current = binding->initial);
  }
  for (; index < branch->n_before; index++)
    cusp_node_release(branch->before[index]);
}

static void close_branch(cusp_branch *branch) {
  cusp_branch **link = &cusp_state()->branch;
  while (*link && *link != branch)
    link = &(*link)->outer;
  if (*link)
    *link = branch->outer;
  restore_variables(branch);
  branch->open = false;
}

cusp_status cusp_branch_end(cusp_branch *branch, int n_results, cusp_node *const *results) {
  if (!branch->open || cusp_state()->trace != branch->trace)
    return cusp_fail(CUSP_EVALUE, "a branch must end once, in the trace where it began");
  cusp_status status =
      cusp_alloc((void **)&branch->results, ((size_t)n_results + 1) * sizeof *branch->results);
  if (status == CUSP_OK)
    status = collect_assignments(branch);
  close_branch(branch);
  CUSP_TRY(status);
  for (int i = 0; i < n_results; i++) {
    branch->results[branch->n_results++] = results[i];
    cusp_node_retain(results[i]);
  }
  return CUSP_OK;
}

void cusp_branch_free(cusp_branch *branch) {
  if (!branch)
    return;
  if (branch->open)
    close_branch(branch);
  for (int i = 0; i < branch->n_before; i++)
    cusp_node_release(branch->starts[i]);
  for (int i = 0; i < branch->n_results; i++)
    cusp_node_release(branch->results[i]);
  for (int i = 0; i < branch->n_assigned; i++) {
    cusp_variable_release(branch->assigned[i].variable);
    cusp_node_release(branch->assigned[i].start);
    cusp_node_release(branch->assigned[i].value);
  }
  cusp_trace_release(branch->trace);
  cusp_free(branch->before);
  cusp_free(branch->starts);
  cusp_free(branch->results);
  cusp_free(branch->assigned);
  cusp_free(branch);
}

const cusp_branch_assignment *cusp_branch_find(const cusp_branch *branch,
                                               const cusp_variable *variable) {
  for (int i = 0; i < branch->n_assigned; i++)
    if (branch->assigned[i].variable == variable)
      return &branch->assigned[i];
  return NULL;
}

cusp_status cusp_branch_check(const cusp_branch *branch, const char *name) {
  if (branch->open || branch->trace != cusp_state()->trace)
    return cusp_fail(CUSP_EVALUE, "%s: a branch has not ended, or belongs to another trace", name);
  return CUSP_OK;
}
