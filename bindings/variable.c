/* Variables in Lua: a userdata holding an engine variable, with a table of its own for the fields
 * that Lua sets. */
#include "binding.h"

#include <stdatomic.h>
#include <string.h>

const char cusp_lua_variable_kind[] = "cusp.Variable";

cusp_lua_variable *cusp_lua_new_variable(lua_State *L) {
  cusp_lua_collect(L);
  cusp_lua_variable *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (cusp_lua_variable){cusp_lua_variable_kind, NULL};
  luaL_setmetatable(L, cusp_lua_variable_kind);
  return box;
}

static cusp_variable *check_variable(lua_State *L, int index, const char *function) {
  cusp_lua_variable *box = cusp_lua_test_variable(L, index);
  if (!box || !box->variable)
    cusp_lua_error(L, "%s: expected a variable, got %s", function, cusp_lua_got(L, index));
  return box->variable;
}

static int variable_release(lua_State *L) {
  cusp_lua_variable *box = cusp_lua_test_variable(L, 1);
  if (box) {
    cusp_variable_release(box->variable);
    box->variable = NULL;
  }
  return 0;
}

/* ------------------------------------------------------------------ making */

/* {dtype =, trainable =, deferred =} at index 2; the other keys are Lua's business. */
static void read_options(lua_State *L, int *dtype, bool *trainable, bool *deferred) {
  *dtype = CUSP_LUA_ANY_DTYPE;
  *trainable = true;
  *deferred = false;
  if (lua_isnoneornil(L, 2))
    return;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (lua_getfield(L, 2, "dtype") == LUA_TSTRING) {
    cusp_dtype parsed;
    cusp_status status = cusp_dtype_parse_number(&parsed, lua_tostring(L, -1));
    if (status != CUSP_OK)
      cusp_lua_raise(L, status, "Variable");
    *dtype = (int)parsed;
  } else if (!lua_isnil(L, -1)) {
    cusp_lua_error(L, "Variable: argument 'dtype' expects a string, got %s", cusp_lua_got(L, -1));
  }
  if (lua_getfield(L, 2, "trainable") != LUA_TNIL)
    *trainable = lua_toboolean(L, -1);
  lua_getfield(L, 2, "deferred");
  *deferred = lua_toboolean(L, -1);
  lua_pop(L, 3);
}

/** cusp.engine.variable(value, {dtype =, trainable =, deferred =}): outside of traces, whichever
 * are open. A deferred value is computed when it is first asked for. */
static int new_variable(lua_State *L) {
  int dtype;
  bool trainable, deferred;
  cusp_node *value;
  lua_settop(L, 2);
  read_options(L, &dtype, &trainable, &deferred);
  cusp_lua_mark_source(L);
  cusp_lua_variable *box = cusp_lua_new_variable(L);
  cusp_scope scope = cusp_scope_open();
  cusp_trace *trace = cusp_trace_suspend();
  cusp_status status = cusp_lua_to_node(&value, L, 1, dtype);
  if (status == CUSP_OK && value->weak && !(value = cusp_cast(value, value->type.dtype)))
    status = cusp_built(value);
  if (status == CUSP_OK)
    status = deferred ? cusp_variable_new_deferred(&box->variable, value, trainable)
                      : cusp_variable_new(&box->variable, value, trainable);
  cusp_trace_resume(trace);
  cusp_scope_close(scope);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "Variable");
}

/* ------------------------------------------------------------------ assigning */

/* What is no tensor yet gets the variable's dtype; a Lua number stands for the variable's shape
 * filled with it. */
static cusp_status read_value(cusp_node **value, lua_State *L, const cusp_variable *variable) {
  if (lua_type(L, 2) == LUA_TTABLE)
    return cusp_lua_to_node(value, L, 2, (int)variable->type.dtype);
  if (lua_type(L, 2) == LUA_TNUMBER || lua_type(L, 2) == LUA_TBOOLEAN) {
    CUSP_TRY(cusp_lua_to_node(value, L, 2, (int)variable->type.dtype));
    *value = cusp_broadcast_to(*value, &variable->type.shape);
    return cusp_built(*value);
  }
  return cusp_lua_to_node(value, L, 2, CUSP_LUA_ANY_DTYPE);
}

/* Assigns value, or present `operation` value; `operation` is a row's name or NULL. Returns the
 * variable. */
static int assign(lua_State *L, const char *function, const char *operation) {
  cusp_variable *variable = check_variable(L, 1, function);
  cusp_node *value, *present;
  lua_settop(L, 2);
  cusp_lua_check_interrupt(L);
  cusp_lua_collect(L);
  cusp_lua_mark_source(L);
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS, NULL);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = read_value(&value, L, variable);
  if (status == CUSP_OK && operation) {
    status = cusp_variable_read(&present, variable);
    if (status == CUSP_OK && !(value = cusp_apply_2(operation, present, value)))
      status = cusp_built(value);
  }
  if (status == CUSP_OK)
    status = cusp_variable_assign(variable, value);
  cusp_scope_close(scope);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, function);
  lua_settop(L, 1);
  return 1;
}

static int variable_assign(lua_State *L) { return assign(L, "assign", NULL); }
static int variable_assign_add(lua_State *L) { return assign(L, "assign_add", "add"); }
static int variable_assign_sub(lua_State *L) { return assign(L, "assign_sub", "subtract"); }

static cusp_status assign_list(lua_State *L, int count, cusp_variable **variables,
                               cusp_node **values) {
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, i + 1);
    variables[i] = check_variable(L, lua_gettop(L), "assign_all");
    lua_pop(L, 1);
    lua_rawgeti(L, 2, i + 1);
    values[i] = cusp_lua_check_tensor(L, lua_gettop(L), "assign_all");
  }
  cusp_lua_mark_source(L);
  cusp_trace *trace = cusp_trace_suspend();
  cusp_status status = cusp_variables_assign(count, variables, values);
  cusp_trace_resume(trace);
  return status;
}

/** cusp.engine.assign_all(variables, values): all of them or none, outside of traces. */
static int assign_all(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  int count = (int)lua_rawlen(L, 1);
  void **room = lua_newuserdatauv(L, (2 * (size_t)count + 1) * sizeof *room, 0);
  luaL_checkstack(L, count + 8, NULL);
  cusp_status status = assign_list(L, count, (cusp_variable **)room, (cusp_node **)room + count);
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "assign_all");
}

/* ------------------------------------------------------------------ fields */

/* Pushes the engine's field `key` if it is one. */
static bool push_field(lua_State *L, const cusp_variable *variable, const char *key) {
  if (!strcmp(key, "shape"))
    cusp_lua_push_shape(L, &variable->type.shape);
  else if (!strcmp(key, "dtype"))
    lua_pushstring(L, cusp_dtype_name(variable->type.dtype));
  else if (!strcmp(key, "ndim"))
    lua_pushinteger(L, variable->type.shape.ndim);
  else if (!strcmp(key, "trainable"))
    lua_pushboolean(L, variable->trainable);
  else if (!strcmp(key, "value"))
    cusp_lua_check_tensor(L, 1, "value");
  else
    return false;
  if (!strcmp(key, "value"))
    lua_pushvalue(L, 1);
  return true;
}

/* Pushes table[key] for the key at index 2, whatever is at `table`; false leaves nothing. */
static bool push_from(lua_State *L, int table) {
  if (!lua_istable(L, table))
    return false;
  lua_pushvalue(L, 2);
  if (lua_rawget(L, table) != LUA_TNIL)
    return true;
  lua_pop(L, 1);
  return false;
}

/* __index; upvalues: variable_methods, tensor_methods, the tensors' __index (for v[i]). */
static int variable_index(lua_State *L) {
  cusp_variable *variable = check_variable(L, 1, "index");
  if (lua_type(L, 2) != LUA_TSTRING) {
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    return 1;
  }
  if (push_field(L, variable, lua_tostring(L, 2)))
    return 1;
  lua_getiuservalue(L, 1, 1);
  if (push_from(L, lua_gettop(L)) || push_from(L, lua_upvalueindex(1)) ||
      push_from(L, lua_upvalueindex(2)))
    return 1;
  return cusp_lua_absent_field(L, "variable");
}

/* How often a field of some variable was set: who compares fields can see at once that none was. */
static atomic_llong field_changes;

/** cusp.engine.variable_changes(): a number that grows whenever a field of a variable is set. */
static int variable_changes(lua_State *L) {
  lua_pushinteger(L, atomic_load_explicit(&field_changes, memory_order_relaxed));
  return 1;
}

static int variable_newindex(lua_State *L) {
  cusp_variable *variable = check_variable(L, 1, "assignment to a field");
  atomic_fetch_add_explicit(&field_changes, 1, memory_order_relaxed);
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (!strcmp(key, "trainable")) {
    luaL_checktype(L, 3, LUA_TBOOLEAN);
    variable->trainable = lua_toboolean(L, 3);
    return 0;
  }
  if (!*key || !strcmp(key, "value") || !strcmp(key, "shape") || !strcmp(key, "dtype") ||
      !strcmp(key, "ndim"))
    return cusp_lua_error(
        L, "a variable's %s cannot be set like a field; v:assign(value) changes its value",
        *key ? key : "elements");
  if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, 1);
  }
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_rawset(L, -3);
  return 0;
}

static int variable_tostring(lua_State *L) {
  cusp_lua_variable *box = cusp_lua_test_variable(L, 1);
  if (!box || !box->variable) {
    lua_pushliteral(L, "Variable(released)");
    return 1;
  }
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  const char *name = lua_istable(L, 2) && (lua_getfield(L, 2, "path") == LUA_TSTRING ||
                                           lua_getfield(L, 2, "name") == LUA_TSTRING)
                         ? lua_tostring(L, -1)
                         : NULL;
  cusp_node *value = cusp_lua_check_tensor(L, 1, "tostring");
  cusp_lua_push_text(L, "Variable", value);
  if (name) { /* before the last parenthesis */
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    lua_pushlstring(L, text, length - 1);
    lua_pushfstring(L, ", name = \"%s\")", name);
    lua_concat(L, 2);
  }
  return 1;
}

/** cusp.engine.unread_value(variable): its value outside of all traces, to be given back to it; not
 * computed where that has not been asked for. */
static int unread_value(lua_State *L) {
  cusp_variable *variable = check_variable(L, 1, "unread_value");
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_node *node;
  cusp_scope scope = cusp_scope_open();
  cusp_status status = cusp_variable_peek(&node, variable);
  if (status == CUSP_OK)
    cusp_node_retain(node);
  cusp_scope_close(scope);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, "unread_value");
  cusp_lua_fill_tensor(tensor, node);
  return 1;
}

/* ------------------------------------------------------------------ the class */

/* The module table is on the top, with tensor_methods in the tensors' metatable. */
void cusp_lua_open_variable(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", variable_release},
                                         {"__tostring", variable_tostring},
                                         {"__newindex", variable_newindex},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {{"assign", variable_assign},
                                     {"assign_add", variable_assign_add},
                                     {"assign_sub", variable_assign_sub},
                                     {NULL, NULL}};
  int module = lua_gettop(L);
  luaL_newmetatable(L, cusp_lua_variable_kind);
  luaL_setfuncs(L, metamethods, 0);
  cusp_lua_set_operators(L);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, module, "variable_methods");
  luaL_getmetatable(L, cusp_lua_tensor_kind);
  lua_getfield(L, -1, "tensor_methods");
  lua_getfield(L, -2, "__index");
  lua_remove(L, -3);
  lua_pushcclosure(L, variable_index, 3);
  lua_setfield(L, -2, "__index");
  lua_settop(L, module);
  lua_pushcfunction(L, new_variable);
  lua_setfield(L, module, "variable");
  lua_pushcfunction(L, assign_all);
  lua_setfield(L, module, "assign_all");
  lua_pushcfunction(L, unread_value);
  lua_setfield(L, module, "unread_value");
  lua_pushcfunction(L, variable_changes);
  lua_setfield(L, module, "variable_changes");
}
