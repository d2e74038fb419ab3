/* Streams of random keys. */
#include "binding.h"
#include "scope.h"

static const char generator_kind[] = "cusp.Generator";

typedef struct generator_box {
  const void *kind;
  cusp_generator *generator;
} generator_box;

static generator_box *check_generator(lua_State *L, const char *function) {
  generator_box *box = cusp_lua_test(L, 1, generator_kind);
  if (!box || !box->generator)
    cusp_lua_error(L, "%s: expected a generator, got %s", function, cusp_lua_got(L, 1));
  return box;
}

static uint64_t check_seed(lua_State *L, int index) {
  int exact = 0;
  lua_Integer seed = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &exact) : 0;
  if (!exact)
    cusp_lua_error(L, "generator: the seed should be an integer, got %s", cusp_lua_got(L, index));
  return (uint64_t)seed;
}

/* The variable of the seed and the count of draws, the same userdata each time: kept as the
 * generator's user value. */
static void push_state(lua_State *L, cusp_generator *generator) {
  cusp_lua_variable *state = cusp_lua_new_variable(L);
  state->variable = cusp_generator_state(generator);
  cusp_variable_retain(state->variable);
}

/** cusp.engine.generator(seed) */
static int new_generator(lua_State *L) {
  uint64_t seed = check_seed(L, 1);
  generator_box *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (generator_box){generator_kind, NULL};
  luaL_setmetatable(L, generator_kind);
  cusp_trace *trace = cusp_trace_suspend();
  cusp_status status = cusp_generator_new(&box->generator, seed);
  cusp_trace_resume(trace);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, "generator");
  push_state(L, box->generator);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

static int generator_release(lua_State *L) {
  generator_box *box = cusp_lua_test(L, 1, generator_kind);
  if (box) {
    cusp_generator_free(box->generator);
    box->generator = NULL;
  }
  return 0;
}

/** generator:next(): a fresh key. */
static int generator_next(lua_State *L) {
  generator_box *box = check_generator(L, "next");
  cusp_lua_mark_source(L);
  cusp_lua_tensor *key = cusp_lua_new_tensor(L);
  cusp_node *node;
  cusp_status status = cusp_generator_next(&node, box->generator);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, "generator");
  cusp_lua_fill_tensor(key, node);
  return 1;
}

/** generator:seed(n): starts the stream of seed n. */
static int generator_seed(lua_State *L) {
  generator_box *box = check_generator(L, "seed");
  cusp_lua_enter(L);
  cusp_status status = cusp_generator_seed(box->generator, check_seed(L, 2));
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "generator");
}

/** generator:state(): the variable that holds the seed and the count of draws. */
static int generator_state(lua_State *L) {
  check_generator(L, "state");
  lua_getiuservalue(L, 1, 1);
  return 1;
}

void cusp_lua_open_generator(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", generator_release}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"next", generator_next}, {"seed", generator_seed}, {"state", generator_state}, {NULL, NULL}};
  cusp_lua_new_class(L, generator_kind, metamethods, methods);
  lua_pop(L, 1);
  lua_pushcfunction(L, new_generator);
  lua_setfield(L, -2, "generator");
}
