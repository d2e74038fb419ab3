/* The process around the engine: interrupts, time, the terminal, the user's line. */
#include "binding.h"

#include <sys/ioctl.h>
#include <unistd.h>

static int interrupted(lua_State *L) {
  lua_pushboolean(L, cusp_interrupted());
  return 1;
}

/** take_interrupt(): whether Ctrl-C came, which is then forgotten. */
static int take_interrupt(lua_State *L) {
  lua_pushboolean(L, cusp_interrupt_take());
  return 1;
}

/** interrupt(): as if Ctrl-C had come; for specs. */
static int interrupt(lua_State *L) {
  (void)L;
  cusp_interrupt();
  return 0;
}

static int monotonic(lua_State *L) {
  lua_pushnumber(L, cusp_monotonic_seconds());
  return 1;
}

static int is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_optinteger(L, 1, STDOUT_FILENO)));
  return 1;
}

/** terminal_width(): columns of standard output's terminal, 80 where it is none. */
static int terminal_width(lua_State *L) {
  struct winsize size;
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  lua_pushinteger(L, known ? size.ws_col : 80);
  return 1;
}

/** raise(message): an error at the user's line, which is the nearest one outside of Cusp's own
 * files. */
static int raise_message(lua_State *L) { return cusp_lua_error(L, "%s", luaL_checkstring(L, 1)); }

/** where(): "script.lua:12: " of the user's line, or "". */
static int where(lua_State *L) {
  cusp_lua_push_where(L);
  return 1;
}

static int is_internal(lua_State *L) {
  lua_pushboolean(L, cusp_lua_is_internal(luaL_checkstring(L, 1)));
  return 1;
}

/** program_path(): the file of the program that runs; nil where the system does not tell. */
static int program_path(lua_State *L) {
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0)
    return 0;
  lua_pushlstring(L, path, (size_t)length);
  return 1;
}

/** edit_distance(a, b): how many letters differ, for messages that suggest a name. */
static int edit_distance(lua_State *L) {
  lua_pushinteger(L, cusp_edit_distance(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
  return 1;
}

void cusp_lua_open_system(lua_State *L) {
  static const luaL_Reg functions[] = {{"interrupted", interrupted},
                                       {"program_path", program_path},
                                       {"take_interrupt", take_interrupt},
                                       {"interrupt", interrupt},
                                       {"monotonic", monotonic},
                                       {"is_terminal", is_terminal},
                                       {"terminal_width", terminal_width},
                                       {"raise", raise_message},
                                       {"where", where},
                                       {"is_internal", is_internal},
                                       {"edit_distance", edit_distance},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
