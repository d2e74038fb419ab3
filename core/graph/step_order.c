/*
 * The order of steps: that of the graph, but for steps that free more memory than they take. Those
 * run as soon as they can. In training, the gradient of a kernel is such a step: in the order of
 * the graph it would wait for its variable's turn, and all activations with it.
 *
 * What only begins (a sum over processes) comes before all else, and steps that have to wait for
 * it come last, those first that wait for what began first: the rest is computed meanwhile.
 */
#include "step_order.h"
#include "units.h"

#include <stdlib.h>

typedef struct ordering {
  cusp_lowering *lowering;
  bool *done;     /* by unit */
  int *waits;     /* by unit: makers that are not done, an edge each */
  int *readers;   /* by root: units that have not read it yet */
  bool *stays;    /* by root: what is given out */
  int *seen, see; /* by root: the last count that came by */
  int *stack, depth, capacity;
  int *ready, n_ready, ready_capacity; /* units that may have become worth running */
  int *late; /* by unit: the latest of what was only begun that it needs; 0: nothing */
  int ended; /* the latest that has been waited for */
} ordering;

/* ------------------------------------------------------------------ counting */

static int root_of(const ordering *o, int value) { return o->lowering->locations[value].root; }

/* Calls `visit` once for each memory that the unit reads. */
static void each_root(ordering *o, int unit, void (*visit)(ordering *o, int root, int64_t *sum),
                      int64_t *sum) {
  const cusp_lowering *l = o->lowering;
  o->see++;
  for (int i = 0; i < l->units[unit].n_members; i++) {
    const cusp_operation *operation = &l->graph->operations[l->units[unit].members[i]];
    for (int k = 0; k < operation->n_inputs; k++) {
      int root = root_of(o, operation->inputs[k]);
      if (o->seen[root] == o->see)
        continue;
      o->seen[root] = o->see;
      visit(o, root, sum);
    }
  }
}

static void count_reader(ordering *o, int root, int64_t *sum) {
  (void)sum;
  o->readers[root]++;
}

static void count(ordering *o) {
  const cusp_lowering *l = o->lowering;
  for (int i = 0; i < l->graph->n_outputs; i++)
    o->stays[root_of(o, l->outputs[i])] = true;
  for (int u = 0; u < l->n_units; u++) {
    if (l->units[u].gone)
      continue;
    each_root(o, u, count_reader, NULL);
    for (int e = l->units[u].makers.first; e; e = l->edges[e].next_maker)
      o->waits[u] += cusp_unit_find(l, l->edges[e].maker) != u;
  }
}

/* ------------------------------------------------------------------ what a step frees */

static int64_t bytes_of(const ordering *o, int value) {
  const cusp_type *type = &o->lowering->graph->values[value].type;
  return cusp_shape_count(&type->shape) * (int64_t)cusp_dtype_size(type->dtype);
}

/* Memory of a run, which ends with its last reader. */
static bool is_of_run(const ordering *o, int root) {
  return o->lowering->locations[root].unit >= 0 && !o->stays[root];
}

static void add_freed(ordering *o, int root, int64_t *sum) {
  if (is_of_run(o, root) && o->readers[root] == 1)
    *sum += bytes_of(o, root);
}

static int64_t freed_by(ordering *o, int unit) {
  int64_t sum = 0;
  each_root(o, unit, add_freed, &sum);
  return sum;
}

/* What others will read; what is given out has its memory anyway. */
static int64_t taken_by(const ordering *o, int unit) {
  const cusp_lowering *l = o->lowering;
  int64_t sum = 0;
  for (int i = 0; i < l->units[unit].n_members; i++) {
    const cusp_operation *operation = &l->graph->operations[l->units[unit].members[i]];
    for (int k = 0; k < operation->n_outputs; k++) {
      int value = operation->first_output + k;
      if (root_of(o, value) == value && is_of_run(o, value) && o->readers[value] > 0)
        sum += bytes_of(o, value);
    }
  }
  return sum;
}

/* ------------------------------------------------------------------ running a step */

static cusp_status note_ready(ordering *o, int unit) {
  CUSP_TRY(CUSP_GROW(o->ready, o->ready_capacity, o->n_ready + 1));
  o->ready[o->n_ready++] = unit;
  return CUSP_OK;
}

/* The readers of a unit's results that nothing else holds up. */
static cusp_status note_readers(ordering *o, int unit) {
  const cusp_lowering *l = o->lowering;
  for (int e = l->units[unit].readers.first; e; e = l->edges[e].next_reader) {
    int reader = cusp_unit_find(l, l->edges[e].reader);
    if (reader != unit && o->waits[reader] == 0 && !o->done[reader])
      CUSP_TRY(note_ready(o, reader));
  }
  return CUSP_OK;
}

static void settle_edges(ordering *o, int unit) {
  const cusp_lowering *l = o->lowering;
  for (int e = l->units[unit].readers.first; e; e = l->edges[e].next_reader) {
    int reader = cusp_unit_find(l, l->edges[e].reader);
    o->waits[reader] -= reader != unit;
  }
}

static void end_reading(ordering *o, int root, int64_t *alone) {
  o->readers[root]--;
  if (o->readers[root] == 1 && is_of_run(o, root) && alone)
    (*alone)++;
}

/* Where a memory has one reader left, that may be worth running now. */
static cusp_status note_last_readers(ordering *o, int unit) {
  const cusp_lowering *l = o->lowering;
  for (int i = 0; i < l->units[unit].n_members; i++) {
    const cusp_operation *operation = &l->graph->operations[l->units[unit].members[i]];
    for (int k = 0; k < operation->n_inputs; k++) {
      int root = root_of(o, operation->inputs[k]);
      if (o->readers[root] == 1 && is_of_run(o, root))
        CUSP_TRY(note_readers(o, cusp_unit_find(l, l->locations[root].unit)));
    }
  }
  return CUSP_OK;
}

static cusp_status run(ordering *o, int unit) {
  int64_t alone = 0;
  o->lowering->steps[o->lowering->n_steps++] = unit;
  o->done[unit] = true;
  o->ended = o->late[unit] > o->ended ? o->late[unit] : o->ended;
  each_root(o, unit, end_reading, &alone);
  settle_edges(o, unit);
  CUSP_TRY(note_readers(o, unit));
  return alone > 0 ? note_last_readers(o, unit) : CUSP_OK;
}

static bool is_worth_running(ordering *o, int unit) {
  return !o->done[unit] && o->late[unit] <= o->ended && freed_by(o, unit) > taken_by(o, unit);
}

/* Runs a step, and then those that free memory. */
static cusp_status run_with_followers(ordering *o, int unit) {
  CUSP_TRY(run(o, unit));
  while (o->n_ready > 0) {
    int next = o->ready[--o->n_ready];
    if (is_worth_running(o, next))
      CUSP_TRY(run(o, next));
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ order */

static int compare_ints(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* Puts the makers that `index` waits for on the stack, the last in the order of making on top. */
static cusp_status push_makers(ordering *o, int index) {
  const cusp_lowering *l = o->lowering;
  int before = o->depth;
  for (int e = l->units[index].makers.first; e; e = l->edges[e].next_maker) {
    int maker = cusp_unit_find(l, l->edges[e].maker);
    if (maker == index || o->done[maker])
      continue;
    CUSP_TRY(CUSP_GROW(o->stack, o->capacity, o->depth + 1));
    o->stack[o->depth++] = maker;
  }
  qsort(o->stack + before, (size_t)(o->depth - before), sizeof *o->stack, compare_ints);
  return CUSP_OK;
}

/* Runs what `root` needs, then `root`. Not by recursion: a chain of units may be longer than C's
 * stack is deep. */
static cusp_status emit(ordering *o, int root) {
  CUSP_TRY(CUSP_GROW(o->stack, o->capacity, o->depth + 1));
  o->stack[o->depth++] = root;
  while (o->depth > 0) {
    int depth = o->depth, index = o->stack[depth - 1];
    if (!o->done[index])
      CUSP_TRY(push_makers(o, index));
    if (o->depth > depth)
      continue;
    o->depth--;
    if (!o->done[index])
      CUSP_TRY(run_with_followers(o, index));
  }
  return CUSP_OK;
}

/* Whether the unit reads a result of the other: it may only have to come after it. */
static bool reads_of(const ordering *o, int unit, int other) {
  const cusp_lowering *l = o->lowering;
  for (int i = 0; i < l->units[unit].n_members; i++) {
    const cusp_operation *operation = &l->graph->operations[l->units[unit].members[i]];
    for (int k = 0; k < operation->n_inputs; k++) {
      int maker = l->locations[root_of(o, operation->inputs[k])].unit;
      if (maker >= 0 && cusp_unit_find(l, maker) == other)
        return true;
    }
  }
  return false;
}

/* Notes what has to wait for `unit`, the one that begins as number `begun`. */
static cusp_status note_late(ordering *o, int unit, int begun) {
  const cusp_lowering *l = o->lowering;
  CUSP_TRY(CUSP_GROW(o->stack, o->capacity, 1));
  o->stack[o->depth++] = unit;
  while (o->depth > 0) {
    int next = o->stack[--o->depth];
    for (int e = l->units[next].readers.first; e; e = l->edges[e].next_reader) {
      int reader = cusp_unit_find(l, l->edges[e].reader);
      if (reader == next || o->late[reader] >= begun ||
          (l->units[reader].begins && !reads_of(o, reader, next)))
        continue;
      o->late[reader] = begun;
      CUSP_TRY(CUSP_GROW(o->stack, o->capacity, o->depth + 1));
      o->stack[o->depth++] = reader;
    }
  }
  return CUSP_OK;
}

/* Finds who waits for what, the latest first, so that each unit is come to once; then emits what
 * only begins. */
static cusp_status emit_begun(ordering *o) {
  const cusp_lowering *l = o->lowering;
  int *begun;
  CUSP_TRY(cusp_arena_alloc((void **)&begun, &l->graph->arena,
                            ((size_t)l->n_begun + 1) * sizeof *begun));
  for (int u = 0; u < l->n_units; u++)
    if (!l->units[u].gone && l->units[u].begins)
      begun[l->units[u].begins] = u;
  for (int i = l->n_begun; i > 0; i--)
    CUSP_TRY(note_late(o, begun[i], i));
  for (int i = 1; i <= l->n_begun; i++)
    CUSP_TRY(emit(o, begun[i]));
  return CUSP_OK;
}

static cusp_status begin(ordering *o) {
  const cusp_lowering *l = o->lowering;
  cusp_arena *arena = &l->graph->arena;
  const size_t units = (size_t)l->n_units + 1, values = (size_t)l->graph->n_values + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&o->lowering->steps, arena, units * sizeof *l->steps));
  CUSP_TRY(cusp_arena_alloc((void **)&o->done, arena, units * sizeof *o->done));
  CUSP_TRY(cusp_arena_alloc((void **)&o->late, arena, units * sizeof *o->late));
  CUSP_TRY(cusp_arena_alloc((void **)&o->waits, arena, units * sizeof *o->waits));
  CUSP_TRY(cusp_arena_alloc((void **)&o->readers, arena, values * sizeof *o->readers));
  CUSP_TRY(cusp_arena_alloc((void **)&o->stays, arena, values * sizeof *o->stays));
  CUSP_TRY(cusp_arena_alloc((void **)&o->seen, arena, values * sizeof *o->seen));
  count(o);
  return CUSP_OK;
}

cusp_status cusp_order_steps(cusp_lowering *l) {
  ordering o = {.lowering = l};
  cusp_status status = begin(&o);
  if (status == CUSP_OK && l->n_begun)
    status = emit_begun(&o);
  for (int late = 0; late <= l->n_begun; late++)
    for (int i = 0; status == CUSP_OK && i < l->n_units; i++)
      if (!l->units[i].gone && !o.done[i] && o.late[i] <= late)
        status = emit(&o, i);
  cusp_free(o.stack);
  cusp_free(o.ready);
  return status;
}
