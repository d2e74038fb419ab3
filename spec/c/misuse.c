/* What wrong calls get. Usage: misuse MODEL FILE-THAT-IS-NO-MODEL */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <signal.h>
#include <unistd.h>

static cusp_context *context;
static cusp_model *model;
static float x[8], y[3];

static void wrong_handles(void) {
  int other = 0;
  cusp_model *none = NULL;
  cusp_context *second;
  FAILS(CUSP_ERROR_HANDLE, "got NULL", cusp_model_load(&none, NULL, "x.keras"));
  FAILS(CUSP_ERROR_HANDLE, "something else", cusp_model_save((cusp_model *)&other, "x.keras"));
  FAILS(CUSP_ERROR_HANDLE, "got a cusp_context", cusp_model_save((cusp_model *)context, "x.keras"));
  OK(cusp_context_new(&second));
  OK(cusp_context_free(second));
  FAILS(CUSP_ERROR_HANDLE, "freed", cusp_context_run(second, "", "script"));
  FAILS(CUSP_ERROR_HANDLE, "freed", cusp_context_free(second));
  OK(cusp_context_free(NULL));
  OK(cusp_model_free(NULL));
  OK(cusp_predictor_free(NULL));
  FAILS(CUSP_ERROR_VALUE, "NULL", cusp_context_new(NULL));
}

static void wrong_files(const char *no_model) {
  cusp_model *out = model;
  FAILS(CUSP_ERROR_FILE, "absent.keras", cusp_model_load(&out, context, "absent.keras"));
  CHECK(out == NULL);
  FAILS(CUSP_ERROR_FILE, no_model, cusp_model_load(&out, context, no_model));
  FAILS(CUSP_ERROR_FILE, "", cusp_model_save(model, "/proc/x.keras"));
  FAILS(CUSP_ERROR_VALUE, "NULL", cusp_model_load(&out, context, NULL));
  FAILS(CUSP_ERROR_VALUE, "NULL", cusp_model_load(NULL, context, "x.keras"));
}

static void wrong_buffers(void) {
  int64_t wrong[] = {1, 7}, row[] = {1, 8};
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, x, sizeof x);
  cusp_output out = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, y, sizeof y);
  cusp_input i = in;
  cusp_output o = out;
  OK(cusp_model_predict(model, 1, &in, 1, &out, 1));
  FAILS(CUSP_ERROR_SHAPE, "0", cusp_model_predict(model, 0, &in, 1, &out, 1));
  FAILS(CUSP_ERROR_SHAPE, "64 bytes, got 32", cusp_model_predict(model, 2, &in, 1, &out, 1));
  FAILS(CUSP_ERROR_SHAPE, "too large", cusp_model_predict(model, INT64_MAX / 2, &in, 1, &out, 1));
  FAILS(CUSP_ERROR_VALUE, "1 input", cusp_model_predict(model, 1, &in, 0, &out, 1));
  FAILS(CUSP_ERROR_VALUE, "NULL", cusp_model_predict(model, 1, NULL, 1, &out, 1));
  FAILS(CUSP_ERROR_VALUE, "1 output", cusp_model_predict(model, 1, &in, 1, NULL, 0));
  i.element = CUSP_ELEMENT_FLOAT64;
  FAILS(CUSP_ERROR_ELEMENT, "float32, got float64", cusp_model_predict(model, 1, &i, 1, &out, 1));
  i.element = (cusp_element)99;
  FAILS(CUSP_ERROR_ELEMENT, "no type", cusp_model_predict(model, 1, &i, 1, &out, 1));
  i = in;
  i.name = "pixels";
  FAILS(CUSP_ERROR_NAME, "'pixels'", cusp_model_predict(model, 1, &i, 1, &out, 1));
  i = in;
  i.rank = 2;
  i.shape = wrong;
  FAILS(CUSP_ERROR_SHAPE, "[1, 8]", cusp_model_predict(model, 1, &i, 1, &out, 1));
  i.shape = row;
  OK(cusp_model_predict(model, 1, &i, 1, &out, 1));
  i.rank = 99;
  FAILS(CUSP_ERROR_SHAPE, "99", cusp_model_predict(model, 1, &i, 1, &out, 1));
  i = in;
  i.data = NULL;
  FAILS(CUSP_ERROR_VALUE, "NULL", cusp_model_predict(model, 1, &i, 1, &out, 1));
  i.data = (const char *)x + 1;
  FAILS(CUSP_ERROR_VALUE, "aligned", cusp_model_predict(model, 1, &i, 1, &out, 1));
  o.bytes = 8;
  FAILS(CUSP_ERROR_SHAPE, "12 bytes, got a buffer of 8",
        cusp_model_predict(model, 1, &in, 1, &o, 1));
  o = out;
  o.element = CUSP_ELEMENT_INT32;
  FAILS(CUSP_ERROR_ELEMENT, "float32", cusp_model_predict(model, 1, &in, 1, &o, 1));
  o = out;
  o.data = x;
  FAILS(CUSP_ERROR_VALUE, "overlaps", cusp_model_predict(model, 1, &in, 1, &o, 1));
}

static void wrong_scripts(void) {
  char text[8];
  double number;
  size_t length;
  cusp_model *out;
  FAILS(CUSP_ERROR_LUA, "game:1:", cusp_context_run(context, "x =", "game"));
  FAILS(CUSP_ERROR_LUA, "game:2: thrown", cusp_context_run(context, "\nerror 'thrown'", "game"));
  FAILS(CUSP_ERROR_LUA, "table", cusp_context_run(context, "error({})", "game"));
  FAILS(CUSP_ERROR_LUA, "os.exit", cusp_context_run(context, "os.exit(3)", "game"));
  FAILS(CUSP_ERROR_LUA, "module", cusp_context_run(context, "require 'absent'", "game"));
  FAILS(CUSP_ERROR_LUA, "stack overflow",
        cusp_context_run(context, "local function f() return 1 + f() end f()", "game"));
  FAILS(CUSP_ERROR_NAME, "'absent'", cusp_context_get_number(context, "absent", &number));
  FAILS(CUSP_ERROR_NAME, "'absent'", cusp_context_get_model(context, "absent", &out));
  OK(cusp_context_set_text(context, "greeting", "good morning"));
  OK(cusp_context_get_text(context, "greeting", text, sizeof text, &length));
  CHECK(strcmp(text, "good mo") == 0 && length == 12);
  FAILS(CUSP_ERROR_VALUE, "NULL", cusp_context_run(context, NULL, "game"));
}

static void on_alarm(int number) {
  (void)number;
  cusp_set_interrupt(1);
}

/* A script that never ends is ended by the flag, which a signal sets. */
static void interrupts(void) {
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, x, sizeof x);
  cusp_output out = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, y, sizeof y);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_alarm;
  sigaction(SIGALRM, &action, NULL);
  alarm(1);
  FAILS(CUSP_ERROR_INTERRUPTED, "interrupted", cusp_context_run(context, "while true do end", "s"));
  FAILS(CUSP_ERROR_INTERRUPTED, "interrupted", cusp_model_predict(model, 1, &in, 1, &out, 1));
  cusp_set_interrupt(0);
  OK(cusp_model_predict(model, 1, &in, 1, &out, 1));
  OK(cusp_context_run(context, "x = 1", "s"));
}

/* Calls from within a report: those that need Lua are refused, predictions see the weights from
 * before, and the flag ends the training. */
static int report(void *data, int epoch, size_t count, const char *const *names,
                  const double *values) {
  float result[3];
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, x, sizeof x);
  cusp_output out = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, result, sizeof result);
  CHECK(count > 0 && strcmp(names[0], "loss") == 0 && values[0] > 0);
  FAILS(CUSP_ERROR_BUSY, "within", cusp_model_save(model, "x.keras"));
  FAILS(CUSP_ERROR_BUSY, "within", cusp_context_free(context));
  OK(cusp_model_predict(model, 1, &in, 1, &out, 1));
  CHECK(memcmp(result, y, sizeof y) == 0);
  *(int *)data = epoch;
  cusp_set_interrupt(epoch == 3);
  return 0;
}

static int stop_at_two(void *data, int epoch, size_t count, const char *const *names,
                       const double *values) {
  (void)count;
  (void)names;
  (void)values;
  *(int *)data = epoch;
  return epoch == 2;
}

static void reports(void) {
  int epoch = 0;
  const float labels[3] = {0, 1, 0};
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, x, sizeof x);
  cusp_input target = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, labels, sizeof labels);
  cusp_output out = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, y, sizeof y);
  cusp_samples samples = {1, &in, 1, &target, 1};
  float before[3];
  OK(cusp_model_compile(model, "{\"optimizer\": \"sgd\", \"loss\": \"mse\"}"));
  OK(cusp_model_predict(model, 1, &in, 1, &out, 1));
  memcpy(before, y, sizeof y);
  FAILS(CUSP_ERROR_INTERRUPTED, "interrupted",
        cusp_model_fit(model, &samples, "{\"epochs\": 100000}", report, &epoch));
  CHECK(epoch == 3);
  cusp_set_interrupt(0);
  OK(cusp_model_predict(model, 1, &in, 1, &out, 1));
  CHECK(memcmp(before, y, sizeof y) != 0);
  OK(cusp_model_fit(model, &samples, "{\"epochs\": 100000}", stop_at_two, &epoch));
  CHECK(epoch == 2);
  OK(cusp_model_fit(model, &samples, NULL, NULL, NULL));
  OK(cusp_model_evaluate(model, &samples, stop_at_two, &epoch));
  CHECK(epoch == 0);
  FAILS(CUSP_ERROR_LUA, "epoch", cusp_model_fit(model, &samples, "{\"epoch\": 1}", NULL, NULL));
}

static void wrong_predictors(void) {
  cusp_predictor *p = NULL;
  char state[64];
  size_t bytes;
  cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, x, sizeof x);
  cusp_output out = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, y, sizeof y);
  FAILS(CUSP_ERROR_SHAPE, "0", cusp_predictor_new(&p, model, 0, NULL, 0));
  FAILS(CUSP_ERROR_UNSUPPORTED, "steps", cusp_predictor_new_stream(&p, model, 1, 1));
  cusp_model *backwards = NULL;
  OK(cusp_context_run(context,
                      "local cusp = require 'cusp'\n"
                      "Backwards = cusp.Sequential{cusp.Input{cusp.None, 2},\n"
                      "  cusp.layers.LSTM{3, return_sequences = true, go_backwards = true}}",
                      "script"));
  OK(cusp_context_get_model(context, "Backwards", &backwards));
  FAILS(CUSP_ERROR_UNSUPPORTED, "(LSTM)", cusp_predictor_new_stream(&p, backwards, 1, 1));
  OK(cusp_predictor_new(&p, model, 1, NULL, 0));
  OK(cusp_predictor_state_bytes(p, &bytes));
  CHECK(bytes == 0);
  FAILS(CUSP_ERROR_SHAPE, "0 bytes", cusp_predictor_run(p, &in, 1, &out, 1, state, sizeof state));
  OK(cusp_predictor_run(p, &in, 1, &out, 1, NULL, 0));
  OK(cusp_predictor_refresh(p));
  cusp_input target = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, y, sizeof y);
  FAILS(CUSP_ERROR_SHAPE, "12 bytes, got 32; a target of another shape",
        cusp_model_train(model, &(cusp_samples){1, &in, 1, &in, 1}, NULL));
  FAILS(CUSP_ERROR_LUA, "no optimizer",
        cusp_model_train(model, &(cusp_samples){1, &in, 1, &target, 1}, NULL));
  FAILS(CUSP_ERROR_VALUE, "json", cusp_model_compile(model, "{"));
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  FAILS(CUSP_ERROR_VALUE, "1", cusp_set_threads(0));
  OK(cusp_context_new(&context));
  OK(cusp_model_load(&model, context, argv[1]));
  wrong_handles();
  wrong_files(argv[2]);
  wrong_buffers();
  wrong_scripts();
  interrupts();
  wrong_predictors();
  reports();
  OK(cusp_context_free(context));
  FAILS(CUSP_ERROR_HANDLE, "freed", cusp_model_save(model, "x.keras"));
  puts("all refused");
  return 0;
}
