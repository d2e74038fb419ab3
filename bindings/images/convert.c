/* Pictures in other channels, as Pillow's Image.convert makes them of grey, RGB and RGBA. */
#include "images.h"

#include <stdlib.h>
#include <string.h>

static unsigned char grey_of(const unsigned char *rgb) {
  return (unsigned char)((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

/* 16 bits are not scaled to 8 but cut off at 255. */
static unsigned char byte_of(const unsigned char *sample, int depth) {
  uint16_t wide;
  if (depth == 1)
    return *sample;
  memcpy(&wide, sample, sizeof wide);
  return (unsigned char)(wide > 255 ? 255 : wide);
}

static void convert_pixel(const unsigned char *from, int channels, int depth, unsigned char *to,
                          int wanted, const unsigned char *key) {
  if (wanted == 1) {
    to[0] = grey_of(from);
    return;
  }
  for (int c = 0; c < 3; c++)
    to[c] = byte_of(from + (channels == 1 ? 0 : c), depth);
  if (wanted == 4)
    to[3] = channels == 4 ? from[3] : key && memcmp(to, key, 3) == 0 ? 0 : 255;
}

bool cusp_image_convert(cusp_image *image, int channels, const unsigned char *key, char *message,
                        size_t message_bytes) {
  cusp_image made = {image->height, image->width, channels, 1, NULL};
  if (channels == 0 || channels == image->channels)
    return true;
  if (!cusp_image_room(&made, message, message_bytes))
    return false;
  const unsigned char *from = image->pixels;
  unsigned char *to = made.pixels;
  for (int64_t i = 0; i < image->height * image->width; i++, to += channels) {
    convert_pixel(from, image->channels, image->depth, to, channels, key);
    from += image->channels * image->depth;
  }
  free(image->pixels);
  *image = made;
  return true;
}
