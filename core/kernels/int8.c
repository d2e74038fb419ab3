#include "int8.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "blas.h"
#include "int8_vectors.h"

#include <math.h>
#include <string.h>

const char *cusp_int8_name(void) {
  static const char *const names[] = {"float32", "VNNI", "AMX"};
  return names[cusp_int8_vectors_way()];
}

/* ------------------------------------------------------------------ by float32 */

/* Sums of so many products of two int8 stay below 2^24: float32 holds each of them exactly. */
#define DEPTH 1024

/** The memory of a product, in the order of its parts. */
typedef struct parts {
  float *a, *b, *product; /* [m, k], [k, n], [m, n]: of integers; the last may be c */
  int32_t *sums;          /* [m, n]; c where that is int32 */
  float *scales;          /* [m] */
} parts;

static size_t rounded(int64_t count) { return cusp_aligned_size((size_t)count * sizeof(float)); }

static size_t plain_workspace(const cusp_int8_task *t) {
  return rounded(t->m * t->k) + rounded(t->k * t->n) + 2 * rounded(t->m * t->n) + rounded(t->m);
}

static parts lay_out(const cusp_int8_task *t, char *memory) {
  parts p = {.a = (float *)memory};
  p.b = (float *)(memory += rounded(t->m * t->k));
  p.product = (float *)(memory += rounded(t->k * t->n));
  p.sums = (int32_t *)(memory += rounded(t->m * t->n));
  p.scales = (float *)(memory + rounded(t->m * t->n));
  if (t->a)
    p.sums = t->c;
  else if (t->k <= DEPTH)
    p.product = t->c;
  return p;
}

typedef struct plain_run {
  const cusp_int8_task *task;
  parts parts;
  bool first; /* of the products along k */
} plain_run;

/** The greatest absolute value of a row; NaN, whose bits are the greatest, if there is one. */
static float top_of(const float *x, int64_t count) {
  int32_t top = 0;
  for (int64_t k = 0; k < count; k++) {
    int32_t bits;
    memcpy(&bits, &x[k], sizeof bits);
    bits &= 0x7fffffff;
    top = bits > top ? bits : top;
  }
  float value;
  memcpy(&value, &top, sizeof value);
  return value;
}

/** Row i of x as integers. A row with NaN or infinities has none: its results are NaN. */
static void quantize_row(const cusp_int8_task *t, const parts *p, int64_t i) {
  const float *x = t->x + i * t->k;
  float *out = p->a + i * t->k;
  const float top = top_of(x, t->k), scale = t->range.high / (top + t->range.epsilon);
  p->scales[i] = scale;
  const float low = t->range.low, high = t->range.high;
  for (int64_t k = 0; k < t->k; k++) {
    const float value = (x[k] * scale + CUSP_INT8_ROUNDER) - CUSP_INT8_ROUNDER;
    out[k] = value < low ? low : value > high ? high : value;
  }
  if (!isfinite(top))
    memset(out, 0, (size_t)t->k * sizeof *out);
}

static void widen_row(const int8_t *from, int64_t step, float *to, int64_t count) {
  if (step == 1)
    for (int64_t i = 0; i < count; i++)
      to[i] = from[i];
  else
    for (int64_t i = 0; i < count; i++)
      to[i] = from[i * step];
}

static void prepare_left(void *context, int64_t begin, int64_t end) {
  const plain_run *run = context;
  const cusp_int8_task *t = run->task;
  for (int64_t i = begin; i < end; i++)
    if (t->a)
      widen_row(t->a + i * t->a_row, t->a_column, run->parts.a + i * t->k, t->k);
    else
      quantize_row(t, &run->parts, i);
}

static void prepare_right(void *context, int64_t begin, int64_t end) {
  const plain_run *run = context;
  const cusp_int8_task *t = run->task;
  for (int64_t k = begin; k < end; k++)
    widen_row(t->b + k * t->b_row, t->b_column, run->parts.b + k * t->n, t->n);
}

static void add_product(void *context, int64_t begin, int64_t end) {
  const plain_run *run = context;
  const int64_t n = run->task->n;
  const float *product = run->parts.product;
  uint32_t *sums = (uint32_t *)run->parts.sums;
  for (int64_t i = begin * n; i < end * n; i++)
    sums[i] = (run->first ? 0 : sums[i]) + (uint32_t)(int32_t)product[i];
}

static void finish_rows(void *context, int64_t begin, int64_t end) {
  const plain_run *run = context;
  const cusp_int8_task *t = run->task;
  for (int64_t i = begin; i < end; i++) {
    const int32_t *sums = run->parts.sums + i * t->n;
    float *c = (float *)t->c + i * t->n;
    for (int64_t j = 0; j < t->n && t->k > DEPTH; j++)
      c[j] = (float)sums[j];
    for (int64_t j = 0; j < t->n; j++)
      c[j] /= t->scale[j] * run->parts.scales[i];
  }
}

static int64_t grain(int64_t width) { return 16384 / (width + 1) + 1; }

static void plain_multiply(const cusp_int8_task *t, void *workspace) {
  plain_run run = {t, lay_out(t, workspace), true};
  cusp_parallel_for(t->m, grain(t->k), prepare_left, &run);
  cusp_parallel_for(t->k, grain(t->n), prepare_right, &run);
  for (int64_t first = 0; first < t->k; first += DEPTH) {
    run.first = first == 0;
    cusp_gemm_task task = {.dtype = CUSP_FLOAT32, .m = t->m, .n = t->n, .alpha = 1};
    task.k = t->k - first < DEPTH ? t->k - first : DEPTH;
    task.a = run.parts.a + first;
    task.b = run.parts.b + first * t->n;
    task.c = run.parts.product;
    task.lda = t->k;
    task.ldb = task.ldc = t->n;
    cusp_gemm(&task);
    if (t->a || t->k > DEPTH)
      cusp_parallel_for(t->m, grain(t->n), add_product, &run);
  }
  if (t->x)
    cusp_parallel_for(t->m, grain(t->n), finish_rows, &run);
}

/* ------------------------------------------------------------------ either way */

size_t cusp_int8_workspace(const cusp_int8_task *task) {
  return cusp_int8_vectors_way() == CUSP_INT8_FLOAT32 ? plain_workspace(task)
                                                      : cusp_int8_vectors_workspace(task);
}

void cusp_int8_multiply(const cusp_int8_task *task, void *workspace) {
  if (task->m <= 0 || task->n <= 0)
    return;
  if (cusp_int8_vectors_way() == CUSP_INT8_FLOAT32)
    plain_multiply(task, workspace);
  else
    cusp_int8_vectors_multiply(task, workspace);
}
