#include "lstm.h"

#include "isa.h"
#include "vector.h"

CUSP_ISA_DECLARE_FLOATS(const cusp_lstm_loops, cusp_lstm_loops);

enum { H, C };

static void apply_tanh(const cusp_cell_step *s, int64_t count, const void *x, void *out) {
  cusp_vector_find(CUSP_VECTOR_tanh, s->dtype)(count, out, (const void *[]){x},
                                               (const int8_t[]){1});
}

/* One run of tanh serves all four gates: three of them are sigmoids, made of it. */
static void forward(const cusp_cell_step *s) {
  const cusp_lstm_loops *loops = CUSP_ISA_CHOOSE_FLOAT(cusp_lstm_loops, s->dtype);
  loops->before_tanh(s->rows, s->units, s->parts, s->bias);
  apply_tanh(s, s->rows * 4 * s->units, s->parts, s->parts);
  loops->after_tanh(s->rows, s->units, s->parts, s->before[C], s->after[C]);
  apply_tanh(s, s->rows * s->units, s->after[C], s->scratch);
  loops->output(s->rows, s->units, s->parts, s->scratch, s->after[H]);
}

static void backward(const cusp_cell_step *s, const cusp_cell_cotangents *d) {
  const cusp_lstm_loops *loops = CUSP_ISA_CHOOSE_FLOAT(cusp_lstm_loops, s->dtype);
  apply_tanh(s, s->rows * s->units, s->after[C], s->scratch);
  loops->gradient(s->rows, s->units, s->parts, s->before[C], s->scratch, d->states[H], d->states[C],
                  d->input);
}

const cusp_cell cusp_lstm_cell = {
    .gates = 4, .states = 2, .scratch = 1, .forward = forward, .backward = backward};
