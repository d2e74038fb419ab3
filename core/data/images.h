#ifndef CUSP_DATA_IMAGES_H
#define CUSP_DATA_IMAGES_H
/*
 * Pictures. The code that calls libpng and libjpeg (bindings/images/) is a library of its own,
 * images.so, loaded when first needed; it shares no symbols with the engine, only this table, so
 * failures come back as text. Its functions may be called from any thread.
 */

#include "reader.h"

/** Decoded: `height` rows of `width` pixels of `channels` samples; freed by the table's `release`.
 */
typedef struct cusp_image {
  int64_t height, width;
  int channels;
  int depth; /* bytes of a sample: 1, or 2 in this machine's order */
  unsigned char *pixels;
} cusp_image;

/** Whose pixels: libraries differ in the transform of JPEG, in grey, and in what 16 bits become. */
typedef enum cusp_image_style { CUSP_STYLE_TENSORFLOW, CUSP_STYLE_PILLOW } cusp_image_style;

/** Changes whenever anything here does; images.so and engine must agree. */
#define CUSP_IMAGES_VERSION 2
#define CUSP_IMAGES_SYMBOL "cusp_images_table"

typedef struct cusp_images {
  int version;
  /**
   * Decodes a PNG or JPEG file in memory to 1 (grey), 3 (RGB) or 4 (RGBA) channels, or to those
   * that the file has (0). Samples are bytes, but for 16-bit grey that Pillow keeps. False, with
   * the reason in `message`, on failure.
   */
  bool (*decode)(const unsigned char *bytes, size_t size, cusp_image_style style, int channels,
                 cusp_image *out, char *message, size_t message_bytes);
  void (*release)(cusp_image *image);
} cusp_images;

/** The table of the loaded library; NULL, with the reason as this thread's message, where it cannot
 * be loaded. Asks once. */
const cusp_images *cusp_images_load(void);

/** The file at `path`, decoded; release with the table's function. CUSP_EIO naming the path. */
CUSP_NODISCARD cusp_status cusp_image_read(cusp_image *out, const char *path,
                                           cusp_image_style style, int channels);

typedef enum cusp_interpolation {
  CUSP_NEAREST,
  CUSP_BILINEAR,
  CUSP_BICUBIC,
  CUSP_AREA
} cusp_interpolation;

/** How pictures of all sizes become rows of one size. */
typedef struct cusp_image_layout {
  int64_t height, width;
  int channels;
  cusp_interpolation interpolation;
  bool crop;           /* to the aspect ratio first (crop_to_aspect_ratio) */
  bool pad;            /* to the aspect ratio first, with zeros (pad_to_aspect_ratio) */
  bool channels_first; /* rows are [channels, height, width] */
} cusp_image_layout;

/** Resizes as tf.image.resize without antialiasing: float32 values, half-pixel centres. `out` has
 * the layout's size. */
CUSP_NODISCARD cusp_status cusp_image_resize(const cusp_image *image,
                                             const cusp_image_layout *layout, float *out);

/** One float32 column: the pictures of the files at `paths`, which are copied. */
CUSP_NODISCARD cusp_status cusp_reader_images(cusp_reader **out, int64_t count,
                                              const char *const *paths,
                                              const cusp_image_layout *layout);

#endif
