/* Profiles of the engine as Lua tables. */
#include "binding.h"

static const char profile_kind[] = "cusp.Profile";

typedef struct profile_box {
  const void *kind;
  cusp_profile *profile;
} profile_box;

static int profile_release(lua_State *L) {
  profile_box *box = cusp_lua_test(L, 1, profile_kind);
  if (box) {
    cusp_profile_free(box->profile);
    box->profile = NULL;
  }
  return 0;
}

/** profile_start(): what plans do is recorded from now on; an error where it is already. */
static int profile_start(lua_State *L) {
  cusp_status status = cusp_profile_start();
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "profiler.start");
}

static int profiling(lua_State *L) {
  lua_pushboolean(L, cusp_profiling());
  return 1;
}

static void set_number(lua_State *L, const char *name, double number) {
  lua_pushnumber(L, number);
  lua_setfield(L, -2, name);
}

static void set_origin(lua_State *L, const cusp_origin *origin) {
  cusp_lua_set_text(L, "file", origin->file);
  if (origin->file)
    cusp_lua_set_integer(L, "line", origin->line);
  if (origin->place)
    cusp_lua_set_integer(L, "place", origin->place);
  lua_pushboolean(L, origin->backward);
  lua_setfield(L, -2, "backward");
}

static void push_parts(lua_State *L, const cusp_profile_step *step) {
  lua_createtable(L, step->n_parts, 0);
  for (int i = 0; i < step->n_parts; i++) {
    lua_createtable(L, 0, 5);
    cusp_lua_set_text(L, "op", step->parts[i].op);
    set_origin(L, &step->parts[i].origin);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_step(lua_State *L, const cusp_profile_step *step) {
  lua_createtable(L, 0, 16);
  cusp_lua_set_text(L, "op", step->op);
  cusp_lua_set_text(L, "kernel", step->kernel);
  cusp_lua_set_text(L, "types", step->types);
  cusp_lua_set_text(L, "dtype", cusp_dtype_name(step->dtype));
  set_origin(L, &step->origin);
  if (step->parts) {
    push_parts(L, step);
    lua_setfield(L, -2, "parts");
  }
  cusp_lua_set_integer(L, "plan", step->plan);
  cusp_lua_set_integer(L, "arena_bytes", step->arena_bytes);
  cusp_lua_set_integer(L, "runs", step->runs);
  set_number(L, "work", step->work);
  set_number(L, "bytes", step->bytes);
  set_number(L, "seconds", step->seconds);
  set_number(L, "own_seconds", step->own_seconds);
}

static void push_steps(lua_State *L, const cusp_profile *profile) {
  int count = cusp_profile_n_steps(profile);
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    push_step(L, cusp_profile_get_step(profile, i));
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_events(lua_State *L, const cusp_profile *profile) {
  int count = cusp_profile_n_events(profile);
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    const cusp_profile_event *event = cusp_profile_get_event(profile, i);
    lua_createtable(L, 0, 6);
    if (event->kind != CUSP_PROFILE_RUN)
      cusp_lua_set_text(L, "kind", event->kind == CUSP_PROFILE_WAIT ? "wait" : "travel");
    cusp_lua_set_integer(L, "step", event->step + 1);
    cusp_lua_set_integer(L, "depth", event->depth);
    set_number(L, "start", event->start);
    set_number(L, "seconds", event->seconds);
    cusp_lua_set_integer(L, "live_bytes", (int64_t)event->live_bytes);
    lua_rawseti(L, -2, i + 1);
  }
}

/** profile_stop(): {steps =, events =, dropped =} of what was recorded; nil: nothing was. */
static int profile_stop(lua_State *L) {
  lua_settop(L, 0);
  profile_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (profile_box){profile_kind, NULL};
  luaL_setmetatable(L, profile_kind);
  box->profile = cusp_profile_stop();
  if (!box->profile)
    return 0;
  lua_createtable(L, 0, 3);
  push_steps(L, box->profile);
  lua_setfield(L, -2, "steps");
  push_events(L, box->profile);
  lua_setfield(L, -2, "events");
  cusp_lua_set_integer(L, "dropped", cusp_profile_dropped(box->profile));
  cusp_profile_free(box->profile);
  box->profile = NULL;
  return 1;
}

void cusp_lua_open_profile(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", profile_release}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"profile_start", profile_start},
                                       {"profile_stop", profile_stop},
                                       {"profiling", profiling},
                                       {NULL, NULL}};
  cusp_lua_new_class(L, profile_kind, metamethods, NULL);
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
