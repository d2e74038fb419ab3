#ifndef CUSP_KERNELS_VECTOR_LOOPS_H
#define CUSP_KERNELS_VECTOR_LOOPS_H
/*
 * Loops of vector functions: each macro defines a static cusp_vector_fn from a scalar expression of
 * x, or a and b, or a, b and c, which the compiler vectorises. Steps are loop-invariant, so each
 * combination that occurs has its own loop. `out` may be exactly an operand: no iteration reads
 * what another wrote, which is what `ivdep` says.
 */

#include <stdint.h>

#define CUSP_LOOP _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++)

#define CUSP_MAP1(NAME, T, R, EXPRESSION)                                             \
  static void NAME(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    R *o = out;                                                                       \
    const T *p = in[0];                                                               \
    if (step[0]) {                                                                    \
      CUSP_LOOP {                                                                     \
        const T x = p[i];                                                             \
        o[i] = (R)(EXPRESSION);                                                       \
      }                                                                               \
    } else {                                                                          \
      const T x = p[0];                                                               \
      const R y = (R)(EXPRESSION);                                                    \
      CUSP_LOOP o[i] = y;                                                             \
    }                                                                                 \
  }

#define CUSP_MAP2(NAME, T, R, EXPRESSION)                                             \
  static void NAME(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    R *o = out;                                                                       \
    const T *p = in[0], *q = in[1];                                                   \
    if (step[0] && step[1]) {                                                         \
      CUSP_LOOP {                                                                     \
        const T a = p[i], b = q[i];                                                   \
        o[i] = (R)(EXPRESSION);                                                       \
      }                                                                               \
    } else if (step[0]) {                                                             \
      const T b = q[0];                                                               \
      CUSP_LOOP {                                                                     \
        const T a = p[i];                                                             \
        o[i] = (R)(EXPRESSION);                                                       \
      }                                                                               \
    } else if (step[1]) {                                                             \
      const T a = p[0];                                                               \
      CUSP_LOOP {                                                                     \
        const T b = q[i];                                                             \
        o[i] = (R)(EXPRESSION);                                                       \
      }                                                                               \
    } else {                                                                          \
      const T a = p[0], b = q[0];                                                     \
      const R y = (R)(EXPRESSION);                                                    \
      CUSP_LOOP o[i] = y;                                                             \
    }                                                                                 \
  }

/* The first operand may have a type of its own (select's condition). */
#define CUSP_MAP3_LOOP(T1, T, R, A, B, C, EXPRESSION) \
  {                                                   \
    CUSP_LOOP {                                       \
      const T1 a = p[A];                              \
      const T b = q[B], c = r[C];                     \
      o[i] = (R)(EXPRESSION);                         \
    }                                                 \
    break;                                            \
  }
#define CUSP_MAP3(NAME, T1, T, R, EXPRESSION)                                         \
  static void NAME(int64_t n, void *out, const void *const *in, const int8_t *step) { \
    R *o = out;                                                                       \
    const T1 *p = in[0];                                                              \
    const T *q = in[1], *r = in[2];                                                   \
    switch ((step[0] != 0) << 2 | (step[1] != 0) << 1 | (step[2] != 0)) {             \
    case 7: CUSP_MAP3_LOOP(T1, T, R, i, i, i, EXPRESSION)                             \
    case 6: CUSP_MAP3_LOOP(T1, T, R, i, i, 0, EXPRESSION)                             \
    case 5: CUSP_MAP3_LOOP(T1, T, R, i, 0, i, EXPRESSION)                             \
    case 4: CUSP_MAP3_LOOP(T1, T, R, i, 0, 0, EXPRESSION)                             \
    case 3: CUSP_MAP3_LOOP(T1, T, R, 0, i, i, EXPRESSION)                             \
    case 2: CUSP_MAP3_LOOP(T1, T, R, 0, i, 0, EXPRESSION)                             \
    case 1: CUSP_MAP3_LOOP(T1, T, R, 0, 0, i, EXPRESSION)                             \
    default: CUSP_MAP3_LOOP(T1, T, R, 0, 0, 0, EXPRESSION)                            \
    }                                                                                 \
  }

#endif
