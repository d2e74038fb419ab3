/*
 * Conversions between all dtypes. Integers wrap; float to integer truncates, and what is out of
 * range wraps within 32 bits for the narrow types and is clamped to the wide ones (NaN gives 0):
 * never undefined. To bool is "not zero".
 */

#include "vector_half.h"
#include "vector_loops.h"
#include "vector_tables.h"

typedef uint8_t boolean;

/* The ends of the ranges as floats: the upper one is the first number beyond. */
#define TO_INT32(x) \
  ((x) >= 0x1p31f ? INT32_MAX : (x) >= -0x1p31f ? (int32_t)(x) : (x) < 0 ? INT32_MIN : 0)
#define TO_INT64(x) \
  ((x) >= 0x1p63f ? INT64_MAX : (x) >= -0x1p63f ? (int64_t)(x) : (x) < 0 ? INT64_MIN : 0)
#define TO_UINT64(x) \
  ((x) >= 0x1p64f ? UINT64_MAX : (x) >= 0x1p63f ? (uint64_t)(x) : (uint64_t)TO_INT64(x))
#define TO_UINT32(x) ((x) >= 0x1p32f ? UINT32_MAX : (uint32_t)TO_INT64(x))

#define CAST(from, F, to, T, EXPRESSION) CUSP_MAP1(from##_to_##to, F, T, EXPRESSION)
#define TO_WIDER_OR_WRAP(from, F)    \
  CAST(from, F, int8, int8_t, x)     \
  CAST(from, F, int16, int16_t, x)   \
  CAST(from, F, int32, int32_t, x)   \
  CAST(from, F, int64, int64_t, x)   \
  CAST(from, F, uint8, uint8_t, x)   \
  CAST(from, F, uint16, uint16_t, x) \
  CAST(from, F, uint32, uint32_t, x) \
  CAST(from, F, uint64, uint64_t, x)
#define TO_TRUNCATED(from, F)                   \
  CAST(from, F, int8, int8_t, TO_INT32(x))      \
  CAST(from, F, int16, int16_t, TO_INT32(x))    \
  CAST(from, F, int32, int32_t, TO_INT32(x))    \
  CAST(from, F, int64, int64_t, TO_INT64(x))    \
  CAST(from, F, uint8, uint8_t, TO_INT32(x))    \
  CAST(from, F, uint16, uint16_t, TO_INT32(x))  \
  CAST(from, F, uint32, uint32_t, TO_UINT32(x)) \
  CAST(from, F, uint64, uint64_t, TO_UINT64(x))
#define TO_REST(from, F)                  \
  CAST(from, F, boolean, boolean, x != 0) \
  CAST(from, F, float32, float, x)        \
  CAST(from, F, float64, double, x)
#define INTEGER(from) TO_WIDER_OR_WRAP(from, from##_t) TO_REST(from, from##_t)

INTEGER(int8)
INTEGER(int16)
INTEGER(int32)
INTEGER(int64)
INTEGER(uint8)
INTEGER(uint16)
INTEGER(uint32)
INTEGER(uint64)
TO_WIDER_OR_WRAP(boolean, boolean)
TO_REST(boolean, boolean)
TO_TRUNCATED(float32, float)
TO_REST(float32, float)
TO_TRUNCATED(float64, double)
TO_REST(float64, double)

/* The 16-bit floats go through blocks of float32. */
#define FROM_HALF(half, to, T)                                                                  \
  static void half##_to_##to(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    float block[CUSP_HALF_BLOCK];                                                               \
    const void *blocks[1] = {block};                                                            \
    const int64_t most = step[0] ? CUSP_HALF_BLOCK : n;                                         \
    for (int64_t begin = 0; begin < n; begin += most) {                                         \
      const int64_t count = n - begin < most ? n - begin : most;                                \
      cusp_##half##_block_to_float(step[0] ? count : 1, block,                                  \
                                   (const cusp_##half *)in[0] + begin);                         \
      float32_to_##to(count, (T *)out + begin, blocks, step);                                   \
    }                                                                                           \
  }
#define TO_HALF(half, from, F)                                                                    \
  static void from##_to_##half(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    float block[CUSP_HALF_BLOCK];                                                                 \
    for (int64_t begin = 0; begin < n; begin += CUSP_HALF_BLOCK) {                                \
      const int64_t count = n - begin < CUSP_HALF_BLOCK ? n - begin : CUSP_HALF_BLOCK;            \
      const void *source[1] = {(const F *)in[0] + (step[0] ? begin : 0)};                         \
      from##_to_float32(count, block, source, step);                                              \
      cusp_##half##_block_from_float(count, (cusp_##half *)out + begin, block);                   \
    }                                                                                             \
  }
#define BOTH(type, T)          \
  FROM_HALF(float16, type, T)  \
  TO_HALF(float16, type, T)    \
  FROM_HALF(bfloat16, type, T) \
  TO_HALF(bfloat16, type, T)
BOTH(boolean, boolean)
BOTH(int8, int8_t)
BOTH(int16, int16_t)
BOTH(int32, int32_t)
BOTH(int64, int64_t)
BOTH(uint8, uint8_t)
BOTH(uint16, uint16_t)
BOTH(uint32, uint32_t)
BOTH(uint64, uint64_t)
BOTH(float32, float)
BOTH(float64, double)
TO_HALF(bfloat16, float16, cusp_float16)
TO_HALF(float16, bfloat16, cusp_bfloat16)
CUSP_MAP1(half_copy, uint16_t, uint16_t, x)
#define float16_to_float16 half_copy
#define bfloat16_to_bfloat16 half_copy

#define ROW(DTYPE, from)                                                        \
  [CUSP_##DTYPE] = {                                                            \
      [CUSP_BOOL] = from##_to_boolean,      [CUSP_INT8] = from##_to_int8,       \
      [CUSP_INT16] = from##_to_int16,       [CUSP_INT32] = from##_to_int32,     \
      [CUSP_INT64] = from##_to_int64,       [CUSP_UINT8] = from##_to_uint8,     \
      [CUSP_UINT16] = from##_to_uint16,     [CUSP_UINT32] = from##_to_uint32,   \
      [CUSP_UINT64] = from##_to_uint64,     [CUSP_FLOAT16] = from##_to_float16, \
      [CUSP_BFLOAT16] = from##_to_bfloat16, [CUSP_FLOAT32] = from##_to_float32, \
      [CUSP_FLOAT64] = from##_to_float64,                                       \
  }
const cusp_vector_casts CUSP_ISA(cusp_vector_cast) = {
    ROW(BOOL, boolean),    ROW(INT8, int8),       ROW(INT16, int16),       ROW(INT32, int32),
    ROW(INT64, int64),     ROW(UINT8, uint8),     ROW(UINT16, uint16),     ROW(UINT32, uint32),
    ROW(UINT64, uint64),   ROW(FLOAT16, float16), ROW(BFLOAT16, bfloat16), ROW(FLOAT32, float32),
    ROW(FLOAT64, float64),
};
