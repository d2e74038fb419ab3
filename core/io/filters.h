#ifndef CUSP_IO_FILTERS_H
#define CUSP_IO_FILTERS_H
/* Filters that each chunk of an array passes through. */

#include "chunks.h"

/**
 * Undoes the filters of a chunk: chunk->bytes bytes at `data` become exactly `decoded` bytes in
 * `out`. Both have room for decoded + 4 * filter_count bytes (`data` for its own, too) and are
 * written to. CUSP_EIO, naming neither file nor chunk, where the bytes are not what the filters
 * made.
 */
CUSP_NODISCARD cusp_status cusp_filters_undo(const cusp_chunked *chunked, const cusp_chunk *chunk,
                                             unsigned char *data, unsigned char *out,
                                             size_t decoded);
/** Applies the filters to `bytes` bytes at `data`. *out is new, yours to cusp_free, NULL on
 * failure. */
CUSP_NODISCARD cusp_status cusp_filters_apply(const cusp_chunked *chunked, unsigned char **out,
                                              size_t *out_bytes, const unsigned char *data,
                                              size_t bytes);

#endif
