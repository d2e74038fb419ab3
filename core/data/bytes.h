#ifndef CUSP_DATA_BYTES_H
#define CUSP_DATA_BYTES_H
/* Bytes of files. */

#include "../base/status.h"

#include <stdint.h>

/** Opens a regular file for reading; a FIFO is refused rather than waited for. *descriptor is -1 on
 * failure. */
CUSP_NODISCARD cusp_status cusp_open_regular(int *descriptor, int64_t *bytes, const char *path);
/** Reads exactly `bytes` bytes from `offset`; CUSP_EIO, naming `path` and the offset, where there
 * are fewer. */
CUSP_NODISCARD cusp_status cusp_read_exactly(int descriptor, const char *path, int64_t offset,
                                             void *to, size_t bytes);
/** Turns the bytes of each element round. */
void cusp_swap_bytes(void *data, size_t bytes, size_t element);

/** A whole file in memory (cusp_free *out), up to `most` bytes; regular files only. */
CUSP_NODISCARD cusp_status cusp_read_file(char **out, size_t *bytes, const char *path, size_t most);

#endif
