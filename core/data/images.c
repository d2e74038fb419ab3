#include "images.h"

#include "../base/library.h"
#include "../base/memory.h"
#include "bytes.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#define LARGEST_FILE ((size_t)1 << 30)

static const cusp_images *table;
static char failure[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  table = cusp_library_load("native/images.so", CUSP_IMAGES_SYMBOL, CUSP_IMAGES_VERSION, failure,
                            sizeof failure);
}

const cusp_images *cusp_images_load(void) {
  pthread_once(&once, load);
  if (!table)
    cusp_fail(CUSP_EBACKEND,
              "pictures cannot be read (Debian packages libpng16-16, libjpeg62-turbo): %s",
              failure);
  return table;
}

cusp_status cusp_image_read(cusp_image *out, const char *path, cusp_image_style style,
                            int channels) {
  const cusp_images *images = cusp_images_load();
  char *bytes, message[256] = "";
  size_t size;
  memset(out, 0, sizeof *out);
  if (!images)
    return CUSP_EBACKEND;
  CUSP_TRY(cusp_read_file(&bytes, &size, path, LARGEST_FILE));
  bool ok = images->decode((const unsigned char *)bytes, size, style, channels, out, message,
                           sizeof message);
  cusp_free(bytes);
  return ok ? CUSP_OK : cusp_fail(CUSP_EIO, "%s: %s", path, message);
}

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

/* The same where all that is weighed lies within the picture: `lines` are those of the row's taps,
 * `at` the first tap's sample in a line. */
static inline float weigh_inside(const unsigned char *const *lines, const taps *row,
                                 const taps *column, int64_t at, int channels) {
  const float *across = column->weight, *down = row->weight;
  if (row->count == 2 && column->count == 2) {
    float upper = across[0] * lines[0][at] + across[1] * lines[0][at + channels],
          lower = across[0] * lines[1][at] + across[1] * lines[1][at + channels];
    return down[0] * upper + down[1] * lower;
  }
  float sum = 0;
  for (int j = 0; j < row->count; j++) {
    float part = 0;
    for (int k = 0; k < column->count; k++)
      part += across[k] * lines[j][at + k * channels];
    sum += down[j] * part;
  }
  return sum;
}

static bool is_inside(const placement *p) {
  return p->top >= 0 && p->left >= 0 && p->top + p->height <= p->image->height &&
         p->left + p->width <= p->image->width;
}

static void weigh_line_inside(const placement *p, int64_t y, const taps *row, const taps *columns) {
  const cusp_image_layout *l = p->layout;
  int channels = p->image->channels;
  int64_t next = l->channels_first ? l->height * l->width : 1;
  const unsigned char *lines[4];
  for (int j = 0; j < row->count; j++)
    lines[j] =
        p->image->pixels + ((row->first + j + p->top) * p->image->width + p->left) * channels;
  for (int64_t x = 0; x < l->width; x++) {
    float *out = out_at(p, y, x, 0);
    int64_t at = columns[x].first * channels;
    for (int c = 0; c < channels; c++)
      out[c * next] = weigh_inside(lines, row, &columns[x], at + c, channels);
  }
}

static void weigh_line(const placement *p, int64_t y, const taps *row, const taps *columns) {
  for (int64_t x = 0; x < p->layout->width; x++)
    for (int c = 0; c < p->layout->channels; c++)
      *out_at(p, y, x, c) = weigh(p, row, &columns[x], c);
}

static cusp_status resize_by_taps(const placement *p) {
  const cusp_image_layout *l = p->layout;
  taps *columns;
  double down = (double)p->height / (double)l->height, across = (double)p->width / (double)l->width;
  bool inside = is_inside(p);
  CUSP_TRY(cusp_alloc((void **)&columns, (size_t)l->width * sizeof *columns));
  for (int64_t x = 0; x < l->width; x++)
    columns[x] = taps_of(l->interpolation, x, across, p->width);
  for (int64_t y = 0; y < l->height; y++) {
    taps row = taps_of(l->interpolation, y, down, p->height);
    if (inside)
      weigh_line_inside(p, y, &row, columns);
    else
      weigh_line(p, y, &row, columns);
  }
  cusp_free(columns);
  return CUSP_OK;
}

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

/* ------------------------------------------------------------------ rows */

typedef struct image_reader {
  cusp_reader base;
  cusp_image_layout layout;
  char *text;   /* all paths, each ended by a zero */
  char **paths; /* into text */
} image_reader;

static void images_free(cusp_reader *reader) {
  image_reader *self = (image_reader *)reader;
  cusp_free(self->text);
  cusp_free(self->paths);
}

static cusp_status images_read(cusp_reader *reader, const int64_t *rows, int64_t count,
                               void *const *out) {
  image_reader *self = (image_reader *)reader;
  for (int64_t i = 0; i < count; i++) {
    cusp_image image;
    CUSP_TRY(cusp_image_read(&image, self->paths[rows[i]], CUSP_STYLE_TENSORFLOW,
                             self->layout.channels));
    cusp_status status = cusp_image_resize(
        &image, &self->layout, (float *)((char *)out[0] + (size_t)i * reader->columns[0].bytes));
    table->release(&image);
    CUSP_TRY(status);
  }
  return CUSP_OK;
}

static cusp_status copy_paths(image_reader *self, int64_t count, const char *const *paths) {
  size_t bytes = 0;
  for (int64_t i = 0; i < count; i++)
    bytes += strlen(paths[i]) + 1;
  CUSP_TRY(cusp_alloc((void **)&self->text, bytes));
  CUSP_TRY(cusp_alloc((void **)&self->paths, (size_t)count * sizeof *self->paths));
  char *to = self->text;
  for (int64_t i = 0; i < count; i++) {
    self->paths[i] = strcpy(to, paths[i]);
    to += strlen(paths[i]) + 1;
  }
  return CUSP_OK;
}

cusp_status cusp_reader_images(cusp_reader **out, int64_t count, const char *const *paths,
                               const cusp_image_layout *layout) {
  cusp_reader *made;
  *out = NULL;
  if (!cusp_images_load())
    return CUSP_EBACKEND;
  CUSP_TRY(cusp_reader_new(&made, sizeof(image_reader), 1));
  image_reader *self = (image_reader *)made;
  self->layout = *layout;
  made->rows = count;
  made->read = images_read;
  made->free = images_free;
  cusp_shape last = {.ndim = 3, .size = {layout->height, layout->width, layout->channels}},
             first = {.ndim = 3, .size = {layout->channels, layout->height, layout->width}};
  cusp_status status =
      cusp_column_set(&made->columns[0], CUSP_FLOAT32, layout->channels_first ? &first : &last);
  if (status == CUSP_OK)
    status = copy_paths(self, count, paths);
  if (status != CUSP_OK)
    cusp_reader_release(made);
  else
    *out = made;
  return status;
}
