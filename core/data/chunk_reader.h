#ifndef CUSP_DATA_CHUNK_READER_H
#define CUSP_DATA_CHUNK_READER_H
/* Rows of arrays that lie in a file in chunks, as HDF5 keeps compressed ones. */

#include "../io/chunks.h"
#include "reader.h"

/**
 * Rows along the first axis. The description is copied but for its `chunks`, which the caller
 * keeps; the file is opened anew, so that it may be closed elsewhere. Chunks that were decoded last
 * are kept, up to some megabytes: rows in order are decoded once. Rows in another order are decoded
 * once where the reader was asked to `keep` as many as wait for their turn, otherwise each time
 * their chunk is no longer there.
 */
CUSP_NODISCARD cusp_status cusp_reader_chunked(cusp_reader **out, const cusp_chunked *chunked,
                                               const char *path);

#endif
