#ifndef CUSP_TENSOR_DTYPE_H
#define CUSP_TENSOR_DTYPE_H
/* Element types: names, sizes, and Keras's promotion (keras/src/backend/common/dtypes.py). */

#include "../base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum cusp_dtype {
  CUSP_BOOL = 0, /* one byte, 0 or 1 */
  CUSP_INT8,
  CUSP_INT16,
  CUSP_INT32,
  CUSP_INT64,
  CUSP_UINT8,
  CUSP_UINT16,
  CUSP_UINT32,
  CUSP_UINT64,
  CUSP_FLOAT16,
  CUSP_BFLOAT16,
  CUSP_FLOAT32,
  CUSP_FLOAT64,
  CUSP_DTYPE_COUNT
} cusp_dtype;

/** Storage of the two 16-bit floats; converted through float32 for every operation. */
typedef struct cusp_float16 {
  uint16_t bits;
} cusp_float16;
typedef struct cusp_bfloat16 {
  uint16_t bits;
} cusp_bfloat16;

const char *cusp_dtype_name(cusp_dtype dtype);
size_t cusp_dtype_size(cusp_dtype dtype);
/** CUSP_EDTYPE, naming the nearest known name, where `name` is none. "float", "int" and "double"
 * are not names. */
CUSP_NODISCARD cusp_status cusp_dtype_parse(cusp_dtype *out, const char *name);

static inline bool cusp_dtype_is_float(cusp_dtype d) { return d >= CUSP_FLOAT16; }
static inline bool cusp_dtype_is_signed_int(cusp_dtype d) {
  return d >= CUSP_INT8 && d <= CUSP_INT64;
}
static inline bool cusp_dtype_is_int(cusp_dtype d) { return d >= CUSP_INT8 && d <= CUSP_UINT64; }

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
