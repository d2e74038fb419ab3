#ifndef CUSP_BINDINGS_ZMQ_NATIVE_H
#define CUSP_BINDINGS_ZMQ_NATIVE_H
/* Shared by the files of the module cusp.native.zmq. */
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

enum { CUSP_SIGNATURE_SIZE = 65 /* hexadecimal digits of SHA-256, and the zero */ };

typedef struct cusp_piece {
  const char *data;
  size_t size;
} cusp_piece;

/** The HMAC-SHA256 of the pieces in hexadecimal digits; "" for an empty key. */
void cusp_sign(char signature[CUSP_SIGNATURE_SIZE], cusp_piece key, const cusp_piece *pieces,
               int count);

/** Raises what ZeroMQ says about the last failure. */
int cusp_zmq_error(lua_State *L, const char *what);
/** The context at a stack index, which is a userdata of sockets.c; raises where it is closed. */
void *cusp_check_context(lua_State *L, int index);
/** Sends the strings of the table at an index as one message; false where ZeroMQ fails. */
bool cusp_send_parts(lua_State *L, void *socket, int index);

/** Makes the class of userdata `name`; `close` also ends what the collector finds. */
void cusp_add_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close);
/** context:output{…}, see output.c. */
int cusp_open_output(lua_State *L);
void cusp_add_output_class(lua_State *L);
void cusp_add_socket_classes(lua_State *L);
/** zmq.poll, see sockets.c. */
int cusp_zmq_poll(lua_State *L);
int cusp_new_context(lua_State *L);

/* Text that becomes messages of one stream. */
typedef struct cusp_stream {
  const char *name; /* "stdout" or "stderr" */
  char *text;
  size_t size;
} cusp_stream;

enum { CUSP_STREAM_CAPACITY = 1 << 15 };

typedef struct cusp_sender {
  void *socket;
  char *key, *session, *user, *parent; /* parent is the header of the request, as JSON */
  unsigned long count;                 /* of messages so far */
} cusp_sender;

/** Publishes a stream's text, but for the bytes of a character that is not whole yet unless
 * `all`; what is left moves to the front. */
void cusp_publish_stream(cusp_sender *sender, cusp_stream *stream, bool all);

#endif
