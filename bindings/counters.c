/* Memory, counters, the CPU. */
#include "binding.h"

typedef struct counter {
  const char *name;
  uint64_t value;
} counter;

/** A table of counters, ended by one without a name. */
static int push_counters(lua_State *L, const counter *counters) {
  lua_newtable(L);
  for (; counters->name; counters++) {
    lua_pushinteger(L, (lua_Integer)counters->value);
    lua_setfield(L, -2, counters->name);
  }
  return 1;
}

/** memory(): {live, peak, cached, blocks}, bytes of the engine; strings: how many are kept. */
static int memory(lua_State *L) {
  const cusp_memory_stats m = cusp_memory_get_stats();
  const cusp_strings_stats s = cusp_strings_get_stats();
  return push_counters(L, (const counter[]){{"live", m.bytes_live},
                                            {"peak", m.bytes_peak},
                                            {"cached", m.bytes_cached},
                                            {"blocks", m.blocks_live},
                                            {"strings", s.count},
                                            {"string_bytes", s.bytes},
                                            {0}});
}

/** stats(): counters of plans and nodes since start. */
static int stats(lua_State *L) {
  const cusp_graph_stats g = cusp_graph_get_stats();
  return push_counters(L, (const counter[]){{"plans_made", g.plans_made},
                                            {"plans_run", g.plans_run},
                                            {"plan_cache_hits", g.plan_cache_hits},
                                            {"nodes_made", g.nodes_made},
                                            {"nodes_evaluated", g.nodes_evaluated},
                                            {"nodes_live", g.nodes_live},
                                            {"pending", g.pending},
                                            {0}});
}

static int memory_reset_peak(lua_State *L) {
  (void)L;
  cusp_memory_reset_peak();
  return 0;
}

static int memory_trim(lua_State *L) {
  (void)L;
  cusp_strings_collect();
  cusp_memory_trim();
  return 0;
}

/** fail_after(n): n more allocations of the engine succeed, later ones fail; negative: none
 * fails. */
static int fail_after(lua_State *L) {
  cusp_memory_fail_after(luaL_checkinteger(L, 1));
  return 0;
}

static int cpu(lua_State *L) {
  lua_createtable(L, 0, 2);
  cusp_lua_set_text(L, "name", cusp_cpu_name());
  cusp_lua_set_text(L, "isa", cusp_isa_name(cusp_cpu_isa()));
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
