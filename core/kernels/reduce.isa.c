/* Reductions over rows for all dtypes; bool's any and all are the greatest and the least byte. */

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

#define ENTRY(NAME, name, type, greatest, reducer) [CUSP_##NAME] = name##_##reducer,
/* Bools are added and multiplied as "or" and "and" are. */
#define ROW(reducer, bool_reducer)                                   \
  {                                                                  \
    [CUSP_BOOL] = uint8_##bool_reducer,                              \
    CUSP_INT_DTYPES(ENTRY, reducer) CUSP_REAL_DTYPES(ENTRY, reducer) \
  }

const cusp_reduce_table CUSP_ISA(cusp_reduce_table) = {
    [CUSP_REDUCE_SUM] = ROW(sum, max),
    [CUSP_REDUCE_PROD] = ROW(prod, min),
    [CUSP_REDUCE_MAX] = ROW(max, max),
    [CUSP_REDUCE_MIN] = ROW(min, min),
    [CUSP_REDUCE_ANY] = {[CUSP_BOOL] = uint8_max},
    [CUSP_REDUCE_ALL] = {[CUSP_BOOL] = uint8_min},
};
