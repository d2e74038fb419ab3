#include "rowwise.h"

#include "isa.h"

#include <string.h>

CUSP_ISA_DECLARE_FLOATS(const cusp_row_loops, cusp_row_loops);

#define REAL float
#define LANES (CUSP_ISA_BYTES / 4)
#define NAME(x) x##_float32
#include "rowwise_loops.h"

#define REAL double
#define LANES (CUSP_ISA_BYTES / 8)
#define NAME(x) x##_float64
#include "rowwise_loops.h"
