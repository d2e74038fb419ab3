/* The library's modules in Lua, which are data in this library. */
#include "modules.h"
#include "internal.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *name, const void *module) {
  return strcmp(name, ((const cusp_c_module *)module)->name);
}

/** A searcher. */
static int find_module(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  const cusp_c_module *found =
      bsearch(name, cusp_c_modules, cusp_c_module_count, sizeof *cusp_c_modules, compare_names);
  if (!found)
    return 0;
  if (luaL_loadbufferx(L, (const char *)found->code, found->bytes, name, "b") != LUA_OK)
    return lua_error(L);
  lua_pushliteral(L, ":libcusp:");
  return 2;
}

/* Modules in C belong to another Lua than the one in here. */
static int refuse_native(lua_State *L) {
  lua_pushfstring(L, "\n\tlibcusp has a Lua of its own, which loads no module in C ('%s')",
                  luaL_checkstring(L, 1));
  return 1;
}

static int refuse_loadlib(lua_State *L) {
  lua_pushnil(L);
  lua_pushliteral(L, "libcusp has a Lua of its own, which loads no module in C");
  lua_pushliteral(L, "absent");
  return 3;
}

/* package.searchers: what is preloaded, ours, files in Lua. */
static void replace_searchers(lua_State *L) {
  lua_getglobal(L, LUA_LOADLIBNAME);
  lua_pushcfunction(L, refuse_loadlib);
  lua_setfield(L, -2, "loadlib");
  lua_pushliteral(L, "");
  lua_setfield(L, -2, "cpath");
  lua_getfield(L, -1, "searchers");
  lua_createtable(L, 5, 0);
  lua_rawgeti(L, -2, 1);
  lua_rawseti(L, -2, 1);
  lua_pushcfunction(L, find_module);
  lua_rawseti(L, -2, 2);
  lua_pushcfunction(L, cusp_c_find_native);
  lua_rawseti(L, -2, 3);
  lua_rawgeti(L, -2, 2);
  lua_rawseti(L, -2, 4);
  lua_pushcfunction(L, refuse_native);
  lua_rawseti(L, -2, 5);
  /* require keeps the table itself, so its items are exchanged */
  for (int i = 1; i <= 5; i++) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -3, i);
  }
  lua_pop(L, 3);
}

/* The engine would take the library's files that it finds on the path for its own. */
static void open_engine(lua_State *L) {
  lua_getglobal(L, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "path");
  lua_pushliteral(L, "");
  lua_setfield(L, -3, "path");
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cusp.engine");
  lua_call(L, 1, 0);
  lua_setfield(L, -2, "path");
  lua_pop(L, 1);
  cusp_lua_set_internal("@(libcusp)/cusp/");
}

void cusp_c_open_modules(lua_State *L) {
  replace_searchers(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_cusp_engine);
  lua_setfield(L, -2, "cusp.engine");
  lua_pop(L, 1);
  open_engine(L);
}
