/*
 * The loops of cusp_row_loops for one float type. A template, no include guard: included with REAL
 * (the type), LANES (how many of them a register holds) and NAME(x) (x made unique)
 * defined. */

#include "lanes.h"

/* C's vector types have no ?:, so bits are picked by the comparison's mask. */
static inline NAME(vec) NAME(select_larger)(NAME(vec) a, NAME(vec) b) {
  __typeof__(a > b) larger = a > b;
  return (NAME(vec))((larger & (__typeof__(larger))a) | (~larger & (__typeof__(larger))b));
}

static inline REAL NAME(row_largest)(int64_t n, const REAL *x) {
  REAL most = x[0];
  int64_t i = 0;
  if (n >= LANES) {
    NAME(vec) m = NAME(load)(x);
    for (i = LANES; i + LANES <= n; i += LANES)
      m = NAME(select_larger)(NAME(load)(x + i), m);
    most = m[0];
    for (int k = 1; k < LANES; k++)
      most = m[k] > most ? m[k] : most;
  }
  for (; i < n; i++)
    most = x[i] > most ? x[i] : most;
  return most;
}

/* Rows shorter than a register are worked on some at a time: in one alone, each element would wait
 * for the one before. */
#define TOGETHER 8

static void NAME(largest)(int64_t rows, int64_t n, const void *x, void *out) {
  int64_t r = 0;
  for (; n < LANES && r + TOGETHER <= rows; r += TOGETHER) {
    const REAL *row = (const REAL *)x + r * n;
    REAL most[TOGETHER];
    for (int k = 0; k < TOGETHER; k++)
      most[k] = row[k * n];
    for (int64_t i = 1; i < n; i++)
      for (int k = 0; k < TOGETHER; k++)
        most[k] = row[k * n + i] > most[k] ? row[k * n + i] : most[k];
    memcpy((REAL *)out + r, most, sizeof most);
  }
  for (; r < rows; r++)
    ((REAL *)out)[r] = NAME(row_largest)(n, (const REAL *)x + r * n);
}

static void NAME(subtract)(int64_t rows, int64_t n, const void *x, const void *shift, void *out) {
  for (int64_t r = 0; r < rows; r++) {
    const REAL *row = (const REAL *)x + r * n, s = ((const REAL *)shift)[r];
    REAL *to = (REAL *)out + r * n;
    for (int64_t i = 0; i < n; i++)
      to[i] = row[i] - s;
  }
}

static void NAME(sum)(int64_t rows, int64_t n, const void *x, void *sums) {
  int64_t r = 0;
  for (; n < LANES && r + TOGETHER <= rows; r += TOGETHER) {
    const REAL *row = (const REAL *)x + r * n;
    REAL sum[TOGETHER] = {0};
    for (int64_t i = 0; i < n; i++)
      for (int k = 0; k < TOGETHER; k++)
        sum[k] += row[k * n + i];
    memcpy((REAL *)sums + r, sum, sizeof sum);
  }
  for (; r < rows; r++) {
    const REAL *row = (const REAL *)x + r * n;
    NAME(vec) a = {0}, b = {0};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
      a += NAME(load)(row + i);
      b += NAME(load)(row + i + LANES);
    }
    REAL sum = i > 0 ? NAME(total)(a, b) : 0;
    for (; i < n; i++)
      sum += row[i];
    ((REAL *)sums)[r] = sum;
  }
}

static void NAME(dot)(int64_t rows, int64_t n, const void *x, const void *y, void *sums) {
  int64_t r = 0;
  for (; n < LANES && r + TOGETHER <= rows; r += TOGETHER) {
    const REAL *p = (const REAL *)x + r * n, *q = (const REAL *)y + r * n;
    REAL sum[TOGETHER] = {0};
    for (int64_t i = 0; i < n; i++)
      for (int k = 0; k < TOGETHER; k++)
        sum[k] += p[k * n + i] * q[k * n + i];
    memcpy((REAL *)sums + r, sum, sizeof sum);
  }
  for (; r < rows; r++) {
    const REAL *p = (const REAL *)x + r * n, *q = (const REAL *)y + r * n;
    NAME(vec) a = {0}, b = {0};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
      a += NAME(load)(p + i) * NAME(load)(q + i);
      b += NAME(load)(p + i + LANES) * NAME(load)(q + i + LANES);
    }
    REAL sum = i > 0 ? NAME(total)(a, b) : 0;
    for (; i < n; i++)
      sum += p[i] * q[i];
    ((REAL *)sums)[r] = sum;
  }
}

static void NAME(scale)(int64_t rows, int64_t n, const void *x, const void *scale, const void *y,
                        const void *other, void *out) {
  for (int64_t r = 0; r < rows; r++) {
    const REAL *p = (const REAL *)x + r * n, s = ((const REAL *)scale)[r];
    REAL *to = (REAL *)out + r * n;
    if (y) {
      const REAL *q = (const REAL *)y + r * n, o = ((const REAL *)other)[r];
      for (int64_t i = 0; i < n; i++)
        to[i] = p[i] * s + q[i] * o;
    } else {
      for (int64_t i = 0; i < n; i++)
        to[i] = p[i] * s;
    }
  }
}

static void NAME(centre)(int64_t rows, int64_t n, const void *y, const void *dy, const void *sums,
                         void *out) {
  for (int64_t r = 0; r < rows; r++) {
    const REAL *p = (const REAL *)y + r * n, *q = (const REAL *)dy + r * n,
               s = ((const REAL *)sums)[r];
    REAL *to = (REAL *)out + r * n;
    for (int64_t i = 0; i < n; i++)
      to[i] = p[i] * (q[i] - s);
  }
}

const cusp_row_loops CUSP_ISA(NAME(cusp_row_loops)) = {NAME(largest), NAME(subtract), NAME(sum),
                                                       NAME(dot),     NAME(scale),    NAME(centre)};

#undef TOGETHER
#undef REAL
#undef LANES
#undef NAME
