#include "collections.h"

#include <string.h>

cusp_status cusp_grow(void **data, int *capacity, int needed, size_t item) {
  if (needed <= *capacity)
    return CUSP_OK;
  int larger = *capacity < 8 ? 8 : *capacity;
  while (larger < needed)
    larger += larger / 2 + 1;
  void *block;
  size_t bytes;
  CUSP_TRY(cusp_multiply_size(&bytes, (size_t)larger, item));
  CUSP_TRY(cusp_alloc(&block, bytes));
  if (*data)
    memcpy(block, *data, (size_t)*capacity * item);
  cusp_free(*data);
  *data = block;
  *capacity = larger;
  return CUSP_OK;
}

/* The middle of the product depends on most of the address, whose low bits are always 0. */
static size_t slot_of(const void *key, int capacity) {
  uint64_t h = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
  return (size_t)(h >> 20) & (size_t)(capacity - 1);
}

static void insert(cusp_map *map, const void *key, int value) {
  size_t slot = slot_of(key, map->capacity);
  while (map->keys[slot] && map->keys[slot] != key)
    slot = (slot + 1) & (size_t)(map->capacity - 1);
  if (!map->keys[slot])
    map->count++;
  map->keys[slot] = key;
  map->values[slot] = value;
}

static cusp_status enlarge(cusp_map *map) {
  cusp_map larger = {.capacity = map->capacity ? map->capacity * 2 : 32};
  CUSP_TRY(cusp_alloc_zeroed((void **)&larger.keys, (size_t)larger.capacity * sizeof *larger.keys));
  cusp_status status =
      cusp_alloc((void **)&larger.values, (size_t)larger.capacity * sizeof *larger.values);
  if (status != CUSP_OK) {
    cusp_free(larger.keys);
    return status;
  }
  for (int i = 0; i < map->capacity; i++)
    if (map->keys[i])
      insert(&larger, map->keys[i], map->values[i]);
  cusp_map_free(map);
  *map = larger;
  return CUSP_OK;
}

/* At most half full, so that a search ends after a few slots. */
cusp_status cusp_map_put(cusp_map *map, const void *key, int value) {
  if (map->count * 2 >= map->capacity)
    CUSP_TRY(enlarge(map));
  insert(map, key, value);
  return CUSP_OK;
}

int cusp_map_get(const cusp_map *map, const void *key) {
  if (!map->capacity)
    return -1;
  size_t slot = slot_of(key, map->capacity);
  while (map->keys[slot]) {
    if (map->keys[slot] == key)
      return map->values[slot];
    slot = (slot + 1) & (size_t)(map->capacity - 1);
  }
  return -1;
}

void cusp_map_free(cusp_map *map) {
  cusp_free(map->keys);
  cusp_free(map->values);
  *map = (cusp_map){0};
}

/* Blocks are never moved or freed alone: pointers into an arena hold until all of it goes. */
struct cusp_arena_block {
  struct cusp_arena_block *next;
  size_t size;
  char data[] __attribute__((aligned(16)));
};

enum { FIRST_BLOCK_BYTES = 1024, MOST_BLOCK_BYTES = 16 * 1024 }; /* each twice the one before */

cusp_status cusp_arena_alloc(void **out, cusp_arena *arena, size_t bytes) {
  *out = NULL;
  bytes = (bytes + 15) & ~(size_t)15;
  if (!arena->blocks || arena->used + bytes > arena->blocks->size) {
    size_t size = arena->blocks ? 2 * arena->blocks->size : FIRST_BLOCK_BYTES;
    size = size < MOST_BLOCK_BYTES ? size : MOST_BLOCK_BYTES;
    size = size > bytes ? size : bytes;
    struct cusp_arena_block *block;
    CUSP_TRY(cusp_alloc((void **)&block, sizeof *block + size));
    block->next = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->used = 0;
  }
  *out = arena->blocks->data + arena->used;
  arena->used += bytes;
  memset(*out, 0, bytes);
  return CUSP_OK;
}

void cusp_arena_free(cusp_arena *arena) {
  for (struct cusp_arena_block *block = arena->blocks, *next; block; block = next) {
    next = block->next;
    cusp_free(block);
  }
  *arena = (cusp_arena){0};
}

size_t cusp_arena_bytes(const cusp_arena *arena) {
  size_t bytes = 0;
  for (const struct cusp_arena_block *block = arena->blocks; block; block = block->next)
    bytes += cusp_block_size(block);
  return bytes;
}
