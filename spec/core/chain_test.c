/* Chains give the bits of the functions that they join, and leave alone what others read. */

#include "check.h"

#include "base/memory.h"
#include "kernels/chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 5000

static uint32_t random_state = 12345;
static uint32_t random_bits(void) {
  random_state = random_state * 1664525u + 1013904223u;
  return random_state >> 8;
}
static bool chance(void) { return random_bits() & 1; }

/** Of all magnitudes, and now and then a special one. */
static float random_number(void) {
  static const float special[] = {0, -0.0f, INFINITY, -INFINITY, NAN, 1e-42f, 3e38f, 4, -1};
  if (random_bits() % 50 == 0)
    return special[random_bits() % 9];
  const float x = ldexpf((float)(random_bits() + 1) * 0x1p-24f, (int)(random_bits() % 60) - 40);
  return random_bits() % 4 ? x : -x;
}

enum { A, B, C, D, E, N_INPUTS };

static int add(cusp_fused_program *p, cusp_vector_id id, int a, int b) {
  const bool swaps = (id == CUSP_VECTOR_add || id == CUSP_VECTOR_multiply) && chance();
  cusp_fused_instruction *instruction = &p->instructions[p->n_instructions++];
  *instruction = (cusp_fused_instruction){.function = cusp_vector_find(id, CUSP_FLOAT32),
                                          .dtype = CUSP_FLOAT32,
                                          .arity = b < 0 ? 1 : 2,
                                          .result = (int16_t)p->n_registers};
  instruction->operand[0] = (int16_t)(swaps ? b : a);
  instruction->operand[1] = (int16_t)(b < 0 ? 0 : swaps ? a : b);
  return p->n_registers++;
}

typedef enum kind { APPROACH, APPROACH_SQUARE, DESCEND } kind;

/** The functions of one chain; *between is what one of them gives to the next. */
static int add_chain(cusp_fused_program *p, kind which, int *between) {
  if (which == DESCEND) {
    const int root = add(p, CUSP_VECTOR_sqrt, D, -1), product = add(p, CUSP_VECTOR_multiply, B, C);
    *between = add(p, CUSP_VECTOR_add, root, E);
    return add(p, CUSP_VECTOR_subtract, A, add(p, CUSP_VECTOR_divide, product, *between));
  }
  const int b = which == APPROACH ? B : add(p, CUSP_VECTOR_square, B, -1);
  *between = add(p, CUSP_VECTOR_subtract, b, A);
  return add(p, CUSP_VECTOR_add, A, add(p, CUSP_VECTOR_multiply, *between, C));
}

static void add_output(cusp_fused_program *p, int reg) {
  p->output_register[p->n_outputs++] = (int16_t)reg;
}

/** `rows` rows of `columns` elements; operands are whole, rates for all, or one for each row. */
static void make_program(cusp_fused_program *p, int64_t rows, int64_t columns, bool usual) {
  memset(p, 0, sizeof *p);
  p->shape = (cusp_shape){.ndim = 2, .size = {rows, columns}};
  p->n_inputs = p->n_registers = N_INPUTS;
  for (int i = 0; i < N_INPUTS; i++) {
    const int layout = usual ? (i == C || i == E) : (int)(random_bits() % 3);
    p->input_dtype[i] = CUSP_FLOAT32;
    p->input_strides[i][0] = layout == 0 ? columns : layout == 1 ? 0 : 1;
    p->input_strides[i][1] = layout == 0;
  }
}

static void run(const cusp_fused_program *p, const void *const *inputs, void **outputs) {
  cusp_fused *fused;
  void *workspace;
  CHECK_OK(cusp_fused_new(&fused, p));
  CHECK_OK(cusp_alloc(&workspace, cusp_fused_workspace(fused) + 1));
  cusp_fused_run(fused, inputs, outputs, workspace);
  cusp_free(workspace);
  cusp_fused_free(fused);
}

static bool same_bits(const float *a, const float *b, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
      return false;
  return true;
}

static void check_bits(const cusp_fused_program *apart, const cusp_fused_program *joined) {
  static float memory[N_INPUTS][MOST], results[4][MOST];
  const void *inputs[N_INPUTS];
  for (int i = 0; i < N_INPUTS; i++) {
    for (int k = 0; k < MOST; k++)
      memory[i][k] = random_number();
    inputs[i] = memory[i];
  }
  const int64_t count = apart->shape.size[0] * apart->shape.size[1];
  run(apart, inputs, (void *[]){results[0], results[1]});
  run(joined, inputs, (void *[]){results[2], results[3]});
  CHECK(same_bits(results[0], results[2], count));
  CHECK(apart->n_outputs < 2 || same_bits(results[1], results[3], count));
}

static void test_chain(kind which, int64_t rows, int64_t columns, bool usual) {
  cusp_fused_program apart, joined;
  int between;
  make_program(&apart, rows, columns, usual);
  add_output(&apart, add_chain(&apart, which, &between));
  joined = apart;
  cusp_chains_join(&joined);
  CHECK(joined.n_instructions == 1);
  CHECK(joined.instructions[0].joined == apart.n_instructions - 1);
  check_bits(&apart, &joined);
}

/** What another one reads stays. */
static void test_shared(kind which) {
  cusp_fused_program apart, joined;
  int between;
  make_program(&apart, 3, 40, true);
  const int result = add_chain(&apart, which, &between);
  add_output(&apart, result);
  add_output(&apart, between);
  joined = apart;
  cusp_chains_join(&joined);
  CHECK(joined.n_instructions == apart.n_instructions);
  check_bits(&apart, &joined);
}

/** Adam: the averages are results of their own, and one is read on. */
static void test_adam(void) {
  cusp_fused_program apart, joined;
  make_program(&apart, 7, 33, true);
  const int square = add(&apart, CUSP_VECTOR_square, B, -1);
  const int off = add(&apart, CUSP_VECTOR_subtract, square, D);
  const int v = add(&apart, CUSP_VECTOR_add, D, add(&apart, CUSP_VECTOR_multiply, off, C));
  const int root = add(&apart, CUSP_VECTOR_add, add(&apart, CUSP_VECTOR_sqrt, v, -1), E);
  const int step = add(&apart, CUSP_VECTOR_multiply, B, C);
  add_output(&apart,
             add(&apart, CUSP_VECTOR_subtract, A, add(&apart, CUSP_VECTOR_divide, step, root)));
  add_output(&apart, v);
  joined = apart;
  cusp_chains_join(&joined);
  CHECK(joined.n_instructions == 2);
  check_bits(&apart, &joined);
}

/** Square roots that are not taken by the divider: those of all numbers between two powers of 4. */
static void test_roots(void) {
  static float zero[MOST], one[MOST], number[MOST], result[MOST];
  const float rate = -1, none = 0;
  const cusp_vector_fn descend = cusp_chain_loops_find()->descend;
  const void *in[] = {zero, one, &rate, number, &none};
  for (int i = 0; i < MOST; i++)
    one[i] = 1;
  bool right = true;
  for (uint32_t first = 0x3f800000u; first < 0x40800000u; first += 4096) {
    for (uint32_t i = 0; i < 4096; i++) {
      const uint32_t bits = first + i;
      memcpy(&number[i], &bits, sizeof bits);
    }
    descend(4096, result, in, (const int8_t[]){1, 1, 0, 1, 0});
    for (int i = 0; i < 4096; i++)
      right &= result[i] == 1 / sqrtf(number[i]);
  }
  CHECK(right);
}

int main(void) {
  for (kind which = APPROACH; which <= DESCEND; which++) {
    for (int round = 0; round < 60; round++) {
      const int64_t columns = 1 + random_bits() % 70, rows = 1 + random_bits() % 70;
      test_chain(which, rows, columns, round % 2 == 0);
    }
    test_shared(which);
  }
  test_adam();
  test_roots();
  return check_summary();
}
