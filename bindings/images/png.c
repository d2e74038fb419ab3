/* PNG by libpng, with TensorFlow's choices: 16 bits are cut to 8, alpha is dropped rather than
 * blended, grey is 0.299 R + 0.587 G + 0.114 B. */
#include "images.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFLATE_RATIO 1032 /* no data become larger than this many times their size */

typedef struct decoding {
  jmp_buf failed;
  png_structp png;
  png_infop info;
  png_bytep *rows;
  const unsigned char *bytes;
  size_t size, position;
  char *message;
  size_t message_bytes;
} decoding;

static void fail(png_structp png, png_const_charp text) {
  decoding *d = png_get_error_ptr(png);
  snprintf(d->message, d->message_bytes, "PNG: %s (byte %zu of %zu)", text, d->position, d->size);
  longjmp(d->failed, 1);
}

static void ignore_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void read_bytes(png_structp png, png_bytep out, size_t count) {
  decoding *d = png_get_io_ptr(png);
  if (count > d->size - d->position)
    png_error(png, "the file ends too early");
  memcpy(out, d->bytes + d->position, count);
  d->position += count;
}

/* 8 bits a channel, palettes and transparent colours spelled out, and the wanted channels. */
static int set_format(decoding *d, int channels) {
  int type = png_get_color_type(d->png, d->info), depth = png_get_bit_depth(d->png, d->info);
  bool alpha = (type & PNG_COLOR_MASK_ALPHA) || png_get_valid(d->png, d->info, PNG_INFO_tRNS),
       grey = !(type & PNG_COLOR_MASK_COLOR);
  if (channels == 0)
    channels = grey ? 1 : alpha ? 4 : 3;
  if (depth == 16)
    png_set_strip_16(d->png);
  png_set_expand(d->png);
  if (grey && channels > 1)
    png_set_gray_to_rgb(d->png);
  else if (!grey && channels == 1)
    png_set_rgb_to_gray_fixed(d->png, PNG_ERROR_ACTION_NONE, 29900, 58700);
  if (channels == 4 && !alpha)
    png_set_add_alpha(d->png, 255, PNG_FILLER_AFTER);
  else if (channels != 4 && alpha)
    png_set_strip_alpha(d->png);
  return channels;
}

static void read_picture(decoding *d, int channels, cusp_image *out) {
  png_set_read_fn(d->png, d, read_bytes);
  png_read_info(d->png, d->info);
  int64_t height = png_get_image_height(d->png, d->info),
          width = png_get_image_width(d->png, d->info);
  if ((uint64_t)height * png_get_rowbytes(d->png, d->info) > (uint64_t)d->size * DEFLATE_RATIO)
    png_error(d->png, "the header promises more than the file can hold");
  channels = set_format(d, channels);
  png_set_interlace_handling(d->png);
  png_read_update_info(d->png, d->info);
  if (!cusp_image_room(out, height, width, channels, d->message, d->message_bytes))
    longjmp(d->failed, 1);
  if (png_get_rowbytes(d->png, d->info) != (size_t)(width * channels))
    png_error(d->png, "unexpected layout of pixels");
  d->rows = malloc((size_t)height * sizeof *d->rows);
  if (!d->rows)
    png_error(d->png, "out of memory");
  for (int64_t y = 0; y < height; y++)
    d->rows[y] = out->pixels + y * width * channels;
  png_read_image(d->png, d->rows);
  png_read_end(d->png, NULL);
}

bool cusp_decode_png(const unsigned char *bytes, size_t size, int channels, cusp_image *out,
                     char *message, size_t message_bytes) {
  decoding d = {.bytes = bytes, .size = size, .message = message, .message_bytes = message_bytes};
  decoding *volatile kept = &d; /* what a jump leaves defined is reached through memory */
  volatile bool ok = false;
  if (setjmp(d.failed) == 0) {
    kept->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, kept, fail, ignore_warning);
    if (kept->png && (kept->info = png_create_info_struct(kept->png))) {
      read_picture(kept, channels, out);
      ok = true;
    } else {
      snprintf(message, message_bytes, "PNG: out of memory");
    }
  }
  if (kept->png)
    png_destroy_read_struct(&kept->png, kept->info ? &kept->info : NULL, NULL);
  free(kept->rows);
  return ok;
}
