/* See stream.h. */
#include "stream.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ writing */

void stream_flush(stream *s) {
  for (size_t done = 0; done < s->used;) {
    ssize_t put = write(s->descriptor, s->buffer + done, s->used - done);
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      _exit(1);
    done += (size_t)put;
  }
  s->used = 0;
}

void stream_bytes(stream *s, const void *data, size_t bytes) {
  const unsigned char *from = data;
  s->sent += bytes;
  while (bytes > 0) {
    size_t room = sizeof s->buffer - s->used, piece = bytes < room ? bytes : room;
    memcpy(s->buffer + s->used, from, piece);
    s->used += piece;
    from += piece;
    bytes -= piece;
    if (s->used == sizeof s->buffer)
      stream_flush(s);
  }
}

void stream_byte(stream *s, char byte) { stream_bytes(s, &byte, 1); }

void stream_string(stream *s, const char *data, size_t bytes) {
  uint64_t length = bytes;
  stream_byte(s, 's');
  stream_bytes(s, &length, sizeof length);
  stream_bytes(s, data, bytes);
}

void stream_text(stream *s, const char *text) { stream_string(s, text, strlen(text)); }

void stream_integer(stream *s, int64_t value) {
  stream_byte(s, 'i');
  stream_bytes(s, &value, sizeof value);
}

void stream_open_table(stream *s) { stream_byte(s, '{'); }
void stream_close_table(stream *s) { stream_byte(s, '}'); }

void stream_set_text(stream *s, const char *key, const char *text) {
  stream_text(s, key);
  stream_text(s, text);
}

void stream_set_integer(stream *s, const char *key, int64_t value) {
  stream_text(s, key);
  stream_integer(s, value);
}

void stream_set_boolean(stream *s, const char *key, bool value) {
  stream_text(s, key);
  stream_byte(s, value ? 't' : 'f');
}

void stream_open_field(stream *s, const char *key) {
  stream_text(s, key);
  stream_open_table(s);
}

/* ------------------------------------------------------------------ reading */

enum { DEEPEST = 16, MOST_VALUES = 1 << 24 };

typedef struct source {
  lua_State *L;
  const unsigned char *next, *end;
  int values;
} source;

static const char *decode_value(source *in, int depth);

static bool take(source *in, void *to, size_t bytes) {
  if ((size_t)(in->end - in->next) < bytes)
    return false;
  memcpy(to, in->next, bytes);
  in->next += bytes;
  return true;
}

static const char *decode_string(source *in) {
  uint64_t length;
  if (!take(in, &length, sizeof length) || (uint64_t)(in->end - in->next) < length)
    return "a string is cut off";
  lua_pushlstring(in->L, (const char *)in->next, (size_t)length);
  in->next += length;
  return NULL;
}

static const char *decode_integer(source *in) {
  int64_t value;
  if (!take(in, &value, sizeof value))
    return "an integer is cut off";
  lua_pushinteger(in->L, value);
  return NULL;
}

static const char *decode_table(source *in, int depth) {
  int table = lua_gettop(in->L) + 1;
  if (depth == DEEPEST)
    return "tables are nested too deep";
  luaL_checkstack(in->L, 8, NULL);
  lua_newtable(in->L);
  while (in->next < in->end && *in->next != '}') {
    if (*in->next != 's' && *in->next != 'i')
      return "a key is neither a string nor an integer";
    const char *reason = decode_value(in, depth + 1);
    if (!reason)
      reason = decode_value(in, depth + 1);
    if (reason)
      return reason;
    lua_rawset(in->L, table);
  }
  if (in->next == in->end)
    return "a table is cut off";
  in->next++;
  return NULL;
}

/* Pushes one value; leaves more than that where it gives a reason. */
static const char *decode_value(source *in, int depth) {
  if (in->next == in->end || ++in->values > MOST_VALUES)
    return in->next == in->end ? "a value is missing" : "there are too many values";
  switch (*in->next++) {
  case '{': return decode_table(in, depth);
  case 's': return decode_string(in);
  case 'i': return decode_integer(in);
  case 't': lua_pushboolean(in->L, true); return NULL;
  case 'f': lua_pushboolean(in->L, false); return NULL;
  default: return "a value of unknown kind";
  }
}

const char *stream_decode(lua_State *L, const unsigned char *data, size_t bytes) {
  source in = {.L = L, .next = data, .end = data + bytes};
  int top = lua_gettop(L);
  const char *reason = decode_value(&in, 0);
  if (!reason && (in.end - in.next != 1 || *in.next != STREAM_END))
    reason = "its end is missing";
  if (reason)
    lua_settop(L, top);
  return reason;
}
