#include "fused_plan.h"

#include "../base/memory.h"
#include "../base/threads.h"

#include <stdlib.h>
#include <string.h>

/* what a tile's streams and buffers may take of the first-level cache */
#define TILE_BYTES (24 * 1024)
/* a chunk of a reduction is worth its own accumulators from here on */
#define CHUNK_NANOSECONDS 16e3
#define THREAD_NANOSECONDS 8e3
#define TRANSPOSED_PIECE 128 /* columns of a tile; a line of each fits the first-level cache */

/** What is known while a plan is made and forgotten afterwards. */
typedef struct builder {
  const cusp_fused_program *program;
  cusp_fused *plan;
  int n_registers;
  int32_t size[FUSED_REGISTERS];       /* bytes of an element */
  int64_t slot[FUSED_REGISTERS];       /* offset of its tile buffer; -1: none */
  int last_use[FUSED_REGISTERS];       /* the last step that reads it */
  int8_t stored[FUSED_REGISTERS];      /* output it is written to + 1 */
  bool every_element[FUSED_REGISTERS]; /* stored or reduced: one value would not do */
  int64_t scratch;                     /* bytes given out, for a tile of one element, see `unit` */
  int32_t unit;                        /* bytes of the widest element in a buffer */
  int free_slots[FUSED_REGISTERS], n_free, n_buffers;
  bool has_reduction;
} builder;

/* ------------------------------------------------------------------ axes */

/** Strides of the reduced outputs over the program's axes: row-major over the kept ones, 0 along
 * the reduced ones. */
static int64_t reduced_strides(const cusp_fused_program *program, int64_t strides[CUSP_MAX_DIMS]) {
  int64_t count = 1;
  for (int axis = program->shape.ndim - 1; axis >= 0; axis--) {
    strides[axis] = program->reduced_axis[axis] ? 0 : count;
    if (!program->reduced_axis[axis])
      count *= program->shape.size[axis];
  }
  return count;
}

/** Collapses the axes over all inputs, the row-major outputs and the reduced ones; keeps reduced
 * and kept axes apart. Fewer axes make longer rows, and longer calls. */
static void collapse(builder *b) {
  const cusp_fused_program *program = b->program;
  cusp_fused *plan = b->plan;
  int64_t strides[CUSP_FUSED_MAX_INPUTS + 2][CUSP_MAX_DIMS] = {{0}};
  const int n = program->n_inputs;
  memcpy(plan->size, program->shape.size, sizeof plan->size);
  memcpy(strides, program->input_strides, (size_t)n * sizeof *strides);
  cusp_strides_row_major(strides[n], &program->shape);
  const int64_t count = reduced_strides(program, strides[n + 1]);
  plan->ndim =
      cusp_collapse_axes(program->shape.ndim, plan->size, n + 1 + b->has_reduction, strides);
  plan->columns = plan->size[plan->ndim - 1];
  plan->rows = plan->total / plan->columns;
  for (int i = 0; i < n; i++)
    memcpy(plan->inputs[i].strides, strides[i], sizeof *strides);
  for (int k = 0; k < plan->n_outputs; k++) {
    plan->outputs[k].count = count;
    memcpy(plan->outputs[k].strides, strides[n + 1], sizeof *strides);
  }
}

static bool all_zero(const int64_t *strides, int count) {
  for (int axis = 0; axis < count; axis++)
    if (strides[axis] != 0)
      return false;
  return true;
}

static bool is_flat(const cusp_fused *plan, const int64_t *strides) {
  int64_t expected = 1;
  for (int axis = plan->ndim - 1; axis >= 0; axis--) {
    if (strides[axis] != expected)
      return false;
    expected *= plan->size[axis];
  }
  return true;
}

static input_kind classify(const cusp_fused *plan, const int64_t *strides) {
  const int64_t inner = strides[plan->ndim - 1];
  if (is_flat(plan, strides))
    return INPUT_FLAT;
  if (all_zero(strides, plan->ndim))
    return INPUT_ONE;
  if (plan->by_row)
    return inner == 1 ? INPUT_ROW : inner == 0 ? INPUT_ROW_ONE : INPUT_GATHERED;
  return all_zero(strides, plan->ndim - 1) ? INPUT_REPEATED : INPUT_GATHERED;
}

/* ------------------------------------------------------------------ steps */

static int new_register(builder *b, int32_t size, register_level level) {
  const int reg = b->n_registers++;
  b->size[reg] = size;
  b->slot[reg] = -1;
  b->plan->level[reg] = (int8_t)level;
  return reg;
}

static void add_call(builder *b, cusp_vector_fn function, int result, int arity,
                     const int16_t *operand) {
  fused_step *step = &b->plan->steps[b->plan->n_steps++];
  *step = (fused_step){
      .function = function, .result = (int16_t)result, .arity = (int8_t)arity, .output = -1};
  for (int k = 0; k < arity; k++) {
    step->operand[k] = operand[k];
    step->step[k] = b->plan->level[operand[k]] == LEVEL_ELEMENT;
  }
}

/** A register of its own for `reg`, converted; stored outputs that are inputs, and 16-bit floats to
 * be reduced, need one. */
static int add_conversion(builder *b, int reg, cusp_vector_fn function, int32_t size) {
  const int result = new_register(b, size, LEVEL_ELEMENT);
  add_call(b, function, result, 1, (int16_t[]){(int16_t)reg});
  return result;
}

static void add_reduction(builder *b, int output, int reg, cusp_dtype dtype) {
  fused_output *out = &b->plan->outputs[output];
  if (cusp_dtype_is_half(dtype))
    reg = add_conversion(b, reg, cusp_vector_find_cast(dtype, CUSP_FLOAT32), sizeof(float));
  else if (b->plan->level[reg] != LEVEL_ELEMENT)
    reg = add_conversion(b, reg, cusp_vector_find(CUSP_VECTOR_copy, dtype), b->size[reg]);
  out->reg = (int16_t)reg;
  b->plan->steps[b->plan->n_steps++] =
      (fused_step){.operand = {(int16_t)reg}, .step = {1}, .arity = 1, .output = (int8_t)output};
}

/** What follows the definition of `reg`: its reductions, and copies where it is an input or stored
 * twice. */
static void add_outputs_of(builder *b, int reg, cusp_dtype dtype) {
  const cusp_fused_program *program = b->program;
  for (int k = 0; k < program->n_outputs; k++) {
    fused_output *out = &b->plan->outputs[k];
    if (program->output_register[k] != reg)
      continue;
    if (out->reducer != CUSP_REDUCE_NONE) {
      add_reduction(b, k, reg, dtype);
      continue;
    }
    out->reg = (int16_t)reg;
    if (reg < program->n_inputs || b->stored[reg])
      out->reg =
          (int16_t)add_conversion(b, reg, cusp_vector_find(CUSP_VECTOR_copy, dtype), out->size);
    b->stored[out->reg] = (int8_t)(k + 1);
  }
}

static register_level level_of_result(const builder *b, const cusp_fused_instruction *instruction) {
  if (b->every_element[instruction->result])
    return LEVEL_ELEMENT;
  register_level level = LEVEL_RUN;
  for (int k = 0; k < instruction->arity; k++)
    if (b->plan->level[instruction->operand[k]] < (int)level)
      level = (register_level)b->plan->level[instruction->operand[k]];
  return level;
}

static void add_instructions_of(builder *b, register_level wanted) {
  const cusp_fused_program *program = b->program;
  for (int i = 0; i < program->n_instructions; i++) {
    const cusp_fused_instruction *instruction = &program->instructions[i];
    if (b->plan->level[instruction->result] != (int)wanted)
      continue;
    add_call(b, instruction->function, instruction->result, instruction->arity,
             instruction->operand);
    b->plan->steps[b->plan->n_steps - 1].joined = instruction->joined;
    if (wanted == LEVEL_ELEMENT)
      add_outputs_of(b, instruction->result, instruction->dtype);
  }
}

/** The steps, those of coarser levels first, which keeps every definition before its uses. */
static void add_steps(builder *b) {
  static const register_level levels[] = {
      [INPUT_FLAT] = LEVEL_ELEMENT, [INPUT_ONE] = LEVEL_RUN,      [INPUT_REPEATED] = LEVEL_ELEMENT,
      [INPUT_ROW] = LEVEL_ELEMENT,  [INPUT_ROW_ONE] = LEVEL_TILE, [INPUT_GATHERED] = LEVEL_ELEMENT};
  const cusp_fused_program *program = b->program;
  cusp_fused *plan = b->plan;
  plan->n_steps = 0;
  for (int i = 0; i < program->n_inputs; i++)
    plan->level[i] = (int8_t)levels[plan->inputs[i].kind];
  for (int i = 0; i < program->n_instructions; i++)
    plan->level[program->instructions[i].result] =
        (int8_t)level_of_result(b, &program->instructions[i]);
  add_instructions_of(b, LEVEL_RUN);
  plan->n_run_steps = plan->n_steps;
  add_instructions_of(b, LEVEL_TILE);
  plan->n_tile_steps = plan->n_steps - plan->n_run_steps;
  for (int i = 0; i < program->n_inputs; i++)
    add_outputs_of(b, i, program->input_dtype[i]);
  add_instructions_of(b, LEVEL_ELEMENT);
}

/** Inputs in memory of the same element size that later steps read: written in place too early,
 * they would be lost. */
static uint32_t late_readers(const cusp_fused *plan, int reg, int32_t size) {
  uint32_t readers = 0;
  int at = plan->n_steps;
  for (int s = 0; s < plan->n_steps; s++) {
    const fused_step *step = &plan->steps[s];
    if (step->function && step->result == reg)
      at = s;
    if (s > at)
      for (int k = 0; k < step->arity; k++) {
        const int input = step->operand[k];
        if (input < plan->n_inputs && plan->inputs[input].kind == INPUT_FLAT &&
            plan->inputs[input].size == size)
          readers |= 1u << input;
      }
  }
  return readers;
}

/* ------------------------------------------------------------------ buffers */

static void find_last_uses(builder *b) {
  for (int reg = 0; reg < b->n_registers; reg++)
    b->last_use[reg] = -1;
  for (int s = 0; s < b->plan->n_steps; s++)
    for (int k = 0; k < b->plan->steps[s].arity; k++)
      b->last_use[b->plan->steps[s].operand[k]] = s;
}

/* The buffer given back last is the one that is most likely in the cache. */
static void take_buffer(builder *b, int reg) {
  b->slot[reg] = b->n_free > 0 ? b->free_slots[--b->n_free] : b->n_buffers++;
}

/** Gives back the buffers of operands that die at step `s`: those of `size` bytes an element, or of
 * the other sizes. */
static void drop_operands(builder *b, int s, int32_t size, bool same_size) {
  const fused_step *step = &b->plan->steps[s];
  for (int k = 0; k < step->arity; k++) {
    const int reg = step->operand[k];
    bool again = false; /* the same register twice in one call */
    for (int other = 0; other < k; other++)
      again |= step->operand[other] == reg;
    if (!again && b->slot[reg] >= 0 && b->last_use[reg] == s && (b->size[reg] == size) == same_size)
      b->free_slots[b->n_free++] = (int)b->slot[reg];
  }
}

/**
 * Numbers the tile buffers: gathered inputs hold theirs from the start, results from their step; a
 * buffer whose value has been read for the last time is given out again, to the very result of that
 * step if the sizes agree (a vector function may write over its operand).
 */
static void assign_buffers(builder *b) {
  cusp_fused *plan = b->plan;
  for (int reg = 0; reg < b->n_registers; reg++)
    b->slot[reg] = -1;
  for (int i = 0; i < plan->n_inputs; i++)
    if (plan->inputs[i].kind == INPUT_GATHERED)
      take_buffer(b, i);
  for (int s = plan->n_run_steps + plan->n_tile_steps; s < plan->n_steps; s++) {
    const fused_step *step = &plan->steps[s];
    const int32_t size = step->function ? b->size[step->result] : 0;
    drop_operands(b, s, size, true);
    if (step->function && !b->stored[step->result]) {
      take_buffer(b, step->result);
      if (b->last_use[step->result] < 0)
        b->free_slots[b->n_free++] = (int)b->slot[step->result];
    }
    drop_operands(b, s, size, false);
  }
  for (int k = 0; k < plan->n_outputs; k++) {
    fused_output *out = &plan->outputs[k];
    out->staging = -1;
    if (out->reducer != CUSP_REDUCE_NONE)
      continue;
    out->late_readers = late_readers(plan, out->reg, out->size);
    if (out->late_readers)
      out->staging = b->n_buffers++;
    plan->may_alias |= out->late_readers != 0;
  }
  plan->fold_offset = -1;
  if (b->has_reduction)
    plan->fold_offset = b->n_buffers++;
}

/** Elements of a tile: all that flows through it should stay in the first-level cache, and the
 * buffers fit the scratch. */
static int64_t tile_elements(const builder *b) {
  const cusp_fused *plan = b->plan;
  int64_t bytes = (int64_t)b->n_buffers * b->unit;
  for (int i = 0; i < plan->n_inputs; i++)
    bytes += plan->inputs[i].kind == INPUT_ONE ? 0 : plan->inputs[i].size;
  for (int k = 0; k < plan->n_outputs; k++)
    bytes += plan->outputs[k].reducer == CUSP_REDUCE_NONE ? plan->outputs[k].size : 0;
  const int64_t most = b->n_buffers == 0 ? 16384 : 4096;
  int64_t elements = TILE_BYTES / (bytes > 0 ? bytes : 1);
  elements = elements < 256 ? 256 : elements > most ? most : elements;
  const int64_t fitting =
      b->n_buffers == 0 ? elements : FUSED_SCRATCH_BYTES / ((int64_t)b->n_buffers * b->unit);
  elements = elements < fitting ? elements : fitting;
  return elements / 64 * 64;
}

/** Turns buffer numbers into offsets, now that a tile's size is known, and lists the registers that
 * have one. */
static void place_buffers(builder *b, int64_t elements) {
  cusp_fused *plan = b->plan;
  const int64_t bytes = elements * b->unit;
  plan->n_slots = 0;
  for (int reg = 0; reg < b->n_registers; reg++)
    if (b->slot[reg] >= 0)
      plan->slots[plan->n_slots++] = (fused_slot){(int16_t)reg, b->slot[reg] * bytes};
  for (int i = 0; i < plan->n_inputs; i++)
    plan->inputs[i].offset = b->slot[i] * bytes;
  for (int k = 0; k < plan->n_outputs; k++)
    if (plan->outputs[k].staging >= 0)
      plan->outputs[k].staging *= bytes;
  if (plan->fold_offset >= 0)
    plan->fold_offset *= bytes;
}

/* ------------------------------------------------------------------ the shape of a tile */

static void reset(builder *b) {
  const cusp_fused_program *program = b->program;
  b->n_registers = program->n_registers;
  b->n_free = b->n_buffers = 0;
  b->unit = b->has_reduction ? 4 : 1;
  memset(b->stored, 0, sizeof b->stored);
  b->plan->may_alias = false;
  for (int i = 0; i < program->n_inputs; i++)
    b->size[i] = (int32_t)cusp_dtype_size(program->input_dtype[i]);
  for (int i = 0; i < program->n_instructions; i++)
    b->size[program->instructions[i].result] =
        (int32_t)cusp_dtype_size(program->instructions[i].dtype);
  for (int k = 0; k < program->n_outputs; k++)
    b->every_element[program->output_register[k]] = true;
  for (int reg = 0; reg < program->n_registers; reg++)
    b->unit = b->size[reg] > b->unit ? b->size[reg] : b->unit;
}

/**
 * Whether an input's columns lie further apart than its rows: then short pieces of many rows in
 * turn find what they need in the cache lines that the row above brought in.
 */
static bool lies_transposed(const cusp_fused *plan) {
  for (int i = 0; i < plan->n_inputs && plan->ndim > 1; i++) {
    const fused_input *input = &plan->inputs[i];
    if (input->kind == INPUT_GATHERED &&
        llabs(input->strides[plan->ndim - 2]) < llabs(input->strides[plan->ndim - 1]))
      return true;
  }
  return false;
}

/** Lays out steps and buffers for tiles of whole rows or of pieces of rows; false if whole rows do
 * not fit a tile. */
static bool lay_out(builder *b, bool by_row) {
  cusp_fused *plan = b->plan;
  plan->by_row = by_row;
  reset(b);
  bool flat = true;
  for (int i = 0; i < plan->n_inputs; i++) {
    plan->inputs[i].kind = classify(plan, plan->inputs[i].strides);
    flat &= plan->inputs[i].kind == INPUT_FLAT || plan->inputs[i].kind == INPUT_ONE;
  }
  /* rows long enough for one call each: nothing need be copied */
  if (!by_row && !flat && plan->columns >= 512)
    return false;
  add_steps(b);
  find_last_uses(b);
  assign_buffers(b);
  int64_t elements = tile_elements(b);
  if (!by_row && elements < plan->columns)
    return false;
  place_buffers(b, elements);
  plan->down_columns = by_row && lies_transposed(plan);
  if (plan->down_columns && elements > TRANSPOSED_PIECE)
    elements = TRANSPOSED_PIECE;
  plan->pieces = by_row ? (plan->columns + elements - 1) / elements : 1;
  plan->piece = by_row ? (plan->columns + plan->pieces - 1) / plan->pieces : plan->columns;
  if (plan->pieces > 1) {
    plan->piece = (plan->piece + 63) / 64 * 64;
    plan->pieces = (plan->columns + plan->piece - 1) / plan->piece;
  }
  plan->tile_rows = by_row ? 1 : elements / plan->columns;
  plan->tile_rows = plan->tile_rows < plan->rows ? plan->tile_rows : plan->rows;
  return true;
}

/* ------------------------------------------------------------------ sharing out */

/** Nanoseconds for an element, roughly. */
static double element_cost(const cusp_fused *plan) {
  double cost = 0.05;
  for (int s = plan->n_run_steps + plan->n_tile_steps; s < plan->n_steps; s++)
    cost += plan->steps[s].function == NULL                ? 0.1
            : cusp_vector_is_slow(plan->steps[s].function) ? 1.0
                                                           : 0.1 * (1 + plan->steps[s].joined);
  for (int i = 0; i < plan->n_inputs; i++)
    cost += plan->inputs[i].kind == INPUT_GATHERED ? 0.4
            : plan->inputs[i].kind == INPUT_FLAT   ? 0.05
                                                   : 0;
  return cost;
}

static int64_t at_least_one(double x) { return x < 1 ? 1 : x > 1e15 ? (int64_t)1e15 : (int64_t)x; }

/** Chunks depend on the problem alone, so that sums do not depend on the number of threads. */
static int64_t count_chunks(const builder *b, int64_t units, double cost) {
  const cusp_fused *plan = b->plan;
  int64_t chunks = at_least_one((double)plan->total * cost / CHUNK_NANOSECONDS);
  chunks = chunks < 16 ? chunks : 16;
  chunks = chunks < units ? chunks : units;
  for (int k = 0; k < plan->n_outputs; k++) {
    const fused_output *out = &plan->outputs[k];
    if (out->reducer != CUSP_REDUCE_NONE && out->count * chunks * 4 > plan->total)
      chunks = at_least_one((double)plan->total / 4 / (double)out->count);
  }
  return chunks;
}

/** Where the first axis is kept, its entries need nothing of each other; where it is reduced,
 * chunks are combined at the end. */
static void share_out(builder *b) {
  cusp_fused *plan = b->plan;
  const double cost = element_cost(plan);
  const int64_t *kept = NULL;
  for (int k = 0; k < plan->n_outputs; k++)
    if (plan->outputs[k].reducer != CUSP_REDUCE_NONE)
      kept = plan->outputs[k].strides;
  plan->n_chunks = 1;
  plan->entry_rows = plan->ndim > 1 ? plan->rows / plan->size[0] : 1;
  if (!kept || (plan->ndim == 1 && kept[0] != 0)) {
    plan->split = SPLIT_TILES;
    const int64_t tile = plan->tile_rows * plan->piece;
    plan->split_count = (plan->rows + plan->tile_rows - 1) / plan->tile_rows * plan->pieces;
    plan->grain = at_least_one(THREAD_NANOSECONDS / (cost * (double)tile) + 0.5);
    return;
  }
  if (kept[0] != 0) {
    plan->split = SPLIT_ENTRIES;
    plan->split_count = plan->size[0];
    plan->grain =
        at_least_one(THREAD_NANOSECONDS / (cost * (double)(plan->total / plan->size[0])) + 0.5);
    /* whole entries: sums do not depend on where a thread begins */
    if (plan->tile_rows > plan->entry_rows)
      plan->tile_rows = plan->tile_rows / plan->entry_rows * plan->entry_rows;
    return;
  }
  plan->split = SPLIT_CHUNKS;
  plan->n_chunks = count_chunks(b, plan->ndim == 1 ? plan->pieces : plan->size[0], cost);
  plan->split_count = plan->n_chunks;
  plan->grain = 1;
}

static int64_t reserve(cusp_fused *plan, int64_t bytes) {
  const int64_t offset = (int64_t)plan->workspace_bytes;
  plan->workspace_bytes += cusp_aligned_size((size_t)bytes);
  return offset;
}

static void reserve_workspace(builder *b) {
  cusp_fused *plan = b->plan;
  for (int i = 0; i < plan->n_inputs; i++) {
    fused_input *input = &plan->inputs[i];
    if (input->kind == INPUT_REPEATED) {
      input->offset = reserve(plan, plan->tile_rows * plan->columns * input->size);
      plan->repeated |= 1u << i;
    } else if (input->kind != INPUT_ONE) {
      plan->moving |= 1u << i;
    }
  }
  for (int k = 0; k < plan->n_outputs; k++) {
    fused_output *out = &plan->outputs[k];
    if (out->reducer == CUSP_REDUCE_NONE)
      continue;
    const int64_t bytes = (int64_t)cusp_aligned_size((size_t)(out->count * out->accumulator_size));
    out->workspace = out->finish ? reserve(plan, bytes) : -1;
    plan->partial_offset[k] = (int64_t)plan->partial_bytes;
    plan->partial_bytes += (size_t)bytes;
  }
  if (plan->n_chunks > 1)
    plan->partials = reserve(plan, (int64_t)plan->partial_bytes * plan->n_chunks);
}

/* ------------------------------------------------------------------ the public face */

static cusp_status check_reducer(fused_output *out, cusp_dtype dtype) {
  out->dtype = cusp_dtype_widened(dtype);
  out->accumulator_size = (int32_t)cusp_dtype_size(out->dtype);
  out->reduce_rows = cusp_reduce_find_rows(out->reducer, out->dtype);
  out->combine = cusp_reduce_find_combine(out->reducer, out->dtype);
  out->finish = cusp_dtype_is_half(dtype) ? cusp_vector_find_cast(CUSP_FLOAT32, dtype) : NULL;
  if (!out->reduce_rows || !out->combine)
    return cusp_fail(CUSP_EUNSUPPORTED, "this reduction is not defined for %s",
                     cusp_dtype_name(dtype));
  cusp_reduce_identity(out->reducer, out->dtype, &out->identity);
  return CUSP_OK;
}

static cusp_status check_program(builder *b) {
  const cusp_fused_program *program = b->program;
  cusp_dtype dtype[FUSED_REGISTERS];
  for (int i = 0; i < program->n_inputs; i++)
    dtype[i] = program->input_dtype[i];
  for (int i = 0; i < program->n_instructions; i++) {
    if (!program->instructions[i].function)
      return cusp_fail(
          CUSP_EUNSUPPORTED,
          "an elementwise operation is not defined for its operands' dtype (its result is %s)",
          cusp_dtype_name(program->instructions[i].dtype));
    dtype[program->instructions[i].result] = program->instructions[i].dtype;
  }
  for (int k = 0; k < program->n_outputs; k++) {
    fused_output *out = &b->plan->outputs[k];
    out->reducer = (cusp_reducer_id)program->output_reducer[k];
    out->size = (int32_t)cusp_dtype_size(dtype[program->output_register[k]]);
    if (out->reducer == CUSP_REDUCE_NONE)
      continue;
    b->has_reduction = true;
    CUSP_TRY(check_reducer(out, dtype[program->output_register[k]]));
  }
  return CUSP_OK;
}

static cusp_status build(builder *b) {
  cusp_fused *plan = b->plan;
  CUSP_TRY(check_program(b));
  plan->n_inputs = b->program->n_inputs;
  plan->n_outputs = b->program->n_outputs;
  for (int i = 0; i < plan->n_inputs; i++)
    plan->inputs[i].size = (int32_t)cusp_dtype_size(b->program->input_dtype[i]);
  plan->total = cusp_shape_count(&b->program->shape);
  if (plan->total == 0) { /* nothing to run; reduced outputs are filled with the identity */
    int64_t unused[CUSP_MAX_DIMS];
    for (int k = 0; k < plan->n_outputs; k++)
      plan->outputs[k].count = reduced_strides(b->program, unused);
    plan->n_chunks = 1;
    reserve_workspace(b);
    return CUSP_OK;
  }
  collapse(b);
  if (plan->ndim == 1 || !lay_out(b, false))
    lay_out(b, true);
  share_out(b);
  reserve_workspace(b);
  return CUSP_OK;
}

cusp_status cusp_fused_new(cusp_fused **out, const cusp_fused_program *program) {
  *out = NULL;
  void *memory;
  CUSP_TRY(cusp_alloc_zeroed(&memory, sizeof(cusp_fused)));
  builder b = {.program = program, .plan = memory};
  cusp_status status = build(&b);
  if (status == CUSP_OK)
    *out = memory;
  else
    cusp_free(memory);
  return status;
}

void cusp_fused_free(cusp_fused *fused) { cusp_free(fused); }

size_t cusp_fused_workspace(const cusp_fused *fused) { return fused->workspace_bytes; }
