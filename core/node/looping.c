/* From a body, and perhaps a condition, to a loop or a scan. */
#include "looping.h"

#include "branch.h"
#include "build.h"
#include "subgraphs.h"

/* Carried are the loop's values, then the variables that the body assigns. Given to each round are
 * these and a scan's slices. */
typedef struct looping {
  const cusp_repetition *r;
  const cusp_branch *condition; /* NULL: a scan */
  const cusp_branch *body;
  int n_carried, n_given, n_outputs;
  cusp_node **initial;   /* n_given; lent by the scope */
  cusp_node **stand_ins; /* n_given of the body, then of the condition; lent */
  cusp_node **next;      /* n_outputs: what the body makes of them, and of a scan's slices */
  cusp_node *go_on;      /* the condition as one bool */
  cusp_type *types;      /* n_carried */
  cusp_arena arena;
} looping;

/* A Lua number takes the dtype of the value that it follows. */
static cusp_status take_result(const looping *l, int k) {
  cusp_node *after = l->body->results[k];
  const cusp_type *before = &l->initial[k]->type;
  bool fits = cusp_dtype_is_float(before->dtype) || !cusp_dtype_is_float(after->type.dtype);
  if (after->weak && fits && after->type.dtype != before->dtype)
    CUSP_TRY(cusp_built(after = cusp_cast(after, before->dtype)));
  l->next[k] = after;
  if (before->dtype == after->type.dtype && cusp_shape_equal(&before->shape, &after->type.shape))
    return CUSP_OK;
  return cusp_fail(CUSP_ESHAPE,
                   "%s: %s %d is %s %s, but the %s makes it %s %s; shape and dtype should stay the "
                   "same",
                   l->r->name, l->r->value_name, k + 1, cusp_dtype_name(before->dtype),
                   cusp_shape_text(&before->shape), l->r->body_name,
                   cusp_dtype_name(after->type.dtype), cusp_shape_text(&after->type.shape));
}

static cusp_status check_condition(const looping *l) {
  CUSP_TRY(cusp_branch_check(l->condition, l->r->name));
  if (l->condition->n_assigned)
    return cusp_fail(CUSP_EUNSUPPORTED,
                     "%s: the condition of a traced loop assigns a variable; assign in the body",
                     l->r->name);
  if (l->condition->n_results != 1 || cusp_shape_count(&l->condition->results[0]->type.shape) != 1)
    return cusp_fail(
        CUSP_EVALUE, "%s: expected one element as the condition, got shape %s", l->r->name,
        l->condition->n_results ? cusp_shape_text(&l->condition->results[0]->type.shape) : "[0]");
  return CUSP_OK;
}

static cusp_status check(const looping *l) {
  CUSP_TRY(cusp_branch_check(l->body, l->r->name));
  if (l->condition)
    CUSP_TRY(check_condition(l));
  if (l->condition && !l->n_carried)
    return cusp_fail(CUSP_EVALUE,
                     "%s: the loop has no values and assigns no variable: it would never end",
                     l->r->name);
  if (l->condition ? l->body->n_results == l->r->n_values : l->body->n_results >= l->r->n_values)
    return CUSP_OK;
  return cusp_fail(CUSP_EVALUE, "%s: the body should return %d values, got %d", l->r->name,
                   l->r->n_values, l->body->n_results);
}

static cusp_status allocate(looping *l) {
  size_t n = (size_t)l->n_given, outputs = (size_t)l->n_outputs + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&l->initial, &l->arena, n * sizeof *l->initial));
  CUSP_TRY(cusp_arena_alloc((void **)&l->stand_ins, &l->arena, 2 * n * sizeof *l->stand_ins));
  CUSP_TRY(cusp_arena_alloc((void **)&l->next, &l->arena, outputs * sizeof *l->next));
  return cusp_arena_alloc((void **)&l->types, &l->arena, outputs * sizeof *l->types);
}

/* The values, and behind the variables the slices, whose place that is. */
static cusp_status take_values(looping *l) {
  int n_values = l->r->n_values, n_assigned = l->body->n_assigned;
  for (int i = 0; i < n_values + l->r->n_slices; i++) {
    int k = i < n_values ? i : i + n_assigned;
    l->initial[k] = l->r->initial[i];
    l->stand_ins[k] = l->stand_ins[l->n_given + k] = l->r->stand_ins[i];
  }
  for (int k = 0; k < n_values; k++)
    CUSP_TRY(take_result(l, k));
  for (int i = n_values; i < l->body->n_results; i++)
    l->next[i + n_assigned] = l->body->results[i];
  return CUSP_OK;
}

/* No gradient goes back into what a variable was: what the body reads has its own way out. */
static cusp_status take_variables(looping *l) {
  for (int i = 0; i < l->body->n_assigned; i++) {
    const cusp_branch_assignment *a = &l->body->assigned[i];
    int k = l->r->n_values + i;
    cusp_node *present;
    CUSP_TRY(cusp_variable_present(&present, a->variable));
    CUSP_TRY(cusp_built(l->initial[k] = cusp_apply_1("stop_gradient", present)));
    l->stand_ins[k] = a->start;
    if (l->condition)
      l->stand_ins[l->n_given + k] = cusp_branch_start(l->condition, a->variable);
    l->next[k] = a->value;
  }
  return CUSP_OK;
}

static cusp_status collect(looping *l) {
  cusp_shape scalar = {0};
  CUSP_TRY(allocate(l));
  CUSP_TRY(take_values(l));
  CUSP_TRY(take_variables(l));
  for (int k = 0; k < l->n_carried; k++)
    l->types[k] = l->next[k]->type;
  if (!l->condition)
    return CUSP_OK;
  l->go_on = cusp_reshape(cusp_cast(l->condition->results[0], CUSP_BOOL), &scalar);
  return cusp_built(l->go_on);
}

static cusp_status make_node(looping *l, cusp_node **picks, cusp_subgraphs *graphs,
                             cusp_node *const *captures) {
  cusp_node **inputs;
  CUSP_TRY(
      cusp_arena_alloc((void **)&inputs, &l->arena, (size_t)graphs->n_inputs * sizeof *inputs));
  for (int i = 0; i < graphs->n_inputs; i++)
    inputs[i] = i < l->n_given ? l->initial[i] : captures[i - l->n_given];
  cusp_pass pass = {.n_carried = l->n_carried};
  if (l->condition) {
    CUSP_TRY(cusp_subgraphs_set_passes(graphs, 1, &pass));
    return cusp_subgraphs_node(picks, "loop", graphs->n_inputs, inputs, graphs, l->n_carried,
                               l->types);
  }
  cusp_rounds rounds = {l->r->count, l->r->reverse, l->n_carried, l->r->n_slices};
  return cusp_scan_node(picks, graphs->n_inputs, inputs, graphs, &rounds);
}

/* What every round computes alike is computed before the loop, unless no round may come: then only
 * what cannot fail. */
static cusp_status make_loop(looping *l, cusp_node **picks) {
  cusp_subgraphs *graphs;
  cusp_node **captures, *const *outputs[] = {l->next, &l->go_on};
  int counts[] = {l->n_outputs, 1};
  bool certain = !l->condition && l->r->count > 0;
  uint64_t first = l->condition ? l->condition->first : l->body->first; /* which was traced first */
  cusp_status status =
      cusp_subgraphs_capture(&graphs, &captures, first, l->condition ? 2 : 1, counts, outputs,
                             l->n_given, l->stand_ins, certain ? CUSP_HOIST_ALL : CUSP_HOIST_CHEAP);
  if (status == CUSP_OK)
    status = make_node(l, picks, graphs, captures);
  cusp_subgraphs_release(graphs);
  cusp_free(captures);
  return status;
}

static cusp_status repeat(looping *l, cusp_node **results) {
  cusp_node **picks;
  CUSP_TRY(check(l));
  CUSP_TRY(collect(l));
  CUSP_TRY(
      cusp_arena_alloc((void **)&picks, &l->arena, ((size_t)l->n_outputs + 1) * sizeof *picks));
  if (l->n_outputs)
    CUSP_TRY(make_loop(l, picks));
  cusp_status status = CUSP_OK;
  int n_values = l->r->n_values;
  for (int i = n_values; status == CUSP_OK && i < l->n_carried; i++)
    status = cusp_variable_assign(l->body->assigned[i - n_values].variable, picks[i]);
  for (int i = 0, at = 0; i < l->n_outputs; i++)
    if (status == CUSP_OK && (i < n_values || i >= l->n_carried))
      results[at++] = picks[i];
    else
      cusp_node_release(picks[i]);
  return status;
}

cusp_status cusp_branches_repeat(cusp_node **results, const cusp_repetition *repetition,
                                 cusp_branch *condition, cusp_branch *body) {
  looping l = {.r = repetition, .condition = condition, .body = body};
  l.n_carried = repetition->n_values + body->n_assigned;
  l.n_given = l.n_carried + repetition->n_slices;
  l.n_outputs = body->n_results + body->n_assigned;
  cusp_scope scope = cusp_scope_open();
  cusp_status status = repeat(&l, results);
  cusp_scope_close(scope);
  cusp_arena_free(&l.arena);
  return status;
}
