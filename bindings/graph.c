/* The operations below tensors as Lua tables, for exporters. */
#include "binding.h"
#include "scope.h"

static void push_subgraphs(lua_State *L, const cusp_subgraphs *graphs);

void cusp_lua_push_attribute(lua_State *L, const cusp_attr *attr) {
  switch (attr->kind) {
  case CUSP_ATTR_INT: lua_pushinteger(L, attr->integer); break;
  case CUSP_ATTR_FLOAT: lua_pushnumber(L, attr->number); break;
  case CUSP_ATTR_BOOL: lua_pushboolean(L, attr->integer != 0); break;
  case CUSP_ATTR_DTYPE: lua_pushstring(L, cusp_dtype_name((cusp_dtype)attr->integer)); break;
  case CUSP_ATTR_STRING: lua_pushstring(L, attr->string); break;
  case CUSP_ATTR_INTS:
    lua_createtable(L, attr->count, 0);
    for (int i = 0; i < attr->count; i++) {
      lua_pushinteger(L, attr->ints[i]);
      lua_rawseti(L, -2, i + 1);
    }
    break;
  case CUSP_ATTR_SUBGRAPHS: push_subgraphs(L, attr->subgraphs); break;
  default: lua_pushnil(L);
  }
}

static void push_attributes(lua_State *L, const cusp_node *node) {
  const cusp_signature *signature = cusp_op_signature(node->op);
  lua_createtable(L, 0, node->n_attrs);
  for (int i = 0, at = 0; signature && i < signature->count && at < node->n_attrs; i++) {
    if (signature->parameters[i].kind <= CUSP_PARAMETER_TENSORS)
      continue;
    cusp_lua_push_attribute(L, &node->attrs[at++]);
    lua_setfield(L, -2, signature->parameters[i].name);
  }
}

static const char order_kind[] = "cusp.Order";

typedef struct order_box {
  const void *kind;
  cusp_order order;
  cusp_map inputs; /* of a sub-graph: where it ends */
} order_box;

static int order_release(lua_State *L) {
  order_box *box = cusp_lua_test(L, 1, order_kind);
  if (box) {
    cusp_order_free(&box->order);
    cusp_map_free(&box->inputs);
  }
  return 0;
}

static order_box *push_order(lua_State *L) {
  order_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (order_box){order_kind, {0}, {0}};
  luaL_setmetatable(L, order_kind);
  return box;
}

static cusp_node *listed_node(lua_State *L, int list, lua_Integer i) {
  lua_rawgeti(L, list, i);
  cusp_node *node = cusp_lua_check_tensor(L, lua_gettop(L), "graph");
  lua_pop(L, 1); /* the list keeps it */
  return node;
}

static void push_inputs(lua_State *L, const cusp_order *order, const cusp_node *node) {
  lua_createtable(L, node->n_inputs, 0);
  for (int i = 0; i < node->n_inputs; i++) {
    lua_pushinteger(L, cusp_map_get(&order->index, node->inputs[i]) + 1);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_operation(lua_State *L, const cusp_order *order, const cusp_node *node) {
  cusp_lua_set_text(L, "op", node->op->name);
  cusp_lua_set_integer(L, "place", node->origin.place);
  cusp_lua_set_integer(L, "output_index", node->output_index);
  push_attributes(L, node);
  lua_setfield(L, -2, "attributes");
  push_inputs(L, order, node);
  lua_setfield(L, -2, "inputs");
}

static void push_node(lua_State *L, const cusp_order *order, cusp_node *node) {
  lua_createtable(L, 0, 8);
  cusp_lua_push_shape(L, &node->type.shape);
  lua_setfield(L, -2, "shape");
  cusp_lua_set_text(L, "dtype", cusp_dtype_name(node->type.dtype));
  if (!cusp_is_leaf(node))
    push_operation(L, order, node);
  if (node->trace == NULL || cusp_node_evaluated(node)) {
    cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
    cusp_node_retain(node);
    cusp_lua_fill_tensor(tensor, node);
    lua_setfield(L, -2, "tensor");
  }
}

static void push_all_nodes(lua_State *L, const cusp_order *order) {
  luaL_checkstack(L, 16, "graphs are nested too deep");
  lua_createtable(L, order->count, 0);
  for (int i = 0; i < order->count; i++) {
    push_node(L, order, order->nodes[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_places(lua_State *L, const cusp_order *order, int list) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, list);
  lua_newtable(L);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_pushinteger(L, cusp_map_get(&order->index, listed_node(L, list, i)) + 1);
    lua_rawseti(L, -2, i);
  }
}

/* Sets the field `name` to the places of nodes; 0 for NULL and for what is not below an output. */
static void set_places(lua_State *L, const char *name, const cusp_order *order, int count,
                       cusp_node *const *nodes) {
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_pushinteger(L, nodes[i] ? cusp_map_get(&order->index, nodes[i]) + 1 : 0);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, name);
}

/* {nodes =, outputs =, inputs =} of one graph. [-0, +1, e] */
static void push_subgraph(lua_State *L, const cusp_subgraphs *graphs, int k) {
  const cusp_subgraph *graph = &graphs->graphs[k];
  order_box *box = push_order(L);
  cusp_status status = cusp_subgraph_map(&box->inputs, graphs, k);
  if (status == CUSP_OK)
    status = cusp_order_collect(&box->order, graph->n_outputs, graph->outputs,
                                cusp_subgraph_stop(&box->inputs));
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, "graph");
  lua_createtable(L, 0, 3);
  push_all_nodes(L, &box->order);
  lua_setfield(L, -2, "nodes");
  set_places(L, "outputs", &box->order, graph->n_outputs, graph->outputs);
  set_places(L, "inputs", &box->order, graphs->n_inputs, graph->inputs);
  lua_remove(L, -2);
}

/* The graphs as a list, with what a scan does with its one. [-0, +1, e] */
static void push_subgraphs(lua_State *L, const cusp_subgraphs *graphs) {
  luaL_checkstack(L, 16, "graphs are nested too deep");
  lua_createtable(L, graphs->n_graphs, 3);
  for (int k = 0; k < graphs->n_graphs; k++) {
    push_subgraph(L, graphs, k);
    lua_rawseti(L, -2, k + 1);
  }
  lua_pushboolean(L, graphs->rounds.reverse);
  lua_setfield(L, -2, "reverse");
  cusp_lua_set_integer(L, "carried", graphs->rounds.n_carried);
  cusp_lua_set_integer(L, "slices", graphs->rounds.n_slices);
}

/** cusp.engine.graph(outputs, given): the operations below the listed tensors, inputs first, and
 * the places of both lists' tensors among them (0: not below an output). What does not depend on a
 * trace has its tensor, too. */
static int graph(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  cusp_order *order = &push_order(L)->order;
  lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
  for (lua_Integer i = 1; i <= count; i++) {
    cusp_node *root = listed_node(L, 1, i);
    cusp_status status = cusp_order_collect(order, 1, &root, cusp_stop_at_leaves);
    if (status != CUSP_OK)
      return cusp_lua_raise(L, status, "graph");
  }
  push_all_nodes(L, order);
  push_places(L, order, 1);
  push_places(L, order, 2);
  return 3;
}

void cusp_lua_open_graph(lua_State *L) {
  static const luaL_Reg methods[] = {{NULL, NULL}},
                        metamethods[] = {{"__gc", order_release}, {NULL, NULL}},
                        functions[] = {{"graph", graph}, {NULL, NULL}};
  cusp_lua_new_class(L, order_kind, metamethods, methods);
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
