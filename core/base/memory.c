/*
 * Every block has a 64-byte header in front. Sizes (header included) fall into classes: steps of 64
 * bytes up to 256, then four steps for each power of two. Small classes are cut from 64 KiB chunks;
 * larger blocks come from the C library one by one, the largest from the system in huge pages, and
 * are kept, when freed, up to CACHE_LIMIT bytes; a class from which nothing was taken for some time
 * loses them, as sizes that never come back would fill the cache. With AddressSanitizer nothing is
 * kept, so that a use after free is seen. Debug builds (CUSP_DEBUG) fill blocks with junk and check
 * guard bytes behind them.
 */
#define _GNU_SOURCE
#include "memory.h"
#include "limits.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define HEADER_BYTES CUSP_ALIGNMENT
#define CHUNK_BYTES ((size_t)64 << 10)
#define SMALL_LIMIT ((size_t)4 << 10)     /* largest size cut from chunks */
#define HUGE_PAGE ((size_t)2 << 20)       /* blocks of this size and above are mapped one by one */
#define CACHE_LIMIT ((uint64_t)256 << 20) /* bytes of larger blocks kept for reuse */
#define LARGEST_BLOCK ((size_t)1 << 47)   /* what is above can only be a mistake */
#define CLASS_COUNT 168
/* large blocks freed between two looks for classes that nobody asks for */
#define SWEEP_PERIOD 2048
#define SWEEP_FROM ((uint64_t)8 << 20) /* bytes kept below which it is not worth looking */

#ifdef __SANITIZE_ADDRESS__
enum { KEEPS_BLOCKS = 0 };
#else
enum { KEEPS_BLOCKS = 1 };
#endif

#ifdef CUSP_DEBUG
#define GUARD_BYTES 16
#else
#define GUARD_BYTES 0
#endif

typedef struct block {
  size_t bytes; /* asked for */
  uint32_t class;
  uint32_t mark;      /* LIVE or FREE: debug builds notice a block freed twice */
  struct block *next; /* in its class's list while free */
} block;

/* Chunks are aligned to their size, so a block's address gives its chunk. */
typedef struct chunk {
  struct chunk *next;
  uint32_t class;
  uint32_t free_blocks; /* counted by cusp_memory_trim only */
} chunk;

enum { LIVE = 0x11fe11fe, FREE = 0xf4eef4ee };

_Static_assert(sizeof(block) <= HEADER_BYTES && sizeof(chunk) <= CUSP_ALIGNMENT,
               "headers must keep blocks aligned");

static struct {
  atomic_flag lock;
  block *free_list[CLASS_COUNT];
  chunk *chunks;
  uint64_t live, blocks, peak, cached;
  uint64_t large_cached; /* the part of `cached` that can be given back block by block */
  int64_t fail_after;
  bool asked[CLASS_COUNT]; /* since the last sweep */
  int frees;               /* of large blocks, since the last sweep */
} heap = {.lock = ATOMIC_FLAG_INIT, .fail_after = -1};

/* It is mostly held for a few instructions, so a waiting thread spins before it gives way. */
static void lock_heap(void) {
  for (int spin = 0; atomic_flag_test_and_set_explicit(&heap.lock, memory_order_acquire); spin++)
    if (spin >= 100)
      sched_yield();
}

static void unlock_heap(void) { atomic_flag_clear_explicit(&heap.lock, memory_order_release); }

/* Counters are written under the lock; relaxed stores let cusp_memory_live read without it. */
static void store(uint64_t *counter, uint64_t value) {
  __atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

/** The class of blocks of `total` bytes. Four for each power of two waste at most a fifth. */
static uint32_t size_class(size_t total) {
  if (total <= 256)
    return (uint32_t)((total + 63) / 64);
  size_t last = total - 1;
  int top = 63 - __builtin_clzll(last);
  return (uint32_t)(1 + (top - 8) * 4 + (int)(last >> (top - 2)));
}

/** The bytes of a block of that class, header included. */
static size_t class_size(uint32_t class) {
  if (class <= 4)
    return (size_t) class * 64;
  return (size_t)((class - 5) % 4 + 5) << ((class - 5) / 4 + 6);
}

static void *payload(block *b) { return (char *)b + HEADER_BYTES; }

static block *header(const void *data) { return (block *)((char *)data - HEADER_BYTES); }

/** Takes a block from the class's list; the lock is held. */
static block *take_kept(uint32_t class, size_t size) {
  block *b = heap.free_list[class];
  if (b == NULL)
    return NULL;
  heap.free_list[class] = b->next;
  store(&heap.cached, heap.cached - size);
  if (size > SMALL_LIMIT)
    heap.large_cached -= size;
  heap.asked[class] = true;
  return b;
}

/* ------------------------------------------------------------------ the system's memory */

static cusp_memory_source source; /* of the host's; no functions: the C library and the system */

static void *take_system(size_t bytes, size_t alignment) {
  if (source.allocate)
    return source.allocate(source.data, bytes, alignment);
  void *memory = NULL;
  return posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL;
}

static void give_system(void *memory, size_t bytes) {
  if (source.allocate)
    source.release(source.data, memory, bytes);
  else
    free(memory);
}

cusp_status cusp_memory_set_source(const cusp_memory_source *given) {
  lock_heap();
  bool used = heap.chunks || heap.blocks || heap.cached;
  if (!used)
    source = *given;
  unlock_heap();
  return used ? cusp_fail(CUSP_EVALUE, "memory is in use already; the allocator has to come first")
              : CUSP_OK;
}

/** Whether blocks of a class size are mapped. */
static bool is_mapped(size_t size) { return KEEPS_BLOCKS && !source.allocate && size >= HUGE_PAGE; }

/** Cuts a new chunk into free blocks of a small class; the lock is held. */
static bool refill(uint32_t class, size_t size) {
  chunk *c = take_system(CHUNK_BYTES, CHUNK_BYTES);
  if (c == NULL)
    return false;
  *c = (chunk){.next = heap.chunks, .class = class};
  heap.chunks = c;
  size_t count = (CHUNK_BYTES - CUSP_ALIGNMENT) / size;
  for (size_t i = count; i-- > 0;) {
    block *b = (block *)((char *)c + CUSP_ALIGNMENT + i * size);
    b->class = class;
    b->mark = FREE;
    b->next = heap.free_list[class];
    heap.free_list[class] = b;
  }
  store(&heap.cached, heap.cached + count * size);
  return true;
}

/* Whole pages, whatever their size; the rest of the last huge page would be memory that nobody
 * uses. */
static size_t mapped_size(size_t size) { return (size + 0xffff) & ~(size_t)0xffff; }

/**
 * Memory that begins with a huge page, and is made of them where the system has them: a hundred
 * megabytes are then 50 page faults rather than 25,000, in a new block and again after each fork (a
 * look at an HDF5 file is one).
 */
static void *map_huge(size_t size) {
  size_t length = mapped_size(size), spare = length + HUGE_PAGE;
  char *mapped = mmap(NULL, spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    return NULL;
  char *start = (char *)(((uintptr_t)mapped + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
  if (start > mapped)
    munmap(mapped, (size_t)(start - mapped));
  munmap(start + length, (size_t)(mapped + spare - (start + length)));
  madvise(start, length, MADV_HUGEPAGE);
  return start;
}

static block *system_block(size_t size, uint32_t class) {
  void *b = is_mapped(size) ? map_huge(size) : take_system(size, CUSP_ALIGNMENT);
  if (b != NULL)
    ((block *)b)->class = class;
  return b;
}

static void release_block(block *b) {
  size_t size = class_size(b->class);
  if (is_mapped(size))
    munmap(b, mapped_size(size));
  else
    give_system(b, KEEPS_BLOCKS ? size : b->bytes + HEADER_BYTES + GUARD_BYTES);
}

/** Gives the kept blocks of a large class to the system; the lock is held. */
static void release_class(uint32_t class) {
  size_t size = class_size(class);
  for (block *b = heap.free_list[class], *next; b != NULL; b = next) {
    next = b->next;
    release_block(b);
    store(&heap.cached, heap.cached - size);
    heap.large_cached -= size;
  }
  heap.free_list[class] = NULL;
}

/** Releases what was kept in vain since the last sweep; the lock is held. */
static void sweep(void) {
  for (uint32_t class = size_class(SMALL_LIMIT) + 1; class < CLASS_COUNT; class ++) {
    if (!heap.asked[class])
      release_class(class);
    heap.asked[class] = false;
  }
  heap.frees = 0;
}

/** A block for `bytes` bytes, counted; NULL when there is none. */
static block *new_block(size_t bytes) {
  size_t total = bytes + HEADER_BYTES + GUARD_BYTES;
  uint32_t class = size_class(total);
  size_t size = class_size(class);
  lock_heap();
  bool allowed = heap.fail_after != 0;
  if (heap.fail_after > 0)
    heap.fail_after--;
  block *b = NULL;
  if (allowed && KEEPS_BLOCKS) {
    b = take_kept(class, size);
    if (b == NULL && size <= SMALL_LIMIT && refill(class, size))
      b = take_kept(class, size);
  }
  if (allowed && b == NULL && (!KEEPS_BLOCKS || size > SMALL_LIMIT)) {
    unlock_heap(); /* the system may take its time */
    b = system_block(KEEPS_BLOCKS ? size : total, class);
    lock_heap();
  }
  if (b != NULL) {
    b->bytes = bytes;
    b->mark = LIVE;
    store(&heap.live, heap.live + bytes);
    heap.blocks++;
    if (heap.live > heap.peak)
      heap.peak = heap.live;
  }
  unlock_heap();
  return b;
}

#ifdef CUSP_DEBUG
static void mark_new(block *b) {
  memset(payload(b), 0xa5, b->bytes);
  memset((char *)payload(b) + b->bytes, 0x5a, GUARD_BYTES);
}

static void check_freed(block *b) {
  cusp_assert(b->mark == LIVE);
  const unsigned char *guard = (unsigned char *)payload(b) + b->bytes;
  for (int i = 0; i < GUARD_BYTES; i++)
    cusp_assert(guard[i] == 0x5a);
  memset(payload(b), 0xdd, b->bytes);
}
#else
static void mark_new(block *b) { (void)b; }
static void check_freed(block *b) { (void)b; }
#endif

/**
 * Whether so much more is within what this process may have, a sixteenth of it left to what is not
 * counted: Linux promises more than there is, and kills who uses it.
 */
static bool is_possible(size_t bytes) {
  uint64_t limit = cusp_memory_limit();
  return bytes < HUGE_PAGE || (bytes <= LARGEST_BLOCK && bytes <= limit &&
                               bytes + cusp_memory_live() <= limit - limit / 16);
}

cusp_status cusp_alloc(void **out, size_t bytes) {
  *out = NULL;
  if (bytes == 0)
    bytes = 1;
  block *b = is_possible(bytes) ? new_block(bytes) : NULL;
  if (b == NULL)
    return cusp_fail(CUSP_ENOMEM, "out of memory: %zu bytes were requested, %llu are in use", bytes,
                     (unsigned long long)cusp_memory_live());
  mark_new(b);
  *out = payload(b);
  return CUSP_OK;
}

cusp_status cusp_memory_check(size_t bytes) {
  lock_heap();
  bool allowed = heap.fail_after != 0;
  unlock_heap();
  void *room = allowed
                   ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                   : MAP_FAILED;
  if (room == MAP_FAILED)
    return cusp_fail(CUSP_ENOMEM, "out of memory: a library needs up to %zu bytes, %llu are in use",
                     bytes, (unsigned long long)cusp_memory_live());
  munmap(room, bytes);
  return CUSP_OK;
}

cusp_status cusp_alloc_zeroed(void **out, size_t bytes) {
  CUSP_TRY(cusp_alloc(out, bytes));
  memset(*out, 0, bytes);
  return CUSP_OK;
}

void cusp_free(void *data) {
  if (data == NULL)
    return;
  block *b = header(data);
  check_freed(b);
  size_t size = class_size(b->class);
  lock_heap();
  store(&heap.live, heap.live - b->bytes);
  heap.blocks--;
  bool keep = KEEPS_BLOCKS && (size <= SMALL_LIMIT || heap.large_cached + size <= CACHE_LIMIT);
  if (keep) {
    b->mark = FREE;
    b->next = heap.free_list[b->class];
    heap.free_list[b->class] = b;
    store(&heap.cached, heap.cached + size);
    if (size > SMALL_LIMIT) {
      heap.large_cached += size;
      if (++heap.frees >= SWEEP_PERIOD && heap.large_cached > SWEEP_FROM)
        sweep();
    }
  }
  unlock_heap();
  if (!keep)
    release_block(b);
}

size_t cusp_block_size(const void *data) { return header(data)->bytes; }

cusp_status cusp_multiply_size(size_t *out, size_t a, size_t b) {
  if (__builtin_mul_overflow(a, b, out) || *out > INT64_MAX)
    return cusp_fail(CUSP_EVALUE, "a size of %zu times %zu is too large", a, b);
  return CUSP_OK;
}

cusp_memory_stats cusp_memory_get_stats(void) {
  lock_heap();
  cusp_memory_stats stats = {heap.live, heap.blocks, heap.peak, heap.cached};
  unlock_heap();
  return stats;
}

uint64_t cusp_memory_live(void) { return __atomic_load_n(&heap.live, __ATOMIC_RELAXED); }

void cusp_memory_reset_peak(void) {
  lock_heap();
  heap.peak = heap.live;
  unlock_heap();
}

void cusp_memory_fail_after(int64_t count) {
  lock_heap();
  heap.fail_after = count < 0 ? -1 : count;
  unlock_heap();
}

static chunk *chunk_of(const block *b) {
  return (chunk *)((uintptr_t)b & ~(uintptr_t)(CHUNK_BYTES - 1));
}

/** Whether every block of the chunk is free, by the counts that cusp_memory_trim made. */
static bool chunk_is_free(const chunk *c) {
  return c->free_blocks == (CHUNK_BYTES - CUSP_ALIGNMENT) / class_size(c->class);
}

/** Takes the blocks of wholly free chunks off a small class's list; the lock is held. */
static void unlist_free_chunks(uint32_t class) {
  block **link = &heap.free_list[class];
  while (*link != NULL)
    if (chunk_is_free(chunk_of(*link))) {
      *link = (*link)->next;
      store(&heap.cached, heap.cached - class_size(class));
    } else {
      link = &(*link)->next;
    }
}

/** Returns wholly free chunks to the system; the lock is held. */
static void trim_chunks(void) {
  for (chunk *c = heap.chunks; c != NULL; c = c->next)
    c->free_blocks = 0;
  for (uint32_t class = 0; class_size(class) <= SMALL_LIMIT; class ++)
    for (block *b = heap.free_list[class]; b != NULL; b = b->next)
      chunk_of(b)->free_blocks++;
  for (uint32_t class = 0; class_size(class) <= SMALL_LIMIT; class ++)
    unlist_free_chunks(class);
  for (chunk **link = &heap.chunks; *link != NULL;) {
    chunk *c = *link;
    if (chunk_is_free(c)) {
      *link = c->next;
      give_system(c, CHUNK_BYTES);
    } else {
      link = &c->next;
    }
  }
}

/* The C library keeps pages between blocks in use until it is asked. */
static void trim_library(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

/* A child must not inherit a lock that some other thread of its parent held. */
__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(lock_heap, unlock_heap, unlock_heap);
}

void cusp_memory_trim(void) {
  lock_heap();
  trim_chunks();
  for (uint32_t class = size_class(SMALL_LIMIT) + 1; class < CLASS_COUNT; class ++)
    release_class(class);
  unlock_heap();
  trim_library();
}
