#ifndef CUSP_OPS_CONVOLUTION_KERNELS_H
#define CUSP_OPS_CONVOLUTION_KERNELS_H
/* The kernels that the rows of convolutions share. `detail` of a row is one of the faces. */

#include "../base/memory.h"
#include "../kernels/windows.h"
#include "../node/op.h"
#include "../tensor/forms.h"

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
/** Bytes of a copy in float32. */
static inline size_t cusp_wide_bytes(const cusp_array *x) {
  return cusp_aligned_size((size_t)cusp_array_count(x) * sizeof(float));
}
cusp_ending cusp_ending_of(const cusp_call *call);
cusp_convolution cusp_convolution_of(const cusp_call *call, cusp_convolution_face face);

/** Whether kernel and scale are steady, so that a form of them can be kept. */
bool cusp_keeps_kernel(const cusp_call *call);
/** What a form was made of: the stamps of the storages of kernel and scale, and where they lie. */
typedef struct cusp_kernel_origin {
  uint32_t stamps[2];
  int64_t offsets[2];
} cusp_kernel_origin;

/** What a call keeps of its kernel. */
typedef struct cusp_kept_kernel {
  cusp_form *form; /* NULL before the first run */
  cusp_kernel_origin origin;
} cusp_kept_kernel;

/** Makes *kept one of the present kernel and scale; where *fill says so its bytes have to be
 * written, and cusp_form_filled called. */
CUSP_NODISCARD cusp_status cusp_kernel_form(cusp_call *call, cusp_kept_kernel *kept,
                                            const void *manner, size_t manner_bytes, size_t bytes,
                                            bool *fill);

/** The form of a right factor [k, n], `offset` elements into the kernel, in panels (panels.h),
 * filled. */
CUSP_NODISCARD cusp_status cusp_panels_form(cusp_call *call, cusp_kept_kernel *kept, int64_t k,
                                            int64_t n, int64_t offset);
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
