/* The module cusp.engine: opens the parts. */
#include "binding.h"
#include "scope.h"

#include <lualib.h>
#include <string.h>

static const luaL_Reg functions[] = {{"tensor", cusp_lua_tensor_from_data},
                                     {"describe", cusp_lua_describe},
                                     {"set_symbolic_handler", cusp_lua_set_symbolic_handler},
                                     {NULL, NULL}};

/* Our Lua files are in the directory where package.path finds cusp.base.class: frames of theirs are
 * not the user's. */
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
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, 1, "null_pointer"); /* null in lua-cjson and others */
  luaL_getmetatable(L, cusp_lua_tensor_kind);
  lua_getfield(L, 2, "tensor_methods");
  lua_newtable(L);
  cusp_lua_open_ops(L, 4, 3);
  lua_setfield(L, 1, "ops");
  lua_setfield(L, 1, "tensor_methods");
  lua_getfield(L, 2, "shape_class");
  lua_setfield(L, 1, "shape_class"); /* the metatable of shapes, which Lua fills */
  cusp_lua_set_operators(L);
  lua_settop(L, 1);
  cusp_lua_push_composed(L);
  lua_setfield(L, 1, "composed");
  lua_pushcfunction(L, cusp_lua_name_function);
  lua_setfield(L, 1, "name_function");
  lua_pushcfunction(L, cusp_lua_set_place_handler);
  lua_setfield(L, 1, "set_place_handler");
  cusp_lua_open_absent(L);
  cusp_lua_open_arguments(L);
  cusp_lua_open_compare(L);
  cusp_lua_open_evaluate(L);
  cusp_lua_open_settings(L);
  cusp_lua_open_counters(L);
  cusp_lua_open_profile(L);
  cusp_lua_open_system(L);
  cusp_lua_open_samples(L);
  cusp_lua_open_variable(L);
  cusp_lua_open_tape(L);
  cusp_lua_open_branch(L);
  cusp_lua_open_truth(L);
  cusp_lua_open_scope(L);
  cusp_lua_open_function(L);
  cusp_lua_open_graph(L);
  cusp_lua_open_traced(L);
  cusp_lua_open_data(L);
  cusp_lua_open_generator(L);
  cusp_lua_open_files(L);
  cusp_lua_open_chunks(L);
  cusp_lua_open_lend(L);
  cusp_lua_open_watch(L);
  cusp_lua_open_unpack(L);
  cusp_lua_open_locale(L);
  cusp_lua_open_modules(L);
  return 1;
}
