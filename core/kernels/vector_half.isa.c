/* Vector functions of float16 and bfloat16: float32's, a block at a time between two
 * conversions. */

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
