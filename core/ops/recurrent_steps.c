/*
 * Recurrences step by step, made of other rows: what gradients of the whole-sequence rows'
 * gradients are derived from, of any order.
 */
#include "../node/gradient.h"
#include "recurrent.h"
#include "slices.h"

#include <string.h>

/* ------------------------------------------------------------------ cells */

void cusp_lstm_step(cusp_node *input, cusp_node *state, int64_t units, cusp_node **states) {
  cusp_node *z = cusp_add(input, state);
  cusp_node *enter = cusp_sigmoid(cusp_part(z, 1, 0, units)),
            *keep = cusp_sigmoid(cusp_part(z, 1, units, units)),
            *candidate = cusp_apply_1("tanh", cusp_part(z, 1, 2 * units, units)),
            *out = cusp_sigmoid(cusp_part(z, 1, 3 * units, units));
  states[1] = cusp_add(cusp_multiply(keep, states[1]), cusp_multiply(enter, candidate));
  states[0] = cusp_multiply(out, cusp_apply_1("tanh", states[1]));
}

static cusp_node *gate(cusp_node *input, cusp_node *state, int index, int64_t units) {
  return cusp_sigmoid(cusp_add(cusp_part(input, 1, index * units, units),
                               cusp_part(state, 1, index * units, units)));
}

void cusp_gru_step(cusp_node *input, cusp_node *state, int64_t units, cusp_node **states) {
  cusp_node *update = gate(input, state, 0, units), *reset = gate(input, state, 1, units);
  cusp_node *inner = cusp_multiply(reset, cusp_part(state, 1, 2 * units, units));
  cusp_node *candidate =
      cusp_apply_1("tanh", cusp_add(cusp_part(input, 1, 2 * units, units), inner));
  /* candidate + update * (h - candidate) */
  states[0] = cusp_add(candidate, cusp_multiply(update, cusp_subtract(states[0], candidate)));
}

/* ------------------------------------------------------------------ sequences */

/* The `count` steps from `first` on of x [batch, time, size], each [batch, size]. Halves of halves:
 * the gradient of a slice is as long as what it is taken from. */
static void split_steps(cusp_node *x, int64_t first, int64_t count, cusp_node **steps) {
  if (!x || count == 0)
    return;
  if (count == 1) {
    const int64_t *size = x->type.shape.size;
    steps[first] = cusp_reshape(x, &(cusp_shape){2, {size[0], size[2]}});
    return;
  }
  int64_t half = count / 2;
  split_steps(cusp_part(x, 1, 0, half), first, half, steps);
  split_steps(cusp_part(x, 1, half, count - half), first + half, count - half, steps);
}

/* Row `index` of the bias, which may be all of it. */
static cusp_node *bias_row(const cusp_cell *cell, cusp_node *bias, int index) {
  if (!bias || index >= cusp_cell_biases(cell))
    return NULL;
  return cusp_cell_biases(cell) == 1 ? bias : cusp_part(bias, 0, index, 1);
}

static cusp_node *project(cusp_node *x, cusp_node *kernel, cusp_node *bias) {
  cusp_node *z = cusp_matmul(x, kernel);
  return bias ? cusp_add(z, bias) : z;
}

/* A step's states: those before it where its mask is 0. */
static void step(const cusp_recurrent_rows *rows, const cusp_steps *s, cusp_node *state_bias,
                 cusp_node *input, cusp_node *mask, cusp_node **states) {
  cusp_node *before[CUSP_CELL_STATES];
  memcpy(before, states, sizeof before);
  cusp_node *state = project(states[0], s->recurrent, state_bias);
  rows->step(input, state, s->recurrent->type.shape.size[0], states);
  for (int i = 0; mask && i < rows->cell->states; i++)
    states[i] = cusp_where(mask, states[i], before[i]);
}

static cusp_node *walk(const cusp_recurrent_rows *rows, const cusp_steps *s, cusp_node **inputs,
                       cusp_node **masks, cusp_node **states) {
  int64_t time = s->x->type.shape.size[1];
  cusp_node *state_bias = bias_row(rows->cell, s->bias, 1);
  cusp_shape one = {3, {s->x->type.shape.size[0], 1, s->recurrent->type.shape.size[0]}};
  for (int64_t i = 0; i < time; i++) {
    int64_t at = s->backwards ? time - 1 - i : i;
    step(rows, s, state_bias, inputs[at], s->mask ? masks[at] : NULL, states);
    inputs[at] = states[0] ? cusp_reshape(states[0], &one) : NULL;
  }
  for (int64_t i = 0; s->backwards && i < time / 2; i++) {
    cusp_node *other = inputs[time - 1 - i];
    inputs[time - 1 - i] = inputs[i];
    inputs[i] = other;
  }
  return cusp_apply("concatenate", (int)time, inputs, 1, (cusp_attr[]){cusp_attr_int(1)});
}

/* Fills the sequence and the last states. */
static cusp_status unroll(const cusp_recurrent_rows *rows, const cusp_steps *s,
                          cusp_node **sequence, cusp_node **states) {
  int64_t time = s->x->type.shape.size[1];
  cusp_node **steps;
  if (time > INT16_MAX)
    return cusp_fail(CUSP_EUNSUPPORTED, "a gradient of a gradient over %lld steps; at most %d",
                     (long long)time, INT16_MAX);
  CUSP_TRY(cusp_alloc_zeroed((void **)&steps, 2 * (size_t)time * sizeof *steps));
  split_steps(project(s->x, s->kernel, bias_row(rows->cell, s->bias, 0)), 0, time, steps);
  if (s->mask) {
    cusp_shape columns = {3, {s->mask->type.shape.size[0], time, 1}};
    split_steps(cusp_reshape(s->mask, &columns), 0, time, steps + time);
  }
  memcpy(states, s->states, sizeof s->states);
  *sequence = walk(rows, s, steps, steps + time, states);
  cusp_free(steps);
  return cusp_built(*sequence);
}

/* ------------------------------------------------------------------ gradients */

/* The differentiations end at what they ask for, whatever that is made of. */
static bool is_among(const void *context, const cusp_node *node) {
  const cusp_step_leaves *leaves = context;
  for (int i = 0; i < leaves->count; i++)
    if (leaves->nodes[i] == node)
      return true;
  return false;
}

static cusp_status differentiate(const cusp_step_leaves *leaves, int n_targets,
                                 cusp_node *const *targets, cusp_node *const *cotangents,
                                 int n_sources, cusp_node **gradients) {
  cusp_stop stop = {.at = is_among, .context = leaves};
  CUSP_TRY(cusp_gradients_within(stop, gradients, n_targets, targets, cotangents, n_sources,
                                 leaves->nodes));
  for (int i = 0; i < n_sources; i++)
    if (gradients[i])
      cusp_scope_adopt(gradients[i]);
  return CUSP_OK;
}

cusp_status cusp_steps_second_gradient(const cusp_recurrent_rows *rows, const cusp_steps *s,
                                       const cusp_step_leaves *leaves, cusp_node *const *flowing,
                                       cusp_node **gradients) {
  cusp_node *results[1 + CUSP_CELL_STATES], *targets[CUSP_STEP_LEAVES],
      *cotangents[CUSP_STEP_LEAVES], *first[CUSP_STEP_LEAVES];
  int count = 0;
  CUSP_TRY(unroll(rows, s, &results[0], results + 1));
  for (int i = 0; i < 1 + rows->cell->states; i++)
    if (s->cotangents[i]) {
      targets[count] = results[i];
      cotangents[count++] = s->cotangents[i];
    }
  CUSP_TRY(differentiate(leaves, count, targets, cotangents, leaves->n_inputs, first));
  count = 0;
  for (int i = 0; i < leaves->n_inputs; i++)
    if (first[i] && flowing[i]) {
      targets[count] = first[i];
      cotangents[count++] = flowing[i];
    }
  memset(gradients, 0, (size_t)leaves->count * sizeof *gradients);
  return count ? differentiate(leaves, count, targets, cotangents, leaves->count, gradients)
               : CUSP_OK;
}
