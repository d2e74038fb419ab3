/* The rows of gated recurrent units over whole sequences. */

#include "../kernels/gru.h"
#include "recurrent.h"

static const cusp_recurrent_rows rows = {&cusp_gru_cell, "gru", "gru_sequence", "gru_gradient",
                                         cusp_gru_step};

CUSP_COMPOSE(gru_compose) {
  return cusp_sequence_compose(&rows, inputs, n_inputs, attrs, outputs, n_outputs);
}

const cusp_op cusp_ops_gru[] = {
    {.name = "gru",
     .arguments = "x, h0, kernel, recurrent_kernel, bias?, mask?, go_backwards: bool = false",
     .help = "Gated recurrent units (reset_after) over sequences [batch, time, input]: outputs "
             "[batch, time, units], the last one.",
     .compose = gru_compose},
    {.name = "gru_sequence",
     .arguments =
         "inputs..., has_bias: bool, has_mask: bool, go_backwards: bool, narrow: bool = false",
     .help = "gru of float32 or float64; also gives what its gradient needs.",
     CUSP_SEQUENCE_ROW(&rows)},
    {.name = "gru_gradient",
     .arguments = "inputs..., has_mask: bool, has_sequence: bool, has_h: bool, has_bias: bool, "
                  "want_x: bool, go_backwards: bool, narrow: bool = false",
     .help = "Gradients of gru_sequence with respect to its inputs.",
     CUSP_SEQUENCE_GRADIENT_ROW(&rows)},
    {0},
};
