#ifndef CUSP_KERNELS_TILES_H
#define CUSP_KERNELS_TILES_H
/*
 * Products of bfloat16 matrices on the tile registers of AMX, summed in float32. Both factors are
 * brought into the tiles' order first; float32 factors are rounded to bfloat16 on the way, so that
 * no array of their bfloat16 values has to exist.
 */

#include "../tensor/dtype.h"

#include <stdbool.h>

/** Element (i, j) is data[i * row + j * column]; one of the two steps is 1, or its axis has one
 * element. */
typedef struct cusp_tile_matrix {
  const void *data;
  cusp_dtype dtype; /* bfloat16 or float32 */
  int64_t row, column;
} cusp_tile_matrix;

/** A matrix that is stored by rows, `ld` elements apart, or with `trans` by columns. */
static inline cusp_tile_matrix cusp_tile_matrix_of(const void *data, cusp_dtype dtype, bool trans,
                                                   int64_t ld) {
  return (cusp_tile_matrix){data, dtype, trans ? 1 : ld, trans ? ld : 1};
}

/** c [m, n] = a [m, k] b [k, n], plus c where `add` is set (float32 alone). */
typedef struct cusp_tile_task {
  int64_t m, n, k;
  cusp_tile_matrix a, b;
  void *c;
  cusp_dtype c_dtype; /* bfloat16 or float32 */
  int64_t ldc;
  bool add;
  const void *packed_right; /* b in the tiles' order; NULL: it is packed for this product */
} cusp_tile_task;

/** Whether this CPU has them, and CUSP_ISA does not forbid it. */
bool cusp_tiles_present(void);
/** Bytes that a factor takes in the tiles' order: `lines` rows of a, or columns of b. */
size_t cusp_tiles_bytes(int64_t lines, int64_t k);
/** Packs b of a task, on several threads, into `memory` aligned to 64. */
void cusp_tiles_pack_right(const cusp_tile_task *task, void *memory);
/** Bytes of scratch memory of a product: both factors. */
size_t cusp_tiles_workspace(int64_t m, int64_t n, int64_t k);
/** Runs the task on several threads; `workspace` is aligned to 64. */
void cusp_tiles_multiply(const cusp_tile_task *task, void *workspace);
/** Runs the task on the calling thread, with b packed before; `workspace` takes a alone. */
void cusp_tiles_multiply_serial(const cusp_tile_task *task, void *workspace);

#endif
