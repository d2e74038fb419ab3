/* Recording branches: what a function computes and assigns, apart from what was there before. */
#include "branch.h"

#include "../ops/build.h"
#include "choose.h"
#include "order.h"
#include "state.h"

typedef struct assignment {
  cusp_variable *variable;
  cusp_node *value;
} assignment;

struct cusp_branch {
  cusp_branch *outer; /* open when this one began */
  cusp_trace *trace;
  bool open;
  uint64_t first;     /* the serial number of the first node that can be its own */
  cusp_node **before; /* what the first n_before variables of the trace were; references */
  int n_before;
  cusp_node **results;
  int n_results;
  assignment *assigned;
  int n_assigned, assigned_capacity;
};

static cusp_status remember_variables(cusp_branch *branch) {
  CUSP_TRY(cusp_alloc((void **)&branch->before, ((size_t)branch->trace->n_bindings + 1) * sizeof *branch->before));
  for (const cusp_variable_binding *binding = branch->trace->bindings; binding; binding = binding->next) {
    branch->before[branch->n_before++] = binding->current;
    cusp_node_retain(binding->current);
  }
  return CUSP_OK;
}

cusp_status cusp_branch_begin(cusp_branch **out) {
  cusp_graph_state *state = cusp_state();
  *out = NULL;
  if (!state->trace)
    return cusp_fail(CUSP_EVALUE, "a branch is recorded while a function is traced, and none is");
  cusp_branch *branch;
  CUSP_TRY(cusp_alloc_zeroed((void **)&branch, sizeof *branch));
  branch->trace = state->trace;
  branch->open = true;
  branch->first = state->stats.nodes_made;
  branch->outer = state->branch;
  state->branch = branch;
  cusp_trace_retain(branch->trace);
  *out = branch;
  return remember_variables(branch);
}

/* What the variable of the trace's binding number `index` was when the branch began. */
static cusp_node *value_before(const cusp_branch *branch, const cusp_variable_binding *binding, int index) {
  return index < branch->n_before ? branch->before[index] : binding->initial;
}

static cusp_status collect_assignments(cusp_branch *branch) {
  int index = 0;
  for (const cusp_variable_binding *binding = branch->trace->bindings; binding; binding = binding->next, index++) {
    if (binding->current == value_before(branch, binding, index))
      continue;
    CUSP_TRY(CUSP_GROW(branch->assigned, branch->assigned_capacity, branch->n_assigned + 1));
    branch->assigned[branch->n_assigned++] = (assignment){binding->variable, binding->current};
    cusp_variable_retain(binding->variable);
    cusp_node_retain(binding->current);
  }
  return CUSP_OK;
}

bool cusp_branch_made(const cusp_node *node) {
  const cusp_graph_state *state = cusp_state();
  for (const cusp_branch *branch = state->branch; branch; branch = branch->outer)
    if (branch->trace == state->trace && node->serial >= branch->first)
      return true;
  return false;
}

static void close_branch(cusp_branch *branch) {
  cusp_branch **link = &cusp_state()->branch;
  while (*link && *link != branch)
    link = &(*link)->outer;
  if (*link)
    *link = branch->outer;
  branch->open = false;
}

static void restore_variables(cusp_branch *branch) {
  int index = 0;
  for (cusp_variable_binding *binding = branch->trace->bindings; binding; binding = binding->next, index++) {
    cusp_node *before = value_before(branch, binding, index);
    cusp_node_retain(before);
    cusp_node_release(binding->current);
    binding->current = before;
  }
  close_branch(branch);
}

cusp_status cusp_branch_end(cusp_branch *branch, int n_results, cusp_node *const *results) {
  if (!branch->open || cusp_state()->trace != branch->trace)
    return cusp_fail(CUSP_EVALUE, "a branch ends once, within the trace in which it began");
  cusp_status status = cusp_alloc((void **)&branch->results, ((size_t)n_results + 1) * sizeof *branch->results);
  if (status == CUSP_OK)
    status = collect_assignments(branch);
  restore_variables(branch);
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
    restore_variables(branch);
  for (int i = 0; i < branch->n_before; i++)
    cusp_node_release(branch->before[i]);
  for (int i = 0; i < branch->n_results; i++)
    cusp_node_release(branch->results[i]);
  for (int i = 0; i < branch->n_assigned; i++) {
    cusp_variable_release(branch->assigned[i].variable);
    cusp_node_release(branch->assigned[i].value);
  }
  cusp_trace_release(branch->trace);
  cusp_free(branch->before);
  cusp_free(branch->results);
  cusp_free(branch->assigned);
  cusp_free(branch);
}

int cusp_branch_n_results(const cusp_branch *branch) { return branch->n_results; }

/* ------------------------------------------------------------------ choosing */

typedef struct choosing {
  const char *name;
  int n_branches, n_results;
  cusp_branch *const *branches;
  cusp_variable **variables; /* assigned by some branch; lent by the branches */
  int n_variables, variables_capacity;
  cusp_map variable_index;
  cusp_node **outputs; /* results, then variables, of each branch after the other; lent */
  int n_outputs;
} choosing;

static cusp_status collect_variables(choosing *c) {
  for (int b = 0; b < c->n_branches; b++)
    for (int i = 0; i < c->branches[b]->n_assigned; i++) {
      cusp_variable *variable = c->branches[b]->assigned[i].variable;
      if (cusp_map_get(&c->variable_index, variable) >= 0)
        continue;
      CUSP_TRY(CUSP_GROW(c->variables, c->variables_capacity, c->n_variables + 1));
      CUSP_TRY(cusp_map_put(&c->variable_index, variable, c->n_variables));
      c->variables[c->n_variables++] = variable;
    }
  return CUSP_OK;
}

static cusp_dtype common_dtype(const choosing *c, int result) {
  const cusp_node *first = c->branches[0]->results[result];
  cusp_dtype dtype = first->type.dtype;
  bool weak = first->weak;
  for (int b = 1; b < c->n_branches; b++) {
    const cusp_node *node = c->branches[b]->results[result];
    if (node->weak == weak)
      dtype = cusp_dtype_promote(dtype, node->type.dtype);
    else
      dtype = weak ? cusp_dtype_promote_weak(node->type.dtype, dtype) : cusp_dtype_promote_weak(dtype, node->type.dtype);
    weak = weak && node->weak;
  }
  return dtype;
}

static cusp_status unify_result(choosing *c, int result) {
  cusp_dtype dtype = common_dtype(c, result);
  const cusp_shape *shape = &c->branches[0]->results[result]->type.shape;
  for (int b = 0; b < c->n_branches; b++) {
    cusp_node *node = c->branches[b]->results[result];
    if (!cusp_shape_equal(shape, &node->type.shape))
      return cusp_fail(CUSP_ESHAPE, "%s: result %d has shape %s in the first branch and %s in branch %d; they should be equal", c->name,
                       result + 1, cusp_shape_text(shape), cusp_shape_text(&node->type.shape), b + 1);
    cusp_node *cast = cusp_cast(node, dtype);
    CUSP_TRY(cusp_built(cast));
    c->outputs[b * c->n_outputs + result] = cast;
  }
  return CUSP_OK;
}

/* A branch that leaves a variable alone hands its present value on. */
static cusp_status fill_variables(choosing *c) {
  for (int i = 0; i < c->n_variables; i++) {
    cusp_node *present;
    CUSP_TRY(cusp_variable_present(&present, c->variables[i]));
    for (int b = 0; b < c->n_branches; b++)
      c->outputs[b * c->n_outputs + c->n_results + i] = present;
  }
  for (int b = 0; b < c->n_branches; b++)
    for (int i = 0; i < c->branches[b]->n_assigned; i++) {
      const assignment *a = &c->branches[b]->assigned[i];
      c->outputs[b * c->n_outputs + c->n_results + cusp_map_get(&c->variable_index, a->variable)] = a->value;
    }
  return CUSP_OK;
}

/* Outside of the branches: what has a value or is given one, and what was traced before the first of them began. */
static bool outside(const void *first, const cusp_node *node) {
  return cusp_is_leaf(node) || (node->trace && node->serial < *(const uint64_t *)first);
}

static cusp_status collect_inner(const choosing *c, cusp_order *order) {
  cusp_stop stop = {.at = outside, .context = &c->branches[0]->first};
  int total = c->n_branches * c->n_outputs;
  CUSP_TRY(cusp_order_collect(order, total, c->outputs, stop));
  return cusp_evaluate_untraced(order, total, c->outputs);
}

static bool captured(const cusp_order *order, const cusp_node *node) { return cusp_stops(order->stop, node) && node->trace; }

static cusp_status fill_choices(cusp_choices **out, const choosing *c, const cusp_order *order) {
  int count = 0;
  for (int i = 0; i < order->count; i++)
    count += captured(order, order->nodes[i]);
  CUSP_TRY(cusp_choices_new(out, c->n_branches, count, c->n_outputs));
  count = 0;
  for (int i = 0; i < order->count; i++)
    if (captured(order, order->nodes[i]))
      cusp_node_retain((*out)->captures[count++] = order->nodes[i]);
  for (int i = 0; i < c->n_branches * c->n_outputs; i++)
    cusp_node_retain((*out)->outputs[i] = c->outputs[i]);
  return CUSP_OK;
}

static cusp_status make_choice(const choosing *c, cusp_node *index, cusp_node **picks) {
  cusp_order order = {0};
  cusp_choices *choices = NULL;
  cusp_status status = collect_inner(c, &order);
  if (status == CUSP_OK)
    status = fill_choices(&choices, c, &order);
  if (status == CUSP_OK)
    status = cusp_choose_new(picks, index, choices->captures, choices);
  cusp_choices_release(choices);
  cusp_order_free(&order);
  return status;
}

static cusp_status assign_variables(const choosing *c, cusp_node *const *values) {
  for (int i = 0; i < c->n_variables; i++)
    CUSP_TRY(cusp_variable_assign(c->variables[i], values[i]));
  return CUSP_OK;
}

static cusp_status choose(choosing *c, cusp_node *index, cusp_node **results) {
  CUSP_TRY(collect_variables(c));
  c->n_outputs = c->n_results + c->n_variables;
  if (!c->n_outputs)
    return CUSP_OK;
  CUSP_TRY(cusp_alloc((void **)&c->outputs, (size_t)c->n_branches * (size_t)c->n_outputs * sizeof *c->outputs));
  for (int i = 0; i < c->n_results; i++)
    CUSP_TRY(unify_result(c, i));
  CUSP_TRY(fill_variables(c));
  cusp_node **picks;
  CUSP_TRY(cusp_alloc((void **)&picks, (size_t)c->n_outputs * sizeof *picks));
  cusp_status status = make_choice(c, index, picks);
  if (status == CUSP_OK) {
    status = assign_variables(c, picks + c->n_results);
    for (int i = 0; i < c->n_outputs; i++)
      if (i < c->n_results && status == CUSP_OK)
        results[i] = picks[i];
      else
        cusp_node_release(picks[i]);
  }
  cusp_free(picks);
  return status;
}

cusp_status cusp_branch_choose(cusp_node **results, const char *name, cusp_node *index, int n_branches, cusp_branch *const *branches) {
  choosing c = {.name = name, .n_branches = n_branches, .n_results = branches[0]->n_results, .branches = branches};
  for (int b = 0; b < n_branches; b++) {
    if (branches[b]->open || branches[b]->trace != cusp_state()->trace)
      return cusp_fail(CUSP_EVALUE, "%s: branch %d has not ended, or belongs to another trace", name, b + 1);
    if (branches[b]->n_results != c.n_results)
      return cusp_fail(CUSP_EVALUE, "%s: the first branch has %d results and branch %d has %d", name, c.n_results, b + 1,
                       branches[b]->n_results);
  }
  cusp_scope scope = cusp_scope_open();
  cusp_status status = choose(&c, index, results);
  cusp_scope_close(scope);
  cusp_map_free(&c.variable_index);
  cusp_free(c.variables);
  cusp_free(c.outputs);
  return status;
}
