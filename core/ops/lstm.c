/* The rows of an LSTM over whole sequences. */

#include "../kernels/lstm.h"
#include "recurrent.h"

static const cusp_recurrent_rows rows = {&cusp_lstm_cell, "lstm", "lstm_sequence", "lstm_gradient",
                                         cusp_lstm_step};

CUSP_COMPOSE(lstm_compose) {
  return cusp_sequence_compose(&rows, inputs, n_inputs, attrs, outputs, n_outputs);
}

const cusp_op cusp_ops_lstm[] = {
    {.name = "lstm",
     .arguments = "x, h0, c0, kernel, recurrent_kernel, bias?, mask?, go_backwards: bool = false",
     .help = "An LSTM over sequences [batch, time, input]: its outputs [batch, time, units], the "
             "last output and cell state.",
     .compose = lstm_compose},
    {.name = "lstm_sequence",
     .arguments =
         "inputs..., has_bias: bool, has_mask: bool, go_backwards: bool, narrow: bool = false",
     .help = "lstm of float32 or float64; also gives what its gradient needs.",
     CUSP_SEQUENCE_ROW(&rows)},
    {.name = "lstm_gradient",
     .arguments = "inputs..., has_mask: bool, has_sequence: bool, has_h: bool, has_c: bool, "
                  "has_bias: bool, want_x: bool, go_backwards: bool, narrow: bool = false",
     .help = "Gradients of lstm_sequence with respect to its inputs.",
     CUSP_SEQUENCE_GRADIENT_ROW(&rows)},
    {0},
};
