#ifndef CUSP_KERNELS_FOURIER_H
#define CUSP_KERNELS_FOURIER_H
/*
 * Discrete Fourier transforms of rows, any length, in n log n: passes of small radices (Stockham's
 * order, which needs no reversal of bits), and Bluestein's convolution for lengths with large prime
 * factors. Nothing is scaled by 1/n.
 *
 * Rows are transformed in blocks: element k of every row of a block lies side by side, so that the
 * passes work on whole vector registers whatever the length is.
 */

#include "../tensor/dtype.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum cusp_fourier_kind {
  CUSP_FOURIER_COMPLEX, /* [rows, n] real and imaginary to the same */
  CUSP_FOURIER_REAL,    /* [rows, n] to [rows, n / 2 + 1], real and imaginary */
  /* [rows, n / 2 + 1] real and imaginary to [rows, n]: the transpose of REAL */
  CUSP_FOURIER_FROM_HALF
} cusp_fourier_kind;

typedef struct cusp_fourier {
  cusp_fourier_kind kind;
  cusp_dtype dtype; /* float32 or float64 */
  int64_t n;        /* points, at least 1 */
  bool inverse;     /* COMPLEX: the angles' sign is plus */
  /* REAL, FROM_HALF: a frequency that stands for its conjugate too counts twice */
  bool doubled;
} cusp_fourier;

/** Tables for one kind and length; immutable, so that threads share them. */
typedef struct cusp_fourier_plan cusp_fourier_plan;
CUSP_NODISCARD cusp_status cusp_fourier_plan_new(cusp_fourier_plan **out, const cusp_fourier *what);
void cusp_fourier_plan_free(cusp_fourier_plan *plan); /* NULL is accepted */

/** How many rows are best transformed at once, where there are so many. */
int64_t cusp_fourier_lanes(const cusp_fourier_plan *plan);
/** Bytes of scratch memory that a block of `lanes` rows needs. */
CUSP_NODISCARD cusp_status cusp_fourier_scratch(size_t *bytes, const cusp_fourier_plan *plan,
                                                int64_t lanes);
/**
 * Transforms `lanes` consecutive rows. `in` and `out` are the real and the imaginary array (of
 * REAL's input and FROM_HALF's output the first alone), at the first row; `scratch` is aligned
 * to 64.
 */
void cusp_fourier_run(const cusp_fourier_plan *plan, int64_t lanes, const void *const in[2],
                      void *const out[2], void *scratch);

#endif
