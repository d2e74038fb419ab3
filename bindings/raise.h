#ifndef CUSP_BINDINGS_RAISE_H
#define CUSP_BINDINGS_RAISE_H
/* Errors at the user's line: the nearest stack frame that is neither C nor one of our own Lua
 * files. */

#include "../core/cusp.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

/** Raises "script.lua:12: function: message" for this thread's last failure; "interrupted!" alone
 * for CUSP_EINTERRUPT. */
int cusp_lua_raise(lua_State *L, cusp_status status, const char *function);
/** set_place_handler(f): `f(message, place)` gives the message of a node that the layer with that
 * number made. */
int cusp_lua_set_place_handler(lua_State *L);
/** As luaL_error, with the user's position, and formatted as printf does. */
int cusp_lua_error(lua_State *L, const char *format, ...) CUSP_PRINTF(2, 3);
/** Whether the error at `index` is that of Ctrl-C, perhaps with a place in front. Raises
 * nothing. */
bool cusp_lua_is_interrupt(lua_State *L, int index);
/** Raises "interrupted!" if Ctrl-C came since the last look. Called where raising is safe. */
void cusp_lua_check_interrupt(lua_State *L);

/** Pushes the table that has the interned names of operations written in Lua by their functions; an
 * error of the engine within one is raised in that name. [-0, +1, m] */
void cusp_lua_push_composed(lua_State *L);
/** name_function(f, name): gives a function of the library such a name. */
int cusp_lua_name_function(lua_State *L);
/** Names the user's line to the engine, for the nodes made next. Raises nothing, allocates nothing
 * in Lua. */
void cusp_lua_mark_source(lua_State *L);
/** As that, with the name of the operation that is called there; where functions of the library
 * with names are between, the name of the outermost. */
void cusp_lua_mark_call(lua_State *L, const char *name);
/** Whether the running C function was called by the user's Lua code itself. Raises nothing. */
bool cusp_lua_called_by_user(lua_State *L);
/** Pushes "script.lua:12: ", or "" where no user frame is found. [-0, +1, m] */
void cusp_lua_push_where(lua_State *L);

/** Frames of chunks whose name starts with `prefix` ("@/usr/share/lua/5.4/cusp/") are ours;
 * copied. */
void cusp_lua_set_internal(const char *prefix);
/** Whether a chunk name ("@path", "=stdin", code) is one of ours. */
bool cusp_lua_is_internal(const char *source);

#endif
