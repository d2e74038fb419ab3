/*
 * Handles are addresses of slots that are never unmapped, so that any pointer can be looked up
 * without reading what it points to. A freed slot is used again after all others.
 */
#include "internal.h"

enum { BLOCKS = 1024, SLOTS = 256 };

typedef struct slot {
  atomic_int kind;
  void *object;
  struct slot *next; /* among the free ones */
} slot;

static _Atomic(slot *) blocks[BLOCKS];
static slot *first_free, *last_free;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void append(slot *s) {
  s->next = NULL;
  if (last_free)
    last_free->next = s;
  else
    first_free = s;
  last_free = s;
}

/* Another block, unless all are there; a few slots stay free, so that none is used again at once.
 */
static void add_block(void) {
  for (int i = 0; i < BLOCKS; i++) {
    if (atomic_load(&blocks[i]))
      continue;
    slot *block;
    if (cusp_alloc_zeroed((void **)&block, SLOTS * sizeof *block) != CUSP_OK)
      return;
    for (int k = 0; k < SLOTS; k++)
      append(&block[k]);
    atomic_store(&blocks[i], block);
    return;
  }
}

void *cusp_c_handle_new(handle_kind kind, void *object) {
  pthread_mutex_lock(&lock);
  if (!first_free)
    add_block();
  slot *s = first_free;
  if (s) {
    first_free = s->next;
    if (!first_free)
      last_free = NULL;
    s->object = object;
    atomic_store_explicit(&s->kind, kind, memory_order_release);
  }
  pthread_mutex_unlock(&lock);
  return s;
}

static slot *find(const void *handle) {
  uintptr_t address = (uintptr_t)handle;
  for (int i = 0; i < BLOCKS; i++) {
    slot *block = atomic_load_explicit(&blocks[i], memory_order_acquire);
    if (!block)
      return NULL;
    uintptr_t offset = address - (uintptr_t)block;
    if (offset < SLOTS * sizeof *block)
      return offset % sizeof *block == 0 ? block + offset / sizeof *block : NULL;
  }
  return NULL;
}

void *cusp_c_handle_get(const void *handle, handle_kind kind, const char *what) {
  static const char *const names[] = {"", "a cusp_context", "a cusp_model", "a cusp_predictor"};
  slot *s = find(handle);
  int found = s ? atomic_load_explicit(&s->kind, memory_order_acquire) : HANDLE_NONE;
  if (s && found == (int)kind)
    return s->object;
  const char *got = !handle                ? "NULL"
                    : !s                   ? "a pointer to something else"
                    : found == HANDLE_NONE ? "one that was freed"
                                           : names[found];
  cusp_c_fail(CUSP_ERROR_HANDLE, "%s: expected %s, got %s", what, names[kind], got);
  return NULL;
}

void cusp_c_handle_free(void *handle) {
  slot *s = find(handle);
  pthread_mutex_lock(&lock);
  s->object = NULL;
  atomic_store_explicit(&s->kind, HANDLE_NONE, memory_order_release);
  append(s);
  pthread_mutex_unlock(&lock);
}
