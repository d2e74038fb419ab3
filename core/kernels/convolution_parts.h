#ifndef CUSP_KERNELS_CONVOLUTION_PARTS_H
#define CUSP_KERNELS_CONVOLUTION_PARTS_H
/*
 * Convolutions cut into parts for several threads, each a convolution itself: some of the images,
 * or where there are few, a band of one image. How they are cut depends on sizes and the number of
 * threads alone.
 */

#include "windows.h"

typedef struct cusp_convolution_cut {
  /* windows trimmed (windows.h), images as one where windows are single positions */
  cusp_convolution whole;
  int64_t dropped[CUSP_WINDOW_AXES]; /* elements at the windows' beginnings */
  cusp_convolution_face face;
  int64_t groups, bands; /* of images; of a group */
  int axis;              /* across which bands lie */
} cusp_convolution_cut;

/** The part's convolution, and the elements of x and y before its own. */
typedef struct cusp_convolution_part {
  cusp_convolution convolution;
  int64_t x, y;
} cusp_convolution_part;

/** For at most `threads` threads; `whole_images`: without bands. */
cusp_convolution_cut cusp_convolution_cut_for(const cusp_convolution *convolution,
                                              cusp_convolution_face face, int threads,
                                              bool whole_images);
static inline int64_t cusp_convolution_parts(const cusp_convolution_cut *cut) {
  return cut->groups * cut->bands;
}
/** False for a band that sees nothing but padding. */
bool cusp_convolution_part_of(cusp_convolution_part *out, const cusp_convolution_cut *cut,
                              int64_t index);

#endif
