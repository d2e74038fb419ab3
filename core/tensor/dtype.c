#include "dtype.h"

#include "../base/spelling.h"

#include <math.h>
#include <string.h>

#define ENTRY(NAME, name, type, greatest) [CUSP_##NAME] = {#name, sizeof(type), greatest},
static const struct {
  const char *name;
  size_t size;
  double greatest;
} dtypes[] = {CUSP_DTYPES(ENTRY)[CUSP_STRING] = {"string", sizeof(uint32_t), 0}};

static cusp_dtype floatx = CUSP_FLOAT32;

const char *cusp_dtype_name(cusp_dtype dtype) {
  return (unsigned)dtype < CUSP_DTYPE_COUNT ? dtypes[dtype].name : "unknown";
}

size_t cusp_dtype_size(cusp_dtype dtype) { return dtypes[dtype].size; }

double cusp_dtype_greatest(cusp_dtype dtype) { return dtypes[dtype].greatest; }

/* ------------------------------------------------------------------ names */

/** Names of other languages, which are near several of ours. */
static const struct {
  const char *name;
  cusp_dtype meant;
} foreign_names[] = {
    {"double", CUSP_FLOAT64}, {"half", CUSP_FLOAT16},  {"integer", CUSP_INT32},
    {"long", CUSP_INT64},     {"boolean", CUSP_BOOL},  {"byte", CUSP_UINT8},
    {"str", CUSP_STRING},     {"object", CUSP_STRING},
};

static cusp_dtype nearest(const char *name) {
  for (size_t i = 0; i < sizeof foreign_names / sizeof *foreign_names; i++)
    if (strcmp(name, foreign_names[i].name) == 0)
      return foreign_names[i].meant;
  cusp_dtype best = CUSP_FLOAT32;
  for (int i = 0; i < CUSP_DTYPE_COUNT; i++)
    if (cusp_edit_distance(name, dtypes[i].name) < cusp_edit_distance(name, dtypes[best].name))
      best = (cusp_dtype)i;
  return best;
}

/* Python's names of its own types. */
static const struct {
  const char *name;
  cusp_dtype meant;
} python_names[] = {{"int", CUSP_INT32}, {"float", CUSP_FLOAT32}};

cusp_status cusp_dtype_parse(cusp_dtype *out, const char *name) {
  for (size_t i = 0; i < sizeof python_names / sizeof *python_names; i++)
    if (strcmp(name, python_names[i].name) == 0) {
      *out = python_names[i].meant;
      return CUSP_OK;
    }
  for (int i = 0; i < CUSP_DTYPE_COUNT; i++)
    if (strcmp(name, dtypes[i].name) == 0) {
      *out = (cusp_dtype)i;
      return CUSP_OK;
    }
  *out = CUSP_FLOAT32;
  return cusp_fail(CUSP_EDTYPE, "unknown dtype '%.40s' (did you mean '%s'?)", name,
                   dtypes[nearest(name)].name);
}

cusp_status cusp_dtype_parse_number(cusp_dtype *out, const char *name) {
  CUSP_TRY(cusp_dtype_parse(out, name));
  return *out == CUSP_STRING ? cusp_fail(CUSP_EDTYPE, "expected a dtype of numbers, got string")
                             : CUSP_OK;
}

/* ------------------------------------------------------------------ promotion */

/** Of one kind (float, signed or unsigned), the wider; the two 16-bit floats meet in float32. */
static cusp_dtype wider(cusp_dtype a, cusp_dtype b) {
  if (cusp_dtype_is_half(a) && cusp_dtype_is_half(b) && a != b)
    return CUSP_FLOAT32;
  return dtypes[a].size > dtypes[b].size ? a : b;
}

/** The signed type that holds both; none holds uint64 beside a signed type, and the lattice says a
 * float then. */
static cusp_dtype signed_for(cusp_dtype is_signed, cusp_dtype is_unsigned) {
#define HOLDS(NAME, ...)                                     \
  if (dtypes[CUSP_##NAME].size > dtypes[is_unsigned].size && \
      dtypes[CUSP_##NAME].size >= dtypes[is_signed].size)    \
    return CUSP_##NAME;
  CUSP_SIGNED_DTYPES(HOLDS)
  return floatx;
}

cusp_dtype cusp_dtype_promote(cusp_dtype a, cusp_dtype b) {
  if (a == b || b == CUSP_BOOL || a == CUSP_STRING)
    return a;
  if (b == CUSP_STRING)
    return b;
  if (a == CUSP_BOOL)
    return b;
  if (cusp_dtype_is_float(a) != cusp_dtype_is_float(b))
    return cusp_dtype_is_float(a) ? a : b;
  if (cusp_dtype_is_float(a) || cusp_dtype_is_signed_int(a) == cusp_dtype_is_signed_int(b))
    return wider(a, b);
  return cusp_dtype_is_signed_int(a) ? signed_for(a, b) : signed_for(b, a);
}

cusp_dtype cusp_dtype_promote_weak(cusp_dtype a, cusp_dtype weak) {
  if (a == CUSP_STRING)
    return a;
  if (weak == CUSP_BOOL || cusp_dtype_is_float(a))
    return a;
  if (cusp_dtype_is_float(weak))
    return floatx;
  return a == CUSP_BOOL ? weak : a;
}

cusp_dtype cusp_dtype_to_float(cusp_dtype d) { return cusp_dtype_is_float(d) ? d : floatx; }

cusp_dtype cusp_get_floatx(void) { return floatx; }

void cusp_set_floatx(cusp_dtype dtype) { floatx = dtype; }

/* ------------------------------------------------------------------ float16 */

static float float_of_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static uint32_t bits_of_float(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

float cusp_float16_to_float(cusp_float16 h) {
  uint32_t sign = (uint32_t)(h.bits & 0x8000) << 16, exponent = (h.bits >> 10) & 31,
           mantissa = h.bits & 0x3ff;
  if (exponent == 31)
    return float_of_bits(sign | 0x7f800000 | mantissa << 13);
  if (exponent == 0) /* subnormal: a multiple of 2^-24 */
    return float_of_bits(sign | bits_of_float((float)mantissa * 0x1p-24f));
  return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

cusp_float16 cusp_float_to_float16(float f) {
  uint32_t bits = bits_of_float(f), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff, half;
  if (size > 0x7f800000) /* NaN: quiet, upper payload kept */
    half = 0x7e00 | (size >> 13 & 0x3ff);
  else if (size >= 0x477ff000) /* 65520 and above round to infinity */
    half = 0x7c00;
  /* below 2^-14: a unit in the last place of 0.5f is float16's smallest step */
  else if (size < 0x38800000)
    half = bits_of_float(float_of_bits(size) + 0.5f) - 0x3f000000;
  else /* to nearest, ties to even; a carry runs into the exponent as it should */
    half = (size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13;
  return (cusp_float16){(uint16_t)(sign | half)};
}

/* ------------------------------------------------------------------ single elements */

#define AS_NUMBER(NAME, name, type, greatest) \
  case CUSP_##NAME:                           \
    return (double)*(const type *)element;
#define AS_HALF(NAME, name, type, greatest) \
  case CUSP_##NAME:                         \
    return cusp_##name##_to_float(*(const type *)element);
#define AS_INT(NAME, name, type, greatest) \
  case CUSP_##NAME: return (int64_t) * (const type *)element;

double cusp_load_double(cusp_dtype dtype, const void *element) {
  switch (dtype) {
  case CUSP_STRING:
    return NAN;
    CUSP_INT_DTYPES(AS_NUMBER)
    CUSP_REAL_DTYPES(AS_NUMBER)
    CUSP_HALF_DTYPES(AS_HALF)
  default: return *(const uint8_t *)element != 0;
  }
}

/** The integer part, clamped to int64; NaN is 0. Values of uint64 above INT64_MAX keep their
 * bits. */
static int64_t truncate(double value, bool is_unsigned) {
  if (isnan(value))
    return 0;
  if (is_unsigned && value >= 0x1p63)
    return value >= 0x1p64 ? -1 : (int64_t)(uint64_t)value;
  return value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
}

int64_t cusp_load_int(cusp_dtype dtype, const void *element) {
  switch (dtype) {
    CUSP_INT_DTYPES(AS_INT)
  case CUSP_BOOL: return *(const uint8_t *)element != 0;
  default: return truncate(cusp_load_double(dtype, element), false);
  }
}

/* The bits of an integer dtype that carry the number: all of them, or all but the sign. */
static int value_bits(cusp_dtype dtype) {
  return (int)cusp_dtype_size(dtype) * 8 - cusp_dtype_is_signed_int(dtype);
}

bool cusp_dtype_holds_int(cusp_dtype dtype, int64_t value) {
  if (dtype == CUSP_STRING)
    return value == 0;
  if (!cusp_dtype_is_int(dtype))
    return true;
  if (value < 0)
    return cusp_dtype_is_signed_int(dtype) &&
           (dtype == CUSP_INT64 || value >= -((int64_t)1 << value_bits(dtype)));
  return value_bits(dtype) >= 63 || value >> value_bits(dtype) == 0;
}

bool cusp_dtype_holds_double(cusp_dtype dtype, double value) {
  if (dtype == CUSP_STRING)
    return value == 0;
  if (!cusp_dtype_is_int(dtype))
    return true;
  double limit = ldexp(1, value_bits(dtype)), whole = trunc(value);
  return whole < limit && whole >= (cusp_dtype_is_signed_int(dtype) ? -limit : 0);
}

cusp_status cusp_dtype_fail_range(cusp_dtype dtype, const char *number) {
  if (dtype == CUSP_STRING)
    return cusp_fail(CUSP_EDTYPE, "expected a string, got %s", number);
  uint64_t greatest = UINT64_MAX >> (64 - value_bits(dtype));
  int64_t least = cusp_dtype_is_signed_int(dtype) ? -(int64_t)greatest - 1 : 0;
  return cusp_fail(CUSP_EVALUE, "%s does not fit %s (%lld to %llu)", number, cusp_dtype_name(dtype),
                   (long long)least, (unsigned long long)greatest);
}

#define STORE(NAME, name, type, greatest) \
  case CUSP_##NAME:                       \
    *(type *)element = (type)value;       \
    break;
#define STORE_HALF(NAME, name, type, greatest) \
  case CUSP_##NAME: *(type *)element = cusp_float_to_##name((float)value); break;

void cusp_store_double(cusp_dtype dtype, void *element, double value) {
  switch (dtype) {
    CUSP_HALF_DTYPES(STORE_HALF)
    CUSP_REAL_DTYPES(STORE)
  case CUSP_BOOL: *(uint8_t *)element = value != 0; break;
  case CUSP_STRING: *(uint32_t *)element = 0; break;
  default: cusp_store_int(dtype, element, truncate(value, dtype == CUSP_UINT64)); break;
  }
}

void cusp_store_int(cusp_dtype dtype, void *element, int64_t value) {
  switch (dtype) {
    CUSP_INT_DTYPES(STORE)
  case CUSP_BOOL: *(uint8_t *)element = value != 0; break;
  case CUSP_FLOAT32: *(float *)element = (float)value; break;
  default: cusp_store_double(dtype, element, (double)value); break;
  }
}
