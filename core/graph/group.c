/* Grouping: which elementwise operations and reductions share one tiled loop, and what depends on what. */
#include "lower.h"

#include <string.h>

/* Bounds below the program's own (fused.h), so that a full group still has room for its outputs. */
enum { MAX_MEMBERS = 48, MAX_INPUTS = CUSP_FUSED_MAX_INPUTS, MAX_OPEN = CUSP_FUSED_MAX_OUTPUTS };

static cusp_status new_bits(cusp_lowering *l, uint64_t **bits) {
  return cusp_arena_alloc((void **)bits, &l->graph->arena, (size_t)l->words * sizeof **bits);
}

cusp_status cusp_unit_new(cusp_lowering *l, cusp_unit_kind kind, int operation, int *index) {
  cusp_assert(l->n_units < l->words * 64);
  CUSP_TRY(CUSP_GROW(l->units, l->units_capacity, l->n_units + 1));
  cusp_unit unit = {.kind = kind};
  CUSP_TRY(new_bits(l, &unit.needs));
  CUSP_TRY(new_bits(l, &unit.direct));
  CUSP_TRY(new_bits(l, &unit.hard));
  CUSP_TRY(CUSP_GROW(unit.members, unit.members_capacity, 1));
  unit.members[unit.n_members++] = operation;
  *index = l->n_units;
  l->units[l->n_units++] = unit;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ dependencies */

static void add_bits(const cusp_lowering *l, uint64_t *to, const uint64_t *from) {
  for (int w = 0; w < l->words; w++)
    to[w] |= from[w];
}

/* `unit` reads what `other` makes; everything that needs `unit` now needs `other` too. */
static void add_edge(cusp_lowering *l, int unit, int other, bool hard) {
  cusp_unit *u = &l->units[unit];
  cusp_set_bit(u->direct, other);
  if (hard)
    cusp_set_bit(u->hard, other);
  if (cusp_bit(u->needs, other))
    return;
  cusp_set_bit(u->needs, other);
  add_bits(l, u->needs, l->units[other].needs);
  for (int i = 0; i < l->n_units; i++)
    if (!l->units[i].gone && cusp_bit(l->units[i].needs, unit))
      add_bits(l, l->units[i].needs, u->needs);
}

/* Whether `value` is element for element what a fused unit computes: usable as a register by a member of that unit. */
static bool is_register(const cusp_lowering *l, int value) {
  const cusp_location *location = &l->locations[value];
  if (location->unit < 0 || l->units[location->unit].kind != CUSP_UNIT_FUSED)
    return false;
  return !(cusp_graph_producer(l->graph, value)->op->flags & CUSP_OP_REDUCTION);
}

void cusp_unit_connect(cusp_lowering *l, int unit, int operation) {
  for (int k = 0; k < l->graph->operations[operation].n_inputs; k++) {
    int value = l->graph->operations[operation].inputs[k];
    int other = cusp_unit_of(l, value);
    if (other >= 0 && other != unit)
      add_edge(l, unit, other, !is_register(l, value));
  }
}

/* ------------------------------------------------------------------ joining */

static const cusp_shape *iteration_shape(const cusp_graph *graph, const cusp_operation *operation) {
  int value = operation->op->flags & CUSP_OP_REDUCTION ? operation->inputs[0] : operation->first_output;
  return &graph->values[value].type.shape;
}

static void read_reduced_axes(const cusp_graph *graph, const cusp_operation *operation, bool reduced[CUSP_MAX_DIMS]) {
  const cusp_attr *axes = &operation->attrs[0];
  int ndim = graph->values[operation->inputs[0]].type.shape.ndim;
  for (int i = 0; i < CUSP_MAX_DIMS; i++)
    reduced[i] = axes->kind != CUSP_ATTR_INTS && i < ndim;
  for (int i = 0; axes->kind == CUSP_ATTR_INTS && i < axes->count; i++)
    reduced[axes->ints[i]] = true;
}

static bool reductions_agree(const cusp_lowering *l, const cusp_unit *unit, const cusp_operation *operation) {
  if (!(operation->op->flags & CUSP_OP_REDUCTION) || !unit->reduces)
    return true;
  bool reduced[CUSP_MAX_DIMS];
  read_reduced_axes(l->graph, operation, reduced);
  return memcmp(reduced, unit->reduced_axis, sizeof reduced) == 0;
}

/* Inputs of `operation` that `unit` would have to read from memory; an upper bound, repeated values count twice. */
static int outside_inputs(const cusp_lowering *l, int unit, const cusp_operation *operation) {
  int count = 0;
  for (int k = 0; k < operation->n_inputs; k++)
    count += !(is_register(l, operation->inputs[k]) && l->locations[operation->inputs[k]].unit == unit);
  return count;
}

/* Some other input of the operation depends on `unit`: joining would make a cycle. */
static bool would_cycle(const cusp_lowering *l, int unit, const cusp_operation *operation) {
  for (int k = 0; k < operation->n_inputs; k++) {
    int value = operation->inputs[k], other = cusp_unit_of(l, value);
    if (other == unit && !(is_register(l, value)))
      return true;
    if (other >= 0 && other != unit && cusp_bit(l->units[other].needs, unit))
      return true;
  }
  return false;
}

static bool can_join(const cusp_lowering *l, int index, const cusp_operation *operation) {
  const cusp_unit *unit = &l->units[index];
  return unit->kind == CUSP_UNIT_FUSED && cusp_shape_equal(&unit->shape, iteration_shape(l->graph, operation)) &&
         unit->n_members < MAX_MEMBERS && unit->n_inputs + outside_inputs(l, index, operation) <= MAX_INPUTS && unit->n_open < MAX_OPEN &&
         reductions_agree(l, unit, operation) && !would_cycle(l, index, operation);
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

static void enter(cusp_lowering *l, int index, int operation_index) {
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
  location->array = (cusp_array){.dtype = type->dtype, .shape = type->shape, .data = (void *)CUSP_FAKE_BASE};
  cusp_strides_row_major(location->array.strides, &type->shape);
  cusp_unit_connect(l, index, operation_index);
  count_open(l, index);
}

/* ------------------------------------------------------------------ merging two units */

/* A path from `from` to `to` through a third unit. */
static bool indirect_path(const cusp_lowering *l, int from, int to) {
  if (!cusp_bit(l->units[to].needs, from))
    return false;
  for (int x = 0; x < l->n_units; x++)
    if (x != from && x != to && cusp_bit(l->units[to].direct, x) && cusp_bit(l->units[x].needs, from))
      return true;
  return false;
}

static bool can_merge(const cusp_lowering *l, int a, int b) {
  const cusp_unit *x = &l->units[a], *y = &l->units[b];
  if (a == b || y->kind != CUSP_UNIT_FUSED || !cusp_shape_equal(&x->shape, &y->shape))
    return false;
  if (x->n_members + y->n_members > MAX_MEMBERS || x->n_inputs + y->n_inputs > MAX_INPUTS || x->n_open + y->n_open > MAX_OPEN)
    return false;
  if (x->reduces && y->reduces && memcmp(x->reduced_axis, y->reduced_axis, sizeof x->reduced_axis) != 0)
    return false;
  if (cusp_bit(x->hard, b) || cusp_bit(y->hard, a))
    return false;
  return !indirect_path(l, a, b) && !indirect_path(l, b, a);
}

static void replace_bit(uint64_t *bits, int from, int to) {
  if (!cusp_bit(bits, from))
    return;
  bits[from >> 6] &= ~((uint64_t)1 << (from & 63));
  cusp_set_bit(bits, to);
}

static void clear_bit(uint64_t *bits, int i) { bits[i >> 6] &= ~((uint64_t)1 << (i & 63)); }

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
  add_bits(l, a->needs, b->needs);
  add_bits(l, a->direct, b->direct);
  add_bits(l, a->hard, b->hard);
  b->gone = true;
  count_open(l, into);
  for (int i = 0; i < l->n_units; i++) {
    replace_bit(l->units[i].needs, from, into);
    replace_bit(l->units[i].direct, from, into);
    replace_bit(l->units[i].hard, from, into);
  }
  clear_bit(a->needs, into);
  clear_bit(a->direct, into);
  clear_bit(a->hard, into);
  for (int i = 0; i < l->n_units; i++)
    if (!l->units[i].gone && cusp_bit(l->units[i].needs, into))
      add_bits(l, l->units[i].needs, a->needs);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ adding */

static cusp_status new_group(cusp_lowering *l, int operation, int *index) {
  CUSP_TRY(cusp_unit_new(l, CUSP_UNIT_FUSED, operation, index));
  l->units[*index].shape = *iteration_shape(l->graph, &l->graph->operations[operation]);
  return CUSP_OK;
}

static int find_group(const cusp_lowering *l, const cusp_operation *operation) {
  for (int k = 0; k < operation->n_inputs; k++)
    if (is_register(l, operation->inputs[k]) && can_join(l, l->locations[operation->inputs[k]].unit, operation))
      return l->locations[operation->inputs[k]].unit;
  return -1;
}

/* Inputs that other units of the same space compute: those units come in too where that makes no cycle. */
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
  enter(l, index, operation_index);
  return merge_inputs(l, index, operation_index);
}
