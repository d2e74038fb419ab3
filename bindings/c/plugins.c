/*
 * Native modules, each with libraries of its own, are loaded when they are asked for. They call
 * Lua through a table: the Lua in here has no symbols, and a host may have another one.
 */
#include "internal.h"

#define CUSP_LUA_CALLS_TABLE
#include "plugin.h"

#include <stdio.h>
#include <string.h>

#define MEMBER(name) .name = name,
static const cusp_lua_calls calls = {CUSP_LUA_CALLS(MEMBER)};

static const char prefix[] = "cusp.native.";

/* Contexts of several threads may ask for one module; it is told once. */
static void give_calls(const cusp_plugin *plugin) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&lock);
  if (!*plugin->lua)
    *plugin->lua = &calls;
  pthread_mutex_unlock(&lock);
}

/** A searcher of "cusp.native.NAME". */
int cusp_c_find_native(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  char file[64], failure[512];
  if (strncmp(name, prefix, sizeof prefix - 1) != 0)
    return 0;
  snprintf(file, sizeof file, "native/%.40s.so", name + sizeof prefix - 1);
  const cusp_plugin *plugin =
      cusp_library_load(file, "cusp_plugin_table", CUSP_PLUGIN_VERSION, failure, sizeof failure);
  if (!plugin) {
    lua_pushfstring(L, "\n\t%s (see cusp_set_library_dir)", failure);
    return 1;
  }
  give_calls(plugin);
  lua_pushcfunction(L, plugin->open);
  lua_pushliteral(L, ":libcusp:");
  return 2;
}
