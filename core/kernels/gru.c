#include "gru.h"

#include "isa.h"
#include "vector.h"

CUSP_ISA_DECLARE_FLOATS(const cusp_gru_loops, cusp_gru_loops);

static void apply(const cusp_cell_step *s, cusp_vector_id id, int64_t count, void *x) {
  cusp_vector_find(id, s->dtype)(count, x, (const void *[]){x}, (const int8_t[]){1});
}

static void forward(const cusp_cell_step *s) {
  const cusp_gru_loops *loops = CUSP_ISA_CHOOSE_FLOAT(cusp_gru_loops, s->dtype);
  int64_t numbers = s->rows * s->units;
  void *gates = s->scratch,
       *candidate = (char *)gates + 2 * (size_t)numbers * cusp_dtype_size(s->dtype);
  loops->before_gates(s->rows, s->units, s->parts, s->bias, gates);
  apply(s, CUSP_VECTOR_sigmoid, 2 * numbers, gates);
  loops->after_gates(s->rows, s->units, s->parts, gates, candidate);
  apply(s, CUSP_VECTOR_tanh, numbers, candidate);
  loops->output(s->rows, s->units, s->parts, candidate, s->before[0], s->after[0]);
}

static void backward(const cusp_cell_step *s, const cusp_cell_cotangents *d) {
  const cusp_gru_loops *loops = CUSP_ISA_CHOOSE_FLOAT(cusp_gru_loops, s->dtype);
  loops->gradient(s->rows, s->units, s->parts, s->before[0], d->states[0], d->input, d->state);
}

const cusp_cell cusp_gru_cell = {
    .gates = 3, .states = 1, .apart = 1, .scratch = 3, .forward = forward, .backward = backward};
