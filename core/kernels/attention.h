#ifndef CUSP_KERNELS_ATTENTION_H
#define CUSP_KERNELS_ATTENTION_H
/*
 * Dot-product attention in tiles (Dao et al., "FlashAttention", 2022): the scores of a block of
 * queries with a block of keys live in cache, and the matrix of all scores is never made. B batch,
 * T targets (queries), S sources (keys), H heads of the query, G heads of key and value, of which H
 * is a multiple, D size of a query and key, E size of a value.
 */

#include "../tensor/dtype.h"

/** The score of a hidden position, below any other: a row without an allowed one takes the mean. */
#define CUSP_ATTENTION_HIDDEN (-1e30)

/** An array [batch, time, heads, size] whose last axis has no gaps; strides count elements. */
typedef struct cusp_attention_array {
  const void *data;
  int64_t batch, time, head;
} cusp_attention_array;

/** An array [batch, heads, T, S] or broadcast to that: strides are then 0. `data` NULL: absent. */
typedef struct cusp_attention_grid {
  const void *data;
  int64_t strides[4];
} cusp_attention_grid;

typedef struct cusp_attention {
  cusp_dtype dtype; /* float32 or float64, of all arrays but the mask */
  int64_t batch, targets, sources, heads, groups, size, depth;
  double scale, soft_cap; /* scores are soft_cap * tanh(q k scale / soft_cap); 0: no cap */
  bool causal;            /* target t sees sources 0 .. t */
  bool narrow;            /* products of float32 may round their factors to bfloat16 */
  cusp_attention_array query, key, value;
  cusp_attention_grid bias, mask; /* added to scores; bool, where 0 the score is hidden */
  void *out;                      /* [B, T, H, E], row-major; written forward, read backward */
  void *sums; /* [B, H, T, 2]: a row's largest score and 1 / sum(exp(score - largest)) */
  int pieces; /* what runs at once; results do not depend on it */
  void *workspace;
} cusp_attention;

/** Pieces that pay, for this number of threads. */
int cusp_attention_pieces(const cusp_attention *attention);
size_t cusp_attention_workspace(const cusp_attention *attention);
void cusp_attention_forward(const cusp_attention *attention);

/** Gradients in arrays like query, key and value, row-major, from that of `out`. */
typedef struct cusp_attention_gradient {
  cusp_attention_array dout;
  void *dquery, *dkey, *dvalue;
} cusp_attention_gradient;

size_t cusp_attention_gradient_workspace(const cusp_attention *attention);
void cusp_attention_backward(const cusp_attention *attention,
                             const cusp_attention_gradient *gradient);

/** Loops over a tile [rows, columns] without gaps, compiled for each instruction set
 * (attention.isa.c). Arrays of sums are [rows, 2], as above. */
typedef struct cusp_attention_loops {
  /** Raises sums[0] to the row's largest, gives tile = exp(tile - largest), adds its sum to
   * sums[1], and what was summed before shrinks by factor[row]. */
  void (*accumulate)(int64_t rows, int64_t columns, void *tile, void *sums, void *factor);
  /** tile = exp(tile - sums[0]) * sums[1]. */
  void (*weigh)(int64_t rows, int64_t columns, void *tile, const void *sums);
  /** tile = weights * (tile - dot[row]). */
  void (*centre)(int64_t rows, int64_t columns, void *tile, const void *weights, const void *dot);
  /** x[row] *= factor[row * step], of n elements each, rows `stride` apart. */
  void (*rescale)(int64_t rows, int64_t n, int64_t stride, void *x, const void *factor,
                  int64_t step);
  /** out[row] = sum(x * y), of n elements each. */
  void (*dot)(int64_t rows, int64_t n, int64_t x_stride, const void *x, int64_t y_stride,
              const void *y, void *out);
  /** tile += bias, whose steps are those of a row and of a column. */
  void (*add)(int64_t rows, int64_t columns, void *tile, const void *bias, int64_t row_step,
              int64_t column_step);
  /** tile = value where the mask is 0. */
  void (*hide)(int64_t rows, int64_t columns, void *tile, const uint8_t *mask, int64_t row_step,
               int64_t column_step, double value);
  /** tile = value in columns from first + row on. */
  void (*hide_later)(int64_t rows, int64_t columns, void *tile, int64_t first, double value);
  /** x = cap * tanh(x / cap), where slope becomes the derivative; slope may be NULL. */
  void (*cap)(int64_t n, void *x, double cap, void *slope);
  /** x *= y. */
  void (*multiply)(int64_t n, void *x, const void *y);
} cusp_attention_loops;

#endif
