#ifndef CUSP_IO_IDX_H
#define CUSP_IO_IDX_H
/* IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist), plain or compressed by
 * gzip. */

#include "../tensor/array.h"

/**
 * Reads the array in the file at `path`: a new row-major array of uint8, int8, int16, int32,
 * float32 or float64 with the file's shape, yours to release. CUSP_EIO, with the file's name and
 * the offset, where the file cannot be read, is not IDX, is shorter or longer than its header says;
 * *out is all zero then.
 */
CUSP_NODISCARD cusp_status cusp_idx_read(cusp_array *out, const char *path);

#endif
