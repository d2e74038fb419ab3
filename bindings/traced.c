/* The graph of a trace as tables, for code in Lua that says it in another language. */
#include "binding.h"

static const char traced_kind[] = "cusp.TracedGraph";

static void push_traced(lua_State *L, const cusp_traced_graph *traced);

/* Kept here while Lua copies it, for Lua's errors jump. */
typedef struct traced_box {
  const void *kind;
  cusp_traced_graph traced;
} traced_box;

static int traced_release(lua_State *L) {
  traced_box *box = cusp_lua_test(L, 1, traced_kind);
  if (box)
    cusp_traced_graph_free(&box->traced);
  return 0;
}

static traced_box *new_traced(lua_State *L) {
  traced_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (traced_box){.kind = traced_kind};
  luaL_setmetatable(L, traced_kind);
  return box;
}

/* ------------------------------------------------------------------ parts */

static void push_sizes(lua_State *L, const int64_t *sizes, int count) {
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_pushinteger(L, sizes[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_values(lua_State *L, const cusp_graph *graph) {
  lua_createtable(L, graph->n_values, 0);
  for (int i = 0; i < graph->n_values; i++) {
    const cusp_type *type = &graph->values[i].type;
    lua_createtable(L, 0, 2);
    cusp_lua_set_text(L, "dtype", cusp_dtype_name(type->dtype));
    push_sizes(L, type->shape.size, type->shape.ndim);
    lua_setfield(L, -2, "shape");
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_constant(lua_State *L, const cusp_array *array) {
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_node *node;
  cusp_status status = cusp_node_leaf(&node, array);
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, "graph");
  cusp_lua_fill_tensor(tensor, node);
}

static void push_leaves(lua_State *L, const cusp_traced_graph *traced) {
  lua_createtable(L, traced->graph.n_leaves, 0);
  for (int i = 0; i < traced->graph.n_leaves; i++) {
    const cusp_leaf *leaf = &traced->graph.leaves[i];
    lua_createtable(L, 0, 2);
    cusp_lua_set_integer(L, "value", leaf->value + 1);
    if (leaf->constant) {
      push_constant(L, &leaf->array);
      lua_setfield(L, -2, "constant");
    } else {
      cusp_lua_set_integer(L, "argument", traced->arguments[i] + 1);
    }
    lua_rawseti(L, -2, i + 1);
  }
}

/* {values =, leaves =, operations =, outputs =} of one sub-graph. [-0, +1, e] */
static void push_subgraph(lua_State *L, const cusp_subgraphs *graphs, int k, int n_outputs) {
  traced_box *box = new_traced(L);
  cusp_status status = cusp_traced_subgraph_new(&box->traced, graphs, k, n_outputs);
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, "graph");
  push_traced(L, &box->traced);
  lua_remove(L, -2);
}

/* The graphs as a list, with what a scan and a loop do with theirs. [-0, +1, e] */
static void push_subgraphs(lua_State *L, const cusp_operation *operation,
                           const cusp_subgraphs *graphs) {
  luaL_checkstack(L, 16, "graphs are nested too deep");
  lua_createtable(L, graphs->n_graphs, 5);
  for (int k = 0; k < graphs->n_graphs; k++) {
    int n = graphs->graphs[k].n_outputs;
    push_subgraph(L, graphs, k,
                  graphs->types && operation->n_outputs < n ? operation->n_outputs : n);
    lua_rawseti(L, -2, k + 1);
  }
  cusp_lua_set_integer(L, "count", graphs->rounds.count);
  lua_pushboolean(L, graphs->rounds.reverse);
  lua_setfield(L, -2, "reverse");
  cusp_lua_set_integer(L, "carried",
                       graphs->n_passes ? graphs->passes[0].n_carried : graphs->rounds.n_carried);
  cusp_lua_set_integer(L, "slices", graphs->rounds.n_slices);
  cusp_lua_set_integer(L, "passes", graphs->n_passes);
}

static void push_attribute(lua_State *L, const cusp_operation *operation, const cusp_attr *attr) {
  if (attr->kind == CUSP_ATTR_SUBGRAPHS)
    push_subgraphs(L, operation, attr->subgraphs);
  else
    cusp_lua_push_attribute(L, attr);
}

static void push_attributes(lua_State *L, const cusp_operation *operation) {
  const cusp_signature *signature = cusp_op_signature(operation->op);
  lua_createtable(L, 0, operation->n_attrs);
  for (int i = 0, attribute = 0; i < signature->count && attribute < operation->n_attrs; i++) {
    const cusp_parameter *p = &signature->parameters[i];
    if (p->kind == CUSP_PARAMETER_TENSOR || p->kind == CUSP_PARAMETER_TENSORS)
      continue;
    push_attribute(L, operation, &operation->attrs[attribute++]);
    lua_setfield(L, -2, p->name);
  }
}

static void push_operation(lua_State *L, const cusp_operation *operation) {
  lua_createtable(L, 0, 7);
  cusp_lua_set_text(L, "name", operation->op->name);
  cusp_lua_set_integer(L, "serial", (int64_t)operation->serial);
  cusp_lua_set_integer(L, "first_output", operation->first_output + 1);
  cusp_lua_set_integer(L, "n_outputs", operation->n_outputs);
  lua_pushboolean(L, operation->op->flags & CUSP_OP_ELEMENTWISE);
  lua_setfield(L, -2, "elementwise");
  lua_createtable(L, operation->n_inputs, 0);
  for (int i = 0; i < operation->n_inputs; i++) {
    lua_pushinteger(L, operation->inputs[i] + 1);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "inputs");
  push_attributes(L, operation);
  lua_setfield(L, -2, "attributes");
}

static void push_operations(lua_State *L, const cusp_graph *graph) {
  lua_Integer count = 0;
  lua_createtable(L, graph->n_operations, 0);
  for (int i = 0; i < graph->n_operations; i++) {
    if (graph->operations[i].dead)
      continue;
    push_operation(L, &graph->operations[i]);
    lua_rawseti(L, -2, ++count);
  }
}

static void push_outputs(lua_State *L, const cusp_graph *graph) {
  lua_createtable(L, graph->n_outputs, 0);
  for (int i = 0; i < graph->n_outputs; i++) {
    lua_pushinteger(L, graph->outputs[i] + 1);
    lua_rawseti(L, -2, i + 1);
  }
}

/* ------------------------------------------------------------------ the whole */

static void push_traced(lua_State *L, const cusp_traced_graph *traced) {
  lua_createtable(L, 0, 4);
  push_values(L, &traced->graph);
  lua_setfield(L, -2, "values");
  push_leaves(L, traced);
  lua_setfield(L, -2, "leaves");
  push_operations(L, &traced->graph);
  lua_setfield(L, -2, "operations");
  push_outputs(L, &traced->graph);
  lua_setfield(L, -2, "outputs");
}

static cusp_status make(traced_box *box, lua_State *L, const cusp_trace *trace, int count,
                        cusp_node **nodes) {
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 2, i + 1);
    cusp_status status = cusp_lua_to_node(&nodes[i], L, lua_gettop(L), CUSP_LUA_ANY_DTYPE);
    lua_pop(L, 1);
    if (status != CUSP_OK)
      return cusp_fail_prefix(status, "output %d: ", i + 1);
  }
  return cusp_traced_graph_new(&box->traced, trace, count, nodes);
}

int cusp_lua_push_graph(lua_State *L, const cusp_trace *trace) {
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  int count = (int)lua_rawlen(L, 2);
  cusp_node **nodes = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *nodes, 0);
  traced_box *box = new_traced(L);
  luaL_checkstack(L, 3 * CUSP_MAX_DIMS, NULL);
  cusp_scope scope = cusp_scope_open();
  cusp_status status = make(box, L, trace, count, nodes);
  cusp_scope_close(scope);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, "graph");
  push_traced(L, &box->traced);
  return 1;
}

void cusp_lua_open_traced(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", traced_release}, {NULL, NULL}};
  int module = lua_gettop(L);
  cusp_lua_new_class(L, traced_kind, metamethods, NULL);
  lua_settop(L, module);
}
