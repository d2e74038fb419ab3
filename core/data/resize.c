/* Decoded pictures in one size, as tf.image.resize makes it: each output sample is a weighted sum,
 * across first, then down. */
#pragma GCC optimize("O3") /* bytes become floats in vectors */

#include "images.h"

#include "../base/memory.h"

#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------ resizing */

/* One axis: output position i is the weighted sum of `count` input positions from `first`. */
typedef struct taps {
  int64_t first;
  int count;
  float weight[4];
} taps;

static int64_t clamp(int64_t i, int64_t size) { return i < 0 ? 0 : i >= size ? size - 1 : i; }

static taps nearest_taps(int64_t i, double scale, int64_t in) {
  return (taps){
      .first = clamp((int64_t)floor(((double)i + 0.5) * scale), in), .count = 1, .weight = {1}};
}

static taps bilinear_taps(int64_t i, double scale, int64_t in) {
  float at = ((float)i + 0.5f) * (float)scale - 0.5f, low = floorf(at);
  int64_t first = clamp((int64_t)low, in), second = clamp((int64_t)low + 1, in);
  float part = at - low;
  if (first == second)
    return (taps){.first = first, .count = 1, .weight = {1}};
  return (taps){.first = first, .count = 2, .weight = {1 - part, part}};
}

static double cubic(double x) { /* Keys, a = -0.5 */
  x = fabs(x);
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* Positions beyond the edge do not count; the rest is brought to a sum of 1. */
static taps bicubic_taps(int64_t i, double scale, int64_t in) {
  double at = ((double)i + 0.5) * scale - 0.5, sum = 0;
  int64_t low = (int64_t)floor(at) - 1, first = low < 0 ? 0 : low,
          last = low + 3 < in ? low + 3 : in - 1;
  taps t = {.first = first, .count = (int)(last - first + 1)};
  double weight[4];
  for (int k = 0; k < t.count; k++)
    sum += weight[k] = cubic((double)(first + k) - at);
  for (int k = 0; k < t.count; k++)
    t.weight[k] = (float)(weight[k] / sum);
  return t;
}

static taps taps_of(cusp_interpolation interpolation, int64_t i, double scale, int64_t in) {
  switch (interpolation) {
  case CUSP_NEAREST: return nearest_taps(i, scale, in);
  case CUSP_BICUBIC: return bicubic_taps(i, scale, in);
  default: return bilinear_taps(i, scale, in);
  }
}

/* The rectangle of a picture's plane that is resized; what of it lies outside the picture is 0. */
typedef struct placement {
  const cusp_image *image;
  /* in pixels of the picture; top and left are negative where it is padded */
  int64_t top, left, height, width;
  const cusp_image_layout *layout;
  float *out;
} placement;

static float *out_at(const placement *p, int64_t y, int64_t x, int c) {
  const cusp_image_layout *l = p->layout;
  return p->out + (l->channels_first ? (c * l->height + y) * l->width + x
                                     : (y * l->width + x) * l->channels + c);
}

static float sample(const placement *p, int64_t y, int64_t x, int c) {
  y += p->top;
  x += p->left;
  if (y < 0 || x < 0 || y >= p->image->height || x >= p->image->width)
    return 0;
  return p->image->pixels[(y * p->image->width + x) * p->image->channels + c];
}

/* One output element: across first, then down. */
static float weigh(const placement *p, const taps *row, const taps *column, int c) {
  float sum = 0;
  for (int j = 0; j < row->count; j++) {
    float part = 0;
    for (int k = 0; k < column->count; k++)
      part += column->weight[k] * sample(p, row->first + j, column->first + k, c);
    sum += row->weight[j] * part;
  }
  return sum;
}

static bool is_inside(const placement *p) {
  return p->top >= 0 && p->left >= 0 && p->top + p->height <= p->image->height &&
         p->left + p->width <= p->image->width;
}

static void weigh_all(const placement *p, const taps *columns, double down) {
  const cusp_image_layout *l = p->layout;
  for (int64_t y = 0; y < l->height; y++) {
    taps row = taps_of(l->interpolation, y, down, p->height);
    for (int64_t x = 0; x < l->width; x++)
      for (int c = 0; c < l->channels; c++)
        *out_at(p, y, x, c) = weigh(p, &row, &columns[x], c);
  }
}

/* ------------------------------------------------------------------ line by line */

/* Lines of the picture that are resized across, by the last two bits of their numbers: a filter
 * reads up to four in a row. Pixels are read and written four samples at a time, so each line has
 * room behind it. */
enum { LINES = 4, ROOM = 4 };

typedef float four __attribute__((vector_size(16)));

typedef struct lines {
  float *memory, *source, *mixed; /* a line as wide as the rectangle, and one as the output */
  float *line[LINES];
  int64_t number[LINES]; /* -1: none yet */
} lines;

static four load(const float *from) {
  four value;
  memcpy(&value, from, sizeof value);
  return value;
}

static void store(float *to, four value) { memcpy(to, &value, sizeof value); }

static cusp_status make_lines(lines *made, const placement *p) {
  size_t channels = (size_t)p->image->channels, source = (size_t)p->width * channels + ROOM,
         line = (size_t)p->layout->width * channels + ROOM;
  CUSP_TRY(
      cusp_alloc_zeroed((void **)&made->memory, (source + (LINES + 1) * line) * sizeof(float)));
  made->source = made->memory;
  made->mixed = made->source + source;
  for (int i = 0; i < LINES; i++) {
    made->line[i] = made->mixed + (size_t)(i + 1) * line;
    made->number[i] = -1;
  }
  return CUSP_OK;
}

static void to_floats(float *restrict to, const unsigned char *from, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    to[i] = from[i];
}

static void weigh_across(float *out, const float *source, const taps *columns, int64_t width,
                         int channels) {
  for (int64_t x = 0; x < width; x++, out += channels) {
    const float *from = source + columns[x].first * channels, *weight = columns[x].weight;
    four sum = load(from) * weight[0];
    for (int k = 1; k < columns[x].count; k++)
      sum += load(from + k * channels) * weight[k];
    store(out, sum);
  }
}

/* Line `y` of the rectangle, resized across. */
static const float *line_across(lines *l, const placement *p, const taps *columns, int64_t y) {
  int slot = (int)(y % LINES), channels = p->image->channels;
  if (l->number[slot] != y) {
    const unsigned char *pixels =
        p->image->pixels + ((y + p->top) * p->image->width + p->left) * channels;
    to_floats(l->source, pixels, p->width * channels);
    weigh_across(l->line[slot], l->source, columns, p->layout->width, channels);
    l->number[slot] = y;
  }
  return l->line[slot];
}

static void weigh_down(float *out, const float *const *rows, const taps *row, int64_t count) {
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    four sum = load(rows[0] + i) * row->weight[0];
    for (int k = 1; k < row->count; k++)
      sum += load(rows[k] + i) * row->weight[k];
    store(out + i, sum);
  }
  for (; i < count; i++) {
    float sum = rows[0][i] * row->weight[0];
    for (int k = 1; k < row->count; k++)
      sum += rows[k][i] * row->weight[k];
    out[i] = sum;
  }
}

static void spread_channels(const placement *p, int64_t y, const float *line) {
  for (int64_t x = 0; x < p->layout->width; x++)
    for (int c = 0; c < p->layout->channels; c++)
      *out_at(p, y, x, c) = *line++;
}

static cusp_status weigh_inside(const placement *p, const taps *columns, double down) {
  const cusp_image_layout *l = p->layout;
  lines kept;
  CUSP_TRY(make_lines(&kept, p));
  for (int64_t y = 0; y < l->height; y++) {
    taps row = taps_of(l->interpolation, y, down, p->height);
    const float *rows[LINES];
    for (int k = 0; k < row.count; k++)
      rows[k] = line_across(&kept, p, columns, row.first + k);
    weigh_down(l->channels_first ? kept.mixed : out_at(p, y, 0, 0), rows, &row,
               l->width * l->channels);
    if (l->channels_first)
      spread_channels(p, y, kept.mixed);
  }
  cusp_free(kept.memory);
  return CUSP_OK;
}

static cusp_status resize_by_taps(const placement *p) {
  const cusp_image_layout *l = p->layout;
  taps *columns;
  double down = (double)p->height / (double)l->height, across = (double)p->width / (double)l->width;
  CUSP_TRY(cusp_alloc((void **)&columns, (size_t)l->width * sizeof *columns));
  for (int64_t x = 0; x < l->width; x++)
    columns[x] = taps_of(l->interpolation, x, across, p->width);
  cusp_status status = CUSP_OK;
  if (is_inside(p))
    status = weigh_inside(p, columns, down);
  else
    weigh_all(p, columns, down);
  cusp_free(columns);
  return status;
}

/* ------------------------------------------------------------------ by area, and whole pictures */

/* The mean over the rectangle that falls to an output pixel, parts of pixels counted as parts. */
static float area_mean(const placement *p, double top, double bottom, double left, double right,
                       int c) {
  double sum = 0, weight = 0;
  for (int64_t y = (int64_t)top; y < p->height && (double)y < bottom; y++) {
    double tall = fmin(bottom, (double)y + 1) - fmax(top, (double)y);
    for (int64_t x = (int64_t)left; x < p->width && (double)x < right; x++) {
      double part = tall * (fmin(right, (double)x + 1) - fmax(left, (double)x));
      sum += part * sample(p, y, x, c);
      weight += part;
    }
  }
  return weight > 0 ? (float)(sum / weight) : 0;
}

static void resize_by_area(const placement *p) {
  double down = (double)p->height / (double)p->layout->height,
         across = (double)p->width / (double)p->layout->width;
  for (int64_t y = 0; y < p->layout->height; y++)
    for (int64_t x = 0; x < p->layout->width; x++)
      for (int c = 0; c < p->layout->channels; c++)
        *out_at(p, y, x, c) = area_mean(p, (double)y * down, (double)(y + 1) * down,
                                        (double)x * across, (double)(x + 1) * across, c);
}

/* Sides of the rectangle with the layout's aspect ratio that has the picture's other side. */
static int64_t matching_height(const placement *p) {
  return (int64_t)((double)(p->image->width * p->layout->height) / (double)p->layout->width);
}
static int64_t matching_width(const placement *p) {
  return (int64_t)((double)(p->image->height * p->layout->width) / (double)p->layout->height);
}

/* The largest middle part of the picture with the layout's aspect ratio. */
static void crop(placement *p) {
  int64_t height = matching_height(p), width = matching_width(p);
  p->height = height < 1 ? 1 : height < p->height ? height : p->height;
  p->width = width < 1 ? 1 : width < p->width ? width : p->width;
}

/* The smallest rectangle around the picture with the layout's aspect ratio, as much above as below
 * and left as right, as Keras has it. */
static void pad(placement *p) {
  int64_t height = matching_height(p), width = matching_width(p);
  if (height > p->height)
    p->height += (height - p->height) / 2 * 2;
  if (width > p->width)
    p->width += (width - p->width) / 2 * 2;
}

cusp_status cusp_image_resize(const cusp_image *image, const cusp_image_layout *layout,
                              float *out) {
  placement p = {
      .image = image, .height = image->height, .width = image->width, .layout = layout, .out = out};
  if (layout->crop)
    crop(&p);
  else if (layout->pad)
    pad(&p);
  p.top = (image->height - p.height) / 2;
  p.left = (image->width - p.width) / 2;
  if (layout->interpolation != CUSP_AREA)
    return resize_by_taps(&p);
  resize_by_area(&p);
  return CUSP_OK;
}
