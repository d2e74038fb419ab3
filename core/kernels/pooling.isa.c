/* Pooling loops, compiled for each instruction set: windows are small, so the time goes into loops over channels. */

#include "pooling.h"

#include <stdbool.h>
#include <string.h>

#define BLOCK 128 /* channels at a time */

#define REAL float
#define NAME(name) name##_float32
#include "pooling_loops.h"
#undef REAL
#undef NAME

#define REAL double
#define NAME(name) name##_float64
#include "pooling_loops.h"
#undef REAL
#undef NAME

const cusp_pooling_loops CUSP_ISA(cusp_pooling_table) = {
    [CUSP_POOL_MAX] = {max_float32, max_float64},
    [CUSP_POOL_MAX_GRADIENT] = {max_gradient_float32, max_gradient_float64},
    [CUSP_POOL_MAX_PICK] = {max_pick_float32, max_pick_float64},
    [CUSP_POOL_AVERAGE] = {average_float32, average_float64},
    [CUSP_POOL_AVERAGE_GRADIENT] = {average_gradient_float32, average_gradient_float64},
};
