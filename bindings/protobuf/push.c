/* From messages to Lua tables. See convert.h. */
#include "convert.h"

static void push_enum(lua_State *L, const ProtobufCFieldDescriptor *field, int32_t number) {
  const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(field->descriptor, number);
  if (value)
    lua_pushstring(L, value->name);
  else
    lua_pushinteger(L, number);
}

static void push_bytes(lua_State *L, const ProtobufCBinaryData *bytes) {
  lua_pushlstring(L, bytes->len ? (const char *)bytes->data : "", bytes->len);
}

static void push_value(lua_State *L, const ProtobufCFieldDescriptor *field, const void *from) {
  switch (field->type) {
  case PROTOBUF_C_TYPE_INT32:
  case PROTOBUF_C_TYPE_SINT32:
  case PROTOBUF_C_TYPE_SFIXED32: lua_pushinteger(L, *(const int32_t *)from); break;
  case PROTOBUF_C_TYPE_UINT32:
  case PROTOBUF_C_TYPE_FIXED32: lua_pushinteger(L, *(const uint32_t *)from); break;
  case PROTOBUF_C_TYPE_INT64:
  case PROTOBUF_C_TYPE_SINT64:
  case PROTOBUF_C_TYPE_SFIXED64:
  case PROTOBUF_C_TYPE_UINT64:
  case PROTOBUF_C_TYPE_FIXED64: lua_pushinteger(L, (lua_Integer) * (const int64_t *)from); break;
  case PROTOBUF_C_TYPE_FLOAT: lua_pushnumber(L, (lua_Number) * (const float *)from); break;
  case PROTOBUF_C_TYPE_DOUBLE: lua_pushnumber(L, *(const double *)from); break;
  case PROTOBUF_C_TYPE_BOOL: lua_pushboolean(L, *(const protobuf_c_boolean *)from); break;
  case PROTOBUF_C_TYPE_ENUM: push_enum(L, field, *(const int32_t *)from); break;
  case PROTOBUF_C_TYPE_BYTES: push_bytes(L, from); break;
  case PROTOBUF_C_TYPE_STRING: lua_pushstring(L, *(const char *const *)from); break;
  case PROTOBUF_C_TYPE_MESSAGE:
    cusp_protobuf_push(L, *(const ProtobufCMessage *const *)from);
    break;
  }
}

static void push_list(lua_State *L, const ProtobufCFieldDescriptor *field, const char *message) {
  size_t count = *(const size_t *)(message + field->quantifier_offset);
  const char *items = *(const char *const *)(message + field->offset);
  size_t size = cusp_protobuf_size(field->type);
  lua_createtable(L, count < 1 << 20 ? (int)count : 1 << 20, 0);
  for (size_t i = 0; i < count; i++) {
    push_value(L, field, items + i * size);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/** Whether a field that is not a list is there; those of proto3 without presence are always. */
static bool is_present(const ProtobufCFieldDescriptor *field, const char *message) {
  if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
    return *(const uint32_t *)(message + field->quantifier_offset) == field->id;
  if (field->type == PROTOBUF_C_TYPE_MESSAGE)
    return *(const void *const *)(message + field->offset) != NULL;
  return field->label != PROTOBUF_C_LABEL_OPTIONAL ||
         *(const protobuf_c_boolean *)(message + field->quantifier_offset);
}

void cusp_protobuf_push(lua_State *L, const ProtobufCMessage *message) {
  const ProtobufCMessageDescriptor *descriptor = message->descriptor;
  luaL_checkstack(L, 8, "messages are nested too deep");
  lua_createtable(L, 0, (int)descriptor->n_fields);
  for (unsigned i = 0; i < descriptor->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
      push_list(L, field, (const char *)message);
    else if (is_present(field, (const char *)message))
      push_value(L, field, (const char *)message + field->offset);
    else
      continue;
    lua_setfield(L, -2, field->name);
  }
}
