#ifndef CUSP_KERNELS_RANDOM_H
#define CUSP_KERNELS_RANDOM_H
/*
 * Filling memory with random numbers. Block i of a draw (base/philox.h) serves elements 4i .. 4i+3
 * of a float32 draw and 2i, 2i+1 of 64-bit ones, so the numbers do not depend on how the work is
 * split. Serial over the range given.
 */

#include "../tensor/dtype.h"

typedef struct cusp_random_key {
  uint64_t seed, draw;
} cusp_random_key;

/** The loops compiled for each instruction set (random.isa.c). */
typedef struct cusp_random_loops {
  /** The words of blocks first .. first + count - 1: out[4 * count]. */
  void (*words)(const cusp_random_key *key, uint64_t first, int64_t count, uint32_t *out);
  /** out = low + u * width, kept at or below `top`, with u in [0, 1) of 24 bits from a word. */
  void (*uniform_float)(int64_t count, const uint32_t *words, float low, float width, float top,
                        float *out);
  /** The same with u of 53 bits from two words. */
  void (*uniform_double)(int64_t count, const uint32_t *words, double low, double width, double top,
                         double *out);
  /** Of each pair of words: radius[i] in (0, 1], turn[i] in [0, 2 pi), as Box and Muller need
   * them. */
  void (*polar_float)(int64_t pairs, const uint32_t *words, float *radius, float *turn);
  void (*polar_double)(int64_t pairs, const uint32_t *words, double *radius, double *turn);
  /** out[2i] = mean + scale * r[i] * c[i], out[2i + 1] = mean + scale * r[i] * s[i] with r =
   * sqrt(-2 l). */
  void (*join_float)(int64_t pairs, const float *l, const float *c, const float *s, float mean,
                     float scale, float *out);
  void (*join_double)(int64_t pairs, const double *l, const double *c, const double *s, double mean,
                      double scale, double *out);
  /** out = word >= threshold ? x * scale : 0. out may be x. */
  void (*keep_float)(int64_t count, const uint32_t *words, uint32_t threshold, float scale,
                     const float *x, float *out);
  void (*keep_double)(int64_t count, const uint32_t *words, uint32_t threshold, double scale,
                      const double *x, double *out);
} cusp_random_loops;

/** Elements that one block serves: of a dtype of up to 4 bytes 4, of 8 bytes 2. A range of blocks
 * is what callers split. */
int64_t cusp_random_blocks(cusp_dtype dtype, int64_t count);

/** An array being filled: `count` elements in all, of CUSP_FLOAT32 or CUSP_FLOAT64 where the
 * function does not say otherwise. */
typedef struct cusp_random_fill {
  cusp_random_key key;
  cusp_dtype dtype;
  int64_t count;
  void *out;
} cusp_random_fill;

/* Each fills the elements of the blocks begin <= i < end. */

/** Uniform in [low, high). */
void cusp_random_uniform(const cusp_random_fill *fill, int64_t begin, int64_t end, double low,
                         double high);
/** Normal, by Box and Muller's method. */
void cusp_random_normal(const cusp_random_fill *fill, int64_t begin, int64_t end, double mean,
                        double stddev);
/** Integers in [low, high) of any integer dtype; blocks as for 8 bytes. */
void cusp_random_integers(const cusp_random_fill *fill, int64_t begin, int64_t end, int64_t low,
                          int64_t high);
/** CUSP_BOOL: 1 with probability `p`; blocks as for 4 bytes. */
void cusp_random_bernoulli(const cusp_random_fill *fill, int64_t begin, int64_t end, double p);
/** x / (1 - rate) with probability 1 - rate, otherwise 0; blocks as for 4 bytes whatever the
 * dtype. */
void cusp_random_dropout(const cusp_random_fill *fill, int64_t begin, int64_t end, double rate,
                         const void *x);

/** Element `element` of a uniform float64 draw in [0, 1). */
double cusp_random_unit(const cusp_random_key *key, int64_t element);

/* One sample each, for distributions that reject: element `element` of a draw has words of its own,
 * as many as it needs. */

/* log of a gamma variate */
double cusp_random_log_gamma(const cusp_random_key *key, int64_t element, int stream, double alpha);
double cusp_random_binomial(const cusp_random_key *key, int64_t element, double trials, double p);
/** 0 .. count - 1 in random order (Fisher and Yates). */
void cusp_random_permutation(const cusp_random_key *key, int64_t count, int64_t *out);

#endif
