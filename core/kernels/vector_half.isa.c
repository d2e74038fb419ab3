/* Vector functions of float16 and bfloat16: float32's, a block at a time between two conversions;
 * of bfloat16, those of one expression convert in registers. */

#include "vector_half.h"
#include "vector_loops.h"
#include "vector_tables.h"

#define FLOAT32 CUSP_ISA(cusp_vector_float32)

typedef struct half_kind {
  void (*widen)(int64_t n, float *out, const void *in);
  void (*narrow)(int64_t n, void *out, const float *in);
} half_kind;

static void float16_widen(int64_t n, float *out, const void *in) {
  cusp_float16_block_to_float(n, out, in);
}
static void float16_narrow(int64_t n, void *out, const float *in) {
  cusp_float16_block_from_float(n, out, in);
}
static void bfloat16_widen(int64_t n, float *out, const void *in) {
  cusp_bfloat16_block_to_float(n, out, in);
}
static void bfloat16_narrow(int64_t n, void *out, const float *in) {
  cusp_bfloat16_block_from_float(n, out, in);
}

static const half_kind float16_kind = {float16_widen, float16_narrow};
static const half_kind bfloat16_kind = {bfloat16_widen, bfloat16_narrow};

/** Runs float32's function `id` over blocks; a result of bools needs no conversion. */
static void run(const half_kind *kind, int id, int arity, bool to_bool, int64_t n, void *out,
                const void *const *in, const int8_t *step) {
  float operand[3][CUSP_HALF_BLOCK], result[CUSP_HALF_BLOCK];
  const void *operands[3] = {operand[0], operand[1], operand[2]};
  for (int k = 0; k < arity; k++)
    if (!step[k])
      kind->widen(1, operand[k], in[k]);
  for (int64_t begin = 0; begin < n; begin += CUSP_HALF_BLOCK) {
    const int64_t count = n - begin < CUSP_HALF_BLOCK ? n - begin : CUSP_HALF_BLOCK;
    for (int k = 0; k < arity; k++)
      if (step[k])
        kind->widen(count, operand[k], (const uint16_t *)in[k] + begin);
    FLOAT32[id](count, to_bool ? (void *)((uint8_t *)out + begin) : result, operands, step);
    if (!to_bool)
      kind->narrow(count, (uint16_t *)out + begin, result);
  }
}

#define RESULT_same false
#define RESULT_bool true
#define CUSP_VECTOR(name, arity, result, cost)                                                   \
  static void float16_##name(int64_t n, void *out, const void *const *in, const int8_t *step) {  \
    run(&float16_kind, CUSP_VECTOR_##name, arity, RESULT_##result, n, out, in, step);            \
  }                                                                                              \
  static void bfloat16_##name(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    run(&bfloat16_kind, CUSP_VECTOR_##name, arity, RESULT_##result, n, out, in, step);           \
  }
#include "vector_functions.h"
#undef CUSP_VECTOR

/* ------------------------------------------------------------------ bfloat16 in registers */

#define REAL float
#define C(name) name##f
#define WIDE(x) cusp_bfloat16_to_float(x)
/* Runs a loop over blocks, whose results are rounded together. */
#define BLOCKS(...)                                                                               \
  for (int64_t begin = 0; begin < n; begin += CUSP_HALF_BLOCK) {                                  \
    const int64_t end = n - begin < CUSP_HALF_BLOCK ? n : begin + CUSP_HALF_BLOCK;                \
    float block[CUSP_HALF_BLOCK];                                                                 \
    __VA_ARGS__ cusp_bfloat16_block_from_float(end - begin, (cusp_bfloat16 *)out + begin, block); \
  }
#define UNARY(name, EXPRESSION)                                                                \
  static void simple_##name(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    const cusp_bfloat16 *p = in[0];                                                            \
    const float first = WIDE(p[0]);                                                            \
    BLOCKS(for (int64_t i = begin; i < end; i++) {                                             \
      const float x = step[0] ? WIDE(p[i]) : first;                                            \
      block[i - begin] = EXPRESSION;                                                           \
    })                                                                                         \
  }
#define BINARY_LOOP(A, B, EXPRESSION)            \
  BLOCKS(for (int64_t i = begin; i < end; i++) { \
    const float a = A, b = B;                    \
    block[i - begin] = EXPRESSION;               \
  })                                             \
  break;
#define TEST_LOOP(A, B, EXPRESSION)   \
  CUSP_LOOP {                         \
    const float a = A, b = B;         \
    ((uint8_t *)out)[i] = EXPRESSION; \
  }                                   \
  break;
#define MAP2(name, LOOP, EXPRESSION)                                                           \
  static void simple_##name(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    const cusp_bfloat16 *p = in[0], *q = in[1];                                                \
    const float a0 = WIDE(p[0]), b0 = WIDE(q[0]);                                              \
    switch ((step[0] != 0) << 1 | (step[1] != 0)) {                                            \
    case 3: LOOP(WIDE(p[i]), WIDE(q[i]), EXPRESSION)                                           \
    case 2: LOOP(WIDE(p[i]), b0, EXPRESSION)                                                   \
    case 1: LOOP(a0, WIDE(q[i]), EXPRESSION)                                                   \
    default: LOOP(a0, b0, EXPRESSION)                                                          \
    }                                                                                          \
  }
#define BINARY(name, EXPRESSION) MAP2(name, BINARY_LOOP, EXPRESSION)
#define TEST1(name, EXPRESSION)                                                                \
  static void simple_##name(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    const cusp_bfloat16 *p = in[0];                                                            \
    const float first = WIDE(p[0]);                                                            \
    CUSP_LOOP {                                                                                \
      const float x = step[0] ? WIDE(p[i]) : first;                                            \
      ((uint8_t *)out)[i] = EXPRESSION;                                                        \
    }                                                                                          \
  }
#define TEST2(name, EXPRESSION) MAP2(name, TEST_LOOP, EXPRESSION)
#include "vector_simple.h"
#undef UNARY
#undef BINARY
#undef TEST1
#undef TEST2

/** erfc(x) within 1.2e-7 of itself (a Chebyshev fit in 1 / (1 + |x| / 2), as Press and others give
 * it), which bfloat16 does not tell from the exact one. */
static void simple_erfc(int64_t n, void *out, const void *const *in, const int8_t *step) {
  const cusp_bfloat16 *p = in[0];
  float exponent[CUSP_HALF_BLOCK], base[CUSP_HALF_BLOCK];
  const void *exponents[] = {exponent};
  for (int64_t begin = 0; begin < n; begin += CUSP_HALF_BLOCK) {
    const int64_t count = n - begin < CUSP_HALF_BLOCK ? n - begin : CUSP_HALF_BLOCK;
    for (int64_t i = 0; i < count; i++) {
      const float z = __builtin_fabsf(WIDE(p[step[0] ? begin + i : 0])), t = 1 / (1 + 0.5f * z);
      float y = 0.17087277f;
      y = y * t - 0.82215223f;
      y = y * t + 1.48851587f;
      y = y * t - 1.13520398f;
      y = y * t + 0.27886807f;
      y = y * t - 0.18628806f;
      y = y * t + 0.09678418f;
      y = y * t + 0.37409196f;
      y = y * t + 1.00002368f;
      exponent[i] = y * t - 1.26551223f - z * z;
      base[i] = t;
    }
    FLOAT32[CUSP_VECTOR_exp](count, exponent, exponents, (const int8_t[]){1});
    for (int64_t i = 0; i < count; i++) {
      const float y = base[i] * exponent[i];
      exponent[i] = WIDE(p[step[0] ? begin + i : 0]) < 0 ? 2 - y : y;
    }
    cusp_bfloat16_block_from_float(count, (cusp_bfloat16 *)out + begin, exponent);
  }
}

#define ENTRY(name, EXPRESSION) [CUSP_VECTOR_##name] = simple_##name,
#define UNARY ENTRY
#define BINARY ENTRY
#define TEST1 ENTRY
#define TEST2 ENTRY
const cusp_vector_table CUSP_ISA(cusp_vector_bfloat16_simple) = {
    [CUSP_VECTOR_erfc] = simple_erfc,
#include "vector_simple.h"
};

/* ------------------------------------------------------------------ tables */

/* What moves bits alone; also what float32's table cannot do for them. */
CUSP_MAP1(bits_copy, uint16_t, uint16_t, x)
CUSP_MAP1(bits_negative, uint16_t, uint16_t, x ^ 0x8000u)
CUSP_MAP1(bits_absolute, uint16_t, uint16_t, x & 0x7fffu)
CUSP_MAP3(bits_select, uint8_t, uint16_t, uint16_t, a ? b : c)

/* Rows without a float32 function stay in the table; cusp_vector_find leaves them out. */
#define BITWISE(name) [CUSP_VECTOR_##name] = bits_##name
#define CUSP_VECTOR(name, arity, result, cost) [CUSP_VECTOR_##name] = float16_##name,
const cusp_vector_table CUSP_ISA(cusp_vector_float16) = {
#include "vector_functions.h"
};
#undef CUSP_VECTOR
#define CUSP_VECTOR(name, arity, result, cost) [CUSP_VECTOR_##name] = bfloat16_##name,
const cusp_vector_table CUSP_ISA(cusp_vector_bfloat16) = {
#include "vector_functions.h"
};
#undef CUSP_VECTOR

const cusp_vector_table CUSP_ISA(cusp_vector_half_bits) = {BITWISE(copy), BITWISE(negative),
                                                           BITWISE(absolute), BITWISE(select)};
