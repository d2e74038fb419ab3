/* Units become the steps of a plan, in order of running. */
#include "plan_make.h"
#include "../node/signature.h"
#include "placing.h"
#include "program.h"
#include "units.h"
#include "work.h"

#include <string.h>

static cusp_status copy_places(cusp_placer *p, cusp_place **out, const int *values, int count) {
  CUSP_TRY(cusp_arena_alloc((void **)out, &p->plan->memory, (size_t)count * sizeof **out));
  for (int i = 0; i < count; i++)
    (*out)[i] = cusp_place_of(p, values[i]);
  return CUSP_OK;
}

static cusp_status copy_arrays(cusp_plan *plan, cusp_array **arrays, int count) {
  cusp_array *copy;
  CUSP_TRY(cusp_arena_alloc((void **)&copy, &plan->memory, (size_t)count * sizeof *copy));
  if (count)
    memcpy(copy, *arrays, (size_t)count * sizeof *copy);
  *arrays = copy;
  return CUSP_OK;
}

static bool gives_nothing(const cusp_call *call) {
  for (int i = 0; i < call->n_outputs; i++)
    if (cusp_shape_count(&call->outputs[i].shape) > 0)
      return false;
  return call->n_outputs > 0;
}

/* The call outlives the graph: its attributes and arrays move into the plan's memory. */
static cusp_status keep_call(cusp_plan *plan, cusp_step *st, cusp_unit *unit) {
  st->kernel = unit->kernel;
  st->call = unit->call;
  unit->call.state = NULL;
  unit->kernel = NULL; /* the step releases it from now on */
  CUSP_TRY(copy_arrays(plan, &st->call.inputs, st->call.n_inputs));
  CUSP_TRY(copy_arrays(plan, &st->call.outputs, st->call.n_outputs));
  const cusp_signature *signature = cusp_op_signature(st->call.op);
  cusp_attr *attrs;
  CUSP_TRY(
      cusp_arena_alloc((void **)&attrs, &plan->memory, (size_t)signature->n_attrs * sizeof *attrs));
  for (int i = 0; i < signature->n_attrs; i++) {
    attrs[i] = st->call.attrs[i];
    size_t bytes = attrs[i].kind == CUSP_ATTR_INTS     ? (size_t)attrs[i].count * sizeof(int64_t)
                   : attrs[i].kind == CUSP_ATTR_STRING ? strlen(attrs[i].string) + 1
                                                       : 0;
    void *copy;
    if (attrs[i].kind != CUSP_ATTR_INTS && attrs[i].kind != CUSP_ATTR_STRING)
      continue;
    CUSP_TRY(cusp_arena_alloc(&copy, &plan->memory, bytes));
    memcpy(copy, attrs[i].kind == CUSP_ATTR_INTS ? (const void *)attrs[i].ints : attrs[i].string,
           bytes);
    if (attrs[i].kind == CUSP_ATTR_INTS)
      attrs[i].ints = copy;
    else
      attrs[i].string = copy;
  }
  st->call.attrs = attrs;
  return CUSP_OK;
}

static cusp_status keep_facts(cusp_plan *plan, cusp_step *st, const cusp_lowering *l,
                              const cusp_unit *unit, const cusp_operands *o) {
  cusp_facts *facts;
  CUSP_TRY(cusp_arena_alloc((void **)&facts, &plan->memory, sizeof *facts));
  CUSP_TRY(cusp_arena_alloc((void **)&facts->parts, &plan->memory,
                            (size_t)unit->n_members * sizeof *facts->parts));
  for (int i = 0; i < unit->n_members; i++) {
    const cusp_operation *operation = &l->graph->operations[unit->members[i]];
    facts->parts[facts->n_parts++] = (cusp_part){operation->op, operation->origin};
  }
  facts->shape = unit->shape;
  facts->dtype = l->locations[o->outputs[0]].array.dtype;
  facts->work = (double)cusp_shape_count(&unit->shape) * unit->n_members;
  for (int i = 0; i < o->n_inputs; i++)
    facts->bytes += cusp_bytes_of(&l->locations[o->inputs[i]].array);
  for (int i = 0; i < o->n_outputs; i++)
    facts->bytes += cusp_bytes_of(&l->locations[o->outputs[i]].array);
  st->facts = facts;
  return CUSP_OK;
}

static int begun_by(const cusp_lowering *l, int value) {
  int unit = cusp_unit_of(l, value);
  return unit < 0 ? 0 : l->units[cusp_unit_find(l, unit)].begins;
}

static bool is_unread(const cusp_placer *p, int s, const cusp_operands *o) {
  const cusp_place where = p->places[o->outputs[0]];
  return where.slot == 0 && p->last_use[o->outputs[0]] <= s;
}

/* A step comes after the end of what it reads; of what nobody reads, before its memory is given to
 * another. */
static void note_begun(cusp_placer *p, int s, cusp_step *st, const cusp_operands *o) {
  cusp_plan *plan = p->plan;
  const cusp_lowering *l = p->lowering;
  st->awaits = p->awaited;
  for (int i = 0; i < o->n_inputs; i++) {
    int begun = begun_by(l, o->inputs[i]);
    st->awaits = begun > st->awaits ? begun : st->awaits;
  }
  if (l->units[l->steps[s]].begins)
    plan->begun[plan->n_begun++] = plan->n_steps - 1;
  p->awaited = l->units[l->steps[s]].begins && is_unread(p, s, o) ? plan->n_begun : st->awaits;
}

static cusp_status make_step(cusp_placer *p, int s, const int *outside_uses, cusp_operands *o,
                             cusp_fused_program *program) {
  cusp_lowering *l = p->lowering;
  cusp_unit *unit = &l->units[l->steps[s]];
  cusp_step *st = &p->plan->steps[p->plan->n_steps++];
  const cusp_operation *last = &l->graph->operations[unit->members[unit->n_members - 1]];
  st->name = last->op->name;
  st->origin = last->origin;
  size_t workspace;
  if (unit->kind == CUSP_UNIT_FUSED) {
    CUSP_TRY(cusp_operands_of_fused(l, l->steps[s], outside_uses, o));
    cusp_program_build(l, unit, o, program);
    CUSP_TRY(cusp_fused_new(&st->fused, program));
    CUSP_TRY(keep_facts(p->plan, st, l, unit, o));
    workspace = cusp_fused_workspace(st->fused);
  } else {
    CUSP_TRY(cusp_operands_of_call(l, l->steps[s], o));
    CUSP_TRY(keep_call(p->plan, st, unit));
    st->empty = gives_nothing(&st->call);
    workspace = st->call.workspace_bytes;
  }
  st->n_inputs = o->n_inputs;
  st->n_outputs = o->n_outputs;
  CUSP_TRY(copy_places(p, &st->inputs, o->inputs, o->n_inputs));
  for (int i = 0; i < o->n_outputs; i++)
    CUSP_TRY(cusp_place_output(p, s, st, o, i));
  CUSP_TRY(copy_places(p, &st->outputs, o->outputs, o->n_outputs));
  note_begun(p, s, st, o);
  st->arena_in_use = p->in_use + (int64_t)workspace;
  if (workspace) { /* free again at once: no other step runs meanwhile */
    CUSP_TRY(cusp_place_take(p, (int64_t)workspace, &st->workspace.offset));
    CUSP_TRY(cusp_place_give(p, st->workspace.offset, (int64_t)workspace));
  }
  for (int i = 0; i < o->n_inputs; i++)
    CUSP_TRY(cusp_place_free_if_last(p, s, o->inputs[i]));
  for (int i = 0; i < o->n_outputs; i++)
    CUSP_TRY(cusp_place_free_if_last(p, s, o->outputs[i])); /* outputs that nobody reads */
  return CUSP_OK;
}

static int keeps(const cusp_step *st, int input) {
  return st->kernel && st->kernel->keeps && input < 64 && (st->call.steady >> input & 1);
}

/* The leaves behind the inputs that steps keep forms of. */
static cusp_status list_keepers(cusp_plan *plan) {
  int count = 0;
  for (int s = 0; s < plan->n_steps; s++)
    for (int i = 0; i < plan->steps[s].n_inputs; i++)
      count += keeps(&plan->steps[s], i);
  CUSP_TRY(cusp_arena_alloc((void **)&plan->keepers, &plan->memory,
                            ((size_t)count + 1) * sizeof *plan->keepers));
  for (int s = 0; s < plan->n_steps; s++)
    for (int i = 0; i < plan->steps[s].n_inputs; i++)
      if (keeps(&plan->steps[s], i))
        plan->keepers[plan->n_keepers++] = (cusp_keeper){s, i, plan->steps[s].inputs[i].slot - 1};
  return CUSP_OK;
}

cusp_status cusp_plan_make_steps(cusp_plan *plan, cusp_lowering *l) {
  cusp_placer p = {.lowering = l, .plan = plan};
  int *outside_uses;
  cusp_fused_program *program = NULL;
  CUSP_TRY(cusp_find_last_uses(&p));
  CUSP_TRY(cusp_place_results(&p));
  CUSP_TRY(cusp_count_outside_uses(l, &outside_uses));
  CUSP_TRY(cusp_arena_alloc((void **)&plan->steps, &plan->memory,
                            ((size_t)l->n_steps + 1) * sizeof *plan->steps));
  CUSP_TRY(cusp_arena_alloc((void **)&plan->begun, &plan->memory,
                            ((size_t)l->n_begun + 1) * sizeof *plan->begun));
  CUSP_TRY(cusp_alloc((void **)&program, sizeof *program));
  cusp_status status = CUSP_OK;
  for (int s = 0; status == CUSP_OK && s < l->n_steps; s++) {
    cusp_operands o = {0};
    status = make_step(&p, s, outside_uses, &o, program);
    cusp_free(o.inputs);
    cusp_free(o.outputs);
  }
  cusp_free(program);
  cusp_free(p.free_blocks);
  return status == CUSP_OK ? list_keepers(plan) : status;
}
