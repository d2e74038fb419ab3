/**
 * A look at bytes before protobuf-c unpacks them: it recurses as deep as the bytes say, so the
 * depth is bounded here. Wire format:
 * https://protobuf.dev/programming-guides/encoding/ */
#include "convert.h"

typedef struct cursor {
  const uint8_t *at, *end;
} cursor;

static bool read_varint(cursor *from, uint64_t *value) {
  *value = 0;
  for (int shift = 0; shift < 70 && from->at < from->end; shift += 7) {
    uint8_t byte = *from->at++;
    if (shift < 64)
      *value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80)
      return true;
  }
  return false;
}

static bool skip(cursor *from, uint64_t count) {
  if (count > (uint64_t)(from->end - from->at))
    return false;
  from->at += count;
  return true;
}

/** One field: its key and its bytes, which `content` receives where they have a length. */
static bool read_field(cursor *from, uint64_t *number, cursor *content) {
  uint64_t key, length;
  *content = (cursor){0};
  if (!read_varint(from, &key))
    return false;
  *number = key >> 3;
  switch (key & 7) {
  case PROTOBUF_C_WIRE_TYPE_VARINT: return read_varint(from, &length);
  case PROTOBUF_C_WIRE_TYPE_64BIT: return skip(from, 8);
  case PROTOBUF_C_WIRE_TYPE_32BIT: return skip(from, 4);
  case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
    if (!read_varint(from, &length))
      return false;
    content->at = from->at;
    if (!skip(from, length))
      return false;
    content->end = from->at;
    return true;
  default: return false;
  }
}

bool cusp_protobuf_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                         size_t length, int depth, const char **why) {
  if (depth <= 0) {
    *why = "messages are nested too deep";
    return false;
  }
  cursor from = {bytes, bytes + length};
  while (from.at < from.end) {
    uint64_t number;
    cursor content;
    if (!read_field(&from, &number, &content) || number == 0 || number > UINT32_MAX) {
      *why = "the bytes are cut off or not a message";
      return false;
    }
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(descriptor, (unsigned)number);
    if (field && field->type == PROTOBUF_C_TYPE_MESSAGE && content.at &&
        !cusp_protobuf_check(field->descriptor, content.at, (size_t)(content.end - content.at),
                             depth - 1, why))
      return false;
  }
  return true;
}
