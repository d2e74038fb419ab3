/* Scheduling: the order of steps, and which variables are updated in their own memory. */
#include "lower.h"

#include <string.h>

/* ------------------------------------------------------------------ updates in place */

static bool reads_root(const cusp_lowering *l, const cusp_operation *operation, int root) {
  for (int k = 0; k < operation->n_inputs; k++)
    if (l->locations[operation->inputs[k]].root == root)
      return true;
  return false;
}

static bool unit_reads_root(const cusp_lowering *l, const cusp_unit *unit, int root) {
  for (int i = 0; i < unit->n_members; i++)
    if (reads_root(l, &l->graph->operations[unit->members[i]], root))
      return true;
  return false;
}

/* The unit that writes may itself read the old value only element for element. */
static bool reads_elementwise_only(const cusp_lowering *l, const cusp_unit *unit, int root) {
  if (unit->kind != CUSP_UNIT_FUSED)
    return !unit_reads_root(l, unit, root);
  for (int i = 0; i < unit->n_members; i++) {
    const cusp_operation *operation = &l->graph->operations[unit->members[i]];
    for (int k = 0; k < operation->n_inputs; k++) {
      int input = operation->inputs[k];
      if (l->locations[input].root == root &&
          !(cusp_location_is_whole(l, input) && cusp_shape_equal(&l->locations[input].array.shape, &unit->shape)))
        return false;
    }
  }
  return true;
}

static bool is_output(const cusp_lowering *l, int root) {
  for (int i = 0; i < l->graph->n_outputs; i++)
    if (l->locations[l->outputs[i]].root == root)
      return true;
  return false;
}

static bool stored_by_fused(const cusp_lowering *l, int value) {
  const cusp_operation *producer = cusp_graph_producer(l->graph, value);
  return !(producer->op->flags & CUSP_OP_REDUCTION);
}

static void order_after(cusp_lowering *l, int writer, int reader) {
  cusp_unit *w = &l->units[writer];
  cusp_set_bit(w->direct, reader);
  cusp_set_bit(w->needs, reader);
  for (int k = 0; k < l->words; k++)
    w->needs[k] |= l->units[reader].needs[k];
  for (int i = 0; i < l->n_units; i++)
    if (!l->units[i].gone && cusp_bit(l->units[i].needs, writer))
      for (int k = 0; k < l->words; k++)
        l->units[i].needs[k] |= w->needs[k];
}

/* Every other reader of the old value must be able to come before the writer. */
static bool readers_can_precede(const cusp_lowering *l, int writer, int root) {
  for (int i = 0; i < l->n_units; i++)
    if (i != writer && !l->units[i].gone && unit_reads_root(l, &l->units[i], root) && cusp_bit(l->units[i].needs, writer))
      return false;
  return true;
}

static bool try_overwrite(cusp_lowering *l, int output) {
  int value = l->outputs[output], writer = l->locations[value].unit;
  int leaf = l->graph->leaves[l->options->replaces[output]].value;
  const cusp_unit *unit = &l->units[writer];
  if (!cusp_location_is_whole(l, leaf) || is_output(l, leaf) || !reads_elementwise_only(l, unit, leaf))
    return false;
  if (unit->kind == CUSP_UNIT_FUSED && !stored_by_fused(l, value) && unit_reads_root(l, unit, leaf))
    return false;
  if (!readers_can_precede(l, writer, leaf))
    return false;
  for (int i = 0; i < l->n_units; i++)
    if (i != writer && !l->units[i].gone && unit_reads_root(l, &l->units[i], leaf))
      order_after(l, writer, i);
  return true;
}

static cusp_status choose_overwrites(cusp_lowering *l) {
  CUSP_TRY(cusp_arena_alloc((void **)&l->overwrites, &l->graph->arena, (size_t)l->graph->n_outputs + 1));
  for (int i = 0; i < l->graph->n_outputs; i++)
    if (l->options->replaces && l->options->replaces[i] >= 0)
      l->overwrites[i] = try_overwrite(l, i);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ order */

typedef struct ordering {
  cusp_lowering *lowering;
  char *done;
  int *stack, depth, capacity;
} ordering;

/* Runs what `root` needs, then `root`. */
static cusp_status emit(ordering *o, int root) {
  cusp_lowering *l = o->lowering;
  CUSP_TRY(CUSP_GROW(o->stack, o->capacity, o->depth + 1));
  o->stack[o->depth++] = root;
  while (o->depth > 0) {
    int index = o->stack[o->depth - 1];
    bool ready = true;
    for (int i = 0; !o->done[index] && i < l->n_units; i++) {
      if (o->done[i] || l->units[i].gone || !cusp_bit(l->units[index].direct, i))
        continue;
      CUSP_TRY(CUSP_GROW(o->stack, o->capacity, o->depth + 1));
      o->stack[o->depth++] = i;
      ready = false;
    }
    if (!ready)
      continue;
    o->depth--;
    if (!o->done[index])
      l->steps[l->n_steps++] = index;
    o->done[index] = 1;
  }
  return CUSP_OK;
}

static void sort_members(cusp_unit *unit) {
  for (int i = 1; i < unit->n_members; i++)
    for (int k = i; k > 0 && unit->members[k - 1] > unit->members[k]; k--) {
      int member = unit->members[k];
      unit->members[k] = unit->members[k - 1];
      unit->members[k - 1] = member;
    }
}

cusp_status cusp_lower_schedule(cusp_lowering *l) {
  CUSP_TRY(choose_overwrites(l));
  CUSP_TRY(cusp_arena_alloc((void **)&l->steps, &l->graph->arena, ((size_t)l->n_units + 1) * sizeof *l->steps));
  ordering o = {.lowering = l};
  cusp_status status = cusp_alloc_zeroed((void **)&o.done, (size_t)l->n_units + 1);
  for (int i = 0; status == CUSP_OK && i < l->n_units; i++) {
    if (l->units[i].gone)
      continue;
    sort_members(&l->units[i]);
    if (!o.done[i])
      status = emit(&o, i);
  }
  cusp_free(o.done);
  cusp_free(o.stack);
  return status;
}
