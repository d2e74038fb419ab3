/* A fused unit becomes a program: values are registers, operations instructions, open values
 * outputs. */
#include "program.h"
#include "../kernels/chain.h"
#include "../kernels/reduce.h"

#include <string.h>

static int register_of(const cusp_operands *o, const int *registers, const cusp_unit *unit,
                       const cusp_graph *graph, int value) {
  for (int i = 0; i < o->n_inputs; i++)
    if (o->inputs[i] == value)
      return i;
  for (int i = 0; i < unit->n_members; i++)
    if (graph->operations[unit->members[i]].first_output == value)
      return registers[i];
  return -1;
}

static void broadcast_strides(const cusp_array *array, const cusp_shape *shape,
                              int64_t strides[CUSP_MAX_DIMS]) {
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

void cusp_program_build(const cusp_lowering *l, const cusp_unit *unit, const cusp_operands *o,
                        cusp_fused_program *program) {
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
      instruction->operand[k] =
          (int16_t)register_of(o, registers, unit, l->graph, operation->inputs[k]);
    registers[i] = instruction->result = (int16_t)program->n_registers++;
  }
  for (int i = 0; i < o->n_outputs; i++) {
    const cusp_operation *producer = cusp_graph_producer(l->graph, o->outputs[i]);
    program->output_register[i] = (int16_t)register_of(o, registers, unit, l->graph, o->outputs[i]);
    program->output_reducer[i] =
        producer->op->flags & CUSP_OP_REDUCTION ? (int16_t)producer->op->reducer : CUSP_REDUCE_NONE;
  }
  program->n_outputs = o->n_outputs;
  cusp_chains_join(program);
}
