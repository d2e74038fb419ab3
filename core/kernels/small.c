#include "small.h"

#include "isa.h"

CUSP_ISA_DECLARE(const cusp_small_loops, cusp_small_loops);

const cusp_small_loops *cusp_small_loops_find(void) { return CUSP_ISA_CHOOSE(cusp_small_loops); }
