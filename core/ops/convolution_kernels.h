#ifndef CUSP_OPS_CONVOLUTION_KERNELS_H
#define CUSP_OPS_CONVOLUTION_KERNELS_H
/* The kernels that the rows of convolutions share. `detail` of a row is one of the faces. */

#include "../kernels/windows.h"
#include "../node/op.h"

/** The attributes of the hidden rows, in order. */
enum {
  CUSP_CONVOLUTION_STRIDES,
  CUSP_CONVOLUTION_LOW,
  CUSP_CONVOLUTION_DILATIONS,
  CUSP_CONVOLUTION_SIZES,
  CUSP_CONVOLUTION_TERMS /* of the row with an ending alone */
};

extern const cusp_convolution_face cusp_convolution_faces[3];
extern const cusp_kernel cusp_convolution_kernels[], cusp_convolution_ended_kernels[];

#endif
