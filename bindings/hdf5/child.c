/* The forked child that lets libhdf5 look at a file from outside, and the parent's end of the
 * pipe. */
#define _GNU_SOURCE
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_RECEIVED ((size_t)256 << 20)
#define NO_DESCRIPTORS 3               /* exit code of a child that may not open enough files */
#define CHILD_MEMORY ((rlim_t)1 << 30) /* bytes beyond what the parent has */

/** What is asked for, and all that must be given back whatever happens: a userdata. */
typedef struct request {
  double seconds; /* after which the child is stopped */
  bool whole;     /* the tree; otherwise the contents of the object at `address` */
  haddr_t address;
  int file;    /* descriptor, lent */
  int pipe;    /* descriptor; -1: none */
  pid_t child; /* 0: none */
  unsigned char *data;
  size_t received, room;
} request;

/* ------------------------------------------------------------------ in the child */

static void limit(int resource, rlim_t most) {
  struct rlimit now;
  if (getrlimit(resource, &now) != 0)
    return;
  now.rlim_cur = now.rlim_max == RLIM_INFINITY || most < now.rlim_max ? most : now.rlim_max;
  now.rlim_max = now.rlim_cur;
  setrlimit(resource, &now);
}

/* Address space in use: what the parent has mapped is ours, too. */
static rlim_t mapped_bytes(void) {
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file) {
    if (fscanf(file, "%lu", &pages) != 1)
      pages = 0;
    fclose(file);
  }
  return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* Signals end the child as they end a program without handlers, quietly. */
static void default_signals(void) {
  static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGSEGV, SIGBUS,
                                SIGFPE, SIGILL,  SIGABRT, SIGXCPU, SIGALRM, SIGHUP};
  sigset_t none;
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    signal(signals[i], SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Nothing of the parent's but the file (descriptor 3) and the pipe (4) stays open; what is printed
 * goes nowhere. All others are closed first, as few may be allowed.
 */
static bool keep_descriptors(int file, int pipe) {
  unsigned low = (unsigned)(file < pipe ? file : pipe),
           high = (unsigned)(file < pipe ? pipe : file);
  if (low > 0)
    close_range(0, low - 1, 0);
  if (high - low > 1)
    close_range(low + 1, high - 1, 0);
  close_range(high + 1, ~0u, 0);
  int spare_file = fcntl(file, F_DUPFD, 5), spare_pipe = fcntl(pipe, F_DUPFD, 5);
  bool kept =
      spare_file >= 0 && spare_pipe >= 0 && dup2(spare_file, 3) == 3 && dup2(spare_pipe, 4) == 4;
  for (int i = 0; i < 3; i++)
    close(i);
  kept = kept && open("/dev/null", O_RDWR) == 0 && dup2(0, 1) == 1 && dup2(0, 2) == 2;
  close_range(5, ~0u, 0);
  return kept;
}

static void run_child(const request *r, int pipe, pid_t parent) __attribute__((noreturn));
static void run_child(const request *r, int pipe, pid_t parent) {
  static stream out;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(1);
  if (!keep_descriptors(r->file, pipe))
    _exit(NO_DESCRIPTORS);
  default_signals();
  prctl(PR_SET_DUMPABLE, 0);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, (rlim_t)r->seconds + 1);
  limit(RLIMIT_FSIZE, 0);
  rlim_t mapped = mapped_bytes();
  if (mapped > 0)
    limit(RLIMIT_AS, mapped + CHILD_MEMORY);
  out.descriptor = 4;
  if (r->whole)
    cusp_hdf5_send_tree(&out, 3);
  else
    cusp_hdf5_send_contents(&out, 3, r->address);
  stream_byte(&out, STREAM_END);
  stream_flush(&out);
  _exit(0);
}

/* ------------------------------------------------------------------ in the parent */

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Waits for the child, which is killed first unless it has closed its end by itself. Returns how it
 * ended. */
static int reap(request *r, bool kill_it) {
  int status = 0;
  if (r->child <= 0)
    return 0;
  if (kill_it)
    kill(r->child, SIGKILL);
  while (waitpid(r->child, &status, 0) < 0 && errno == EINTR)
    ;
  r->child = 0;
  return status;
}

static int request_release(lua_State *L) {
  request *r = luaL_checkudata(L, 1, "cusp.hdf5.request");
  reap(r, true);
  if (r->pipe >= 0)
    close(r->pipe);
  free(r->data);
  *r = (request){.pipe = -1};
  return 0;
}

static request *new_request(lua_State *L) {
  request *r = lua_newuserdatauv(L, sizeof *r, 0);
  *r = (request){.pipe = -1};
  if (luaL_newmetatable(L, "cusp.hdf5.request")) {
    lua_pushcfunction(L, request_release);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__gc");
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
  return r;
}

static int fail(lua_State *L, const char *path, const char *what) {
  return cusp_hdf5_fail(L, "%s: %s", path, what);
}

static void start_child(lua_State *L, request *r, const char *path) {
  int ends[2];
  pid_t parent = getpid();
  if (pipe2(ends, O_CLOEXEC) != 0)
    fail(L, path, strerror(errno));
  r->pipe = ends[0];
  pid_t child = fork();
  if (child == 0)
    run_child(r, ends[1], parent);
  int reason = errno;
  close(ends[1]);
  if (child < 0)
    cusp_hdf5_fail(L, "%s: no process could be started to read it: %s", path, strerror(reason));
  r->child = child;
}

/* Room for the next piece; false without memory or past the limit. */
static bool make_room(request *r) {
  if (r->room - r->received >= 1 << 16)
    return true;
  size_t room = r->room ? 2 * r->room : (size_t)1 << 18;
  unsigned char *data = room <= 2 * MOST_RECEIVED ? realloc(r->data, room) : NULL;
  if (!data)
    return false;
  r->data = data;
  r->room = room;
  return r->received <= MOST_RECEIVED;
}

/* Ctrl-C interrupts the waiting; the function at `index` raises an error if it was that. */
static void check_interrupt(lua_State *L, int index) {
  lua_pushvalue(L, index);
  lua_call(L, 0, 0);
}

/* Receives until the child closes the pipe; returns what went wrong, NULL if nothing. */
static const char *receive(lua_State *L, request *r) {
  double deadline = now() + r->seconds;
  for (;;) {
    double left = deadline - now();
    struct pollfd waiting = {.fd = r->pipe, .events = POLLIN};
    if (left <= 0)
      return "reading it took too long; the file is damaged, or needs a larger `timeout`";
    int ready = poll(&waiting, 1, left < 3600 ? (int)(left * 1000) + 1 : 3600000);
    if (ready < 0 && errno == EINTR)
      check_interrupt(L, 4);
    if (ready <= 0)
      continue;
    if (!make_room(r))
      return "what it describes is larger than 256 MB, or memory is short";
    ssize_t got = read(r->pipe, r->data + r->received, r->room - r->received);
    if (got == 0)
      return NULL;
    if (got < 0 && errno != EINTR)
      return strerror(errno);
    r->received += got > 0 ? (size_t)got : 0;
  }
}

/* Ctrl-C in a terminal reaches the child, too. */
static void raise_end(lua_State *L, const char *path, int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT)
    check_interrupt(L, 4);
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
    fail(L, path, "reading it took too long; the file is damaged, or needs a larger `timeout`");
  if (WIFSIGNALED(status))
    cusp_hdf5_fail(L, "%s: the file is damaged: libhdf5 stopped at it with signal %d (%s)", path,
                   WTERMSIG(status), strsignal(WTERMSIG(status)));
  if (WEXITSTATUS(status) == NO_DESCRIPTORS)
    fail(L, path, "it cannot be read: this process may not open enough files (ulimit -n)");
  fail(L, path, "the file is damaged: libhdf5 gave up at it");
}

int cusp_hdf5_parse(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int file = (int)luaL_checkinteger(L, 2);
  double seconds = luaL_checknumber(L, 3);
  luaL_checktype(L, 4, LUA_TFUNCTION);
  lua_settop(L, 5);
  request *r = new_request(L);
  r->file = file;
  r->seconds = seconds > 0 && seconds < 1e6 ? seconds : 1e6;
  r->whole = lua_isnil(L, 5);
  r->address = r->whole ? 0 : (haddr_t)luaL_checkinteger(L, 5);
  start_child(L, r, path);
  const char *reason = receive(L, r);
  int status = reap(r, reason != NULL);
  if (reason)
    fail(L, path, reason);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    raise_end(L, path, status);
  reason = stream_decode(L, r->data, r->received);
  if (reason)
    cusp_hdf5_fail(L, "%s: the file is damaged: %s", path, reason);
  return 1;
}
