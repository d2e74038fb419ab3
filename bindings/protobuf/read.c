/* From Lua tables to messages. See convert.h. */
#include "convert.h"

#include <math.h>
#include <string.h>

/** A field that a value is read for; errors name it. */
typedef struct place {
  const ProtobufCMessageDescriptor *message;
  const ProtobufCFieldDescriptor *field;
  lua_Integer item; /* position in a list, from 1; 0: no list */
} place;

size_t cusp_protobuf_size(ProtobufCType type) {
  switch (type) {
  case PROTOBUF_C_TYPE_INT64:
  case PROTOBUF_C_TYPE_SINT64:
  case PROTOBUF_C_TYPE_SFIXED64:
  case PROTOBUF_C_TYPE_UINT64:
  case PROTOBUF_C_TYPE_FIXED64:
  case PROTOBUF_C_TYPE_DOUBLE: return 8;
  case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
  case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
  case PROTOBUF_C_TYPE_STRING:
  case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
  default: return 4;
  }
}

static int wrong(lua_State *L, const place *at, const char *expected, int index) {
  const char *item = at->item ? lua_pushfstring(L, "[%I]", (LUAI_UACINT)at->item) : "";
  const char *got = luaL_typename(L, index);
  if (lua_type(L, index) == LUA_TNUMBER || lua_type(L, index) == LUA_TSTRING)
    got = lua_pushfstring(L, "%s %s", got, luaL_tolstring(L, index, NULL));
  return luaL_error(L, "%s.%s%s: expected %s, got %s", at->message->name, at->field->name, item,
                    expected, got);
}

static void *take(lua_State *L, cusp_arena *arena, size_t size) {
  void *bytes = cusp_arena_take(arena, size);
  if (!bytes)
    luaL_error(L, "not enough memory for a message of more than %I bytes",
               (LUAI_UACINT)arena->used);
  return bytes;
}

static lua_Integer read_integer(lua_State *L, int index, const place *at, lua_Integer least,
                                lua_Integer most, const char *expected) {
  int exact;
  lua_Integer value = lua_tointegerx(L, index, &exact);
  if (!exact || lua_type(L, index) != LUA_TNUMBER || value < least || value > most)
    wrong(L, at, expected, index);
  return value;
}

static double read_number(lua_State *L, int index, const place *at) {
  if (lua_type(L, index) != LUA_TNUMBER)
    wrong(L, at, "a number", index);
  return lua_tonumber(L, index);
}

/** An enumerated value by its number or by its name. */
static int32_t read_enum(lua_State *L, int index, const place *at) {
  if (lua_type(L, index) != LUA_TSTRING)
    return (int32_t)read_integer(L, index, at, INT32_MIN, INT32_MAX, "a name or an integer");
  const ProtobufCEnumDescriptor *names = at->field->descriptor;
  const ProtobufCEnumValue *value =
      protobuf_c_enum_descriptor_get_value_by_name(names, lua_tostring(L, index));
  if (!value)
    wrong(L, at, lua_pushfstring(L, "a name of %s", names->name), index);
  return value->value;
}

static ProtobufCBinaryData read_bytes(lua_State *L, int index, const place *at, cusp_arena *arena) {
  if (lua_type(L, index) != LUA_TSTRING)
    wrong(L, at, "a string", index);
  ProtobufCBinaryData copy;
  const char *text = lua_tolstring(L, index, &copy.len);
  copy.data = take(L, arena, copy.len);
  memcpy(copy.data, text, copy.len);
  return copy;
}

static void read_value(lua_State *L, int index, const place *at, void *to, cusp_arena *arena,
                       int depth) {
  switch (at->field->type) {
  case PROTOBUF_C_TYPE_INT32:
  case PROTOBUF_C_TYPE_SINT32:
  case PROTOBUF_C_TYPE_SFIXED32:
    *(int32_t *)to =
        (int32_t)read_integer(L, index, at, INT32_MIN, INT32_MAX, "an integer of 32 bits");
    break;
  case PROTOBUF_C_TYPE_UINT32:
  case PROTOBUF_C_TYPE_FIXED32:
    *(uint32_t *)to =
        (uint32_t)read_integer(L, index, at, 0, UINT32_MAX, "an integer of 32 bits without sign");
    break;
  case PROTOBUF_C_TYPE_INT64:
  case PROTOBUF_C_TYPE_SINT64:
  case PROTOBUF_C_TYPE_SFIXED64:
  case PROTOBUF_C_TYPE_UINT64:
  case PROTOBUF_C_TYPE_FIXED64:
    *(int64_t *)to = read_integer(L, index, at, LUA_MININTEGER, LUA_MAXINTEGER, "an integer");
    break;
  case PROTOBUF_C_TYPE_FLOAT: *(float *)to = (float)read_number(L, index, at); break;
  case PROTOBUF_C_TYPE_DOUBLE: *(double *)to = read_number(L, index, at); break;
  case PROTOBUF_C_TYPE_BOOL:
    if (!lua_isboolean(L, index))
      wrong(L, at, "a boolean", index);
    *(protobuf_c_boolean *)to = lua_toboolean(L, index);
    break;
  case PROTOBUF_C_TYPE_ENUM: *(int32_t *)to = read_enum(L, index, at); break;
  case PROTOBUF_C_TYPE_BYTES: *(ProtobufCBinaryData *)to = read_bytes(L, index, at, arena); break;
  case PROTOBUF_C_TYPE_MESSAGE:
    if (!lua_istable(L, index))
      wrong(L, at,
            lua_pushfstring(L, "a table for %s",
                            ((const ProtobufCMessageDescriptor *)at->field->descriptor)->name),
            index);
    *(ProtobufCMessage **)to =
        cusp_protobuf_read(L, index, at->field->descriptor, arena, depth - 1);
    break;
  case PROTOBUF_C_TYPE_STRING:
    luaL_error(L, "%s.%s: text is described as bytes here", at->message->name, at->field->name);
  }
}

static void read_list(lua_State *L, int index, const place *at, char *message, cusp_arena *arena,
                      int depth) {
  if (!lua_istable(L, index))
    wrong(L, at, "a list", index);
  lua_Integer count = (lua_Integer)lua_rawlen(L, index);
  size_t size = cusp_protobuf_size(at->field->type);
  char *items = take(L, arena, (size_t)count * size);
  *(void **)(message + at->field->offset) = items;
  place item = *at;
  for (item.item = 1; item.item <= count; item.item++) {
    lua_geti(L, index, item.item);
    read_value(L, lua_gettop(L), &item, items + (size_t)(item.item - 1) * size, arena, depth);
    lua_pop(L, 1);
  }
  *(size_t *)(message + at->field->quantifier_offset) = (size_t)count;
}

/** Notes that a field is there, for those whose absence differs from zero. */
static void mark_present(lua_State *L, const place *at, char *message) {
  const ProtobufCFieldDescriptor *field = at->field;
  if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
    uint32_t *which = (uint32_t *)(message + field->quantifier_offset);
    if (*which != 0)
      luaL_error(L, "%s: only one of '%s' and '%s' can be given", at->message->name, field->name,
                 protobuf_c_message_descriptor_get_field(at->message, *which)->name);
    *which = field->id;
  } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_MESSAGE) {
    *(protobuf_c_boolean *)(message + field->quantifier_offset) = 1;
  }
}

static const ProtobufCFieldDescriptor *find_field(lua_State *L,
                                                  const ProtobufCMessageDescriptor *descriptor) {
  const ProtobufCFieldDescriptor *field = NULL;
  if (lua_type(L, -2) == LUA_TSTRING)
    field = protobuf_c_message_descriptor_get_field_by_name(descriptor, lua_tostring(L, -2));
  if (field)
    return field;
  luaL_Buffer known;
  const char *name = luaL_tolstring(L, -2, NULL);
  luaL_buffinit(L, &known);
  for (unsigned i = 0; i < descriptor->n_fields; i++) {
    luaL_addstring(&known, i ? ", " : "");
    luaL_addstring(&known, descriptor->fields[i].name);
  }
  luaL_pushresult(&known);
  luaL_error(L, "%s has no field '%s'; its fields: %s", descriptor->name, name,
             lua_tostring(L, -1));
  return NULL;
}

ProtobufCMessage *cusp_protobuf_read(lua_State *L, int index,
                                     const ProtobufCMessageDescriptor *descriptor,
                                     cusp_arena *arena, int depth) {
  luaL_checkstack(L, 12, "messages are nested too deep");
  if (depth <= 0)
    luaL_error(L, "%s: messages are nested too deep", descriptor->name);
  ProtobufCMessage *message = take(L, arena, descriptor->sizeof_message);
  descriptor->message_init(message);
  place at = {.message = descriptor};
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    int top = lua_gettop(L);
    at.field = find_field(L, descriptor);
    if (at.field->label == PROTOBUF_C_LABEL_REPEATED) {
      read_list(L, top, &at, (char *)message, arena, depth);
    } else {
      mark_present(L, &at, (char *)message);
      read_value(L, top, &at, (char *)message + at.field->offset, arena, depth);
    }
    lua_settop(L, top);
  }
  return message;
}
