/* Several threads predict with one model, while another trains it, and others make predictors.
 * Usage: threads MODEL [contexts]    with "contexts", further threads have contexts of their own */
#include "check.h"

#include <math.h>
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 60, ROWS = 40 };

static cusp_context *context;
static cusp_model *model, *trained;
static float inputs[ROWS][8], expected[ROWS][3];

static void predict(cusp_model *m, int rows, float (*out)[3]) {
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, inputs, sizeof *inputs * (size_t)rows);
  cusp_output o = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, out, sizeof *out * (size_t)rows);
  OK(cusp_model_predict(m, rows, &in, 1, &o, 1));
}

static void check_rows(float (*out)[3], int rows) {
  for (int i = 0; i < rows; i++)
    for (int k = 0; k < 3; k++)
      CHECK(fabsf(out[i][k] - expected[i][k]) < 1e-5f);
}

static void *predict_all(void *number) {
  float out[ROWS][3];
  for (int i = 0; i < ROUNDS; i++) {
    int rows = (i + (int)(size_t)number) % 3 == 0 ? 1 : i % 2 ? 7 : ROWS;
    predict(model, rows, out);
    check_rows(out, rows);
  }
  return NULL;
}

static void *run_predictor(void *unused) {
  float out[1][3];
  cusp_predictor *p;
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, inputs, sizeof *inputs);
  cusp_output o = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, out, sizeof out);
  OK(cusp_predictor_new(&p, model, 1, NULL, 0));
  for (int i = 0; i < ROUNDS; i++) {
    OK(cusp_predictor_run(p, &in, 1, &o, 1, NULL, 0));
    check_rows(out, 1);
  }
  OK(cusp_predictor_free(p));
  return unused;
}

/* Predictions of the model that is trained meanwhile see the weights before or after a step. */
static void *predict_trained(void *unused) {
  float out[ROWS][3];
  for (int i = 0; i < ROUNDS; i++) {
    predict(trained, 7, out);
    for (int row = 0; row < 7; row++)
      CHECK(fabsf(out[row][0] + out[row][1] + out[row][2] - 1) < 1e-4f);
  }
  return unused;
}

static void *train(void *unused) {
  int32_t labels[ROWS] = {0};
  int64_t shape[] = {ROWS};
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, inputs, sizeof inputs);
  cusp_input target = {NULL, CUSP_ELEMENT_INT32, 1, shape, labels, sizeof labels};
  cusp_samples samples = {ROWS, &in, 1, &target, 1};
  double first = 0, loss = 0;
  for (int i = 0; i < 20; i++) {
    OK(cusp_model_train(trained, &samples, &loss));
    first = i ? first : loss;
  }
  CHECK(loss < first);
  return unused;
}

static const char *path;

/* Contexts of their own need not wait for each other. */
static void *use_context(void *unused) {
  cusp_context *own;
  cusp_model *loaded;
  float out[ROWS][3];
  OK(cusp_context_new(&own));
  OK(cusp_model_load(&loaded, own, path));
  predict(loaded, 7, out);
  check_rows(out, 7);
  OK(cusp_context_run(own, "local cusp = require 'cusp'; x = (cusp.ones{3} * 2):sum():item()",
                      "s"));
  OK(cusp_context_free(own));
  return unused;
}

int main(int argc, char **argv) {
  pthread_t threads[3 * THREADS + 2];
  int count = 0;
  CHECK(argc >= 2);
  path = argv[1];
  OK(cusp_set_threads(1));
  OK(cusp_context_new(&context));
  OK(cusp_model_load(&model, context, argv[1]));
  OK(cusp_model_load(&trained, context, argv[1]));
  for (int i = 0; i < ROWS * 8; i++)
    inputs[i / 8][i % 8] = (float)((i * 7919) % 101) / 101;
  predict(model, ROWS, expected);
  for (size_t i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[count++], NULL, predict_all, (void *)i) == 0);
    CHECK(pthread_create(&threads[count++], NULL, run_predictor, NULL) == 0);
    if (argc > 2)
      CHECK(pthread_create(&threads[count++], NULL, use_context, NULL) == 0);
  }
  CHECK(pthread_create(&threads[count++], NULL, predict_trained, NULL) == 0);
  CHECK(pthread_create(&threads[count++], NULL, train, NULL) == 0);
  for (int i = 0; i < count; i++)
    pthread_join(threads[i], NULL);
  OK(cusp_context_free(context));
  puts("all threads agree");
  return 0;
}
