#ifndef CUSP_KERNELS_LAPACK_H
#define CUSP_KERNELS_LAPACK_H
/*
 * Decompositions and linear systems, one matrix at a time, through the LAPACK inside OpenBLAS.
 * Matrices are row-major without gaps unless a comment says "by columns"; float32 and float64;
 * sizes fit an int. `scratch` is as many bytes as the function of the same name ending in _scratch
 * says.
 */

#include "../tensor/dtype.h"

/** CUSP_EBACKEND, naming the package, where there is no OpenBLAS; to be asked before the rest is
 * called. */
CUSP_NODISCARD cusp_status cusp_lapack_ready(void);

/** to [columns, rows] = from [rows, columns] transposed. */
void cusp_lapack_transpose(cusp_dtype dtype, int64_t rows, int64_t columns, const void *from,
                           void *to);

/** a [n, n] (its lower triangle) becomes the lower Cholesky factor, with zeros above. CUSP_EVALUE
 * where a is not positive definite. */
CUSP_NODISCARD cusp_status cusp_lapack_cholesky(cusp_dtype dtype, int n, void *a);

/** b [n, k] becomes a^-1 b for a triangular a [n, n], of which only one triangle is read. */
void cusp_lapack_solve_triangular(cusp_dtype dtype, bool lower, int n, int k, const void *a,
                                  void *b);

/** a [rows, columns], by columns, becomes L (unit diagonal) and U with a = P L U; row i was
 * exchanged with pivots[i] (from 0). */
void cusp_lapack_lu(cusp_dtype dtype, int rows, int columns, void *a, int32_t *pivots);
/** b [n, k], by columns, becomes a^-1 b from the LU decomposition of a. CUSP_EVALUE where a is
 * singular. */
CUSP_NODISCARD cusp_status cusp_lapack_lu_solve(cusp_dtype dtype, int n, int k, const void *lu,
                                                const int32_t *pivots, void *b);

/** a [rows, columns], by columns, becomes R (its upper triangle); q [rows, width], by columns, Q,
 * with width >= min(rows, columns). */
size_t cusp_lapack_qr_scratch(cusp_dtype dtype, int rows, int columns, int width);
void cusp_lapack_qr(cusp_dtype dtype, int rows, int columns, int width, void *a, void *q,
                    void *scratch);

/** a [n, n] symmetric becomes its eigenvectors, one a row; values [n] ascend. CUSP_EBACKEND where
 * it does not converge. */
size_t cusp_lapack_eigh_scratch(cusp_dtype dtype, int n);
CUSP_NODISCARD cusp_status cusp_lapack_eigh(cusp_dtype dtype, int n, void *a, void *values,
                                            void *scratch);

/** a [n, n], by columns, is destroyed; values [n] and, by columns, vectors [n, n] of length 1:
 * where two values are conjugates, the real parts of the first's vector and then the imaginary
 * ones. CUSP_EBACKEND where it does not converge. */
size_t cusp_lapack_eig_scratch(cusp_dtype dtype, int n);
CUSP_NODISCARD cusp_status cusp_lapack_eig(cusp_dtype dtype, int n, void *a, void *values_re,
                                           void *values_im, void *vectors, void *scratch);

/**
 * a [rows, columns] = u diag(values) vh, values descending; a is destroyed. With `full` u is [rows,
 * rows] and vh [columns, columns], otherwise they are as narrow as there are values; u == NULL asks
 * for the values alone.
 */
size_t cusp_lapack_svd_scratch(cusp_dtype dtype, int rows, int columns, bool vectors, bool full);
CUSP_NODISCARD cusp_status cusp_lapack_svd(cusp_dtype dtype, int rows, int columns, bool full,
                                           void *a, void *values, void *u, void *vh, void *scratch);

#endif
