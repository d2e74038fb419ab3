/* Convolutions by products against the plain loops. */
#include "check.h"

#include "base/threads.h"
#include "kernels/blas.h"
#include "kernels/convolution.h"

enum { MOST = 1 << 16 };
static float x[MOST], kernel[MOST], found[MOST], expected[MOST], workspace[MOST];

typedef struct shape {
  int64_t batch, channels, filters;
  int64_t output[3], size[3], stride[3], dilation[3], low[3], high[3];
} shape;

static cusp_convolution make(const shape *s) {
  cusp_convolution c = {.channels = s->channels,
                        .filters = s->filters,
                        .groups = 1,
                        .dtype = CUSP_FLOAT32,
                        .result = CUSP_FLOAT32};
  c.windows.batch = s->batch;
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++) {
    c.windows.output[axis] = s->output[axis];
    c.windows.size[axis] = s->size[axis];
    c.windows.stride[axis] = s->stride[axis];
    c.windows.dilation[axis] = s->dilation[axis];
    c.windows.low[axis] = s->low[axis];
    c.windows.input[axis] = (s->output[axis] - 1) * s->stride[axis] +
                            (s->size[axis] - 1) * s->dilation[axis] + 1 - s->low[axis] -
                            s->high[axis];
  }
  return c;
}

static double largest_error(const cusp_convolution *c) {
  double worst = 0;
  int64_t count = c->windows.batch * c->filters;
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++)
    count *= c->windows.output[axis];
  for (int i = 0; i < MOST; i++)
    found[i] = expected[i] = workspace[i] = NAN;
  CHECK(count <= MOST && cusp_convolution_workspace(c) <= sizeof workspace);
  cusp_convolution_reference(c, CUSP_CONVOLUTION_FORWARD, CUSP_FLOAT32, x, kernel, expected);
  cusp_convolution_by_products(c, x, kernel, found, workspace);
  for (int64_t i = 0; i < count; i++)
    worst = isnan(found[i]) ? INFINITY : fmax(worst, fabs((double)found[i] - expected[i]));
  return worst;
}

static const shape shapes[] = {
    {1, 5, 16, {1, 1, 1}, {1, 1, 3}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {3, 5, 1, {1, 1, 9}, {1, 1, 4}, {1, 1, 1}, {1, 1, 3}, {0, 0, 0}, {0, 0, 0}},
    {2, 5, 17, {1, 1, 9}, {1, 1, 3}, {1, 1, 2}, {1, 1, 1}, {0, 0, 1}, {0, 0, 2}},
    {1, 1, 9, {1, 7, 8}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {2, 3, 8, {1, 5, 6}, {1, 3, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 1}, {0, 1, -2}},
    {2, 4, 12, {1, 4, 5}, {1, 2, 3}, {1, 1, 1}, {1, 3, 2}, {0, 2, 2}, {0, 1, 2}},
    {1, 2, 8, {3, 4, 5}, {2, 3, 2}, {1, 2, 1}, {2, 1, 1}, {1, 1, 0}, {1, 0, 1}},
    {1, 2, 3, {2, 2, 3}, {3, 1, 2}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {-1, -2, -1}},
    {1, 3, 8, {1, 1, 2}, {1, 1, 9}, {1, 1, 1}, {1, 1, 1}, {0, 0, 7}, {0, 0, 2}},
};

static void test_shapes(void) {
  for (int threads = 1; threads <= 2; threads++) {
    CHECK_OK(cusp_set_num_threads(threads));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
      cusp_convolution c = make(&shapes[i]);
      CHECK(cusp_convolution_by_products_pays(&c, true));
      CHECK(largest_error(&c) < 1e-5);
    }
  }
}

static void test_where_they_pay(void) {
  cusp_convolution one = make(&shapes[0]), padded = make(&shapes[3]), grouped = make(&shapes[0]);
  grouped.groups = 5;
  CHECK(cusp_convolution_by_products_pays(&one, false));
  CHECK(!cusp_convolution_by_products_pays(&padded, false));
  CHECK(!cusp_convolution_by_products_pays(&grouped, true));
}

int main(void) {
  for (int i = 0; i < MOST; i++) {
    x[i] = (float)(i * 7919 % 1009) / 1009 - 0.5f;
    kernel[i] = (float)((int64_t)i * 104729 % 997) / 997 - 0.5f;
  }
  test_shapes();
  test_where_they_pay();
  return check_summary();
}
