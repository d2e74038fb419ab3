/* Keys and colours: inputs of several lines are edited as one block. */
#define _XOPEN_SOURCE 700
#include "repl_editor.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <readline/history.h>
#include <readline/readline.h>

#define editor cusp_the_editor

static bool has_lines;   /* the terminal can show several lines of input */
static bool has_colours; /* it knows the sequences of ECMA-48 */
static bool is_entered;  /* no bracket is marked any more */

/* ------------------------------------------------------------------ Enter and the arrows */

/* Whether the prompt takes the input as it is. Where it cannot say, yes. */
static bool is_finished(void) {
  lua_State *L = editor.L;
  bool finished = true;
  if (editor.finisher == LUA_NOREF || !lua_checkstack(L, 4))
    return true;
  lua_rawgeti(L, LUA_REGISTRYINDEX, editor.finisher);
  lua_pushstring(L, rl_line_buffer);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK)
    finished = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return finished;
}

/* Readline shows no more lines than the screen has: the rest becomes a block of its own. */
static bool fills_screen(void) {
  int width, height, lines = 1;
  rl_get_screen_size(&height, &width);
  for (const char *c = rl_line_buffer; *c; c++)
    lines += *c == '\n';
  return lines >= height - 1;
}

static int on_enter(int count, int key) {
  if (!has_lines || RL_ISSTATE(RL_STATE_ISEARCH | RL_STATE_NSEARCH) || fills_screen() ||
      is_finished()) {
    cusp_editor_go_below();
    return rl_newline(count, key);
  }
  rl_point = rl_end;
  rl_insert_text("\n");
  return 0;
}

static int on_new_line(int count, int key) {
  (void)count;
  (void)key;
  rl_insert_text("\n");
  return 0;
}

static int line_start(int at) {
  while (at > 0 && rl_line_buffer[at - 1] != '\n')
    at--;
  return at;
}

static int line_end(int at) {
  while (at < rl_end && rl_line_buffer[at] != '\n')
    at++;
  return at;
}

/* Puts the cursor into the line that begins at `start`, in the column that it has, or at its end.
 */
static void go_to_line(int start) {
  int column = rl_point - line_start(rl_point), end = line_end(start);
  rl_point = start + column < end ? start + column : end;
  while (rl_point > start && ((unsigned char)rl_line_buffer[rl_point] & 0xC0) == 0x80)
    rl_point--; /* not into a character */
}

/* A line up within the input, else the input before. */
static int on_up(int count, int key) {
  int start = line_start(rl_point);
  if (start == 0)
    return rl_get_previous_history(count, key);
  go_to_line(line_start(start - 1));
  return 0;
}

static int on_down(int count, int key) {
  int end = line_end(rl_point);
  if (end == rl_end)
    return rl_get_next_history(count, key);
  go_to_line(end + 1);
  return 0;
}

static int on_line_start(int count, int key) {
  (void)count;
  (void)key;
  rl_point = line_start(rl_point);
  return 0;
}

static int on_line_end(int count, int key) {
  (void)count;
  (void)key;
  rl_point = line_end(rl_point);
  return 0;
}

/* Keys that act on one line of the input; the user's own bindings of others stay. */
static void bind_keys(void) {
  static const char *const up[] = {"\033[A", "\033OA"}, *const down[] = {"\033[B", "\033OB"};
  for (size_t i = 0; i < 2; i++) {
    rl_bind_keyseq(up[i], on_up);
    rl_bind_keyseq(down[i], on_down);
  }
  static const char *const home[] = {"\033[H", "\033OH", "\033[1~", "\001"};
  static const char *const end[] = {"\033[F", "\033OF", "\033[4~", "\005"};
  for (size_t i = 0; i < sizeof home / sizeof home[0]; i++) {
    rl_bind_keyseq(home[i], on_line_start);
    rl_bind_keyseq(end[i], on_line_end);
  }
  rl_bind_keyseq("\r", on_enter);
  rl_bind_keyseq("\n", on_enter);
  rl_bind_keyseq("\033\r", on_new_line); /* Alt-Enter */
}

/* ------------------------------------------------------------------ where things are */

/* The row, from the prompt's, in which text that follows the prompt ends; -1 where this is not
 * known for sure. */
static int row_after(const char *text, size_t length) {
  int width, height, row = 0, column = (int)strlen(rl_display_prompt);
  rl_get_screen_size(&height, &width);
  mbstate_t state = {0};
  for (size_t i = 0; i < length;) {
    wchar_t c;
    size_t bytes = mbrtowc(&c, text + i, length - i, &state);
    if (bytes == 0 || bytes > length - i)
      return -1;
    i += bytes;
    int columns = c == L'\n' ? 0 : c == L'\t' ? 8 - column % 8 : wcwidth(c);
    if (c == L'\t' && column + columns >= width)
      return -1; /* terminals do not go on to the next line there */
    if (columns < 0 || (c == L'\n' && column == 0 && row > 0 && text[i - 2] != '\n'))
      return -1; /* a line that ends at the edge: terminals differ */
    if (c == L'\n' || column + columns > width)
      row++, column = 0;
    column += columns;
    if (column == width)
      row++, column = 0;
  }
  return row < height - 1 ? row : -1;
}

void cusp_editor_go_below(void) {
  rl_point = rl_end;
  is_entered = true;
  cusp_editor_redisplay();
  is_entered = false;
}

/* ------------------------------------------------------------------ colours */

/* Writes the input once more, over what Readline wrote, with its colours. The terminal keeps the
 * cursor's place meanwhile. */
static void paint(const char *coloured, int row) {
  FILE *out = rl_outstream;
  fputs("\0337\033[?25l\r", out);
  if (row > 0)
    fprintf(out, "\033[%dA", row);
  fprintf(out, "\033[1;34m%s\033[0m", rl_display_prompt);
  for (const char *c = coloured; *c; c++)
    if (*c == '\n')
      fputs("\r\n", out);
    else
      fputc(*c, out);
  fputs("\0338\033[?25h", out);
  fflush(out);
}

static void paint_line(int row) {
  lua_State *L = editor.L;
  if (!lua_checkstack(L, 4))
    return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, editor.painter);
  lua_pushstring(L, rl_line_buffer);
  lua_pushinteger(L, is_entered ? -1 : rl_point + 1);
  if (lua_pcall(L, 2, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
    paint(lua_tostring(L, -1), row);
  lua_pop(L, 1);
}

void cusp_editor_redisplay(void) {
  if (editor.quiet)
    return;
  rl_redisplay();
  if (editor.painter == LUA_NOREF || !has_colours ||
      RL_ISSTATE(RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_COMPLETING | RL_STATE_DONE))
    return;
  int row = row_after(rl_line_buffer, (size_t)rl_point);
  if (row >= 0 && row_after(rl_line_buffer, (size_t)rl_end) >= 0)
    paint_line(row);
}

/* ------------------------------------------------------------------ setting up */

static void look_at_terminal(void) {
  const char *terminal = getenv("TERM"), *scroll = rl_variable_value("horizontal-scroll-mode");
  const char *up = rl_get_termcap("up");
  has_lines = up && *up && !(scroll && strcmp(scroll, "on") == 0);
  has_colours =
      has_lines && terminal &&
      (strstr(terminal, "xterm") || strstr(terminal, "color") || strstr(terminal, "screen") ||
       strstr(terminal, "tmux") || strstr(terminal, "linux") || strstr(terminal, "rxvt"));
}

void cusp_editor_set_up(void) {
  rl_attempted_completion_function = cusp_editor_complete;
  rl_completion_word_break_hook = cusp_editor_word_breaks;
  rl_basic_quote_characters = ""; /* the prompt's function closes strings */
  rl_basic_word_break_characters = " \t\n\"\\'`@$><=;|&{(+-*/^%~#,";
  rl_initialize();
  rl_redisplay_function = cusp_editor_redisplay; /* set before, nothing is read of the terminal */
  look_at_terminal();
  bind_keys();
}
