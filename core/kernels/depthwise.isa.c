/* The sums of a depthwise kernel's gradient, compiled for each instruction set. */

#include "depthwise.h"

#include <string.h>

#define LANES (CUSP_ISA_BYTES / 4)
#define TAPS 3 /* elements of a row of the window that are summed at a time */
#define MANY 6 /* outputs for which it pays to hold sums in registers */

typedef float vec __attribute__((vector_size(CUSP_ISA_BYTES), aligned(4), may_alias));

enum { DEPTH, HEIGHT, WIDTH };

typedef struct range {
  int64_t first, end;
} range;

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }

/** The outputs along an axis at which element k of the windows lies over the input. */
static range outputs_at(const cusp_windows *w, int axis, int64_t k) {
  const int64_t at = k * w->dilation[axis] - w->low[axis], stride = w->stride[axis];
  const int64_t after = w->input[axis] - at; /* o * stride is less */
  return (range){at < 0 ? (stride - 1 - at) / stride : 0,
                 after > 0 ? least((after - 1) / stride + 1, w->output[axis]) : 0};
}

/** Steps, in elements, from one output to the next, and from one element of the window. */
typedef struct steps {
  int64_t x, dy, tap, sums;
} steps;

/** `taps` and `vectors` are constants wherever this is called: the sums live in registers. */
static inline __attribute__((always_inline)) void sum_row(int taps, int vectors, int64_t count,
                                                          const steps *s, const float *x,
                                                          const float *dy, float *sums) {
  vec sum[TAPS][2];
  for (int k = 0; k < taps; k++)
    for (int v = 0; v < vectors; v++)
      sum[k][v] = *(const vec *)(sums + k * s->sums + v * LANES);
  for (int64_t i = 0; i < count; i++, x += s->x, dy += s->dy)
    for (int v = 0; v < vectors; v++) {
      const vec given = *(const vec *)(dy + v * LANES);
      for (int k = 0; k < taps; k++)
        sum[k][v] += *(const vec *)(x + k * s->tap + v * LANES) * given;
    }
  for (int k = 0; k < taps; k++)
    for (int v = 0; v < vectors; v++)
      *(vec *)(sums + k * s->sums + v * LANES) = sum[k][v];
}

static void sum_channels(int64_t channels, const float *restrict x, const float *restrict dy,
                         float *restrict sums) {
  for (int64_t c = 0; c < channels; c++)
    sums[c] += x[c] * dy[c];
}

/** Where outputs are few, or channels fill no register. */
static void sum_few(int64_t channels, int taps, int64_t count, const steps *s, const float *x,
                    const float *dy, float *sums) {
  for (int64_t i = 0; i < count; i++, x += s->x, dy += s->dy)
    for (int k = 0; k < taps; k++)
      sum_channels(channels, x + k * s->tap, dy, sums + k * s->sums);
}

/** Adds to the sums of `taps` elements of the window what `count` outputs of a row give. */
static void sum_outputs(int64_t channels, int taps, int64_t count, const steps *s, const float *x,
                        const float *dy, float *sums) {
  int64_t c = 0;
  if (taps == TAPS && count >= MANY) {
    for (; c + 2 * LANES <= channels; c += 2 * LANES)
      sum_row(TAPS, 2, count, s, x + c, dy + c, sums + c);
    for (; c + LANES <= channels; c += LANES)
      sum_row(TAPS, 1, count, s, x + c, dy + c, sums + c);
  }
  if (c < channels)
    sum_few(channels - c, taps, count, s, x + c, dy + c, sums + c);
}

/** Some elements of a row of the window, and the outputs of a row at which they see the input. */
typedef struct taps {
  int64_t first;
  int count;
  range seen[TAPS], common;
} taps;

static taps find_taps(const cusp_windows *w, int64_t first) {
  taps t = {.first = first,
            .count = (int)least(TAPS, w->size[WIDTH] - first),
            .common = {0, w->output[WIDTH]}};
  for (int k = 0; k < t.count; k++) {
    t.seen[k] = outputs_at(w, WIDTH, first + k);
    t.common.first = greatest(t.common.first, t.seen[k].first);
    t.common.end = least(t.common.end, t.seen[k].end);
  }
  t.common.end = greatest(t.common.first, t.common.end);
  return t;
}

/** A row of the input, a row of outputs, and the sums of the row of the window between them. */
typedef struct row {
  const cusp_windows *w;
  int64_t channels;
  steps steps;
  const float *x, *dy;
  float *sums;
} row;

/** Outputs of `part`, for elements `first` to `first + count` of the window. */
static void sum_part(const row *r, int64_t first, int count, range part) {
  const cusp_windows *w = r->w;
  const int64_t at = part.first * w->stride[WIDTH] - w->low[WIDTH] + first * w->dilation[WIDTH];
  if (part.first < part.end)
    sum_outputs(r->channels, count, part.end - part.first, &r->steps, r->x + at * r->steps.dy,
                r->dy + part.first * r->steps.dy, r->sums + first * r->steps.sums);
}

/** Outputs that all elements see together; then at both edges those that some see. */
static void sum_taps(const row *r, const taps *t) {
  sum_part(r, t->first, t->count, t->common);
  for (int k = 0; k < t->count; k++) {
    const range seen = t->seen[k];
    sum_part(r, t->first + k, 1, (range){seen.first, least(seen.end, t->common.first)});
    sum_part(r, t->first + k, 1, (range){greatest(seen.first, t->common.end), seen.end});
  }
}

/** A row of the window over all rows of one plane of outputs, and the plane that it sees. */
static void sum_plane(const cusp_depthwise_part *p, const taps *t, const int64_t plane[2],
                      const int64_t k[2]) {
  const cusp_convolution *c = p->convolution;
  const cusp_windows *w = &c->windows;
  const range rows = outputs_at(w, HEIGHT, k[HEIGHT]);
  row r = {.w = w,
           .channels = p->channels,
           .steps = {.x = w->stride[WIDTH] * c->channels,
                     .dy = c->channels,
                     .tap = w->dilation[WIDTH] * c->channels,
                     .sums = c->channels},
           .sums = p->sums + p->first_channel +
                   (k[DEPTH] * w->size[HEIGHT] + k[HEIGHT]) * w->size[WIDTH] * c->channels};
  for (int64_t o = rows.first; o < rows.end; o++) {
    const int64_t at = o * w->stride[HEIGHT] - w->low[HEIGHT] + k[HEIGHT] * w->dilation[HEIGHT];
    const int64_t x = (plane[0] * w->input[HEIGHT] + at) * w->input[WIDTH];
    const int64_t dy = (plane[1] * w->output[HEIGHT] + o) * w->output[WIDTH];
    r.x = p->x + p->first_channel + x * c->channels;
    r.dy = p->dy + p->first_channel + dy * c->channels;
    sum_taps(&r, t);
  }
}

static void sum_image(const cusp_depthwise_part *p, const taps *t, int64_t image) {
  const cusp_windows *w = &p->convolution->windows;
  for (int64_t depth = 0; depth < w->size[DEPTH]; depth++) {
    const range planes = outputs_at(w, DEPTH, depth);
    for (int64_t o = planes.first; o < planes.end; o++) {
      const int64_t at = o * w->stride[DEPTH] - w->low[DEPTH] + depth * w->dilation[DEPTH];
      const int64_t plane[] = {image * w->input[DEPTH] + at, image * w->output[DEPTH] + o};
      for (int64_t height = 0; height < w->size[HEIGHT]; height++)
        sum_plane(p, t, plane, (const int64_t[]){depth, height});
    }
  }
}

static void kernel_gradient(const cusp_depthwise_part *p) {
  const cusp_windows *w = &p->convolution->windows;
  for (int64_t k = 0; k < cusp_window_count(w->size); k++)
    memset(p->sums + k * p->convolution->channels + p->first_channel, 0,
           (size_t)p->channels * sizeof(float));
  for (int64_t first = 0; first < w->size[WIDTH]; first += TAPS) {
    const taps t = find_taps(w, first);
    for (int64_t image = p->first_image; image < p->end_image; image++)
      sum_image(p, &t, image);
  }
}

const cusp_depthwise_loops CUSP_ISA(cusp_depthwise_table) = kernel_gradient;
