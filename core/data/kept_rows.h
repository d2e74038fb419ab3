#ifndef CUSP_DATA_KEPT_ROWS_H
#define CUSP_DATA_KEPT_ROWS_H
/*
 * Rows that were decoded with a block of others and are not asked for yet, up to a number of them.
 * Rows that were given make room first, then those that wait longest. Not guarded: the caller
 * locks.
 */

#include "../base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cusp_kept_rows cusp_kept_rows;

/** Room for up to `capacity` rows of `row_bytes` bytes, in blocks of `block_rows`, of `rows` in
 * all. Memory is taken as it is needed. */
CUSP_NODISCARD cusp_status cusp_kept_rows_new(cusp_kept_rows **out, int64_t rows,
                                              int64_t block_rows, size_t row_bytes,
                                              int64_t capacity);
void cusp_kept_rows_free(cusp_kept_rows *kept); /* NULL accepted */

/** More room, or as much as before. */
CUSP_NODISCARD cusp_status cusp_kept_rows_grow(cusp_kept_rows *kept, int64_t capacity);

/** The bytes of a row, lent until the next call; NULL where it is not kept. It may go from now on.
 */
const char *cusp_kept_rows_take(cusp_kept_rows *kept, int64_t row);

/** Keeps a copy of a row that is not kept yet. */
CUSP_NODISCARD cusp_status cusp_kept_rows_put(cusp_kept_rows *kept, int64_t row, const char *bytes);

#endif
