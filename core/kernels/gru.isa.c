#include "gru.h"

#include "isa.h"

CUSP_ISA_DECLARE(const cusp_gru_loops, cusp_gru_loops_float32);
CUSP_ISA_DECLARE(const cusp_gru_loops, cusp_gru_loops_float64);

#define REAL float
#define NAME(x) x##_float32
#include "gru_loops.h"

#define REAL double
#define NAME(x) x##_float64
#include "gru_loops.h"
