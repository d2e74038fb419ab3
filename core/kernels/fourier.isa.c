/* The loops of Fourier transforms for both float types. */

#include "fourier_plan.h"

#include "isa.h"

#include <string.h>

CUSP_ISA_DECLARE_FLOATS(const cusp_fourier_loops, cusp_fourier_loops);

#define REAL float
#define NAME(x) x##_float32
#include "fourier_loops.h"

#define REAL double
#define NAME(x) x##_float64
#include "fourier_loops.h"
