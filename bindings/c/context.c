/* Contexts: a Lua state, and whose turn it is. */
#include "internal.h"

#include <lualib.h>
#include <string.h>

static const char host_key, warn_key; /* their addresses are keys of the registry */
static int open_state(lua_State *L);
static _Thread_local char this_thread;

/* ------------------------------------------------------------------ turns */

static void begin(context *c) {
  atomic_store_explicit(&c->owner, &this_thread, memory_order_relaxed);
  c->outer = cusp_graph_state_use(c->graphs);
}

static bool is_mine(context *c) {
  return atomic_load_explicit(&c->owner, memory_order_relaxed) == &this_thread;
}

cusp_result cusp_c_enter_always(context *c, const char *what) {
  if (is_mine(c))
    return cusp_c_fail(CUSP_ERROR_BUSY, "%s: called from within a call on the same context", what);
  pthread_mutex_lock(&c->lock);
  begin(c);
  return CUSP_SUCCESS;
}

cusp_result cusp_c_enter(context *c, const char *what) {
  CUSP_C_TRY(cusp_c_check_interrupt(what));
  return cusp_c_enter_always(c, what);
}

bool cusp_c_try_enter(context *c) {
  if (is_mine(c) || pthread_mutex_trylock(&c->lock) != 0)
    return false;
  begin(c);
  return true;
}

void cusp_c_leave(context *c) {
  cusp_graph_state_use(c->outer);
  atomic_store_explicit(&c->owner, NULL, memory_order_relaxed);
  pthread_mutex_unlock(&c->lock);
}

/* ------------------------------------------------------------------ calls */

/* An error that is no text becomes one. */
static int to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

static cusp_result fail_with_top(lua_State *L, int status, const char *what, cusp_result other) {
  const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error";
  cusp_result result = status == LUA_ERRMEM
                           ? cusp_c_fail(CUSP_ERROR_MEMORY, "%s: %s", what, message)
                           : cusp_c_fail_lua(message, what, other);
  lua_settop(L, 0);
  return result;
}

static cusp_result call(context *c, lua_CFunction f, void *arguments, const char *what,
                        cusp_result other, pthread_mutex_t *also) {
  lua_State *L = c->L;
  CUSP_C_TRY(cusp_c_enter(c, what));
  if (also)
    pthread_mutex_lock(also);
  cusp_error_clear();
  lua_settop(L, 0);
  lua_pushcfunction(L, to_text);
  lua_pushcfunction(L, f);
  lua_pushlightuserdata(L, arguments);
  int status = lua_pcall(L, 1, 0, 1);
  if (also)
    pthread_mutex_unlock(also);
  lua_sethook(L, NULL, 0, 0);
  if (f != open_state) /* loading stops the collector */
    lua_gc(L, LUA_GCRESTART);
  cusp_result result = CUSP_SUCCESS;
  if (status != LUA_OK)
    result = fail_with_top(L, status, what, other);
  lua_settop(L, 0);
  if (cusp_c_interrupted()) /* Lua took the engine's flag; this one holds until it is cleared */
    cusp_interrupt();
  cusp_c_leave(c);
  return result;
}

cusp_result cusp_c_call(context *c, lua_CFunction f, void *arguments, const char *what,
                        cusp_result other) {
  return call(c, f, arguments, what, other, NULL);
}

cusp_result cusp_c_call_files(context *c, lua_CFunction f, void *arguments, const char *what) {
  static pthread_mutex_t files = PTHREAD_MUTEX_INITIALIZER;
  return call(c, f, arguments, what, CUSP_ERROR_FILE, &files);
}

void cusp_c_push_host(lua_State *L, const char *name) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &host_key) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cusp.host");
    lua_call(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_key);
  }
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

/* ------------------------------------------------------------------ opening and closing */

static int refuse_exit(lua_State *L) {
  return luaL_error(L, "os.exit: a script in a library does not end the program");
}

/* A warning goes to the host's function, if there is one. */
static int write_warning(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &warn_key);
  const context *c = lua_touserdata(L, -1);
  if (c->warn)
    c->warn(c->warn_data, luaL_checkstring(L, 1));
  return 0;
}

static void redirect_warnings(lua_State *L, context *c) {
  lua_pushlightuserdata(L, c);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &warn_key);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cusp.base.warnings");
  lua_call(L, 1, 1);
  lua_pushcfunction(L, write_warning);
  lua_setfield(L, -2, "write");
  lua_pop(L, 1);
}

static int open_state(lua_State *L) {
  context *c = lua_touserdata(L, 1);
  luaL_checkversion(L);
  lua_gc(L, LUA_GCSTOP); /* it begins when the first model is there */
  luaL_openlibs(L);
  lua_getglobal(L, LUA_OSLIBNAME);
  lua_pushcfunction(L, refuse_exit);
  lua_setfield(L, -2, "exit");
  cusp_c_open_modules(L);
  redirect_warnings(L, c);
  return 0;
}

/* Graphs that Lua holds go before what the engine knows of them. */
static void close_state(context *c) {
  cusp_graph_state *outer = cusp_graph_state_use(c->graphs);
  if (c->L)
    lua_close(c->L);
  cusp_graph_state_use(outer);
  cusp_graph_state_free(c->graphs);
  pthread_mutex_destroy(&c->lock);
  cusp_free(c);
}

static cusp_result open_context(context *c) {
  c->L = lua_newstate(cusp_c_lua_alloc, NULL);
  c->handle = cusp_c_handle_new(HANDLE_CONTEXT, c);
  if (!c->L || !c->handle || cusp_graph_state_new(&c->graphs) != CUSP_OK)
    return cusp_c_fail(CUSP_ERROR_MEMORY, "cusp_context_new: out of memory");
  return cusp_c_call(c, open_state, c, "cusp_context_new", CUSP_ERROR_LUA);
}

static cusp_result check_out(const void *out, const char *what) {
  return out ? CUSP_SUCCESS
             : cusp_c_fail(CUSP_ERROR_VALUE, "%s: the place for the result is NULL", what);
}

CUSP_API cusp_result cusp_context_new(cusp_context **out) {
  CUSP_C_TRY(check_out(out, "cusp_context_new"));
  *out = NULL;
  context *c;
  cusp_status status = cusp_alloc_zeroed((void **)&c, sizeof *c);
  if (status != CUSP_OK)
    return cusp_c_fail_engine(status, "cusp_context_new");
  pthread_mutex_init(&c->lock, NULL);
  cusp_result result = open_context(c);
  if (result == CUSP_SUCCESS) {
    *out = c->handle;
    return CUSP_SUCCESS;
  }
  if (c->handle)
    cusp_c_handle_free(c->handle);
  close_state(c);
  return result;
}

CUSP_API cusp_result cusp_context_free(cusp_context *handle) {
  if (!handle)
    return CUSP_SUCCESS;
  context *c = cusp_c_handle_get(handle, HANDLE_CONTEXT, "cusp_context_free");
  if (!c)
    return CUSP_ERROR_HANDLE;
  CUSP_C_TRY(cusp_c_enter_always(c, "cusp_context_free"));
  while (c->models)
    cusp_c_free_model(c->models);
  cusp_c_leave(c);
  cusp_c_handle_free(handle);
  close_state(c);
  cusp_memory_trim(); /* the engine keeps what was freed, for a program that may not go on with it
                       */
  return CUSP_SUCCESS;
}

CUSP_API cusp_result cusp_context_on_warning(cusp_context *handle, cusp_on_warning function,
                                             void *data) {
  context *c = cusp_c_handle_get(handle, HANDLE_CONTEXT, "cusp_context_on_warning");
  if (!c)
    return CUSP_ERROR_HANDLE;
  CUSP_C_TRY(cusp_c_enter_always(c, "cusp_context_on_warning"));
  c->warn = function;
  c->warn_data = data;
  cusp_c_leave(c);
  return CUSP_SUCCESS;
}
