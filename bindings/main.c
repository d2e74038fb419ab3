/* The cusp program: runs scripts as lua does, with cusp on the path; alone on a terminal, it is a
 * prompt. */
#include "binding.h"
#include "interrupts.h"
#include "repl.h"

#include <limits.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_INTERRUPTED = 130 };

static const char *program = "cusp";

/* ------------------------------------------------------------------ errors */

static void add_frame(luaL_Buffer *b, lua_State *L, lua_Debug *frame) {
  char line[32] = "";
  if (frame->currentline > 0)
    snprintf(line, sizeof line, "%d:", frame->currentline);
  if (*frame->what == 'm')
    lua_pushfstring(L, "\n\t%s:%s in main chunk", frame->short_src, line);
  else if (*frame->namewhat)
    lua_pushfstring(L, "\n\t%s:%s in %s '%s'", frame->short_src, line, frame->namewhat,
                    frame->name);
  else
    lua_pushfstring(L, "\n\t%s:%s in function <%s:%d>", frame->short_src, line, frame->short_src,
                    frame->linedefined);
  luaL_addvalue(b);
}

/* Only the user's frames; CUSP_TRACEBACK=full shows all of them. */
static void push_traceback(lua_State *L, const char *message) {
  const char *wish = getenv("CUSP_TRACEBACK");
  if (wish && strcmp(wish, "full") == 0) {
    luaL_traceback(L, L, message, 1);
    return;
  }
  lua_Debug frame;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, message);
  for (int level = 1, shown = 0; shown < 20 && lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Slnt", &frame);
    if (*frame.what == 'C' || cusp_lua_is_internal(frame.source))
      continue;
    if (shown == 0)
      luaL_addstring(&b, "\nstack traceback:");
    add_frame(&b, L, &frame);
    shown++;
  }
  luaL_pushresult(&b);
}

/* Calls cusp.base.python_words.NAME with the strings below the top, which it replaces by its
 * result; false where that cannot be had. It needs nothing of the engine. */
static bool ask_python_words(lua_State *L, const char *name, int count) {
  int base = lua_gettop(L) - count;
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cusp.base.python_words");
  if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_istable(L, -1)) {
    lua_getfield(L, -1, name);
    lua_insert(L, base + 1);
    lua_settop(L, base + 1 + count);
    if (lua_pcall(L, count, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
      return true;
  }
  lua_settop(L, base);
  return false;
}

/* Pushes a message of Lua's, with the name that was meant where the library is loaded and has one
 * like it. */
static const char *push_with_nearest_name(lua_State *L, const char *message) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  bool loaded = lua_getfield(L, -1, "cusp") == LUA_TTABLE;
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cusp.base.errors");
  if (loaded && lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TTABLE) {
    lua_getfield(L, -1, "with_nearest_name");
    lua_pushstring(L, message);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
      return lua_tostring(L, -1);
  }
  lua_pushstring(L, message);
  lua_pushvalue(L, -1);
  if (ask_python_words(L, "hint", 1))
    lua_concat(L, 2);
  return lua_tostring(L, -1);
}

/* Python's constants would be nil without a word. */
static int read_undefined(lua_State *L) {
  static const char *const constants[] = {"True", "False", "None"};
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
    if (strcmp(name, constants[i]) != 0)
      continue;
    luaL_where(L, 1);
    lua_pushvalue(L, 2);
    if (!ask_python_words(L, "message", 1))
      lua_pushfstring(L, "'%s' is Python's", name);
    lua_concat(L, 2);
    return lua_error(L);
  }
  lua_pushnil(L);
  return 1;
}

static void watch_globals(lua_State *L) {
  lua_pushglobaltable(L);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, read_undefined);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

/* The message handler: error values become text with a traceback. */
static int handle_message(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (cusp_lua_is_interrupt(L, 1))
    return 1;
  if (!message) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
      return 1;
    message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  push_traceback(L, push_with_nearest_name(L, message));
  return 1;
}

/* Prints the error on the top of the stack, pops it, and gives the exit code. */
static int report(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  bool interrupt = cusp_lua_is_interrupt(L, -1);
  if (interrupt)
    cusp_forget_interrupts(L);
  fflush(stdout);
  fprintf(stderr, "%s: %s\n", program, message ? message : "(error without a message)");
  lua_pop(L, 1);
  return interrupt ? EXIT_INTERRUPTED : EXIT_FAILURE;
}

/* Calls the function below its `count` arguments; an exit code. */
static int call(lua_State *L, int count) {
  int base = lua_gettop(L) - count;
  lua_pushcfunction(L, handle_message);
  lua_insert(L, base);
  int status = lua_pcall(L, count, 0, base);
  lua_remove(L, base);
  return status == LUA_OK ? EXIT_SUCCESS : report(L);
}

/* ------------------------------------------------------------------ where our Lua files are */

/* Puts "DIRECTORY/?.lua;DIRECTORY/?/init.lua;" and the like before package.NAME. */
static void prepend_path(lua_State *L, const char *name, const char *entries) {
  lua_getglobal(L, LUA_LOADLIBNAME);
  lua_getfield(L, -1, name);
  lua_pushfstring(L, "%s;%s", entries, lua_tostring(L, -1));
  lua_setfield(L, -3, name);
  lua_pop(L, 2);
}

/* Cuts a path before its last slash. */
static bool cut_last(char *path) {
  char *slash = strrchr(path, '/');
  if (slash)
    *slash = '\0';
  return slash != NULL;
}

/* The directory the program is in, and the one above it; false where the system does not tell. */
static bool find_home(char directory[PATH_MAX], char home[PATH_MAX]) {
  ssize_t length = readlink("/proc/self/exe", directory, PATH_MAX - 1);
  if (length <= 0)
    return false;
  directory[length] = '\0';
  if (!cut_last(directory))
    return false;
  strcpy(home, directory);
  return cut_last(home);
}

/* HOME/lua in the source tree, with the modules beside the program (a sanitized build has its own);
 * HOME/share/lua/5.4 where installed; the first that has cusp/base/class.lua. */
static void set_paths(lua_State *L) {
  char home[PATH_MAX], directory[PATH_MAX], path[PATH_MAX + 64];
  if (!find_home(directory, home))
    return;
  const struct {
    const char *lua, *base, *modules;
  } places[] = {{"lua", directory, "lib"}, {"share/lua/5.4", home, "lib/lua/5.4"}};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    snprintf(path, sizeof path, "%s/%s/cusp/base/class.lua", home, places[i].lua);
    if (access(path, R_OK) != 0)
      continue;
    lua_pushfstring(L, "%s/%s/?.lua;%s/%s/?/init.lua", home, places[i].lua, home, places[i].lua);
    prepend_path(L, "path", lua_tostring(L, -1));
    lua_pushfstring(L, "%s/%s/?.so", places[i].base, places[i].modules);
    prepend_path(L, "cpath", lua_tostring(L, -1));
    lua_pop(L, 2);
    return;
  }
}

static void preload(lua_State *L, const char *name, lua_CFunction open) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

/* ------------------------------------------------------------------ the command line */

typedef struct options {
  bool interactive, version, help;
  bool has_code; /* some -e or -l */
  bool no_environment, warnings;
  int script; /* the script's index in argv, 0 for none */
} options;

static const char usage[] = "usage: %s [options] [script [args]]\n"
                            "       %s COMMAND ...     (%s help lists the commands)\n"
                            "  -e CODE   run CODE (may be given several times)\n"
                            "  -i        show a prompt after running the script\n"
                            "  -l NAME   require module NAME into a global of that name\n"
                            "  -E        ignore LUA_INIT, LUA_PATH and LUA_CPATH\n"
                            "  -W        turn warnings (Lua's warn) on\n"
                            "  -v        show versions, the processor and the number of threads\n"
                            "  -h        show this\n"
                            "  --        end of options\n"
                            "  -         run standard input\n";

/* What is wrong with argument i, or NULL. Advances *i over an option's value. */
static const char *read_option(options *o, char **argv, int *i) {
  const char *option = argv[*i];
  switch (option[1]) {
  case 'e':
  case 'l':
    o->has_code = true;
    if (!option[2] && !argv[++*i])
      return "needs an argument";
    return NULL;
  case 'i': o->interactive = true; break;
  case 'E': o->no_environment = true; break;
  case 'W': o->warnings = true; break;
  case 'v': o->version = true; break;
  case 'h': o->help = true; break;
  default:
    if (strcmp(option, "--help") == 0) {
      o->help = true;
      return NULL;
    }
    if (strcmp(option, "--version") == 0) {
      o->version = true;
      return NULL;
    }
    return "is not an option";
  }
  return option[2] ? "is not an option" : NULL;
}

static bool read_options(options *o, char **argv) {
  for (int i = 1; argv[i]; i++) {
    if (argv[i][0] != '-' || !argv[i][1]) {
      o->script = i;
      return true;
    }
    if (strcmp(argv[i], "--") == 0) {
      o->script = argv[i + 1] ? i + 1 : 0;
      return true;
    }
    int at = i;
    const char *wrong = read_option(o, argv, &i);
    if (wrong) {
      fprintf(stderr, "%s: '%s' %s\n", program, argv[at], wrong);
      fprintf(stderr, usage, program, program, program);
      return false;
    }
  }
  return true;
}

static void print_version(void) {
  printf("Cusp %s, %s\n", CUSP_VERSION, LUA_RELEASE);
  printf("%s (%s), %d thread%s\n", cusp_cpu_name(), cusp_isa_name(cusp_cpu_isa()),
         cusp_get_num_threads(), cusp_get_num_threads() == 1 ? "" : "s");
}

/* The global `arg`: the script at 0, its arguments after it, what came before at negative
 * indices. */
static void set_arguments(lua_State *L, char **argv, int script) {
  lua_newtable(L);
  for (int i = 0; argv[i]; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

/* A message of the compiler's is on the top; `text` is the chunk's where it is no file. */
static int report_syntax(lua_State *L, int status, const char *text) {
  if (status == LUA_ERRSYNTAX) {
    lua_pushvalue(L, -1);
    lua_pushstring(L, text);
    if (ask_python_words(L, "explain", 2))
      lua_replace(L, -2);
  }
  return report(L);
}

static int run_chunk(lua_State *L, int load_status, const char *text) {
  return load_status == LUA_OK ? call(L, 0) : report_syntax(L, load_status, text);
}

static int require_module(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  int base = lua_gettop(L) - 1;
  lua_pushcfunction(L, handle_message);
  lua_insert(L, base);
  int status = lua_pcall(L, 1, 1, base);
  lua_remove(L, base);
  if (status != LUA_OK)
    return report(L);
  lua_setglobal(L, name);
  return EXIT_SUCCESS;
}

/* Runs the -e and -l options in order. */
static int run_code(lua_State *L, char **argv, int end) {
  for (int i = 1; i < end; i++) {
    char option = argv[i][1];
    if (option != 'e' && option != 'l')
      continue;
    const char *value = argv[i][2] ? &argv[i][2] : argv[++i];
    int code =
        option == 'e'
            ? run_chunk(L, luaL_loadbuffer(L, value, strlen(value), "=(command line)"), value)
            : require_module(L, value);
    if (code != EXIT_SUCCESS)
      return code;
  }
  return EXIT_SUCCESS;
}

/* Pushes cusp.commands.NAME; false where the library is not there. */
static bool push_commands(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cusp.commands");
  if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_istable(L, -1)) {
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    return true;
  }
  lua_pop(L, 1);
  return false;
}

/* Whether an argument names a command rather than a script: a word without a dot or a slash. */
static bool is_command(lua_State *L, char **argv, int at) {
  const char *word = argv[at];
  if (strspn(word, "abcdefghijklmnopqrstuvwxyz") != strlen(word) || strcmp(argv[at - 1], "--") == 0)
    return false;
  if (!push_commands(L, "has"))
    return false;
  lua_pushstring(L, word);
  bool found = lua_pcall(L, 1, 1, 0) == LUA_OK && lua_toboolean(L, -1);
  lua_pop(L, 1);
  return found;
}

/* Runs a command with the arguments after its name; its exit code. */
static int run_command(lua_State *L, char **argv, int at) {
  lua_pushcfunction(L, handle_message);
  push_commands(L, "run");
  int count = 0;
  luaL_checkstack(L, 256, NULL);
  for (; argv[at + count]; count++) {
    luaL_checkstack(L, 8, "too many arguments");
    lua_pushstring(L, argv[at + count]);
  }
  if (lua_pcall(L, count, 1, 1) != LUA_OK)
    return report(L);
  int code = (int)lua_tointeger(L, -1);
  lua_settop(L, 0);
  return code;
}

static int run_script(lua_State *L, char **argv, int script) {
  if (is_command(L, argv, script))
    return run_command(L, argv, script);
  const char *name =
      strcmp(argv[script], "-") == 0 && strcmp(argv[script - 1], "--") != 0 ? NULL : argv[script];
  int status = luaL_loadfile(L, name), count = 0;
  if (status != LUA_OK)
    return report_syntax(L, status, NULL);
  luaL_checkstack(L, 256, NULL);
  for (; argv[script + 1 + count]; count++) {
    luaL_checkstack(L, 8, "too many arguments");
    lua_pushstring(L, argv[script + 1 + count]);
  }
  return call(L, count);
}

static int run_prompt(lua_State *L) {
  preload(L, "cusp.readline", cusp_open_readline);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cusp.prompt.repl");
  lua_call(L, 1, 1);
  return call(L, 0);
}

static int count_arguments(char **argv) {
  int count = 0;
  while (argv[count])
    count++;
  return count;
}

/* The code, or the file after an @, of LUA_INIT_5_4 or LUA_INIT. */
static int run_init(lua_State *L) {
  const char *name = "=LUA_INIT" LUA_VERSUFFIX, *code = getenv(name + 1);
  if (!code)
    code = getenv((name = "=LUA_INIT") + 1);
  if (!code)
    return EXIT_SUCCESS;
  if (*code == '@')
    return run_chunk(L, luaL_loadfile(L, code + 1), NULL);
  return run_chunk(L, luaL_loadbuffer(L, code, strlen(code), name), code);
}

static int run(lua_State *L, char **argv, const options *o) {
  if (o->warnings)
    lua_warning(L, "@on", 0);
  int code = o->no_environment ? EXIT_SUCCESS : run_init(L);
  if (code != EXIT_SUCCESS)
    return code;
  code = run_code(L, argv, o->script ? o->script : count_arguments(argv));
  if (code == EXIT_SUCCESS && o->script)
    code = run_script(L, argv, o->script);
  if (code != EXIT_SUCCESS && !o->interactive)
    return code;
  bool idle = !o->script && !o->has_code && !o->version;
  if (o->interactive || (idle && isatty(STDIN_FILENO)))
    return run_prompt(L);
  return idle ? run_chunk(L, luaL_loadfile(L, NULL), NULL) : code;
}

typedef struct start {
  char **argv;
  const options *options;
  int code;
} start;

static int protected_main(lua_State *L) {
  start *s = lua_touserdata(L, 1);
  lua_settop(L, 0);
  if (s->options->no_environment) {
    lua_pushboolean(L, true);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  cusp_follow_coroutines(L);
  watch_globals(L);
  set_paths(L);
  preload(L, "cusp.engine", luaopen_cusp_engine);
  preload(L, "cusp.interrupts", cusp_open_interrupts);
  set_arguments(L, s->argv, s->options->script);
  lua_gc(L, LUA_GCGEN, 0, 0);
  s->code = run(L, s->argv, s->options);
  return 0;
}

int main(int argc, char **argv) {
  options o = {0};
  if (argc > 0 && argv[0] && argv[0][0])
    program = argv[0];
  if (argc < 1 || !read_options(&o, argv))
    return EXIT_FAILURE;
  if (o.help)
    printf(usage, program, program, program);
  if (o.version)
    print_version();
  if (o.help)
    return EXIT_SUCCESS;
  lua_State *L = luaL_newstate();
  if (!L) {
    fprintf(stderr, "%s: not enough memory\n", program);
    return EXIT_FAILURE;
  }
  cusp_catch_interrupts(L);
  start s = {argv, &o, EXIT_FAILURE};
  lua_pushcfunction(L, protected_main);
  lua_pushlightuserdata(L, &s);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    s.code = report(L);
  lua_close(L);
  return s.code;
}
