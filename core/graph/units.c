/*
 * Units and what they need of each other. A unit's level is above the levels of all that it needs,
 * so that a search for a unit leaves out everything at or below its level: most answers are found
 * within a few steps of where they are asked.
 */
#include "units.h"

/* Searches that go further say yes: two loops stay apart, a variable gets fresh memory. Nothing
 * becomes wrong by that. */
enum { MAX_SEARCHED = 4096 };

static cusp_unit *unit_at(const cusp_lowering *l, int unit) { return &l->units[unit]; }

/* Paths are halved on the way, so that long chains of merges are walked once. */
int cusp_unit_find(const cusp_lowering *l, int unit) {
  while (unit_at(l, unit)->gone) {
    int next = unit_at(l, unit)->merged_into;
    if (unit_at(l, next)->gone)
      unit_at(l, unit)->merged_into = unit_at(l, next)->merged_into;
    unit = next;
  }
  return unit;
}

cusp_status cusp_unit_new(cusp_lowering *l, cusp_unit_kind kind, int operation, int *index) {
  CUSP_TRY(CUSP_GROW(l->units, l->units_capacity, l->n_units + 1));
  CUSP_TRY(CUSP_GROW(l->waiting, l->waiting_capacity, l->n_units + 1));
  CUSP_TRY(CUSP_GROW(l->edges, l->edges_capacity, 1));
  l->n_edges = l->n_edges ? l->n_edges : 1; /* the first means none */
  cusp_unit unit = {.kind = kind};
  CUSP_TRY(CUSP_GROW(unit.members, unit.members_capacity, 1));
  unit.members[unit.n_members++] = operation;
  *index = l->n_units;
  l->units[l->n_units++] = unit;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ levels */

static void enqueue(cusp_lowering *l, int unit, int level, int *last, int *count) {
  cusp_unit *u = unit_at(l, unit);
  if (u->level >= level)
    return;
  u->level = level;
  if (u->waits)
    return;
  u->waits = true;
  l->waiting[*last] = unit;
  *last = (*last + 1) % l->n_units;
  ++*count;
}

/* Brings all that need `unit`, near and far, above its level. Each waits at most once, so the ring
 * has room. */
static void raise_readers(cusp_lowering *l, int unit) {
  int first = 0, last = 1 % l->n_units, count = 1;
  l->waiting[0] = unit;
  unit_at(l, unit)->waits = true;
  for (; count > 0; count--) {
    int next = l->waiting[first];
    first = (first + 1) % l->n_units;
    unit_at(l, next)->waits = false;
    for (int e = unit_at(l, next)->readers.first; e; e = l->edges[e].next_reader) {
      int reader = cusp_unit_find(l, l->edges[e].reader);
      if (reader != next)
        enqueue(l, reader, unit_at(l, next)->level + 1, &last, &count);
    }
  }
}

/* ------------------------------------------------------------------ edges */

static int find_edge(const cusp_lowering *l, int reader, int maker) {
  for (int e = unit_at(l, reader)->makers.first; e; e = l->edges[e].next_maker)
    if (cusp_unit_find(l, l->edges[e].maker) == maker)
      return e;
  return 0;
}

cusp_status cusp_unit_order(cusp_lowering *l, int reader, int maker, bool hard) {
  int e = find_edge(l, reader, maker);
  if (e) {
    l->edges[e].hard |= hard;
    return CUSP_OK;
  }
  CUSP_TRY(CUSP_GROW(l->edges, l->edges_capacity, l->n_edges + 1));
  e = l->n_edges++;
  cusp_unit *r = unit_at(l, reader), *m = unit_at(l, maker);
  l->edges[e] = (cusp_edge){.reader = reader,
                            .maker = maker,
                            .hard = hard,
                            .next_maker = r->makers.first,
                            .next_reader = m->readers.first};
  r->makers.first = m->readers.first = e;
  r->makers.last = r->makers.last ? r->makers.last : e;
  m->readers.last = m->readers.last ? m->readers.last : e;
  if (r->level <= m->level) {
    r->level = m->level + 1;
    raise_readers(l, reader);
  }
  return CUSP_OK;
}

bool cusp_unit_hard_edge(const cusp_lowering *l, int reader, int maker) {
  for (int e = unit_at(l, reader)->makers.first; e; e = l->edges[e].next_maker)
    if (l->edges[e].hard && cusp_unit_find(l, l->edges[e].maker) == maker)
      return true;
  return false;
}

void cusp_unit_absorb(cusp_lowering *l, int into, int from) {
  cusp_unit *a = unit_at(l, into), *b = unit_at(l, from);
  b->gone = true;
  b->merged_into = into;
  if (b->makers.first) {
    l->edges[b->makers.last].next_maker = a->makers.first;
    a->makers = (cusp_edges){b->makers.first, a->makers.last ? a->makers.last : b->makers.last};
  }
  if (b->readers.first) {
    l->edges[b->readers.last].next_reader = a->readers.first;
    a->readers =
        (cusp_edges){b->readers.first, a->readers.last ? a->readers.last : b->readers.last};
  }
  a->level = a->level > b->level ? a->level : b->level;
  raise_readers(l, into);
}

/* ------------------------------------------------------------------ searches */

/* Puts off the makers of `unit` that may need `target`; says whether one is the target itself. A
 * unit keeps the number of the search that saw it, so nothing has to be cleared. */
static bool look_below(const cusp_lowering *l, int unit, int target, int search, int *count) {
  for (int e = unit_at(l, unit)->makers.first; e; e = l->edges[e].next_maker) {
    int maker = cusp_unit_find(l, l->edges[e].maker);
    cusp_unit *m = unit_at(l, maker);
    if (maker == target)
      return true;
    if (m->search == search || m->level <= unit_at(l, target)->level)
      continue;
    m->search = search;
    l->waiting[(*count)++] = maker;
  }
  return false;
}

static bool search_below(cusp_lowering *l, int target, int count) {
  for (int searched = 0; count > 0; searched++)
    if (searched == MAX_SEARCHED || look_below(l, l->waiting[--count], target, l->searches, &count))
      return true;
  return false;
}

bool cusp_unit_needs(cusp_lowering *l, int unit, int other) {
  int count = 0;
  l->searches++;
  return look_below(l, unit, other, l->searches, &count) || search_below(l, other, count);
}

bool cusp_unit_needs_through_third(cusp_lowering *l, int unit, int other) {
  int count = 0;
  l->searches++;
  for (int e = unit_at(l, unit)->makers.first; e; e = l->edges[e].next_maker) {
    int maker = cusp_unit_find(l, l->edges[e].maker);
    cusp_unit *m = unit_at(l, maker);
    if (maker == other || maker == unit || m->search == l->searches ||
        m->level <= unit_at(l, other)->level)
      continue;
    m->search = l->searches;
    l->waiting[count++] = maker;
  }
  return search_below(l, other, count);
}
