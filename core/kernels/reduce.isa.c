/* Reductions over rows for all dtypes; bool's any and all are the greatest and the least byte. */

#include "isa.h"
#include "reduce_functions.h"

#define T int8_t
#define I int8_t
#define U uint8_t
#define TAG int8_
#include "reduce_type.h"

#define T int16_t
#define I int16_t
#define U uint16_t
#define TAG int16_
#include "reduce_type.h"

#define T int32_t
#define I int32_t
#define U uint32_t
#define TAG int32_
#include "reduce_type.h"

#define T int64_t
#define I int64_t
#define U uint64_t
#define TAG int64_
#include "reduce_type.h"

#define T uint8_t
#define I int8_t
#define U uint8_t
#define TAG uint8_
#include "reduce_type.h"

#define T uint16_t
#define I int16_t
#define U uint16_t
#define TAG uint16_
#include "reduce_type.h"

#define T uint32_t
#define I int32_t
#define U uint32_t
#define TAG uint32_
#include "reduce_type.h"

#define T uint64_t
#define I int64_t
#define U uint64_t
#define TAG uint64_
#include "reduce_type.h"

#define T float
#define I int32_t
#define U uint32_t
#define TAG float32_
#define FLOATING
#include "reduce_type.h"

#define T double
#define I int64_t
#define U uint64_t
#define TAG float64_
#define FLOATING
#include "reduce_type.h"

#define ROW(name)                                                                                  \
  {                                                                                                \
    [CUSP_INT8] = int8_##name, [CUSP_INT16] = int16_##name, [CUSP_INT32] = int32_##name,           \
    [CUSP_INT64] = int64_##name, [CUSP_UINT8] = uint8_##name, [CUSP_UINT16] = uint16_##name,       \
    [CUSP_UINT32] = uint32_##name, [CUSP_UINT64] = uint64_##name, [CUSP_FLOAT32] = float32_##name, \
    [CUSP_FLOAT64] = float64_##name, [CUSP_BOOL] = BOOL_##name                                     \
  }
#define BOOL_sum uint8_max /* "or" and "and", as bool adds and multiplies */
#define BOOL_prod uint8_min
#define BOOL_max uint8_max
#define BOOL_min uint8_min

const cusp_reduce_table CUSP_ISA(cusp_reduce_table) = {
    [CUSP_REDUCE_SUM] = ROW(sum),
    [CUSP_REDUCE_PROD] = ROW(prod),
    [CUSP_REDUCE_MAX] = ROW(max),
    [CUSP_REDUCE_MIN] = ROW(min),
    [CUSP_REDUCE_ANY] = {[CUSP_BOOL] = uint8_max},
    [CUSP_REDUCE_ALL] = {[CUSP_BOOL] = uint8_min},
};
