/* The rows of the operation table as Lua tables, for help, completion and the reference. */
#include "binding.h"

static void set_boolean(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

/* Pushes a default as Lua gives it: axes count from 1. */
static void push_default(lua_State *L, const cusp_parameter *p) {
  const cusp_attr *a = &p->default_value;
  int64_t offset = p->kind == CUSP_PARAMETER_AXIS || p->kind == CUSP_PARAMETER_AXES;
  switch (a->kind) {
  case CUSP_ATTR_INT: lua_pushinteger(L, a->integer >= 0 ? a->integer + offset : a->integer); break;
  case CUSP_ATTR_FLOAT: lua_pushnumber(L, a->number); break;
  case CUSP_ATTR_BOOL: lua_pushboolean(L, a->integer != 0); break;
  case CUSP_ATTR_DTYPE: lua_pushstring(L, cusp_dtype_name((cusp_dtype)a->integer)); break;
  case CUSP_ATTR_STRING: lua_pushstring(L, a->string); break;
  case CUSP_ATTR_INTS:
    lua_createtable(L, a->count, 0);
    for (int i = 0; i < a->count; i++) {
      lua_pushinteger(L, a->ints[i] >= 0 ? a->ints[i] + offset : a->ints[i]);
      lua_rawseti(L, -2, i + 1);
    }
    break;
  default: lua_pushnil(L);
  }
}

static void push_arguments(lua_State *L, const cusp_op *op) {
  static const char *const kinds[] = {"tensor", "tensors", "int",   "float", "bool", "dtype",
                                      "string", "ints",    "shape", "axis",  "axes", "int_or_ints"};
  const cusp_signature *signature = cusp_op_signature(op);
  lua_createtable(L, signature->count, 0);
  for (int i = 0; i < signature->count; i++) {
    const cusp_parameter *p = &signature->parameters[i];
    lua_createtable(L, 0, 4);
    cusp_lua_set_text(L, "name", p->name);
    cusp_lua_set_text(L, "kind", kinds[p->kind]);
    set_boolean(L, "optional", p->optional);
    push_default(L, p);
    lua_setfield(L, -2, "default");
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_flags(lua_State *L, uint32_t flags) {
  static const struct {
    uint32_t flag;
    const char *name;
  } names[] = {{CUSP_OP_ELEMENTWISE, "elementwise"},
               {CUSP_OP_REDUCTION, "reduction"},
               {CUSP_OP_VIEW, "view"},
               {CUSP_OP_RANDOM, "random"},
               {CUSP_OP_HIDDEN, "hidden"},
               {CUSP_OP_NO_GRADIENT, "no_gradient"},
               {CUSP_OP_LIST, "list"}};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (flags & names[i].flag)
      set_boolean(L, names[i].name, true);
}

/** cusp.engine.describe(): a list with a table for each row; `flags` is a set by name. */
int cusp_lua_describe(lua_State *L) {
  lua_Integer n = 0;
  lua_settop(L, 0);
  lua_newtable(L);
  for (const cusp_op *const *family = cusp_op_families; *family; family++) {
    for (const cusp_op *op = *family; op->name; op++) {
      lua_createtable(L, 0, 6);
      cusp_lua_set_text(L, "name", op->name);
      cusp_lua_set_text(L, "help", op->help ? op->help : "");
      set_boolean(L, "has_gradient", op->gradient || op->compose);
      set_boolean(L, "composed", op->compose);
      push_arguments(L, op);
      lua_setfield(L, -2, "arguments");
      push_flags(L, op->flags);
      lua_setfield(L, -2, "flags");
      lua_rawseti(L, 1, ++n);
    }
  }
  return 1;
}
