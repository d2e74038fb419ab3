#ifndef CUSP_BINDINGS_REPL_H
#define CUSP_BINDINGS_REPL_H
/* Line editing for the prompt, over GNU Readline: the module cusp.readline, in the program
 * alone. */

#include <lua.h>

/**
 * Opens the module: read(prompt) gives a line, nil at the end of input, false after Ctrl-C;
 * add(line), load(path) and save(path, most) keep the history; complete(f) sets f(text, line,
 * first, last), which lists what may stand for `text`.
 */
int cusp_open_readline(lua_State *L);

#endif
