#ifndef CUSP_DATA_RESAMPLE_H
#define CUSP_DATA_RESAMPLE_H
/*
 * Pictures in another size, to the pixel as Pillow resizes them: the filter grows with the
 * reduction, and both the new columns and the new rows are rounded to whole samples.
 */

#include "images.h"

typedef enum cusp_resampling {
  CUSP_RESAMPLE_NEAREST,
  CUSP_RESAMPLE_BILINEAR,
  CUSP_RESAMPLE_BICUBIC,
  CUSP_RESAMPLE_BOX,
  CUSP_RESAMPLE_HAMMING,
  CUSP_RESAMPLE_LANCZOS
} cusp_resampling;

typedef struct cusp_resample_options {
  int64_t height, width;
  cusp_resampling filter;
  bool keep_aspect_ratio; /* the middle of the picture with the new aspect ratio alone */
} cusp_resample_options;

/** Writes `height` x `width` pixels of the picture's channels and depth to `out`. The picture's own
 * pixels hold anything afterwards. */
CUSP_NODISCARD cusp_status cusp_image_resample(cusp_image *image,
                                               const cusp_resample_options *options,
                                               unsigned char *out);

#endif
