#ifndef CUSP_DATA_TFRECORD_H
#define CUSP_DATA_TFRECORD_H
/* TFRecord files of tf.train.Example messages, read as rows of fixed types
 * (tf.io.parse_single_example with FixedLenFeature). */

#include "images.h"

typedef enum cusp_feature_kind {
  CUSP_FEATURE_NUMBERS, /* an int64_list or float_list of as many numbers as the shape has */
  /* one byte string with the numbers as they lie in memory, little-endian (tf.io.decode_raw) */
  CUSP_FEATURE_RAW,
  CUSP_FEATURE_IMAGE /* one byte string with a PNG or JPEG file: float32, by `layout` */
} cusp_feature_kind;

typedef struct cusp_feature {
  const char *name;
  cusp_feature_kind kind;
  cusp_dtype dtype;
  cusp_shape shape;
  bool required; /* otherwise every element is `missing` where a record has no such feature */
  double missing;
  cusp_image_layout layout;
} cusp_feature;

/** One column a feature; what they hold is copied. Finds the records first: 8 bytes of memory each.
 * CUSP_EIO names file and record. */
CUSP_NODISCARD cusp_status cusp_reader_tfrecord(cusp_reader **out, const char *path, int n_features,
                                                const cusp_feature *features);

#endif
