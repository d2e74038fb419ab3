/*
 * How long libcusp takes for single predictions: of a stream, a sample or a block at a time, with
 * the worst times of many; and of whole models. Run by realtime.lua.
 * Usage: realtime stream MODEL BLOCK RUNS | realtime predict MODEL RUNS
 */
#include "../../bindings/c/cusp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(cusp_result result) {
  if (result == CUSP_SUCCESS)
    return;
  fprintf(stderr, "%s\n", cusp_last_error());
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void *memory(size_t bytes) {
  void *block = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
  if (!block)
    exit(1);
  memset(block, 0, bytes);
  return block;
}

/* Microseconds of `runs` runs as JSON: the median and what few of them take longer than. */
static void measure(cusp_predictor *p, int runs) {
  const cusp_description *in, *out;
  size_t count, state_bytes;
  check(cusp_predictor_inputs(p, &in, &count));
  check(cusp_predictor_outputs(p, &out, &count));
  check(cusp_predictor_state_bytes(p, &state_bytes));
  void *state = memory(state_bytes);
  float *x = memory(in->bytes), *y = memory(out->bytes);
  double *times = memory((size_t)runs * sizeof *times);
  cusp_input input = CUSP_INPUT(in->element, x, in->bytes);
  cusp_output output = CUSP_OUTPUT(out->element, y, out->bytes);
  check(cusp_predictor_start(p, state, state_bytes));
  for (int i = 0; i < runs; i++) {
    for (size_t k = 0; k < in->bytes / sizeof *x; k++)
      x[k] = (float)rand() / (float)RAND_MAX - 0.5f;
    double start = now();
    check(cusp_predictor_run(p, &input, 1, &output, 1, state, state_bytes));
    times[i] = 1e6 * (now() - start);
  }
  qsort(times, (size_t)runs, sizeof *times, compare);
  printf("{\"least\": %.3f, \"median\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f}\n", times[0],
         times[runs / 2], times[(int)(runs * 0.99)], times[(int)(runs * 0.999)]);
}

int main(int argc, char **argv) {
  cusp_context *context;
  cusp_model *model;
  cusp_predictor *p;
  if (argc < 4)
    return 1;
  check(cusp_set_threads(1));
  check(cusp_context_new(&context));
  check(cusp_model_load(&model, context, argv[2]));
  if (strcmp(argv[1], "stream") == 0)
    check(cusp_predictor_new_stream(&p, model, 1, atoi(argv[3])));
  else
    check(cusp_predictor_new(&p, model, 1, NULL, 0));
  measure(p, atoi(argv[argc - 1]));
  check(cusp_context_free(context));
  return 0;
}
