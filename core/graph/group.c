/*
 * Grouping: which elementwise operations and reductions share one tiled loop, and what depends on
 * what. A value that stays within a loop is never written to memory.
 */
#include "group.h"
#include "units.h"

#include <string.h>

/* Bounds below the program's own (fused.h), so that a full group still has room for its outputs. */
enum { MAX_MEMBERS = 48, MAX_INPUTS = CUSP_FUSED_MAX_INPUTS, MAX_OPEN = CUSP_FUSED_MAX_OUTPUTS };

/* ------------------------------------------------------------------ dependencies */

/* Whether `value` is element for element what a fused unit computes: usable as a register by a
 * member of that unit. */
static bool is_register(const cusp_lowering *l, int value) {
  const cusp_location *location = &l->locations[value];
  if (location->unit < 0 || l->units[location->unit].kind != CUSP_UNIT_FUSED)
    return false;
  return !(cusp_graph_producer(l->graph, value)->op->flags & CUSP_OP_REDUCTION);
}

cusp_status cusp_unit_connect(cusp_lowering *l, int unit, int operation) {
  for (int k = 0; k < l->graph->operations[operation].n_inputs; k++) {
    int value = l->graph->operations[operation].inputs[k];
    int other = cusp_unit_of(l, value);
    if (other >= 0 && other != unit)
      CUSP_TRY(cusp_unit_order(l, unit, other, !is_register(l, value)));
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ joining */

static const cusp_shape *iteration_shape(const cusp_graph *graph, const cusp_operation *operation) {
  int value =
      operation->op->flags & CUSP_OP_REDUCTION ? operation->inputs[0] : operation->first_output;
  return &graph->values[value].type.shape;
}

static void read_reduced_axes(const cusp_graph *graph, const cusp_operation *operation,
                              bool reduced[CUSP_MAX_DIMS]) {
  const cusp_attr *axes = &operation->attrs[0];
  int ndim = graph->values[operation->inputs[0]].type.shape.ndim;
  for (int i = 0; i < CUSP_MAX_DIMS; i++)
    reduced[i] = axes->kind != CUSP_ATTR_INTS && i < ndim;
  for (int i = 0; axes->kind == CUSP_ATTR_INTS && i < axes->count; i++)
    reduced[axes->ints[i]] = true;
}

/* All reductions of a loop share the strides of their accumulators, and with them the axes. */
static bool reductions_agree(const cusp_lowering *l, const cusp_unit *unit,
                             const cusp_operation *operation) {
  if (!(operation->op->flags & CUSP_OP_REDUCTION) || !unit->reduces)
    return true;
  bool reduced[CUSP_MAX_DIMS];
  read_reduced_axes(l->graph, operation, reduced);
  return memcmp(reduced, unit->reduced_axis, sizeof reduced) == 0;
}

/* Inputs of `operation` that `unit` would have to read from memory; an upper bound, repeated values
 * count twice. */
static int outside_inputs(const cusp_lowering *l, int unit, const cusp_operation *operation) {
  int count = 0;
  for (int k = 0; k < operation->n_inputs; k++)
    count +=
        !(is_register(l, operation->inputs[k]) && l->locations[operation->inputs[k]].unit == unit);
  return count;
}

/* Some other input of the operation depends on `unit`: joining would make a cycle. */
static bool would_cycle(cusp_lowering *l, int unit, const cusp_operation *operation) {
  for (int k = 0; k < operation->n_inputs; k++) {
    int value = operation->inputs[k], other = cusp_unit_of(l, value);
    if (other == unit && !(is_register(l, value)))
      return true;
    if (other >= 0 && other != unit && cusp_unit_needs(l, other, unit))
      return true;
  }
  return false;
}

/* All members of a loop visit the same elements in the same order. */
static bool can_join(cusp_lowering *l, int index, const cusp_operation *operation) {
  const cusp_unit *unit = &l->units[index];
  return unit->kind == CUSP_UNIT_FUSED &&
         cusp_shape_equal(&unit->shape, iteration_shape(l->graph, operation)) &&
         unit->n_members < MAX_MEMBERS &&
         unit->n_inputs + outside_inputs(l, index, operation) <= MAX_INPUTS &&
         unit->n_open < MAX_OPEN && reductions_agree(l, unit, operation) &&
         !would_cycle(l, index, operation);
}

/* How often members of the unit read `value` as a register. */
static int reads_inside(const cusp_lowering *l, const cusp_unit *unit, int value) {
  int reads = 0;
  for (int i = 0; i < unit->n_members; i++) {
    const cusp_operation *operation = &l->graph->operations[unit->members[i]];
    for (int k = 0; k < operation->n_inputs; k++)
      reads += operation->inputs[k] == value;
  }
  return reads;
}

/* Values with readers outside need to be written to memory; a later member may still close them. */
static void count_open(cusp_lowering *l, int index) {
  cusp_unit *unit = &l->units[index];
  unit->n_open = 0;
  for (int i = 0; i < unit->n_members; i++) {
    int value = l->graph->operations[unit->members[i]].first_output;
    unit->n_open += l->graph->values[value].uses > reads_inside(l, unit, value);
  }
}

static cusp_status enter(cusp_lowering *l, int index, int operation_index) {
  cusp_unit *unit = &l->units[index];
  const cusp_operation *operation = &l->graph->operations[operation_index];
  unit->n_inputs += outside_inputs(l, index, operation);
  if (operation->op->flags & CUSP_OP_REDUCTION) {
    unit->reduces = true;
    read_reduced_axes(l->graph, operation, unit->reduced_axis);
  }
  cusp_location *location = &l->locations[operation->first_output];
  const cusp_type *type = &l->graph->values[operation->first_output].type;
  *location = (cusp_location){.root = operation->first_output, .unit = index};
  location->array =
      (cusp_array){.dtype = type->dtype, .shape = type->shape, .data = (void *)CUSP_FAKE_BASE};
  cusp_strides_row_major(location->array.strides, &type->shape);
  CUSP_TRY(cusp_unit_connect(l, index, operation_index));
  count_open(l, index);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ merging two units */

/* A way from one to the other through a third would become a cycle. */
static bool can_merge(cusp_lowering *l, int a, int b) {
  const cusp_unit *x = &l->units[a], *y = &l->units[b];
  if (a == b || y->kind != CUSP_UNIT_FUSED || !cusp_shape_equal(&x->shape, &y->shape))
    return false;
  if (x->n_members + y->n_members > MAX_MEMBERS || x->n_inputs + y->n_inputs > MAX_INPUTS ||
      x->n_open + y->n_open > MAX_OPEN)
    return false;
  if (x->reduces && y->reduces &&
      memcmp(x->reduced_axis, y->reduced_axis, sizeof x->reduced_axis) != 0)
    return false;
  if (cusp_unit_hard_edge(l, a, b) || cusp_unit_hard_edge(l, b, a))
    return false;
  return !cusp_unit_needs_through_third(l, b, a) && !cusp_unit_needs_through_third(l, a, b);
}

static cusp_status merge(cusp_lowering *l, int into, int from) {
  cusp_unit *a = &l->units[into], *b = &l->units[from];
  CUSP_TRY(CUSP_GROW(a->members, a->members_capacity, a->n_members + b->n_members));
  for (int i = 0; i < b->n_members; i++) {
    a->members[a->n_members++] = b->members[i];
    l->locations[l->graph->operations[b->members[i]].first_output].unit = into;
  }
  a->n_inputs += b->n_inputs;
  if (b->reduces) {
    a->reduces = true;
    memcpy(a->reduced_axis, b->reduced_axis, sizeof a->reduced_axis);
  }
  cusp_unit_absorb(l, into, from);
  count_open(l, into);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ adding */

static cusp_status new_group(cusp_lowering *l, int operation, int *index) {
  CUSP_TRY(cusp_unit_new(l, CUSP_UNIT_FUSED, operation, index));
  l->units[*index].shape = *iteration_shape(l->graph, &l->graph->operations[operation]);
  return CUSP_OK;
}

/* The first that takes it; merge_inputs brings in the groups of the other inputs. */
static int find_group(cusp_lowering *l, const cusp_operation *operation) {
  for (int k = 0; k < operation->n_inputs; k++)
    if (is_register(l, operation->inputs[k]) &&
        can_join(l, l->locations[operation->inputs[k]].unit, operation))
      return l->locations[operation->inputs[k]].unit;
  return -1;
}

/* Inputs that other units of the same space compute: those units come in too where that makes no
 * cycle. */
static cusp_status merge_inputs(cusp_lowering *l, int index, int operation_index) {
  for (int k = 0; k < l->graph->operations[operation_index].n_inputs; k++) {
    int value = l->graph->operations[operation_index].inputs[k];
    if (!is_register(l, value))
      continue;
    int other = l->locations[value].unit;
    if (other == index || !can_merge(l, index, other))
      continue;
    CUSP_TRY(merge(l, index, other));
  }
  return CUSP_OK;
}

cusp_status cusp_group_add(cusp_lowering *l, int operation_index) {
  int index = find_group(l, &l->graph->operations[operation_index]);
  if (index < 0) {
    CUSP_TRY(new_group(l, operation_index, &index));
  } else {
    cusp_unit *unit = &l->units[index];
    CUSP_TRY(CUSP_GROW(unit->members, unit->members_capacity, unit->n_members + 1));
    unit->members[unit->n_members++] = operation_index;
  }
  CUSP_TRY(enter(l, index, operation_index));
  return merge_inputs(l, index, operation_index);
}
