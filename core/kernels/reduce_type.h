/*
 * Reductions of one type over contiguous rows. No include guard: the including file defines
 *   T (the type), I and U (the signed and unsigned integers of its size), TAG (a prefix for names),
 * FLOATING for floats. Long rows go through four vector registers, so that neither the latency of
 * one addition nor one running sum's rounding counts; short ones are taken several rows at a time
 * for the same reason.
 */

#define NAME(name) CUSP_JOIN(TAG, name)
#define WIDTH ((int64_t)(CUSP_ISA_BYTES / sizeof(T)))

typedef T NAME(vec) __attribute__((vector_size(CUSP_ISA_BYTES)));
typedef T NAME(vec_unaligned)
    __attribute__((vector_size(CUSP_ISA_BYTES), aligned(sizeof(T)), may_alias));
typedef I NAME(mask) __attribute__((vector_size(CUSP_ISA_BYTES)));
typedef U NAME(wrapping) __attribute__((vector_size(CUSP_ISA_BYTES)));

static inline NAME(vec) NAME(load)(const T *p) { return *(const NAME(vec_unaligned) *)p; }

/* a where the mask says so, else b */
#define CHOOSE(mask_expression, a, b)                              \
  ((NAME(vec))(((NAME(mask))(mask_expression) & (NAME(mask))(a)) | \
               (~(NAME(mask))(mask_expression) & (NAME(mask))(b))))

/** VECTOR combines registers a and b, SCALAR numbers a and b. */
#define REDUCTION(name, VECTOR, SCALAR)                                                     \
  static inline NAME(vec) NAME(name##_vector)(NAME(vec) a, NAME(vec) b) { return VECTOR; }  \
  static inline T NAME(name##_scalar)(T a, T b) { return (T)(SCALAR); }                     \
                                                                                            \
  static T NAME(name##_lanes)(NAME(vec) v) {                                                \
    for (int64_t half = WIDTH / 2; half > 0; half /= 2)                                     \
      for (int64_t lane = 0; lane < half; lane++)                                           \
        v[lane] = NAME(name##_scalar)(v[lane], v[lane + half]);                             \
    return v[0];                                                                            \
  }                                                                                         \
                                                                                            \
  static T NAME(name##_row)(int64_t n, const T *x, T accumulator) {                         \
    int64_t i = 0;                                                                          \
    if (n >= WIDTH) {                                                                       \
      NAME(vec) v0 = NAME(load)(x);                                                         \
      i = WIDTH;                                                                            \
      if (n >= 4 * WIDTH) {                                                                 \
        NAME(vec)                                                                           \
        v1 = NAME(load)(x + WIDTH), v2 = NAME(load)(x + 2 * WIDTH),                         \
        v3 = NAME(load)(x + 3 * WIDTH);                                                     \
        for (i = 4 * WIDTH; i + 4 * WIDTH <= n; i += 4 * WIDTH) {                           \
          v0 = NAME(name##_vector)(v0, NAME(load)(x + i));                                  \
          v1 = NAME(name##_vector)(v1, NAME(load)(x + i + WIDTH));                          \
          v2 = NAME(name##_vector)(v2, NAME(load)(x + i + 2 * WIDTH));                      \
          v3 = NAME(name##_vector)(v3, NAME(load)(x + i + 3 * WIDTH));                      \
        }                                                                                   \
        v0 = NAME(name##_vector)(NAME(name##_vector)(v0, v1), NAME(name##_vector)(v2, v3)); \
      }                                                                                     \
      for (; i + WIDTH <= n; i += WIDTH)                                                    \
        v0 = NAME(name##_vector)(v0, NAME(load)(x + i));                                    \
      accumulator = NAME(name##_scalar)(accumulator, NAME(name##_lanes)(v0));               \
    }                                                                                       \
    for (; i < n; i++)                                                                      \
      accumulator = NAME(name##_scalar)(accumulator, x[i]);                                 \
    return accumulator;                                                                     \
  }                                                                                         \
                                                                                            \
  static void NAME(name)(int64_t rows, int64_t n, const void *values, void *accumulators) { \
    const T *x = values;                                                                    \
    T *a = accumulators;                                                                    \
    int64_t row = 0;                                                                        \
    if (n <= 2 * WIDTH) {                                                                   \
      for (; row + 8 <= rows; row += 8, x += 8 * n) {                                       \
        T t0 = a[row], t1 = a[row + 1], t2 = a[row + 2], t3 = a[row + 3];                   \
        T t4 = a[row + 4], t5 = a[row + 5], t6 = a[row + 6], t7 = a[row + 7];               \
        for (int64_t i = 0; i < n; i++) {                                                   \
          t0 = NAME(name##_scalar)(t0, x[i]);                                               \
          t1 = NAME(name##_scalar)(t1, x[i + n]);                                           \
          t2 = NAME(name##_scalar)(t2, x[i + 2 * n]);                                       \
          t3 = NAME(name##_scalar)(t3, x[i + 3 * n]);                                       \
          t4 = NAME(name##_scalar)(t4, x[i + 4 * n]);                                       \
          t5 = NAME(name##_scalar)(t5, x[i + 5 * n]);                                       \
          t6 = NAME(name##_scalar)(t6, x[i + 6 * n]);                                       \
          t7 = NAME(name##_scalar)(t7, x[i + 7 * n]);                                       \
        }                                                                                   \
        a[row] = t0, a[row + 1] = t1, a[row + 2] = t2, a[row + 3] = t3;                     \
        a[row + 4] = t4, a[row + 5] = t5, a[row + 6] = t6, a[row + 7] = t7;                 \
      }                                                                                     \
      for (; row < rows;                                                                    \
           row++, x += n) /* in the same order: a row's sum depends on no other row */      \
        for (int64_t i = 0; i < n; i++)                                                     \
          a[row] = NAME(name##_scalar)(a[row], x[i]);                                       \
    }                                                                                       \
    for (; row < rows; row++, x += n)                                                       \
      a[row] = NAME(name##_row)(n, x, a[row]);                                              \
  }

#if defined(FLOATING)
REDUCTION(sum, a + b, a + b)
REDUCTION(prod, a *b, a *b)
REDUCTION(max, CHOOSE((a > b) | (a != a), a, b), (a > b) | (a != a) ? a : b)
REDUCTION(min, CHOOSE((a < b) | (a != a), a, b), (a < b) | (a != a) ? a : b)
#else
/* Sums and products wrap around. */
REDUCTION(sum, (NAME(vec))((NAME(wrapping))a + (NAME(wrapping))b), (uint64_t)a + (uint64_t)b)
REDUCTION(prod, (NAME(vec))((NAME(wrapping))a *(NAME(wrapping))b), (uint64_t)a *(uint64_t)b)
REDUCTION(max, CHOOSE(a > b, a, b), a > b ? a : b)
REDUCTION(min, CHOOSE(a < b, a, b), a < b ? a : b)
#endif

#undef REDUCTION
#undef CHOOSE
#undef WIDTH
#undef NAME
#undef T
#undef I
#undef U
#undef FLOATING
#undef TAG
