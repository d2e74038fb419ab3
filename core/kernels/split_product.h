#ifndef CUSP_KERNELS_SPLIT_PRODUCT_H
#define CUSP_KERNELS_SPLIT_PRODUCT_H
/*
 * Products of float32 matrices on the tile registers of AMX. Each number is the sum of three of
 * bfloat16, exactly, and six of the nine products of such parts are summed in float32: what the
 * other three would add is less than float32 rounds away. The order of the sums depends on k alone.
 *
 * Parts of numbers near float32's largest and smallest are no numbers of bfloat16. Products of such
 * factors, and of infinities and NaN, are refused.
 */

#include "blas.h"

/** Whether this CPU has tiles, and the product, of float32 and without alpha and beta, is large
 * enough for them. */
bool cusp_split_product_pays(const cusp_gemm_task *task);
/** Bytes of scratch memory of a product on so many threads. */
size_t cusp_split_product_workspace(const cusp_gemm_task *task, int threads);
/** Runs the task on as many threads, or fewer; `workspace` is aligned to 64. False: its factors are
 * not for this, and c has to be computed in another way. */
bool cusp_split_product_run(const cusp_gemm_task *task, int threads, void *workspace);

#endif
