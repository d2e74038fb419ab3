/* Plans of Fourier transforms: lengths into radices, tables of roots of unity. */
#define _GNU_SOURCE
#include "fourier_plan.h"

#include "../base/memory.h"
#include "isa.h"

#include <math.h>

CUSP_ISA_DECLARE_FLOATS(const cusp_fourier_loops, cusp_fourier_loops);

static const cusp_fourier_loops *find_loops(cusp_dtype dtype) {
  return CUSP_ISA_CHOOSE_FLOAT(cusp_fourier_loops, dtype);
}

/* ------------------------------------------------------------------ tables */

static void put(cusp_dtype dtype, void *table, int64_t index, double re, double im) {
  size_t size = cusp_dtype_size(dtype);
  cusp_store_double(dtype, (char *)table + (size_t)(2 * index) * size, re);
  cusp_store_double(dtype, (char *)table + (size_t)(2 * index + 1) * size, im);
}

/** table[index] = exp(-2 pi i k / n), 0 <= k < n. The angle is brought below pi / 4 in whole
 * numbers, to keep all digits. */
static void put_root(cusp_dtype dtype, void *table, int64_t index, int64_t k, int64_t n) {
  int64_t eighths = 8 * k;
  bool below = eighths > 4 * n;
  eighths = below ? 8 * n - eighths : eighths;
  bool left = eighths > 2 * n;
  eighths = left ? 4 * n - eighths : eighths;
  bool steep = eighths > n;
  eighths = steep ? 2 * n - eighths : eighths;
  double cosine, sine, angle = (double)eighths * M_PI_4 / (double)n;
  sincos(angle, &sine, &cosine);
  double re = steep ? sine : cosine, im = steep ? cosine : sine;
  put(dtype, table, index, left ? -re : re, below ? im : -im);
}

static cusp_status new_table(void **table, cusp_dtype dtype, int64_t count) {
  size_t bytes;
  CUSP_TRY(cusp_multiply_size(&bytes, (size_t)count, 2 * cusp_dtype_size(dtype)));
  return cusp_alloc(table, bytes);
}

/** exp(-2 pi i k step / n) for k < count; count * step <= n. */
static cusp_status new_roots(void **table, cusp_dtype dtype, int64_t count, int64_t step,
                             int64_t n) {
  CUSP_TRY(new_table(table, dtype, count));
  for (int64_t k = 0; k < count; k++)
    put_root(dtype, *table, k, k * step, n);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ lengths */

/** Takes one radix out of *n: fours first, the odd ones without code of their own last. */
static int64_t next_radix(int64_t *n) {
  static const int known[] = {4, 2, 3, 5};
  int64_t radix = 7;
  for (int i = 0; i < 4; i++)
    if (*n % known[i] == 0) {
      *n /= known[i];
      return known[i];
    }
  while (*n % radix != 0 && radix * radix <= *n)
    radix += 2;
  radix = *n % radix == 0 ? radix : *n;
  *n /= radix;
  return radix;
}

/** About the number of operations a point; infinite where a factor is too large for a pass. */
static double cost_of(int64_t n) {
  double cost = 0;
  while (n > 1) {
    int64_t radix = next_radix(&n);
    if (radix > CUSP_FOURIER_MAX_RADIX)
      return INFINITY;
    cost += radix <= 5 ? (double)radix : 1.5 * (double)radix;
  }
  return cost;
}

/** The smallest 2^a 3^b 5^c that is at least n. */
static int64_t smooth_length(int64_t n) {
  int64_t best = 1;
  while (best < n)
    best *= 2;
  for (int64_t fives = 1; fives < best; fives *= 5)
    for (int64_t threes = fives; threes < best; threes *= 3) {
      int64_t length = threes;
      while (length < n)
        length *= 2;
      best = length < best ? length : best;
    }
  return best;
}

/* ------------------------------------------------------------------ passes */

static void free_passes(cusp_fourier_passes *passes) {
  if (!passes)
    return;
  for (int i = 0; i < passes->count; i++) {
    cusp_free(passes->pass[i].twiddles);
    cusp_free(passes->pass[i].roots);
  }
  free_passes(passes->convolution);
  cusp_free(passes->chirp);
  cusp_free(passes->spectrum);
  cusp_free(passes);
}

/** A pass over what is left of a length: `left` points, of which each group of radix * m is one
 * transform. */
static cusp_status add_pass(cusp_fourier_passes *passes, cusp_dtype dtype, int radix,
                            int64_t left) {
  cusp_fourier_pass *pass = &passes->pass[passes->count++];
  *pass = (cusp_fourier_pass){.radix = radix, .m = left / radix};
  CUSP_TRY(new_table(&pass->twiddles, dtype, pass->m * (radix - 1)));
  for (int64_t p = 0; p < pass->m; p++)
    for (int j = 1; j < radix; j++)
      put_root(dtype, pass->twiddles, p * (radix - 1) + j - 1, p * j, left);
  return radix > 5 ? new_roots(&pass->roots, dtype, radix, 1, radix) : CUSP_OK;
}

static cusp_status add_passes(cusp_fourier_passes *passes, cusp_dtype dtype) {
  int64_t left = passes->n, rest = passes->n;
  while (rest > 1) {
    int radix = (int)next_radix(&rest);
    CUSP_TRY(add_pass(passes, dtype, radix, left));
    left /= radix;
  }
  return CUSP_OK;
}

static cusp_status make_passes(cusp_fourier_passes **out, cusp_dtype dtype, int64_t n);

/** exp(-i pi k^2 / n): the square is kept below 2n, to keep all digits. */
static cusp_status make_chirp(cusp_fourier_passes *passes, cusp_dtype dtype) {
  int64_t n = passes->n, square = 0;
  CUSP_TRY(new_table(&passes->chirp, dtype, n));
  for (int64_t k = 0; k < n; k++) {
    put_root(dtype, passes->chirp, k, square, 2 * n);
    square = (square + 2 * k + 1) % (2 * n);
  }
  return CUSP_OK;
}

/** The conjugate chirp, which is even, around a circle of `m` points, divided by m. */
static void lay_chirp(const cusp_fourier_passes *passes, cusp_dtype dtype, int64_t m, void *re,
                      void *im) {
  size_t size = cusp_dtype_size(dtype);
  for (int64_t k = 0; k < passes->n; k++) {
    const char *from = (const char *)passes->chirp + (size_t)(2 * k) * size;
    double a = cusp_load_double(dtype, from) / (double)m,
           b = -cusp_load_double(dtype, from + size) / (double)m;
    for (int side = 0; side < 2; side++) {
      size_t at = (size_t)(side && k > 0 ? m - k : k) * size;
      cusp_store_double(dtype, (char *)re + at, a);
      cusp_store_double(dtype, (char *)im + at, b);
    }
  }
}

static cusp_status make_spectrum(cusp_fourier_passes *passes, cusp_dtype dtype) {
  int64_t m = passes->convolution->n;
  size_t size = cusp_dtype_size(dtype), part = (size_t)m * size;
  char *work;
  CUSP_TRY(new_table(&passes->spectrum, dtype, m));
  CUSP_TRY(cusp_alloc_zeroed((void **)&work, 4 * part));
  cusp_fourier_buffers b = {work, work + part, work + 2 * part, work + 3 * part};
  lay_chirp(passes, dtype, m, b.re, b.im);
  find_loops(dtype)->transform(passes->convolution, 1, &b);
  for (int64_t k = 0; k < m; k++)
    put(dtype, passes->spectrum, k, cusp_load_double(dtype, (char *)b.re + (size_t)k * size),
        cusp_load_double(dtype, (char *)b.im + (size_t)k * size));
  cusp_free(work);
  return CUSP_OK;
}

static cusp_status fill_passes(cusp_fourier_passes *passes, cusp_dtype dtype) {
  int64_t n = passes->n, longer = smooth_length(2 * n - 1);
  double there_and_back = 2 * (double)longer / (double)n * cost_of(longer);
  if (cost_of(n) <= there_and_back)
    return add_passes(passes, dtype);
  CUSP_TRY(make_passes(&passes->convolution, dtype, longer));
  CUSP_TRY(make_chirp(passes, dtype));
  return make_spectrum(passes, dtype);
}

static cusp_status make_passes(cusp_fourier_passes **out, cusp_dtype dtype, int64_t n) {
  CUSP_TRY(cusp_alloc_zeroed((void **)out, sizeof **out));
  (*out)->n = n;
  return fill_passes(*out, dtype);
}

/* ------------------------------------------------------------------ plans */

static cusp_status fill_plan(cusp_fourier_plan *plan) {
  const cusp_fourier *what = &plan->what;
  plan->halved = what->kind != CUSP_FOURIER_COMPLEX && what->n % 2 == 0;
  if (plan->halved)
    CUSP_TRY(new_roots(&plan->twist, what->dtype, what->n / 2 + 1, 1, what->n));
  return make_passes(&plan->passes, what->dtype, plan->halved ? what->n / 2 : what->n);
}

cusp_status cusp_fourier_plan_new(cusp_fourier_plan **out, const cusp_fourier *what) {
  cusp_fourier_plan *plan;
  *out = NULL;
  CUSP_TRY(cusp_alloc_zeroed((void **)&plan, sizeof *plan));
  plan->what = *what;
  cusp_status status = fill_plan(plan);
  if (status != CUSP_OK)
    cusp_fourier_plan_free(plan);
  else
    *out = plan;
  return status;
}

void cusp_fourier_plan_free(cusp_fourier_plan *plan) {
  if (!plan)
    return;
  free_passes(plan->passes);
  cusp_free(plan->twist);
  cusp_free(plan);
}

/* A register full of neighbours, as long as the four buffers stay in a level-two cache. */
int64_t cusp_fourier_lanes(const cusp_fourier_plan *plan) {
  int64_t size = (int64_t)cusp_dtype_size(plan->what.dtype), lanes = 64 / size;
  while (lanes > 1 && 4 * size * lanes * cusp_fourier_width(plan->passes) > (512 << 10))
    lanes /= 2;
  return lanes;
}

/** Bytes of one of the four buffers. */
static cusp_status part_bytes(size_t *bytes, const cusp_fourier_plan *plan, int64_t lanes) {
  CUSP_TRY(cusp_multiply_size(bytes, (size_t)cusp_fourier_width(plan->passes),
                              (size_t)lanes * cusp_dtype_size(plan->what.dtype)));
  *bytes = cusp_aligned_size(*bytes);
  return CUSP_OK;
}

cusp_status cusp_fourier_scratch(size_t *bytes, const cusp_fourier_plan *plan, int64_t lanes) {
  CUSP_TRY(part_bytes(bytes, plan, lanes));
  return cusp_multiply_size(bytes, *bytes, 4);
}

void cusp_fourier_run(const cusp_fourier_plan *plan, int64_t lanes, const void *const in[2],
                      void *const out[2], void *scratch) {
  const cusp_fourier_loops *loops = find_loops(plan->what.dtype);
  bool inverse = plan->what.kind == CUSP_FOURIER_FROM_HALF || plan->what.inverse;
  char *work = scratch;
  size_t part;
  if (part_bytes(&part, plan, lanes) != CUSP_OK)
    return; /* cusp_fourier_scratch has said so */
  cusp_fourier_buffers b = {work, work + part, work + 2 * part, work + 3 * part};
  loops->load(plan, lanes, in, &b);
  if (inverse) /* real and imaginary parts exchanged, before and after */
    b = (cusp_fourier_buffers){b.im, b.re, b.other_im, b.other_re};
  loops->transform(plan->passes, lanes, &b);
  if (inverse)
    b = (cusp_fourier_buffers){b.im, b.re, b.other_im, b.other_re};
  loops->store(plan, lanes, &b, out);
}
