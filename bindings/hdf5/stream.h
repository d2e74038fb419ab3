#ifndef CUSP_BINDINGS_HDF5_STREAM_H
#define CUSP_BINDINGS_HDF5_STREAM_H
/*
 * Lua values as bytes, from the child that reads a file to its parent: a table is '{', then keys (a
 * string or an integer) each followed by its value, then '}'; a string 's', 8 bytes of length, its
 * bytes; an integer 'i' and 8 bytes; booleans 't' and 'f'. Integers are in this machine's order:
 * both ends are one program.
 */

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The writing end. A failed write ends the process: nobody listens any more. */
typedef struct stream {
  int descriptor;
  size_t used;
  uint64_t sent;
  unsigned char buffer[1 << 16];
} stream;

/** Marks the end of a stream that was sent whole. */
#define STREAM_END 'E'

void stream_bytes(stream *s, const void *data, size_t bytes);
void stream_byte(stream *s, char byte);
void stream_flush(stream *s);

/* Values */
void stream_string(stream *s, const char *data, size_t bytes);
void stream_text(stream *s, const char *text);
void stream_integer(stream *s, int64_t value);
void stream_open_table(stream *s);
void stream_close_table(stream *s);
/* A key and its value */
void stream_set_text(stream *s, const char *key, const char *text);
void stream_set_integer(stream *s, const char *key, int64_t value);
void stream_set_boolean(stream *s, const char *key, bool value);
void stream_open_field(stream *s, const char *key);

/** Pushes the value that a whole stream holds, or returns the reason why it is malformed (nothing
 * is pushed then). [-0, +(0|1), m] */
const char *stream_decode(lua_State *L, const unsigned char *data, size_t bytes);

#endif
