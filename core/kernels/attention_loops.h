/*
 * The loops of cusp_attention_loops for one float type. A template, no include guard: included with
 * REAL (the type), LANES (how many of them a register holds), EXP(x), TANH(x) and NAME(x) (x made
 * unique) defined.
 */

#include "lanes.h"

static inline REAL NAME(row_largest)(int64_t n, const REAL *x) {
  REAL most[LANES];
  for (int k = 0; k < LANES; k++)
    most[k] = x[0];
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++)
      most[k] = x[i + k] > most[k] ? x[i + k] : most[k];
  for (; i < n; i++)
    most[0] = x[i] > most[0] ? x[i] : most[0];
  for (int k = 1; k < LANES; k++)
    most[0] = most[k] > most[0] ? most[k] : most[0];
  return most[0];
}

static inline REAL NAME(row_sum)(int64_t n, const REAL *x) {
  NAME(vec) a = {0}, b = {0};
  int64_t i = 0;
  for (; i + 2 * LANES <= n; i += 2 * LANES) {
    a += NAME(load)(x + i);
    b += NAME(load)(x + i + LANES);
  }
  REAL sum = i > 0 ? NAME(total)(a, b) : 0;
  for (; i < n; i++)
    sum += x[i];
  return sum;
}

static inline void NAME(row_exp)(int64_t n, REAL *x, REAL shift, REAL factor) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++)
    x[i] = EXP(x[i] - shift) * factor;
}

/* A row of which nothing is finite yet is not shifted: infinity less itself is no number. */
static inline REAL NAME(shift_of)(REAL largest) {
  return largest == -(REAL)__builtin_inf() ? 0 : largest;
}

static void NAME(accumulate)(int64_t rows, int64_t n, void *tile, void *sums, void *factor) {
  for (int64_t r = 0; r < rows; r++) {
    REAL *x = (REAL *)tile + r * n, *sum = (REAL *)sums + 2 * r, before = sum[0];
    REAL most = NAME(row_largest)(n, x), largest = most > before ? most : before;
    REAL shift = NAME(shift_of)(largest), shrunk = EXP(before - shift);
    NAME(row_exp)(n, x, shift, 1);
    sum[0] = largest;
    sum[1] = sum[1] * shrunk + NAME(row_sum)(n, x);
    ((REAL *)factor)[r] = shrunk;
  }
}

static void NAME(weigh)(int64_t rows, int64_t n, void *tile, const void *sums) {
  for (int64_t r = 0; r < rows; r++) {
    const REAL *sum = (const REAL *)sums + 2 * r;
    NAME(row_exp)(n, (REAL *)tile + r * n, NAME(shift_of)(sum[0]), sum[1]);
  }
}

static void NAME(centre)(int64_t rows, int64_t n, void *tile, const void *weights,
                         const void *dot) {
  for (int64_t r = 0; r < rows; r++) {
    REAL *x = (REAL *)tile + r * n, mean = ((const REAL *)dot)[r];
    const REAL *w = (const REAL *)weights + r * n;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
      x[i] = w[i] * (x[i] - mean);
  }
}

static void NAME(rescale)(int64_t rows, int64_t n, int64_t stride, void *x, const void *factor,
                          int64_t step) {
  for (int64_t r = 0; r < rows; r++) {
    REAL *p = (REAL *)x + r * stride, f = ((const REAL *)factor)[r * step];
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
      p[i] *= f;
  }
}

static void NAME(dot)(int64_t rows, int64_t n, int64_t x_stride, const void *x, int64_t y_stride,
                      const void *y, void *out) {
  for (int64_t r = 0; r < rows; r++) {
    const REAL *p = (const REAL *)x + r * x_stride, *q = (const REAL *)y + r * y_stride;
    NAME(vec) a = {0}, b = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
      a += NAME(load)(p + i) * NAME(load)(q + i);
    REAL sum = NAME(total)(a, b);
    for (; i < n; i++)
      sum += p[i] * q[i];
    ((REAL *)out)[r] = sum;
  }
}

static void NAME(add)(int64_t rows, int64_t n, void *tile, const void *bias, int64_t row_step,
                      int64_t column_step) {
  for (int64_t r = 0; r < rows; r++) {
    REAL *x = (REAL *)tile + r * n;
    const REAL *b = (const REAL *)bias + r * row_step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
      x[i] += b[i * column_step];
  }
}

static void NAME(hide)(int64_t rows, int64_t n, void *tile, const uint8_t *mask, int64_t row_step,
                       int64_t column_step, double value) {
  const REAL hidden = (REAL)value;
  for (int64_t r = 0; r < rows; r++) {
    REAL *x = (REAL *)tile + r * n;
    const uint8_t *seen = mask + r * row_step;
    if (column_step == 1) {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; i++)
        x[i] = seen[i] ? x[i] : hidden;
    } else if (!seen[0]) {
      for (int64_t i = 0; i < n; i++)
        x[i] = hidden;
    }
  }
}

static void NAME(hide_later)(int64_t rows, int64_t n, void *tile, int64_t first, double value) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = first + r > 0 ? first + r : 0; i < n; i++)
      ((REAL *)tile)[r * n + i] = (REAL)value;
}

static void NAME(cap)(int64_t n, void *x, double cap, void *slope) {
  REAL *p = x, *derivative = slope, most = (REAL)cap;
  for (int64_t i = 0; i < n; i++) {
    REAL y = TANH(p[i] / most);
    p[i] = most * y;
    if (derivative)
      derivative[i] = 1 - y * y;
  }
}

static void NAME(multiply)(int64_t n, void *x, const void *y) {
  REAL *p = x;
  const REAL *q = y;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++)
    p[i] *= q[i];
}

const cusp_attention_loops CUSP_ISA(NAME(cusp_attention_loops)) = {
    NAME(accumulate), NAME(weigh), NAME(centre),     NAME(rescale), NAME(dot),
    NAME(add),        NAME(hide),  NAME(hide_later), NAME(cap),     NAME(multiply)};

#undef REAL
#undef LANES
#undef EXP
#undef TANH
#undef NAME
