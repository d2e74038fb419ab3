/* Plans: made from a graph by lowering it, kept, freed. */
#include "plan.h"
#include "../node/state.h"
#include "layout.h"
#include "plan_make.h"
#include "schedule.h"

static void free_lowering(cusp_lowering *l) {
  for (int i = 0; i < l->n_units; i++) {
    cusp_unit *unit = &l->units[i];
    if (unit->kind == CUSP_UNIT_CALL && unit->kernel && unit->kernel->release)
      unit->kernel->release(&unit->call);
    cusp_free(unit->members);
  }
  cusp_free(l->locations);
  cusp_free(l->units);
  cusp_free(l->edges);
  cusp_free(l->waiting);
}

static cusp_status keep_leaves(cusp_plan *plan, cusp_graph *graph) {
  plan->n_leaves = graph->n_leaves;
  CUSP_TRY(cusp_arena_alloc((void **)&plan->constants, &plan->memory,
                            (size_t)graph->n_leaves * sizeof *plan->constants));
  for (int i = 0; i < graph->n_leaves; i++) {
    if (!graph->leaves[i].constant)
      continue;
    plan->constants[i] = graph->leaves[i].array;
    if (plan->constants[i].storage)
      cusp_storage_retain(plan->constants[i].storage);
  }
  return CUSP_OK;
}

static cusp_status allocate_tables(cusp_plan *plan) {
  size_t slots = 1 + (size_t)plan->n_leaves + (size_t)plan->n_results, widest = 1;
  for (int i = 0; i < plan->n_steps; i++)
    if (plan->steps[i].fused &&
        (size_t)(plan->steps[i].n_inputs + plan->steps[i].n_outputs) > widest)
      widest = (size_t)(plan->steps[i].n_inputs + plan->steps[i].n_outputs);
  CUSP_TRY(cusp_arena_alloc((void **)&plan->bases, &plan->memory, slots * sizeof *plan->bases));
  CUSP_TRY(cusp_arena_alloc((void **)&plan->fresh, &plan->memory,
                            ((size_t)plan->n_results + 1) * sizeof *plan->fresh));
  CUSP_TRY(
      cusp_arena_alloc((void **)&plan->operands, &plan->memory, widest * sizeof *plan->operands));
  for (int i = 0; i < plan->n_leaves; i++)
    plan->bases[1 + i] = plan->constants[i].data;
  return CUSP_OK;
}

static cusp_status lower(cusp_plan *plan, cusp_graph *graph, const cusp_plan_options *options) {
  cusp_lowering l = {.graph = graph, .options = options, .outputs = graph->outputs};
  cusp_graph_count_uses(graph);
  cusp_status status = keep_leaves(plan, graph);
  if (status == CUSP_OK)
    status = cusp_lower_layout(&l);
  if (status == CUSP_OK)
    status = cusp_lower_schedule(&l);
  if (status == CUSP_OK)
    status = cusp_plan_make_steps(plan, &l);
  if (status == CUSP_OK)
    status = allocate_tables(plan);
  free_lowering(&l);
  return status;
}

static cusp_status provide_arena(cusp_plan *plan) {
  if (cusp_state()->plans_keep_memory)
    return cusp_alloc(&plan->kept, plan->arena_bytes);
  cusp_scratch_register(&plan->scratch, plan->arena_bytes);
  return CUSP_OK;
}

cusp_status cusp_plan_new(cusp_plan **out, cusp_graph *graph, const cusp_plan_options *options) {
  *out = NULL;
  cusp_plan *plan = NULL;
  cusp_status status = cusp_alloc_zeroed((void **)&plan, sizeof *plan);
  if (status == CUSP_OK) {
    status = lower(plan, graph, options);
    if (status == CUSP_OK && options->recurs && plan->arena_bytes)
      status = provide_arena(plan);
  }
  cusp_graph_free(graph);
  if (status != CUSP_OK) {
    cusp_plan_free(plan);
    return status;
  }
  cusp_state()->stats.plans_made++;
  *out = plan;
  return CUSP_OK;
}

void cusp_plan_free(cusp_plan *plan) {
  if (!plan)
    return;
  for (int i = 0; i < plan->n_steps; i++) {
    cusp_step *st = &plan->steps[i];
    cusp_fused_free(st->fused);
    if (st->kernel && st->kernel->release)
      st->kernel->release(&st->call);
  }
  for (int i = 0; plan->constants && i < plan->n_leaves; i++)
    cusp_array_release(&plan->constants[i]);
  cusp_scratch_unregister(&plan->scratch);
  cusp_free(plan->kept);
  cusp_arena_free(&plan->memory);
  cusp_free(plan);
}

bool cusp_plan_overwrites(const cusp_plan *plan, int output) {
  return plan->outputs[output].overwrites;
}
int cusp_plan_n_steps(const cusp_plan *plan) { return plan->n_steps; }

/* Backends do not say what their own objects take; a convolution of oneDNN's is some tens of
 * kilobytes. */
#define BACKEND_BYTES ((size_t)32 << 10)

size_t cusp_plan_kept_bytes(const cusp_plan *plan) {
  size_t bytes = 0;
  for (int i = 0; i < plan->n_steps; i++)
    bytes += plan->steps[i].call.kept_bytes;
  return bytes;
}

size_t cusp_plan_bytes(const cusp_plan *plan) {
  size_t bytes = sizeof *plan + cusp_arena_bytes(&plan->memory);
  for (int i = 0; i < plan->n_steps; i++) {
    const cusp_step *st = &plan->steps[i];
    bytes += st->fused                           ? cusp_block_size(st->fused)
             : st->kernel && st->kernel->release ? BACKEND_BYTES
                                                 : 0;
  }
  for (int i = 0; i < plan->n_leaves; i++) {
    const cusp_storage *storage = plan->constants[i].storage;
    bytes += storage && storage->references == 1 ? storage->bytes : 0;
  }
  return bytes;
}
