#ifndef CUSP_KERNELS_PRODUCT_H
#define CUSP_KERNELS_PRODUCT_H
/*
 * Large products of float32 matrices: on tiles where the CPU has them (split_product.h), otherwise
 * by oneDNN, whose kernels read the left factor where it lies. How a product is cut depends on its
 * sizes alone, so that results do not depend on the number of threads.
 */

#include "blas.h"

typedef struct cusp_product cusp_product;

/** NULL where OpenBLAS is to run the task: it is small, of a form or dtype that neither is fast
 * with, or they are not there. */
cusp_product *cusp_product_new(const cusp_gemm_task *task);
void cusp_product_free(cusp_product *product); /* NULL is accepted */
size_t cusp_product_workspace(const cusp_product *product);
/** c = a b of the task that it was made for; CUSP_EBACKEND where oneDNN fails. */
CUSP_NODISCARD cusp_status cusp_product_run(const cusp_product *product, const void *a,
                                            const void *b, void *c, void *workspace);

#endif
