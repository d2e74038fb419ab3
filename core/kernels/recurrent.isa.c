/* The loops of recurrent cells for both float types, compiled for each instruction set. */
#include "gru.h"
#include "isa.h"
#include "lstm.h"

CUSP_ISA_DECLARE_FLOATS(const cusp_lstm_loops, cusp_lstm_loops);
CUSP_ISA_DECLARE_FLOATS(const cusp_gru_loops, cusp_gru_loops);

#define REAL float
#define NAME(x) x##_float32
#include "gru_loops.h"
#include "lstm_loops.h"
#undef REAL
#undef NAME

#define REAL double
#define NAME(x) x##_float64
#include "gru_loops.h"
#include "lstm_loops.h"
#undef REAL
#undef NAME
