#ifndef CUSP_KERNELS_PANELS_H
#define CUSP_KERNELS_PANELS_H
/*
 * float32 products by panels: the right factor is taken in strips as wide as two registers, brought
 * into memory order, and multiplied by all rows of the left one while it is in cache. Where rows
 * are few this beats a BLAS, whose packing of both factors is meant for large ones; and it does not
 * depend on whether a BLAS knows the CPU.
 */

#include "../tensor/dtype.h"

/** The right factor op(b) [k, n]: row-major, or with `trans` stored as [n, k]. */
typedef struct cusp_panel_source {
  const float *b;
  bool trans;
  int64_t ld;
} cusp_panel_source;

/** The left factor: element (i, l) is a[i * row + l * column]; one of the two steps is 1. */
typedef struct cusp_panel_rows {
  const float *a;
  int64_t row, column;
} cusp_panel_rows;

/** The loops compiled for each instruction set (panels.isa.c). */
typedef struct cusp_panel_loops {
  int64_t width; /* columns of a panel */
  /** Rows k_first .. k_first + k - 1 of columns first .. first + columns - 1 (at most width), zeros
   * beyond: out [k, width]. */
  void (*pack)(const cusp_panel_source *source, int64_t k_first, int64_t k, int64_t first,
               int64_t columns, float *out);
  /** c [m, columns] = a panel + beta * c with columns <= width, beta 0 or 1. */
  void (*multiply)(int64_t m, int64_t columns, int64_t k, const cusp_panel_rows *a,
                   const float *panel, int beta, float *c, int64_t ldc);
  /** c = a panel + shift (NULL: 0), while `next`, a panel of the same size, comes into the cache:
   * for panels that were packed before and are read from memory. */
  void (*stream)(int64_t m, int64_t columns, int64_t k, const cusp_panel_rows *a,
                 const float *panel, const float *next, const float *shift, float *c, int64_t ldc);
  /** c [columns] = a [k] b * scale + shift (NULL: 1, 0), b [k, columns] as it lies: each element is
   * read once. */
  void (*row)(int64_t columns, int64_t k, const float *a, const float *b, int64_t ld,
              const float *scale, const float *shift, float *c);
} cusp_panel_loops;

/** This CPU's; NULL where there are no wide registers to make it worth while. */
const cusp_panel_loops *cusp_panel_loops_find(void);

/** c [m, n] = a op(b) + beta * c on the calling thread, beta 0 or 1, k > 0. */
void cusp_panels_multiply(int64_t m, int64_t n, int64_t k, const cusp_panel_rows *a,
                          const cusp_panel_source *b, int beta, float *c, int64_t ldc);

/** A right factor [k, n] of many products, and their left factors' rows. */
typedef struct cusp_panels {
  int64_t m, k, n;
  cusp_panel_rows a;
  const float *packed; /* as cusp_panels_pack made it, aligned to 64; */
  const float *plain;  /* or row-major, as it lies, and then */
  const float *scale;  /* [n], by which each row is multiplied; NULL: 1 */
  const float *shift;  /* [n], added to each row; NULL: none */
  float *c;            /* [m, n], row-major */
} cusp_panels;

/** Elements of a right factor above which its memory should not be doubled. */
#define CUSP_PANELS_MOST ((int64_t)1 << 22)

/** Whether the product reads the right factor as it lies, rather than packed. */
static inline bool cusp_panels_read_plain(int64_t m, int64_t k, int64_t n) {
  return m == 1 || k * n > CUSP_PANELS_MOST;
}

size_t cusp_panels_bytes(int64_t k, int64_t n);
/** Packs b [k, n], row-major, column j times scale[j] (NULL: as it is); parallel. */
void cusp_panels_pack(int64_t k, int64_t n, const float *b, const float *scale, float *packed);
/** c = a b * scale + shift, of a packed factor a b + shift; parallel over the columns. */
void cusp_panels_run(const cusp_panels *panels);

#endif
