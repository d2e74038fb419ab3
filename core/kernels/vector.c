#include "vector.h"

#include "vector_tables.h"

typedef struct isa_tables {
  const cusp_vector_fn *functions[CUSP_DTYPE_COUNT];
  const cusp_vector_fn *half_bits;
  const cusp_vector_casts *casts;
} isa_tables;

#define TABLES(suffix)                                                             \
  {                                                                                \
    .functions = {[CUSP_BOOL] = cusp_vector_bool##suffix,                          \
                  [CUSP_INT8] = cusp_vector_int8##suffix,                          \
                  [CUSP_INT16] = cusp_vector_int16##suffix,                        \
                  [CUSP_INT32] = cusp_vector_int32##suffix,                        \
                  [CUSP_INT64] = cusp_vector_int64##suffix,                        \
                  [CUSP_UINT8] = cusp_vector_uint8##suffix,                        \
                  [CUSP_UINT16] = cusp_vector_uint16##suffix,                      \
                  [CUSP_UINT32] = cusp_vector_uint32##suffix,                      \
                  [CUSP_UINT64] = cusp_vector_uint64##suffix,                      \
                  [CUSP_FLOAT16] = cusp_vector_float16##suffix,                    \
                  [CUSP_BFLOAT16] = cusp_vector_bfloat16##suffix,                  \
                  [CUSP_FLOAT32] = cusp_vector_float32##suffix,                    \
                  [CUSP_FLOAT64] = cusp_vector_float64##suffix},                   \
    .half_bits = cusp_vector_half_bits##suffix, .casts = &cusp_vector_cast##suffix \
  }

static const isa_tables all_tables[CUSP_ISA_COUNT] = {
    [CUSP_ISA_BASELINE] = TABLES(_baseline),
#if defined(__x86_64__)
    [CUSP_ISA_AVX2] = TABLES(_avx2),
    [CUSP_ISA_AVX512] = TABLES(_avx512),
#endif
};

static const isa_tables *tables(void) {
  const isa_tables *found = &all_tables[cusp_cpu_isa()];
  return found->casts ? found : &all_tables[CUSP_ISA_BASELINE];
}

/** What float32 has, except what would not mean the same between two roundings; bits alone move
 * without conversion. */
static cusp_vector_fn find_half(const isa_tables *from, cusp_vector_id id, cusp_dtype dtype) {
  if (from->half_bits[id])
    return from->half_bits[id];
  if (!from->functions[CUSP_FLOAT32][id] || id == CUSP_VECTOR_nextafter)
    return NULL;
  return from->functions[dtype][id];
}

cusp_vector_fn cusp_vector_find(cusp_vector_id id, cusp_dtype dtype) {
  const isa_tables *from = tables();
  if (dtype == CUSP_FLOAT16 || dtype == CUSP_BFLOAT16)
    return find_half(from, id, dtype);
  return from->functions[dtype][id];
}

cusp_vector_fn cusp_vector_find_cast(cusp_dtype from, cusp_dtype to) {
  return (*tables()->casts)[from][to];
}

enum { quick = false, slow = true };

static const bool slow_functions[CUSP_VECTOR_COUNT] = {
#define CUSP_VECTOR(name, arity, result, cost) [CUSP_VECTOR_##name] = cost,
#include "vector_functions.h"
#undef CUSP_VECTOR
};

bool cusp_vector_is_slow(cusp_vector_fn function) {
  static const cusp_dtype floats[] = {CUSP_FLOAT32, CUSP_FLOAT64, CUSP_FLOAT16, CUSP_BFLOAT16};
  const isa_tables *from = tables();
  for (size_t kind = 0; kind < sizeof floats / sizeof *floats; kind++)
    for (int id = 0; id < CUSP_VECTOR_COUNT; id++)
      if (slow_functions[id] && from->functions[floats[kind]][id] == function)
        return true;
  return false;
}
