#include "small.h"

#include "isa.h"

CUSP_ISA_DECLARE(const cusp_small_loops, cusp_small_loops);

#define LANES (CUSP_ISA_BYTES / 4)
typedef float vec __attribute__((vector_size(CUSP_ISA_BYTES), aligned(4), may_alias));
typedef float vec4 __attribute__((vector_size(16), aligned(4), may_alias));

/* `count` vectors of columns, a constant: the sums live in registers. */
static inline __attribute__((always_inline)) void block(const cusp_row_product *p, int count,
                                                        int64_t j) {
  const float *a = p->a, *b = p->b + j;
  vec sum[4];
  for (int v = 0; v < count; v++)
    sum[v] = p->beta ? *(const vec *)(p->c + j + v * LANES) : (vec){0};
  for (int64_t l = 0; l < p->k; l++, a += p->step, b += p->ldb)
    for (int v = 0; v < count; v++)
      sum[v] += *(const vec *)(b + v * LANES) * *a;
  for (int v = 0; v < count; v++)
    *(vec *)(p->c + j + v * LANES) = sum[v];
}

static void four_columns(const cusp_row_product *p, int64_t j) {
  const float *a = p->a, *b = p->b + j;
  vec4 sum = p->beta ? *(const vec4 *)(p->c + j) : (vec4){0};
  for (int64_t l = 0; l < p->k; l++, a += p->step, b += p->ldb)
    sum += *(const vec4 *)b * *a;
  *(vec4 *)(p->c + j) = sum;
}

static float column(const cusp_row_product *p, int64_t j) {
  const float *a = p->a, *b = p->b + j;
  float sum = p->beta ? p->c[j] : 0;
  for (int64_t l = 0; l < p->k; l++, a += p->step, b += p->ldb)
    sum += *a * *b;
  return sum;
}

/* Both lie in a row: a layer of one unit. */
static float dot(const cusp_row_product *p) {
  float sum = p->beta ? *p->c : 0;
  int64_t l = 0;
  if (p->k >= LANES) {
    vec lanes = {0};
    for (; l + LANES <= p->k; l += LANES)
      lanes += *(const vec *)(p->a + l) * *(const vec *)(p->b + l);
    for (int v = 0; v < LANES; v++)
      sum += lanes[v];
  }
  for (; l < p->k; l++)
    sum += p->a[l] * p->b[l];
  return sum;
}

static void multiply(const cusp_row_product *p) {
  int64_t j = 0;
  if (p->n == 1 && p->ldb == 1 && p->step == 1) {
    *p->c = dot(p);
    return;
  }
  for (; j + 4 * LANES <= p->n; j += 4 * LANES)
    block(p, 4, j);
  for (; j + LANES <= p->n; j += LANES)
    block(p, 1, j);
  for (; j + 4 <= p->n; j += 4)
    four_columns(p, j);
  for (; j < p->n; j++)
    p->c[j] = column(p, j);
}

const cusp_small_loops CUSP_ISA(cusp_small_loops) = {multiply};
