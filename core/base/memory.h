#ifndef CUSP_BASE_MEMORY_H
#define CUSP_BASE_MEMORY_H
/* The one allocator: every byte of the engine passes through here, counted exactly. */

#include "status.h"

#include <stdint.h>

#define CUSP_ALIGNMENT 64

/** `bytes`, rounded up so that what lies behind them is aligned. */
static inline size_t cusp_aligned_size(size_t bytes) {
  return (bytes + CUSP_ALIGNMENT - 1) / CUSP_ALIGNMENT * CUSP_ALIGNMENT;
}

/**
 * Gives `bytes` bytes (at least one), aligned to 64, uninitialised. *out is NULL on failure.
 * Freed blocks are kept by size class and given out again; see cusp_memory_trim.
 */
CUSP_NODISCARD cusp_status cusp_alloc(void **out, size_t bytes);
/** As cusp_alloc, filled with zeros. */
CUSP_NODISCARD cusp_status cusp_alloc_zeroed(void **out, size_t bytes);
/** Gives a block back; NULL is accepted. */
void cusp_free(void *block);
/** Bytes that were asked for when `block` was allocated. */
size_t cusp_block_size(const void *block);

/**
 * Whether the system has so many bytes more, without taking them; CUSP_ENOMEM otherwise. Asked
 * before a library is called that ends the program where memory fails.
 */
CUSP_NODISCARD cusp_status cusp_memory_check(size_t bytes);

/** Sets *out = a * b; CUSP_EVALUE where that overflows size_t or int64_t. */
CUSP_NODISCARD cusp_status cusp_multiply_size(size_t *out, size_t a, size_t b);

/** Where a host wants memory to come from; called on several threads at once. */
typedef struct cusp_memory_source {
  void *(*allocate)(void *data, size_t bytes, size_t alignment); /* NULL: there is none */
  void (*release)(void *data, void *block, size_t bytes);
  void *data;
} cusp_memory_source;
/** CUSP_EVALUE where something was allocated already. */
CUSP_NODISCARD cusp_status cusp_memory_set_source(const cusp_memory_source *source);

typedef struct cusp_memory_stats {
  uint64_t bytes_live; /* asked for and not yet freed */
  uint64_t blocks_live;
  uint64_t bytes_peak;   /* the largest bytes_live since start or cusp_memory_reset_peak */
  uint64_t bytes_cached; /* freed, kept for reuse */
} cusp_memory_stats;
cusp_memory_stats cusp_memory_get_stats(void);
/** bytes_live alone; cheap enough for every tensor made. */
uint64_t cusp_memory_live(void);
void cusp_memory_reset_peak(void);
/** Returns cached blocks to the system. */
void cusp_memory_trim(void);
/** Lets `count` more allocations succeed and all later ones fail; negative: never fail. For tests
 * of error paths. */
void cusp_memory_fail_after(int64_t count);

#endif
