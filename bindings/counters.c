/* Memory, counters, the CPU. */
#include "binding.h"

static void set_count(lua_State *L, const char *name, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/** memory(): {live, peak, cached, blocks}, bytes of the engine. */
static int memory(lua_State *L) {
  cusp_memory_stats stats = cusp_memory_get_stats();
  lua_createtable(L, 0, 4);
  set_count(L, "live", stats.bytes_live);
  set_count(L, "peak", stats.bytes_peak);
  set_count(L, "cached", stats.bytes_cached);
  set_count(L, "blocks", stats.blocks_live);
  return 1;
}

static int memory_reset_peak(lua_State *L) {
  (void)L;
  cusp_memory_reset_peak();
  return 0;
}

static int memory_trim(lua_State *L) {
  (void)L;
  cusp_memory_trim();
  return 0;
}

/** fail_after(n): n more allocations of the engine succeed, later ones fail; negative: none
 * fails. */
static int fail_after(lua_State *L) {
  cusp_memory_fail_after(luaL_checkinteger(L, 1));
  return 0;
}

/** stats(): counters of plans and nodes since start. */
static int stats(lua_State *L) {
  cusp_graph_stats counters = cusp_graph_get_stats();
  lua_createtable(L, 0, 8);
  set_count(L, "plans_made", counters.plans_made);
  set_count(L, "plans_run", counters.plans_run);
  set_count(L, "plan_cache_hits", counters.plan_cache_hits);
  set_count(L, "nodes_made", counters.nodes_made);
  set_count(L, "nodes_evaluated", counters.nodes_evaluated);
  set_count(L, "nodes_live", counters.nodes_live);
  set_count(L, "pending", counters.pending);
  return 1;
}

static int cpu(lua_State *L) {
  lua_createtable(L, 0, 2);
  lua_pushstring(L, cusp_cpu_name());
  lua_setfield(L, -2, "name");
  lua_pushstring(L, cusp_isa_name(cusp_cpu_isa()));
  lua_setfield(L, -2, "isa");
  return 1;
}

void cusp_lua_open_counters(lua_State *L) {
  static const luaL_Reg functions[] = {{"memory", memory},
                                       {"memory_reset_peak", memory_reset_peak},
                                       {"memory_trim", memory_trim},
                                       {"fail_after", fail_after},
                                       {"stats", stats},
                                       {"cpu", cpu},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
