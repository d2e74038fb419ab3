#ifndef CUSP_OPS_LINALG_H
#define CUSP_OPS_LINALG_H
/* Linear algebra: the gradient rules of its hidden rows, and the pieces of graphs that they share
 * with the compositions. */

#include "../node/build.h"

static inline int64_t cusp_rows_of(const cusp_shape *shape) { return shape->size[shape->ndim - 2]; }
static inline int64_t cusp_columns_of(const cusp_shape *shape) {
  return shape->size[shape->ndim - 1];
}

/* Matrices in the last two axes: what kernels and types have in common. */

/** Matrix `index` of an array whose last `axes` axes make one item. */
void *cusp_linalg_item(const cusp_array *array, int axes, int64_t index);
int64_t cusp_linalg_matrix_count(const cusp_array *array);
/** Whether input 0 is float32 or float64 matrices, square ones if asked for. */
CUSP_NODISCARD cusp_status cusp_linalg_check_matrices(cusp_inference *inference, bool square);

/* Pieces: NULL operands give NULL. */

/** The last two axes exchanged. */
cusp_node *cusp_linalg_transposed(cusp_node *x);
/** x diag(v). */
cusp_node *cusp_linalg_scale_columns(cusp_node *x, cusp_node *v);
/** a^-1 b, reading one triangle of a; both with the same leading axes. */
cusp_node *cusp_linalg_solve_triangle(cusp_node *a, cusp_node *b, bool lower);
/** Identity matrices of the type of `like`, which is square. */
cusp_node *cusp_linalg_identity(const cusp_node *like);
/** Columns first <= j < last. */
cusp_node *cusp_linalg_column_range(cusp_node *x, int64_t first, int64_t last);

/* Gradient rules (Giles 2008, "An extended collection of matrix derivative results"; Townsend 2016
 * for singular vectors). */

cusp_status cusp_linalg_cholesky_gradient(cusp_gradient *g);
cusp_status cusp_linalg_triangular_gradient(cusp_gradient *g);
cusp_status cusp_linalg_solve_gradient(cusp_gradient *g);
cusp_status cusp_linalg_slogdet_gradient(cusp_gradient *g);
cusp_status cusp_linalg_lu_gradient(cusp_gradient *g);
cusp_status cusp_linalg_qr_gradient(cusp_gradient *g);
cusp_status cusp_linalg_eigh_gradient(cusp_gradient *g);
cusp_status cusp_linalg_svd_values_gradient(cusp_gradient *g);
cusp_status cusp_linalg_svd_parts_gradient(cusp_gradient *g);

#endif
