#include "random.h"

#include "../base/philox.h"
#include "isa.h"
#include "vector.h"

#include <math.h>
#include <string.h>

CUSP_ISA_DECLARE(const cusp_random_loops, cusp_random_loops);

static const cusp_random_loops *find_loops(void) { return CUSP_ISA_CHOOSE(cusp_random_loops); }

static int elements_of_block(cusp_dtype dtype) { return cusp_dtype_size(dtype) <= 4 ? 4 : 2; }

int64_t cusp_random_blocks(cusp_dtype dtype, int64_t count) {
  int per_block = elements_of_block(dtype);
  return count / per_block + (count % per_block != 0);
}

/* ------------------------------------------------------------------ tiles */

#define TILE 256 /* blocks whose words are made at once: 4 KB */

/** Some blocks of a fill: their words, and the elements that these serve (fewer at the end of the
 * array). */
typedef struct tile {
  const cusp_random_loops *loops;
  const cusp_random_fill *fill;
  int per_block;
  int64_t next, end;    /* blocks */
  int64_t first, count; /* elements */
  uint32_t words[4 * TILE];
} tile;

static void tile_open(tile *t, const cusp_random_fill *fill, int per_block, int64_t begin,
                      int64_t end) {
  t->loops = find_loops();
  t->fill = fill;
  t->per_block = per_block;
  t->next = begin;
  t->end = end;
}

static bool tile_next(tile *t) {
  int64_t blocks = t->end - t->next < TILE ? t->end - t->next : TILE;
  if (blocks <= 0)
    return false;
  t->loops->words(&t->fill->key, (uint64_t)t->next, blocks, t->words);
  t->first = t->next * t->per_block;
  t->count = blocks * t->per_block;
  if (t->first + t->count > t->fill->count)
    t->count = t->fill->count - t->first;
  t->next += blocks;
  return true;
}

void cusp_random_uniform(const cusp_random_fill *fill, int64_t begin, int64_t end, double low,
                         double high) {
  tile t;
  tile_open(&t, fill, elements_of_block(fill->dtype), begin, end);
  double top = nextafter(high, low);
  float top_float = nextafterf((float)high, (float)low); /* low + u * width may round up to high */
  while (tile_next(&t))
    if (fill->dtype == CUSP_FLOAT32)
      t.loops->uniform_float(t.count, t.words, (float)low, (float)(high - low), top_float,
                             (float *)fill->out + t.first);
    else
      t.loops->uniform_double(t.count, t.words, low, high - low, top,
                              (double *)fill->out + t.first);
}

static void apply(cusp_vector_id id, cusp_dtype dtype, int64_t n, const void *x, void *out) {
  cusp_vector_find(id, dtype)(n, out, (const void *[]){x}, (const int8_t[]){1});
}

/** Numbers of either dtype, on the stack. */
typedef union reals {
  float f[2 * TILE];
  double d[2 * TILE];
} reals;

/** Makes `pairs` pairs of numbers from two words a pair, four for double. */
static void normal_pairs(const tile *t, const uint32_t *words, int64_t pairs, double mean,
                         double stddev, void *out) {
  cusp_dtype dtype = t->fill->dtype;
  reals radius, turn, cosine;
  if (dtype == CUSP_FLOAT32)
    t->loops->polar_float(pairs, words, radius.f, turn.f);
  else
    t->loops->polar_double(pairs, words, radius.d, turn.d);
  apply(CUSP_VECTOR_log, dtype, pairs, &radius, &radius);
  apply(CUSP_VECTOR_cos, dtype, pairs, &turn, &cosine);
  apply(CUSP_VECTOR_sin, dtype, pairs, &turn, &turn);
  if (dtype == CUSP_FLOAT32)
    t->loops->join_float(pairs, radius.f, cosine.f, turn.f, (float)mean, (float)stddev, out);
  else
    t->loops->join_double(pairs, radius.d, cosine.d, turn.d, mean, stddev, out);
}

void cusp_random_normal(const cusp_random_fill *fill, int64_t begin, int64_t end, double mean,
                        double stddev) {
  size_t size = cusp_dtype_size(fill->dtype);
  tile t;
  tile_open(&t, fill, elements_of_block(fill->dtype), begin, end);
  while (tile_next(&t)) {
    char *out = (char *)fill->out + (size_t)t.first * size;
    int64_t pairs = t.count / 2;
    normal_pairs(&t, t.words, pairs, mean, stddev, out);
    if (t.count % 2) { /* the end of the array: half of a pair */
      reals last;
      normal_pairs(&t, t.words + (fill->dtype == CUSP_FLOAT32 ? 2 : 4) * pairs, 1, mean, stddev,
                   &last);
      memcpy(out + (size_t)(t.count - 1) * size, &last, size);
    }
  }
}

/** A number in [0, range) from two words: the high half of a 128-bit product. Range 0 stands for
 * 2^64. */
static uint64_t below(const uint32_t *pair, uint64_t range) {
  uint64_t word = ((uint64_t)pair[0] << 32) | pair[1];
  return range == 0 ? word : (uint64_t)(((unsigned __int128)word * range) >> 64);
}

void cusp_random_integers(const cusp_random_fill *fill, int64_t begin, int64_t end, int64_t low,
                          int64_t high) {
  size_t size = cusp_dtype_size(fill->dtype);
  uint64_t range = (uint64_t)high - (uint64_t)low;
  tile t;
  tile_open(&t, fill, 2, begin, end);
  while (tile_next(&t)) {
    char *out = (char *)fill->out + (size_t)t.first * size;
    for (int64_t i = 0; i < t.count; i++) {
      int64_t value = (int64_t)((uint64_t)low + below(t.words + 2 * i, range));
      if (fill->dtype == CUSP_INT32)
        ((int32_t *)out)[i] = (int32_t)value;
      else
        cusp_store_int(fill->dtype, out + (size_t)i * size, value);
    }
  }
}

/** The words below which an event of this probability lies, of 2^32; the last word stays outside
 * where p < 1. */
static uint32_t threshold_of(double p) {
  double scaled = p * 0x1p32;
  return scaled <= 0 ? 0 : scaled >= 0x1p32 - 1 ? UINT32_MAX : (uint32_t)scaled;
}

void cusp_random_bernoulli(const cusp_random_fill *fill, int64_t begin, int64_t end, double p) {
  uint32_t threshold = threshold_of(1 - p);
  bool *out = fill->out;
  tile t;
  tile_open(&t, fill, 4, begin, end);
  while (tile_next(&t))
    for (int64_t i = 0; i < t.count; i++)
      out[t.first + i] = p > 0 && t.words[i] >= threshold;
}

void cusp_random_dropout(const cusp_random_fill *fill, int64_t begin, int64_t end, double rate,
                         const void *x) {
  uint32_t threshold = threshold_of(rate);
  double scale = 1 / (1 - rate);
  tile t;
  tile_open(&t, fill, 4, begin, end);
  while (tile_next(&t))
    if (fill->dtype == CUSP_FLOAT32)
      t.loops->keep_float(t.count, t.words, threshold, (float)scale, (const float *)x + t.first,
                          (float *)fill->out + t.first);
    else
      t.loops->keep_double(t.count, t.words, threshold, scale, (const double *)x + t.first,
                           (double *)fill->out + t.first);
}

double cusp_random_unit(const cusp_random_key *key, int64_t element) {
  cusp_philox_block block = cusp_philox(key->seed, key->draw, (uint64_t)element / 2);
  const uint32_t *pair = block.word + 2 * (element % 2);
  return cusp_philox_double(pair[0], pair[1]);
}

/* ------------------------------------------------------------------ samples that reject */

/** The words of one element: blocks whose index has the element in its low 40 bits and a count
 * above. */
typedef struct stream {
  const cusp_random_key *key;
  uint64_t index;
  int used;
  cusp_philox_block block;
} stream;

static stream stream_open(const cusp_random_key *key, int64_t element, int number) {
  return (stream){.key = key, .index = (uint64_t)element | (uint64_t)number << 60, .used = 4};
}

static double stream_uniform(stream *s) { /* in (0, 1) */
  if (s->used == 4) {
    s->block = cusp_philox(s->key->seed, s->key->draw, s->index);
    s->index += (uint64_t)1 << 40;
    s->used = 0;
  }
  s->used += 2;
  return cusp_philox_double(s->block.word[s->used - 2], s->block.word[s->used - 1]) + 0x1p-54;
}

static double stream_normal(stream *s) {
  double radius = sqrt(-2 * log(stream_uniform(s)));
  return radius * cos(2 * M_PI * stream_uniform(s));
}

/* Marsaglia and Tsang, "A simple method for generating gamma variables" (2000). The logarithm,
   because a small alpha gives numbers below the smallest double. */
double cusp_random_log_gamma(const cusp_random_key *key, int64_t element, int number,
                             double alpha) {
  stream s = stream_open(key, element, number);
  if (!(alpha >= 0))
    return NAN;
  if (alpha == 0 || isinf(alpha))
    return alpha == 0 ? -INFINITY : INFINITY;
  double boost = 0;
  if (alpha < 1) { /* gamma(alpha) = gamma(alpha + 1) * u^(1 / alpha) */
    boost = log(stream_uniform(&s)) / alpha;
    alpha += 1;
  }
  double d = alpha - 1.0 / 3, c = 1 / sqrt(9 * d);
  for (;;) {
    double x = stream_normal(&s), v = 1 + c * x;
    if (v <= 0)
      continue;
    v = v * v * v;
    if (log(stream_uniform(&s)) < 0.5 * x * x + d - d * v + d * log(v))
      return log(d) + log(v) + boost;
  }
}

/** Walks up the probabilities from 0: for few expected successes. */
static double binomial_by_inversion(stream *s, double n, double p) {
  double q = 1 - p, odds = p / q, probability = pow(q, n), u = stream_uniform(s), k = 0;
  while (u > probability && k < n) {
    u -= probability;
    k += 1;
    probability *= odds * (n - k + 1) / k;
  }
  return k;
}

static double log_factorial(double n) {
  int sign;
  return lgamma_r(n + 1, &sign);
}

/* BTRS of Hörmann, "The generation of binomial random variates" (1993): transformed rejection, for
 * n * p of 10 or more. */
static double binomial_by_rejection(stream *s, double n, double p) {
  double q = 1 - p, deviation = sqrt(n * p * q), b = 1.15 + 2.53 * deviation,
         a = -0.0873 + 0.0248 * b + 0.01 * p;
  double centre = n * p + 0.5, accept = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * deviation;
  double mode = floor((n + 1) * p), at_mode = log_factorial(mode) + log_factorial(n - mode),
         log_odds = log(p / q);
  for (;;) {
    double u = stream_uniform(s) - 0.5, v = stream_uniform(s), us = 0.5 - fabs(u);
    double k = floor((2 * a / us + b) * u + centre);
    if (us >= 0.07 && v <= accept)
      return k;
    if (k < 0 || k > n)
      continue;
    double bound = at_mode - log_factorial(k) - log_factorial(n - k) + (k - mode) * log_odds;
    if (log(v * alpha / (a / (us * us) + b)) <= bound)
      return k;
  }
}

double cusp_random_binomial(const cusp_random_key *key, int64_t element, double trials, double p) {
  stream s = stream_open(key, element, 0);
  double n = floor(trials);
  if (!(n >= 0) || !(p >= 0 && p <= 1) || isinf(n))
    return NAN;
  bool swapped = p > 0.5;
  double rare = swapped ? 1 - p : p;
  double k = rare == 0       ? 0
             : n * rare < 10 ? binomial_by_inversion(&s, n, rare)
                             : binomial_by_rejection(&s, n, rare);
  return swapped ? n - k : k;
}

void cusp_random_permutation(const cusp_random_key *key, int64_t count, int64_t *out) {
  cusp_random_fill fill = {.key = *key, .count = count};
  tile t;
  tile_open(&t, &fill, 2, 0, cusp_random_blocks(CUSP_INT64, count));
  for (int64_t i = 0; i < count; i++)
    out[i] = i;
  while (tile_next(&t))
    for (int64_t k = 0; k < t.count; k++) { /* element i changes places with one at or after it */
      int64_t i = t.first + k, other = i + (int64_t)below(t.words + 2 * k, (uint64_t)(count - i));
      int64_t value = out[i];
      out[i] = out[other];
      out[other] = value;
    }
}
