#ifndef CUSP_BINDINGS_SCOPE_H
#define CUSP_BINDINGS_SCOPE_H
/* Calls with something open around them, and the coroutine that the engine's traces and tapes
 * belong to. */

#include <lua.h>
#include <stdbool.h>

/** Tells the engine which coroutine runs. Before whatever reads or assigns variables, makes nodes,
 * or opens a trace or a tape. */
void cusp_lua_enter(lua_State *L);
/** Keeps the running coroutine alive with the userdata on the top of the stack, which has a user
 * value for it. [-0, +0, -] */
void cusp_lua_keep_coroutine(lua_State *L);
/**
 * Calls the function at stack index 2 with what follows; then `close`, which finds at index 1 what
 * was opened and raises nothing; then returns what the function returned, or raises its error. The
 * result is the C function's own: `return cusp_lua_call_within(...)`.
 */
int cusp_lua_call_within(lua_State *L, void (*close)(lua_State *L, bool failed));
void cusp_lua_open_scope(lua_State *L);

#endif
