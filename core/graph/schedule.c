/* Scheduling: which variables are updated in their own memory, which orders steps. */
#include "schedule.h"
#include "layout.h"
#include "step_order.h"
#include "units.h"

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
          !(cusp_location_is_whole(l, input) &&
            cusp_shape_equal(&l->locations[input].array.shape, &unit->shape)))
        return false;
    }
  }
  return true;
}

/* A reduction writes to its result from the start, before all elements have been read. */
static bool stored_by_fused(const cusp_lowering *l, int value) {
  const cusp_operation *producer = cusp_graph_producer(l->graph, value);
  return !(producer->op->flags & CUSP_OP_REDUCTION);
}

/* Who reads the memory of each value, and which memory is given out. */
typedef struct readers {
  int *first; /* by root: units[first[root]] .. units[first[root + 1] - 1], in ascending order */
  int *units;
  bool *given_out; /* by root */
} readers;

/* Every other reader of the old value must be able to come before the writer. */
static bool readers_can_precede(cusp_lowering *l, const readers *r, int writer, int root) {
  for (int i = r->first[root]; i < r->first[root + 1]; i++)
    if (r->units[i] != writer && cusp_unit_needs(l, r->units[i], writer))
      return false;
  return true;
}

/* The writer runs after all who read the old value. */
static cusp_status order_after_readers(cusp_lowering *l, const readers *r, int writer, int root) {
  for (int i = r->first[root]; i < r->first[root + 1]; i++)
    if (r->units[i] != writer)
      CUSP_TRY(cusp_unit_order(l, writer, r->units[i], true));
  return CUSP_OK;
}

static cusp_status try_overwrite(cusp_lowering *l, const readers *r, int output) {
  int value = l->outputs[output], writer = l->locations[value].unit;
  int leaf = l->graph->leaves[l->options->replaces[output]].value;
  const cusp_unit *unit = &l->units[writer];
  if (!cusp_location_is_whole(l, leaf) || r->given_out[leaf] ||
      !reads_elementwise_only(l, unit, leaf))
    return CUSP_OK;
  if (unit->kind == CUSP_UNIT_FUSED && !stored_by_fused(l, value) && unit_reads_root(l, unit, leaf))
    return CUSP_OK;
  if (!readers_can_precede(l, r, writer, leaf))
    return CUSP_OK;
  l->overwrites[output] = true;
  return order_after_readers(l, r, writer, leaf);
}

/* Counts the reads of each root (units NULL), or enters the readers where the counts say. */
static void visit_reads(const cusp_lowering *l, int *counts, int *units) {
  for (int u = 0; u < l->n_units; u++)
    for (int i = 0; !l->units[u].gone && i < l->units[u].n_members; i++) {
      const cusp_operation *operation = &l->graph->operations[l->units[u].members[i]];
      for (int k = 0; k < operation->n_inputs; k++) {
        int root = l->locations[operation->inputs[k]].root;
        if (units)
          units[counts[root]] = u;
        counts[root]++;
      }
    }
}

static cusp_status find_readers(const cusp_lowering *l, readers *r) {
  size_t n = (size_t)l->graph->n_values;
  int *next;
  CUSP_TRY(cusp_arena_alloc((void **)&r->first, &l->graph->arena, (n + 2) * sizeof *r->first));
  CUSP_TRY(cusp_arena_alloc((void **)&next, &l->graph->arena, (n + 1) * sizeof *next));
  CUSP_TRY(
      cusp_arena_alloc((void **)&r->given_out, &l->graph->arena, (n + 1) * sizeof *r->given_out));
  visit_reads(l, r->first + 1, NULL);
  for (size_t i = 0; i < n; i++) {
    next[i] = r->first[i];
    r->first[i + 1] += r->first[i];
  }
  CUSP_TRY(cusp_arena_alloc((void **)&r->units, &l->graph->arena,
                            ((size_t)r->first[n] + 1) * sizeof *r->units));
  visit_reads(l, next, r->units);
  for (int i = 0; i < l->graph->n_outputs; i++)
    r->given_out[l->locations[l->outputs[i]].root] = true;
  return CUSP_OK;
}

static cusp_status choose_overwrites(cusp_lowering *l) {
  CUSP_TRY(
      cusp_arena_alloc((void **)&l->overwrites, &l->graph->arena, (size_t)l->graph->n_outputs + 1));
  if (!l->options->replaces)
    return CUSP_OK;
  readers r;
  CUSP_TRY(find_readers(l, &r));
  for (int i = 0; i < l->graph->n_outputs; i++)
    if (l->options->replaces[i] >= 0)
      CUSP_TRY(try_overwrite(l, &r, i));
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the stage */

/* In the order of the graph, which has every value before its readers; merging mixed them. */
static void sort_members(cusp_unit *unit) {
  for (int i = 1; i < unit->n_members; i++)
    for (int k = i; k > 0 && unit->members[k - 1] > unit->members[k]; k--) {
      int member = unit->members[k];
      unit->members[k] = unit->members[k - 1];
      unit->members[k - 1] = member;
    }
}

cusp_status cusp_lower_schedule(cusp_lowering *l) {
  for (int i = 0; i < l->n_units; i++)
    if (!l->units[i].gone)
      sort_members(&l->units[i]);
  CUSP_TRY(choose_overwrites(l));
  return cusp_order_steps(l);
}
