/*
 * The loops of cusp_fourier_loops for one float type. A template, no include guard: included with
 * REAL (the type) and NAME(x) (x made unique) defined.
 *
 * A pass of radix r reads x[q + s (p + m k)], k < r, and writes y[q + s (r p + j)], j < r, for p <
 * m and q < s; s is the product of the radices before it and the lanes. Inputs and outputs never
 * overlap, which the compiler has to be told.
 */

typedef struct NAME(span) {
  int64_t m, s;
  const REAL *restrict xr, *restrict xi;
  REAL *restrict yr, *restrict yi;
} NAME(span);

/** y[at] = (re + i im) * w, w being a pair. */
#define PUT(at, re, im, w)                \
  do {                                    \
    REAL re_ = (re), im_ = (im);          \
    yr[at] = re_ * (w)[0] - im_ * (w)[1]; \
    yi[at] = re_ * (w)[1] + im_ * (w)[0]; \
  } while (0)

#define OPEN_PASS(radix)                                                                       \
  int64_t s = span->s, step = span->m * s;                                                     \
  for (int64_t p = 0; p < span->m; p++) {                                                      \
    const REAL *restrict xr = span->xr + p * s, *restrict xi = span->xi + p * s;               \
    REAL *restrict yr = span->yr + p * s * (radix), *restrict yi = span->yi + p * s * (radix); \
    const REAL *w = twiddles + p * 2 * ((radix)-1);

static void NAME(pass2)(const NAME(span) * span, const REAL *twiddles) {
  OPEN_PASS(2)
  const REAL w1[2] = {w[0], w[1]};
#pragma GCC ivdep
  for (int64_t q = 0; q < s; q++) {
    REAL ar = xr[q], ai = xi[q], br = xr[q + step], bi = xi[q + step];
    yr[q] = ar + br;
    yi[q] = ai + bi;
    PUT(q + s, ar - br, ai - bi, w1);
  }
}
}

static void NAME(pass3)(const NAME(span) * span, const REAL *twiddles) {
  const REAL half = (REAL)0.5, sine = (REAL)0.86602540378443864676;
  OPEN_PASS(3)
  const REAL w1[2] = {w[0], w[1]}, w2[2] = {w[2], w[3]};
#pragma GCC ivdep
  for (int64_t q = 0; q < s; q++) {
    REAL sum_r = xr[q + step] + xr[q + 2 * step], sum_i = xi[q + step] + xi[q + 2 * step];
    REAL turn_r = sine * (xi[q + step] - xi[q + 2 * step]),
         turn_i = sine * (xr[q + 2 * step] - xr[q + step]);
    REAL mid_r = xr[q] - half * sum_r, mid_i = xi[q] - half * sum_i;
    yr[q] = xr[q] + sum_r;
    yi[q] = xi[q] + sum_i;
    PUT(q + s, mid_r + turn_r, mid_i + turn_i, w1);
    PUT(q + 2 * s, mid_r - turn_r, mid_i - turn_i, w2);
  }
}
}

static void NAME(pass4)(const NAME(span) * span, const REAL *twiddles) {
  OPEN_PASS(4)
  const REAL w1[2] = {w[0], w[1]}, w2[2] = {w[2], w[3]}, w3[2] = {w[4], w[5]};
#pragma GCC ivdep
  for (int64_t q = 0; q < s; q++) {
    REAL even_r = xr[q] + xr[q + 2 * step], even_i = xi[q] + xi[q + 2 * step];
    REAL away_r = xr[q] - xr[q + 2 * step], away_i = xi[q] - xi[q + 2 * step];
    REAL odd_r = xr[q + step] + xr[q + 3 * step], odd_i = xi[q + step] + xi[q + 3 * step];
    /* times -i */
    REAL turn_r = xi[q + step] - xi[q + 3 * step], turn_i = xr[q + 3 * step] - xr[q + step];
    yr[q] = even_r + odd_r;
    yi[q] = even_i + odd_i;
    PUT(q + s, away_r + turn_r, away_i + turn_i, w1);
    PUT(q + 2 * s, even_r - odd_r, even_i - odd_i, w2);
    PUT(q + 3 * s, away_r - turn_r, away_i - turn_i, w3);
  }
}
}

static void NAME(pass5)(const NAME(span) * span, const REAL *twiddles) {
  const REAL c1 = (REAL)0.30901699437494742410, c2 = (REAL)-0.80901699437494742410;
  const REAL s1 = (REAL)0.95105651629515357212, s2 = (REAL)0.58778525229247312917;
  OPEN_PASS(5)
  const REAL w1[2] = {w[0], w[1]}, w2[2] = {w[2], w[3]}, w3[2] = {w[4], w[5]}, w4[2] = {w[6], w[7]};
#pragma GCC ivdep
  for (int64_t q = 0; q < s; q++) {
    REAL p1r = xr[q + step] + xr[q + 4 * step], p1i = xi[q + step] + xi[q + 4 * step];
    REAL d1r = xr[q + step] - xr[q + 4 * step], d1i = xi[q + step] - xi[q + 4 * step];
    REAL p2r = xr[q + 2 * step] + xr[q + 3 * step], p2i = xi[q + 2 * step] + xi[q + 3 * step];
    REAL d2r = xr[q + 2 * step] - xr[q + 3 * step], d2i = xi[q + 2 * step] - xi[q + 3 * step];
    REAL e1r = xr[q] + c1 * p1r + c2 * p2r, e1i = xi[q] + c1 * p1i + c2 * p2i;
    REAL e2r = xr[q] + c2 * p1r + c1 * p2r, e2i = xi[q] + c2 * p1i + c1 * p2i;
    REAL o1r = s1 * d1i + s2 * d2i, o1i = -(s1 * d1r + s2 * d2r);
    REAL o2r = s2 * d1i - s1 * d2i, o2i = s1 * d2r - s2 * d1r;
    yr[q] = xr[q] + p1r + p2r;
    yi[q] = xi[q] + p1i + p2i;
    PUT(q + s, e1r + o1r, e1i + o1i, w1);
    PUT(q + 2 * s, e2r + o2r, e2i + o2i, w2);
    PUT(q + 3 * s, e2r - o2r, e2i - o2i, w3);
    PUT(q + 4 * s, e1r - o1r, e1i - o1i, w4);
  }
}
}

#define CHUNK 16

/** Sums and differences of the points k and radix - k, for CHUNK neighbours at once. */
typedef struct NAME(folded) {
  REAL first_r[CHUNK], first_i[CHUNK];
  REAL sum_r[CUSP_FOURIER_MAX_RADIX / 2][CHUNK], sum_i[CUSP_FOURIER_MAX_RADIX / 2][CHUNK];
  REAL less_r[CUSP_FOURIER_MAX_RADIX / 2][CHUNK], less_i[CUSP_FOURIER_MAX_RADIX / 2][CHUNK];
} NAME(folded);

static void NAME(fold)(NAME(folded) * f, int radix, int64_t step, int64_t width, const REAL *xr,
                       const REAL *xi) {
  for (int64_t q = 0; q < width; q++) {
    f->first_r[q] = xr[q];
    f->first_i[q] = xi[q];
  }
  for (int k = 1; k <= radix / 2; k++)
    for (int64_t q = 0; q < width; q++) {
      int64_t a = q + k * step, b = q + (radix - k) * step;
      f->sum_r[k - 1][q] = xr[a] + xr[b];
      f->sum_i[k - 1][q] = xi[a] + xi[b];
      f->less_r[k - 1][q] = xr[a] - xr[b];
      f->less_i[k - 1][q] = xi[a] - xi[b];
    }
}

/** Outputs j and radix - j of an odd radix. */
static void NAME(put_pair)(const NAME(folded) * f, const NAME(span) * span, int radix, int j,
                           int64_t width, const REAL *roots, const REAL *w, REAL *yr, REAL *yi) {
  REAL even_r[CHUNK], even_i[CHUNK], odd_r[CHUNK] = {0}, odd_i[CHUNK] = {0};
  memcpy(even_r, f->first_r, sizeof even_r);
  memcpy(even_i, f->first_i, sizeof even_i);
  for (int k = 1; k <= radix / 2; k++) {
    REAL cosine = roots[2 * (j * k % radix)], sine = roots[2 * (j * k % radix) + 1];
    for (int64_t q = 0; q < CHUNK; q++) {
      even_r[q] += f->sum_r[k - 1][q] * cosine;
      even_i[q] += f->sum_i[k - 1][q] * cosine;
      odd_r[q] -= f->less_i[k - 1][q] * sine;
      odd_i[q] += f->less_r[k - 1][q] * sine;
    }
  }
  const REAL *wj = w + 2 * (j - 1), *wk = w + 2 * (radix - j - 1);
  for (int64_t q = 0; q < width; q++) {
    PUT(q + j * span->s, even_r[q] + odd_r[q], even_i[q] + odd_i[q], wj);
    PUT(q + (radix - j) * span->s, even_r[q] - odd_r[q], even_i[q] - odd_i[q], wk);
  }
}

/** Any odd radix. */
static void NAME(pass_odd)(const NAME(span) * span, int radix, const REAL *twiddles,
                           const REAL *roots) {
  NAME(folded) f = {0};
  OPEN_PASS(radix)
  for (int64_t q = 0; q < s; q += CHUNK) {
    int64_t width = s - q < CHUNK ? s - q : CHUNK;
    NAME(fold)(&f, radix, step, width, xr + q, xi + q);
    for (int64_t c = 0; c < width; c++) {
      yr[q + c] = f.first_r[c];
      yi[q + c] = f.first_i[c];
    }
    for (int k = 0; k < radix / 2; k++)
      for (int64_t c = 0; c < width; c++) {
        yr[q + c] += f.sum_r[k][c];
        yi[q + c] += f.sum_i[k][c];
      }
    for (int j = 1; j <= radix / 2; j++)
      NAME(put_pair)(&f, span, radix, j, width, roots, w, yr + q, yi + q);
  }
}
}

static void NAME(exchange)(cusp_fourier_buffers *b) {
  *b = (cusp_fourier_buffers){b->other_re, b->other_im, b->re, b->im};
}

static void NAME(run_passes)(const cusp_fourier_passes *passes, int64_t lanes,
                             cusp_fourier_buffers *b) {
  int64_t s = lanes;
  for (int i = 0; i < passes->count; i++) {
    const cusp_fourier_pass *pass = &passes->pass[i];
    NAME(span) span = {pass->m, s, b->re, b->im, b->other_re, b->other_im};
    if (pass->radix == 2)
      NAME(pass2)(&span, pass->twiddles);
    else if (pass->radix == 3)
      NAME(pass3)(&span, pass->twiddles);
    else if (pass->radix == 4)
      NAME(pass4)(&span, pass->twiddles);
    else if (pass->radix == 5)
      NAME(pass5)(&span, pass->twiddles);
    else
      NAME(pass_odd)(&span, pass->radix, pass->twiddles, pass->roots);
    s *= pass->radix;
    NAME(exchange)(b);
  }
}

/** Element k of every lane times factors[k], in place. */
static void NAME(scale)(int64_t n, int64_t lanes, const REAL *factors, REAL *restrict re,
                        REAL *restrict im) {
  for (int64_t k = 0; k < n; k++)
    for (int64_t l = 0; l < lanes; l++) {
      REAL a = re[k * lanes + l], b = im[k * lanes + l];
      re[k * lanes + l] = a * factors[2 * k] - b * factors[2 * k + 1];
      im[k * lanes + l] = a * factors[2 * k + 1] + b * factors[2 * k];
    }
}

static void NAME(flip)(cusp_fourier_buffers *b) {
  *b = (cusp_fourier_buffers){b->im, b->re, b->other_im,
                              b->other_re}; /* turns a forward transform into an inverse one */
}

/** Bluestein: 2jk = j^2 + k^2 - (k - j)^2 makes the transform a convolution with a chirp. */
static void NAME(transform)(const cusp_fourier_passes *passes, int64_t lanes,
                            cusp_fourier_buffers *b) {
  const cusp_fourier_passes *longer = passes->convolution;
  if (!longer) {
    NAME(run_passes)(passes, lanes, b);
    return;
  }
  size_t padding = (size_t)((longer->n - passes->n) * lanes) * sizeof(REAL);
  NAME(scale)(passes->n, lanes, passes->chirp, b->re, b->im);
  memset((REAL *)b->re + passes->n * lanes, 0, padding);
  memset((REAL *)b->im + passes->n * lanes, 0, padding);
  NAME(run_passes)(longer, lanes, b);
  NAME(scale)(longer->n, lanes, passes->spectrum, b->re, b->im);
  NAME(flip)(b);
  NAME(run_passes)(longer, lanes, b);
  NAME(flip)(b);
  NAME(scale)(passes->n, lanes, passes->chirp, b->re, b->im);
}

/* ------------------------------------------------------------------ rows into blocks, and back */

/** [lanes, count] with `gap` numbers from one to the next, to [count, lanes]. */
static void NAME(gather)(int64_t lanes, int64_t count, int64_t row, int64_t gap, const REAL *from,
                         REAL *to) {
  for (int64_t l = 0; l < lanes; l++)
    for (int64_t k = 0; k < count; k++)
      to[k * lanes + l] = from[l * row + k * gap];
}

static void NAME(spread)(int64_t lanes, int64_t count, int64_t row, int64_t gap, const REAL *from,
                         REAL *to) {
  for (int64_t l = 0; l < lanes; l++)
    for (int64_t k = 0; k < count; k++)
      to[l * row + k * gap] = from[k * lanes + l];
}

/** Half of a spectrum to all of it: the second half is the conjugate of the first, backwards. */
static void NAME(load_half)(const cusp_fourier_plan *plan, int64_t lanes, const REAL *xr,
                            const REAL *xi, REAL *re, REAL *im) {
  int64_t n = plan->what.n, count = n / 2 + 1;
  REAL factor = plan->what.doubled ? 1 : (REAL)0.5;
  for (int64_t l = 0; l < lanes; l++, xr += count, xi += count) {
    re[l] = xr[0];
    im[l] = 0;
    for (int64_t k = 1; k < count; k++) { /* an odd length: there is no middle frequency */
      int64_t here = k * lanes + l, there = (n - k) * lanes + l;
      re[here] = re[there] = factor * xr[k];
      im[here] = factor * xi[k];
      im[there] = -im[here];
    }
  }
}

/** Half of a spectrum of n points to the spectrum of n / 2 pairs: (X + conj X') + i conj(w) (X -
 * conj X'). */
static void NAME(load_pairs)(const cusp_fourier_plan *plan, int64_t lanes, const REAL *xr,
                             const REAL *xi, REAL *re, REAL *im) {
  int64_t half = plan->what.n / 2, count = half + 1;
  const REAL *w = plan->twist;
  REAL factor = plan->what.doubled ? 1 : (REAL)0.5;
  for (int64_t l = 0; l < lanes; l++, xr += count, xi += count) {
    re[l] = xr[0] + xr[half];
    im[l] = xr[0] - xr[half];
    for (int64_t k = 1; k < half; k++) {
      REAL sum_r = factor * (xr[k] + xr[half - k]), sum_i = factor * (xi[k] - xi[half - k]);
      REAL less_r = factor * (xr[k] - xr[half - k]), less_i = factor * (xi[k] + xi[half - k]);
      REAL turned_r = less_r * w[2 * k] + less_i * w[2 * k + 1],
           turned_i = less_i * w[2 * k] - less_r * w[2 * k + 1];
      re[k * lanes + l] = sum_r - turned_i;
      im[k * lanes + l] = sum_i + turned_r;
    }
  }
}

static void NAME(load)(const cusp_fourier_plan *plan, int64_t lanes, const void *const in[2],
                       const cusp_fourier_buffers *b) {
  int64_t n = plan->what.n;
  if (plan->what.kind == CUSP_FOURIER_COMPLEX) {
    NAME(gather)(lanes, n, n, 1, in[0], b->re);
    NAME(gather)(lanes, n, n, 1, in[1], b->im);
  } else if (plan->what.kind == CUSP_FOURIER_FROM_HALF) {
    (plan->halved ? NAME(load_pairs) : NAME(load_half))(plan, lanes, in[0], in[1], b->re, b->im);
  } else if (plan->halved) {
    NAME(gather)(lanes, n / 2, n, 2, in[0], b->re);
    NAME(gather)(lanes, n / 2, n, 2, (const REAL *)in[0] + 1, b->im);
  } else {
    NAME(gather)(lanes, n, n, 1, in[0], b->re);
    memset(b->im, 0, (size_t)(n * lanes) * sizeof(REAL));
  }
}

/** The spectrum of n / 2 pairs Z to that of n points: ((Z + conj Z') - i w (Z - conj Z')) / 2. */
static void NAME(store_pairs)(const cusp_fourier_plan *plan, int64_t lanes, const REAL *re,
                              const REAL *im, REAL *yr, REAL *yi) {
  int64_t half = plan->what.n / 2, count = half + 1;
  const REAL *w = plan->twist;
  REAL factor = plan->what.doubled ? 1 : (REAL)0.5;
  for (int64_t l = 0; l < lanes; l++, yr += count, yi += count) {
    yr[0] = re[l] + im[l];
    yr[half] = re[l] - im[l];
    yi[0] = yi[half] = 0;
    for (int64_t k = 1; k < half; k++) {
      int64_t here = k * lanes + l, there = (half - k) * lanes + l;
      REAL less_r = re[here] - re[there], less_i = im[here] + im[there];
      yr[k] = factor * (re[here] + re[there] + (less_r * w[2 * k + 1] + less_i * w[2 * k]));
      yi[k] = factor * (im[here] - im[there] - (less_r * w[2 * k] - less_i * w[2 * k + 1]));
    }
  }
}

static void NAME(store_half)(const cusp_fourier_plan *plan, int64_t lanes, const REAL *re,
                             const REAL *im, REAL *yr, REAL *yi) {
  int64_t count = plan->what.n / 2 + 1;
  REAL factor = plan->what.doubled ? 2 : 1;
  for (int64_t l = 0; l < lanes; l++, yr += count, yi += count) {
    yr[0] = re[l];
    yi[0] = 0;
    for (int64_t k = 1; k < count; k++) {
      yr[k] = factor * re[k * lanes + l];
      yi[k] = factor * im[k * lanes + l];
    }
  }
}

static void NAME(store)(const cusp_fourier_plan *plan, int64_t lanes, const cusp_fourier_buffers *b,
                        void *const out[2]) {
  int64_t n = plan->what.n;
  if (plan->what.kind == CUSP_FOURIER_COMPLEX) {
    NAME(spread)(lanes, n, n, 1, b->re, out[0]);
    NAME(spread)(lanes, n, n, 1, b->im, out[1]);
  } else if (plan->what.kind == CUSP_FOURIER_REAL) {
    (plan->halved ? NAME(store_pairs) : NAME(store_half))(plan, lanes, b->re, b->im, out[0],
                                                          out[1]);
  } else if (plan->halved) {
    NAME(spread)(lanes, n / 2, n, 2, b->re, out[0]);
    NAME(spread)(lanes, n / 2, n, 2, b->im, (REAL *)out[0] + 1);
  } else {
    NAME(spread)(lanes, n, n, 1, b->re, out[0]);
  }
}

const cusp_fourier_loops CUSP_ISA(NAME(cusp_fourier_loops)) = {NAME(transform), NAME(load),
                                                               NAME(store)};

#undef PUT
#undef OPEN_PASS
#undef CHUNK
#undef REAL
#undef NAME
