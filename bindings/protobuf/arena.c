/* The memory of a conversion. See convert.h. */
#include "convert.h"

#include <stdlib.h>

#define ARENA "cusp.protobuf.Arena"

typedef struct cusp_arena_block {
  struct cusp_arena_block *next, *previous;
  size_t size;
  max_align_t bytes[];
} block;

void *cusp_arena_take(cusp_arena *arena, size_t size) {
  if (size > arena->limit - arena->used)
    return NULL;
  block *taken = calloc(1, sizeof *taken + size);
  if (!taken)
    return NULL;
  taken->size = size;
  taken->next = arena->blocks;
  if (arena->blocks)
    arena->blocks->previous = taken;
  arena->blocks = taken;
  arena->used += size;
  return taken->bytes;
}

static void give_back(cusp_arena *arena, void *bytes) {
  if (!bytes)
    return;
  block *taken = (block *)((char *)bytes - offsetof(block, bytes));
  if (taken->next)
    taken->next->previous = taken->previous;
  if (taken->previous)
    taken->previous->next = taken->next;
  else
    arena->blocks = taken->next;
  arena->used -= taken->size;
  free(taken);
}

void cusp_arena_clear(cusp_arena *arena) {
  while (arena->blocks)
    give_back(arena, arena->blocks->bytes);
}

static void *allocator_take(void *arena, size_t size) { return cusp_arena_take(arena, size); }

static void allocator_give(void *arena, void *bytes) { give_back(arena, bytes); }

ProtobufCAllocator cusp_arena_allocator(cusp_arena *arena) {
  return (ProtobufCAllocator){
      .alloc = allocator_take, .free = allocator_give, .allocator_data = arena};
}

static int arena_gc(lua_State *L) {
  cusp_arena_clear(lua_touserdata(L, 1));
  return 0;
}

cusp_arena *cusp_arena_push(lua_State *L, size_t limit) {
  cusp_arena *arena = lua_newuserdatauv(L, sizeof *arena, 0);
  *arena = (cusp_arena){.limit = limit};
  if (luaL_newmetatable(L, ARENA)) {
    lua_pushcfunction(L, arena_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return arena;
}
