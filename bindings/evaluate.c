/* Asking for values, and what a userdata is. */
#include "binding.h"

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

void cusp_lua_open_evaluate(lua_State *L) {
  static const luaL_Reg functions[] = {{"evaluate", evaluate},
                                       {"is_tensor", is_tensor},
                                       {"is_variable", is_variable},
                                       {"is_evaluated", is_evaluated},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
