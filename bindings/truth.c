/*
 * Tests in Lua of what a trace computes. A tensor is true in Lua whatever it holds, which nothing
 * can see; but a truth value that the user's own code asks for, and that nothing is computed from,
 * was in all likelihood tested, and the user is told of it.
 */
#include "binding.h"

/* In the registry: a list of tensors, the truth values asked for in open traces. */
static const char asked_key = 0;

static void push_asked(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &asked_key) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &asked_key);
}

void cusp_lua_note_truth(lua_State *L, int index, bool of_operator) {
  cusp_node *node = cusp_lua_test_tensor(L, index)->node;
  if (!node->trace || node->type.dtype != CUSP_BOOL ||
      (!of_operator && cusp_shape_count(&node->type.shape) != 1) || !cusp_lua_called_by_user(L))
    return;
  index = lua_absindex(L, index);
  push_asked(L);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

size_t cusp_lua_count_truths(lua_State *L) {
  push_asked(L);
  size_t count = lua_rawlen(L, -1);
  lua_pop(L, 1);
  return count;
}

void cusp_lua_keep_truths(lua_State *L, size_t count) {
  push_asked(L);
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i > (lua_Integer)count; i--) {
    lua_pushnil(L);
    lua_rawseti(L, -2, i);
  }
  lua_pop(L, 1);
}

static cusp_node *node_at(lua_State *L, int list, lua_Integer i) {
  lua_rawgeti(L, list, i);
  cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, -1);
  lua_pop(L, 1);
  return tensor ? tensor->node : NULL;
}

static bool is_listed(lua_State *L, int list, const cusp_node *node) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, list);
  for (lua_Integer i = 1; i <= n; i++)
    if (node_at(L, list, i) == node)
      return true;
  return false;
}

void cusp_lua_push_unused_truths(lua_State *L, const cusp_trace *trace, int outputs) {
  lua_newtable(L);
  int found = lua_gettop(L);
  push_asked(L);
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  for (lua_Integer i = 1; i <= n; i++) {
    const cusp_node *node = node_at(L, found + 1, i);
    if (!node || node->trace != trace || node->references > node->handles ||
        is_listed(L, outputs, node))
      continue;
    lua_pushfstring(L, "%s:%d: %s", node->origin.file ? node->origin.file : "?",
                    (int)node->origin.line, node->op ? node->op->name : "?");
    lua_rawseti(L, found, (lua_Integer)lua_rawlen(L, found) + 1);
  }
  lua_pop(L, 1);
}

void cusp_lua_forget_truths(lua_State *L, const cusp_trace *trace) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &asked_key) == LUA_TTABLE) {
    int list = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, list), left = 0;
    for (lua_Integer i = 1; i <= n; i++) {
      const cusp_node *node = node_at(L, list, i);
      if (!node || node->trace == trace)
        continue;
      lua_rawgeti(L, list, i);
      lua_rawseti(L, list, ++left);
    }
    for (lua_Integer i = left + 1; i <= n; i++) {
      lua_pushnil(L);
      lua_rawseti(L, list, i);
    }
  }
  lua_pop(L, 1);
}

/** cusp.engine.unnoted(f, ...): what f returns; the truth values that it asks for are looked at by
 * the caller. */
static int unnoted(lua_State *L) {
  push_asked(L);
  lua_Integer before = (lua_Integer)lua_rawlen(L, -1);
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 2, LUA_MULTRET);
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, 1); i > before; i--) {
    lua_pushnil(L);
    lua_rawseti(L, 1, i);
  }
  return lua_gettop(L) - 1;
}

void cusp_lua_open_truth(lua_State *L) {
  lua_pushcfunction(L, unnoted);
  lua_setfield(L, -2, "unnoted");
}
