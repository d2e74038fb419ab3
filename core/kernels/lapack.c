#include "lapack.h"

#include "../base/memory.h"
#include "blas.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

/*
 * Fortran's calling convention: everything by reference, matrices by columns, the lengths of
 * strings after all else. The float and the double version of a routine so differ in nothing that C
 * sees.
 */
typedef void (*potrf_fn)(const char *uplo, const int *n, void *a, const int *lda, int *info,
                         size_t);
typedef void (*trsm_fn)(const char *side, const char *uplo, const char *trans, const char *diag,
                        const int *m, const int *n, const void *alpha, const void *a,
                        const int *lda, void *b, const int *ldb, size_t, size_t, size_t, size_t);
typedef void (*getrf_fn)(const int *m, const int *n, void *a, const int *lda, int *pivots,
                         int *info);
typedef void (*geqrf_fn)(const int *m, const int *n, void *a, const int *lda, void *tau, void *work,
                         const int *lwork, int *info);
typedef void (*orgqr_fn)(const int *m, const int *n, const int *k, void *a, const int *lda,
                         const void *tau, void *work, const int *lwork, int *info);
typedef void (*syevd_fn)(const char *job, const char *uplo, const int *n, void *a, const int *lda,
                         void *values, void *work, const int *lwork, int *iwork, const int *liwork,
                         int *info, size_t, size_t);
typedef void (*gesdd_fn)(const char *job, const int *m, const int *n, void *a, const int *lda,
                         void *values, void *u, const int *ldu, void *vt, const int *ldvt,
                         void *work, const int *lwork, int *iwork, int *info, size_t);

typedef void (*geev_fn)(const char *left, const char *right, const int *n, void *a, const int *lda,
                        void *re, void *im, void *vl, const int *ldvl, void *vr, const int *ldvr,
                        void *work, const int *lwork, int *info, size_t, size_t);

typedef struct routines {
  potrf_fn potrf;
  trsm_fn trsm;
  getrf_fn getrf;
  geqrf_fn geqrf;
  orgqr_fn orgqr;
  syevd_fn syevd;
  gesdd_fn gesdd;
  geev_fn geev;
} routines;

static routines single_routines, double_routines;
static bool found;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool find(char letter, const char *name, void *pointer) {
  char full[16] = {letter};
  strncat(full, name, sizeof full - 2);
  void *symbol = cusp_blas_symbol(full);
  memcpy(pointer, &symbol, sizeof symbol); /* a pointer to data becomes one to a function */
  return symbol != NULL;
}

static bool find_all(char letter, routines *r) {
  return find(letter, "potrf_", &r->potrf) && find(letter, "trsm_", &r->trsm) &&
         find(letter, "getrf_", &r->getrf) && find(letter, "geqrf_", &r->geqrf) &&
         find(letter, "orgqr_", &r->orgqr) && find(letter, "syevd_", &r->syevd) &&
         find(letter, "gesdd_", &r->gesdd) && find(letter, "geev_", &r->geev);
}

static void load(void) {
  found = find_all('s', &single_routines) && find_all('d', &double_routines);
}

cusp_status cusp_lapack_ready(void) {
  CUSP_TRY(cusp_blas_ready());
  pthread_once(&once, load);
  return found ? CUSP_OK
               : cusp_fail(CUSP_EBACKEND, "linear algebra needs OpenBLAS with LAPACK (Debian's "
                                          "libopenblas0-openmp), which is not there");
}

static const routines *of(cusp_dtype dtype) {
  return dtype == CUSP_FLOAT32 ? &single_routines : &double_routines;
}

/** Leading dimensions must be at least 1. */
static int leading(int size) { return size > 0 ? size : 1; }

void cusp_lapack_transpose(cusp_dtype dtype, int64_t rows, int64_t columns, const void *from,
                           void *to) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      if (dtype == CUSP_FLOAT32)
        ((float *)to)[j * rows + i] = ((const float *)from)[i * columns + j];
      else
        ((double *)to)[j * rows + i] = ((const double *)from)[i * columns + j];
}

/* ------------------------------------------------------------------ Cholesky, triangles, LU */

/** Zeros in the strict upper triangle, or seen by columns the lower one. */
static void clear_above(cusp_dtype dtype, int n, void *a) {
  size_t size = cusp_dtype_size(dtype);
  for (int i = 0; i < n; i++)
    memset((char *)a + ((size_t)i * (size_t)n + (size_t)i + 1) * size, 0,
           (size_t)(n - i - 1) * size);
}

cusp_status cusp_lapack_cholesky(cusp_dtype dtype, int n, void *a) {
  int info = 0, ld = leading(n), entered = cusp_blas_enter();
  /* the lower triangle by rows is the upper one by columns */
  of(dtype)->potrf("U", &n, a, &ld, &info, 1);
  cusp_blas_leave(entered);
  if (info != 0)
    return cusp_fail(
        CUSP_EVALUE,
        "the matrix is not positive definite: its leading minor of order %d is not positive", info);
  clear_above(dtype, n, a);
  return CUSP_OK;
}

static const void *one_of(cusp_dtype dtype) {
  static const float one_float = 1;
  static const double one_double = 1;
  return dtype == CUSP_FLOAT32 ? (const void *)&one_float : (const void *)&one_double;
}

/** By columns the system reads x' a' = b' with the other triangle. */
void cusp_lapack_solve_triangular(cusp_dtype dtype, bool lower, int n, int k, const void *a,
                                  void *b) {
  int lda = leading(n), ldb = leading(k), entered = cusp_blas_enter();
  of(dtype)->trsm("R", lower ? "U" : "L", "N", "N", &k, &n, one_of(dtype), a, &lda, b, &ldb, 1, 1,
                  1, 1);
  cusp_blas_leave(entered);
}

void cusp_lapack_lu(cusp_dtype dtype, int rows, int columns, void *a, int32_t *pivots) {
  int info = 0, ld = leading(rows), count = rows < columns ? rows : columns,
      entered = cusp_blas_enter();
  /* info > 0: singular, which the diagonal shows */
  of(dtype)->getrf(&rows, &columns, a, &ld, pivots, &info);
  cusp_blas_leave(entered);
  for (int i = 0; i < count; i++)
    pivots[i]--;
}

static bool singular(cusp_dtype dtype, int n, const void *lu) {
  for (int64_t i = 0; i < n; i++)
    if ((dtype == CUSP_FLOAT32 ? (double)((const float *)lu)[i * n + i]
                               : ((const double *)lu)[i * n + i]) == 0)
      return true;
  return false;
}

/** Exchanges elements i and pivots[i] of each column, in order. */
static void exchange_rows(size_t size, int n, int k, const int32_t *pivots, char *b) {
  for (int j = 0; j < k; j++, b += (size_t)n * size)
    for (int i = 0; i < n; i++) {
      char *x = b + (size_t)i * size, *y = b + (size_t)pivots[i] * size;
      double kept;
      memcpy(&kept, x, size);
      memcpy(x, y, size);
      memcpy(y, &kept, size);
    }
}

cusp_status cusp_lapack_lu_solve(cusp_dtype dtype, int n, int k, const void *lu,
                                 const int32_t *pivots, void *b) {
  int ld = leading(n);
  if (singular(dtype, n, lu))
    return cusp_fail(CUSP_EVALUE, "the matrix is singular");
  exchange_rows(cusp_dtype_size(dtype), n, k, pivots, b);
  int entered = cusp_blas_enter();
  of(dtype)->trsm("L", "L", "N", "U", &n, &k, one_of(dtype), lu, &ld, b, &ld, 1, 1, 1, 1);
  of(dtype)->trsm("L", "U", "N", "N", &n, &k, one_of(dtype), lu, &ld, b, &ld, 1, 1, 1, 1);
  cusp_blas_leave(entered);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ QR */

/** What a routine asked for through its work argument: a number of elements, as a float or
 * double. */
typedef union work_size {
  float f;
  double d;
} work_size;

static int asked(cusp_dtype dtype, const work_size *work) {
  return (int)(dtype == CUSP_FLOAT32 ? work->f : work->d) + 1;
}

static int qr_work(cusp_dtype dtype, int rows, int columns, int width) {
  int query = -1, info, ld = leading(rows), count = rows < columns ? rows : columns;
  work_size first = {0}, second = {0};
  of(dtype)->geqrf(&rows, &columns, NULL, &ld, NULL, &first, &query, &info);
  of(dtype)->orgqr(&rows, &width, &count, NULL, &ld, NULL, &second, &query, &info);
  int a = asked(dtype, &first), b = asked(dtype, &second);
  return a > b ? a : b;
}

size_t cusp_lapack_qr_scratch(cusp_dtype dtype, int rows, int columns, int width) {
  size_t count = (size_t)(rows < columns ? rows : columns), size = cusp_dtype_size(dtype);
  return cusp_aligned_size(count * size) + (size_t)qr_work(dtype, rows, columns, width) * size;
}

void cusp_lapack_qr(cusp_dtype dtype, int rows, int columns, int width, void *a, void *q,
                    void *scratch) {
  size_t size = cusp_dtype_size(dtype);
  int count = rows < columns ? rows : columns, ld = leading(rows), info,
      lwork = qr_work(dtype, rows, columns, width);
  void *tau = scratch, *work = (char *)scratch + cusp_aligned_size((size_t)count * size);
  int entered = cusp_blas_enter();
  of(dtype)->geqrf(&rows, &columns, a, &ld, tau, work, &lwork, &info);
  memset(q, 0, (size_t)rows * (size_t)width * size);
  memcpy(q, a, (size_t)rows * (size_t)count * size); /* the reflectors below the diagonal */
  of(dtype)->orgqr(&rows, &width, &count, q, &ld, tau, work, &lwork, &info);
  cusp_blas_leave(entered);
  for (int j = 0; j < columns; j++) { /* R alone */
    int first = j + 1 < rows ? j + 1 : rows;
    memset((char *)a + ((size_t)j * (size_t)rows + (size_t)first) * size, 0,
           (size_t)(rows - first) * size);
  }
}

/* ------------------------------------------------------------------ eigenvalues, singular
 * values */

static void eigh_work(cusp_dtype dtype, int n, int *lwork, int *liwork) {
  int query = -1, info, ld = leading(n);
  work_size work = {0};
  of(dtype)->syevd("V", "L", &n, NULL, &ld, NULL, &work, &query, liwork, &query, &info, 1, 1);
  *lwork = asked(dtype, &work);
}

size_t cusp_lapack_eigh_scratch(cusp_dtype dtype, int n) {
  int lwork, liwork;
  eigh_work(dtype, n, &lwork, &liwork);
  return cusp_aligned_size((size_t)lwork * cusp_dtype_size(dtype)) + (size_t)liwork * sizeof(int);
}

static cusp_status check_eigenvalues(int info) {
  if (info == 0)
    return CUSP_OK;
  return cusp_fail(CUSP_EBACKEND,
                   "the eigenvalues did not converge; the matrix may hold NaN or infinity");
}

cusp_status cusp_lapack_eigh(cusp_dtype dtype, int n, void *a, void *values, void *scratch) {
  int lwork, liwork, info, ld = leading(n);
  eigh_work(dtype, n, &lwork, &liwork);
  int *iwork = (int *)((char *)scratch + cusp_aligned_size((size_t)lwork * cusp_dtype_size(dtype))),
      entered = cusp_blas_enter();
  of(dtype)->syevd("V", "L", &n, a, &ld, values, scratch, &lwork, iwork, &liwork, &info, 1, 1);
  cusp_blas_leave(entered);
  return check_eigenvalues(info);
}

static int eig_work(cusp_dtype dtype, int n) {
  int query = -1, info, ld = leading(n);
  work_size work = {0};
  of(dtype)->geev("N", "V", &n, NULL, &ld, NULL, NULL, NULL, &ld, NULL, &ld, &work, &query, &info,
                  1, 1);
  return asked(dtype, &work);
}

size_t cusp_lapack_eig_scratch(cusp_dtype dtype, int n) {
  return (size_t)eig_work(dtype, n) * cusp_dtype_size(dtype);
}

static bool all_finite(cusp_dtype dtype, int64_t count, const void *a) {
  for (int64_t i = 0; i < count; i++)
    if (!isfinite(dtype == CUSP_FLOAT32 ? (double)((const float *)a)[i] : ((const double *)a)[i]))
      return false;
  return true;
}

cusp_status cusp_lapack_eig(cusp_dtype dtype, int n, void *a, void *values_re, void *values_im,
                            void *vectors, void *scratch) {
  int lwork = eig_work(dtype, n), info = 1, ld = leading(n);
  if (all_finite(dtype, (int64_t)n * n, a)) { /* geev may not come back from others */
    int entered = cusp_blas_enter();
    of(dtype)->geev("N", "V", &n, a, &ld, values_re, values_im, NULL, &ld, vectors, &ld, scratch,
                    &lwork, &info, 1, 1);
    cusp_blas_leave(entered);
  }
  return check_eigenvalues(info);
}

static const char *svd_job(bool vectors, bool full) { return !vectors ? "N" : full ? "A" : "S"; }

/* By columns the matrix is its transpose, [columns, rows]: its left vectors are vh by rows, its
 * right ones u. */
static int svd_work(cusp_dtype dtype, int rows, int columns, bool vectors, bool full) {
  int query = -1, info, lda = leading(columns),
      ldvt = leading(full             ? rows
                     : rows < columns ? rows
                                      : columns),
      iwork[1];
  work_size work = {0};
  of(dtype)->gesdd(svd_job(vectors, full), &columns, &rows, NULL, &lda, NULL, NULL, &lda, NULL,
                   &ldvt, &work, &query, iwork, &info, 1);
  return asked(dtype, &work);
}

static int smaller(int a, int b) { return a < b ? a : b; }

size_t cusp_lapack_svd_scratch(cusp_dtype dtype, int rows, int columns, bool vectors, bool full) {
  size_t work = (size_t)svd_work(dtype, rows, columns, vectors, full) * cusp_dtype_size(dtype);
  return cusp_aligned_size(work) + 8 * (size_t)smaller(rows, columns) * sizeof(int);
}

cusp_status cusp_lapack_svd(cusp_dtype dtype, int rows, int columns, bool full, void *a,
                            void *values, void *u, void *vh, void *scratch) {
  int lda = leading(columns), ldvt = leading(full ? rows : smaller(rows, columns)), info;
  int lwork = svd_work(dtype, rows, columns, u != NULL, full);
  int *iwork = (int *)((char *)scratch + cusp_aligned_size((size_t)lwork * cusp_dtype_size(dtype))),
      entered = cusp_blas_enter();
  of(dtype)->gesdd(svd_job(u != NULL, full), &columns, &rows, a, &lda, values, vh, &lda, u, &ldvt,
                   scratch, &lwork, iwork, &info, 1);
  cusp_blas_leave(entered);
  return info == 0
             ? CUSP_OK
             : cusp_fail(
                   CUSP_EBACKEND,
                   "the singular values did not converge; the matrix may hold NaN or infinity");
}
