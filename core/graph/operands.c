/* What a unit reads and writes. */
#include "operands.h"

static bool made_by(const cusp_lowering *l, int value, int unit) {
  return l->locations[value].unit == unit && !l->locations[value].view;
}

/* Lists are short, bounded by a loop's operands: a search needs no set. */
static cusp_status add_once(int **list, int *count, int *capacity, int value) {
  for (int i = 0; i < *count; i++)
    if ((*list)[i] == value)
      return CUSP_OK;
  CUSP_TRY(cusp_grow((void **)list, capacity, *count + 1, sizeof **list));
  (*list)[(*count)++] = value;
  return CUSP_OK;
}

cusp_status cusp_operands_of_fused(const cusp_lowering *l, int index, const int *outside_uses,
                                   cusp_operands *o) {
  const cusp_unit *unit = &l->units[index];
  for (int i = 0; i < unit->n_members; i++) {
    const cusp_operation *operation = &l->graph->operations[unit->members[i]];
    for (int k = 0; k < operation->n_inputs; k++)
      if (!made_by(l, operation->inputs[k], index))
        CUSP_TRY(add_once(&o->inputs, &o->n_inputs, &o->inputs_capacity, operation->inputs[k]));
    if (outside_uses[operation->first_output] > 0)
      CUSP_TRY(add_once(&o->outputs, &o->n_outputs, &o->outputs_capacity, operation->first_output));
  }
  return CUSP_OK;
}

cusp_status cusp_operands_of_call(const cusp_lowering *l, int index, cusp_operands *o) {
  const cusp_operation *operation = &l->graph->operations[l->units[index].members[0]];
  CUSP_TRY(
      cusp_grow((void **)&o->inputs, &o->inputs_capacity, operation->n_inputs, sizeof *o->inputs));
  CUSP_TRY(cusp_grow((void **)&o->outputs, &o->outputs_capacity, operation->n_outputs,
                     sizeof *o->outputs));
  for (int k = 0; k < operation->n_inputs; k++)
    o->inputs[o->n_inputs++] = operation->inputs[k];
  for (int k = 0; k < operation->n_outputs; k++)
    o->outputs[o->n_outputs++] = operation->first_output + k;
  return CUSP_OK;
}

cusp_status cusp_count_outside_uses(const cusp_lowering *l, int **out) {
  CUSP_TRY(cusp_arena_alloc((void **)out, &l->graph->arena,
                            ((size_t)l->graph->n_values + 1) * sizeof **out));
  for (int s = 0; s < l->n_steps; s++) {
    const cusp_unit *unit = &l->units[l->steps[s]];
    for (int i = 0; i < unit->n_members; i++) {
      const cusp_operation *operation = &l->graph->operations[unit->members[i]];
      for (int k = 0; k < operation->n_inputs; k++)
        if (!made_by(l, operation->inputs[k], l->steps[s]))
          (*out)[l->locations[operation->inputs[k]].root]++;
    }
  }
  for (int i = 0; i < l->graph->n_outputs; i++)
    (*out)[l->locations[l->outputs[i]].root]++;
  return CUSP_OK;
}
