/* See interrupts.h. */
#include "interrupts.h"

#include "raise.h"

#include <lauxlib.h>
#include <signal.h>
#include <time.h>

/* seconds: one key press may come as two signals, to the process and to its group */
#define PATIENCE 0.3

static lua_State *volatile running;   /* the coroutine that an interrupt is for */
static volatile sig_atomic_t presses; /* since the count began */

static void stop(lua_State *L, lua_Debug *frame) {
  (void)frame;
  if (presses < 2)
    lua_sethook(L, NULL, 0, 0);
  else
    cusp_interrupt();
  cusp_lua_check_interrupt(L);
}

static void stop_soon(lua_State *L) {
  lua_sethook(L, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static double seconds_between(const struct timespec *from, const struct timespec *to) {
  return (double)(to->tv_sec - from->tv_sec) + 1e-9 * (double)(to->tv_nsec - from->tv_nsec);
}

static void on_interrupt(int signal_number) {
  static struct timespec last;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (presses > 0 && seconds_between(&last, &now) < PATIENCE)
    return;
  if (presses == 2 || (presses > 0 && cusp_interrupted())) {
    signal(signal_number, SIG_DFL);
    raise(signal_number);
  }
  last = now;
  presses++;
  cusp_interrupt();
  stop_soon(running);
}

/* Without SA_RESTART: reading a line ends, so that the prompt sees it. */
void cusp_catch_interrupts(lua_State *L) {
  running = L;
  struct sigaction action = {.sa_handler = on_interrupt};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
}

void cusp_forget_interrupts(lua_State *L) {
  presses = 0;
  cusp_interrupt_take();
  if (lua_gethook(L) == stop)
    lua_sethook(L, NULL, 0, 0);
}

/* ------------------------------------------------------------------ calls */

/* Upvalue 1 is the handler of other errors. */
static int handle_error(lua_State *L) {
  if (cusp_lua_is_interrupt(L, 1))
    return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

/** call(f, handler): as xpcall; an interrupt ends here, however often it was asked for. */
static int protected_call(lua_State *L) {
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_pushcclosure(L, handle_error, 1);
  lua_insert(L, 1);
  int status = lua_pcall(L, 0, LUA_MULTRET, 1);
  cusp_forget_interrupts(L);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 1);
  return lua_gettop(L);
}

int cusp_open_interrupts(lua_State *L) {
  static const luaL_Reg functions[] = {{"call", protected_call}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}

/* ------------------------------------------------------------------ coroutines */

/* Calls what is below the arguments, which resumes `coroutine`. An interrupt that came too late for
 * that one is for this one. */
static int resume_as(lua_State *L, lua_State *coroutine) {
  lua_State *outer = running;
  running = coroutine;
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  running = outer;
  if (lua_gethook(coroutine) == stop) {
    lua_sethook(coroutine, NULL, 0, 0);
    stop_soon(L);
  }
  return status;
}

/* Upvalue: coroutine.resume. */
static int resume(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTHREAD);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  int status = resume_as(L, lua_tothread(L, 2));
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* Upvalues: what coroutine.wrap gave, and the coroutine. The place of the call goes before a
 * message, as it does there. */
static int wrapped(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  int status = resume_as(L, lua_tothread(L, lua_upvalueindex(2)));
  if (status == LUA_OK)
    return lua_gettop(L);
  if (lua_type(L, -1) == LUA_TSTRING && !cusp_lua_is_interrupt(L, -1)) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

/* Upvalue: coroutine.wrap, whose functions have their coroutine as upvalue. */
static int wrap(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  if (lua_getupvalue(L, -1, 1) && lua_isthread(L, -1))
    lua_pushcclosure(L, wrapped, 2);
  return 1;
}

static void replace_function(lua_State *L, const char *name, lua_CFunction f) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, f, 1);
  lua_setfield(L, -2, name);
}

/* A hook is of one coroutine, so the handler of the signal has to know which runs. */
void cusp_follow_coroutines(lua_State *L) {
  lua_getglobal(L, "coroutine");
  replace_function(L, "resume", resume);
  replace_function(L, "wrap", wrap);
  lua_pop(L, 1);
}
