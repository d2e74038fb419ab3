/* Inputs by name and of open sizes, many rows, some of the outputs, strings, random states, a
 * class of a script, two states of one predictor, an allocator of the program's.
 * Usage: buffers TWO-INPUTS STRINGS NOISE CLASS STATEFUL */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <math.h>

static long long outstanding; /* bytes of the allocator */

static void *allocate(void *data, size_t bytes, size_t alignment) {
  void *block = NULL;
  *(long long *)data += (long long)bytes;
  return posix_memalign(&block, alignment < 16 ? 16 : alignment, bytes) == 0 ? block : NULL;
}

static void release(void *data, void *block, size_t bytes) {
  *(long long *)data -= (long long)bytes;
  free(block);
}

enum { ROWS = 70, STEPS = 5 };

/* The model doubles `a`, and sums `b` [rows, steps, 2] over its steps. */
static void two_inputs(cusp_context *context, const char *path) {
  static float a[ROWS][3], b[ROWS][STEPS][2], twice[ROWS][3], sums[ROWS][2];
  int64_t shape[] = {ROWS, STEPS, 2};
  const cusp_description *list;
  size_t count;
  cusp_model *model;
  for (int i = 0; i < ROWS; i++) {
    for (int k = 0; k < 3; k++)
      a[i][k] = (float)(i + k);
    for (int k = 0; k < STEPS * 2; k++)
      b[i][k / 2][k % 2] = (float)i;
  }
  OK(cusp_model_load(&model, context, path));
  OK(cusp_model_inputs(model, &list, &count));
  CHECK(count == 2 && strcmp(list[1].name, "b") == 0 && list[1].shape[1] == -1);
  cusp_input inputs[] = {{"b", CUSP_ELEMENT_FLOAT32, 3, shape, b, sizeof b},
                         {"a", CUSP_ELEMENT_FLOAT32, 0, NULL, a, sizeof a}};
  cusp_output outputs[] = {{"sums", CUSP_ELEMENT_FLOAT32, sums, sizeof sums},
                           {"twice", CUSP_ELEMENT_FLOAT32, twice, sizeof twice}};
  OK(cusp_model_predict(model, ROWS, inputs, 2, outputs, 2));
  for (int i = 0; i < ROWS; i++)
    CHECK(twice[i][2] == 2 * a[i][2] && sums[i][1] == STEPS * (float)i);
  memset(sums, 0, sizeof sums);
  OK(cusp_model_predict(model, ROWS, inputs, 2, outputs, 1));
  CHECK(sums[ROWS - 1][0] == STEPS * (float)(ROWS - 1));
  inputs[0].name = "a";
  FAILS(CUSP_ERROR_SHAPE, "", cusp_model_predict(model, ROWS, inputs, 2, outputs, 2));
  inputs[0].name = "b";
  inputs[0].shape = NULL;
  inputs[0].rank = 0;
  FAILS(CUSP_ERROR_SHAPE, "open sizes", cusp_model_predict(model, ROWS, inputs, 2, outputs, 2));
  OK(cusp_model_free(model));
}

/* "red" is 1, "green" 2, others 0. */
static void strings(cusp_context *context, const char *path) {
  const char *words[] = {"green", "red", "mauve"};
  int64_t numbers[3] = {9, 9, 9};
  cusp_model *model;
  cusp_predictor *predictor;
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_STRING, words, sizeof words);
  cusp_output out = CUSP_OUTPUT(CUSP_ELEMENT_INT64, numbers, sizeof numbers);
  OK(cusp_model_load(&model, context, path));
  OK(cusp_model_predict(model, 3, &in, 1, &out, 1));
  CHECK(numbers[0] == 2 && numbers[1] == 1 && numbers[2] == 0);
  FAILS(CUSP_ERROR_UNSUPPORTED, "strings", cusp_predictor_new(&predictor, model, 3, NULL, 0));
}

/* Two runs from one state give the same noise; a run after another gives other noise. */
static void random_states(cusp_context *context, const char *path) {
  float x[4] = {0}, first[4], second[4], again[4];
  cusp_model *model;
  cusp_predictor *p;
  size_t bytes;
  void *state;
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, x, sizeof x);
  cusp_output out = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, first, sizeof first);
  OK(cusp_model_load(&model, context, path));
  OK(cusp_predictor_new(&p, model, 1, NULL, 0));
  OK(cusp_predictor_state_bytes(p, &bytes));
  CHECK(bytes > 0 && posix_memalign(&state, 64, bytes) == 0);
  OK(cusp_predictor_start(p, state, bytes));
  OK(cusp_predictor_run(p, &in, 1, &out, 1, state, bytes));
  out.data = second;
  OK(cusp_predictor_run(p, &in, 1, &out, 1, state, bytes));
  OK(cusp_predictor_start(p, state, bytes));
  out.data = again;
  OK(cusp_predictor_run(p, &in, 1, &out, 1, state, bytes));
  CHECK(memcmp(first, again, sizeof first) == 0 && memcmp(first, second, sizeof first) != 0);
  OK(cusp_predictor_run(p, &in, 1, &out, 1, NULL, 0));
  CHECK(memcmp(first, again, sizeof first) == 0);
  free(state);
}

/* A model of a class that a script makes. */
static void classes(cusp_context *context, const char *path) {
  float x[2] = {1, 2}, y[2];
  double count;
  cusp_model *model, *same;
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, x, sizeof x);
  cusp_output out = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, y, sizeof y);
  FAILS(CUSP_ERROR_FILE, "LibraryTwice", cusp_model_load(&model, context, path));
  OK(cusp_context_run(context,
                      "local cusp = require 'cusp'\n"
                      "cusp.Layer:extend('LibraryTwice', {call = function(_, x) return 2 * x end})",
                      "layers"));
  OK(cusp_model_load(&model, context, path));
  OK(cusp_model_predict(model, 1, &in, 1, &out, 1));
  CHECK(y[0] == 2 && y[1] == 4);
  OK(cusp_context_set_model(context, "net", model));
  OK(cusp_context_run(context, "count = #net.layers", "count"));
  OK(cusp_context_get_number(context, "count", &count));
  CHECK(count >= 1);
  OK(cusp_context_get_model(context, "net", &same));
  OK(cusp_model_free(model));
  OK(cusp_model_predict(same, 1, &in, 1, &out, 1));
}

/* Two sequences through one predictor of a stateful model, one behind the other. */
static void two_states(cusp_context *context, const char *path) {
  static union {
    char bytes[1024];
    double aligned;
  } memory[2];
  float x[2] = {1, 1}, y, first[3];
  size_t bytes;
  cusp_model *model;
  cusp_predictor *p;
  char *states[2];
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, x, sizeof x);
  cusp_output out = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, &y, sizeof y);
  OK(cusp_model_load(&model, context, path));
  OK(cusp_predictor_new(&p, model, 1, NULL, 0));
  OK(cusp_predictor_state_bytes(p, &bytes));
  CHECK(bytes > 0 && bytes <= sizeof memory[0] - 64);
  for (int i = 0; i < 2; i++) {
    states[i] = memory[i].bytes + (64 - (uintptr_t)memory[i].bytes % 64) % 64;
    OK(cusp_predictor_start(p, states[i], bytes));
  }
  for (int i = 0; i < 5; i++) {
    if (i < 3) {
      OK(cusp_predictor_run(p, &in, 1, &out, 1, states[0], bytes));
      CHECK(i == 0 || y != first[i - 1]);
      first[i] = y;
    }
    if (i >= 2) {
      OK(cusp_predictor_run(p, &in, 1, &out, 1, states[1], bytes));
      CHECK(y == first[i - 2]);
    }
  }
  FAILS(CUSP_ERROR_VALUE, "64", cusp_predictor_run(p, &in, 1, &out, 1, states[0] + 4, bytes));
  OK(cusp_model_predict(model, 1, &in, 1, &out, 1));
  CHECK(y == first[0]);
}

int main(int argc, char **argv) {
  cusp_context *context;
  cusp_allocator allocator = {allocate, release, &outstanding};
  CHECK(argc == 6);
  OK(cusp_set_allocator(&allocator));
  OK(cusp_set_threads(1));
  OK(cusp_context_new(&context));
  FAILS(CUSP_ERROR_VALUE, "already", cusp_set_allocator(&allocator));
  two_inputs(context, argv[1]);
  strings(context, argv[2]);
  random_states(context, argv[3]);
  classes(context, argv[4]);
  two_states(context, argv[5]);
  CHECK(outstanding > 1 << 20);
  OK(cusp_context_free(context));
  CHECK(outstanding < 1 << 20);
  puts("all fit");
  return 0;
}
