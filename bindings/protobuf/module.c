/* cusp.native.protobuf: encode(name, table) → bytes, decode(name, bytes) → table, names() →
 * list. */
#include "convert.h"

#include "event.pb-c.h"
#include "example.pb-c.h"
#include "graph.pb-c.h"
#include "hparams.pb-c.h"
#include "onnx.pb-c.h"
#include "plugins.pb-c.h"
#include "projector.pb-c.h"
#include "saved_model.pb-c.h"
#include "tensor.pb-c.h"
#include "tensor_bundle.pb-c.h"
#include "trackable_object_graph.pb-c.h"
#include "wrappers.pb-c.h"
#include "xplane.pb-c.h"

#include <string.h>

/* A message in memory takes several times its bytes; more than this many times is no file that
 * anybody wrote. */
#define DECODED_BASE ((size_t)64 << 20)
#define DECODED_FACTOR 16

static const ProtobufCMessageDescriptor *const messages[] = {
#define MESSAGE(name) &name##__descriptor,
#include "messages.h"
#undef MESSAGE
};

static const ProtobufCMessageDescriptor *find_message(lua_State *L, int index) {
  const char *name = luaL_checkstring(L, index);
  for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
    if (strcmp(messages[i]->name, name) == 0)
      return messages[i];
  luaL_error(L, "there is no message '%s'", name);
  return NULL;
}

/** encode(name, table) → bytes. [-0, +1, e] */
static int encode(lua_State *L) {
  const ProtobufCMessageDescriptor *descriptor = find_message(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  cusp_arena *arena = cusp_arena_push(L, SIZE_MAX / 2);
  ProtobufCMessage *message = cusp_protobuf_read(L, 2, descriptor, arena, CUSP_PROTOBUF_DEPTH);
  size_t size = protobuf_c_message_get_packed_size(message);
  if (size > INT32_MAX)
    return luaL_error(L, "%s: a message has at most 2 GB, this one has %I bytes", descriptor->name,
                      (LUAI_UACINT)size);
  luaL_Buffer buffer;
  uint8_t *bytes = (uint8_t *)luaL_buffinitsize(L, &buffer, size);
  luaL_pushresultsize(&buffer, protobuf_c_message_pack(message, bytes));
  cusp_arena_clear(arena);
  return 1;
}

/** decode(name, bytes) → table. [-0, +1, e] */
static int decode(lua_State *L) {
  const ProtobufCMessageDescriptor *descriptor = find_message(L, 1);
  size_t size;
  const uint8_t *bytes = (const uint8_t *)luaL_checklstring(L, 2, &size);
  const char *why;
  if (size > INT32_MAX)
    return luaL_error(L, "%s: a message has at most 2 GB, this one has %I bytes", descriptor->name,
                      (LUAI_UACINT)size);
  if (!cusp_protobuf_check(descriptor, bytes, size, CUSP_PROTOBUF_DEPTH, &why))
    return luaL_error(L, "%s: %s (%I bytes)", descriptor->name, why, (LUAI_UACINT)size);
  cusp_arena *arena = cusp_arena_push(L, DECODED_BASE + DECODED_FACTOR * size);
  ProtobufCAllocator allocator = cusp_arena_allocator(arena);
  ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, size, bytes);
  if (!message)
    return luaL_error(
        L, "%s: the bytes do not fit the message, or would take too much memory (%I bytes)",
        descriptor->name, (LUAI_UACINT)size);
  cusp_protobuf_push(L, message);
  cusp_arena_clear(arena);
  return 1;
}

/** names() → list of the messages' names. [-0, +1, m] */
static int names(lua_State *L) {
  lua_newtable(L);
  for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
    lua_pushstring(L, messages[i]->name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static const luaL_Reg functions[] = {
    {"encode", encode}, {"decode", decode}, {"names", names}, {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_cusp_native_protobuf(lua_State *L);

int luaopen_cusp_native_protobuf(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
