#include "attention.h"

#include "isa.h"
#include "vector_exp.h"

#include <math.h>

CUSP_ISA_DECLARE_FLOATS(const cusp_attention_loops, cusp_attention_loops);

#define REAL float
#define LANES (CUSP_ISA_BYTES / 4)
#define EXP(x) real_exp(x)
#define TANH(x) tanhf(x)
#define NAME(x) x##_float32
#include "attention_loops.h"

#define REAL double
#define LANES (CUSP_ISA_BYTES / 8)
#define EXP(x) exp(x)
#define TANH(x) tanh(x)
#define NAME(x) x##_float64
#include "attention_loops.h"
