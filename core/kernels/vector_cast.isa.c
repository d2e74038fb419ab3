/*
 * Conversions between all dtypes. Integers wrap; float to integer truncates, and what is out of
 * range wraps within 32 bits for the narrow types and is clamped to the wide ones (NaN gives 0):
 * never undefined. To bool is "not zero".
 */

#include "vector_half.h"
#include "vector_loops.h"
#include "vector_tables.h"

/* The ends of the ranges as floats: the upper one is the first number beyond. */
#define TO_INT32(x) \
  ((x) >= 0x1p31f ? INT32_MAX : (x) >= -0x1p31f ? (int32_t)(x) : (x) < 0 ? INT32_MIN : 0)
#define TO_INT64(x) \
  ((x) >= 0x1p63f ? INT64_MAX : (x) >= -0x1p63f ? (int64_t)(x) : (x) < 0 ? INT64_MIN : 0)
#define TO_UINT64(x) \
  ((x) >= 0x1p64f ? UINT64_MAX : (x) >= 0x1p63f ? (uint64_t)(x) : (uint64_t)TO_INT64(x))
#define TO_UINT32(x) ((x) >= 0x1p32f ? UINT32_MAX : (uint32_t)TO_INT64(x))

#define IN_RANGE_int8 TO_INT32
#define IN_RANGE_int16 TO_INT32
#define IN_RANGE_int32 TO_INT32
#define IN_RANGE_int64 TO_INT64
#define IN_RANGE_uint8 TO_INT32
#define IN_RANGE_uint16 TO_INT32
#define IN_RANGE_uint32 TO_UINT32
#define IN_RANGE_uint64 TO_UINT64

/* For lists within lists: the preprocessor expands a macro within itself only where it reads the
 * result again. */
#define AGAIN(...) __VA_ARGS__
#define LATER
#define BOOLS() CUSP_BOOL_DTYPES
#define INTS() CUSP_INT_DTYPES
#define REALS() CUSP_REAL_DTYPES
#define ALL() CUSP_DTYPES

/* To a dtype of the list from FROM, of type F. */
#define PLAIN(TO, to, T, greatest, FROM, F) CUSP_MAP1(FROM##_to_##TO, F, T, x)
#define TRUNCATED(TO, to, T, greatest, FROM, F) CUSP_MAP1(FROM##_to_##TO, F, T, IN_RANGE_##to(x))
#define TESTED(TO, to, T, greatest, FROM, F) CUSP_MAP1(FROM##_to_##TO, F, T, x != 0)

#define FROM_INTEGER(FROM, from, F, ...) \
  BOOLS LATER()(TESTED, FROM, F) INTS LATER()(PLAIN, FROM, F) REALS LATER()(PLAIN, FROM, F)
#define FROM_REAL(FROM, from, F, ...) \
  BOOLS LATER()(TESTED, FROM, F) INTS LATER()(TRUNCATED, FROM, F) REALS LATER()(PLAIN, FROM, F)

AGAIN(CUSP_BOOL_DTYPES(FROM_INTEGER) CUSP_INT_DTYPES(FROM_INTEGER) CUSP_REAL_DTYPES(FROM_REAL))

/* The 16-bit floats go through blocks of float32. */
#define FROM_HALF(HALF, half, TO, T)                                                            \
  static void HALF##_to_##TO(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    float block[CUSP_HALF_BLOCK];                                                               \
    const void *blocks[1] = {block};                                                            \
    const int64_t most = step[0] ? CUSP_HALF_BLOCK : n;                                         \
    if (CUSP_##TO == CUSP_FLOAT32 && step[0]) {                                                 \
      cusp_##half##_block_to_float(n, out, in[0]);                                              \
      return;                                                                                   \
    }                                                                                           \
    for (int64_t begin = 0; begin < n; begin += most) {                                         \
      const int64_t count = n - begin < most ? n - begin : most;                                \
      cusp_##half##_block_to_float(step[0] ? count : 1, block,                                  \
                                   (const cusp_##half *)in[0] + begin);                         \
      FLOAT32_to_##TO(count, (T *)out + begin, blocks, step);                                   \
    }                                                                                           \
  }
#define TO_HALF(HALF, half, FROM, F)                                                              \
  static void FROM##_to_##HALF(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    float block[CUSP_HALF_BLOCK];                                                                 \
    if (CUSP_##FROM == CUSP_FLOAT32 && step[0]) {                                                 \
      cusp_##half##_block_from_float(n, out, in[0]);                                              \
      return;                                                                                     \
    }                                                                                             \
    for (int64_t begin = 0; begin < n; begin += CUSP_HALF_BLOCK) {                                \
      const int64_t count = n - begin < CUSP_HALF_BLOCK ? n - begin : CUSP_HALF_BLOCK;            \
      const void *source[1] = {(const F *)in[0] + (step[0] ? begin : 0)};                         \
      FROM##_to_FLOAT32(count, block, source, step);                                              \
      cusp_##half##_block_from_float(count, (cusp_##half *)out + begin, block);                   \
    }                                                                                             \
  }
#define BOTH_WAYS(OTHER, other, T, greatest, HALF, half) \
  FROM_HALF(HALF, half, OTHER, T) TO_HALF(HALF, half, OTHER, T)
#define WITH_HALF(HALF, half, ...)                                                        \
  BOOLS LATER()(BOTH_WAYS, HALF, half) INTS LATER()(BOTH_WAYS, HALF, half) REALS LATER()( \
      BOTH_WAYS, HALF, half)

AGAIN(CUSP_HALF_DTYPES(WITH_HALF))
TO_HALF(BFLOAT16, bfloat16, FLOAT16, cusp_float16)
TO_HALF(FLOAT16, float16, BFLOAT16, cusp_bfloat16)
CUSP_MAP1(half_copy, uint16_t, uint16_t, x)
#define FLOAT16_to_FLOAT16 half_copy
#define BFLOAT16_to_BFLOAT16 half_copy

#define CELL(TO, to, T, greatest, FROM) [CUSP_##TO] = FROM##_to_##TO,
#define ROW(FROM, ...) [CUSP_##FROM] = {ALL LATER()(CELL, FROM)},
const cusp_vector_casts CUSP_ISA(cusp_vector_cast) = {AGAIN(CUSP_DTYPES(ROW))};
