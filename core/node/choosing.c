/* From branches to a choice among them. */
#include "choosing.h"

#include "branch.h"
#include "build.h"
#include "subgraphs.h"

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

/* A Lua number takes the dtype of what another branch returns. */
static cusp_dtype dtype_of_result(const choosing *c, int result) {
  cusp_node *const *first = c->branches[0]->results;
  cusp_dtype dtype = first[result]->type.dtype;
  bool weak = first[result]->weak;
  for (int b = 1; b < c->n_branches; b++) {
    const cusp_node *node = c->branches[b]->results[result];
    if (weak && node->weak)
      dtype = cusp_dtype_promote(dtype, node->type.dtype);
    else if (weak)
      dtype = cusp_dtype_promote_weak(node->type.dtype, dtype);
    weak = weak && node->weak;
  }
  return dtype;
}

static cusp_status unify_result(choosing *c, int result) {
  cusp_type type = {dtype_of_result(c, result), c->branches[0]->results[result]->type.shape};
  for (int b = 0; b < c->n_branches; b++) {
    cusp_node *node = c->branches[b]->results[result];
    if (!cusp_shape_equal(&type.shape, &node->type.shape))
      return cusp_fail(CUSP_ESHAPE,
                       "%s: result %d has shape %s in the first branch and %s in branch %d; they "
                       "should be equal",
                       c->name, result + 1, cusp_shape_text(&type.shape),
                       cusp_shape_text(&node->type.shape), b + 1);
    if (type.dtype != node->type.dtype && !node->weak)
      return cusp_fail(CUSP_EDTYPE,
                       "%s: result %d is %s in one branch and %s in branch %d; cast one of them",
                       c->name, result + 1, cusp_dtype_name(type.dtype),
                       cusp_dtype_name(node->type.dtype), b + 1);
    cusp_node *cast = cusp_cast(node, type.dtype);
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
    for (int b = 0; b < c->n_branches; b++) {
      const cusp_branch_assignment *assigned = cusp_branch_find(c->branches[b], c->variables[i]);
      c->outputs[b * c->n_outputs + c->n_results + i] = assigned ? assigned->value : present;
    }
  }
  return CUSP_OK;
}

static cusp_status make_node(const choosing *c, cusp_node *index, cusp_node **picks,
                             cusp_subgraphs *graphs, cusp_node *const *captures) {
  cusp_node **inputs = NULL;
  cusp_type *types = NULL;
  cusp_status status =
      cusp_alloc((void **)&inputs, ((size_t)graphs->n_inputs + 1) * sizeof *inputs);
  if (status == CUSP_OK)
    status = cusp_alloc((void **)&types, (size_t)c->n_outputs * sizeof *types);
  if (status == CUSP_OK) {
    inputs[0] = index;
    for (int i = 0; i < graphs->n_inputs; i++)
      inputs[1 + i] = captures[i];
    for (int k = 0; k < c->n_outputs; k++)
      types[k] = c->outputs[k]->type;
    status = cusp_subgraphs_node(picks, "choose", graphs->n_inputs + 1, inputs, graphs,
                                 c->n_outputs, types);
  }
  cusp_free(inputs);
  cusp_free(types);
  return status;
}

static cusp_status make_choice(const choosing *c, cusp_node *index, cusp_node **picks) {
  cusp_subgraphs *graphs = NULL;
  cusp_node **captures = NULL, *const **outputs = NULL;
  int *counts = NULL;
  cusp_status status = cusp_alloc((void **)&outputs, (size_t)c->n_branches * sizeof *outputs);
  if (status == CUSP_OK)
    status = cusp_alloc((void **)&counts, (size_t)c->n_branches * sizeof *counts);
  for (int b = 0; status == CUSP_OK && b < c->n_branches; b++) {
    outputs[b] = c->outputs + b * c->n_outputs;
    counts[b] = c->n_outputs;
  }
  if (status == CUSP_OK)
    status = cusp_subgraphs_capture(&graphs, &captures, c->branches[0]->first, c->n_branches,
                                    counts, outputs, 0, NULL, CUSP_HOIST_NOTHING);
  if (status == CUSP_OK)
    status = make_node(c, index, picks, graphs, captures);
  cusp_subgraphs_release(graphs);
  cusp_free(captures);
  cusp_free(outputs);
  cusp_free(counts);
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
  CUSP_TRY(cusp_alloc((void **)&c->outputs,
                      (size_t)c->n_branches * (size_t)c->n_outputs * sizeof *c->outputs));
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

cusp_status cusp_branches_choose(cusp_node **results, const char *name, cusp_node *index,
                                 int n_branches, cusp_branch *const *branches) {
  choosing c = {.name = name,
                .n_branches = n_branches,
                .n_results = branches[0]->n_results,
                .branches = branches};
  for (int b = 0; b < n_branches; b++) {
    CUSP_TRY(cusp_branch_check(branches[b], name));
    if (branches[b]->n_results != c.n_results)
      return cusp_fail(CUSP_EVALUE, "%s: the first branch has %d results and branch %d has %d",
                       name, c.n_results, b + 1, branches[b]->n_results);
  }
  cusp_scope scope = cusp_scope_open();
  cusp_status status = choose(&c, index, results);
  cusp_scope_close(scope);
  cusp_map_free(&c.variable_index);
  cusp_free(c.variables);
  cusp_free(c.outputs);
  return status;
}
