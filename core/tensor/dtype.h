#ifndef CUSP_TENSOR_DTYPE_H
#define CUSP_TENSOR_DTYPE_H
/* Element types: names, sizes, and Keras's promotion (keras/src/backend/common/dtypes.py). */

#include "../base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Storage of the two 16-bit floats; converted through float32 for every operation. */
typedef struct cusp_float16 {
  uint16_t bits;
} cusp_float16;
typedef struct cusp_bfloat16 {
  uint16_t bits;
} cusp_bfloat16;

/**
 * The dtypes by kind, narrow ones first: X(NAME, name, type in C, greatest finite number as a
 * double). Everything that has an entry for each dtype is made from these lists; what is given
 * after X is passed on to it. A bool is one byte, 0 or 1.
 */
#define CUSP_BOOL_DTYPES(X, ...) X(BOOL, bool, uint8_t, 1, ##__VA_ARGS__)
#define CUSP_SIGNED_DTYPES(X, ...)                    \
  X(INT8, int8, int8_t, 127, ##__VA_ARGS__)           \
  X(INT16, int16, int16_t, 32767, ##__VA_ARGS__)      \
  X(INT32, int32, int32_t, 2147483647, ##__VA_ARGS__) \
  X(INT64, int64, int64_t, 0x1.fffffffffffffp62, ##__VA_ARGS__)
#define CUSP_UNSIGNED_DTYPES(X, ...)                     \
  X(UINT8, uint8, uint8_t, 255, ##__VA_ARGS__)           \
  X(UINT16, uint16, uint16_t, 65535, ##__VA_ARGS__)      \
  X(UINT32, uint32, uint32_t, 4294967295, ##__VA_ARGS__) \
  X(UINT64, uint64, uint64_t, 0x1.fffffffffffffp63, ##__VA_ARGS__)
#define CUSP_HALF_DTYPES(X, ...)                          \
  X(FLOAT16, float16, cusp_float16, 65504, ##__VA_ARGS__) \
  X(BFLOAT16, bfloat16, cusp_bfloat16, 0x1.fep127, ##__VA_ARGS__)
#define CUSP_REAL_DTYPES(X, ...)                            \
  X(FLOAT32, float32, float, 0x1.fffffep127, ##__VA_ARGS__) \
  X(FLOAT64, float64, double, 0x1.fffffffffffffp1023, ##__VA_ARGS__)

#define CUSP_INT_DTYPES(X, ...)        \
  CUSP_SIGNED_DTYPES(X, ##__VA_ARGS__) \
  CUSP_UNSIGNED_DTYPES(X, ##__VA_ARGS__)
#define CUSP_FLOAT_DTYPES(X, ...)    \
  CUSP_HALF_DTYPES(X, ##__VA_ARGS__) \
  CUSP_REAL_DTYPES(X, ##__VA_ARGS__)
#define CUSP_DTYPES(X, ...)          \
  CUSP_BOOL_DTYPES(X, ##__VA_ARGS__) \
  CUSP_INT_DTYPES(X, ##__VA_ARGS__)  \
  CUSP_FLOAT_DTYPES(X, ##__VA_ARGS__)

/** Strings stand beside the lists: no kernel for numbers has an entry for them. An element is the
 * number of a string (see strings.h). */
#define CUSP_DTYPE_MEMBER(NAME, ...) CUSP_##NAME,
typedef enum cusp_dtype { CUSP_DTYPES(CUSP_DTYPE_MEMBER) CUSP_STRING, CUSP_DTYPE_COUNT } cusp_dtype;
#undef CUSP_DTYPE_MEMBER

/** Sets of dtypes, a bit each. */
#define CUSP_DTYPE_BIT(NAME, ...) | 1 << CUSP_##NAME
enum {
  CUSP_SIGNED_SET = 0 CUSP_SIGNED_DTYPES(CUSP_DTYPE_BIT),
  CUSP_INT_SET = 0 CUSP_INT_DTYPES(CUSP_DTYPE_BIT),
  CUSP_HALF_SET = 0 CUSP_HALF_DTYPES(CUSP_DTYPE_BIT),
  CUSP_FLOAT_SET = 0 CUSP_FLOAT_DTYPES(CUSP_DTYPE_BIT)
};
#undef CUSP_DTYPE_BIT

/** An unsigned type in which sums and products of an integer type wrap around as they should. */
#define CUSP_WRAPPING(type) \
  __typeof__(__builtin_choose_expr(sizeof(type) == 8, (uint64_t)0, (uint32_t)0))

const char *cusp_dtype_name(cusp_dtype dtype);
size_t cusp_dtype_size(cusp_dtype dtype);
/** The greatest finite number, rounded towards zero where a double does not hold it. */
double cusp_dtype_greatest(cusp_dtype dtype);
/** CUSP_EDTYPE, naming the nearest known name, where `name` is none. "float", "int" and "double"
 * are not names. */
CUSP_NODISCARD cusp_status cusp_dtype_parse(cusp_dtype *out, const char *name);
/** As above for what holds numbers: "string" is refused. */
CUSP_NODISCARD cusp_status cusp_dtype_parse_number(cusp_dtype *out, const char *name);

static inline bool cusp_dtype_is_float(cusp_dtype d) { return CUSP_FLOAT_SET >> d & 1; }
static inline bool cusp_dtype_is_half(cusp_dtype d) { return CUSP_HALF_SET >> d & 1; }
static inline bool cusp_dtype_is_int(cusp_dtype d) { return CUSP_INT_SET >> d & 1; }
static inline bool cusp_dtype_is_signed_int(cusp_dtype d) { return CUSP_SIGNED_SET >> d & 1; }

/** The dtype to compute in: float32 for 16-bit floats, which would lose most digits of a sum. */
static inline cusp_dtype cusp_dtype_widened(cusp_dtype d) {
  return cusp_dtype_is_half(d) ? CUSP_FLOAT32 : d;
}

/** Keras's result_type of two array dtypes (jax's lattice: int32 + float16 -> float16, uint8 + int8
 * -> int16, bfloat16 + float16 -> float32, ...). */
cusp_dtype cusp_dtype_promote(cusp_dtype a, cusp_dtype b);
/** As above where `b` is the dtype of a Lua number ("weak"): it takes a's dtype unless its kind is
 * higher (a float with an int tensor gives floatx). */
cusp_dtype cusp_dtype_promote_weak(cusp_dtype a, cusp_dtype weak);
/** The float dtype in which an int or bool operand is computed by exp, divide, mean ...: floats
 * stay, int64 and all others become floatx. */
cusp_dtype cusp_dtype_to_float(cusp_dtype d);

/** The default float dtype, "float32" unless set (`cusp.config.set_floatx`). */
cusp_dtype cusp_get_floatx(void);
void cusp_set_floatx(cusp_dtype dtype);

/** One element to and from C numbers; integers beyond 2^53 go through the _int forms. */
double cusp_load_double(cusp_dtype dtype, const void *element);
int64_t cusp_load_int(cusp_dtype dtype, const void *element);
void cusp_store_double(cusp_dtype dtype, void *element, double value);
void cusp_store_int(cusp_dtype dtype, void *element, int64_t value);
/** Whether an integer dtype holds the number, for floats its integer part; bool and the float
 * dtypes hold every number. */
bool cusp_dtype_holds_int(cusp_dtype dtype, int64_t value);
bool cusp_dtype_holds_double(cusp_dtype dtype, double value);
/** CUSP_EVALUE: "300 does not fit uint8 (0 to 255)", with `number` as the text of the number. */
cusp_status cusp_dtype_fail_range(cusp_dtype dtype, const char *number);

static inline float cusp_bfloat16_to_float(cusp_bfloat16 h) {
  union {
    uint32_t u;
    float f;
  } x = {(uint32_t)h.bits << 16};
  return x.f;
}
/** Round to nearest even; NaN stays NaN. */
static inline cusp_bfloat16 cusp_float_to_bfloat16(float f) {
  union {
    float f;
    uint32_t u;
  } x = {f};
  if ((x.u & 0x7fffffffu) > 0x7f800000u)
    return (cusp_bfloat16){(uint16_t)((x.u >> 16) | 0x40u)};
  return (cusp_bfloat16){(uint16_t)((x.u + 0x7fffu + ((x.u >> 16) & 1u)) >> 16)};
}
float cusp_float16_to_float(cusp_float16 h);
cusp_float16 cusp_float_to_float16(float f);

#endif
