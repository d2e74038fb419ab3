/*
 * The limit: training a stack of Dense layers written by hand in C over OpenBLAS, with nothing in
 * between. Same work as the frameworks' rows: shuffle, gather the batch, forward, softmax
 * cross-entropy with accuracy, backward, Adam.
 *
 * Usage: limit THREADS SAMPLES BATCH EPOCHS REPEATS INPUTS UNITS...    prints {"seconds_per_step":
 * [one a repeat]}
 */
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_LAYERS 8

typedef void sgemm_fn(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                      const float *a, int lda, const float *b, int ldb, float beta, float *c,
                      int ldc);
enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };
static sgemm_fn *sgemm;

typedef struct network {
  int layers, size[MAX_LAYERS + 1];
  size_t parameters;
  float *w, *gradient, *m, *v; /* all parameters in a row: kernel, bias, kernel, bias ... */
  float *kernel[MAX_LAYERS], *bias[MAX_LAYERS], *kernel_gradient[MAX_LAYERS],
      *bias_gradient[MAX_LAYERS];
  float *activation[MAX_LAYERS + 1]; /* [batch, size] each; 0 is the input */
  float *delta[MAX_LAYERS + 1];
  float *target;
  double loss, correct;
  int step;
} network;

static void *array(size_t count) {
  void *block = NULL;
  if (posix_memalign(&block, 64, (count + 16) * sizeof(float)) != 0)
    exit(1);
  memset(block, 0, (count + 16) * sizeof(float));
  return block;
}

static float uniform(void) { return (float)rand() / (float)RAND_MAX; }

static void make_network(network *net, int batch) {
  for (int l = 0; l < net->layers; l++)
    net->parameters += (size_t)(net->size[l] + 1) * (size_t)net->size[l + 1];
  float **blocks[] = {&net->w, &net->gradient, &net->m, &net->v};
  for (int i = 0; i < 4; i++)
    *blocks[i] = array(net->parameters);
  size_t at = 0;
  for (int l = 0; l < net->layers; l++) {
    size_t kernel_size = (size_t)net->size[l] * (size_t)net->size[l + 1];
    net->kernel[l] = net->w + at;
    net->kernel_gradient[l] = net->gradient + at;
    net->bias[l] = net->w + at + kernel_size;
    net->bias_gradient[l] = net->gradient + at + kernel_size;
    float limit = sqrtf(6.0f / (float)(net->size[l] + net->size[l + 1]));
    for (size_t i = 0; i < kernel_size; i++)
      net->kernel[l][i] = (2 * uniform() - 1) * limit;
    at += kernel_size + (size_t)net->size[l + 1];
  }
  for (int l = 0; l <= net->layers; l++) {
    net->activation[l] = array((size_t)batch * (size_t)net->size[l]);
    net->delta[l] = array((size_t)batch * (size_t)net->size[l]);
  }
  net->target = array((size_t)batch * (size_t)net->size[net->layers]);
}

static void forward(network *net, int batch) {
  for (int l = 0; l < net->layers; l++) {
    int in = net->size[l], out = net->size[l + 1];
    float *y = net->activation[l + 1];
    for (int i = 0; i < batch; i++)
      memcpy(y + i * out, net->bias[l], (size_t)out * sizeof(float));
    sgemm(ROW_MAJOR, PLAIN, PLAIN, batch, out, in, 1, net->activation[l], in, net->kernel[l], out,
          1, y, out);
    if (l + 1 < net->layers)
      for (int i = 0; i < batch * out; i++)
        y[i] = y[i] > 0 ? y[i] : 0;
  }
}

static int largest(const float *row, int count) {
  int best = 0;
  for (int j = 1; j < count; j++)
    if (row[j] > row[best])
      best = j;
  return best;
}

/** Loss and accuracy of the logits, and their gradient. */
static void cross_entropy(network *net, int batch) {
  int classes = net->size[net->layers];
  for (int i = 0; i < batch; i++) {
    float *z = net->activation[net->layers] + i * classes, *y = net->target + i * classes,
          *d = net->delta[net->layers] + i * classes;
    int best = largest(z, classes);
    float top = z[best], sum = 0, weight = 0, loss = 0;
    for (int j = 0; j < classes; j++) {
      d[j] = expf(z[j] - top);
      sum += d[j];
      weight += y[j];
    }
    float log_sum = logf(sum);
    for (int j = 0; j < classes; j++) {
      loss -= y[j] * (z[j] - top - log_sum);
      d[j] = (d[j] / sum * weight - y[j]) / (float)batch;
    }
    net->loss += loss;
    net->correct += best == largest(y, classes);
  }
}

static void backward(network *net, int batch) {
  for (int l = net->layers - 1; l >= 0; l--) {
    int in = net->size[l], out = net->size[l + 1];
    float *d = net->delta[l + 1], *x = net->activation[l];
    sgemm(ROW_MAJOR, TRANSPOSED, PLAIN, in, out, batch, 1, x, in, d, out, 0,
          net->kernel_gradient[l], out);
    memset(net->bias_gradient[l], 0, (size_t)out * sizeof(float));
    for (int i = 0; i < batch; i++)
      for (int j = 0; j < out; j++)
        net->bias_gradient[l][j] += d[i * out + j];
    if (l == 0)
      break;
    sgemm(ROW_MAJOR, PLAIN, TRANSPOSED, batch, in, out, 1, d, out, net->kernel[l], out, 0,
          net->delta[l], in);
    for (int i = 0; i < batch * in; i++)
      net->delta[l][i] = x[i] > 0 ? net->delta[l][i] : 0;
  }
}

static void adam(network *net) {
  const float beta_1 = 0.9f, beta_2 = 0.999f;
  float power = (float)++net->step;
  float rate = 0.001f * sqrtf(1 - powf(beta_2, power)) / (1 - powf(beta_1, power));
  float *restrict w = net->w, *restrict m = net->m, *restrict v = net->v;
  const float *restrict g = net->gradient;
  for (size_t i = 0; i < net->parameters; i++) {
    m[i] += (g[i] - m[i]) * (1 - beta_1);
    v[i] += (g[i] * g[i] - v[i]) * (1 - beta_2);
    w[i] -= rate * m[i] / (sqrtf(v[i]) + 1e-7f);
  }
}

typedef struct data {
  int samples;
  float *x, *y;
  int *order;
} data;

static void shuffle(data *d) {
  for (int i = d->samples - 1; i > 0; i--) {
    int j = rand() % (i + 1), kept = d->order[i];
    d->order[i] = d->order[j];
    d->order[j] = kept;
  }
}

static int epoch(network *net, data *d, int batch) {
  int in = net->size[0], classes = net->size[net->layers], steps = 0;
  shuffle(d);
  for (int first = 0; first < d->samples; first += batch, steps++) {
    int rows = d->samples - first < batch ? d->samples - first : batch;
    for (int i = 0; i < rows; i++) {
      memcpy(net->activation[0] + i * in, d->x + (size_t)d->order[first + i] * (size_t)in,
             (size_t)in * sizeof(float));
      memcpy(net->target + i * classes, d->y + (size_t)d->order[first + i] * (size_t)classes,
             (size_t)classes * sizeof(float));
    }
    forward(net, rows);
    cross_entropy(net, rows);
    backward(net, rows);
    adam(net);
  }
  return steps;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/** OpenBLAS with the kernels for this CPU: some of its versions do not know CPUs younger than
 * themselves. */
static void load_openblas(int threads) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
    setenv("OPENBLAS_CORETYPE", "SKYLAKEX", 0);
#endif
  void *library = dlopen("libopenblas.so.0", RTLD_NOW);
  if (library == NULL) {
    fprintf(stderr, "limit: %s\n", dlerror());
    exit(1);
  }
  sgemm = (sgemm_fn *)dlsym(library, "cblas_sgemm");
  void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
  if (sgemm == NULL || set_threads == NULL)
    exit(1);
  set_threads(threads);
}

static void make_data(data *d, const network *net) {
  size_t n = (size_t)d->samples, in = (size_t)net->size[0],
         classes = (size_t)net->size[net->layers];
  d->x = array(n * in);
  d->y = array(n * classes);
  d->order = array(n);
  for (size_t i = 0; i < n * in; i++)
    d->x[i] = uniform();
  for (size_t i = 0; i < n * classes; i++)
    d->y[i] = uniform();
  for (size_t i = 0; i < n; i++)
    d->order[i] = (int)i;
}

int main(int count, char **arguments) {
  if (count < 8 || count > 7 + MAX_LAYERS) {
    fprintf(stderr, "usage: limit THREADS SAMPLES BATCH EPOCHS REPEATS INPUTS UNITS...\n");
    return 1;
  }
  int batch = atoi(arguments[3]), epochs = atoi(arguments[4]), repeats = atoi(arguments[5]);
  network net = {.layers = count - 7};
  data d = {.samples = atoi(arguments[2])};
  for (int l = 0; l <= net.layers; l++)
    net.size[l] = atoi(arguments[6 + l]);
  load_openblas(atoi(arguments[1]));
  make_network(&net, batch);
  make_data(&d, &net);
  epoch(&net, &d, batch);
  epoch(&net, &d, batch);
  printf("{\"seconds_per_step\": [");
  for (int repeat = 0; repeat < repeats; repeat++) {
    double start = seconds();
    int steps = 0;
    for (int e = 0; e < epochs; e++)
      steps += epoch(&net, &d, batch);
    printf("%s%.9f", repeat ? ", " : "", (seconds() - start) / steps);
  }
  printf("], \"loss\": %g}\n", net.loss);
  return 0;
}
