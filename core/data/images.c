#include "images.h"

#include "../base/library.h"
#include "../base/memory.h"
#include "bytes.h"

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
