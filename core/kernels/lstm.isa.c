#include "lstm.h"

#include "isa.h"

CUSP_ISA_DECLARE(const cusp_lstm_loops, cusp_lstm_loops_float32);
CUSP_ISA_DECLARE(const cusp_lstm_loops, cusp_lstm_loops_float64);

#define REAL float
#define NAME(x) x##_float32
#include "lstm_loops.h"

#define REAL double
#define NAME(x) x##_float64
#include "lstm_loops.h"
