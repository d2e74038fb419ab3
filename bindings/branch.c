/* Branches of a traced function. */
#include "binding.h"

#include "../core/graph/branch.h"

static const char branch_kind[] = "cusp.Branch";

typedef struct branch_box {
  const void *kind;
  cusp_branch *branch; /* NULL once closed */
} branch_box;

/** cusp.engine.branch(): what follows belongs to a branch of the open trace, until finish or close. */
static int new_branch(lua_State *L) {
  branch_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (branch_box){branch_kind, NULL};
  luaL_setmetatable(L, branch_kind);
  cusp_status status = cusp_branch_begin(&box->branch);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "branch");
}

static branch_box *check_branch(lua_State *L, int index, const char *function) {
  branch_box *box = cusp_lua_test(L, index, branch_kind);
  if (!box || !box->branch)
    cusp_lua_error(L, "%s: expected a branch, got %s", function, box ? "a closed one" : cusp_lua_got(L, index));
  return box;
}

static int branch_close(lua_State *L) {
  branch_box *box = cusp_lua_test(L, 1, branch_kind);
  if (box) {
    cusp_branch_free(box->branch);
    box->branch = NULL;
  }
  return 0;
}

static cusp_status read_results(cusp_node **nodes, lua_State *L, int count) {
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 2, i + 1);
    cusp_status status = cusp_lua_to_node(&nodes[i], L, lua_gettop(L), CUSP_LUA_ANY_DTYPE);
    lua_pop(L, 1);
    if (status != CUSP_OK)
      return cusp_fail_prefix(status, "result %d: ", i + 1);
  }
  return CUSP_OK;
}

/** branch:finish(results): ends it; variables are again what they were before. */
static int branch_finish(lua_State *L) {
  branch_box *box = check_branch(L, 1, "finish");
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  int count = (int)lua_rawlen(L, 2);
  cusp_node **nodes = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *nodes, 0);
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS, NULL);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = read_results(nodes, L, count);
  if (status == CUSP_OK)
    status = cusp_branch_end(box->branch, count, nodes);
  cusp_scope_close(scope);
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "finish");
}

/** cusp.engine.choose(name, index, branches): the results of the branch that is chosen when the plan runs, in a list. */
static int choose(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  cusp_node *index = cusp_lua_check_tensor(L, 2, name);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  int count = (int)lua_rawlen(L, 3);
  luaL_argcheck(L, count > 0, 3, "there are no branches");
  cusp_branch **branches = lua_newuserdatauv(L, (size_t)count * sizeof *branches, 0);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 3, i + 1);
    branches[i] = check_branch(L, lua_gettop(L), name)->branch;
    lua_pop(L, 1);
  }
  int n_results = cusp_branch_n_results(branches[0]);
  cusp_node **results = lua_newuserdatauv(L, (size_t)(n_results + 1) * sizeof *results, 0);
  cusp_lua_mark_source(L);
  cusp_status status = cusp_branch_choose(results, name, index, count, branches);
  return status == CUSP_OK ? cusp_lua_push_nodes(L, n_results, results, true) : cusp_lua_raise(L, status, NULL);
}

void cusp_lua_open_branch(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", branch_close}, {"__close", branch_close}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"finish", branch_finish}, {"close", branch_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"branch", new_branch}, {"choose", choose}, {NULL, NULL}};
  cusp_lua_new_class(L, branch_kind, metamethods, methods);
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
