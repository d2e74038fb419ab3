#ifndef CUSP_BINDINGS_REPL_EDITOR_H
#define CUSP_BINDINGS_REPL_EDITOR_H
/* What the files of the line editor share. */

#include <lua.h>
#include <stdbool.h>

typedef struct cusp_editor {
  lua_State *L;
  int completer, finisher, painter, idle; /* functions in the registry, or LUA_NOREF */
  char *line;
  bool done, quiet; /* the line has been read; nothing is drawn */
} cusp_editor;

extern cusp_editor cusp_the_editor;

/** Tells Readline of our keys, completion and colours. Called once. */
void cusp_editor_set_up(void);
/** Moves from the cursor's place in an input of several lines to its last. */
void cusp_editor_go_below(void);
/** rl_attempted_completion_function, and the characters between words. */
char **cusp_editor_complete(const char *text, int first, int last);
char *cusp_editor_word_breaks(void);
/** rl_redisplay_function: Readline's, then the colours over it. */
void cusp_editor_redisplay(void);

#endif
