/* Plans as text. */
#include "plan_text.h"
#include "../base/text.h"
#include "plan_parts.h"

static void text_place(cusp_text *text, const cusp_plan *plan, cusp_place where) {
  if (where.slot == 0)
    cusp_text_add(text, "arena+%lld", (long long)where.offset);
  else if (where.slot <= plan->n_leaves)
    cusp_text_add(text, "%s%d", plan->constants[where.slot - 1].data ? "constant" : "leaf",
                  where.slot - 1);
  else
    cusp_text_add(text, "result%d", where.slot - 1 - plan->n_leaves);
}

static void text_places(cusp_text *text, const cusp_plan *plan, const cusp_place *places,
                        int count) {
  for (int i = 0; i < count; i++) {
    cusp_text_add(text, i ? ", " : "");
    text_place(text, plan, places[i]);
  }
}

static void text_step(cusp_text *text, const cusp_plan *plan, int index) {
  const cusp_step *st = &plan->steps[index];
  if (st->fused)
    cusp_text_add(text, "%3d  fused (ends in %s)  ", index + 1, st->name);
  else
    cusp_text_add(text, "%3d  %s [%s] %s  ", index + 1, st->name, st->kernel->name,
                  cusp_shape_text(&st->call.outputs[0].shape));
  text_places(text, plan, st->inputs, st->n_inputs);
  cusp_text_add(text, " -> ");
  text_places(text, plan, st->outputs, st->n_outputs);
  if (st->origin.file)
    cusp_text_add(text, "  %s:%d", st->origin.file, st->origin.line);
  cusp_text_add(text, "\n");
}

/* Plans within a step stand behind it, further in. */
static void text_plan(cusp_text *text, const cusp_plan *plan, int depth) {
  for (int i = 0; i < plan->n_steps; i++) {
    const cusp_step *st = &plan->steps[i];
    cusp_text_add(text, "%*s", 4 * depth, "");
    text_step(text, plan, i);
    for (int k = 0; st->kernel && st->kernel->inner && st->kernel->inner(&st->call, k); k++)
      text_plan(text, st->kernel->inner(&st->call, k), depth + 1);
  }
  cusp_text_add(text, "%*s%d steps, arena of %zu bytes, %d leaves, %d outputs\n", 4 * depth, "",
                plan->n_steps, plan->arena_bytes, plan->n_leaves, plan->n_outputs);
}

cusp_status cusp_plan_text(const cusp_plan *plan, char **out) {
  cusp_text text = {0};
  text_plan(&text, plan, 0);
  return cusp_text_take(&text, out);
}
