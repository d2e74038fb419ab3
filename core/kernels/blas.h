#ifndef CUSP_KERNELS_BLAS_H
#define CUSP_KERNELS_BLAS_H
/*
 * Matrix products. OpenBLAS is opened at the first product, never linked: start-up stays short, and
 * its kernels can be chosen for the CPU before it initialises. Without it plain loops do the same
 * work, slowly.
 */

#include "../tensor/dtype.h"

/**
 * c = alpha * op(a) op(b) + beta * c, row-major: op(a) is [m, k], op(b) [k, n], c [m, n].
 * A `trans_` flag says that the matrix is stored transposed ([k, m], [n, k]). Leading dimensions
 * count elements between stored rows and are at least the stored row's length. With beta == 0 c may
 * hold anything, NaN included.
 */
typedef struct cusp_gemm_task {
  cusp_dtype dtype; /* CUSP_FLOAT32 or CUSP_FLOAT64 */
  bool trans_a, trans_b;
  int64_t m, n, k;
  const void *a, *b;
  void *c;
  int64_t lda, ldb, ldc;
  double alpha, beta;
} cusp_gemm_task;

/** Runs the task, on several threads where it is large enough: each takes a range of c's rows or
 * columns. */
void cusp_gemm(const cusp_gemm_task *task);
/** Runs the task on the calling thread alone. */
void cusp_gemm_serial(const cusp_gemm_task *task);
/** Whether the product is for OpenBLAS: small ones are not. */
bool cusp_gemm_needs_blas(const cusp_gemm_task *task);
/** Whether this thread plans and computes without OpenBLAS and oneDNN where it can: they lock and
 * allocate in some of their runs. Gives what held before. */
bool cusp_gemm_set_quiet(bool quiet);
bool cusp_gemm_is_quiet(void);
/** CUSP_ENOMEM where OpenBLAS is there, but not the address space that it needs. Opens the
 * library. */
CUSP_NODISCARD cusp_status cusp_blas_ready(void);
/** What serves the products, for benchmark tables: "OpenBLAS SkylakeX" or "plain loops". Opens the
 * library. */
const char *cusp_blas_name(void);
/** A function of the same OpenBLAS by its C name (LAPACK: "dpotrf_"); NULL where the library or the
 * function is absent. */
void *cusp_blas_symbol(const char *name);

/*
 * OpenBLAS's OpenMP build starts as many threads as OpenMP would: calls into it stand between these
 * two, so that the engine's own partition is the only one. Nests.
 */
int cusp_blas_enter(void);
void cusp_blas_leave(int entered);

#endif
