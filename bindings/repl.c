/* See repl.h. */
#include "repl.h"

#include "interrupts.h"
#include "raise.h"
#include "repl_editor.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

/* Readline calls back without a context, so what it needs is here. */
cusp_editor cusp_the_editor = {
    .completer = LUA_NOREF, .finisher = LUA_NOREF, .painter = LUA_NOREF, .idle = LUA_NOREF};
#define editor cusp_the_editor

/* ------------------------------------------------------------------ reading a line */

static void take_line(char *line) {
  editor.line = line;
  editor.done = true;
  rl_callback_handler_remove();
}

/* Leaves the line, as Ctrl-C asks, with the terminal as it was. */
static void abandon_line(void) {
  cusp_editor_go_below();
  fputs("^C\n", stdout);
  fflush(stdout);
  editor.quiet = true; /* Readline would show the line once more */
  rl_free_line_state();
  rl_callback_sigcleanup();
  rl_cleanup_after_signal();
  rl_callback_handler_remove();
  editor.quiet = false;
}

/* What the prompt prepares while nobody types, once. */
static void call_idle(void) {
  lua_State *L = editor.L;
  int idle = editor.idle;
  if (!lua_checkstack(L, 4))
    return;
  editor.idle = LUA_NOREF;
  lua_rawgeti(L, LUA_REGISTRYINDEX, idle);
  luaL_unref(L, LUA_REGISTRYINDEX, idle);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

/* Waits for a key; 0 where none came while something is left to prepare. */
static int wait_for_key(void) {
  fd_set input;
  struct timeval patience = {.tv_usec = 300000};
  FD_ZERO(&input);
  FD_SET(fileno(rl_instream), &input);
  return select(fileno(rl_instream) + 1, &input, NULL, NULL,
                editor.idle == LUA_NOREF ? NULL : &patience);
}

/* false: interrupted. The handler of SIGINT only sets a flag; waiting in select lets us see it
 * between keys. */
static bool edit_line(const char *prompt) {
  editor.line = NULL;
  editor.done = false;
  rl_callback_handler_install(prompt, take_line);
  while (!editor.done) {
    int ready = wait_for_key();
    if (cusp_interrupted()) {
      abandon_line();
      return false;
    }
    if (ready > 0)
      rl_callback_read_char();
    else if (ready == 0)
      call_idle();
    else if (ready < 0 && errno != EINTR)
      break;
  }
  return true;
}

/* The line is Readline's memory until Lua has its copy. */
static int push_line(lua_State *L) {
  lua_pushstring(L, lua_touserdata(L, 1));
  return 1;
}

static int read_line(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1);
  editor.L = L;
  cusp_forget_interrupts(L);
  if (!edit_line(prompt)) {
    cusp_forget_interrupts(L);
    lua_pushboolean(L, 0);
    return 1;
  }
  if (!editor.line) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushcfunction(L, push_line);
  lua_pushlightuserdata(L, editor.line);
  int status = lua_pcall(L, 1, 1, 0);
  free(editor.line);
  editor.line = NULL;
  return status == LUA_OK ? 1 : lua_error(L);
}

/* ------------------------------------------------------------------ the module */

static int set_function(lua_State *L, int *reference) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  luaL_unref(L, LUA_REGISTRYINDEX, *reference);
  *reference = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static int set_completer(lua_State *L) { return set_function(L, &editor.completer); }
static int set_finisher(lua_State *L) { return set_function(L, &editor.finisher); }
static int set_painter(lua_State *L) { return set_function(L, &editor.painter); }
static int set_idle(lua_State *L) { return set_function(L, &editor.idle); }

/** add(text): the newest in the history; it may have several lines. */
static int add_text(lua_State *L) {
  add_history(luaL_checkstring(L, 1));
  return 0;
}

int cusp_open_readline(lua_State *L) {
  static const luaL_Reg functions[] = {{"read", read_line},
                                       {"add", add_text},
                                       {"complete", set_completer},
                                       {"finish", set_finisher},
                                       {"paint", set_painter},
                                       {"idle", set_idle},
                                       {NULL, NULL}};
  rl_readline_name = "cusp";
  rl_catch_signals = 0; /* SIGINT is the program's */
  cusp_editor_set_up();
  luaL_newlib(L, functions);
  return 1;
}
