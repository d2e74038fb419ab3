#ifndef CUSP_KERNELS_FOURIER_PLAN_H
#define CUSP_KERNELS_FOURIER_PLAN_H
/* What fourier.c lays out and the loops of fourier.isa.c follow. Tables hold complex numbers as
 * pairs of the plan's dtype. */

#include "fourier.h"

#define CUSP_FOURIER_MAX_PASSES 64
#define CUSP_FOURIER_MAX_RADIX 64

/** A pass takes `radix` points `m` apart; `twiddles` is [m, radix - 1], `roots` [radix] for radices
 * without code of their own. */
typedef struct cusp_fourier_pass {
  int radix;
  int64_t m;
  void *twiddles, *roots;
} cusp_fourier_pass;

/** A forward transform of complex numbers. */
typedef struct cusp_fourier_passes {
  int64_t n;
  int count; /* 0 with Bluestein */
  cusp_fourier_pass pass[CUSP_FOURIER_MAX_PASSES];
  struct cusp_fourier_passes *convolution; /* Bluestein: at least 2n - 1 points, */
  void *chirp;                             /* [n] exp(-i pi k^2 / n), */
  /* [convolution->n] transform of the conjugate chirp, divided by that length */
  void *spectrum;
} cusp_fourier_passes;

struct cusp_fourier_plan {
  cusp_fourier what;
  bool halved;                 /* n real numbers go as n / 2 complex ones */
  cusp_fourier_passes *passes; /* of n or n / 2 points */
  void *twist;                 /* halved: [n / 2 + 1] exp(-2 pi i k / n) */
};

/** Real and imaginary parts [n, lanes]; passes go from the first pair to the second and exchange
 * them. */
typedef struct cusp_fourier_buffers {
  void *re, *im, *other_re, *other_im;
} cusp_fourier_buffers;

typedef struct cusp_fourier_loops {
  void (*transform)(const cusp_fourier_passes *, int64_t lanes, cusp_fourier_buffers *);
  void (*load)(const cusp_fourier_plan *, int64_t lanes, const void *const in[2],
               const cusp_fourier_buffers *);
  void (*store)(const cusp_fourier_plan *, int64_t lanes, const cusp_fourier_buffers *,
                void *const out[2]);
} cusp_fourier_loops;

/** Points that buffers need: the convolution's, or n. */
static inline int64_t cusp_fourier_width(const cusp_fourier_passes *passes) {
  return passes->convolution ? passes->convolution->n : passes->n;
}

#endif
