/* Branches of a traced function. */
#include "binding.h"

#include <string.h>

static const char branch_kind[] = "cusp.Branch";

typedef struct branch_box {
  const void *kind;
  cusp_branch *branch; /* NULL once closed */
  size_t truths;       /* asked for before it began */
} branch_box;

/** cusp.engine.branch(repeated): what follows belongs to a branch of the open trace, until finish
 * or close. */
static int new_branch(lua_State *L) {
  branch_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (branch_box){branch_kind, NULL, cusp_lua_count_truths(L)};
  luaL_setmetatable(L, branch_kind);
  cusp_status status = cusp_branch_begin(&box->branch, lua_toboolean(L, 1));
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "branch");
}

static branch_box *check_branch(lua_State *L, int index, const char *function) {
  branch_box *box = cusp_lua_test(L, index, branch_kind);
  if (!box || !box->branch)
    cusp_lua_error(L, "%s: expected a branch, got %s", function,
                   box ? "a closed one" : cusp_lua_got(L, index));
  return box;
}

static int branch_close(lua_State *L) {
  branch_box *box = cusp_lua_test(L, 1, branch_kind);
  if (box) {
    if (box->branch && box->branch->open) /* a trial: nothing of it stays */
      cusp_lua_keep_truths(L, box->truths);
    cusp_branch_free(box->branch);
    box->branch = NULL;
  }
  return 0;
}

/* The nodes of the list at `index`. */
static cusp_status read_list(cusp_node **nodes, lua_State *L, int index, int count) {
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, index, i + 1);
    cusp_status status = cusp_lua_to_node(&nodes[i], L, lua_gettop(L), CUSP_LUA_ANY_DTYPE);
    lua_pop(L, 1);
    if (status != CUSP_OK)
      return cusp_fail_prefix(status, "value %d: ", i + 1);
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
  cusp_status status = read_list(nodes, L, 2, count);
  if (status == CUSP_OK)
    status = cusp_branch_end(box->branch, count, nodes);
  cusp_scope_close(scope);
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "finish");
}

/** cusp.engine.choose(name, index, branches): the results of the branch that is chosen when the
 * plan runs, in a list. */
static int choose(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  cusp_node *index = cusp_lua_check_tensor(L, 2, name);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  int count = (int)lua_rawlen(L, 3);
  luaL_argcheck(L, count > 0, 3, "expected at least one branch");
  cusp_branch **branches = lua_newuserdatauv(L, (size_t)count * sizeof *branches, 0);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 3, i + 1);
    branches[i] = check_branch(L, lua_gettop(L), name)->branch;
    lua_pop(L, 1);
  }
  int n_results = branches[0]->n_results;
  cusp_node **results = lua_newuserdatauv(L, (size_t)(n_results + 1) * sizeof *results, 0);
  cusp_lua_mark_source(L);
  cusp_status status = cusp_branches_choose(results, name, index, count, branches);
  return status == CUSP_OK ? cusp_lua_push_nodes(L, n_results, results, true)
                           : cusp_lua_raise(L, status, NULL);
}

/** cusp.engine.stand_in(tensor, slice): a tensor of that shape and dtype, or of those of its slices
 * along the first axis, that a loop gives its values. */
static int stand_in(lua_State *L) {
  cusp_node *like = cusp_lua_check_tensor(L, 1, "stand_in"), *node;
  cusp_type type = like->type;
  if (lua_toboolean(L, 2)) {
    if (type.shape.ndim == 0)
      return cusp_lua_error(L, "stand_in: a scalar has no first axis");
    type.shape.ndim--;
    memmove(type.shape.size, type.shape.size + 1,
            (size_t)type.shape.ndim * sizeof *type.shape.size);
  }
  if (!cusp_tracing())
    return cusp_lua_error(L, "stand_in: no function is being traced");
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = cusp_trace_stand_in(&node, &type);
  if (status == CUSP_OK) {
    cusp_node_retain(node);
    cusp_lua_fill_tensor(tensor, node);
  }
  cusp_scope_close(scope);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "stand_in");
}

/* Whatever is in the field of the table at `index`, or nil where there is none. */
static cusp_branch *field_branch(lua_State *L, int index, const char *field, const char *name) {
  lua_getfield(L, index, field);
  cusp_branch *branch = lua_isnil(L, -1) ? NULL : check_branch(L, lua_gettop(L), name)->branch;
  lua_pop(L, 1);
  return branch;
}

static int64_t field_integer(lua_State *L, int index, const char *field) {
  lua_getfield(L, index, field);
  int64_t value = (int64_t)luaL_optinteger(L, -1, 0);
  lua_pop(L, 1);
  return value;
}

/* The string stays in the table. */
static const char *field_string(lua_State *L, int index, const char *field, const char *otherwise) {
  lua_getfield(L, index, field);
  const char *value = luaL_optstring(L, -1, otherwise);
  lua_pop(L, 1);
  return value;
}

static cusp_status read_repetition(lua_State *L, cusp_node **initial, cusp_node **stand_ins,
                                   int count) {
  CUSP_TRY(read_list(initial, L, 2, count));
  return read_list(stand_ins, L, 3, count);
}

/** cusp.engine.repeat(name, initial, stand_ins, {body, condition, slices, count, reverse,
 * value_name, body_name}): the last values of a loop, or of a scan (which has no condition; its
 * last `slices` initial values are sliced) and then what the body returns besides them, stacked. In
 * a list. */
static int repeat(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  for (int i = 2; i <= 4; i++)
    luaL_checktype(L, i, LUA_TTABLE);
  lua_settop(L, 4);
  cusp_branch *body = field_branch(L, 4, "body", name),
              *condition = field_branch(L, 4, "condition", name);
  luaL_argcheck(L, body, 4, "expected a body");
  int given = (int)lua_rawlen(L, 2), slices = (int)field_integer(L, 4, "slices");
  luaL_argcheck(L, (int)lua_rawlen(L, 3) == given && slices <= given, 3, "expected one per value");
  int n_results = condition ? given : body->n_results;
  cusp_repetition r = {.name = name,
                       .n_values = given - slices,
                       .n_slices = slices,
                       .value_name = field_string(L, 4, "value_name", "loop value"),
                       .body_name = field_string(L, 4, "body_name", "body"),
                       .count = field_integer(L, 4, "count")};
  lua_getfield(L, 4, "reverse");
  r.reverse = lua_toboolean(L, -1);
  lua_pop(L, 1);
  cusp_node **nodes = lua_newuserdatauv(L, (size_t)(2 * given + n_results + 1) * sizeof *nodes, 0),
            **results = nodes + 2 * given;
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS, NULL);
  cusp_lua_mark_source(L);
  r.initial = nodes;
  r.stand_ins = nodes + given;
  cusp_scope scope = cusp_scope_open();
  cusp_status status = read_repetition(L, nodes, nodes + given, given);
  if (status == CUSP_OK)
    status = cusp_branches_repeat(results, &r, condition, body);
  cusp_scope_close(scope);
  return status == CUSP_OK ? cusp_lua_push_nodes(L, n_results, results, true)
                           : cusp_lua_raise(L, status, NULL);
}

static cusp_status read_given(lua_State *L, cusp_given_gradient *given, cusp_node **nodes) {
  int n = given->n_outputs;
  CUSP_TRY(read_list(nodes, L, 1, n));
  CUSP_TRY(read_list(nodes + n, L, 2, n));
  CUSP_TRY(read_list(nodes + 2 * n, L, 3, given->n_arguments));
  given->outputs = nodes;
  given->stand_ins = nodes + n;
  given->arguments = nodes + 2 * n;
  return CUSP_OK;
}

/** cusp.engine.give_gradient(outputs, stand_ins, arguments, branch): the outputs, in a list; the
 * gradients of the arguments are what the branch gives from the stand-ins for the outputs'. */
static int give_gradient(lua_State *L) {
  for (int i = 1; i <= 3; i++)
    luaL_checktype(L, i, LUA_TTABLE);
  cusp_given_gradient given = {.n_outputs = (int)lua_rawlen(L, 1),
                               .n_arguments = (int)lua_rawlen(L, 3),
                               .gradient = check_branch(L, 4, "custom_gradient")->branch};
  luaL_argcheck(L, given.n_outputs && (int)lua_rawlen(L, 2) == given.n_outputs, 2,
                "expected one per output");
  lua_settop(L, 4);
  int count = 3 * given.n_outputs + given.n_arguments;
  cusp_node **nodes = lua_newuserdatauv(L, (size_t)count * sizeof *nodes, 0),
            **results = nodes + count - given.n_outputs;
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS, NULL);
  cusp_lua_mark_source(L);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = read_given(L, &given, nodes);
  if (status == CUSP_OK)
    status = cusp_branch_give_gradient(results, &given);
  cusp_scope_close(scope);
  return status == CUSP_OK ? cusp_lua_push_nodes(L, given.n_outputs, results, true)
                           : cusp_lua_raise(L, status, NULL);
}

/** cusp.engine.in_branch(): whether what is computed now belongs to a branch or loop that is being
 * traced. */
static int in_branch(lua_State *L) {
  lua_pushboolean(L, cusp_in_branch());
  return 1;
}

/** cusp.engine.is_traced(tensor): whether it has no value before the function that is being traced
 * runs. */
static int is_traced(lua_State *L) {
  cusp_lua_variable *variable = cusp_lua_test_variable(L, 1);
  cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, 1);
  if (variable)
    lua_pushboolean(L, cusp_tracing());
  else
    lua_pushboolean(L, tensor && tensor->node && tensor->node->trace &&
                           !cusp_node_evaluated(tensor->node));
  return 1;
}

void cusp_lua_open_branch(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", branch_close}, {"__close", branch_close}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"finish", branch_finish}, {"close", branch_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"branch", new_branch},           {"choose", choose},
                                       {"stand_in", stand_in},           {"repeat", repeat},
                                       {"is_traced", is_traced},         {"in_branch", in_branch},
                                       {"give_gradient", give_gradient}, {NULL, NULL}};
  cusp_lua_new_class(L, branch_kind, metamethods, methods);
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
