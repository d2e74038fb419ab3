/* Filters and arrays in chunks: round trips, and bytes that are not what they should be. */
#include "base/memory.h"
#include "check.h"
#include "io/chunks.h"

#include <stdlib.h>
#include <unistd.h>

/* A file of these bytes, open; its name is gone already. */
static cusp_file *file_of(const void *data, size_t bytes) {
  char path[] = "/tmp/cusp-chunks-XXXXXX";
  cusp_file *file = NULL;
  int descriptor = mkstemp(path);
  CHECK(descriptor >= 0 && write(descriptor, data, bytes) == (ssize_t)bytes);
  close(descriptor);
  CHECK_OK(cusp_file_open(&file, path));
  unlink(path);
  return file;
}

static cusp_chunked array_2d(cusp_dtype dtype, int64_t rows, int64_t columns, int64_t chunk_rows,
                             int64_t chunk_columns) {
  return (cusp_chunked){.dtype = dtype,
                        .shape = {2, {rows, columns}},
                        .chunk = {2, {chunk_rows, chunk_columns}},
                        .level = 4};
}

static void test_fletcher(void) {
  /* 0x0102 + 0x0304 = 0x0406; 0x0102 + 0x0406 = 0x0508 */
  CHECK(cusp_fletcher32((const unsigned char *)"\1\2\3\4", 4) == 0x05080406);
  CHECK(cusp_fletcher32((const unsigned char *)"\1", 1) == 0x01000100);
  CHECK(cusp_fletcher32((const unsigned char *)"", 0) == 0);
  unsigned char ones[2000];
  memset(ones, 0xff, sizeof ones);
  CHECK(cusp_fletcher32(ones, sizeof ones) == 0xffffffff);
}

static void test_grid(void) {
  size_t count;
  cusp_chunked chunked = array_2d(CUSP_FLOAT32, 11, 7, 4, 3);
  CHECK_OK(cusp_chunked_grid(&count, &chunked));
  CHECK(count == 9);
  chunked.shape.size[0] = 0;
  CHECK_OK(cusp_chunked_grid(&count, &chunked));
  CHECK(count == 0);
  chunked = array_2d(CUSP_FLOAT32, (int64_t)1 << 40, (int64_t)1 << 40, 1, 1);
  CHECK_FAILS(CUSP_ESHAPE, "", cusp_chunked_grid(&count, &chunked));
  chunked = array_2d(CUSP_FLOAT32, 4, 4, 0, 2);
  CHECK_FAILS(CUSP_ESHAPE, "1 or more", cusp_chunked_grid(&count, &chunked));
  chunked.chunk.ndim = 1;
  CHECK_FAILS(CUSP_ESHAPE, "do not divide", cusp_chunked_grid(&count, &chunked));
  chunked = array_2d(CUSP_FLOAT64, 4, 4, 1 << 20, 1 << 20);
  CHECK_FAILS(CUSP_ESHAPE, "4 GiB", cusp_chunked_bytes(&count, &chunked));
}

/* Encodes an array chunk by chunk into one run of bytes; `index` gets the places. */
static size_t encode(unsigned char *to, cusp_chunk *index, const cusp_chunked *chunked,
                     const void *data, size_t count) {
  size_t end = 0;
  for (size_t i = 0; i < count; i++) {
    unsigned char *encoded;
    size_t bytes;
    CHECK_OK(cusp_chunk_encode(&encoded, &bytes, chunked, data, i));
    memcpy(to + end, encoded, bytes);
    index[i] = (cusp_chunk){.offset = end, .bytes = (uint32_t)bytes};
    end += bytes;
    cusp_free(encoded);
  }
  return end;
}

static void test_round_trip(void) {
  static const cusp_filter sets[][3] = {
      {0},
      {CUSP_FILTER_DEFLATE},
      {CUSP_FILTER_SHUFFLE, CUSP_FILTER_DEFLATE},
      {CUSP_FILTER_FLETCHER32},
      {CUSP_FILTER_SHUFFLE, CUSP_FILTER_DEFLATE, CUSP_FILTER_FLETCHER32},
      {CUSP_FILTER_FLETCHER32, CUSP_FILTER_DEFLATE, CUSP_FILTER_SHUFFLE}};
  float data[11 * 7], read[11 * 7];
  unsigned char bytes[4096];
  cusp_chunk index[9];
  for (int i = 0; i < 11 * 7; i++)
    data[i] = (float)i;
  for (size_t set = 0; set < sizeof sets / sizeof *sets; set++) {
    cusp_chunked chunked = array_2d(CUSP_FLOAT32, 11, 7, 4, 3);
    for (int i = 0; i < 3 && sets[set][i]; i++)
      chunked.filters[chunked.filter_count++] = sets[set][i];
    chunked.file = file_of(bytes, encode(bytes, index, &chunked, data, 9));
    chunked.chunks = index;
    chunked.chunk_count = 9;
    for (int64_t first = 0; first < 11; first++)
      for (int64_t count = 0; count <= 11 - first; count++) {
        CHECK_OK(cusp_chunked_read(&chunked, first, count, read, count % 2));
        CHECK(memcmp(read, data + first * 7, (size_t)count * 7 * sizeof *data) == 0);
      }
    cusp_file_close(chunked.file);
  }
}

static void test_fill_and_order(void) {
  cusp_chunked chunked = array_2d(CUSP_INT16, 3, 2, 2, 2);
  int16_t read[6], nine = 9;
  cusp_chunk index[2] = {{0, 8, 0}, {0, 0, 0}};
  memcpy(chunked.fill, &nine, sizeof nine);
  chunked.big_endian = true;
  chunked.file = file_of("\0\1\0\2\0\3\0\4", 8);
  chunked.chunks = index;
  chunked.chunk_count = 2;
  CHECK_OK(cusp_chunked_read(&chunked, 0, 3, read, false));
  CHECK(read[0] == 1 && read[3] == 4 && read[4] == 9 && read[5] == 9);
  chunked.chunks = NULL;
  CHECK_OK(cusp_chunked_read(&chunked, 1, 1, read, false));
  CHECK(read[0] == 9 && read[1] == 9);
  cusp_file_close(chunked.file);
}

/* Each case damages the index or the bytes of a chunk of 4 int32 behind deflate and a checksum. */
static void test_damage(void) {
  int32_t data[4] = {1, 2, 3, 4}, read[4];
  unsigned char bytes[256];
  cusp_chunk index[1];
  cusp_chunked chunked = array_2d(CUSP_INT32, 2, 2, 2, 2);
  chunked.filters[chunked.filter_count++] = CUSP_FILTER_DEFLATE;
  chunked.filters[chunked.filter_count++] = CUSP_FILTER_FLETCHER32;
  size_t size = encode(bytes, index, &chunked, data, 1);
  chunked.file = file_of(bytes, size);
  chunked.chunks = index;
  chunked.chunk_count = 1;
  CHECK_OK(cusp_chunked_read(&chunked, 0, 2, read, false));
  index[0].skipped = 2;
  /* the checksum is taken for bytes behind the deflated ones */
  CHECK_OK(cusp_chunked_read(&chunked, 0, 2, read, false));
  index[0].skipped = 1;
  CHECK_FAILS(CUSP_EIO, "chunk at offset 0", cusp_chunked_read(&chunked, 0, 2, read, false));
  index[0].skipped = 0;
  index[0].bytes--;
  CHECK_FAILS(CUSP_EIO, "checksum", cusp_chunked_read(&chunked, 0, 2, read, false));
  index[0].bytes = 3;
  CHECK_FAILS(CUSP_EIO, "too short for its checksum",
              cusp_chunked_read(&chunked, 0, 2, read, false));
  index[0].bytes = UINT32_MAX;
  CHECK_FAILS(CUSP_EIO, "", cusp_chunked_read(&chunked, 0, 2, read, false));
  index[0] = (cusp_chunk){UINT64_MAX - 4, (uint32_t)size, 0};
  CHECK_FAILS(CUSP_EIO, "", cusp_chunked_read(&chunked, 0, 2, read, false));
  index[0] = (cusp_chunk){0, (uint32_t)size, 0};
  chunked.chunk_count = 2;
  CHECK_FAILS(CUSP_EIO, "2 chunks are listed", cusp_chunked_read(&chunked, 0, 2, read, false));
  chunked.chunk_count = 1;
  CHECK_FAILS(CUSP_EVALUE, "rows", cusp_chunked_read(&chunked, 1, 2, read, false));
  CHECK_FAILS(CUSP_EVALUE, "rows", cusp_chunked_read(&chunked, INT64_MAX, 1, read, false));
  /* the checksum becomes part of what is deflated: refused or ignored, nothing else */
  chunked.filter_count = 1;
  chunked.chunk = chunked.shape = (cusp_shape){2, {1 << 13, 1 << 13}};
  CHECK_FAILS(CUSP_EIO, "cannot be", cusp_chunked_read(&chunked, 0, 1, read, false));
  cusp_file_close(chunked.file);
}

int main(void) {
  test_fletcher();
  test_grid();
  test_round_trip();
  test_fill_and_order();
  test_damage();
  return check_summary();
}
