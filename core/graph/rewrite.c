/* The passes in their order. */
#define _GNU_SOURCE
#include "rewrite.h"

#include "passes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pass {
  const char *name;
  cusp_status (*run)(cusp_graph *graph);
} pass;

static const pass passes[] = {
    {"remat", cusp_pass_remat}, /* first: later passes take away where regions end */
    {"simplify", cusp_pass_simplify}, {"masks", cusp_pass_masks}, {"common", cusp_pass_common},
    {"dead", cusp_pass_dead},         {"widen", cusp_pass_widen},
};

bool cusp_pass_is_disabled(const char *name) {
  const char *list = getenv("CUSP_DISABLE_PASSES");
  size_t length = strlen(name);
  while (list && *list) {
    const char *end = strchrnul(list, ',');
    if ((size_t)(end - list) == length && strncmp(list, name, length) == 0)
      return true;
    list = *end ? end + 1 : end;
  }
  return false;
}

static void dump(const cusp_graph *graph, const char *name) {
  char *text;
  if (cusp_graph_text(graph, &text) != CUSP_OK)
    return;
  fprintf(stderr, "--- %s\n%s", name, text);
  cusp_free(text);
}

cusp_status cusp_graph_rewrite(cusp_graph *graph) {
  bool dumping = getenv("CUSP_DUMP_GRAPH") != NULL;
  if (dumping)
    dump(graph, "traced");
  for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
    if (cusp_pass_is_disabled(passes[i].name))
      continue;
    CUSP_TRY(passes[i].run(graph));
    if (dumping)
      dump(graph, passes[i].name);
#ifdef CUSP_DEBUG
    CUSP_TRY(cusp_graph_verify(graph));
#endif
  }
  return CUSP_OK;
}
