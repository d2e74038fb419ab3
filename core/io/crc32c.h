#ifndef CUSP_IO_CRC32C_H
#define CUSP_IO_CRC32C_H
/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of TensorFlow's checkpoints and record
 * files. */

#include <stddef.h>
#include <stdint.h>

/** Continues `crc` (0 at the start) over `bytes` bytes. Uses the processor's instruction where it
 * has one. */
uint32_t cusp_crc32c(uint32_t crc, const void *data, size_t bytes);
/** The same from tables, on any processor: what the instruction is tested against. */
uint32_t cusp_crc32c_portable(uint32_t crc, const void *data, size_t bytes);
/** The form in which LevelDB's and TensorFlow's files store a checksum, so that checksums of
 * checksums are no trouble. */
uint32_t cusp_crc32c_mask(uint32_t crc);

#endif
