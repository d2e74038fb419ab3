/*
 * One function for all rows of the operation table. It finds each parameter's value on the Lua
 * stack by the row's signature, reads them into C without raising, and applies the row.
 */
#include "ops_call.h"

static const char symbolic_handler_key[] = "cusp.symbolic_handler";

int cusp_lua_set_symbolic_handler(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, symbolic_handler_key);
  return 0;
}

static int call_symbolic(call *c) {
  lua_State *L = c->L;
  lua_settop(L, c->top);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, symbolic_handler_key) != LUA_TFUNCTION)
    return cusp_lua_error(L, "%s: symbolic tensors need require \"cusp\"", c->op->name);
  lua_insert(L, 1);
  lua_pushstring(L, c->op->name);
  lua_insert(L, 2);
  lua_call(L, c->top + 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* More inputs than fit on the C stack are kept in a userdata, which is pushed before anything is
 * read. */
static void make_room(call *c, operands *o) {
  int count = c->list_count;
  o->inputs = o->few;
  if (c->signature->count == 0 || c->signature->parameters[0].kind != CUSP_PARAMETER_TENSORS ||
      !c->where[0])
    return;
  if (count == 0 && lua_type(c->L, c->where[0]) == LUA_TTABLE)
    count = (int)lua_rawlen(c->L, c->where[0]);
  if (count + c->signature->n_tensors > STACK_INPUTS)
    o->inputs =
        lua_newuserdatauv(c->L, (size_t)(count + c->signature->n_tensors) * sizeof(cusp_node *), 0);
}

/* The one result is put into the userdata that was made before; more are pushed after. */
static int return_outputs(call *c, cusp_lua_tensor *box, int count, cusp_node **outputs) {
  if (count == 1 && !(c->op->flags & CUSP_OP_LIST)) {
    cusp_lua_fill_tensor(box, outputs[0]);
    if (cusp_tracing())
      cusp_lua_note_truth(c->L, -1, false);
    return 1;
  }
  return cusp_lua_push_nodes(c->L, count, outputs, c->op->flags & CUSP_OP_LIST);
}

/** cusp.engine.ops.NAME(...): upvalue 1 is the row. */
static int call_op(lua_State *L) {
  call c = {.L = L, .op = lua_touserdata(L, lua_upvalueindex(1)), .top = lua_gettop(L)};
  operands o;
  cusp_node *outputs[CUSP_MAX_RESULTS];
  int n_outputs = 0;
  c.signature = cusp_op_signature(c.op);
  while (c.top > 1 && lua_isnil(L, c.top)) /* a nil at the end says nothing */
    c.top--;
  lua_settop(L, c.top);
  cusp_lua_check_interrupt(L);
  cusp_lua_find_arguments(&c);
  o.n_inputs = o.n_attrs = o.n_ints = 0;
  make_room(&c, &o);
  cusp_lua_mark_call(L, c.op->name);
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS + 8, NULL);
  cusp_lua_tensor *box = cusp_lua_new_tensor(L);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = cusp_lua_read_arguments(&c, &o);
  if (status == CUSP_OK && !c.symbolic)
    status = cusp_op_apply(outputs, &n_outputs, c.op, o.n_inputs, o.inputs, o.n_attrs, o.attrs);
  cusp_scope_close(scope);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, c.op->name);
  return c.symbolic ? call_symbolic(&c) : return_outputs(&c, box, n_outputs, outputs);
}

/* ------------------------------------------------------------------ the table */

static void push_row(lua_State *L, const cusp_op *op) {
  lua_pushlightuserdata(L, (void *)op);
  lua_pushcclosure(L, call_op, 1);
}

void cusp_lua_push_op(lua_State *L, const char *name) {
  const cusp_op *op = cusp_op_find(name);
  if (op)
    push_row(L, op);
  else
    lua_pushnil(L);
}

/* Random rows begin with a key, which is no data to call a method on. */
static bool is_method(const cusp_op *op) {
  const cusp_signature *signature = cusp_op_signature(op);
  return !(op->flags & (CUSP_OP_HIDDEN | CUSP_OP_RANDOM)) && signature->count > 0 &&
         signature->parameters[0].kind == CUSP_PARAMETER_TENSOR;
}

static void add_method(lua_State *L, int methods, const char *name) {
  if (lua_getfield(L, methods, name) == LUA_TNIL) {
    lua_pushvalue(L, -2);
    lua_setfield(L, methods, name);
  }
  lua_pop(L, 1);
}

void cusp_lua_open_ops(lua_State *L, int ops, int methods) {
  lua_createtable(L, 0, 1);
  lua_newtable(L);
  int hidden = lua_gettop(L);
  for (const cusp_op *const *family = cusp_op_families; *family; family++) {
    for (const cusp_op *op = *family; op->name; op++) {
      push_row(L, op);
      if (is_method(op))
        add_method(L, methods, op->name);
      lua_setfield(L, op->flags & CUSP_OP_HIDDEN ? hidden : ops, op->name);
    }
  }
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, ops);
}
