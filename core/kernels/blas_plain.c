#include "blas_plain.h"

/* columns whose sums are kept at once: they stay in L1 while b's rows stream by */
#define TILE 256

/*
 * A row of c is made tile by tile: sums[j] += a[i, k] * b[k, j]. `sum_t` is wide enough, and
 * unsigned for integers, where wrapping around is defined; FINISH turns a sum into c's
 * element. */
#define DEFINE_PLAIN(name, in_t, sum_t, out_t, FINISH)                               \
  static void name(const cusp_plain_product *p) {                                    \
    for (int64_t first = 0; first < p->n; first += TILE) {                           \
      int64_t width = p->n - first < TILE ? p->n - first : TILE;                     \
      for (int64_t i = 0; i < p->m; i++) {                                           \
        sum_t sums[TILE] = {0};                                                      \
        for (int64_t k = 0; k < p->k; k++) {                                         \
          sum_t scale = (sum_t)((const in_t *)p->a)[i * p->a_row + k * p->a_column]; \
          const in_t *b = (const in_t *)p->b + k * p->b_row + first * p->b_column;   \
          if (p->b_column == 1)                                                      \
            for (int64_t j = 0; j < width; j++) {                                    \
              sum_t other = (sum_t)b[j];                                             \
              sums[j] += scale * other;                                              \
            }                                                                        \
          else                                                                       \
            for (int64_t j = 0; j < width; j++) {                                    \
              sum_t other = (sum_t)b[j * p->b_column];                               \
              sums[j] += scale * other;                                              \
            }                                                                        \
        }                                                                            \
        out_t *c = (out_t *)p->c + i * p->c_row + first;                             \
        for (int64_t j = 0; j < width; j++)                                          \
          c[j] = (out_t)FINISH(sums[j], c[j]);                                       \
      }                                                                              \
    }                                                                                \
  }

#define KEEP(sum, old) (sum)
#define TRUTH(sum, old) ((sum) != 0)
#define SCALED_FLOAT(sum, old) \
  ((float)p->alpha * (sum) + (p->beta != 0 ? (float)p->beta * (old) : 0.0f))
#define SCALED_DOUBLE(sum, old) (p->alpha * (sum) + (p->beta != 0 ? p->beta * (old) : 0.0))

#define INTEGER(NAME, name, type, ...) \
  DEFINE_PLAIN(product_##name, type, CUSP_WRAPPING(type), type, KEEP)

DEFINE_PLAIN(product_bool, uint8_t, uint64_t, uint8_t, TRUTH)
CUSP_INT_DTYPES(INTEGER)
DEFINE_PLAIN(product_int8_int32, int8_t, uint32_t, int32_t, KEEP)
DEFINE_PLAIN(product_float32, float, float, float, SCALED_FLOAT)
DEFINE_PLAIN(product_float64, double, double, double, SCALED_DOUBLE)

#define ENTRY(NAME, name, ...) [CUSP_##NAME] = product_##name,

cusp_plain_fn cusp_plain_find(cusp_dtype in, cusp_dtype out) {
  static const cusp_plain_fn same[CUSP_DTYPE_COUNT] = {
      CUSP_BOOL_DTYPES(ENTRY) CUSP_INT_DTYPES(ENTRY) CUSP_REAL_DTYPES(ENTRY)};
  if (in == out)
    return same[in];
  return in == CUSP_INT8 && out == CUSP_INT32 ? product_int8_int32 : NULL;
}
