/* Convolutions by products against the plain loops. */
#include "check.h"

#include "kernels/blas.h"
#include "kernels/convolution.h"

static float x[4096], kernel[4096], found[4096], expected[4096];

static cusp_convolution make(int64_t batch, int64_t output, int64_t channels, int64_t filters,
                             int64_t size, int64_t dilation) {
  cusp_convolution c = {.channels = channels,
                        .filters = filters,
                        .groups = 1,
                        .dtype = CUSP_FLOAT32,
                        .result = CUSP_FLOAT32};
  c.windows.batch = batch;
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++) {
    bool last = axis == CUSP_WINDOW_AXES - 1;
    c.windows.input[axis] = last ? output + (size - 1) * dilation : 1;
    c.windows.output[axis] = last ? output : 1;
    c.windows.size[axis] = last ? size : 1;
    c.windows.stride[axis] = 1;
    c.windows.dilation[axis] = last ? dilation : 1;
  }
  return c;
}

static double largest_error(const cusp_convolution *c) {
  double worst = 0;
  const int last = CUSP_WINDOW_AXES - 1;
  for (int i = 0; i < 4096; i++)
    found[i] = expected[i] = NAN;
  cusp_convolution_reference(c, CUSP_CONVOLUTION_FORWARD, CUSP_FLOAT32, x, kernel, expected);
  CHECK_OK(cusp_convolution_by_products(c, x, kernel, found));
  for (int64_t i = 0; i < c->windows.batch * c->windows.output[last] * c->filters; i++)
    worst = isnan(found[i]) ? INFINITY : fmax(worst, fabs((double)found[i] - expected[i]));
  return worst;
}

static void test_shapes(void) {
  for (int64_t batch = 1; batch <= 3; batch += 2)
    for (int64_t output = 1; output <= 9; output += 4)
      for (int64_t filters = 1; filters <= 17; filters += 8)
        for (int64_t dilation = 1; dilation <= 3; dilation++)
          for (int quiet = 0; quiet < 2; quiet++) {
            cusp_convolution c =
                make(batch, output, 5, filters, 1 + (output + filters) % 4, dilation);
            bool before = cusp_gemm_set_quiet(quiet);
            CHECK(cusp_convolution_is_plain(&c));
            CHECK(largest_error(&c) < 1e-5);
            cusp_gemm_set_quiet(before);
          }
}

static void test_others(void) {
  cusp_convolution c = make(1, 4, 5, 3, 2, 1);
  c.windows.low[CUSP_WINDOW_AXES - 1] = 1;
  CHECK(!cusp_convolution_is_plain(&c));
  c = make(1, 4, 5, 3, 2, 1);
  c.windows.stride[CUSP_WINDOW_AXES - 1] = 2;
  CHECK(!cusp_convolution_is_plain(&c));
  c = make(1, 4, 5, 3, 2, 1);
  c.groups = 5;
  CHECK(!cusp_convolution_is_plain(&c));
  c = make(1, 4, 5, 3, 2, 1);
  c.windows.input[0] = c.windows.output[0] = 2;
  CHECK(!cusp_convolution_is_plain(&c));
  c = make(1, 4000, 64, 64, 3, 1);
  CHECK(cusp_convolution_is_plain(&c) && !cusp_convolution_is_short(&c, true));
}

int main(void) {
  for (int i = 0; i < 4096; i++) {
    x[i] = (float)(i * 7919 % 1009) / 1009 - 0.5f;
    kernel[i] = (float)(i * 104729 % 997) / 997 - 0.5f;
  }
  test_shapes();
  test_others();
  return check_summary();
}
