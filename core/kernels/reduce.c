#include "reduce_functions.h"

#include <math.h>
#include <string.h>

cusp_reduce_rows_fn cusp_reduce_find_rows(cusp_reducer_id reducer, cusp_dtype dtype) {
  return (*CUSP_ISA_CHOOSE(cusp_reduce_table))[reducer][dtype];
}

cusp_vector_fn cusp_reduce_find_combine(cusp_reducer_id reducer, cusp_dtype dtype) {
  static const cusp_vector_id combine[CUSP_REDUCE_COUNT] = {
      [CUSP_REDUCE_SUM] = CUSP_VECTOR_add,        [CUSP_REDUCE_PROD] = CUSP_VECTOR_multiply,
      [CUSP_REDUCE_MAX] = CUSP_VECTOR_maximum,    [CUSP_REDUCE_MIN] = CUSP_VECTOR_minimum,
      [CUSP_REDUCE_ANY] = CUSP_VECTOR_logical_or, [CUSP_REDUCE_ALL] = CUSP_VECTOR_logical_and,
  };
  return cusp_vector_find(combine[reducer], dtype);
}

static int64_t least_integer(cusp_dtype dtype) {
  return cusp_dtype_is_signed_int(dtype) ? (int64_t)(UINT64_MAX << (8 * cusp_dtype_size(dtype) - 1))
                                         : 0;
}

void cusp_reduce_identity(cusp_reducer_id reducer, cusp_dtype dtype, void *element) {
  const bool one = reducer == CUSP_REDUCE_PROD || reducer == CUSP_REDUCE_ALL;
  if (reducer != CUSP_REDUCE_MAX && reducer != CUSP_REDUCE_MIN)
    cusp_store_int(dtype, element, one);
  else if (cusp_dtype_is_float(dtype))
    cusp_store_double(dtype, element, reducer == CUSP_REDUCE_MAX ? -INFINITY : INFINITY);
  else if (dtype == CUSP_BOOL)
    cusp_store_int(dtype, element, reducer == CUSP_REDUCE_MIN);
  else if (reducer == CUSP_REDUCE_MAX)
    cusp_store_int(dtype, element, least_integer(dtype));
  else
    /* all ones, which is the greatest unsigned number too */
    cusp_store_int(dtype, element, ~least_integer(dtype));
}
