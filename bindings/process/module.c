/* cusp.native.process: run({program, argument, ...}, input) → exit code, output, errors. No shell:
 * arguments arrive as they are. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The program's standard input, output and errors: unnamed files, so that neither side waits for
 * the other. */
typedef struct streams {
  FILE *file[3];
} streams;

static int close_streams(lua_State *L) {
  streams *opened = lua_touserdata(L, 1);
  for (int i = 0; i < 3; i++)
    if (opened->file[i]) {
      fclose(opened->file[i]);
      opened->file[i] = NULL;
    }
  return 0;
}

static streams *open_streams(lua_State *L, const char *input, size_t size) {
  streams *opened = lua_newuserdatauv(L, sizeof *opened, 0);
  memset(opened, 0, sizeof *opened);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, close_streams);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  for (int i = 0; i < 3; i++)
    if (!(opened->file[i] = tmpfile()))
      luaL_error(L, "no temporary file: %s", strerror(errno));
  if (fwrite(input, 1, size, opened->file[0]) != size || fflush(opened->file[0]) != 0)
    luaL_error(L, "the temporary file cannot be written: %s", strerror(errno));
  rewind(opened->file[0]);
  return opened;
}

static void push_content(lua_State *L, FILE *file) {
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  rewind(file);
  for (;;) {
    char *to = luaL_prepbuffer(&buffer);
    size_t count = fread(to, 1, LUAL_BUFFERSIZE, file);
    if (count == 0)
      break;
    luaL_addsize(&buffer, count);
  }
  luaL_pushresult(&buffer);
}

/* The arguments, in a userdata; the strings stay alive in the table. */
static char **read_arguments(lua_State *L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  lua_Integer count = (lua_Integer)lua_rawlen(L, index);
  luaL_argcheck(L, count >= 1, index, "expected the name of a program");
  char **arguments = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *arguments, 0);
  for (lua_Integer i = 1; i <= count; i++) {
    luaL_argcheck(L, lua_rawgeti(L, index, i) == LUA_TSTRING, index, "arguments are strings");
    arguments[i - 1] = (char *)lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  arguments[count] = NULL;
  return arguments;
}

static int spawn(pid_t *child, char **arguments, const streams *opened) {
  posix_spawn_file_actions_t actions;
  int failure = posix_spawn_file_actions_init(&actions);
  if (failure)
    return failure;
  for (int i = 0; i < 3 && !failure; i++)
    failure = posix_spawn_file_actions_adddup2(&actions, fileno(opened->file[i]), i);
  if (!failure)
    failure = posix_spawnp(child, arguments[0], &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  return failure;
}

/** run(arguments, input) → exit code (128 + the signal's number where one ended it), output,
 * errors; nil and why where the program could not be started. [-0, +3, e] */
static int run(lua_State *L) {
  size_t size;
  const char *input = luaL_optlstring(L, 2, "", &size);
  char **arguments = read_arguments(L, 1);
  streams *opened = open_streams(L, input, size);
  pid_t child;
  int failure = spawn(&child, arguments, opened);
  if (failure) {
    lua_pushnil(L);
    lua_pushstring(L, strerror(failure));
    return 2;
  }
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return luaL_error(L, "%s: %s", arguments[0], strerror(errno));
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  push_content(L, opened->file[1]);
  push_content(L, opened->file[2]);
  return 3;
}

static const luaL_Reg functions[] = {{"run", run}, {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_cusp_native_process(lua_State *L);

int luaopen_cusp_native_process(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
