/* The loop that runs the steps of a plan. */
#include "plan_run.h"
#include "../base/clock.h"
#include "../base/subnormals.h"
#include "../node/source.h"
#include "../node/state.h"
#include "plan_parts.h"
#include "profile.h"

#include <stdio.h>

static inline void *at(const cusp_plan *plan, cusp_place where) {
  return (char *)plan->bases[where.slot] + where.offset;
}

static void run_fused(cusp_plan *plan, const cusp_step *st) {
  void **operands = plan->operands;
  for (int i = 0; i < st->n_inputs; i++)
    operands[i] = at(plan, st->inputs[i]);
  for (int i = 0; i < st->n_outputs; i++)
    operands[st->n_inputs + i] = at(plan, st->outputs[i]);
  cusp_fused_run(st->fused, (const void *const *)operands, operands + st->n_inputs,
                 at(plan, st->workspace));
}

/* Kernels may go through rows, and there may be 2^53 of them without an element. */
static cusp_status run_call(cusp_plan *plan, cusp_step *st) {
  if (st->empty) {
    plan->n_running += st->kernel->finish != NULL;
    return CUSP_OK;
  }
  for (int i = 0; i < st->n_inputs; i++)
    st->call.inputs[i].data = at(plan, st->inputs[i]);
  for (int i = 0; i < st->n_outputs; i++)
    st->call.outputs[i].data = at(plan, st->outputs[i]);
  st->call.workspace = at(plan, st->workspace);
  cusp_status status = st->kernel->run(&st->call);
  if (status != CUSP_OK)
    return cusp_fail_at_source(status, st->name, &st->origin);
  plan->n_running += st->kernel->finish != NULL;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ what steps only begin */

static cusp_status end_one(cusp_plan *plan, int index) {
  cusp_step *st = &plan->steps[index];
  cusp_profile *profile = cusp_state()->profile;
  cusp_span span;
  if (st->empty)
    return CUSP_OK;
  double start = profile ? cusp_monotonic_seconds() : 0;
  cusp_status status = st->kernel->finish(&st->call, &span);
  if (profile)
    cusp_profile_waited(profile, plan->profiled_first + 1 + index, start, &span);
  return status == CUSP_OK ? CUSP_OK : cusp_fail_at_source(status, st->name, &st->origin);
}

/* Ends the first `count` of them. */
static cusp_status end_begun(cusp_plan *plan, int count) {
  while (plan->n_ended < count)
    CUSP_TRY(end_one(plan, plan->begun[plan->n_ended++]));
  return CUSP_OK;
}

/* After a failure, which stays this thread's: what was begun writes to memory of this run. */
static cusp_status end_after(cusp_plan *plan, cusp_status failure) {
  char text[1024];
  cusp_span span;
  if (plan->n_ended == plan->n_running)
    return failure;
  snprintf(text, sizeof text, "%s", cusp_error_message());
  while (plan->n_ended < plan->n_running) {
    cusp_step *st = &plan->steps[plan->begun[plan->n_ended++]];
    if (!st->empty)
      (void)st->kernel->finish(&st->call, &span);
  }
  return cusp_fail(failure, "%s", text);
}

static cusp_status run_steps(cusp_plan *plan) {
  for (int i = 0; i < plan->n_steps; i++) {
    cusp_step *st = &plan->steps[i];
    if (st->awaits > plan->n_ended)
      CUSP_TRY(end_begun(plan, st->awaits));
    if (st->fused)
      run_fused(plan, st);
    else
      CUSP_TRY(run_call(plan, st));
  }
  return CUSP_OK;
}

static cusp_status run_profiled_steps(cusp_plan *plan) {
  cusp_profile *profile = cusp_state()->profile;
  for (int i = 0; i < plan->n_steps; i++) {
    cusp_step *st = &plan->steps[i];
    cusp_status status = CUSP_OK;
    CUSP_TRY(end_begun(plan, st->awaits));
    cusp_profile_frame frame = cusp_profile_enter(profile, plan->profiled_first + 1 + i);
    if (st->fused)
      run_fused(plan, st);
    else
      status = run_call(plan, st);
    cusp_profile_leave(profile, &frame);
    CUSP_TRY(status);
  }
  return CUSP_OK;
}

static cusp_status run_and_end(cusp_plan *plan, cusp_status (*steps)(cusp_plan *)) {
  plan->n_running = plan->n_ended = 0;
  cusp_status status = steps(plan);
  if (status == CUSP_OK)
    status = end_begun(plan, plan->n_running);
  return status == CUSP_OK ? CUSP_OK : end_after(plan, status);
}

static cusp_status take_arena(cusp_plan *plan) {
  if (plan->kept) {
    plan->arena = plan->kept;
    return CUSP_OK;
  }
  if (plan->scratch.link)
    return cusp_scratch_borrow(&plan->arena, &plan->scratch);
  return plan->arena_bytes ? cusp_alloc(&plan->arena, plan->arena_bytes) : CUSP_OK;
}

static void give_arena(cusp_plan *plan) {
  if (plan->scratch.link)
    cusp_scratch_return(plan->arena);
  else if (!plan->kept)
    cusp_free(plan->arena);
  plan->arena = NULL;
}

static bool has_destination(const cusp_plan *plan, const cusp_plan_io *io, int output) {
  return plan->outputs[output].own && io->destinations && io->destinations[output];
}

static cusp_status bind(cusp_plan *plan, const cusp_plan_io *io) {
  CUSP_TRY(take_arena(plan));
  plan->bases[0] = plan->arena;
  for (int i = 0; i < plan->n_leaves; i++)
    if (!plan->constants[i].data)
      plan->bases[1 + i] = io->leaves[i].data;
  for (int i = 0; i < plan->n_keepers; i++) {
    const cusp_keeper *keeper = &plan->keepers[i];
    plan->steps[keeper->step].call.inputs[keeper->input].storage = io->leaves[keeper->leaf].storage;
  }
  void **results = plan->bases + 1 + plan->n_leaves;
  for (int i = 0; i < plan->n_results; i++)
    results[i] = NULL;
  for (int i = 0; i < plan->n_outputs; i++)
    if (has_destination(plan, io, i))
      plan->bases[plan->outputs[i].where.slot] = io->destinations[i];
  for (int i = 0; i < plan->n_results; i++) {
    if (results[i])
      continue;
    CUSP_TRY(cusp_storage_new(&plan->fresh[i], plan->result_bytes[i]));
    results[i] = plan->fresh[i]->data;
  }
  return CUSP_OK;
}

/* The array of output `i`, with a reference to the storage behind it. */
static cusp_status fill_output(cusp_plan *plan, const cusp_plan_io *io, int i) {
  const cusp_plan_output *output = &plan->outputs[i];
  cusp_array *array = &io->results[i];
  if (has_destination(plan, io, i))
    return CUSP_OK;
  *array = output->array;
  array->data = at(plan, output->where);
  array->storage = NULL;
  if (output->where.slot > plan->n_leaves) {
    array->storage = plan->fresh[output->where.slot - 1 - plan->n_leaves];
    if (array->storage)
      cusp_storage_retain(array->storage);
    if (array->storage && array->dtype == CUSP_STRING)
      cusp_storage_watch_strings(array->storage);
    return CUSP_OK;
  }
  const cusp_array *leaf = plan->constants[output->where.slot - 1].data
                               ? &plan->constants[output->where.slot - 1]
                               : &io->leaves[output->where.slot - 1];
  array->storage = leaf->storage;
  if (array->storage) {
    cusp_storage_retain(array->storage);
    return CUSP_OK;
  }
  cusp_array copy; /* lent memory (a batch buffer) must not leave the run */
  CUSP_TRY(cusp_array_new(&copy, array->dtype, &array->shape));
  cusp_array_copy(&copy, array);
  *array = copy;
  return CUSP_OK;
}

static void drop_fresh(cusp_plan *plan) {
  for (int i = 0; i < plan->n_results; i++) {
    cusp_storage_release(plan->fresh[i]);
    plan->fresh[i] = NULL;
  }
}

static cusp_status run(cusp_plan *plan, const cusp_plan_io *io, cusp_status (*steps)(cusp_plan *)) {
  int filled = 0;
  cusp_status status = bind(plan, io);
  if (status == CUSP_OK)
    status = run_and_end(plan, steps);
  while (status == CUSP_OK && io->results && filled < plan->n_outputs)
    status = fill_output(plan, io, filled++);
  for (int i = 0; status != CUSP_OK && i < filled; i++)
    cusp_array_release(&io->results[i]);
  drop_fresh(plan);
  give_arena(plan);
  return status;
}

static cusp_status run_profiled(cusp_plan *plan, const cusp_plan_io *io, cusp_profile *profile) {
  CUSP_TRY(cusp_profile_add(profile, plan));
  cusp_profile_frame frame = cusp_profile_enter(profile, plan->profiled_first);
  cusp_status status = run(plan, io, run_profiled_steps);
  cusp_profile_leave(profile, &frame);
  return status;
}

cusp_status cusp_plan_run(cusp_plan *plan, const cusp_plan_io *io) {
  cusp_graph_state *state = cusp_state();
  state->stats.plans_run++;
  uint32_t mode = cusp_arithmetic_mode();
  cusp_set_arithmetic_mode(mode | CUSP_FLUSH);
  cusp_status status =
      state->profile ? run_profiled(plan, io, state->profile) : run(plan, io, run_steps);
  cusp_set_arithmetic_mode(mode);
  return status;
}
