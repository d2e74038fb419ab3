#include "resample.h"

#include "../base/memory.h"

#include <math.h>
#include <string.h>

#define FRACTION_BITS 22 /* of the weights of bytes */

/* ------------------------------------------------------------------ filters */

static double box_filter(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }

static double bilinear_filter(double x) {
  x = fabs(x);
  return x < 1 ? 1 - x : 0;
}

static double hamming_filter(double x) {
  x = fabs(x);
  if (x == 0)
    return 1;
  if (x >= 1)
    return 0;
  x *= M_PI;
  return sin(x) / x * ((double)0.54f + (double)0.46f * cos(x));
}

static double bicubic_filter(double x) { /* Keys, a = -0.5 */
  const double a = -0.5;
  x = fabs(x);
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double sinc(double x) {
  x *= M_PI;
  return x == 0 ? 1 : sin(x) / x;
}

static double lanczos_filter(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

typedef struct filter {
  double (*weight)(double x);
  double support; /* it is zero further from the middle */
} filter;

static const filter filters[] = {
    [CUSP_RESAMPLE_BILINEAR] = {bilinear_filter, 1}, [CUSP_RESAMPLE_BICUBIC] = {bicubic_filter, 2},
    [CUSP_RESAMPLE_BOX] = {box_filter, 0.5},         [CUSP_RESAMPLE_HAMMING] = {hamming_filter, 1},
    [CUSP_RESAMPLE_LANCZOS] = {lanczos_filter, 3},
};

/* ------------------------------------------------------------------ weights */

/* One axis: output i is the weighted sum of `count[i]` inputs from `first[i]`. */
typedef struct axis {
  int64_t size, reach; /* outputs, and the most inputs of one */
  int64_t *first, *count;
  double *weights; /* reach for each output */
  int64_t *fixed;  /* the same in units of 2^-22, for bytes */
} axis;

static void free_axis(axis *a) {
  cusp_free(a->first);
  cusp_free(a->weights);
  cusp_free(a->fixed);
}

static int64_t fixed(double weight) {
  double scaled = weight * (1 << FRACTION_BITS);
  return (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

static void weigh(axis *a, int64_t i, const filter *f, double center, double stretch) {
  double *weights = a->weights + i * a->reach, sum = 0;
  for (int64_t k = 0; k < a->count[i]; k++) {
    weights[k] = f->weight(((double)(k + a->first[i]) - center + 0.5) * (1 / stretch));
    sum += weights[k];
  }
  for (int64_t k = 0; k < a->count[i]; k++) {
    weights[k] /= sum != 0 ? sum : 1;
    a->fixed[i * a->reach + k] = fixed(weights[k]);
  }
}

/* The part of `in` positions from `start` on, `length` long, as `size` positions. */
static cusp_status make_axis(axis *a, const filter *f, int64_t in, int64_t start, int64_t length,
                             int64_t size) {
  double scale = (double)length / (double)size, stretch = scale < 1 ? 1 : scale,
         support = f->support * stretch;
  size_t bytes;
  *a = (axis){.size = size, .reach = (int64_t)ceil(support) * 2 + 1};
  CUSP_TRY(cusp_multiply_size(&bytes, (size_t)(a->reach * size), sizeof *a->weights));
  CUSP_TRY(cusp_alloc((void **)&a->weights, bytes));
  CUSP_TRY(cusp_alloc((void **)&a->fixed, bytes));
  CUSP_TRY(cusp_alloc((void **)&a->first, 2 * (size_t)size * sizeof *a->first));
  a->count = a->first + size;
  for (int64_t i = 0; i < size; i++) {
    double center = (double)start + ((double)i + 0.5) * scale;
    int64_t low = (int64_t)(center - support + 0.5), high = (int64_t)(center + support + 0.5);
    a->first[i] = low < 0 ? 0 : low;
    a->count[i] = (high > in ? in : high) - a->first[i];
    weigh(a, i, f, center, stretch);
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ one sample */

static unsigned char byte_sum(const unsigned char *from, int64_t stride, const int64_t *weights,
                              int64_t count) {
  int64_t sum = 1 << (FRACTION_BITS - 1);
  for (int64_t k = 0; k < count; k++)
    sum += from[k * stride] * weights[k];
  sum >>= FRACTION_BITS;
  return (unsigned char)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static uint16_t wide_sum(const unsigned char *from, int64_t stride, const double *weights,
                         int64_t count) {
  double sum = 0;
  for (int64_t k = 0; k < count; k++) {
    uint16_t sample;
    memcpy(&sample, from + k * stride, sizeof sample);
    sum += sample * weights[k];
  }
  sum = floor(sum + 0.5);
  return (uint16_t)(sum < 0 ? 0 : sum > UINT16_MAX ? UINT16_MAX : sum);
}

/* One output sample of `depth` bytes; `stride` is from one input sample to the next. */
static void put_sum(unsigned char *to, const unsigned char *from, int depth, int64_t stride,
                    const axis *a, int64_t i) {
  from += a->first[i] * stride;
  if (depth == 1) {
    *to = byte_sum(from, stride, a->fixed + i * a->reach, a->count[i]);
    return;
  }
  uint16_t sample = wide_sum(from, stride, a->weights + i * a->reach, a->count[i]);
  memcpy(to, &sample, sizeof sample);
}

/* ------------------------------------------------------------------ passes */

/* `lines` lines of `width` pixels. */
static void across(const cusp_image *image, const unsigned char *from, int64_t lines,
                   const axis *columns, unsigned char *out) {
  int depth = image->depth, pixel = image->channels * depth;
  for (int64_t y = 0; y < lines; y++, from += image->width * pixel)
    for (int64_t x = 0; x < columns->size; x++)
      for (int c = 0; c < pixel; c += depth, out += depth)
        put_sum(out, from + c, depth, pixel, columns, x);
}

/* Lines of `line` bytes. */
static void down(const cusp_image *image, const unsigned char *from, int64_t line, const axis *rows,
                 unsigned char *out) {
  for (int64_t y = 0; y < rows->size; y++)
    for (int64_t at = 0; at < line; at += image->depth, out += image->depth)
      put_sum(out, from + at, image->depth, line, rows, y);
}

/* The pass that goes first rounds first: Pillow begins with the rows where many more of them than
 * of the columns go. */
static bool begins_with_rows(const cusp_image *image, const cusp_resample_options *o) {
  return o->height < image->height && image->height - o->height > 2 * (image->width - o->width);
}

static cusp_status run_passes(const cusp_image *image, const axis *columns, const axis *rows,
                              bool rows_first, unsigned char *out) {
  int64_t pixel = image->channels * image->depth,
          line = pixel * (rows_first ? image->width : columns->size);
  unsigned char *between;
  size_t bytes;
  CUSP_TRY(
      cusp_multiply_size(&bytes, (size_t)line, (size_t)(rows_first ? rows->size : image->height)));
  CUSP_TRY(cusp_alloc((void **)&between, bytes));
  if (rows_first) {
    down(image, image->pixels, line, rows, between);
    across(image, between, rows->size, columns, out);
  } else {
    across(image, image->pixels, image->height, columns, between);
    down(image, between, line, rows, out);
  }
  cusp_free(between);
  return CUSP_OK;
}

/* The rectangle of the picture that is resized. */
typedef struct part {
  int64_t top, left, height, width;
} part;

static cusp_status filter_part(const cusp_image *image, const part *p,
                               const cusp_resample_options *o, unsigned char *out) {
  const filter *f = &filters[o->filter];
  axis columns = {0}, rows = {0};
  cusp_status status = make_axis(&columns, f, image->width, p->left, p->width, o->width);
  if (status == CUSP_OK)
    status = make_axis(&rows, f, image->height, p->top, p->height, o->height);
  if (status == CUSP_OK)
    status = run_passes(image, &columns, &rows, begins_with_rows(image, o), out);
  free_axis(&columns);
  free_axis(&rows);
  return status;
}

/* The position of each output pixel: Pillow adds steps up for bytes and multiplies for 16 bits,
 * which decides where an edge between pixels is met. */
static int64_t position(const cusp_image *image, double *at, double start, double step, int64_t i,
                        int64_t size) {
  double here = image->depth == 1 ? *at : start + ((double)i + 0.5) * step;
  *at += step;
  return (int64_t)here < size ? (int64_t)here : size - 1;
}

static void pick_part(const cusp_image *image, const part *p, const cusp_resample_options *o,
                      unsigned char *out) {
  size_t pixel = (size_t)(image->channels * image->depth);
  double top = (double)p->top, left = (double)p->left;
  double tall = (double)p->height / (double)o->height, wide = (double)p->width / (double)o->width;
  double at_y = top + tall * 0.5;
  for (int64_t y = 0; y < o->height; y++) {
    int64_t row = position(image, &at_y, top, tall, y, image->height);
    double at_x = left + wide * 0.5;
    for (int64_t x = 0; x < o->width; x++, out += pixel) {
      int64_t column = position(image, &at_x, left, wide, x, image->width);
      memcpy(out, image->pixels + (size_t)(row * image->width + column) * pixel, pixel);
    }
  }
}

/* ------------------------------------------------------------------ transparency */

/* Colours count as much as they are opaque: they are weighted by alpha before, and freed of it
 * after. */
static void premultiply(unsigned char *pixels, int64_t count) {
  for (unsigned char *at = pixels; at < pixels + 4 * count; at += 4)
    for (int c = 0; c < 3; c++) {
      int product = at[c] * at[3] + 128;
      at[c] = (unsigned char)(((product >> 8) + product) >> 8);
    }
}

static void unpremultiply(unsigned char *pixels, int64_t count) {
  for (unsigned char *at = pixels; at < pixels + 4 * count; at += 4)
    for (int c = 0; c < 3 && at[3] != 0 && at[3] != 255; c++) {
      int value = 255 * at[c] / at[3];
      at[c] = (unsigned char)(value > 255 ? 255 : value);
    }
}

/* Of a part without any width or height, what is around it comes, as in Pillow. */
static part choose_part(const cusp_image *image, const cusp_resample_options *o) {
  part p = {.height = image->height, .width = image->width};
  if (!o->keep_aspect_ratio)
    return p;
  int64_t height = image->width * o->height / o->width,
          width = image->height * o->width / o->height;
  p.height = height < p.height ? height : p.height;
  p.width = width < p.width ? width : p.width;
  p.top = (image->height - p.height) / 2;
  p.left = (image->width - p.width) / 2;
  return p;
}

cusp_status cusp_image_resample(cusp_image *image, const cusp_resample_options *options,
                                unsigned char *out) {
  part p = choose_part(image, options);
  if (image->height == options->height && image->width == options->width) {
    memcpy(out, image->pixels,
           (size_t)(image->height * image->width * image->channels * image->depth));
    return CUSP_OK;
  }
  if (options->filter == CUSP_RESAMPLE_NEAREST) {
    pick_part(image, &p, options, out);
    return CUSP_OK;
  }
  if (image->channels == 4)
    premultiply(image->pixels, image->height * image->width);
  CUSP_TRY(filter_part(image, &p, options, out));
  if (image->channels == 4)
    unpremultiply(out, options->height * options->width);
  return CUSP_OK;
}
