#include "linalg.h"

cusp_node *cusp_linalg_transposed(cusp_node *x) {
  if (!x)
    return NULL;
  int64_t axes[CUSP_MAX_DIMS];
  int ndim = x->type.shape.ndim;
  for (int i = 0; i < ndim; i++)
    axes[i] = i;
  axes[ndim - 1] = ndim - 2;
  axes[ndim - 2] = ndim - 1;
  return cusp_transpose(x, axes);
}

static cusp_node *add_axis(cusp_node *x, int from_end) {
  return x ? cusp_expand_dims(x, x->type.shape.ndim - from_end) : NULL;
}
cusp_node *cusp_linalg_scale_columns(cusp_node *x, cusp_node *v) {
  return cusp_multiply(x, add_axis(v, 1));
}
/** diag(v) x. */
static cusp_node *scale_rows(cusp_node *x, cusp_node *v) {
  return cusp_multiply(x, add_axis(v, 0));
}

cusp_node *cusp_linalg_solve_triangle(cusp_node *a, cusp_node *b, bool lower) {
  return CUSP_APPLY2("triangular_solve", a, b, cusp_attr_bool(lower));
}

cusp_node *cusp_linalg_identity(const cusp_node *like) {
  if (!like)
    return NULL;
  cusp_node *eye =
      cusp_apply("eye", 0, NULL, 4,
                 (cusp_attr[]){cusp_attr_int(cusp_columns_of(&like->type.shape)), cusp_attr_none(),
                               cusp_attr_int(0), cusp_attr_dtype(like->type.dtype)});
  return eye ? cusp_broadcast_to(eye, &like->type.shape) : NULL;
}

static cusp_node *lower_triangle(cusp_node *x, int64_t k) {
  return CUSP_APPLY1("tril", x, cusp_attr_int(k));
}

/** The lower triangle with its diagonal halved. */
static cusp_node *half_lower(cusp_node *x) {
  return cusp_scale(cusp_add(lower_triangle(x, 0), lower_triangle(x, -1)), 0.5);
}

static cusp_node *symmetric_part(cusp_node *x) {
  return cusp_scale(cusp_add(x, cusp_linalg_transposed(x)), 0.5);
}

/** 1 / (v_j - v_i), 0 on the diagonal. */
static cusp_node *inverse_differences(cusp_node *v) {
  cusp_node *difference = cusp_subtract(add_axis(v, 1), add_axis(v, 0));
  if (!difference)
    return NULL;
  cusp_node *eye = cusp_linalg_identity(difference);
  return cusp_subtract(cusp_divide(cusp_scalar_like(1, difference), cusp_add(difference, eye)),
                       eye);
}

/** Columns first <= j < last. */
cusp_node *cusp_linalg_column_range(cusp_node *x, int64_t first, int64_t last) {
  if (!x)
    return NULL;
  int64_t start[CUSP_MAX_DIMS] = {0}, stop[CUSP_MAX_DIMS], step[CUSP_MAX_DIMS];
  int ndim = x->type.shape.ndim;
  for (int i = 0; i < ndim; i++) {
    stop[i] = x->type.shape.size[i];
    step[i] = 1;
  }
  start[ndim - 1] = first;
  stop[ndim - 1] = last;
  return CUSP_APPLY1("strided_slice", x, cusp_attr_ints(start, ndim), cusp_attr_ints(stop, ndim),
                     cusp_attr_ints(step, ndim));
}

/* ------------------------------------------------------------------ gradients */

/** dx = L^-T P L^-1, symmetric part, with P the lower triangle of L^T dL whose diagonal is
 * halved. */
cusp_status cusp_linalg_cholesky_gradient(cusp_gradient *g) {
  cusp_node *lt = cusp_linalg_transposed(g->y[0]);
  cusp_node *p = half_lower(cusp_matmul(lt, g->dy[0]));
  cusp_node *left = cusp_linalg_solve_triangle(lt, p, false);
  cusp_node *both =
      cusp_linalg_transposed(cusp_linalg_solve_triangle(lt, cusp_linalg_transposed(left), false));
  return cusp_built(g->dx[0] = symmetric_part(both));
}

cusp_status cusp_linalg_triangular_gradient(cusp_gradient *g) {
  bool lower = g->node->attrs[0].integer;
  cusp_node *db = cusp_linalg_solve_triangle(cusp_linalg_transposed(g->x[0]), g->dy[0], !lower);
  if (g->wanted[0]) {
    cusp_node *da = cusp_negative(cusp_matmul(db, cusp_linalg_transposed(g->y[0])));
    CUSP_TRY(cusp_built(g->dx[0] = lower ? lower_triangle(da, 0)
                                         : CUSP_APPLY1("triu", da, cusp_attr_int(0))));
  }
  return cusp_built(g->dx[1] = db);
}

cusp_status cusp_linalg_solve_gradient(cusp_gradient *g) {
  cusp_node *db = cusp_apply_2("solve_matrices", cusp_linalg_transposed(g->x[0]), g->dy[0]);
  if (g->wanted[0])
    CUSP_TRY(
        cusp_built(g->dx[0] = cusp_negative(cusp_matmul(db, cusp_linalg_transposed(g->y[0])))));
  return cusp_built(g->dx[1] = db);
}

/** The sign does not move; the logarithm's gradient is the inverse, transposed. */
cusp_status cusp_linalg_slogdet_gradient(cusp_gradient *g) {
  if (!g->dy[1])
    return CUSP_OK;
  cusp_node *inverse = cusp_apply_2("solve_matrices", cusp_linalg_transposed(g->x[0]),
                                    cusp_linalg_identity(g->x[0]));
  return cusp_built(g->dx[0] = cusp_multiply(inverse, add_axis(add_axis(g->dy[1], 0), 0)));
}

static cusp_node *or_zeros(cusp_node *cotangent, cusp_node *like) {
  return cotangent ? cotangent : cusp_zeros_like(like);
}

/** Rows first <= i < last. */
static cusp_node *row_range(cusp_node *x, int64_t first, int64_t last) {
  cusp_node *turned = cusp_linalg_transposed(x);
  return turned ? cusp_linalg_transposed(cusp_linalg_column_range(turned, first, last)) : NULL;
}

/**
 * Mode "complete": Householder's Q = I + P [I W] with P = Q1 - E1 = [A; B], of which orthogonality
 * leaves W = A^-T B^T only. So Q2 = E2 + P W, whose cotangent G2 flows on into that of Q1; what is
 * left is the reduced case.
 */
static void reduce_qr(cusp_node **q, cusp_node **r, cusp_node **dq, cusp_node **dr) {
  int64_t width = cusp_columns_of(&(*q)->type.shape), n = cusp_columns_of(&(*r)->type.shape);
  cusp_node *q1 = cusp_linalg_column_range(*q, 0, n), *g2 = cusp_linalg_column_range(*dq, n, width);
  if (!q1 || !g2)
    return;
  cusp_node *top = row_range(q1, 0, n), *b = row_range(q1, n, width);
  cusp_node *a = top ? cusp_subtract(top, cusp_linalg_identity(top)) : NULL;
  cusp_node *w = cusp_apply_2("solve_matrices", cusp_linalg_transposed(a),
                              cusp_linalg_transposed(b)),
            *wt = cusp_linalg_transposed(w), *dp = cusp_matmul(g2, wt);
  cusp_node *dw = cusp_add(cusp_matmul(cusp_linalg_transposed(a), row_range(g2, 0, n)),
                           cusp_matmul(cusp_linalg_transposed(b), row_range(g2, n, width)));
  cusp_node *db = cusp_apply_2("solve_matrices", a, dw);
  cusp_node *through_w[] = {cusp_negative(cusp_matmul(w, cusp_linalg_transposed(db))),
                            cusp_linalg_transposed(db)};
  cusp_attr rows = cusp_attr_int((*q)->type.shape.ndim - 2);
  cusp_node *stacked = db ? cusp_apply("concatenate", 2, through_w, 1, &rows) : NULL;
  *dq = cusp_add(cusp_linalg_column_range(*dq, 0, n), cusp_add(dp, stacked));
  *q = q1;
  *r = row_range(*r, 0, n);
  *dr = row_range(*dr, 0, n);
}

/** Rows >= columns: dx = (dQ + Q C) R^-T with M = R dR^T - dQ^T Q and C its lower triangle,
 * mirrored. */
cusp_status cusp_linalg_qr_gradient(cusp_gradient *g) {
  cusp_node *q = g->y[0], *r = g->y[1], *dq = or_zeros(g->dy[0], q), *dr = or_zeros(g->dy[1], r);
  if (!dq || !dr)
    return cusp_built(NULL);
  if (cusp_rows_of(&r->type.shape) != cusp_columns_of(&r->type.shape))
    reduce_qr(&q, &r, &dq, &dr);
  CUSP_TRY(cusp_built(r));
  cusp_node *m = cusp_subtract(cusp_matmul(r, cusp_linalg_transposed(dr)),
                               cusp_matmul(cusp_linalg_transposed(dq), q));
  cusp_node *mirrored =
      cusp_add(lower_triangle(m, 0), cusp_linalg_transposed(lower_triangle(m, -1)));
  cusp_node *inner = cusp_add(dq, cusp_matmul(q, mirrored));
  return cusp_built(g->dx[0] = cusp_linalg_transposed(
                        cusp_linalg_solve_triangle(r, cusp_linalg_transposed(inner), false)));
}

/** dx = V (diag(dw) + F * (V^T dV)) V^T, symmetric part, with F_ij = 1 / (w_j - w_i). */
cusp_status cusp_linalg_eigh_gradient(cusp_gradient *g) {
  cusp_node *w = g->y[0], *v = g->y[1], *vt = cusp_linalg_transposed(v), *dx = NULL;
  if (g->dy[0])
    dx = cusp_matmul(cusp_linalg_scale_columns(v, g->dy[0]), vt);
  if (g->dy[1]) {
    cusp_node *inner = cusp_multiply(inverse_differences(w), cusp_matmul(vt, g->dy[1]));
    cusp_node *through_vectors = cusp_matmul(v, cusp_matmul(inner, vt));
    dx = g->dy[0] ? cusp_add(dx, through_vectors) : through_vectors;
  }
  return cusp_built(g->dx[0] = symmetric_part(dx));
}

/** The gradient through the values is U diag(ds) V^T, of the decomposition made again with its
 * vectors. */
cusp_status cusp_linalg_svd_values_gradient(cusp_gradient *g) {
  cusp_node *parts[CUSP_MAX_OUTPUTS];
  cusp_attr thin = cusp_attr_bool(false);
  if (!cusp_apply_many(parts, "svd_parts", 1, &g->x[0], 1, &thin))
    return cusp_built(NULL);
  return cusp_built(g->dx[0] =
                        cusp_matmul(cusp_linalg_scale_columns(parts[0], g->dy[0]), parts[2]));
}

/** F * (a^T da - da^T a), with F_ij = 1 / (s_j^2 - s_i^2). */
static cusp_node *rotation(cusp_node *f, cusp_node *a, cusp_node *da) {
  cusp_node *turned = cusp_matmul(cusp_linalg_transposed(a), da);
  return cusp_multiply(f, cusp_subtract(turned, cusp_linalg_transposed(turned)));
}

/** (da - a a^T da) S^-1: what moves out of the space that the vectors span. */
static cusp_node *outside(cusp_node *a, cusp_node *da, cusp_node *s) {
  cusp_node *rest = cusp_subtract(da, cusp_matmul(a, cusp_matmul(cusp_linalg_transposed(a), da)));
  return cusp_divide(rest, add_axis(s, 1));
}

cusp_status cusp_linalg_svd_parts_gradient(cusp_gradient *g) {
  cusp_node *u = g->y[0], *s = g->y[1], *vh = g->y[2], *v = cusp_linalg_transposed(vh),
            *inner = NULL, *f = NULL;
  if (cusp_columns_of(&u->type.shape) != cusp_rows_of(&vh->type.shape))
    return cusp_fail(CUSP_EUNSUPPORTED, "svd: full_matrices = true has no gradient through the "
                                        "vectors of a matrix that is not square; "
                                        "use full_matrices = false");
  cusp_node *ds = or_zeros(g->dy[1], s);
  inner = cusp_multiply(cusp_linalg_identity(cusp_matmul(cusp_linalg_transposed(u), u)),
                        add_axis(ds, 1));
  if (g->dy[0] || g->dy[2])
    f = inverse_differences(cusp_square(s));
  if (g->dy[0])
    inner = cusp_add(inner, cusp_linalg_scale_columns(rotation(f, u, g->dy[0]), s));
  if (g->dy[2])
    inner = cusp_add(inner, scale_rows(rotation(f, v, cusp_linalg_transposed(g->dy[2])), s));
  cusp_node *dx = cusp_matmul(u, cusp_matmul(inner, vh));
  if (g->dy[0])
    dx = cusp_add(dx, cusp_matmul(outside(u, g->dy[0], s), vh));
  if (g->dy[2])
    dx = cusp_add(dx, cusp_matmul(u, cusp_linalg_transposed(
                                         outside(v, cusp_linalg_transposed(g->dy[2]), s))));
  return cusp_built(g->dx[0] = dx);
}

/* ------------------------------------------------------------------ LU */

static cusp_node *upper_triangle(cusp_node *x) { return CUSP_APPLY1("triu", x, cusp_attr_int(0)); }

/** x^-T b of a triangle of x, and b x^-T. */
static cusp_node *solve_transposed(cusp_node *x, cusp_node *b, bool lower) {
  return cusp_linalg_solve_triangle(cusp_linalg_transposed(x), b, !lower);
}
static cusp_node *divide_transposed(cusp_node *b, cusp_node *x, bool lower) {
  return cusp_linalg_transposed(cusp_linalg_solve_triangle(x, cusp_linalg_transposed(b), lower));
}

static cusp_node *join(cusp_node *a, cusp_node *b, int axis) {
  return a && b ? cusp_apply("concatenate", 2, (cusp_node *[]){a, b}, 1,
                             (cusp_attr[]){cusp_attr_int(axis)})
                : NULL;
}

/** The square part: L^-T (tril(L^T dL, -1) + triu(dU U^T)) U^-T. */
static cusp_node *lu_square(cusp_node *l, cusp_node *u, cusp_node *dl, cusp_node *du) {
  cusp_node *below = lower_triangle(cusp_matmul(cusp_linalg_transposed(l), dl), -1);
  cusp_node *above = upper_triangle(cusp_matmul(du, cusp_linalg_transposed(u)));
  return divide_transposed(solve_transposed(l, cusp_add(below, above), true), u, false);
}

/** Rows below the square: L2 = A2 U^-1, so that dA2 = dL2 U^-T and dU has -L2^T dA2 in addition;
 * columns beside it in the same way. */
cusp_status cusp_linalg_lu_gradient(cusp_gradient *g) {
  cusp_node *lu = g->y[0], *d = g->dy[0];
  if (!d)
    return CUSP_OK;
  int64_t rows = cusp_rows_of(&lu->type.shape), columns = cusp_columns_of(&lu->type.shape),
          n = rows < columns ? rows : columns;
  int row_axis = lu->type.shape.ndim - 2;
  cusp_node *square = row_range(cusp_linalg_column_range(lu, 0, n), 0, n),
            *dsquare = row_range(cusp_linalg_column_range(d, 0, n), 0, n);
  cusp_node *l = cusp_add(lower_triangle(square, -1), cusp_linalg_identity(square)),
            *u = upper_triangle(square);
  cusp_node *dl = lower_triangle(dsquare, -1), *du = upper_triangle(dsquare), *rest = NULL;
  if (rows > n) {
    rest = divide_transposed(row_range(d, n, rows), u, false);
    du = upper_triangle(
        cusp_subtract(du, cusp_matmul(cusp_linalg_transposed(row_range(lu, n, rows)), rest)));
  } else if (columns > n) {
    rest = solve_transposed(l, cusp_linalg_column_range(d, n, columns), true);
    cusp_node *beside = cusp_linalg_transposed(cusp_linalg_column_range(lu, n, columns));
    dl = lower_triangle(cusp_subtract(dl, cusp_matmul(rest, beside)), -1);
  }
  cusp_node *dx = lu_square(l, u, dl, du);
  if (rest)
    dx = join(dx, rest, rows > n ? row_axis : row_axis + 1);
  cusp_node *places = add_axis(CUSP_APPLY1("lu_places", g->y[1], cusp_attr_int(rows)), 0);
  places = places && dx ? cusp_broadcast_to(places, &dx->type.shape) : NULL;
  return cusp_built(g->dx[0] = CUSP_APPLY2("take_along_axis", dx, places, cusp_attr_int(row_axis)));
}
