/* The table of strings (see strings.h). */
#include "strings.h"

#include "../base/memory.h"

#include <pthread.h>
#include <string.h>

#define PAGE_BITS 14
#define PAGE ((uint32_t)1 << PAGE_BITS)
#define PAGES ((uint32_t)1 << 14)
#define SOME ((uint64_t)1 << 24) /* bytes of new strings that are kept in any case */

typedef struct entry {
  size_t length;
  uint32_t hash;
  cusp_string next; /* of the same bucket; of a free number, the next free one */
  bool marked;
  char bytes[];
} entry;

/* Pages never move, so that a string can be read while others are added. */
static entry **pages[PAGES];

static struct {
  pthread_mutex_t mutex;
  cusp_string *buckets; /* heads of chains */
  uint32_t mask;        /* of the buckets, which are a power of two; 0: none yet */
  uint32_t used;        /* numbers given out so far, free ones among them */
  uint64_t count, bytes, new_bytes, kept_bytes;
  cusp_storage *watched;
} table = {.mutex = PTHREAD_MUTEX_INITIALIZER, .used = 1};

/* Numbers that were freed; their slots hold NULL. */
static struct {
  cusp_string *numbers;
  uint32_t count, capacity;
} freed;

static void lock(void) { pthread_mutex_lock(&table.mutex); }
static void unlock(void) { pthread_mutex_unlock(&table.mutex); }

static entry *entry_of(cusp_string string) {
  if (string == 0 || string >= PAGE * PAGES || !pages[string >> PAGE_BITS])
    return NULL;
  return pages[string >> PAGE_BITS][string & (PAGE - 1)];
}

cusp_text_view cusp_string_view(cusp_string string) {
  const entry *e = entry_of(string);
  return e ? (cusp_text_view){e->bytes, e->length} : (cusp_text_view){"", 0};
}

/* Eight bytes at a time, multiplied and folded. */
uint32_t cusp_bytes_hash(const char *bytes, size_t length) {
  uint64_t hash = length * 0x9e3779b97f4a7c15u;
  for (; length > 0;) {
    size_t part = length < 8 ? length : 8;
    uint64_t word = 0;
    memcpy(&word, bytes, part);
    hash = (hash ^ word) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
    bytes += part;
    length -= part;
  }
  hash *= 0xc4ceb9fe1a85ec53u;
  return (uint32_t)(hash >> 32);
}

uint32_t cusp_string_hash(cusp_string string) {
  const entry *e = entry_of(string);
  return e ? e->hash : cusp_bytes_hash("", 0);
}

/* ------------------------------------------------------------------ adding */

static cusp_string find(const char *bytes, size_t length, uint32_t hash) {
  if (!table.buckets)
    return 0;
  for (cusp_string s = table.buckets[hash & table.mask]; s; s = entry_of(s)->next) {
    const entry *e = entry_of(s);
    if (e->hash == hash && e->length == length && memcmp(e->bytes, bytes, length) == 0)
      return s;
  }
  return 0;
}

static void enter(cusp_string string) {
  entry *e = entry_of(string);
  e->next = table.buckets[e->hash & table.mask];
  table.buckets[e->hash & table.mask] = string;
}

static cusp_status grow_buckets(void) {
  uint32_t size = table.buckets ? 2 * (table.mask + 1) : 1024;
  void *buckets;
  CUSP_TRY(cusp_alloc_zeroed(&buckets, size * sizeof(cusp_string)));
  cusp_free(table.buckets);
  table.buckets = buckets;
  table.mask = size - 1;
  for (cusp_string s = 1; s < table.used; s++)
    if (entry_of(s))
      enter(s);
  return CUSP_OK;
}

/* A number without a string, in a page that exists. */
static cusp_status reserve_number(cusp_string *out) {
  if (freed.count > 0) {
    *out = freed.numbers[freed.count - 1];
    return CUSP_OK;
  }
  if (table.used >= PAGE * PAGES)
    return cusp_fail(CUSP_ENOMEM, "more than %u different strings at once", PAGE * PAGES - 1);
  if (!pages[table.used >> PAGE_BITS]) {
    void *page;
    CUSP_TRY(cusp_alloc_zeroed(&page, PAGE * sizeof(entry *)));
    pages[table.used >> PAGE_BITS] = page;
  }
  *out = table.used;
  return CUSP_OK;
}

static void take_number(cusp_string string) {
  if (freed.count > 0)
    freed.count--;
  else
    table.used = string + 1;
}

static cusp_status add(cusp_string *out, const char *bytes, size_t length, uint32_t hash) {
  void *block;
  size_t size;
  if (!table.buckets || table.count > table.mask)
    CUSP_TRY(grow_buckets());
  CUSP_TRY(reserve_number(out));
  if (__builtin_add_overflow(sizeof(entry), length, &size))
    return cusp_fail(CUSP_ENOMEM, "out of memory: a string of %zu bytes", length);
  CUSP_TRY(cusp_alloc(&block, size));
  entry *e = block;
  *e = (entry){.length = length, .hash = hash};
  memcpy(e->bytes, bytes, length);
  pages[*out >> PAGE_BITS][*out & (PAGE - 1)] = e;
  take_number(*out);
  enter(*out);
  table.count++;
  table.bytes += size;
  table.new_bytes += size;
  return CUSP_OK;
}

cusp_status cusp_string_make(cusp_string *out, const char *bytes, size_t length) {
  *out = 0;
  if (length == 0)
    return CUSP_OK;
  uint32_t hash = cusp_bytes_hash(bytes, length);
  lock();
  cusp_string found = find(bytes, length, hash);
  cusp_status status = found ? CUSP_OK : add(&found, bytes, length, hash);
  unlock();
  if (status == CUSP_OK)
    *out = found;
  return status;
}

/* ------------------------------------------------------------------ what holds strings */

void cusp_storage_watch_strings(cusp_storage *storage) {
  if (storage->strings)
    return;
  lock();
  storage->strings = true;
  storage->next = table.watched;
  if (table.watched)
    table.watched->previous = storage;
  table.watched = storage;
  unlock();
}

void cusp_strings_forget(cusp_storage *storage) {
  if (!storage->strings)
    return;
  lock();
  if (storage->next)
    storage->next->previous = storage->previous;
  if (storage->previous)
    storage->previous->next = storage->next;
  else
    table.watched = storage->next;
  unlock();
}

/* ------------------------------------------------------------------ dropping */

static void mark(const cusp_storage *storage) {
  const cusp_string *strings = storage->data;
  for (size_t i = 0; i < storage->bytes / sizeof *strings; i++) {
    entry *e = entry_of(strings[i]);
    if (e)
      e->marked = true;
  }
}

/* Room for all numbers in the list of freed ones; without it nothing is dropped this time. */
static bool reserve_freed(void) {
  if (freed.capacity >= table.used)
    return true;
  void *numbers;
  if (cusp_alloc(&numbers, 2 * (size_t)table.used * sizeof(cusp_string)) != CUSP_OK)
    return false;
  if (freed.count)
    memcpy(numbers, freed.numbers, freed.count * sizeof(cusp_string));
  cusp_free(freed.numbers);
  freed.numbers = numbers;
  freed.capacity = 2 * table.used;
  return true;
}

static void drop(cusp_string string) {
  entry *e = entry_of(string);
  table.count--;
  table.bytes -= sizeof *e + e->length;
  pages[string >> PAGE_BITS][string & (PAGE - 1)] = NULL;
  cusp_free(e);
  freed.numbers[freed.count++] = string;
}

static void sweep(void) {
  memset(table.buckets, 0, ((size_t)table.mask + 1) * sizeof(cusp_string));
  for (cusp_string s = 1; s < table.used; s++) {
    entry *e = entry_of(s);
    if (e && e->marked) {
      e->marked = false;
      enter(s);
    } else if (e) {
      drop(s);
    }
  }
  table.new_bytes = 0;
  table.kept_bytes = table.bytes;
}

void cusp_strings_collect(void) {
  lock();
  if (table.buckets && reserve_freed()) {
    for (const cusp_storage *s = table.watched; s; s = s->next)
      mark(s);
    sweep();
  }
  unlock();
}

void cusp_strings_collect_some(void) {
  if (table.new_bytes > SOME && table.new_bytes > table.kept_bytes)
    cusp_strings_collect();
}

cusp_strings_stats cusp_strings_get_stats(void) {
  return (cusp_strings_stats){table.count, table.bytes};
}
