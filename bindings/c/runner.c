/* Runners of the engine, made through Lua. */
#include "internal.h"

typedef struct making {
  const model *model;
  const ordered *inputs;
  bool streams, quiet;
  cusp_runner *runner;
} making;

static void push_types(lua_State *L, const ordered *o) {
  lua_createtable(L, (int)o->count, 0);
  for (size_t i = 0; i < o->count; i++) {
    lua_createtable(L, 0, 2);
    cusp_lua_push_shape(L, &o->shapes[i]);
    lua_setfield(L, -2, "shape");
    lua_pushstring(L, cusp_dtype_name((cusp_dtype)o->inputs[i]->element));
    lua_setfield(L, -2, "dtype");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static int make(lua_State *L) {
  making *m = lua_touserdata(L, 1);
  cusp_c_push_host(L, "runner");
  cusp_c_push_model(L, m->model);
  push_types(L, m->inputs);
  lua_pushboolean(L, m->streams);
  lua_pushboolean(L, m->quiet);
  lua_call(L, 4, 2);
  m->runner = cusp_lua_take_runner(L, 2);
  return 0;
}

cusp_result cusp_c_make_runner(cusp_runner **out, model *m, const ordered *inputs, bool streams,
                               bool quiet, const char *what) {
  making arguments = {.model = m, .inputs = inputs, .streams = streams, .quiet = quiet};
  cusp_result result = cusp_c_call(m->context, make, &arguments, what,
                                   streams ? CUSP_ERROR_UNSUPPORTED : CUSP_ERROR_LUA);
  *out = arguments.runner;
  return result;
}
