#ifndef CUSP_KERNELS_FUSED_H
#define CUSP_KERNELS_FUSED_H
/*
 * The tiled loop: a straight-line program of vector functions over one iteration space, tile by
 * tile so that intermediate values stay in L1, optionally ending in a reduction. A single
 * elementwise node is a program of one instruction: this is the only executor of elementwise
 * work. */

#include "../tensor/array.h"
#include "vector.h"

#define CUSP_FUSED_MAX_INPUTS 24
#define CUSP_FUSED_MAX_OUTPUTS 12
#define CUSP_FUSED_MAX_INSTRUCTIONS 64
#define CUSP_FUSED_MAX_REGISTERS 96
#define CUSP_FUSED_MAX_OPERANDS 5

/** register = fn(registers...). Registers 0 .. n_inputs-1 are the inputs; each other register is
 * written once. */
typedef struct cusp_fused_instruction {
  cusp_vector_fn function;
  cusp_dtype dtype; /* of the result */
  int16_t result;
  int8_t arity, joined; /* joined: operations that it does beyond the first (chain.h) */
  int16_t operand[CUSP_FUSED_MAX_OPERANDS];
} cusp_fused_instruction;

typedef struct cusp_fused_program {
  cusp_shape shape; /* the iteration space: every input broadcasts to it */
  int n_inputs, n_instructions, n_outputs, n_registers;
  cusp_dtype input_dtype[CUSP_FUSED_MAX_INPUTS];
  int64_t input_strides[CUSP_FUSED_MAX_INPUTS][CUSP_MAX_DIMS]; /* in elements, 0 where broadcast */
  cusp_fused_instruction instructions[CUSP_FUSED_MAX_INSTRUCTIONS];
  int16_t output_register[CUSP_FUSED_MAX_OUTPUTS]; /* written row-major, or reduced */
  int16_t output_reducer[CUSP_FUSED_MAX_OUTPUTS];  /* cusp_reducer_id, 0: stored as it is */
  bool reduced_axis[CUSP_MAX_DIMS];                /* the same for every reduced output */
} cusp_fused_program;

typedef struct cusp_fused cusp_fused;
/** Prepares a program (collapses axes, assigns tiles, chooses loops). Fails with CUSP_EUNSUPPORTED
 * for a missing function. */
CUSP_NODISCARD cusp_status cusp_fused_new(cusp_fused **out, const cusp_fused_program *program);
void cusp_fused_free(cusp_fused *fused);
/** Bytes of scratch that cusp_fused_run needs (for all threads). */
size_t cusp_fused_workspace(const cusp_fused *fused);
/** inputs[i] is input i's first element; outputs may be the memory of an input with the same
 * row-major layout and element size. */
void cusp_fused_run(const cusp_fused *fused, const void *const *inputs, void *const *outputs,
                    void *workspace);

#endif
