#ifndef CUSP_OPS_KEPT_KERNELS_H
#define CUSP_OPS_KEPT_KERNELS_H
/* What calls keep of steady kernels: forms (tensor/forms.h), which all plans share. */

#include "../kernels/call.h"
#include "../tensor/forms.h"

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

/** Makes *kept one of the present kernel, input 1, and scale (NULL: 1); where *fill says so its
 * bytes have to be written, and cusp_form_filled called. */
CUSP_NODISCARD cusp_status cusp_kernel_form(cusp_call *call, const cusp_array *scale,
                                            cusp_kept_kernel *kept, const void *manner,
                                            size_t manner_bytes, size_t bytes, bool *fill);

/** The form of a right factor [k, n], `offset` elements into the kernel, in panels (panels.h),
 * filled. */
CUSP_NODISCARD cusp_status cusp_panels_form(cusp_call *call, const cusp_array *scale,
                                            cusp_kept_kernel *kept, int64_t k, int64_t n,
                                            int64_t offset);

#endif
