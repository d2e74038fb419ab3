#ifndef CUSP_DATA_EXAMPLE_H
#define CUSP_DATA_EXAMPLE_H
/* The messages in TFRecord files. */

#include "tfrecord.h"

/** A tf.train.Example of `bytes` bytes into one row; out[k] for feature k. */
CUSP_NODISCARD cusp_status cusp_example_parse(const unsigned char *data, size_t bytes,
                                              int n_features, const cusp_feature *features,
                                              void *const *out);

#endif
