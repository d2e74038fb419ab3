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

/** The operands of an ending; NULL: absent. */
typedef struct cusp_ending {
  const cusp_array *scale, *shift;
} cusp_ending;

static inline cusp_convolution_face cusp_face_of(const cusp_call *call) {
  return *(const cusp_convolution_face *)call->op->detail;
}
cusp_ending cusp_ending_of(const cusp_call *call);
/** y = x * scale + shift along the last axis, of float32; NULL: 1, 0. y may be x's memory. */
void cusp_scale_filters(const cusp_array *x, const cusp_array *scale, const cusp_array *shift,
                        float *y);
cusp_convolution cusp_convolution_of(const cusp_call *call, cusp_convolution_face face);

/** Whether kernel and scale are steady, so that a form of them can be kept. */
bool cusp_keeps_kernel(const cusp_call *call);

/** few_positions.c: products of few positions with a kernel that is kept. */
bool cusp_few_positions_can_run(const cusp_call *call);
CUSP_NODISCARD cusp_status cusp_few_positions_prepare(cusp_call *call);
CUSP_NODISCARD cusp_status cusp_few_positions_run(cusp_call *call);
void cusp_few_positions_release(cusp_call *call);

/** single_positions.c: products of few positions in training. */
bool cusp_single_positions_can_run(const cusp_call *call);
CUSP_NODISCARD cusp_status cusp_single_positions_prepare(cusp_call *call);
CUSP_NODISCARD cusp_status cusp_single_positions_run(cusp_call *call);
/** The same, on tiles where products are large. */
bool cusp_large_positions_can_run(const cusp_call *call);
CUSP_NODISCARD cusp_status cusp_large_positions_prepare(cusp_call *call);
CUSP_NODISCARD cusp_status cusp_large_positions_run(cusp_call *call);
void cusp_large_positions_release(cusp_call *call);

extern const cusp_convolution_face cusp_convolution_faces[3];
extern const cusp_kernel cusp_convolution_kernels[], cusp_convolution_ended_kernels[];

#endif
