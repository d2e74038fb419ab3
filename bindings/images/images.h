#ifndef CUSP_BINDINGS_IMAGES_H
#define CUSP_BINDINGS_IMAGES_H
/* What the files of images.so share. */

#include "../../core/data/images.h"

/* Where a file claims more pixels than this, it is refused before memory is taken. */
#define CUSP_IMAGE_LIMIT ((int64_t)1 << 29) /* bytes */

bool cusp_decode_png(const unsigned char *bytes, size_t size, cusp_image_style style, int channels,
                     cusp_image *out, char *message, size_t message_bytes);
/** The same of the plain kind of PNG, with the channels that the file has (0 or as many), or RGB of
 * RGBA; false, with nothing taken, where libpng has to look at it. */
bool cusp_decode_plain_png(const unsigned char *bytes, size_t size, int channels, cusp_image *out,
                           char *message, size_t message_bytes);
bool cusp_decode_jpeg(const unsigned char *bytes, size_t size, cusp_image_style style, int channels,
                      cusp_image *out, char *message, size_t message_bytes);

/** Room for a picture whose sizes, channels and depth are set; false where it would be too large or
 * there is no memory. */
bool cusp_image_room(cusp_image *out, char *message, size_t message_bytes);

/** The picture with 1, 3 or 4 channels, by Pillow's arithmetic; 16-bit grey stays as it is where 1
 * is wanted. Pixels of the colour `key` (3 bytes) become transparent where it is not NULL. False
 * where there is no memory. */
bool cusp_image_convert(cusp_image *image, int channels, const unsigned char *key, char *message,
                        size_t message_bytes);

#endif
