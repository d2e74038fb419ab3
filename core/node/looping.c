/* From a condition and a body to a loop. */
#include "looping.h"

#include "branch.h"
#include "build.h"
#include "subgraphs.h"

/* Carried are the loop's values, then the variables that the body assigns. */
typedef struct looping {
  const char *name;
  const cusp_branch *condition, *body;
  int n_values, n_carried;
  cusp_node **initial;   /* n_carried; lent by the scope */
  cusp_node **stand_ins; /* n_carried of the condition, then of the body; lent */
  cusp_node **next;      /* n_carried: what the body makes of them */
  cusp_node *go_on;      /* the condition as one bool */
  cusp_type *types;      /* n_carried */
  cusp_arena arena;
} looping;

static cusp_status check_value(const looping *l, int k, const cusp_node *initial) {
  const cusp_type *before = &initial->type, *after = &l->body->results[k]->type;
  if (before->dtype == after->dtype && cusp_shape_equal(&before->shape, &after->shape))
    return CUSP_OK;
  return cusp_fail(CUSP_ESHAPE,
                   "%s: loop value %d is %s %s, but the body makes it %s %s; shape and dtype "
                   "should stay the same",
                   l->name, k + 1, cusp_dtype_name(before->dtype), cusp_shape_text(&before->shape),
                   cusp_dtype_name(after->dtype), cusp_shape_text(&after->shape));
}

static cusp_status check(const looping *l, cusp_node *const *initial) {
  CUSP_TRY(cusp_branch_check(l->condition, l->name));
  CUSP_TRY(cusp_branch_check(l->body, l->name));
  if (l->condition->n_assigned)
    return cusp_fail(CUSP_EUNSUPPORTED,
                     "%s: the condition of a traced loop assigns a variable; assign in the body",
                     l->name);
  if (l->condition->n_results != 1 || cusp_shape_count(&l->condition->results[0]->type.shape) != 1)
    return cusp_fail(CUSP_EVALUE, "%s: the condition should give one element", l->name);
  if (l->body->n_results != l->n_values)
    return cusp_fail(CUSP_EVALUE, "%s: the body should return %d values, got %d", l->name,
                     l->n_values, l->body->n_results);
  for (int k = 0; k < l->n_values; k++)
    CUSP_TRY(check_value(l, k, initial[k]));
  return CUSP_OK;
}

static cusp_status allocate(looping *l) {
  size_t n = (size_t)l->n_carried;
  CUSP_TRY(cusp_arena_alloc((void **)&l->initial, &l->arena, n * sizeof *l->initial));
  CUSP_TRY(cusp_arena_alloc((void **)&l->stand_ins, &l->arena, 2 * n * sizeof *l->stand_ins));
  CUSP_TRY(cusp_arena_alloc((void **)&l->next, &l->arena, n * sizeof *l->next));
  return cusp_arena_alloc((void **)&l->types, &l->arena, n * sizeof *l->types);
}

static cusp_status carry_variables(looping *l) {
  for (int i = 0; i < l->body->n_assigned; i++) {
    const cusp_branch_assignment *a = &l->body->assigned[i];
    int k = l->n_values + i;
    CUSP_TRY(cusp_variable_present(&l->initial[k], a->variable));
    l->stand_ins[k] = cusp_branch_start(l->condition, a->variable);
    l->stand_ins[l->n_carried + k] = a->start;
    l->next[k] = a->value;
  }
  return CUSP_OK;
}

static cusp_status collect(looping *l, cusp_node *const *initial, cusp_node *const *stand_ins) {
  cusp_shape scalar = {0};
  CUSP_TRY(allocate(l));
  for (int k = 0; k < l->n_values; k++) {
    l->initial[k] = initial[k];
    l->stand_ins[k] = l->stand_ins[l->n_carried + k] = stand_ins[k];
    l->next[k] = l->body->results[k];
  }
  CUSP_TRY(carry_variables(l));
  for (int k = 0; k < l->n_carried; k++)
    l->types[k] = l->next[k]->type;
  l->go_on = cusp_reshape(cusp_cast(l->condition->results[0], CUSP_BOOL), &scalar);
  return cusp_built(l->go_on);
}

static cusp_status make_node(looping *l, cusp_node **picks, cusp_subgraphs *graphs,
                             cusp_node *const *captures) {
  cusp_node **inputs;
  CUSP_TRY(
      cusp_arena_alloc((void **)&inputs, &l->arena, (size_t)graphs->n_inputs * sizeof *inputs));
  for (int i = 0; i < graphs->n_inputs; i++)
    inputs[i] = i < l->n_carried ? l->initial[i] : captures[i - l->n_carried];
  return cusp_subgraphs_node(picks, "loop", graphs->n_inputs, inputs, graphs, l->n_carried,
                             l->types);
}

static cusp_status make_loop(looping *l, cusp_node **picks) {
  cusp_subgraphs *graphs;
  cusp_node **captures, *const *outputs[] = {&l->go_on, l->next};
  int counts[] = {1, l->n_carried};
  cusp_status status = cusp_subgraphs_capture(&graphs, &captures, l->condition->first, 2, counts,
                                              outputs, l->n_carried, l->stand_ins);
  if (status == CUSP_OK)
    status = make_node(l, picks, graphs, captures);
  cusp_subgraphs_release(graphs);
  cusp_free(captures);
  return status;
}

static cusp_status repeat(looping *l, cusp_node **results, cusp_node *const *initial,
                          cusp_node *const *stand_ins) {
  cusp_node **picks;
  CUSP_TRY(check(l, initial));
  CUSP_TRY(collect(l, initial, stand_ins));
  CUSP_TRY(cusp_arena_alloc((void **)&picks, &l->arena, (size_t)l->n_carried * sizeof *picks));
  CUSP_TRY(make_loop(l, picks));
  cusp_status status = CUSP_OK;
  for (int i = l->n_values; status == CUSP_OK && i < l->n_carried; i++)
    status = cusp_variable_assign(l->body->assigned[i - l->n_values].variable, picks[i]);
  for (int i = 0; i < l->n_carried; i++)
    if (status == CUSP_OK && i < l->n_values)
      results[i] = picks[i];
    else
      cusp_node_release(picks[i]);
  return status;
}

cusp_status cusp_branches_repeat(cusp_node **results, const char *name, int n_values,
                                 cusp_node *const *initial, cusp_node *const *stand_ins,
                                 cusp_branch *condition, cusp_branch *body) {
  looping l = {.name = name,
               .condition = condition,
               .body = body,
               .n_values = n_values,
               .n_carried = n_values + body->n_assigned};
  if (!l.n_carried)
    return cusp_fail(CUSP_EVALUE,
                     "%s: the loop has no values and assigns no variable: it would never end",
                     name);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = repeat(&l, results, initial, stand_ins);
  cusp_scope_close(scope);
  cusp_arena_free(&l.arena);
  return status;
}
