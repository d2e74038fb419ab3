#ifndef CUSP_IO_FILE_H
#define CUSP_IO_FILE_H
/* Files read at offsets that other files named: every range is checked before memory is taken,
 * every message names file and offset. */

#include "../tensor/array.h"

/** A regular file, open for reading. */
typedef struct cusp_file cusp_file;

/** CUSP_EIO where there is no such file, it cannot be read or is not a regular file. *out is NULL
 * on failure. */
CUSP_NODISCARD cusp_status cusp_file_open(cusp_file **out, const char *path);
void cusp_file_close(cusp_file *file); /* NULL is accepted */
/** Bytes it had when it was opened. */
uint64_t cusp_file_size(const cusp_file *file);
const char *cusp_file_path(const cusp_file *file);
/** Lent, for libraries that read by descriptor. */
int cusp_file_descriptor(const cusp_file *file);

/** CUSP_EIO, naming the range, where it does not lie within the file. */
CUSP_NODISCARD cusp_status cusp_file_check_range(const cusp_file *file, uint64_t offset,
                                                 uint64_t count);
/** Fills `to` with the `count` bytes at `offset`. */
CUSP_NODISCARD cusp_status cusp_file_read(cusp_file *file, void *to, uint64_t offset, size_t count);
/** Continues *crc over the `count` bytes at `offset`, without taking memory for them. */
CUSP_NODISCARD cusp_status cusp_file_crc32c(uint32_t *crc, cusp_file *file, uint64_t offset,
                                            uint64_t count);

/**
 * Reads a row-major array stored at `offset`, least significant byte first unless `big_endian`.
 * Bytes of bools other than 0 become 1. *crc, unless NULL, is continued over the stored bytes. A
 * new array, yours to release; all zero on failure.
 */
CUSP_NODISCARD cusp_status cusp_file_read_array(cusp_array *out, cusp_file *file, uint64_t offset,
                                                cusp_dtype dtype, const cusp_shape *shape,
                                                bool big_endian, uint32_t *crc);

/** Reverses the bytes of each of `count` elements of `size` bytes, in place. */
void cusp_reverse_bytes(void *data, size_t count, size_t size);

/** Makes the folder `path` and those above it; an existing one is fine. */
CUSP_NODISCARD cusp_status cusp_make_directories(const char *path);
/** Writes what the folder that holds `path` lists to the disk: a rename or a removal survives a
 * loss of power from then on. */
CUSP_NODISCARD cusp_status cusp_sync_folder_of(const char *path);

#endif
