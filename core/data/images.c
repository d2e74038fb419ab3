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
  table = cusp_library_load("native/images.so", CUSP_IMAGES_SYMBOL, CUSP_IMAGES_VERSION, failure, sizeof failure);
}

const cusp_images *cusp_images_load(void) {
  pthread_once(&once, load);
  if (!table)
    cusp_fail(CUSP_EBACKEND, "pictures cannot be read (Debian packages libpng16-16, libjpeg62-turbo): %s", failure);
  return table;
}

cusp_status cusp_image_read(cusp_image *out, const char *path, int channels) {
  const cusp_images *images = cusp_images_load();
  char *bytes, message[256] = "";
  size_t size;
  memset(out, 0, sizeof *out);
  if (!images)
    return CUSP_EBACKEND;
  CUSP_TRY(cusp_read_file(&bytes, &size, path, LARGEST_FILE));
  bool ok = images->decode((const unsigned char *)bytes, size, channels, out, message, sizeof message);
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
  return (taps){.first = clamp((int64_t)floor((i + 0.5) * scale), in), .count = 1, .weight = {1}};
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
  double at = (i + 0.5) * scale - 0.5, sum = 0;
  int64_t low = (int64_t)floor(at) - 1, first = low < 0 ? 0 : low, last = low + 3 < in ? low + 3 : in - 1;
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

/* Part of a picture that is resized, and where the result goes. */
typedef struct placement {
  const cusp_image *image;
  int64_t top, left, in_height, in_width;         /* of the picture */
  int64_t above, before, out_height, out_width;   /* within the row */
  const cusp_image_layout *layout;
  float *out;
} placement;

static float *out_at(const placement *p, int64_t y, int64_t x, int c) {
  const cusp_image_layout *l = p->layout;
  y += p->above;
  x += p->before;
  return p->out + (l->channels_first ? (c * l->height + y) * l->width + x : (y * l->width + x) * l->channels + c);
}

static const unsigned char *pixel(const placement *p, int64_t y, int64_t x) {
  return p->image->pixels + ((p->top + y) * p->image->width + p->left + x) * p->image->channels;
}

static cusp_status resize_by_taps(const placement *p) {
  taps *columns;
  double down = (double)p->in_height / (double)p->out_height, across = (double)p->in_width / (double)p->out_width;
  CUSP_TRY(cusp_alloc((void **)&columns, (size_t)p->out_width * sizeof *columns));
  for (int64_t x = 0; x < p->out_width; x++)
    columns[x] = taps_of(p->layout->interpolation, x, across, p->in_width);
  for (int64_t y = 0; y < p->out_height; y++) {
    taps row = taps_of(p->layout->interpolation, y, down, p->in_height);
    for (int64_t x = 0; x < p->out_width; x++)
      for (int c = 0; c < p->layout->channels; c++) {
        float sum = 0;
        for (int j = 0; j < row.count; j++) {
          const unsigned char *line = pixel(p, row.first + j, columns[x].first) + c;
          float part = 0;
          for (int k = 0; k < columns[x].count; k++)
            part += columns[x].weight[k] * line[k * p->image->channels];
          sum += row.weight[j] * part;
        }
        *out_at(p, y, x, c) = sum;
      }
  }
  cusp_free(columns);
  return CUSP_OK;
}

/* The mean over the rectangle that falls to an output pixel, parts of pixels counted as parts. */
static float area_mean(const placement *p, double top, double bottom, double left, double right, int c) {
  double sum = 0, weight = 0;
  for (int64_t y = (int64_t)top; y < p->in_height && (double)y < bottom; y++) {
    double tall = fmin(bottom, (double)y + 1) - fmax(top, (double)y);
    for (int64_t x = (int64_t)left; x < p->in_width && (double)x < right; x++) {
      double part = tall * (fmin(right, (double)x + 1) - fmax(left, (double)x));
      sum += part * pixel(p, y, x)[c];
      weight += part;
    }
  }
  return weight > 0 ? (float)(sum / weight) : 0;
}

static void resize_by_area(const placement *p) {
  double down = (double)p->in_height / (double)p->out_height, across = (double)p->in_width / (double)p->out_width;
  for (int64_t y = 0; y < p->out_height; y++)
    for (int64_t x = 0; x < p->out_width; x++)
      for (int c = 0; c < p->layout->channels; c++)
        *out_at(p, y, x, c) = area_mean(p, y * down, (y + 1) * down, x * across, (x + 1) * across, c);
}

static int64_t at_least_one(int64_t value, int64_t most) { return value > most ? most : value < 1 ? 1 : value; }

/* The largest middle part of the picture with the layout's aspect ratio. */
static void crop(placement *p) {
  const cusp_image_layout *l = p->layout;
  p->in_height = at_least_one((int64_t)((double)(p->image->width * l->height) / (double)l->width), p->image->height);
  p->in_width = at_least_one((int64_t)((double)(p->image->height * l->width) / (double)l->height), p->image->width);
  p->top = (p->image->height - p->in_height) / 2;
  p->left = (p->image->width - p->in_width) / 2;
}

/* The whole picture as large as fits, in the middle of zeros. */
static void pad(placement *p) {
  const cusp_image_layout *l = p->layout;
  double scale = fmin((double)l->height / (double)p->image->height, (double)l->width / (double)p->image->width);
  p->out_height = at_least_one((int64_t)lround((double)p->image->height * scale), l->height);
  p->out_width = at_least_one((int64_t)lround((double)p->image->width * scale), l->width);
  p->above = (l->height - p->out_height) / 2;
  p->before = (l->width - p->out_width) / 2;
  memset(p->out, 0, (size_t)(l->height * l->width * l->channels) * sizeof *p->out);
}

cusp_status cusp_image_resize(const cusp_image *image, const cusp_image_layout *layout, float *out) {
  placement p = {.image = image, .in_height = image->height, .in_width = image->width, .out_height = layout->height,
                 .out_width = layout->width, .layout = layout, .out = out};
  if (layout->crop)
    crop(&p);
  else if (layout->pad)
    pad(&p);
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

static cusp_status images_read(cusp_reader *reader, const int64_t *rows, int64_t count, void *const *out) {
  image_reader *self = (image_reader *)reader;
  for (int64_t i = 0; i < count; i++) {
    cusp_image image;
    CUSP_TRY(cusp_image_read(&image, self->paths[rows[i]], self->layout.channels));
    cusp_status status = cusp_image_resize(&image, &self->layout, (float *)((char *)out[0] + (size_t)i * reader->columns[0].bytes));
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

cusp_status cusp_reader_images(cusp_reader **out, int64_t count, const char *const *paths, const cusp_image_layout *layout) {
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
  cusp_status status = cusp_column_set(&made->columns[0], CUSP_FLOAT32, layout->channels_first ? &first : &last);
  if (status == CUSP_OK)
    status = copy_paths(self, count, paths);
  if (status != CUSP_OK)
    cusp_reader_release(made);
  else
    *out = made;
  return status;
}
