#ifndef CUSP_BINDINGS_REPL_H
#define CUSP_BINDINGS_REPL_H
/* Line editing for the prompt, over GNU Readline: the module cusp.readline, in the program
 * alone. */

#include <lua.h>

/**
 * Opens the module: read(prompt) gives an input, nil at the end of all, false after Ctrl-C;
 * call(f, handler) is xpcall for inputs; add(text) adds to the history. Four functions of the
 * prompt's are set: complete(f), f(text, line, first, last) lists what may stand for `text`;
 * finish(f), f(text) says whether Enter ends the input; paint(f), f(text, cursor) gives the text
 * with its colours; idle(f), f() is called once, when nobody has typed for a moment.
 */
int cusp_open_readline(lua_State *L);

#endif
