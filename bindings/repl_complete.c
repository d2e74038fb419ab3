/* Completion: the prompt's function lists what may stand for the word before the cursor. */
#include "repl_editor.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include <readline/readline.h>

#define editor cusp_the_editor

/* The next of the matches, which are in the table on the top of Lua's stack; Readline frees the
 * copies. */
static char *next_match(const char *text, int state) {
  static int index;
  (void)text;
  index = state == 0 ? 1 : index + 1;
  lua_rawgeti(editor.L, -1, index);
  const char *match = lua_type(editor.L, -1) == LUA_TSTRING ? lua_tostring(editor.L, -1) : NULL;
  char *copy = match ? strdup(match) : NULL;
  lua_pop(editor.L, 1);
  return copy;
}

char **cusp_editor_complete(const char *text, int first, int last) {
  lua_State *L = editor.L;
  char **matches = NULL;
  rl_attempted_completion_over = 1; /* file names come from the prompt's function, too */
  rl_completion_append_character = '\0';
  if (editor.completer == LUA_NOREF || !lua_checkstack(L, 8))
    return NULL;
  lua_rawgeti(L, LUA_REGISTRYINDEX, editor.completer);
  lua_pushstring(L, text);
  lua_pushstring(L, rl_line_buffer);
  lua_pushinteger(L, first + 1);
  lua_pushinteger(L, last);
  if (lua_pcall(L, 4, 1, 0) == LUA_OK && lua_istable(L, -1))
    matches = rl_completion_matches(text, next_match);
  lua_pop(L, 1);
  return matches;
}

/* The quote that is open at the cursor, or 0. */
static char open_quote(void) {
  char quote = 0;
  for (int i = 0; i < rl_point; i++) {
    char c = rl_line_buffer[i];
    if (c == '\\')
      i++;
    else if (quote ? c == quote : c == '"' || c == '\'')
      quote = quote ? 0 : c;
    else if (c == '\n')
      quote = 0;
  }
  return quote;
}

/* Within a string all of it is one word: names of files have slashes, and blanks. */
char *cusp_editor_word_breaks(void) {
  switch (open_quote()) {
  case '"': return "\"";
  case '\'': return "'";
  default: return NULL;
  }
}
