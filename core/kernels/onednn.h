#ifndef CUSP_KERNELS_ONEDNN_H
#define CUSP_KERNELS_ONEDNN_H
/*
 * What the engine asks of oneDNN. The code behind these functions (kernels/onednn/) is a library of
 * its own, onednn.so, which is loaded when first needed: oneDNN is large, and most programs have no
 * convolution. It shares no symbols with the engine, only this table, so failures come back as
 * text.
 */

#include "windows.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct cusp_onednn_convolution cusp_onednn_convolution;
typedef struct cusp_onednn_product cusp_onednn_product;

/** What one primitive does of a convolution that several share. */
typedef struct cusp_onednn_slice {
  cusp_convolution convolution; /* over some of the images, windows trimmed (windows.h) */
  /* of the windows before they were trimmed, and what went at their beginnings */
  int64_t kernel_size[CUSP_WINDOW_AXES], dropped[CUSP_WINDOW_AXES];
  /* the one that packs the kernel in this one's form too; NULL: in whatever form is best */
  const cusp_onednn_convolution *like;
  int part, parts; /* of the kernel that it packs */
} cusp_onednn_slice;

/** What a face reads and writes (windows.h); the kernel packed; `shift` where it is shifted. */
typedef struct cusp_onednn_operands {
  const void *a, *b, *shift;
  void *out, *workspace;
} cusp_onednn_operands;

/** Sizes of a product as in cusp_gemm_task (blas.h). */
typedef struct cusp_onednn_factors {
  int64_t m, n, k, lda, ldb, ldc;
  bool trans_b;
} cusp_onednn_factors;

/** Changes whenever anything here or in windows.h does; onednn.so and engine must agree. */
#define CUSP_ONEDNN_VERSION 6
#define CUSP_ONEDNN_SYMBOL "cusp_onednn_table"

typedef struct cusp_onednn {
  int version;
  /** A convolution of float32, or of bfloat16 with either result, of row-major arrays, on the
   * calling thread; NULL, with the reason in `message`, where oneDNN has none that is fast. */
  cusp_onednn_convolution *(*convolution_new)(const cusp_onednn_slice *slice,
                                              cusp_convolution_face face, char *message,
                                              size_t message_bytes);
  /** Bytes of the packed kernel; 0 where it is taken, or made, as it is. */
  size_t (*convolution_packed)(const cusp_onednn_convolution *convolution);
  /** Packs the slice's part of the kernel; of a kernel's gradient, unpacks it into `weights`. False
   * on failure. */
  bool (*convolution_pack)(cusp_onednn_convolution *convolution, void *weights, void *packed);
  /** What pack does, as bytes: calls for which they are equal can share what it makes; lent. */
  const void *(*convolution_manner)(const cusp_onednn_convolution *convolution, size_t *bytes);
  /** Bytes of scratch memory, aligned to 64, that run needs. */
  size_t (*convolution_workspace)(const cusp_onednn_convolution *convolution);
  /** False on failure. One thread at a time for each convolution; allocates nothing. */
  bool (*convolution_run)(cusp_onednn_convolution *convolution,
                          const cusp_onednn_operands *operands);
  void (*convolution_free)(cusp_onednn_convolution *convolution);
  /** oneDNN's name of the implementation, such as "jit:avx512_core"; lent. */
  const char *(*convolution_name)(const cusp_onednn_convolution *convolution);
  /** A product of float32 matrices on the calling thread, which takes its right factor packed as
   * `like` has it (NULL: as is best); NULL where oneDNN has none that is fast. */
  cusp_onednn_product *(*product_new)(const cusp_onednn_factors *factors,
                                      const cusp_onednn_product *like);
  /** Bytes of the packed right factor; 0 where it is taken as it is. */
  size_t (*product_packed)(const cusp_onednn_product *product);
  bool (*product_pack)(cusp_onednn_product *product, const void *b, void *packed);
  /** Bytes of scratch memory, aligned to 64, that run needs. */
  size_t (*product_workspace)(const cusp_onednn_product *product);
  /** c = a b; false on failure. One thread at a time for each product; allocates nothing. */
  bool (*product_run)(cusp_onednn_product *product, const void *a, const void *b, void *c,
                      void *workspace);
  void (*product_free)(cusp_onednn_product *product);
} cusp_onednn;

/** The table of the loaded library; NULL, with the reason as this thread's message, where it cannot
 * be loaded. Asks once. */
const cusp_onednn *cusp_onednn_load(void);

#endif
