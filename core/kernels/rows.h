#ifndef CUSP_KERNELS_ROWS_H
#define CUSP_KERNELS_ROWS_H
/* Loops over rows that lie anywhere, of gathering and scattering, compiled for each instruction
 * set. */

#include "../tensor/array.h"
#include "isa.h"

typedef enum cusp_scatter_mode {
  CUSP_SCATTER_SET = 0, /* the last update of a position wins */
  CUSP_SCATTER_ADD,
  CUSP_SCATTER_MAX,
  CUSP_SCATTER_MIN,
  CUSP_SCATTER_MULTIPLY,
  CUSP_SCATTER_MODES
} cusp_scatter_mode;

/** Rows that are written, and those that are read for them; from one row to the next are so many
 * elements. */
typedef struct cusp_row_list {
  const int64_t *to, *from;
  int64_t to_step, from_step, count, columns;
} cusp_row_list;

/** Combines `columns` elements of each pair of rows, pair after pair. */
typedef void (*cusp_combine_rows_fn)(void *to, const void *from, const cusp_row_list *list);

#define CUSP_ROW_LINE 16 /* float32 of a cache line */

typedef struct cusp_row_loops {
  /** Row i of `to` is row at[i] of `from`, of `bytes` bytes each. */
  void (*copy)(char *to, const char *from, int64_t count, const int64_t *at, int64_t bytes);
  /** The least and the largest of `count` positions, 0 and -1 among them. */
  void (*extremes_int32)(const int32_t *positions, int64_t count, int64_t *low, int64_t *high);
  void (*extremes_int64)(const int64_t *positions, int64_t count, int64_t *low, int64_t *high);
  /** Rows of an axis of `size`, -1 for positions outside. */
  void (*resolve_int32)(const int32_t *positions, int64_t count, int64_t size, int64_t *at);
  void (*resolve_int64)(const int64_t *positions, int64_t count, int64_t size, int64_t *at);
  /** Lists those of `count` rows that lie in [begin, end), and their places; returns how many. Both
   * lists need room for `count`. */
  int64_t (*select)(const int64_t *at, int64_t count, int64_t begin, int64_t end, int64_t *rows,
                    int64_t *places);
  cusp_combine_rows_fn add_lines; /* float32, `columns` a multiple of CUSP_ROW_LINE */
  cusp_combine_rows_fn combine[CUSP_DTYPE_COUNT][CUSP_SCATTER_MODES];
} cusp_row_loops;

CUSP_ISA_DECLARE(const cusp_row_loops, cusp_row_loops);

#endif
