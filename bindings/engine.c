/* The module cusp.engine: opens the parts, and the small functions. */
#include "binding.h"
#include "scope.h"

#include "../core/base/cpu.h"
#include "../core/base/memory.h"
#include "../core/base/threads.h"
#include "../core/io/digits.h"
#include "../core/io/idx.h"

#include <lualib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void cusp_lua_new_class(lua_State *L, const char *name, const luaL_Reg *metamethods, const luaL_Reg *methods) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  if (methods)
    luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
}

/* ------------------------------------------------------------------ evaluating */

/** evaluate{t, ...}: computes them together; returns nothing. */
static int evaluate(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  int count = (int)lua_rawlen(L, 1);
  cusp_node **nodes = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *nodes, 0);
  luaL_checkstack(L, count + 4, NULL);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, i + 1);
    nodes[i] = cusp_lua_check_tensor(L, lua_gettop(L), "evaluate");
  }
  cusp_lua_check_interrupt(L);
  cusp_lua_mark_source(L);
  cusp_status status = cusp_evaluate(count, nodes);
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "evaluate");
}

static int is_tensor(lua_State *L) {
  lua_pushboolean(L, cusp_lua_test_tensor(L, 1) != NULL);
  return 1;
}

static int is_variable(lua_State *L) {
  lua_pushboolean(L, cusp_lua_test_variable(L, 1) != NULL);
  return 1;
}

/** is_evaluated(t): whether its value is there already. */
static int is_evaluated(lua_State *L) {
  lua_pushboolean(L, cusp_node_evaluated(cusp_lua_check_tensor(L, 1, "is_evaluated")));
  return 1;
}

/* ------------------------------------------------------------------ dtypes */

static cusp_dtype check_dtype(lua_State *L, int index, const char *function) {
  cusp_dtype dtype = CUSP_FLOAT32;
  if (lua_type(L, index) != LUA_TSTRING)
    cusp_lua_error(L, "%s: expected a dtype such as \"float32\", got %s", function, cusp_lua_got(L, index));
  cusp_status status = cusp_dtype_parse(&dtype, lua_tostring(L, index));
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, function);
  return dtype;
}

static int set_floatx(lua_State *L) {
  cusp_dtype dtype = check_dtype(L, 1, "set_floatx");
  if (!cusp_dtype_is_float(dtype))
    return cusp_lua_error(L, "set_floatx: expected a float dtype, got %s", cusp_dtype_name(dtype));
  cusp_set_floatx(dtype);
  return 0;
}

static int get_floatx(lua_State *L) {
  lua_pushstring(L, cusp_dtype_name(cusp_get_floatx()));
  return 1;
}

/** promote(a, b): the dtype in which tensors of these two are brought together. */
static int promote(lua_State *L) {
  cusp_dtype a = check_dtype(L, 1, "promote"), b = check_dtype(L, 2, "promote");
  lua_pushstring(L, cusp_dtype_name(cusp_dtype_promote(a, b)));
  return 1;
}

/* ------------------------------------------------------------------ threads, memory, counters */

static int set_num_threads(lua_State *L) {
  int exact = 0;
  lua_Integer count = lua_type(L, 1) == LUA_TNUMBER ? lua_tointegerx(L, 1, &exact) : 0;
  if (!exact || count < 1 || count > 1024)
    return cusp_lua_error(L, "set_num_threads: expected an integer from 1 to 1024, got %s", cusp_lua_got(L, 1));
  cusp_status status = cusp_set_num_threads((int)count);
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "set_num_threads");
}

static int get_num_threads(lua_State *L) {
  lua_pushinteger(L, cusp_get_num_threads());
  return 1;
}

static void set_count(lua_State *L, const char *name, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/** memory(): {live, peak, cached, blocks}, bytes of the engine. */
static int memory(lua_State *L) {
  cusp_memory_stats stats = cusp_memory_get_stats();
  lua_createtable(L, 0, 4);
  set_count(L, "live", stats.bytes_live);
  set_count(L, "peak", stats.bytes_peak);
  set_count(L, "cached", stats.bytes_cached);
  set_count(L, "blocks", stats.blocks_live);
  return 1;
}

static int memory_reset_peak(lua_State *L) {
  (void)L;
  cusp_memory_reset_peak();
  return 0;
}

static int memory_trim(lua_State *L) {
  (void)L;
  cusp_memory_trim();
  return 0;
}

/** fail_after(n): n more allocations of the engine succeed, later ones fail; negative: none fails. */
static int fail_after(lua_State *L) {
  cusp_memory_fail_after(luaL_checkinteger(L, 1));
  return 0;
}

/** stats(): counters of plans and nodes since start. */
static int stats(lua_State *L) {
  cusp_graph_stats counters = cusp_graph_get_stats();
  lua_createtable(L, 0, 8);
  set_count(L, "plans_made", counters.plans_made);
  set_count(L, "plans_run", counters.plans_run);
  set_count(L, "plan_cache_hits", counters.plan_cache_hits);
  set_count(L, "nodes_made", counters.nodes_made);
  set_count(L, "nodes_evaluated", counters.nodes_evaluated);
  set_count(L, "nodes_live", counters.nodes_live);
  set_count(L, "pending", counters.pending);
  return 1;
}

static int cpu(lua_State *L) {
  lua_createtable(L, 0, 2);
  lua_pushstring(L, cusp_cpu_name());
  lua_setfield(L, -2, "name");
  lua_pushstring(L, cusp_isa_name(cusp_cpu_isa()));
  lua_setfield(L, -2, "isa");
  return 1;
}

/* ------------------------------------------------------------------ the process */

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

/** raise(message): an error at the user's line, which is the nearest one outside of Cusp's own files. */
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

/* ------------------------------------------------------------------ data */

/* Puts an array's reference, which is taken over, into an empty tensor. */
static cusp_status fill_with_array(cusp_lua_tensor *tensor, cusp_array *array) {
  cusp_node *node;
  cusp_status status = cusp_node_leaf(&node, array);
  cusp_array_release(array);
  if (status == CUSP_OK)
    cusp_lua_fill_tensor(tensor, node);
  return status;
}

/** read_idx(path): the array of an IDX file, compressed by gzip or not. */
static int read_idx(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_array array;
  cusp_status status = cusp_idx_read(&array, path);
  if (status == CUSP_OK)
    status = fill_with_array(tensor, &array);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "read_idx");
}

/** draw_digits(count, seed): images uint8 [count, 28, 28] and labels uint8 [count]. */
static int draw_digits(lua_State *L) {
  lua_Integer count = luaL_checkinteger(L, 1), seed = luaL_optinteger(L, 2, 0);
  cusp_lua_tensor *images = cusp_lua_new_tensor(L), *labels = cusp_lua_new_tensor(L);
  cusp_array image_array, label_array;
  cusp_status status = cusp_draw_digits(&image_array, &label_array, count, (uint64_t)seed);
  if (status == CUSP_OK) {
    status = fill_with_array(images, &image_array);
    cusp_status second = fill_with_array(labels, &label_array);
    status = status == CUSP_OK ? second : status;
  }
  return status == CUSP_OK ? 2 : cusp_lua_raise(L, status, "draw_digits");
}

/* ------------------------------------------------------------------ opening */

static const luaL_Reg functions[] = {{"tensor", cusp_lua_tensor_from_data},
                                     {"describe", cusp_lua_describe},
                                     {"set_symbolic_handler", cusp_lua_set_symbolic_handler},
                                     {"evaluate", evaluate},
                                     {"is_tensor", is_tensor},
                                     {"is_variable", is_variable},
                                     {"is_evaluated", is_evaluated},
                                     {"set_floatx", set_floatx},
                                     {"get_floatx", get_floatx},
                                     {"promote", promote},
                                     {"set_num_threads", set_num_threads},
                                     {"get_num_threads", get_num_threads},
                                     {"memory", memory},
                                     {"memory_reset_peak", memory_reset_peak},
                                     {"memory_trim", memory_trim},
                                     {"fail_after", fail_after},
                                     {"stats", stats},
                                     {"cpu", cpu},
                                     {"interrupted", interrupted},
                                     {"take_interrupt", take_interrupt},
                                     {"interrupt", interrupt},
                                     {"monotonic", monotonic},
                                     {"is_terminal", is_terminal},
                                     {"terminal_width", terminal_width},
                                     {"raise", raise_message},
                                     {"where", where},
                                     {"is_internal", is_internal},
                                     {"read_idx", read_idx},
                                     {"draw_digits", draw_digits},
                                     {NULL, NULL}};

/* Our Lua files are in the directory where package.path finds cusp.base.class: frames of theirs are not the user's. */
static void find_internal_prefix(lua_State *L) {
  lua_getglobal(L, LUA_LOADLIBNAME);
  if (lua_istable(L, -1) && lua_getfield(L, -1, "searchpath") == LUA_TFUNCTION) {
    lua_pushliteral(L, "cusp.base.class");
    lua_getfield(L, -3, "path");
    lua_call(L, 2, 1);
    const char *path = lua_tostring(L, -1), *name = path ? strstr(path, "base/class.lua") : NULL;
    for (const char *later = name; later; later = strstr(later + 1, "base/class.lua"))
      name = later;
    if (name) {
      lua_pushlstring(L, path, (size_t)(name - path));
      lua_pushfstring(L, "@%s", lua_tostring(L, -1));
      cusp_lua_set_internal(lua_tostring(L, -1));
    }
  }
  lua_settop(L, 0);
}

CUSP_EXPORT int luaopen_cusp_engine(lua_State *L) {
  lua_settop(L, 0);
  lua_pushliteral(L, "__symbolic"); /* see cusp_lua_is_symbolic */
  lua_rawsetp(L, LUA_REGISTRYINDEX, functions);
  find_internal_prefix(L);
  cusp_lua_open_tensor(L);
  luaL_newlib(L, functions);
  lua_pushliteral(L, CUSP_VERSION);
  lua_setfield(L, 1, "version");
  luaL_getmetatable(L, cusp_lua_tensor_kind);
  lua_getfield(L, 2, "tensor_methods");
  lua_newtable(L);
  cusp_lua_open_ops(L, 4, 3);
  lua_setfield(L, 1, "ops");
  lua_setfield(L, 1, "tensor_methods");
  cusp_lua_set_operators(L);
  lua_settop(L, 1);
  cusp_lua_open_variable(L);
  cusp_lua_open_tape(L);
  cusp_lua_open_branch(L);
  cusp_lua_open_truth(L);
  cusp_lua_open_scope(L);
  cusp_lua_open_function(L);
  cusp_lua_open_data(L);
  cusp_lua_open_generator(L);
  cusp_lua_open_files(L);
  cusp_lua_open_chunks(L);
  cusp_lua_open_lend(L);
  cusp_lua_open_unpack(L);
  cusp_lua_open_locale(L);
  cusp_lua_open_modules(L);
  return 1;
}
