#include "attention.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "blas.h"
#include "isa.h"
#include "tiles.h"

#include <string.h>

CUSP_ISA_DECLARE_FLOATS(const cusp_attention_loops, cusp_attention_loops);

/* A tile of scores is 64 KB in float32, which stays in the second-level cache beside its factors.
 */
#define TARGETS 64
#define SOURCES 256

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/** A head of the query, its block of targets and a block of sources, and the memory to work in. */
typedef struct tile {
  const cusp_attention *a;
  const cusp_attention_loops *loops;
  int64_t batch, head, target, rows, source, columns;
  char *scores, *other, *slope, *numbers; /* [rows, columns] each, and [rows] */
  char *packed;                           /* both factors of a product on tiles; NULL: none is */
} tile;

static size_t width_of(const cusp_attention *a) { return cusp_dtype_size(a->dtype); }

static size_t tile_bytes(const cusp_attention *a) {
  return cusp_aligned_size((size_t)(least(a->targets, TARGETS) * least(a->sources, SOURCES)) *
                           width_of(a));
}

/* targets from which products are worth their packing */
#define LEAST_NARROW 16

static bool is_narrow(const cusp_attention *a) {
  return a->narrow && a->dtype == CUSP_FLOAT32 && a->targets >= LEAST_NARROW &&
         cusp_tiles_present();
}

/** Bytes of a packed factor, whichever it is. */
static size_t packed_bytes(const cusp_attention *a) {
  int64_t side = least(a->sources, SOURCES);
  const int64_t others[] = {least(a->targets, TARGETS), a->size, a->depth};
  for (int i = 0; i < 3; i++)
    side = others[i] > side ? others[i] : side;
  return is_narrow(a) ? cusp_tiles_bytes(side, side) : 0;
}

static size_t piece_bytes(const cusp_attention *a, int tiles) {
  return (size_t)tiles * tile_bytes(a) + TARGETS * sizeof(double) + 2 * packed_bytes(a);
}

static tile tile_of(const cusp_attention *a, int64_t piece, int tiles) {
  char *at = (char *)a->workspace + (size_t)piece * piece_bytes(a, tiles);
  size_t bytes = tile_bytes(a);
  char *numbers = at + (size_t)tiles * bytes;
  return (tile){.a = a,
                .loops = CUSP_ISA_CHOOSE_FLOAT(cusp_attention_loops, a->dtype),
                .numbers = numbers,
                .packed = is_narrow(a) ? numbers + TARGETS * sizeof(double) : NULL,
                .scores = at,
                .other = tiles > 1 ? at + bytes : NULL,
                .slope = tiles > 2 ? at + 2 * bytes : NULL};
}

static int64_t blocks_of(const cusp_attention *a) { return (a->targets + TARGETS - 1) / TARGETS; }

static void place_targets(tile *t, int64_t block) {
  int64_t blocks = blocks_of(t->a);
  t->target = t->a->targets * block / blocks;
  t->rows = t->a->targets * (block + 1) / blocks - t->target;
}

/* ------------------------------------------------------------------ where things are */

static char *element(const tile *t, const void *base, int64_t index) {
  return (char *)base + index * (int64_t)width_of(t->a);
}

static char *array_at(const tile *t, const cusp_attention_array *x, int64_t head, int64_t time) {
  return element(t, x->data, t->batch * x->batch + time * x->time + head * x->head);
}

static int64_t group(const tile *t) { return t->head / (t->a->heads / t->a->groups); }

/** Row-major [B, time, heads, size]. */
static cusp_attention_array plain(const void *data, int64_t time, int64_t heads, int64_t size) {
  return (cusp_attention_array){data, time * heads * size, heads * size, size};
}

static cusp_attention_array outputs(const cusp_attention *a) {
  return plain(a->out, a->targets, a->heads, a->depth);
}

static char *sums_at(const tile *t) {
  return element(t, t->a->sums,
                 2 * ((t->batch * t->a->heads + t->head) * t->a->targets + t->target));
}

static int64_t grid_index(const tile *t, const cusp_attention_grid *g) {
  return t->batch * g->strides[0] + t->head * g->strides[1] + t->target * g->strides[2] +
         t->source * g->strides[3];
}

/* ------------------------------------------------------------------ products */

typedef struct factor {
  const void *data;
  int64_t stride; /* of its stored rows */
  bool trans;
} factor;

static void multiply_narrow(const tile *t, int64_t m, int64_t n, int64_t k, factor x, factor y,
                            bool add, void *out, int64_t stride) {
  char *right = t->packed + packed_bytes(t->a);
  cusp_tile_task task = {
      .m = m, .n = n, .k = k, .c = out, .c_dtype = CUSP_FLOAT32, .ldc = stride, .add = add};
  task.a = cusp_tile_matrix_of(x.data, CUSP_FLOAT32, x.trans, x.stride);
  task.b = cusp_tile_matrix_of(y.data, CUSP_FLOAT32, y.trans, y.stride);
  cusp_tiles_pack_right(&task, right);
  task.packed_right = right;
  cusp_tiles_multiply_serial(&task, t->packed);
}

/** `alpha` is 1 where products are added on tiles. */
static void multiply(const tile *t, int64_t m, int64_t n, int64_t k, factor x, factor y,
                     double alpha, bool add, void *out, int64_t stride) {
  if (t->packed) {
    multiply_narrow(t, m, n, k, x, y, add, out, stride);
    if (alpha != 1)
      t->loops->rescale(m, n, stride, out, (float[]){(float)alpha}, 0);
    return;
  }
  cusp_gemm_serial(&(cusp_gemm_task){.dtype = t->a->dtype,
                                     .trans_a = x.trans,
                                     .trans_b = y.trans,
                                     .m = m,
                                     .n = n,
                                     .k = k,
                                     .a = x.data,
                                     .b = y.data,
                                     .c = out,
                                     .lda = x.stride,
                                     .ldb = y.stride,
                                     .ldc = stride,
                                     .alpha = alpha,
                                     .beta = add});
}

static factor rows_of(const tile *t, const cusp_attention_array *x, int64_t head, int64_t time) {
  return (factor){array_at(t, x, head, time), x->time, false};
}

static factor transposed(factor x) { return (factor){x.data, x.stride, true}; }

/* ------------------------------------------------------------------ scores */

static void hide(const tile *t, void *x, double value) {
  const cusp_attention *a = t->a;
  if (a->mask.data)
    t->loops->hide(t->rows, t->columns, x, (const uint8_t *)a->mask.data + grid_index(t, &a->mask),
                   a->mask.strides[2], a->mask.strides[3], value);
  if (a->causal && t->source + t->columns > t->target + 1)
    t->loops->hide_later(t->rows, t->columns, x, t->target + 1 - t->source, value);
}

static void make_scores(const tile *t, void *slope) {
  const cusp_attention *a = t->a;
  multiply(t, t->rows, t->columns, a->size, rows_of(t, &a->query, t->head, t->target),
           transposed(rows_of(t, &a->key, group(t), t->source)), a->scale, false, t->scores,
           t->columns);
  if (a->soft_cap != 0)
    t->loops->cap(t->rows * t->columns, t->scores, a->soft_cap, slope);
  if (a->bias.data)
    t->loops->add(t->rows, t->columns, t->scores, element(t, a->bias.data, grid_index(t, &a->bias)),
                  a->bias.strides[2], a->bias.strides[3]);
  hide(t, t->scores, CUSP_ATTENTION_HIDDEN);
}

static double largest_of(const tile *t, int64_t row) {
  const char *at = element(t, sums_at(t), 2 * row);
  return t->a->dtype == CUSP_FLOAT32 ? (double)*(const float *)at : *(const double *)at;
}

/** Whether a row of the block has nothing but hidden positions among those that were seen: to look
 * again at one that has more is no harm. */
static bool all_hidden(const tile *t) {
  for (int64_t r = 0; r < t->rows; r++)
    if (largest_of(t, r) < CUSP_ATTENTION_HIDDEN / 2)
      return true;
  return false;
}

/** Sources that a block of targets looks at when it skips what the causal mask hides. */
static int64_t seen_sources(const tile *t) {
  return t->a->causal ? least(t->a->sources, t->target + t->rows) : t->a->sources;
}

static void place_sources(tile *t, int64_t first, int64_t limit) {
  t->source = first;
  t->columns = least(SOURCES, limit - first);
}

/* ------------------------------------------------------------------ forward */

static void set_sums(const tile *t, double largest, double sum) {
  char *at = sums_at(t);
  for (int64_t r = 0; r < t->rows; r++) {
    if (t->a->dtype == CUSP_FLOAT32)
      memcpy(at + 8 * r, (float[]){(float)largest, (float)sum}, 8);
    else
      memcpy(at + 16 * r, (double[]){largest, sum}, 16);
  }
}

static void invert_sums(const tile *t) {
  char *at = sums_at(t);
  for (int64_t r = 0; r < t->rows; r++) {
    if (t->a->dtype == CUSP_FLOAT32)
      ((float *)at)[2 * r + 1] = 1 / ((float *)at)[2 * r + 1];
    else
      ((double *)at)[2 * r + 1] = 1 / ((double *)at)[2 * r + 1];
  }
}

/** The block's outputs from its first `limit` sources. */
static void forward_sources(tile *t, int64_t limit) {
  const cusp_attention *a = t->a;
  cusp_attention_array outs = outputs(a);
  char *out = array_at(t, &outs, t->head, t->target);
  set_sums(t, -(double)__builtin_inff(), 0);
  for (int64_t first = 0; first < limit; first += SOURCES) {
    place_sources(t, first, limit);
    make_scores(t, NULL);
    t->loops->accumulate(t->rows, t->columns, t->scores, sums_at(t), t->numbers);
    if (first > 0)
      t->loops->rescale(t->rows, a->depth, outs.time, out, t->numbers, 1);
    multiply(t, t->rows, a->depth, t->columns, (factor){t->scores, t->columns, false},
             rows_of(t, &a->value, group(t), first), 1, first > 0, out, outs.time);
  }
  invert_sums(t);
  t->loops->rescale(t->rows, a->depth, outs.time, out, element(t, sums_at(t), 1), 2);
}

static void forward_block(tile *t) {
  int64_t limit = seen_sources(t);
  forward_sources(t, limit);
  /* such a row is the mean over all sources, the skipped ones too */
  if (limit < t->a->sources && all_hidden(t))
    forward_sources(t, t->a->sources);
}

static void forward_piece(void *context, int64_t begin, int64_t end) {
  const cusp_attention *a = context;
  const int64_t blocks = blocks_of(a), units = a->batch * a->heads * blocks;
  for (int64_t piece = begin; piece < end; piece++) {
    tile t = tile_of(a, piece, 1);
    for (int64_t i = units * piece / a->pieces; i < units * (piece + 1) / a->pieces; i++) {
      t.batch = i / blocks / a->heads;
      t.head = i / blocks % a->heads;
      place_targets(&t, i % blocks);
      forward_block(&t);
    }
  }
}

int cusp_attention_pieces(const cusp_attention *a) {
  double flops = 2.0 * (double)a->batch * (double)a->heads * (double)a->targets *
                 (double)a->sources * (double)(a->size + a->depth);
  double most = 1 + flops / 500000; /* several microseconds each */
  int threads = cusp_get_num_threads();
  return most < threads ? (int)most : threads;
}

size_t cusp_attention_workspace(const cusp_attention *a) {
  return (size_t)a->pieces * piece_bytes(a, 1);
}

void cusp_attention_forward(const cusp_attention *a) {
  cusp_parallel_for(a->pieces, 1, forward_piece, (void *)a);
}

/* ------------------------------------------------------------------ backward */

typedef struct backward {
  const cusp_attention *a;
  const cusp_attention_gradient *g;
  cusp_attention_array dquery, dkey, dvalue;
} backward;

/** One tile's share: weights in `scores`, the gradient of the scores in `other`. */
static void backward_tile(const backward *b, const tile *t) {
  const cusp_attention *a = t->a;
  const int64_t rows = t->rows, columns = t->columns, g = group(t);
  factor weights = {t->scores, columns, false}, dscores = {t->other, columns, false},
         dout = rows_of(t, &b->g->dout, t->head, t->target);
  make_scores(t, t->slope);
  t->loops->weigh(rows, columns, t->scores, sums_at(t));
  multiply(t, columns, a->depth, rows, transposed(weights), dout, 1, true,
           array_at(t, &b->dvalue, g, t->source), b->dvalue.time);
  multiply(t, rows, columns, a->depth, dout, transposed(rows_of(t, &a->value, g, t->source)), 1,
           false, t->other, columns);
  t->loops->centre(rows, columns, t->other, t->scores, t->numbers);
  if (a->soft_cap != 0)
    t->loops->multiply(rows * columns, t->other, t->slope);
  hide(t, t->other, 0);
  double scale = a->scale;
  if (t->packed) {
    t->loops->rescale(rows, columns, columns, t->other, (float[]){(float)scale}, 0);
    scale = 1;
  }
  multiply(t, rows, a->size, columns, dscores, rows_of(t, &a->key, g, t->source), scale,
           t->source > 0, array_at(t, &b->dquery, t->head, t->target), b->dquery.time);
  multiply(t, columns, a->size, rows, transposed(dscores),
           rows_of(t, &a->query, t->head, t->target), scale, true,
           array_at(t, &b->dkey, g, t->source), b->dkey.time);
}

static void backward_block(const backward *b, tile *t) {
  cusp_attention_array outs = outputs(t->a);
  const cusp_attention_array *dout = &b->g->dout;
  int64_t limit = all_hidden(t) ? t->a->sources : seen_sources(t);
  t->loops->dot(t->rows, t->a->depth, outs.time, array_at(t, &outs, t->head, t->target), dout->time,
                array_at(t, dout, t->head, t->target), t->numbers);
  for (int64_t first = 0; first < limit; first += SOURCES) {
    place_sources(t, first, limit);
    backward_tile(b, t);
  }
}

static void clear(const tile *t, const cusp_attention_array *x, int64_t head, int64_t size) {
  for (int64_t time = 0; time < t->a->sources; time++)
    memset(array_at(t, x, head, time), 0, (size_t)size * width_of(t->a));
}

/** All that a head of key and value takes part in, so that its gradients have one writer. */
static void backward_group(const backward *b, tile *t, int64_t unit) {
  const cusp_attention *a = b->a;
  const int64_t shared = a->heads / a->groups, g = unit % a->groups;
  t->batch = unit / a->groups;
  clear(t, &b->dkey, g, a->size);
  clear(t, &b->dvalue, g, a->depth);
  for (t->head = g * shared; t->head < (g + 1) * shared; t->head++)
    for (int64_t block = 0; block < blocks_of(a); block++) {
      place_targets(t, block);
      backward_block(b, t);
    }
}

static void backward_piece(void *context, int64_t begin, int64_t end) {
  const backward *b = context;
  const int64_t units = b->a->batch * b->a->groups;
  for (int64_t piece = begin; piece < end; piece++) {
    tile t = tile_of(b->a, piece, 3);
    for (int64_t i = units * piece / b->a->pieces; i < units * (piece + 1) / b->a->pieces; i++)
      backward_group(b, &t, i);
  }
}

size_t cusp_attention_gradient_workspace(const cusp_attention *a) {
  return (size_t)a->pieces * piece_bytes(a, 3);
}

void cusp_attention_backward(const cusp_attention *a, const cusp_attention_gradient *g) {
  backward b = {a, g, plain(g->dquery, a->targets, a->heads, a->size),
                plain(g->dkey, a->sources, a->groups, a->size),
                plain(g->dvalue, a->sources, a->groups, a->depth)};
  cusp_parallel_for(a->pieces, 1, backward_piece, &b);
}
