/* See repl.h. */
#include "repl.h"

#include "interrupts.h"
#include "raise.h"

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
static struct {
  lua_State *L;
  int completer; /* in the registry */
  char *line;
  bool done;
} editor = {.completer = LUA_NOREF};

/* ------------------------------------------------------------------ reading a line */

static void take_line(char *line) {
  editor.line = line;
  editor.done = true;
  rl_callback_handler_remove();
}

/* Leaves the line, as Ctrl-C asks, with the terminal as it was. */
static void abandon_line(void) {
  rl_free_line_state();
  rl_callback_sigcleanup();
  rl_cleanup_after_signal();
  rl_callback_handler_remove();
  fputs("^C\n", stdout);
  fflush(stdout);
}

/* false: interrupted. The handler of SIGINT only sets a flag; waiting in select lets us see it
 * between keys. */
static bool edit_line(const char *prompt) {
  editor.line = NULL;
  editor.done = false;
  rl_callback_handler_install(prompt, take_line);
  while (!editor.done) {
    fd_set input;
    FD_ZERO(&input);
    FD_SET(fileno(rl_instream), &input);
    int ready = select(fileno(rl_instream) + 1, &input, NULL, NULL, NULL);
    if (cusp_interrupted()) {
      abandon_line();
      return false;
    }
    if (ready > 0)
      rl_callback_read_char();
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

/* ------------------------------------------------------------------ running a line */

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

/* ------------------------------------------------------------------ completion */

/* The next of the matches, which are in the table on the top of Lua's stack; Readline frees the
 * copies. */
static char *next_match(const char *text, int state) {
  static int index;
  (void)text;
  index = state == 0 ? 1 : index + 1;
  lua_rawgeti(editor.L, -1, index);
  const char *match = lua_type(editor.L, -1) == LUA_TSTRING ? lua_tostring(editor.L, -1) : NULL;
  char *copy = match ? strdup(match) : NULL;
  lua_pop(editor.L, 1);
  return copy;
}

static char **complete(const char *text, int first, int last) {
  lua_State *L = editor.L;
  char **matches = NULL;
  rl_attempted_completion_over = 1; /* no file names */
  rl_completion_append_character = '\0';
  if (editor.completer == LUA_NOREF || !lua_checkstack(L, 8))
    return NULL;
  lua_rawgeti(L, LUA_REGISTRYINDEX, editor.completer);
  lua_pushstring(L, text);
  lua_pushstring(L, rl_line_buffer);
  lua_pushinteger(L, first + 1);
  lua_pushinteger(L, last);
  if (lua_pcall(L, 4, 1, 0) == LUA_OK && lua_istable(L, -1))
    matches = rl_completion_matches(text, next_match);
  lua_pop(L, 1);
  return matches;
}

static int set_completer(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  luaL_unref(L, LUA_REGISTRYINDEX, editor.completer);
  editor.completer = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* ------------------------------------------------------------------ history */

static int add_line(lua_State *L) {
  add_history(luaL_checkstring(L, 1));
  return 0;
}

/** load(path): whether the file could be read. */
static int load_history(lua_State *L) {
  lua_pushboolean(L, read_history(luaL_checkstring(L, 1)) == 0);
  return 1;
}

/** save(path, most): whether the file could be written; it keeps the last `most` lines. */
static int save_history(lua_State *L) {
  stifle_history((int)luaL_checkinteger(L, 2));
  lua_pushboolean(L, write_history(luaL_checkstring(L, 1)) == 0);
  return 1;
}

int cusp_open_readline(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"read", read_line}, {"call", protected_call}, {"complete", set_completer},
      {"add", add_line},   {"load", load_history},   {"save", save_history},
      {NULL, NULL}};
  rl_readline_name = "cusp";
  rl_catch_signals = 0; /* SIGINT is the program's */
  rl_attempted_completion_function = complete;
  rl_basic_word_break_characters = " \t\n\"\\'`@$><=;|&{(+-*/^%~#,";
  luaL_newlib(L, functions);
  return 1;
}
