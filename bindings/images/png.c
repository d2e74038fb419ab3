/* PNG by libpng, with TensorFlow's choices: 16 bits are cut to 8, alpha is dropped rather than
 * blended, grey is 0.299 R + 0.587 G + 0.114 B. Pillow's: the channels that the file has, 16 bits
 * for grey. */
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
  cusp_image_style style;
  bool has_key; /* Pillow's: the lower bytes of the colour that stands for transparent */
  unsigned char key[3];
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

/* The channels that the file has, palettes spelled out; 16 bits are kept for grey alone. */
static void set_own_format(decoding *d, cusp_image *out) {
  int type = png_get_color_type(d->png, d->info);
  bool wide = png_get_bit_depth(d->png, d->info) == 16;
  out->channels = 3;
  if (type == PNG_COLOR_TYPE_PALETTE || (type & PNG_COLOR_MASK_ALPHA)) {
    out->channels = set_format(d, type == PNG_COLOR_TYPE_GRAY_ALPHA ? 4 : 0);
  } else if (wide && type == PNG_COLOR_TYPE_RGB) {
    png_set_strip_16(d->png);
  } else if (type == PNG_COLOR_TYPE_GRAY) {
    out->channels = 1;
    out->depth = wide ? 2 : 1;
    if (wide && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
      png_set_swap(d->png);
    else if (!wide)
      png_set_expand_gray_1_2_4_to_8(d->png);
  }
}

static void read_key(decoding *d) {
  int type = png_get_color_type(d->png, d->info), count = 0;
  png_color_16p colour = NULL;
  d->has_key = type != PNG_COLOR_TYPE_PALETTE &&
               png_get_tRNS(d->png, d->info, NULL, &count, &colour) && colour;
  if (!d->has_key)
    return;
  png_uint_16 grey = colour->gray;
  if (png_get_bit_depth(d->png, d->info) == 1)
    grey = grey ? 255 : 0;
  bool coloured = type & PNG_COLOR_MASK_COLOR;
  d->key[0] = (unsigned char)(coloured ? colour->red : grey);
  d->key[1] = (unsigned char)(coloured ? colour->green : grey);
  d->key[2] = (unsigned char)(coloured ? colour->blue : grey);
}

static void read_picture(decoding *d, int channels, cusp_image *out) {
  png_set_read_fn(d->png, d, read_bytes);
  png_read_info(d->png, d->info);
  int64_t height = png_get_image_height(d->png, d->info),
          width = png_get_image_width(d->png, d->info);
  if ((uint64_t)height * png_get_rowbytes(d->png, d->info) > (uint64_t)d->size * DEFLATE_RATIO)
    png_error(d->png, "the header promises more than the file can hold");
  *out = (cusp_image){height, width, channels, 1, NULL};
  read_key(d); /* before the depth becomes that of the output */
  if (d->style == CUSP_STYLE_PILLOW)
    set_own_format(d, out);
  else
    out->channels = set_format(d, channels);
  int64_t line = width * out->channels * out->depth;
  png_set_interlace_handling(d->png);
  png_read_update_info(d->png, d->info);
  if (!cusp_image_room(out, d->message, d->message_bytes))
    longjmp(d->failed, 1);
  if (png_get_rowbytes(d->png, d->info) != (size_t)line)
    png_error(d->png, "unexpected layout of pixels");
  d->rows = malloc((size_t)height * sizeof *d->rows);
  if (!d->rows)
    png_error(d->png, "out of memory");
  for (int64_t y = 0; y < height; y++)
    d->rows[y] = out->pixels + y * line;
  png_read_image(d->png, d->rows);
  png_read_end(d->png, NULL);
}

bool cusp_decode_png(const unsigned char *bytes, size_t size, cusp_image_style style, int channels,
                     cusp_image *out, char *message, size_t message_bytes) {
  bool own = style == CUSP_STYLE_PILLOW; /* converted afterwards */
  if (cusp_decode_plain_png(bytes, size, own ? 0 : channels, out, message, message_bytes))
    return !own || cusp_image_convert(out, channels, NULL, message, message_bytes);
  decoding d = {.bytes = bytes,
                .size = size,
                .style = style,
                .message = message,
                .message_bytes = message_bytes};
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
  if (ok && style == CUSP_STYLE_PILLOW)
    ok =
        cusp_image_convert(out, channels, kept->has_key ? kept->key : NULL, message, message_bytes);
  return ok;
}
