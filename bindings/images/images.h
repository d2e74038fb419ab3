#ifndef CUSP_BINDINGS_IMAGES_H
#define CUSP_BINDINGS_IMAGES_H
/* What the files of images.so share. */

#include "../../core/data/images.h"

/* Where a file claims more pixels than this, it is refused before memory is taken. */
#define CUSP_IMAGE_LIMIT ((int64_t)1 << 29) /* bytes */

bool cusp_decode_png(const unsigned char *bytes, size_t size, int channels, cusp_image *out,
                     char *message, size_t message_bytes);
bool cusp_decode_jpeg(const unsigned char *bytes, size_t size, int channels, cusp_image *out,
                      char *message, size_t message_bytes);

/** Room for a picture; false where it would be too large or there is no memory. */
bool cusp_image_room(cusp_image *out, int64_t height, int64_t width, int channels, char *message,
                     size_t message_bytes);

#endif
