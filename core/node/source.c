/* The user's position. */
#include "source.h"
#include "../base/memory.h"
#include "state.h"

#include <stdatomic.h>
#include <string.h>

enum { NAME_SLOTS = 256 };

typedef struct interned {
  struct interned *next;
  char text[];
} interned;

static interned *find_name(interned *first, const char *text) {
  while (first && strcmp(first->text, text) != 0)
    first = first->next;
  return first;
}

/* Names live as long as the process, for all threads: there are as many as scripts and operations.
 * Two threads may enter one name twice. */
const char *cusp_intern(const char *text) {
  static _Atomic(interned *) slots[NAME_SLOTS];
  uint32_t hash = 5381;
  for (const char *c = text; *c; c++)
    hash = hash * 33 + (unsigned char)*c;
  _Atomic(interned *) *slot = &slots[hash % NAME_SLOTS];
  interned *n = find_name(atomic_load_explicit(slot, memory_order_acquire), text);
  if (n)
    return n->text;
  size_t length = strlen(text) + 1;
  if (cusp_alloc((void **)&n, sizeof *n + length) != CUSP_OK)
    return NULL;
  memcpy(n->text, text, length);
  n->next = atomic_load_explicit(slot, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(slot, &n->next, n, memory_order_release,
                                                memory_order_relaxed))
    ;
  return n->text;
}

void cusp_set_source(const char *file, int line) {
  cusp_origin *origin = &cusp_state()->origin;
  if (!file)
    origin->file = NULL;
  else if (!origin->file || (origin->file != file && strcmp(origin->file, file) != 0))
    origin->file = cusp_intern(file);
  origin->line = line;
  origin->caller = NULL;
}

void cusp_set_caller(const char *name) { cusp_state()->origin.caller = name; }

void cusp_set_place(int32_t place, int32_t region) {
  cusp_graph_state *state = cusp_state();
  state->origin.place = (uint32_t)place & INT32_MAX;
  state->origin.region = region;
  state->placed = state->coroutine;
}

cusp_placement cusp_enter_backward(const cusp_origin *of) {
  cusp_graph_state *state = cusp_state();
  cusp_placement before = {state->origin, state->placed};
  state->origin.place = of->place;
  state->origin.backward = true;
  if (state->placed != state->coroutine)
    state->origin.region = 0;
  state->placed = state->coroutine;
  return before;
}

void cusp_leave_backward(const cusp_placement *before) {
  cusp_graph_state *state = cusp_state();
  state->origin.place = before->origin.place;
  state->origin.region = before->origin.region;
  state->origin.backward = before->origin.backward;
  state->placed = before->coroutine;
}

/* A coroutine that has yielded within a layer leaves its place to nobody else. */
cusp_origin cusp_current_origin(void) {
  const cusp_graph_state *state = cusp_state();
  cusp_origin origin = state->origin;
  if (state->placed != state->coroutine) {
    origin.place = 0;
    origin.region = 0;
  }
  return origin;
}

cusp_status cusp_fail_at_source(cusp_status status, const char *op, const cusp_origin *origin) {
  const char *caller = origin->caller ? origin->caller : op;
  cusp_fail_drop(op);
  cusp_state()->failed_place = origin->backward ? 0 : (int32_t)origin->place;
  return origin->file ? cusp_fail_prefix(status, "%s (made at %s:%d): ", caller, origin->file,
                                         (int)origin->line)
                      : cusp_fail_prefix(status, "%s: ", caller);
}

int32_t cusp_take_failed_place(void) {
  int32_t place = cusp_state()->failed_place;
  cusp_state()->failed_place = 0;
  return place;
}
