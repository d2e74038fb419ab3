/* Lua tables and protobuf-c's messages, converted through the descriptors that protoc-c writes. */
#ifndef CUSP_PROTOBUF_CONVERT_H
#define CUSP_PROTOBUF_CONVERT_H

#include <lauxlib.h>
#include <lua.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/** Messages within messages; more is refused, as Google's library does. */
#define CUSP_PROTOBUF_DEPTH 100

/**
 * The memory of one conversion. It lies in a userdata, so that an error raised in the middle frees
 * it, and it is bounded, so that a few bytes cannot ask for gigabytes.
 */
typedef struct cusp_arena {
  struct cusp_arena_block *blocks;
  size_t used, limit; /* bytes */
} cusp_arena;

/** Pushes an empty arena. [-0, +1, m] */
cusp_arena *cusp_arena_push(lua_State *L, size_t limit);

/** Zeroed bytes, or NULL: the limit is reached or there is no memory. */
void *cusp_arena_take(cusp_arena *arena, size_t size);

/** Gives everything back; the arena stays usable. */
void cusp_arena_clear(cusp_arena *arena);

/** An allocator for protobuf-c that takes from the arena. */
ProtobufCAllocator cusp_arena_allocator(cusp_arena *arena);

/** The bytes of one value of a field's type, within a message or an array. */
size_t cusp_protobuf_size(ProtobufCType type);

/** Whether `bytes` is well-formed as far as its nesting goes, and nested no deeper than `depth`;
 * `*why` says what is wrong. */
bool cusp_protobuf_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                         size_t length, int depth, const char **why);

/** The table at `index` as a message in the arena; raises naming the field that does not fit. [-0,
 * +0, e] */
ProtobufCMessage *cusp_protobuf_read(lua_State *L, int index,
                                     const ProtobufCMessageDescriptor *descriptor,
                                     cusp_arena *arena, int depth);

/** Pushes a message as a table. [-0, +1, m] */
void cusp_protobuf_push(lua_State *L, const ProtobufCMessage *message);

#endif
