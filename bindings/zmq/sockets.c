/*
 * Contexts and sockets. A socket has its address from the start, and messages are tables of
 * strings.
 */
#include "native.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define CONTEXT "cusp.zmq.Context"
#define SOCKET "cusp.zmq.Socket"

enum { MOST_POLLED = 8 };

/* ------------------------------------------------------------------ contexts */

typedef struct context {
  void *handle;
  pthread_t echo;
  bool has_echo;
} context;

int cusp_new_context(lua_State *L) {
  context *self = lua_newuserdatauv(L, sizeof *self, 0);
  memset(self, 0, sizeof *self);
  luaL_setmetatable(L, CONTEXT);
  self->handle = zmq_ctx_new();
  return self->handle ? 1 : cusp_zmq_error(L, "no context");
}

void *cusp_check_context(lua_State *L, int index) {
  context *self = luaL_checkudata(L, index, CONTEXT);
  luaL_argcheck(L, self->handle, index, "the context is closed");
  return self->handle;
}

/* Sockets hold their context, so none is open here; the echo ends with its context. */
static int close_context(lua_State *L) {
  context *self = luaL_checkudata(L, 1, CONTEXT);
  if (!self->handle)
    return 0;
  zmq_ctx_shutdown(self->handle);
  if (self->has_echo)
    pthread_join(self->echo, NULL);
  zmq_ctx_term(self->handle);
  self->handle = NULL;
  return 0;
}

/* ------------------------------------------------------------------ sockets */

typedef struct socket_box {
  void *handle;
} socket_box;

static void *check_socket(lua_State *L, int index) {
  socket_box *self = luaL_checkudata(L, index, SOCKET);
  luaL_argcheck(L, self->handle, index, "the socket is closed");
  return self->handle;
}

static void *open_socket(void *owner, int kind, const char *address, cusp_piece identity) {
  bool connects = kind != ZMQ_ROUTER && kind != ZMQ_REP;
  int linger = 500; /* milliseconds in which the last messages may go out */
  void *handle = zmq_socket(owner, kind);
  if (!handle)
    return NULL;
  zmq_setsockopt(handle, ZMQ_LINGER, &linger, sizeof linger);
  if (identity.size > 0)
    zmq_setsockopt(handle, ZMQ_ROUTING_ID, identity.data, identity.size);
  if (kind == ZMQ_SUB)
    zmq_setsockopt(handle, ZMQ_SUBSCRIBE, "", 0);
  if ((connects ? zmq_connect(handle, address) : zmq_bind(handle, address)) == 0)
    return handle;
  int problem = errno;
  zmq_close(handle);
  errno = problem;
  return NULL;
}

/** context:socket(kind, address, identity): a router is bound and answers each who asks; a dealer,
 * a subscriber and a requester, which are a frontend's, connect. A router knows who asks by an
 * identity, which is made up where none is given. */
static int new_socket(lua_State *L) {
  static const char *const names[] = {"router", "dealer", "subscriber", "requester", NULL};
  static const int kinds[] = {ZMQ_ROUTER, ZMQ_DEALER, ZMQ_SUB, ZMQ_REQ};
  void *owner = cusp_check_context(L, 1);
  int kind = kinds[luaL_checkoption(L, 2, NULL, names)];
  const char *address = luaL_checkstring(L, 3);
  cusp_piece identity;
  identity.data = luaL_optlstring(L, 4, "", &identity.size);
  socket_box *self = lua_newuserdatauv(L, sizeof *self, 1);
  self->handle = NULL;
  luaL_setmetatable(L, SOCKET);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  self->handle = open_socket(owner, kind, address, identity);
  return self->handle ? 1 : cusp_zmq_error(L, address);
}

static int close_socket(lua_State *L) {
  socket_box *self = luaL_checkudata(L, 1, SOCKET);
  if (self->handle)
    zmq_close(self->handle);
  self->handle = NULL;
  return 0;
}

bool cusp_send_parts(lua_State *L, void *socket, int index) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, index);
  for (lua_Integer i = 1; i <= count; i++) {
    size_t size;
    lua_rawgeti(L, index, i);
    const char *part = lua_tolstring(L, -1, &size);
    int flags = i < count ? ZMQ_SNDMORE : 0, sent;
    do
      sent = zmq_send(socket, part ? part : "", part ? size : 0, flags);
    while (sent < 0 && errno == EINTR);
    lua_pop(L, 1);
    if (sent < 0)
      return false;
  }
  return true;
}

/** socket:send(parts) */
static int send_parts(lua_State *L) {
  void *handle = check_socket(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  return cusp_send_parts(L, handle, 2) ? 0 : cusp_zmq_error(L, "not sent");
}

static int push_message(lua_State *L) {
  zmq_msg_t *message = lua_touserdata(L, 1);
  lua_pushlstring(L, zmq_msg_data(message), zmq_msg_size(message));
  return 1;
}

/* Pushes one part; false where none came. The message is freed also when Lua has no memory. */
static bool receive_part(lua_State *L, void *handle, bool *more) {
  zmq_msg_t message;
  zmq_msg_init(&message);
  if (zmq_msg_recv(&message, handle, ZMQ_DONTWAIT) < 0) {
    zmq_msg_close(&message);
    return false;
  }
  *more = zmq_msg_more(&message);
  lua_pushcfunction(L, push_message);
  lua_pushlightuserdata(L, &message);
  int status = lua_pcall(L, 1, 1, 0);
  zmq_msg_close(&message);
  if (status != LUA_OK)
    lua_error(L);
  return true;
}

/** socket:receive(): the parts of a message; nil where none is there. */
static int receive(lua_State *L) {
  void *handle = check_socket(L, 1);
  bool more = true;
  lua_settop(L, 1);
  lua_newtable(L);
  for (lua_Integer i = 1; more; i++) {
    if (!receive_part(L, handle, &more)) {
      lua_pushnil(L);
      return 1;
    }
    lua_rawseti(L, 2, i);
  }
  return 1;
}

/** poll(sockets, milliseconds): a table of booleans, one for each; nil where a signal came. */
int cusp_zmq_poll(lua_State *L) {
  zmq_pollitem_t items[MOST_POLLED] = {{0}};
  luaL_checktype(L, 1, LUA_TTABLE);
  long patience = (long)luaL_checkinteger(L, 2);
  int count = (int)lua_rawlen(L, 1);
  luaL_argcheck(L, count <= MOST_POLLED, 1, "too many sockets");
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, i + 1);
    items[i] = (zmq_pollitem_t){.socket = check_socket(L, -1), .events = ZMQ_POLLIN};
    lua_pop(L, 1);
  }
  if (zmq_poll(items, count, patience) < 0) {
    lua_pushnil(L);
    return errno == EINTR ? 1 : cusp_zmq_error(L, "poll");
  }
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_pushboolean(L, items[i].revents & ZMQ_POLLIN);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* ------------------------------------------------------------------ the echo */

/* Returns every message until the context ends. */
static void *echo(void *socket) {
  zmq_msg_t message;
  zmq_msg_init(&message);
  while (zmq_msg_recv(&message, socket, 0) >= 0 || errno == EINTR) {
    if (zmq_msg_send(&message, socket, 0) < 0 && errno == ETERM)
      break;
  }
  zmq_msg_close(&message);
  zmq_close(socket);
  return NULL;
}

/** context:echo(address): a thread answers there, also while Lua computes. */
static int start_echo(lua_State *L) {
  void *owner = cusp_check_context(L, 1);
  context *self = lua_touserdata(L, 1);
  const char *address = luaL_checkstring(L, 2);
  luaL_argcheck(L, !self->has_echo, 1, "the context has an echo");
  void *socket = open_socket(owner, ZMQ_REP, address, (cusp_piece){NULL, 0});
  if (!socket)
    return cusp_zmq_error(L, address);
  if (pthread_create(&self->echo, NULL, echo, socket) != 0) {
    zmq_close(socket);
    return luaL_error(L, "zmq: no thread for the echo");
  }
  self->has_echo = true;
  return 0;
}

/* ------------------------------------------------------------------ the classes */

void cusp_add_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, close);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void cusp_add_socket_classes(lua_State *L) {
  static const luaL_Reg of_context[] = {{"socket", new_socket},
                                        {"echo", start_echo},
                                        {"output", cusp_open_output},
                                        {"close", close_context},
                                        {NULL, NULL}};
  static const luaL_Reg of_socket[] = {
      {"send", send_parts}, {"receive", receive}, {"close", close_socket}, {NULL, NULL}};
  cusp_add_class(L, CONTEXT, of_context, close_context);
  cusp_add_class(L, SOCKET, of_socket, close_socket);
}
