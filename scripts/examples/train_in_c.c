/*
 * Trains a network on points and predicts, from C. Compile it with
 *   cc train_in_c.c $(pkg-config --cflags --libs cusp) -o train_in_c
 * The layer is made by a script in Lua; a model from a file would do without.
 */
#include <cusp.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 512 };

static const char script[] =
    "local cusp = require 'cusp'\n"
    "cusp.random.set_seed(1)\n"
    "Ring = cusp.Layer:extend('Ring', {call = function(self, x)\n" /* a layer of one's own */
    "  return cusp.ops.concatenate({x, (x * x):sum(-1, {keepdims = true})}, -1)\n"
    "end})\n"
    "net = cusp.Sequential{cusp.Input{2, name = 'point'}, Ring{},\n"
    "  cusp.layers.Dense{16, activation = 'tanh'},\n"
    "  cusp.layers.Dense{1, activation = 'sigmoid', name = 'inside'}}\n";

static int give_up(void) {
  fprintf(stderr, "%s\n", cusp_last_error());
  return EXIT_FAILURE;
}

static int on_epoch(void *data, int epoch, size_t count, const char *const *names,
                    const double *values) {
  (void)data;
  printf("epoch %d", epoch);
  for (size_t i = 0; i < count; i++)
    printf("  %s %.3f", names[i], values[i]);
  printf("\n");
  return values[0] < 0.02; /* good enough: stop */
}

/* Points in a square, and whether they lie in a circle. */
static void make_points(float (*points)[2], float *labels) {
  for (int i = 0; i < POINTS; i++) {
    float x = (float)(i * 37 % 512) / 256 - 1, y = (float)(i * 101 % 512) / 256 - 1;
    points[i][0] = x;
    points[i][1] = y;
    labels[i] = x * x + y * y < 0.5f;
  }
}

static int train(cusp_model *model) {
  static float points[POINTS][2], labels[POINTS];
  make_points(points, labels);
  cusp_input input = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, points, sizeof points);
  cusp_input target = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, labels, sizeof labels);
  cusp_samples samples = {POINTS, &input, 1, &target, 1};
  const char *how =
      "{\"optimizer\": {\"class_name\": \"Adam\", \"config\": {\"learning_rate\": 0.03}},"
      " \"loss\": \"binary_crossentropy\", \"metrics\": [\"accuracy\"]}";
  return cusp_model_compile(model, how) == CUSP_SUCCESS &&
         cusp_model_fit(model, &samples, "{\"epochs\": 8, \"batch_size\": 32}", on_epoch, NULL) ==
             CUSP_SUCCESS;
}

static int predict(cusp_model *model) {
  const float points[2][2] = {{0.1f, 0.2f}, {0.9f, -0.9f}};
  float inside[2];
  cusp_input input = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, points, sizeof points);
  cusp_output output = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, inside, sizeof inside);
  input.name = "point";
  output.name = "inside";
  if (cusp_model_predict(model, 2, &input, 1, &output, 1) != CUSP_SUCCESS)
    return 0;
  printf("(0.1, 0.2) lies %s, (0.9, -0.9) %s\n", inside[0] > 0.5f ? "inside" : "outside",
         inside[1] > 0.5f ? "inside" : "outside");
  return 1;
}

int main(int argc, char **argv) {
  cusp_context *context = NULL;
  cusp_model *model = NULL;
  if (cusp_context_new(&context) != CUSP_SUCCESS ||
      cusp_context_run(context, script, "script") != CUSP_SUCCESS ||
      cusp_context_get_model(context, "net", &model) != CUSP_SUCCESS || !train(model) ||
      !predict(model))
    return give_up();
  if (argc > 1 && cusp_model_save(model, argv[1]) != CUSP_SUCCESS)
    return give_up();
  cusp_context_free(context);
  return EXIT_SUCCESS;
}
