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
/** "oneDNN: out of memory" and the like. */
const char *cusp_onednn_status_text(dnnl_status_t status);

cusp_onednn_convolution *cusp_onednn_convolution_new(const cusp_convolution *convolution,
                                                     cusp_convolution_face face, char *message,
                                                     size_t message_bytes);
size_t cusp_onednn_convolution_workspace(const cusp_onednn_convolution *convolution);
size_t cusp_onednn_convolution_packed(const cusp_onednn_convolution *convolution);
const void *cusp_onednn_convolution_manner(const cusp_onednn_convolution *convolution,
                                           size_t *bytes);
bool cusp_onednn_convolution_pack(cusp_onednn_convolution *convolution, const void *kernel,
                                  void *packed);
bool cusp_onednn_convolution_run(cusp_onednn_convolution *convolution,
                                 const cusp_onednn_operands *operands, char *message,
                                 size_t message_bytes);
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
