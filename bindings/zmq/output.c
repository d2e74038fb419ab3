/*
 * What a process writes, as messages. A thread owns the publishing socket: it reads the pipes that
 * take the place of descriptors 1 and 2, and passes on the messages that Lua sends. A message from
 * Lua goes behind all that was written before it.
 */
#define _GNU_SOURCE
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT "cusp.zmq.Output"
#define INSIDE "inproc://output"

enum { PATIENCE = 20 /* ms that text may wait for more */, IDLE = 100 /* ms */ };

typedef struct output {
  pthread_t thread;
  bool running;
  void *inside;   /* Lua's end of the way to the thread */
  int saved[2];   /* descriptors 1 and 2 as they were */
  int pipes[2];   /* where the thread reads */
  void *received; /* the thread's end */
  cusp_sender sender;
  cusp_stream streams[2];
} output;

/* ------------------------------------------------------------------ the thread */

static void publish(output *self, int i, bool all) {
  if (self->streams[i].size > 0)
    cusp_publish_stream(&self->sender, &self->streams[i], all);
}

/* One read; the other stream's text goes out first. False where nothing was there. */
static bool read_pipe(output *self, int i) {
  cusp_stream *stream = &self->streams[i];
  if (stream->size == CUSP_STREAM_CAPACITY)
    publish(self, i, false);
  ssize_t count = read(self->pipes[i], stream->text + stream->size,
                       (size_t)CUSP_STREAM_CAPACITY - stream->size);
  if (count <= 0)
    return false;
  stream->size += (size_t)count;
  publish(self, 1 - i, true);
  return true;
}

/* All that was written so far. */
static void drain(output *self, bool all) {
  for (int i = 0; i < 2; i++)
    while (read_pipe(self, i))
      ;
  for (int i = 0; i < 2; i++)
    publish(self, i, all);
}

/* Text that the C library holds, as `io.write "."` leaves it. One who writes holds the lock, and
 * may wait for this thread to read. */
static void flush_stdout(void) {
  if (ftrylockfile(stdout) != 0)
    return;
  fflush_unlocked(stdout);
  funlockfile(stdout);
}

/* Passes on the rest of a message. */
static void forward(output *self) {
  zmq_msg_t part;
  bool more = true;
  while (more) {
    zmq_msg_init(&part);
    if (zmq_msg_recv(&part, self->received, 0) < 0)
      return;
    more = zmq_msg_more(&part);
    while (zmq_msg_send(&part, self->sender.socket, more ? ZMQ_SNDMORE : 0) < 0 && errno == EINTR)
      ;
  }
}

static char *receive_text(output *self) {
  zmq_msg_t part;
  zmq_msg_init(&part);
  char *text = NULL;
  if (zmq_msg_recv(&part, self->received, 0) >= 0)
    text = strndup(zmq_msg_data(&part), zmq_msg_size(&part));
  zmq_msg_close(&part);
  return text;
}

/* What Lua sent: "send" and a message, "parent" and a header, or "end". False at the end. */
static bool take_order(output *self) {
  char *order = receive_text(self);
  bool ends = order && strcmp(order, "end") == 0;
  drain(self, true);
  if (order && strcmp(order, "send") == 0)
    forward(self);
  if (order && strcmp(order, "parent") == 0) {
    char *parent = receive_text(self);
    if (parent) {
      free(self->sender.parent);
      self->sender.parent = parent;
    }
  }
  free(order);
  return !ends;
}

static void *run(void *argument) {
  output *self = argument;
  zmq_pollitem_t items[] = {{.socket = self->received, .events = ZMQ_POLLIN},
                            {.fd = self->pipes[0], .events = ZMQ_POLLIN},
                            {.fd = self->pipes[1], .events = ZMQ_POLLIN}};
  for (;;) {
    bool waiting = self->streams[0].size + self->streams[1].size > 0;
    int ready = zmq_poll(items, 3, waiting ? PATIENCE : IDLE);
    if (ready == 0) {
      for (int i = 0; i < 2; i++)
        publish(self, i, false);
      flush_stdout();
    }
    if (ready <= 0)
      continue;
    if ((items[0].revents & ZMQ_POLLIN) && !take_order(self))
      return NULL;
    for (int i = 0; i < 2; i++)
      if (items[i + 1].revents & ZMQ_POLLIN)
        read_pipe(self, i);
  }
}

/* ------------------------------------------------------------------ beginning and ending */

static void close_descriptor(int *descriptor) {
  if (*descriptor >= 0)
    close(*descriptor);
  *descriptor = -1;
}

/* Puts a pipe in the place of descriptor i + 1. */
static bool divert(output *self, int i) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return false;
  self->pipes[i] = ends[0];
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  self->saved[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
  bool done = dup2(ends[1], i + 1) >= 0;
  close(ends[1]);
  return done;
}

static void restore(output *self) {
  for (int i = 0; i < 2; i++) {
    if (self->saved[i] >= 0)
      dup2(self->saved[i], i + 1);
    close_descriptor(&self->saved[i]);
    close_descriptor(&self->pipes[i]);
  }
}

static void close_sockets(output *self) {
  void **sockets[] = {&self->inside, &self->received, &self->sender.socket};
  for (int i = 0; i < 3; i++) {
    if (*sockets[i])
      zmq_close(*sockets[i]);
    *sockets[i] = NULL;
  }
}

static int close_output(lua_State *L) {
  output *self = luaL_checkudata(L, 1, OUTPUT);
  if (self->running) {
    fflush(stdout);
    zmq_send(self->inside, "end", 3, 0);
    pthread_join(self->thread, NULL);
    self->running = false;
  }
  restore(self);
  close_sockets(self);
  char **texts[] = {&self->sender.key,    &self->sender.session,  &self->sender.user,
                    &self->sender.parent, &self->streams[0].text, &self->streams[1].text};
  for (int i = 0; i < 6; i++) {
    free(*texts[i]);
    *texts[i] = NULL;
  }
  return 0;
}

static void *open_socket(void *owner, int kind, const char *bound, const char *connected) {
  int unlimited = 0, linger = 500;
  void *socket = zmq_socket(owner, kind);
  if (!socket)
    return NULL;
  zmq_setsockopt(socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited);
  zmq_setsockopt(socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited);
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
  if ((bound && zmq_bind(socket, bound) != 0) ||
      (connected && zmq_connect(socket, connected) != 0)) {
    int problem = errno;
    zmq_close(socket);
    errno = problem;
    return NULL;
  }
  return socket;
}

static output *new_output(lua_State *L) {
  output *self = lua_newuserdatauv(L, sizeof *self, 1);
  memset(self, 0, sizeof *self);
  for (int i = 0; i < 2; i++)
    self->saved[i] = self->pipes[i] = -1;
  self->streams[0].name = "stdout";
  self->streams[1].name = "stderr";
  luaL_setmetatable(L, OUTPUT);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return self;
}

static char *copy_field(lua_State *L, const char *name) {
  luaL_argcheck(L, lua_getfield(L, 2, name) == LUA_TSTRING, 2, name);
  char *copy = strdup(lua_tostring(L, -1));
  lua_pop(L, 1);
  return copy;
}

/** context:output{address =, key =, session =, user =}: begins to publish there; session and user
 * are the insides of JSON strings. */
int cusp_open_output(lua_State *L) {
  void *owner = cusp_check_context(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_argcheck(L, lua_getfield(L, 2, "address") == LUA_TSTRING, 2, "address");
  const char *address = lua_tostring(L, -1);
  output *self = new_output(L);
  self->sender.key = copy_field(L, "key");
  self->sender.session = copy_field(L, "session");
  self->sender.user = copy_field(L, "user");
  self->sender.parent = strdup("{}");
  self->sender.socket = open_socket(owner, ZMQ_PUB, address, NULL);
  if (!self->sender.socket)
    return cusp_zmq_error(L, address);
  self->received = open_socket(owner, ZMQ_PULL, INSIDE, NULL);
  self->inside = self->received ? open_socket(owner, ZMQ_PUSH, NULL, INSIDE) : NULL;
  if (!self->inside)
    return cusp_zmq_error(L, INSIDE);
  for (int i = 0; i < 2; i++) {
    self->streams[i].text = malloc(CUSP_STREAM_CAPACITY);
    if (!self->streams[i].text || !divert(self, i))
      return luaL_error(L, "zmq: standard output cannot be diverted: %s", strerror(errno));
  }
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  self->running = pthread_create(&self->thread, NULL, run, self) == 0;
  return self->running ? 1 : luaL_error(L, "zmq: no thread for the output");
}

/* ------------------------------------------------------------------ from Lua */

static output *check_output(lua_State *L) {
  output *self = luaL_checkudata(L, 1, OUTPUT);
  luaL_argcheck(L, self->running, 1, "the output is closed");
  fflush(stdout);
  return self;
}

/** output:send(parts): publishes a message. */
static int send_message(lua_State *L) {
  output *self = check_output(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  zmq_send(self->inside, "send", 4, ZMQ_SNDMORE);
  return cusp_send_parts(L, self->inside, 2) ? 0 : cusp_zmq_error(L, "not sent");
}

/** output:parent(header): what is written from now on belongs to the request of that header. */
static int set_parent(lua_State *L) {
  output *self = check_output(L);
  size_t size;
  const char *header = luaL_checklstring(L, 2, &size);
  zmq_send(self->inside, "parent", 6, ZMQ_SNDMORE);
  zmq_send(self->inside, header, size, 0);
  return 0;
}

void cusp_add_output_class(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"send", send_message}, {"parent", set_parent}, {"close", close_output}, {NULL, NULL}};
  cusp_add_class(L, OUTPUT, methods, close_output);
}
