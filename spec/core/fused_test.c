/* The tiled loop against a naive one: random programs over random shapes, broadcasts, strides,
 * dtypes and reductions. */

#include "check.h"

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/fused.h"
#include "kernels/reduce.h"

#include <stdint.h>
#include <stdlib.h>

static uint64_t random_state = 88172645463325252u;
static uint64_t random_bits(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}
static int random_below(int n) { return (int)((random_bits() >> 20) % (uint64_t)n); }
static double random_unit(void) { return (double)(random_bits() >> 11) * 0x1p-52 - 1; }

/** A program, the memory of its inputs and outputs. */
typedef struct problem {
  cusp_fused_program program;
  cusp_dtype dtype[CUSP_FUSED_MAX_REGISTERS];
  unsigned char *memory[CUSP_FUSED_MAX_INPUTS]; /* a block */
  unsigned char *first[CUSP_FUSED_MAX_INPUTS];  /* the first element */
  int64_t bytes[CUSP_FUSED_MAX_INPUTS];
  int64_t n_out[CUSP_FUSED_MAX_OUTPUTS];
  double *expected[CUSP_FUSED_MAX_OUTPUTS];
  double *magnitude[CUSP_FUSED_MAX_OUTPUTS]; /* sum of absolute values, for the tolerance */
  unsigned char *out[CUSP_FUSED_MAX_OUTPUTS];
} problem;

static int64_t count_of(const cusp_fused_program *program) {
  int64_t count = 1;
  for (int axis = 0; axis < program->shape.ndim; axis++)
    count *= program->shape.size[axis];
  return count;
}

static void store_random(cusp_dtype dtype, void *element) {
  if (cusp_dtype_is_float(dtype))
    cusp_store_double(dtype, element, random_unit());
  else
    cusp_store_int(dtype, element, dtype == CUSP_BOOL ? random_below(2) : random_below(7) - 3);
}

/** An input of random layout: row-major, scalar, some axes broadcast, axes permuted, or with gaps
 * and flips. */
static void add_input(problem *p, cusp_dtype dtype, int layout) {
  cusp_fused_program *program = &p->program;
  const int i = program->n_inputs++, ndim = program->shape.ndim;
  int64_t *strides = program->input_strides[i], extent = 1, first = 0;
  int order[CUSP_MAX_DIMS];
  for (int axis = 0; axis < ndim; axis++)
    order[axis] = axis;
  if (layout == 3)
    for (int axis = ndim - 1; axis > 0; axis--) {
      const int other = random_below(axis + 1), kept = order[axis];
      order[axis] = order[other];
      order[other] = kept;
    }
  for (int k = ndim - 1; k >= 0; k--) {
    const int axis = order[k];
    const int64_t size = program->shape.size[axis];
    const bool broadcast =
        layout == 1 || (layout == 2 && random_below(2)) || (layout == 5 && axis < ndim - 1);
    strides[axis] = broadcast ? 0 : extent;
    if (!broadcast)
      extent *= size > 0 ? size : 1;
    if (layout == 4) {
      extent += random_below(3);
      if (random_below(3) == 0 && size > 0) {
        first += strides[axis] * (size - 1);
        strides[axis] = -strides[axis];
      }
    }
  }
  const size_t size = cusp_dtype_size(dtype);
  program->input_dtype[i] = p->dtype[i] = dtype;
  p->bytes[i] = extent * (int64_t)size;
  p->memory[i] = malloc((size_t)p->bytes[i]);
  p->first[i] = p->memory[i] + first * (int64_t)size;
  for (int64_t element = 0; element < extent; element++)
    store_random(dtype, p->memory[i] + element * (int64_t)size);
}

static int add_instruction(problem *p, cusp_vector_fn function, cusp_dtype dtype, int arity, int a,
                           int b, int c) {
  cusp_fused_program *program = &p->program;
  const int result = program->n_inputs + program->n_instructions;
  program->instructions[program->n_instructions++] =
      (cusp_fused_instruction){.function = function,
                               .dtype = dtype,
                               .result = (int16_t)result,
                               .arity = (int8_t)arity,
                               .operand = {(int16_t)a, (int16_t)b, (int16_t)c}};
  program->n_registers = result + 1;
  p->dtype[result] = dtype;
  return result;
}

/** A random earlier register of that dtype; -1 if there is none. */
static int pick(const problem *p, cusp_dtype dtype) {
  const int n = p->program.n_inputs + p->program.n_instructions;
  for (int tries = 0; tries < 50; tries++) {
    const int reg = random_below(n);
    if (p->dtype[reg] == dtype)
      return reg;
  }
  return -1;
}

static void add_random_instruction(problem *p) {
  static const cusp_vector_id same[] = {CUSP_VECTOR_add, CUSP_VECTOR_multiply, CUSP_VECTOR_maximum,
                                        CUSP_VECTOR_minimum, CUSP_VECTOR_relu_gradient};
  const int a = random_below(p->program.n_inputs + p->program.n_instructions);
  const cusp_dtype dtype = p->dtype[a];
  const int other = pick(p, dtype), b = other < 0 ? a : other, condition = pick(p, CUSP_BOOL);
  switch (random_below(5)) {
  case 0:
    add_instruction(p, cusp_vector_find(CUSP_VECTOR_less, dtype), CUSP_BOOL, 2, a, b, 0);
    return;
  case 1:
    if (condition >= 0) {
      add_instruction(p, cusp_vector_find(CUSP_VECTOR_select, dtype), dtype, 3, condition, a, b);
      return;
    } /* fall through */
  case 2: {
    static const cusp_dtype targets[] = {CUSP_FLOAT64, CUSP_FLOAT32, CUSP_INT16, CUSP_FLOAT64};
    const cusp_dtype to = targets[random_below(4)];
    add_instruction(p, cusp_vector_find_cast(dtype, to), to, 1, a, 0, 0);
    return;
  }
  default:
    add_instruction(p, cusp_vector_find(same[random_below(dtype == CUSP_BOOL ? 4 : 5)], dtype),
                    dtype, 2, a, b, 0);
  }
}

static void add_output(problem *p, int reg, cusp_reducer_id reducer) {
  const int k = p->program.n_outputs++;
  p->program.output_register[k] = (int16_t)reg;
  p->program.output_reducer[k] = (int16_t)reducer;
}

/* ------------------------------------------------------------------ the naive loop */

static double identity_of(cusp_reducer_id reducer, cusp_dtype dtype) {
  switch (reducer) {
  case CUSP_REDUCE_PROD:
  case CUSP_REDUCE_ALL: return 1;
  case CUSP_REDUCE_MAX:
    return cusp_dtype_is_float(dtype) ? -INFINITY
           : dtype == CUSP_INT16      ? -32768
           : dtype == CUSP_BOOL       ? 0
                                      : -2147483648.0;
  case CUSP_REDUCE_MIN:
    return cusp_dtype_is_float(dtype) ? INFINITY
           : dtype == CUSP_INT16      ? 32767
           : dtype == CUSP_BOOL       ? 1
                                      : 2147483647.0;
  default: return 0;
  }
}

static double combined(cusp_reducer_id reducer, double a, double b) {
  switch (reducer) {
  case CUSP_REDUCE_SUM: return a + b;
  case CUSP_REDUCE_PROD: return a * b;
  case CUSP_REDUCE_MAX:
  case CUSP_REDUCE_ANY: return a > b ? a : b;
  default: return a < b ? a : b;
  }
}

static void compute_element(problem *p, const int64_t *index, int64_t element) {
  const cusp_fused_program *program = &p->program;
  unsigned char value[CUSP_FUSED_MAX_REGISTERS][8];
  for (int i = 0; i < program->n_inputs; i++) {
    int64_t offset = 0;
    for (int axis = 0; axis < program->shape.ndim; axis++)
      offset += index[axis] * program->input_strides[i][axis];
    const size_t size = cusp_dtype_size(program->input_dtype[i]);
    memcpy(value[i], p->first[i] + offset * (int64_t)size, size);
  }
  for (int s = 0; s < program->n_instructions; s++) {
    const cusp_fused_instruction *instruction = &program->instructions[s];
    const void *in[3] = {value[instruction->operand[0]], value[instruction->operand[1]],
                         value[instruction->operand[2]]};
    instruction->function(1, value[instruction->result], in, (const int8_t[]){1, 1, 1});
  }
  int64_t reduced_element = 0;
  for (int axis = 0; axis < program->shape.ndim; axis++)
    if (!program->reduced_axis[axis])
      reduced_element = reduced_element * program->shape.size[axis] + index[axis];
  for (int k = 0; k < program->n_outputs; k++) {
    const int reg = program->output_register[k];
    const double x = cusp_load_double(p->dtype[reg], value[reg]);
    if (program->output_reducer[k] == CUSP_REDUCE_NONE) {
      p->expected[k][element] = x;
    } else {
      p->expected[k][reduced_element] =
          combined((cusp_reducer_id)program->output_reducer[k], p->expected[k][reduced_element], x);
      p->magnitude[k][reduced_element] += fabs(x);
    }
  }
}

static void compute_expected(problem *p) {
  const cusp_fused_program *program = &p->program;
  const int64_t count = count_of(program);
  for (int k = 0; k < program->n_outputs; k++) {
    int64_t n = 1;
    for (int axis = 0; axis < program->shape.ndim; axis++)
      n *=
          program->output_reducer[k] && program->reduced_axis[axis] ? 1 : program->shape.size[axis];
    p->n_out[k] = n;
    p->expected[k] = calloc((size_t)n + 1, sizeof(double));
    p->magnitude[k] = calloc((size_t)n + 1, sizeof(double));
    const cusp_dtype dtype = p->dtype[program->output_register[k]];
    for (int64_t i = 0; i < n; i++)
      p->expected[k][i] = identity_of((cusp_reducer_id)program->output_reducer[k], dtype);
  }
  int64_t index[CUSP_MAX_DIMS] = {0};
  for (int64_t element = 0; element < count; element++) {
    compute_element(p, index, element);
    for (int axis = program->shape.ndim - 1; axis >= 0; axis--) {
      if (++index[axis] < program->shape.size[axis])
        break;
      index[axis] = 0;
    }
  }
}

/* ------------------------------------------------------------------ checking */

static bool output_is_right(const problem *p, int k) {
  const cusp_dtype dtype = p->dtype[p->program.output_register[k]];
  const size_t size = cusp_dtype_size(dtype);
  const double epsilon = dtype == CUSP_FLOAT64    ? 1e-13
                         : dtype == CUSP_FLOAT32  ? 1e-4
                         : dtype == CUSP_BFLOAT16 ? 0.01
                                                  : 2e-3;
  for (int64_t i = 0; i < p->n_out[k]; i++) {
    double expected = p->expected[k][i];
    if (dtype == CUSP_INT16)
      expected = (int16_t)(uint16_t)(int64_t)fmod(expected, 65536);
    const double tolerance =
        cusp_dtype_is_float(dtype) ? epsilon * (fabs(expected) + p->magnitude[k][i]) : 0;
    const double got = cusp_load_double(dtype, p->out[k] + i * (int64_t)size);
    if (!check_near(got, expected, tolerance) && !(dtype == CUSP_BOOL && got == (expected != 0))) {
      fprintf(stderr, "output %d (%s, reducer %d) element %d of %d: %g, expected %g\n", k,
              cusp_dtype_name(dtype), p->program.output_reducer[k], (int)i, (int)p->n_out[k], got,
              expected);
      return false;
    }
  }
  return true;
}

static void describe(const problem *p) {
  fprintf(stderr, "shape %s, reduced", cusp_shape_text(&p->program.shape));
  for (int axis = 0; axis < p->program.shape.ndim; axis++)
    fprintf(stderr, " %d", p->program.reduced_axis[axis]);
  fprintf(stderr, ", %d inputs, %d instructions, %d outputs\n", p->program.n_inputs,
          p->program.n_instructions, p->program.n_outputs);
  for (int i = 0; i < p->program.n_inputs; i++) {
    fprintf(stderr, "  input %d %s strides", i, cusp_dtype_name(p->dtype[i]));
    for (int axis = 0; axis < p->program.shape.ndim; axis++)
      fprintf(stderr, " %d", (int)p->program.input_strides[i][axis]);
    fprintf(stderr, "\n");
  }
}

/** An unused input whose memory could be output k's: row-major, with elements of the same size; -1
 * if there is none. */
static int find_twin(const problem *p, int k, const bool *used) {
  const cusp_fused_program *program = &p->program;
  if (program->output_reducer[k] != CUSP_REDUCE_NONE || program->shape.ndim == 0)
    return -1;
  int64_t row_major[CUSP_MAX_DIMS];
  cusp_strides_row_major(row_major, &program->shape);
  const size_t size = cusp_dtype_size(p->dtype[program->output_register[k]]);
  for (int i = 0; i < program->n_inputs; i++)
    if (!used[i] && cusp_dtype_size(p->dtype[i]) == size && p->first[i] == p->memory[i] &&
        memcmp(row_major, program->input_strides[i],
               sizeof(int64_t) * (size_t)program->shape.ndim) == 0)
      return i;
  return -1;
}

/** Runs with one and with several threads (the same bits must come out), then in place where an
 * input allows it. */
static void check_problem(problem *p, bool in_place) {
  const cusp_fused_program *program = &p->program;
  cusp_fused *fused;
  CHECK_OK(cusp_fused_new(&fused, program));
  void *workspace, *outputs[CUSP_FUSED_MAX_OUTPUTS];
  const void *inputs[CUSP_FUSED_MAX_INPUTS];
  CHECK_OK(cusp_alloc(&workspace, cusp_fused_workspace(fused) + 1));
  for (int i = 0; i < program->n_inputs; i++)
    inputs[i] = p->first[i];
  for (int k = 0; k < program->n_outputs; k++)
    outputs[k] = p->out[k] = malloc((size_t)p->n_out[k] * 8 + 1);
  bool ok = true;
  unsigned char *serial[CUSP_FUSED_MAX_OUTPUTS];
  for (int threads = 1; threads <= 3; threads += 2) {
    CHECK_OK(cusp_set_num_threads(threads));
    cusp_fused_run(fused, inputs, outputs, workspace);
    for (int k = 0; k < program->n_outputs; k++) {
      const size_t bytes =
          (size_t)p->n_out[k] * cusp_dtype_size(p->dtype[program->output_register[k]]);
      ok &= output_is_right(p, k);
      if (threads == 1) {
        serial[k] = malloc(bytes + 1);
        memcpy(serial[k], p->out[k], bytes);
      } else {
        ok &= memcmp(serial[k], p->out[k], bytes) == 0;
        free(serial[k]);
      }
    }
  }
  if (in_place) {
    bool used[CUSP_FUSED_MAX_INPUTS] = {false};
    for (int k = 0; k < program->n_outputs; k++) {
      const int i = find_twin(p, k, used);
      if (i < 0)
        continue;
      used[i] = true;
      free(p->out[k]);
      outputs[k] = p->out[k] = p->first[i];
    }
    cusp_fused_run(fused, inputs, outputs, workspace);
    for (int k = 0; k < program->n_outputs; k++)
      ok &= output_is_right(p, k);
  }
  if (!ok)
    describe(p);
  CHECK(ok);
  for (int k = 0; k < program->n_outputs; k++) {
    bool is_input = false;
    for (int i = 0; i < program->n_inputs; i++)
      is_input |= p->out[k] == p->memory[i];
    if (!is_input)
      free(p->out[k]);
    free(p->expected[k]);
    free(p->magnitude[k]);
  }
  for (int i = 0; i < program->n_inputs; i++)
    free(p->memory[i]);
  cusp_free(workspace);
  cusp_fused_free(fused);
}

/* ------------------------------------------------------------------ cases */

static void set_shape(problem *p, int ndim, const int64_t *size) {
  p->program.shape.ndim = ndim;
  for (int axis = 0; axis < ndim; axis++)
    p->program.shape.size[axis] = size[axis];
}

static void random_shape(problem *p) {
  static const int64_t sizes[] = {1, 2, 3, 5, 8, 10, 17, 33, 64, 130};
  int64_t size[CUSP_MAX_DIMS], count = 1;
  const int ndim = random_below(5);
  for (int axis = 0; axis < ndim; axis++) {
    size[axis] = random_below(40) == 0   ? 0
                 : random_below(12) == 0 ? 700 + random_below(5000)
                                         : sizes[random_below(10)];
    if (count * size[axis] > 60000)
      size[axis] = 2;
    count *= size[axis] > 0 ? size[axis] : 1;
  }
  set_shape(p, ndim, size);
}

static void test_random(bool halves) {
  static const cusp_dtype dtypes[] = {CUSP_FLOAT64, CUSP_FLOAT32, CUSP_INT16, CUSP_BOOL,
                                      CUSP_FLOAT32};
  problem p = {0};
  random_shape(&p);
  const int n_inputs = 1 + random_below(6);
  for (int i = 0; i < n_inputs; i++) {
    const cusp_dtype dtype =
        halves ? (random_below(2) ? CUSP_FLOAT16 : CUSP_BFLOAT16) : dtypes[random_below(5)];
    add_input(&p, dtype, random_below(2) ? 0 : random_below(6));
  }
  p.program.n_registers = n_inputs;
  const int n_instructions = halves ? 0 : random_below(12);
  for (int i = 0; i < n_instructions; i++)
    add_random_instruction(&p);
  for (int axis = 0; axis < p.program.shape.ndim; axis++)
    p.program.reduced_axis[axis] = random_below(2);
  const int n_registers = n_inputs + n_instructions;
  const int n_outputs = 1 + random_below(4);
  for (int k = 0; k < n_outputs; k++) {
    const int reg = random_below(3) ? n_registers - 1 : random_below(n_registers);
    const cusp_dtype dtype = p.dtype[reg];
    cusp_reducer_id reducer = CUSP_REDUCE_NONE;
    if (random_below(2))
      reducer = dtype == CUSP_BOOL                       ? CUSP_REDUCE_MAX + random_below(4)
                : dtype == CUSP_INT16 || random_below(2) ? CUSP_REDUCE_SUM
                                                         : CUSP_REDUCE_MAX + random_below(2);
    add_output(&p, reg, reducer);
  }
  compute_expected(&p);
  check_problem(&p, true);
}

/** A bias added to rows, relu's gradient stored and summed over the rows: what a dense layer's
 * training does. */
static void test_dense(int64_t batch, int64_t units) {
  problem p = {0};
  set_shape(&p, 2, (int64_t[]){batch, units});
  add_input(&p, CUSP_FLOAT32, 0);
  add_input(&p, CUSP_FLOAT32, 5);
  add_input(&p, CUSP_FLOAT32, 0);
  p.program.reduced_axis[0] = true;
  const int sum = add_instruction(&p, cusp_vector_find(CUSP_VECTOR_add, CUSP_FLOAT32), CUSP_FLOAT32,
                                  2, 0, 1, 0);
  const int y = add_instruction(&p, cusp_vector_find(CUSP_VECTOR_relu, CUSP_FLOAT32), CUSP_FLOAT32,
                                1, sum, 0, 0);
  const int dx = add_instruction(&p, cusp_vector_find(CUSP_VECTOR_relu_gradient, CUSP_FLOAT32),
                                 CUSP_FLOAT32, 2, 2, y, 0);
  add_output(&p, y, CUSP_REDUCE_NONE);
  add_output(&p, dx, CUSP_REDUCE_NONE);
  add_output(&p, dx, CUSP_REDUCE_SUM);
  compute_expected(&p);
  check_problem(&p, true);
}

static void test_missing_function(void) {
  problem p = {0};
  set_shape(&p, 1, (int64_t[]){3});
  add_input(&p, CUSP_FLOAT32, 0);
  add_output(&p, add_instruction(&p, NULL, CUSP_FLOAT32, 1, 0, 0, 0), CUSP_REDUCE_NONE);
  cusp_fused *fused;
  CHECK_FAILS(CUSP_EUNSUPPORTED, "dtype", cusp_fused_new(&fused, &p.program));
  CHECK(fused == NULL);
  free(p.memory[0]);
}

int main(int argc, char **argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : 1500;
  for (int i = 0; i < rounds; i++)
    test_random(i % 8 == 7);
  test_dense(1, 1);
  test_dense(32, 16);
  test_dense(32, 10);
  test_dense(128, 512);
  test_dense(3000, 40);
  test_dense(5, 5000);
  test_missing_function();
  return check_summary();
}
