#include "vector.h"

#include "../base/threads.h"
#include "vector_tables.h"

static const cusp_vector_tables *tables(void) { return CUSP_ISA_CHOOSE(cusp_vector_tables); }

/** What float32 has, except what would not mean the same between two roundings; bits alone move
 * without conversion. */
static cusp_vector_fn find_half(const cusp_vector_tables *from, cusp_vector_id id,
                                cusp_dtype dtype) {
  if (from->half_bits[id])
    return from->half_bits[id];
  if (!from->functions[CUSP_FLOAT32][id] || id == CUSP_VECTOR_nextafter)
    return NULL;
  if (dtype == CUSP_BFLOAT16 && from->bfloat16_simple[id])
    return from->bfloat16_simple[id];
  return from->functions[dtype][id];
}

/* Their numbers are copied, chosen and asked for equality. */
static cusp_vector_fn find_for_strings(const cusp_vector_tables *from, cusp_vector_id id) {
  bool has = id == CUSP_VECTOR_copy || id == CUSP_VECTOR_select || id == CUSP_VECTOR_equal ||
             id == CUSP_VECTOR_not_equal;
  return has ? from->functions[CUSP_UINT32][id] : NULL;
}

cusp_vector_fn cusp_vector_find(cusp_vector_id id, cusp_dtype dtype) {
  const cusp_vector_tables *from = tables();
  if (dtype == CUSP_STRING)
    return find_for_strings(from, id);
  if (cusp_dtype_is_half(dtype))
    return find_half(from, id, dtype);
  return from->functions[dtype][id];
}

cusp_vector_fn cusp_vector_find_cast(cusp_dtype from, cusp_dtype to) {
  return (*tables()->casts)[from][to];
}

typedef struct conversion {
  cusp_vector_fn fn;
  const char *from;
  char *to;
  size_t from_size, to_size;
} conversion;

static void convert_range(void *context, int64_t begin, int64_t end) {
  const conversion *c = context;
  c->fn(end - begin, c->to + (size_t)begin * c->to_size,
        (const void *[]){c->from + (size_t)begin * c->from_size}, (const int8_t[]){1});
}

void cusp_vector_convert(cusp_dtype from_dtype, const void *from, cusp_dtype to_dtype, void *to,
                         int64_t n) {
  conversion c = {cusp_vector_find_cast(from_dtype, to_dtype), from, to,
                  cusp_dtype_size(from_dtype), cusp_dtype_size(to_dtype)};
  cusp_parallel_for(n, 65536, convert_range, &c);
}

enum { quick = false, slow = true };

static const bool slow_functions[CUSP_VECTOR_COUNT] = {
#define CUSP_VECTOR(name, arity, result, cost) [CUSP_VECTOR_##name] = cost,
#include "vector_functions.h"
#undef CUSP_VECTOR
};

bool cusp_vector_is_slow(cusp_vector_fn function) {
  const cusp_vector_tables *from = tables();
  for (int id = 0; id < CUSP_VECTOR_COUNT; id++)
    if (slow_functions[id] && (from->functions[CUSP_FLOAT32][id] == function ||
                               from->functions[CUSP_FLOAT64][id] == function))
      return true;
  return false;
}
