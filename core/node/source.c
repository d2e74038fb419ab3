/* The user's position. */
#include "source.h"
#include "../base/memory.h"
#include "state.h"

#include <string.h>

/* Interned file names live as long as the process: there are as many as scripts. */
static const char *intern(const char *text) {
  static _Thread_local struct name {
    struct name *next;
    char text[];
  } * names;
  for (struct name *n = names; n; n = n->next)
    if (strcmp(n->text, text) == 0)
      return n->text;
  struct name *n;
  size_t length = strlen(text) + 1;
  if (cusp_alloc((void **)&n, sizeof *n + length) != CUSP_OK)
    return NULL;
  memcpy(n->text, text, length);
  n->next = names;
  names = n;
  return n->text;
}

void cusp_set_source(const char *file, int line) {
  cusp_graph_state *state = cusp_state();
  if (!file)
    state->file = NULL;
  else if (!state->file || (state->file != file && strcmp(state->file, file) != 0))
    state->file = intern(file);
  state->line = line;
  state->caller = NULL;
}

void cusp_set_caller(const char *name) { cusp_state()->caller = name; }

cusp_status cusp_fail_at_source(cusp_status status, const char *op, const char *caller,
                                const char *file, int line) {
  cusp_fail_drop(op);
  if (!caller)
    caller = op;
  return file ? cusp_fail_prefix(status, "%s (made at %s:%d): ", caller, file, line)
              : cusp_fail_prefix(status, "%s: ", caller);
}
