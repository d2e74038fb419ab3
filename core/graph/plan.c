/* Plans: places in memory for what the units compute, and the loop that runs them. */
#include "plan.h"

#include "../base/text.h"
#include "../kernels/reduce.h"
#include "../node/signature.h"
#include "../node/state.h"
#include "lower.h"
#include "scratch.h"

#include <string.h>

/** A place: memory `slot` (0: the arena, then leaves, then results) at an offset in bytes. */
typedef struct place {
  int slot;
  int64_t offset;
} place;

typedef struct step {
  cusp_fused *fused; /* or a call: */
  const cusp_kernel *kernel;
  cusp_call call;
  int n_inputs, n_outputs;
  place *inputs, *outputs;
  place workspace;
  const char *name, *file;
  int line;
} step;

typedef struct plan_output {
  cusp_array array; /* shape and strides */
  place where;
  bool overwrites, own;
} plan_output;

struct cusp_plan {
  cusp_arena memory; /* holds the lists below */
  int n_leaves, n_results, n_outputs, n_steps;
  cusp_array *constants; /* by leaf; data NULL: not a constant */
  size_t *result_bytes;  /* by result slot */
  plan_output *outputs;
  step *steps;
  void **bases;         /* by slot */
  void **operands;      /* scratch for fused steps' pointers */
  cusp_storage **fresh; /* by result, during a run */
  size_t arena_bytes;
  void *arena; /* borrowed for a run */
  cusp_scratch_user scratch;
};

/* ------------------------------------------------------------------ placing */

typedef struct block {
  int64_t offset, bytes;
} block;

/* Where root values are put, step by step: a first-fit list of free blocks of the arena. */
typedef struct placer {
  cusp_lowering *lowering;
  cusp_plan *plan;
  place *places;  /* by value, for roots */
  int *last_use;  /* by value, for roots: the last step that reads it */
  int64_t *sizes; /* bytes taken in the arena, by value */
  block *free_blocks;
  int n_free, free_capacity;
} placer;

static int64_t rounded(int64_t bytes) { return (bytes + CUSP_ALIGNMENT - 1) & ~(int64_t)(CUSP_ALIGNMENT - 1); }

static cusp_status take(placer *p, int64_t bytes, int64_t *offset) {
  bytes = rounded(bytes);
  for (int i = 0; i < p->n_free; i++) {
    block *b = &p->free_blocks[i];
    if (b->bytes < bytes)
      continue;
    *offset = b->offset;
    b->offset += bytes;
    b->bytes -= bytes;
    return CUSP_OK;
  }
  *offset = (int64_t)p->plan->arena_bytes;
  p->plan->arena_bytes += (size_t)bytes;
  return CUSP_OK;
}

static cusp_status give(placer *p, int64_t offset, int64_t bytes) {
  bytes = rounded(bytes);
  for (int i = 0; i < p->n_free; i++) {
    block *b = &p->free_blocks[i];
    if (b->offset + b->bytes == offset) {
      b->bytes += bytes;
      return CUSP_OK;
    }
    if (offset + bytes == b->offset) {
      b->offset = offset;
      b->bytes += bytes;
      return CUSP_OK;
    }
  }
  CUSP_TRY(CUSP_GROW(p->free_blocks, p->free_capacity, p->n_free + 1));
  p->free_blocks[p->n_free++] = (block){offset, bytes};
  return CUSP_OK;
}

static int64_t value_bytes(const cusp_lowering *l, int value) {
  const cusp_type *type = &l->graph->values[value].type;
  return cusp_shape_count(&type->shape) * (int64_t)cusp_dtype_size(type->dtype);
}

static place place_of(const placer *p, int value) {
  const cusp_location *location = &p->lowering->locations[value];
  place where = p->places[location->root];
  where.offset += cusp_location_offset(location);
  return where;
}

/* ------------------------------------------------------------------ what a unit reads and writes */

typedef struct operands {
  int *inputs, n_inputs, inputs_capacity;
  int *outputs, n_outputs, outputs_capacity;
} operands;

static bool made_by(const cusp_lowering *l, int value, int unit) { return l->locations[value].unit == unit && !l->locations[value].view; }

static cusp_status add_once(int **list, int *count, int *capacity, int value) {
  for (int i = 0; i < *count; i++)
    if ((*list)[i] == value)
      return CUSP_OK;
  CUSP_TRY(cusp_grow((void **)list, capacity, *count + 1, sizeof **list));
  (*list)[(*count)++] = value;
  return CUSP_OK;
}

static cusp_status fused_operands(const cusp_lowering *l, int index, const int *outside_uses, operands *o) {
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

static cusp_status call_operands(const cusp_lowering *l, int index, operands *o) {
  const cusp_operation *operation = &l->graph->operations[l->units[index].members[0]];
  CUSP_TRY(cusp_grow((void **)&o->inputs, &o->inputs_capacity, operation->n_inputs, sizeof *o->inputs));
  CUSP_TRY(cusp_grow((void **)&o->outputs, &o->outputs_capacity, operation->n_outputs, sizeof *o->outputs));
  for (int k = 0; k < operation->n_inputs; k++)
    o->inputs[o->n_inputs++] = operation->inputs[k];
  for (int k = 0; k < operation->n_outputs; k++)
    o->outputs[o->n_outputs++] = operation->first_output + k;
  return CUSP_OK;
}

/* Readers of each value outside the unit that makes it; graph outputs count. */
static cusp_status count_outside_uses(const cusp_lowering *l, int **out) {
  CUSP_TRY(cusp_arena_alloc((void **)out, &l->graph->arena, ((size_t)l->graph->n_values + 1) * sizeof **out));
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

/* ------------------------------------------------------------------ fused programs */

static int register_of(const operands *o, const int *registers, const cusp_unit *unit, const cusp_graph *graph, int value) {
  for (int i = 0; i < o->n_inputs; i++)
    if (o->inputs[i] == value)
      return i;
  for (int i = 0; i < unit->n_members; i++)
    if (graph->operations[unit->members[i]].first_output == value)
      return registers[i];
  return -1;
}

static void broadcast_strides(const cusp_array *array, const cusp_shape *shape, int64_t strides[CUSP_MAX_DIMS]) {
  cusp_array wide;
  cusp_array_broadcast(&wide, array, shape);
  memcpy(strides, wide.strides, sizeof wide.strides);
}

static cusp_vector_fn function_of(const cusp_graph *graph, const cusp_operation *operation) {
  cusp_dtype from = graph->values[operation->inputs[operation->n_inputs - 1]].type.dtype;
  cusp_dtype to = graph->values[operation->first_output].type.dtype;
  if (operation->op->vector == CUSP_VECTOR_copy && from != to)
    return cusp_vector_find_cast(from, to);
  return cusp_vector_find((cusp_vector_id)operation->op->vector, from);
}

static void build_program(const cusp_lowering *l, const cusp_unit *unit, const operands *o, cusp_fused_program *program) {
  int registers[CUSP_FUSED_MAX_REGISTERS];
  memset(program, 0, sizeof *program);
  program->shape = unit->shape;
  program->n_inputs = program->n_registers = o->n_inputs;
  memcpy(program->reduced_axis, unit->reduced_axis, sizeof program->reduced_axis);
  for (int i = 0; i < o->n_inputs; i++) {
    program->input_dtype[i] = l->locations[o->inputs[i]].array.dtype;
    broadcast_strides(&l->locations[o->inputs[i]].array, &unit->shape, program->input_strides[i]);
  }
  for (int i = 0; i < unit->n_members; i++) {
    const cusp_operation *operation = &l->graph->operations[unit->members[i]];
    if (operation->op->flags & CUSP_OP_REDUCTION) {
      registers[i] = register_of(o, registers, unit, l->graph, operation->inputs[0]);
      continue;
    }
    cusp_fused_instruction *instruction = &program->instructions[program->n_instructions++];
    instruction->function = function_of(l->graph, operation);
    instruction->dtype = l->graph->values[operation->first_output].type.dtype;
    instruction->arity = (int8_t)operation->n_inputs;
    for (int k = 0; k < operation->n_inputs; k++)
      instruction->operand[k] = (int16_t)register_of(o, registers, unit, l->graph, operation->inputs[k]);
    registers[i] = instruction->result = (int16_t)program->n_registers++;
  }
  for (int i = 0; i < o->n_outputs; i++) {
    const cusp_operation *producer = cusp_graph_producer(l->graph, o->outputs[i]);
    program->output_register[i] = (int16_t)register_of(o, registers, unit, l->graph, o->outputs[i]);
    program->output_reducer[i] = producer->op->flags & CUSP_OP_REDUCTION ? (int16_t)producer->op->reducer : CUSP_REDUCE_NONE;
  }
  program->n_outputs = o->n_outputs;
}

/* ------------------------------------------------------------------ steps */

/* An output may take the memory of an input that dies in this step and is read element for element. */
static bool can_take_over(const placer *p, int s, const step *st, const operands *o, int output, int input) {
  const cusp_lowering *l = p->lowering;
  int from = o->inputs[input], to = o->outputs[output], root = l->locations[from].root;
  if (p->places[root].slot != 0 || p->last_use[root] != s || p->sizes[root] == 0 || !cusp_location_is_whole(l, from))
    return false;
  if (cusp_dtype_size(l->locations[from].array.dtype) != cusp_dtype_size(l->locations[to].array.dtype) ||
      value_bytes(l, to) != value_bytes(l, root))
    return false;
  for (int i = 0; i < o->n_inputs; i++)
    if (i != input && l->locations[o->inputs[i]].root == root)
      return false;
  if (!st->fused)
    return output == 0 && input < 64 && (st->call.in_place >> input & 1);
  const cusp_operation *producer = cusp_graph_producer(l->graph, to);
  return !(producer->op->flags & CUSP_OP_REDUCTION) && cusp_shape_equal(&l->locations[from].array.shape, &l->locations[to].array.shape);
}

static cusp_status place_output(placer *p, int s, const step *st, const operands *o, int output) {
  int value = o->outputs[output];
  if (p->places[value].slot > 0)
    return CUSP_OK; /* a result, placed before */
  for (int i = 0; i < o->n_inputs; i++) {
    if (!can_take_over(p, s, st, o, output, i))
      continue;
    int root = p->lowering->locations[o->inputs[i]].root;
    p->places[value] = p->places[root];
    p->sizes[value] = p->sizes[root];
    p->sizes[root] = 0;
    return CUSP_OK;
  }
  p->sizes[value] = value_bytes(p->lowering, value);
  p->sizes[value] = p->sizes[value] ? p->sizes[value] : 1;
  return take(p, p->sizes[value], &p->places[value].offset);
}

static cusp_status free_if_last(placer *p, int s, int value) {
  int root = p->lowering->locations[value].root;
  if (p->places[root].slot != 0 || p->last_use[root] > s || p->sizes[root] == 0)
    return CUSP_OK;
  int64_t bytes = p->sizes[root];
  p->sizes[root] = 0;
  return give(p, p->places[root].offset, bytes);
}

static cusp_status copy_places(placer *p, place **out, const int *values, int count) {
  CUSP_TRY(cusp_arena_alloc((void **)out, &p->plan->memory, (size_t)count * sizeof **out));
  for (int i = 0; i < count; i++)
    (*out)[i] = place_of(p, values[i]);
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

/* The call outlives the graph: its attributes and arrays move into the plan's memory. */
static cusp_status keep_call(cusp_plan *plan, step *st, cusp_unit *unit) {
  st->kernel = unit->kernel;
  st->call = unit->call;
  unit->call.state = NULL;
  unit->kernel = NULL; /* the step releases it from now on */
  CUSP_TRY(copy_arrays(plan, &st->call.inputs, st->call.n_inputs));
  CUSP_TRY(copy_arrays(plan, &st->call.outputs, st->call.n_outputs));
  const cusp_signature *signature = cusp_op_signature(st->call.op);
  cusp_attr *attrs;
  CUSP_TRY(cusp_arena_alloc((void **)&attrs, &plan->memory, (size_t)signature->n_attrs * sizeof *attrs));
  for (int i = 0; i < signature->n_attrs; i++) {
    attrs[i] = st->call.attrs[i];
    size_t bytes = attrs[i].kind == CUSP_ATTR_INTS     ? (size_t)attrs[i].count * sizeof(int64_t)
                   : attrs[i].kind == CUSP_ATTR_STRING ? strlen(attrs[i].string) + 1
                                                       : 0;
    void *copy;
    if (attrs[i].kind != CUSP_ATTR_INTS && attrs[i].kind != CUSP_ATTR_STRING)
      continue;
    CUSP_TRY(cusp_arena_alloc(&copy, &plan->memory, bytes));
    memcpy(copy, attrs[i].kind == CUSP_ATTR_INTS ? (const void *)attrs[i].ints : attrs[i].string, bytes);
    if (attrs[i].kind == CUSP_ATTR_INTS)
      attrs[i].ints = copy;
    else
      attrs[i].string = copy;
  }
  st->call.attrs = attrs;
  return CUSP_OK;
}

static cusp_status make_step(placer *p, int s, const int *outside_uses, operands *o, cusp_fused_program *program) {
  cusp_lowering *l = p->lowering;
  cusp_unit *unit = &l->units[l->steps[s]];
  step *st = &p->plan->steps[p->plan->n_steps++];
  const cusp_operation *last = &l->graph->operations[unit->members[unit->n_members - 1]];
  st->name = last->op->name;
  st->file = last->file;
  st->line = last->line;
  size_t workspace;
  if (unit->kind == CUSP_UNIT_FUSED) {
    CUSP_TRY(fused_operands(l, l->steps[s], outside_uses, o));
    build_program(l, unit, o, program);
    CUSP_TRY(cusp_fused_new(&st->fused, program));
    workspace = cusp_fused_workspace(st->fused);
  } else {
    CUSP_TRY(call_operands(l, l->steps[s], o));
    CUSP_TRY(keep_call(p->plan, st, unit));
    workspace = st->call.workspace_bytes;
  }
  st->n_inputs = o->n_inputs;
  st->n_outputs = o->n_outputs;
  CUSP_TRY(copy_places(p, &st->inputs, o->inputs, o->n_inputs));
  for (int i = 0; i < o->n_outputs; i++)
    CUSP_TRY(place_output(p, s, st, o, i));
  CUSP_TRY(copy_places(p, &st->outputs, o->outputs, o->n_outputs));
  if (workspace) {
    CUSP_TRY(take(p, (int64_t)workspace, &st->workspace.offset));
    CUSP_TRY(give(p, st->workspace.offset, (int64_t)workspace));
  }
  for (int i = 0; i < o->n_inputs; i++)
    CUSP_TRY(free_if_last(p, s, o->inputs[i]));
  for (int i = 0; i < o->n_outputs; i++)
    CUSP_TRY(free_if_last(p, s, o->outputs[i])); /* outputs that nobody reads */
  return CUSP_OK;
}

/* ------------------------------------------------------------------ making a plan */

static cusp_status find_last_uses(placer *p) {
  const cusp_lowering *l = p->lowering;
  size_t n = (size_t)l->graph->n_values + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&p->places, &l->graph->arena, n * sizeof *p->places));
  CUSP_TRY(cusp_arena_alloc((void **)&p->sizes, &l->graph->arena, n * sizeof *p->sizes));
  CUSP_TRY(cusp_arena_alloc((void **)&p->last_use, &l->graph->arena, n * sizeof *p->last_use));
  memset(p->last_use, -1, n * sizeof *p->last_use);
  for (int s = 0; s < l->n_steps; s++) {
    const cusp_unit *unit = &l->units[l->steps[s]];
    for (int i = 0; i < unit->n_members; i++) {
      const cusp_operation *operation = &l->graph->operations[unit->members[i]];
      for (int k = 0; k < operation->n_inputs; k++)
        p->last_use[l->locations[operation->inputs[k]].root] = s;
    }
  }
  for (int i = 0; i < l->graph->n_leaves; i++)
    p->places[l->graph->leaves[i].value].slot = 1 + i;
  return CUSP_OK;
}

static bool is_leaf_value(const cusp_lowering *l, int value) { return l->graph->values[value].kind == CUSP_VALUE_LEAF; }

/* Roots of outputs get memory of their own, one result slot each. */
static cusp_status place_results(placer *p) {
  const cusp_lowering *l = p->lowering;
  cusp_plan *plan = p->plan;
  CUSP_TRY(cusp_arena_alloc((void **)&plan->outputs, &plan->memory, (size_t)l->graph->n_outputs * sizeof *plan->outputs));
  CUSP_TRY(cusp_arena_alloc((void **)&plan->result_bytes, &plan->memory, (size_t)l->graph->n_outputs * sizeof *plan->result_bytes));
  for (int i = 0; i < l->graph->n_outputs; i++) {
    const cusp_location *location = &l->locations[l->outputs[i]];
    if (!is_leaf_value(l, location->root) && p->places[location->root].slot == 0) {
      p->places[location->root].slot = 1 + plan->n_leaves + plan->n_results;
      plan->result_bytes[plan->n_results++] = (size_t)value_bytes(l, location->root);
    }
    plan->outputs[i] = (plan_output){.array = location->array, .where = place_of(p, l->outputs[i])};
    plan->outputs[i].overwrites = l->overwrites[i];
    plan->outputs[i].own = cusp_output_is_own(l, i);
  }
  plan->n_outputs = l->graph->n_outputs;
  return CUSP_OK;
}

static cusp_status keep_leaves(cusp_plan *plan, cusp_graph *graph) {
  plan->n_leaves = graph->n_leaves;
  CUSP_TRY(cusp_arena_alloc((void **)&plan->constants, &plan->memory, (size_t)graph->n_leaves * sizeof *plan->constants));
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
    if (plan->steps[i].fused && (size_t)(plan->steps[i].n_inputs + plan->steps[i].n_outputs) > widest)
      widest = (size_t)(plan->steps[i].n_inputs + plan->steps[i].n_outputs);
  CUSP_TRY(cusp_arena_alloc((void **)&plan->bases, &plan->memory, slots * sizeof *plan->bases));
  CUSP_TRY(cusp_arena_alloc((void **)&plan->fresh, &plan->memory, ((size_t)plan->n_results + 1) * sizeof *plan->fresh));
  CUSP_TRY(cusp_arena_alloc((void **)&plan->operands, &plan->memory, widest * sizeof *plan->operands));
  for (int i = 0; i < plan->n_leaves; i++)
    plan->bases[1 + i] = plan->constants[i].data;
  return CUSP_OK;
}

static cusp_status place_steps(cusp_plan *plan, cusp_lowering *l) {
  placer p = {.lowering = l, .plan = plan};
  int *outside_uses;
  cusp_fused_program *program = NULL;
  CUSP_TRY(find_last_uses(&p));
  CUSP_TRY(place_results(&p));
  CUSP_TRY(count_outside_uses(l, &outside_uses));
  CUSP_TRY(cusp_arena_alloc((void **)&plan->steps, &plan->memory, ((size_t)l->n_steps + 1) * sizeof *plan->steps));
  CUSP_TRY(cusp_alloc((void **)&program, sizeof *program));
  cusp_status status = CUSP_OK;
  for (int s = 0; status == CUSP_OK && s < l->n_steps; s++) {
    operands o = {0};
    status = make_step(&p, s, outside_uses, &o, program);
    cusp_free(o.inputs);
    cusp_free(o.outputs);
  }
  cusp_free(program);
  cusp_free(p.free_blocks);
  return status;
}

void cusp_lowering_free(cusp_lowering *l) {
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

static cusp_status lower(cusp_plan *plan, cusp_graph *graph, const cusp_plan_options *options) {
  cusp_lowering l = {.graph = graph, .options = options, .outputs = graph->outputs};
  cusp_graph_count_uses(graph);
  cusp_status status = keep_leaves(plan, graph);
  if (status == CUSP_OK)
    status = cusp_lower_layout(&l);
  if (status == CUSP_OK)
    status = cusp_lower_schedule(&l);
  if (status == CUSP_OK)
    status = place_steps(plan, &l);
  if (status == CUSP_OK)
    status = allocate_tables(plan);
  cusp_lowering_free(&l);
  return status;
}

cusp_status cusp_plan_new(cusp_plan **out, cusp_graph *graph, const cusp_plan_options *options) {
  *out = NULL;
  cusp_plan *plan = NULL;
  cusp_status status = cusp_alloc_zeroed((void **)&plan, sizeof *plan);
  if (status == CUSP_OK) {
    status = lower(plan, graph, options);
    if (status == CUSP_OK && options->recurs && plan->arena_bytes)
      cusp_scratch_register(&plan->scratch, plan->arena_bytes);
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
    step *st = &plan->steps[i];
    cusp_fused_free(st->fused);
    if (st->kernel && st->kernel->release)
      st->kernel->release(&st->call);
  }
  for (int i = 0; plan->constants && i < plan->n_leaves; i++)
    cusp_array_release(&plan->constants[i]);
  cusp_scratch_unregister(&plan->scratch);
  cusp_arena_free(&plan->memory);
  cusp_free(plan);
}

bool cusp_plan_overwrites(const cusp_plan *plan, int output) { return plan->outputs[output].overwrites; }
int cusp_plan_n_steps(const cusp_plan *plan) { return plan->n_steps; }

/* Backends do not say what their own objects take; a convolution of oneDNN's is some tens of kilobytes. */
#define BACKEND_BYTES ((size_t)32 << 10)

size_t cusp_plan_bytes(const cusp_plan *plan) {
  size_t bytes = sizeof *plan + cusp_arena_bytes(&plan->memory);
  for (int i = 0; i < plan->n_steps; i++) {
    const step *st = &plan->steps[i];
    bytes += st->fused ? cusp_block_size(st->fused) : st->kernel && st->kernel->release ? BACKEND_BYTES : 0;
  }
  for (int i = 0; i < plan->n_leaves; i++) {
    const cusp_storage *storage = plan->constants[i].storage;
    bytes += storage && storage->references == 1 ? storage->bytes : 0;
  }
  return bytes;
}

/* ------------------------------------------------------------------ running */

static inline void *at(const cusp_plan *plan, place where) { return (char *)plan->bases[where.slot] + where.offset; }

static void run_fused(cusp_plan *plan, const step *st) {
  void **operands = plan->operands;
  for (int i = 0; i < st->n_inputs; i++)
    operands[i] = at(plan, st->inputs[i]);
  for (int i = 0; i < st->n_outputs; i++)
    operands[st->n_inputs + i] = at(plan, st->outputs[i]);
  cusp_fused_run(st->fused, (const void *const *)operands, operands + st->n_inputs, at(plan, st->workspace));
}

static cusp_status run_call(cusp_plan *plan, step *st) {
  for (int i = 0; i < st->n_inputs; i++)
    st->call.inputs[i].data = at(plan, st->inputs[i]);
  for (int i = 0; i < st->n_outputs; i++)
    st->call.outputs[i].data = at(plan, st->outputs[i]);
  st->call.workspace = at(plan, st->workspace);
  cusp_status status = st->kernel->run(&st->call);
  if (status != CUSP_OK)
    return st->file ? cusp_fail_prefix(status, "%s (made at %s:%d): ", st->name, st->file, st->line)
                    : cusp_fail_prefix(status, "%s: ", st->name);
  return CUSP_OK;
}

static cusp_status run_steps(cusp_plan *plan) {
  for (int i = 0; i < plan->n_steps; i++) {
    step *st = &plan->steps[i];
    if (st->fused)
      run_fused(plan, st);
    else
      CUSP_TRY(run_call(plan, st));
  }
  return CUSP_OK;
}

static cusp_status take_arena(cusp_plan *plan) {
  if (plan->scratch.link)
    return cusp_scratch_borrow(&plan->arena, &plan->scratch);
  return plan->arena_bytes ? cusp_alloc(&plan->arena, plan->arena_bytes) : CUSP_OK;
}

static void give_arena(cusp_plan *plan) {
  if (plan->scratch.link)
    cusp_scratch_return(plan->arena);
  else
    cusp_free(plan->arena);
  plan->arena = NULL;
}

static cusp_status bind(cusp_plan *plan, const cusp_plan_io *io) {
  CUSP_TRY(take_arena(plan));
  plan->bases[0] = plan->arena;
  for (int i = 0; i < plan->n_leaves; i++)
    if (!plan->constants[i].data)
      plan->bases[1 + i] = io->leaves[i].data;
  void **results = plan->bases + 1 + plan->n_leaves;
  for (int i = 0; i < plan->n_results; i++)
    results[i] = NULL;
  for (int i = 0; i < plan->n_outputs; i++)
    if (plan->outputs[i].own && io->destinations && io->destinations[i])
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
  const plan_output *output = &plan->outputs[i];
  cusp_array *array = &io->results[i];
  *array = output->array;
  array->data = at(plan, output->where);
  array->storage = NULL;
  if (output->where.slot > plan->n_leaves) {
    array->storage = plan->fresh[output->where.slot - 1 - plan->n_leaves];
    if (array->storage)
      cusp_storage_retain(array->storage);
    return CUSP_OK;
  }
  const cusp_array *leaf =
      plan->constants[output->where.slot - 1].data ? &plan->constants[output->where.slot - 1] : &io->leaves[output->where.slot - 1];
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

cusp_status cusp_plan_run(cusp_plan *plan, const cusp_plan_io *io) {
  int filled = 0;
  cusp_status status = bind(plan, io);
  if (status == CUSP_OK)
    status = run_steps(plan);
  while (status == CUSP_OK && filled < plan->n_outputs)
    status = fill_output(plan, io, filled++);
  for (int i = 0; status != CUSP_OK && i < filled; i++)
    cusp_array_release(&io->results[i]);
  drop_fresh(plan);
  give_arena(plan);
  cusp_graph_stats *stats = &cusp_state()->stats;
  stats->plans_run++;
  return status;
}

/* ------------------------------------------------------------------ printing */

static void text_place(cusp_text *text, const cusp_plan *plan, place where) {
  if (where.slot == 0)
    cusp_text_add(text, "arena+%lld", (long long)where.offset);
  else if (where.slot <= plan->n_leaves)
    cusp_text_add(text, "%s%d", plan->constants[where.slot - 1].data ? "constant" : "leaf", where.slot - 1);
  else
    cusp_text_add(text, "result%d", where.slot - 1 - plan->n_leaves);
}

static void text_places(cusp_text *text, const cusp_plan *plan, const place *places, int count) {
  for (int i = 0; i < count; i++) {
    cusp_text_add(text, i ? ", " : "");
    text_place(text, plan, places[i]);
  }
}

cusp_status cusp_plan_text(const cusp_plan *plan, char **out) {
  cusp_text text = {0};
  for (int i = 0; i < plan->n_steps; i++) {
    const step *st = &plan->steps[i];
    if (st->fused)
      cusp_text_add(&text, "%3d  fused (ends in %s)  ", i + 1, st->name);
    else
      cusp_text_add(&text, "%3d  %s [%s] %s  ", i + 1, st->name, st->kernel->name, cusp_shape_text(&st->call.outputs[0].shape));
    text_places(&text, plan, st->inputs, st->n_inputs);
    cusp_text_add(&text, " -> ");
    text_places(&text, plan, st->outputs, st->n_outputs);
    if (st->file)
      cusp_text_add(&text, "  %s:%d", st->file, st->line);
    cusp_text_add(&text, "\n");
  }
  cusp_text_add(&text, "%d steps, arena of %zu bytes, %d leaves, %d outputs\n", plan->n_steps, plan->arena_bytes, plan->n_leaves,
                plan->n_outputs);
  return cusp_text_take(&text, out);
}
