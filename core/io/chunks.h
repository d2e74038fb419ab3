#ifndef CUSP_IO_CHUNKS_H
#define CUSP_IO_CHUNKS_H
/* Arrays that lie in a file in chunks, each passed through filters, as HDF5 stores them. Knows the
 * bytes, not the format around them. */

#include "file.h"

#define CUSP_MAX_FILTERS 8

/** HDF5's numbers of the filters that are understood. */
typedef enum cusp_filter {
  CUSP_FILTER_DEFLATE = 1,
  CUSP_FILTER_SHUFFLE = 2,
  CUSP_FILTER_FLETCHER32 = 3,
  CUSP_FILTER_LZF = 4 /* read only */
} cusp_filter;

/** Where one chunk lies. */
typedef struct cusp_chunk {
  uint64_t offset;  /* in the file */
  uint32_t bytes;   /* in the file; 0: the chunk was never written and holds the fill value */
  uint32_t skipped; /* bit i set: filter i was not applied to this chunk */
} cusp_chunk;

/** An array in chunks. The sizes and the places may come from a hostile file: every function checks
 * what it uses. */
typedef struct cusp_chunked {
  cusp_file *file; /* lent; NULL when writing */
  cusp_dtype dtype;
  bool big_endian;
  cusp_shape shape; /* of the array; at least one axis */
  /* of a chunk, as many axes, none of size 0; those at the far edges are whole in the file too */
  cusp_shape chunk;
  int filter_count;
  cusp_filter filters[CUSP_MAX_FILTERS]; /* in the order in which they are applied when writing */
  int level;                             /* of deflate, for writing */
  unsigned char fill[8];                 /* one element, in this machine's byte order */
  /* lent; one for each place of the grid, row-major. NULL: none was ever written */
  const cusp_chunk *chunks;
  size_t chunk_count; /* how many `chunks` has */
} cusp_chunked;

/** Sets *count to the number of chunks that cover the array. CUSP_ESHAPE where the shapes do not
 * fit together or overflow. */
CUSP_NODISCARD cusp_status cusp_chunked_grid(size_t *count, const cusp_chunked *chunked);

/** Bytes of a decoded chunk; CUSP_ESHAPE past 4 GiB, which is HDF5's limit. */
CUSP_NODISCARD cusp_status cusp_chunked_bytes(size_t *bytes, const cusp_chunked *chunked);

/**
 * Reads rows first <= i < first + count along the first axis into `to`, row-major, in this
 * machine's byte order; booleans become 0 or 1. Several threads share the chunks where `parallel`;
 * otherwise it runs in the calling thread alone, any number of which may read one cusp_chunked at a
 * time. CUSP_EIO naming the file and the chunk's offset where it is damaged; `to` then holds
 * anything.
 */
CUSP_NODISCARD cusp_status cusp_chunked_read(const cusp_chunked *chunked, int64_t first,
                                             int64_t count, void *to, bool parallel);

/**
 * Encodes chunk `index` of the grid from the whole array at `data` (row-major, this machine's
 * order), padded with zeros where it reaches past the edge, through the filters. *out is new, yours
 * to cusp_free, NULL on failure.
 */
CUSP_NODISCARD cusp_status cusp_chunk_encode(unsigned char **out, size_t *bytes,
                                             const cusp_chunked *chunked, const void *data,
                                             size_t index);

/* ------------------------------------------------------------------ filters.c */

/** HDF5's form of Fletcher's checksum: over 16-bit words, the first byte the more significant. */
uint32_t cusp_fletcher32(const unsigned char *data, size_t bytes);

#endif
