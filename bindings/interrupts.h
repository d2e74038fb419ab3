#ifndef CUSP_BINDINGS_INTERRUPTS_H
#define CUSP_BINDINGS_INTERRUPTS_H
/*
 * What Ctrl-C does in the program cusp. The first is one error, "interrupted!", raised by Lua code
 * at its next instruction or by the engine, whichever is first. Where a pcall swallowed it, the
 * second is raised again and again, until nothing is left to swallow it. One that comes while an
 * earlier one still waits, and the third in any case, ends the process.
 */

#include <lua.h>

void cusp_catch_interrupts(lua_State *L);
/** Lets an interrupt find the coroutine that runs: replaces coroutine.resume and coroutine.wrap by
 * functions that take note of it. */
void cusp_follow_coroutines(lua_State *L);
/** Begins to count anew: what was interrupted has ended. */
void cusp_forget_interrupts(lua_State *L);
/** Opens the module cusp.interrupts, for what runs the user's inputs: the prompt, the notebook. */
int cusp_open_interrupts(lua_State *L);

#endif
