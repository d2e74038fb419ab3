#ifndef CUSP_BASE_COLLECTIONS_H
#define CUSP_BASE_COLLECTIONS_H
/* The small containers of the graph code: growing arrays, a pointer map, a bump arena. All from
 * cusp_alloc. */

#include "memory.h"

#include <stdbool.h>
#include <stdint.h>

/** Makes room for `needed` items of `item` bytes in *data, keeping what is there. */
CUSP_NODISCARD cusp_status cusp_grow(void **data, int *capacity, int needed, size_t item);
#define CUSP_GROW(array, capacity, needed) \
  cusp_grow((void **)&(array), &(capacity), (needed), sizeof *(array))

/** Pointers to integers, open addressing. Zero-initialised is empty. */
typedef struct cusp_map {
  const void **keys;
  int *values;
  int count, capacity;
} cusp_map;
CUSP_NODISCARD cusp_status cusp_map_put(cusp_map *map, const void *key, int value);
/** The value of `key`, or -1. */
int cusp_map_get(const cusp_map *map, const void *key);
void cusp_map_free(cusp_map *map);

/** Memory given out piece by piece and freed at once. Zero-initialised is empty. */
typedef struct cusp_arena {
  struct cusp_arena_block *blocks;
  size_t used;
} cusp_arena;
/* zeroed, aligned to 16 */
CUSP_NODISCARD cusp_status cusp_arena_alloc(void **out, cusp_arena *arena, size_t bytes);
void cusp_arena_free(cusp_arena *arena);
size_t cusp_arena_bytes(const cusp_arena *arena); /* taken from the allocator */

#endif
