/* HDF5's filters shuffle, deflate and fletcher32, and h5py's lzf for reading (HDF5 File Format
 * Specification, filter pipeline message). See chunks.h. */
#include "filters.h"

#include "chunks.h"

#include "../base/memory.h"

#include <string.h>
#include <zlib.h>

/* ------------------------------------------------------------------ fletcher32 */

uint32_t cusp_fletcher32(const unsigned char *data, size_t bytes) {
  enum { SAFE_WORDS = 360 }; /* as many additions fit 32 bits before the sums must be folded */
  uint32_t low = 0, high = 0;
  for (size_t words = bytes / 2; words > 0;) {
    size_t run = words < SAFE_WORDS ? words : SAFE_WORDS;
    words -= run;
    for (; run > 0; run--, data += 2) {
      low += (uint32_t)(data[0] << 8 | data[1]);
      high += low;
    }
    low = (low & 0xffff) + (low >> 16);
    high = (high & 0xffff) + (high >> 16);
  }
  if (bytes % 2) {
    low += (uint32_t)data[0] << 8;
    high += low;
    low = (low & 0xffff) + (low >> 16);
    high = (high & 0xffff) + (high >> 16);
  }
  low = (low & 0xffff) + (low >> 16);
  high = (high & 0xffff) + (high >> 16);
  return high << 16 | low;
}

/* The sum is little-endian; releases of HDF5 before 1.6.3 wrote the bytes of its halves the other
 * way round. */
static bool fletcher_matches(uint32_t sum, const unsigned char *stored) {
  uint32_t swapped = (sum & 0x00ff00ff) << 8 | (sum >> 8 & 0x00ff00ff);
  uint32_t found = (uint32_t)stored[0] | (uint32_t)stored[1] << 8 | (uint32_t)stored[2] << 16 |
                   (uint32_t)stored[3] << 24;
  return found == sum || found == swapped;
}

/* ------------------------------------------------------------------ shuffle */

/* First bytes of all elements together, then the second bytes, ...; what is left behind the last
 * whole element stays. */
static void shuffle(unsigned char *to, const unsigned char *from, size_t bytes, size_t element) {
  size_t count = bytes / element;
  for (size_t byte = 0; byte < element; byte++)
    for (size_t i = 0; i < count; i++)
      *to++ = from[i * element + byte];
  memcpy(to, from + count * element, bytes - count * element);
}

static void unshuffle(unsigned char *to, const unsigned char *from, size_t bytes, size_t element) {
  size_t count = bytes / element;
  for (size_t byte = 0; byte < element; byte++)
    for (size_t i = 0; i < count; i++)
      to[i * element + byte] = *from++;
  memcpy(to + count * element, from, bytes - count * element);
}

/* ------------------------------------------------------------------ deflate */

static cusp_status inflate_into(unsigned char *to, size_t room, size_t *written,
                                const unsigned char *from, size_t bytes) {
  z_stream stream = {.next_in = (unsigned char *)from,
                     .avail_in = (uInt)bytes,
                     .next_out = to,
                     .avail_out = (uInt)room};
  if (inflateInit(&stream) != Z_OK)
    return cusp_fail(CUSP_ENOMEM, "out of memory: zlib has none to decompress");
  int code = inflate(&stream, Z_FINISH);
  *written = room - stream.avail_out;
  inflateEnd(&stream);
  if (code == Z_STREAM_END)
    return CUSP_OK;
  if (code == Z_MEM_ERROR)
    return cusp_fail(CUSP_ENOMEM, "out of memory: zlib has none to decompress");
  return cusp_fail(CUSP_EIO, code == Z_BUF_ERROR || code == Z_OK
                                 ? "its compressed bytes end too early, or hold more than the chunk"
                                 : "its compressed bytes are damaged");
}

static cusp_status deflate_into(unsigned char *to, size_t room, size_t *written,
                                const unsigned char *from, size_t bytes, int level) {
  uLongf length = (uLongf)room;
  if (compress2(to, &length, from, (uLong)bytes, level) != Z_OK)
    return cusp_fail(CUSP_ENOMEM, "out of memory: zlib has none to compress");
  *written = length;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ lzf */

/* Copies what was written `distance` bytes ago; it may overlap what it writes. */
static bool repeat_bytes(unsigned char *to, size_t room, size_t *at, size_t distance,
                         size_t length) {
  if (distance > *at || length > room - *at)
    return false;
  for (; length > 0; length--, ++*at)
    to[*at] = to[*at - distance];
  return true;
}

/* LibLZF's format: runs of up to 32 bytes as they are, and references of 3 to 264 bytes to what was
 * up to 8 KB before. */
static cusp_status unlzf_into(unsigned char *to, size_t room, size_t *written,
                              const unsigned char *from, size_t bytes) {
  size_t at = 0;
  bool fine = true;
  for (size_t i = 0; fine && i < bytes;) {
    size_t control = from[i++], length = control >> 5;
    if (length == 0) {
      length = control + 1;
      fine = length <= bytes - i && length <= room - at;
      if (fine)
        memcpy(to + at, from + i, length);
      i += length;
      at += length;
      continue;
    }
    size_t extra = length == 7;
    fine = extra + 1 <= bytes - i;
    if (!fine)
      break;
    length += extra ? from[i++] : 0;
    fine = repeat_bytes(to, room, &at, ((control & 0x1f) << 8 | from[i++]) + 1, length + 2);
  }
  if (!fine)
    return cusp_fail(CUSP_EIO, "its compressed bytes are damaged, or hold more than the chunk");
  *written = at;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the pipeline */

/* Undoes one filter from `from` to `to`, which has `room` bytes; *bytes is updated. Checksums
 * change no place. */
static cusp_status undo(cusp_filter filter, size_t element, unsigned char *to, size_t room,
                        const unsigned char *from, size_t *bytes) {
  switch (filter) {
  case CUSP_FILTER_DEFLATE: return inflate_into(to, room, bytes, from, *bytes);
  case CUSP_FILTER_LZF: return unlzf_into(to, room, bytes, from, *bytes);
  case CUSP_FILTER_SHUFFLE: unshuffle(to, from, *bytes, element); return CUSP_OK;
  case CUSP_FILTER_FLETCHER32:
    if (*bytes < 4)
      return cusp_fail(CUSP_EIO, "it is too short for its checksum");
    *bytes -= 4;
    if (!fletcher_matches(cusp_fletcher32(from, *bytes), from + *bytes))
      return cusp_fail(CUSP_EIO, "its checksum does not match");
    memcpy(to, from, *bytes);
    return CUSP_OK;
  }
  return cusp_fail(CUSP_EUNSUPPORTED, "it uses filter %d", (int)filter);
}

/* An undone filter may leave no more than a buffer holds; those that expand see to it themselves.
 */
static cusp_status undo_all(const cusp_chunked *chunked, const cusp_chunk *chunk,
                            unsigned char *data, unsigned char **result, unsigned char *spare,
                            size_t room, size_t *bytes) {
  unsigned char *from = data, *to = spare;
  for (int i = chunked->filter_count - 1; i >= 0; i--) {
    if (chunk->skipped >> i & 1)
      continue;
    if (*bytes > room && chunked->filters[i] != CUSP_FILTER_DEFLATE &&
        chunked->filters[i] != CUSP_FILTER_LZF)
      return cusp_fail(CUSP_EIO, "it is longer than its filters allow");
    CUSP_TRY(undo(chunked->filters[i], cusp_dtype_size(chunked->dtype), to, room, from, bytes));
    unsigned char *empty = from;
    from = to, to = empty;
  }
  *result = from;
  return CUSP_OK;
}

cusp_status cusp_filters_undo(const cusp_chunked *chunked, const cusp_chunk *chunk,
                              unsigned char *data, unsigned char *out, size_t decoded) {
  size_t bytes = chunk->bytes, room = decoded + 4 * (size_t)chunked->filter_count;
  unsigned char *result = data;
  CUSP_TRY(undo_all(chunked, chunk, data, &result, out, room, &bytes));
  if (bytes != decoded)
    return cusp_fail(CUSP_EIO, "it holds %zu bytes, expected %zu", bytes, decoded);
  if (result != out)
    memcpy(out, result, decoded);
  return CUSP_OK;
}

static size_t room_for(const cusp_chunked *chunked, size_t bytes) {
  for (int i = 0; i < chunked->filter_count; i++)
    bytes = chunked->filters[i] == CUSP_FILTER_DEFLATE ? compressBound((uLong)bytes) : bytes + 4;
  return bytes;
}

static cusp_status apply(const cusp_chunked *chunked, cusp_filter filter, unsigned char *to,
                         size_t room, const unsigned char *from, size_t *bytes) {
  if (filter == CUSP_FILTER_DEFLATE)
    return deflate_into(to, room, bytes, from, *bytes, chunked->level);
  if (filter == CUSP_FILTER_SHUFFLE) {
    shuffle(to, from, *bytes, cusp_dtype_size(chunked->dtype));
    return CUSP_OK;
  }
  if (filter == CUSP_FILTER_LZF)
    return cusp_fail(CUSP_EUNSUPPORTED, "lzf is only read");
  uint32_t sum = cusp_fletcher32(from, *bytes);
  memcpy(to, from, *bytes);
  for (int i = 0; i < 4; i++)
    to[(*bytes)++] = (unsigned char)(sum >> 8 * i);
  return CUSP_OK;
}

cusp_status cusp_filters_apply(const cusp_chunked *chunked, unsigned char **out, size_t *out_bytes,
                               const unsigned char *data, size_t bytes) {
  void *to = NULL, *spare = NULL;
  size_t room = room_for(chunked, bytes);
  *out = NULL;
  cusp_status status = cusp_alloc(&to, room);
  if (status == CUSP_OK)
    status = cusp_alloc(&spare, room);
  if (status == CUSP_OK)
    memcpy(to, data, bytes);
  for (int i = 0; status == CUSP_OK && i < chunked->filter_count; i++) {
    status = apply(chunked, chunked->filters[i], spare, room, to, &bytes);
    void *empty = to;
    to = spare, spare = empty;
  }
  cusp_free(spare);
  if (status != CUSP_OK) {
    cusp_free(to);
    return status;
  }
  *out = to;
  *out_bytes = bytes;
  return CUSP_OK;
}
