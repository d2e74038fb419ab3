#ifndef CUSP_KERNELS_ONEDNN_ADAPTER_H
#define CUSP_KERNELS_ONEDNN_ADAPTER_H
/* Within onednn.so: the one engine and stream, and what its table lists (kernels/onednn.h says what
 * the functions do). */

#include "../onednn.h"

#include <oneapi/dnnl/dnnl.h>

/** The CPU engine and an in-order stream on it, made when first asked for; NULL where that
 * fails. */
dnnl_engine_t cusp_onednn_engine(void);
dnnl_stream_t cusp_onednn_stream(void);
/** A primitive is made for the threads that OpenMP would use: between these calls, one. leave
 * takes what enter returned. */
int cusp_onednn_enter(void);
void cusp_onednn_leave(int entered);
/** Runs a primitive on the calling thread. */
dnnl_status_t cusp_onednn_execute(dnnl_primitive_t primitive, int count,
                                  const dnnl_exec_arg_t *arguments);
/** "oneDNN: out of memory" and the like. */
const char *cusp_onednn_status_text(dnnl_status_t status);

cusp_onednn_convolution *cusp_onednn_convolution_new(const cusp_onednn_slice *slice,
                                                     cusp_convolution_face face, char *message,
                                                     size_t message_bytes);
size_t cusp_onednn_convolution_packed(const cusp_onednn_convolution *convolution);
bool cusp_onednn_convolution_pack(cusp_onednn_convolution *convolution, void *weights,
                                  void *packed);
size_t cusp_onednn_convolution_workspace(const cusp_onednn_convolution *convolution);
const void *cusp_onednn_convolution_manner(const cusp_onednn_convolution *convolution,
                                           size_t *bytes);
bool cusp_onednn_convolution_run(cusp_onednn_convolution *convolution,
                                 const cusp_onednn_operands *operands);
void cusp_onednn_convolution_free(cusp_onednn_convolution *convolution);
const char *cusp_onednn_convolution_name(const cusp_onednn_convolution *convolution);

cusp_onednn_product *cusp_onednn_product_new(const cusp_onednn_factors *factors,
                                             const cusp_onednn_product *like);
size_t cusp_onednn_product_packed(const cusp_onednn_product *product);
bool cusp_onednn_product_pack(cusp_onednn_product *product, const void *b, void *packed);
size_t cusp_onednn_product_workspace(const cusp_onednn_product *product);
bool cusp_onednn_product_run(cusp_onednn_product *product, const void *a, const void *b, void *c,
                             void *workspace);
void cusp_onednn_product_free(cusp_onednn_product *product);

#endif
