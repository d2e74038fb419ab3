/* Reading and writing arrays in chunks: which chunks a range of rows needs, and copying between
 * chunk and array. See chunks.h. */
#include "chunks.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "filters.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define DEFLATE_RATIO 1032 /* no compressed bytes become more than this many times as many */

/* ------------------------------------------------------------------ sizes */

static int64_t places(const cusp_chunked *chunked, int axis) {
  int64_t size = chunked->shape.size[axis], chunk = chunked->chunk.size[axis];
  return size / chunk + (size % chunk != 0);
}

cusp_status cusp_chunked_grid(size_t *count, const cusp_chunked *chunked) {
  int64_t elements;
  *count = 1;
  if (chunked->shape.ndim < 1 || chunked->shape.ndim > CUSP_MAX_DIMS ||
      chunked->chunk.ndim != chunked->shape.ndim)
    return cusp_fail(CUSP_ESHAPE, "chunks of shape %s do not divide an array of shape %s",
                     cusp_shape_text(&chunked->chunk), cusp_shape_text(&chunked->shape));
  CUSP_TRY(cusp_shape_count_checked(&elements, &chunked->shape));
  for (int i = 0; i < chunked->shape.ndim; i++) {
    if (chunked->chunk.size[i] < 1)
      return cusp_fail(CUSP_ESHAPE, "a chunk has sizes of 1 or more, got %s",
                       cusp_shape_text(&chunked->chunk));
    CUSP_TRY(cusp_multiply_size(count, *count, (size_t)places(chunked, i)));
  }
  return CUSP_OK;
}

cusp_status cusp_chunked_bytes(size_t *bytes, const cusp_chunked *chunked) {
  int64_t elements;
  CUSP_TRY(cusp_shape_count_checked(&elements, &chunked->chunk));
  CUSP_TRY(cusp_multiply_size(bytes, (size_t)elements, cusp_dtype_size(chunked->dtype)));
  if (*bytes > UINT32_MAX - 64)
    return cusp_fail(CUSP_ESHAPE, "chunks of shape %s have %zu bytes; HDF5 allows 4 GiB",
                     cusp_shape_text(&chunked->chunk), *bytes);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ between a chunk and the
 * array */

/* The part of a chunk that lies within the rows asked for: in elements, `from` within the chunk and
 * `to` within the rows. */
typedef struct box {
  int ndim;
  int64_t size[CUSP_MAX_DIMS], chunk_strides[CUSP_MAX_DIMS], row_strides[CUSP_MAX_DIMS];
  int64_t from, to;
  bool empty;
} box;

static box find_box(const cusp_chunked *chunked, size_t index, int64_t first, int64_t count) {
  box b = {.ndim = chunked->shape.ndim};
  cusp_strides_row_major(b.chunk_strides, &chunked->chunk);
  /* the first axis' size does not matter to them */
  cusp_strides_row_major(b.row_strides, &chunked->shape);
  for (int axis = b.ndim - 1; axis >= 0; axis--) {
    int64_t grid = places(chunked, axis),
            start = (int64_t)(index % (size_t)grid) * chunked->chunk.size[axis];
    int64_t low = axis == 0 ? first : 0,
            high = axis == 0 ? first + count : chunked->shape.size[axis];
    int64_t begin = start > low ? start : low, end = chunked->chunk.size[axis] < high - start
                                                         ? start + chunked->chunk.size[axis]
                                                         : high;
    index /= (size_t)grid;
    b.size[axis] = end - begin;
    b.empty |= end <= begin;
    b.from += (begin - start) * b.chunk_strides[axis];
    b.to += (begin - low) * b.row_strides[axis];
  }
  return b;
}

/* Steps to the next run of the box along all axes but the last; false at the end. */
static bool next_run(const box *b, int64_t *position, int64_t *in_chunk, int64_t *in_rows) {
  for (int axis = b->ndim - 2; axis >= 0; axis--) {
    *in_chunk += b->chunk_strides[axis];
    *in_rows += b->row_strides[axis];
    if (++position[axis] < b->size[axis])
      return true;
    *in_chunk -= b->chunk_strides[axis] * b->size[axis];
    *in_rows -= b->row_strides[axis] * b->size[axis];
    position[axis] = 0;
  }
  return false;
}

typedef enum direction { CHUNK_TO_ROWS, ROWS_TO_CHUNK } direction;

static void copy_box(const box *b, unsigned char *chunk, unsigned char *rows, size_t element,
                     direction way) {
  int64_t position[CUSP_MAX_DIMS] = {0}, in_chunk = b->from, in_rows = b->to;
  size_t run = (size_t)b->size[b->ndim - 1] * element;
  do {
    unsigned char *piece = chunk + (size_t)in_chunk * element,
                  *row = rows + (size_t)in_rows * element;
    memcpy(way == CHUNK_TO_ROWS ? row : piece, way == CHUNK_TO_ROWS ? piece : row, run);
  } while (next_run(b, position, &in_chunk, &in_rows));
}

static void fill_box(const box *b, const unsigned char *fill, unsigned char *rows, size_t element) {
  int64_t position[CUSP_MAX_DIMS] = {0}, in_chunk = b->from, in_rows = b->to;
  do {
    unsigned char *row = rows + (size_t)in_rows * element;
    for (int64_t i = 0; i < b->size[b->ndim - 1]; i++)
      memcpy(row + (size_t)i * element, fill, element);
  } while (next_run(b, position, &in_chunk, &in_rows));
}

/* ------------------------------------------------------------------ one chunk */

static cusp_status fail_chunk(const cusp_chunked *chunked, const cusp_chunk *chunk,
                              cusp_status status) {
  const char *path = cusp_file_path(chunked->file);
  bool named = strncmp(cusp_error_message(), path, strlen(path)) == 0;
  return named ? status
               : cusp_fail_prefix(status, "%s: chunk at offset %llu: ", path,
                                  (unsigned long long)chunk->offset);
}

/* Refuses a chunk whose bytes in the file cannot become those of a decoded one, before memory is
 * asked for. */
static cusp_status check_bytes(const cusp_chunked *chunked, const cusp_chunk *chunk,
                               size_t decoded) {
  bool deflated = false;
  for (int i = 0; i < chunked->filter_count; i++)
    deflated |=
        (chunked->filters[i] == CUSP_FILTER_DEFLATE || chunked->filters[i] == CUSP_FILTER_LZF) &&
        !(chunk->skipped >> i & 1);
  size_t most = deflated ? (size_t)chunk->bytes * DEFLATE_RATIO : chunk->bytes;
  if (decoded > most || (!deflated && chunk->bytes > decoded + 4 * (size_t)chunked->filter_count))
    return cusp_fail(CUSP_EIO, "its %u bytes cannot be the %zu of a chunk", chunk->bytes, decoded);
  return CUSP_OK;
}

/* To this machine's byte order, and booleans to 0 and 1. */
static void normalise(const cusp_chunked *chunked, unsigned char *data, size_t bytes) {
  size_t element = cusp_dtype_size(chunked->dtype);
  if (chunked->big_endian == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__))
    cusp_reverse_bytes(data, bytes / element, element);
  for (size_t i = 0; chunked->dtype == CUSP_BOOL && i < bytes; i++)
    data[i] = data[i] != 0;
}

static cusp_status decode(const cusp_chunked *chunked, const cusp_chunk *chunk, const box *b,
                          unsigned char *rows) {
  void *stored = NULL, *decoded = NULL;
  size_t bytes, spare = 4 * (size_t)chunked->filter_count;
  CUSP_TRY(cusp_chunked_bytes(&bytes, chunked));
  CUSP_TRY(check_bytes(chunked, chunk, bytes));
  cusp_status status = cusp_alloc(&stored, (bytes > chunk->bytes ? bytes : chunk->bytes) + spare);
  if (status == CUSP_OK)
    status = cusp_alloc(&decoded, bytes + spare);
  if (status == CUSP_OK)
    status = cusp_file_read(chunked->file, stored, chunk->offset, chunk->bytes);
  if (status == CUSP_OK)
    status = cusp_filters_undo(chunked, chunk, stored, decoded, bytes);
  if (status == CUSP_OK) {
    normalise(chunked, decoded, bytes);
    copy_box(b, decoded, rows, cusp_dtype_size(chunked->dtype), CHUNK_TO_ROWS);
  }
  cusp_free(stored);
  cusp_free(decoded);
  return status;
}

static cusp_status read_chunk(const cusp_chunked *chunked, size_t index, int64_t first,
                              int64_t count, unsigned char *rows) {
  box b = find_box(chunked, index, first, count);
  if (b.empty)
    return CUSP_OK;
  if (!chunked->chunks || chunked->chunks[index].bytes == 0) {
    fill_box(&b, chunked->fill, rows, cusp_dtype_size(chunked->dtype));
    return CUSP_OK;
  }
  const cusp_chunk *chunk = &chunked->chunks[index];
  cusp_status status = decode(chunked, chunk, &b, rows);
  return status == CUSP_OK ? CUSP_OK : fail_chunk(chunked, chunk, status);
}

/* ------------------------------------------------------------------ rows */

/* Shared by the threads that read: the first failure stops all, its message is handed over. */
typedef struct reading {
  const cusp_chunked *chunked;
  size_t first_chunk;
  int64_t first, count;
  unsigned char *rows;
  atomic_int status;
  char message[512];
} reading;

static void read_chunks(void *context, int64_t begin, int64_t end) {
  reading *r = context;
  for (int64_t i = begin; i < end && atomic_load(&r->status) == CUSP_OK; i++) {
    cusp_status status =
        read_chunk(r->chunked, r->first_chunk + (size_t)i, r->first, r->count, r->rows);
    int none = CUSP_OK;
    if (status != CUSP_OK && atomic_compare_exchange_strong(&r->status, &none, (int)status))
      snprintf(r->message, sizeof r->message, "%s", cusp_error_message());
  }
}

cusp_status cusp_chunked_read(const cusp_chunked *chunked, int64_t first, int64_t count, void *to,
                              bool parallel) {
  size_t grid;
  CUSP_TRY(cusp_chunked_grid(&grid, chunked));
  if (chunked->chunks && chunked->chunk_count != grid)
    return cusp_fail(CUSP_EIO, "%s: %zu chunks are listed where the shape asks for %zu",
                     cusp_file_path(chunked->file), chunked->chunk_count, grid);
  if (first < 0 || count < 0 || first > chunked->shape.size[0] - count)
    return cusp_fail(CUSP_EVALUE, "%lld rows from %lld on were requested of %lld", (long long)count,
                     (long long)first, (long long)chunked->shape.size[0]);
  if (count == 0 || grid == 0)
    return CUSP_OK;
  size_t row_of_chunks = grid / (size_t)places(chunked, 0);
  int64_t begin = first / chunked->chunk.size[0],
          end = (first + count - 1) / chunked->chunk.size[0] + 1;
  reading r = {.chunked = chunked,
               .first_chunk = (size_t)begin * row_of_chunks,
               .first = first,
               .count = count,
               .rows = to};
  int64_t chunks = (end - begin) * (int64_t)row_of_chunks;
  if (parallel)
    cusp_parallel_for(chunks, 1, read_chunks, &r);
  else
    read_chunks(&r, 0, chunks);
  cusp_status status = (cusp_status)atomic_load(&r.status);
  return status == CUSP_OK ? CUSP_OK : cusp_fail(status, "%s", r.message);
}

/* ------------------------------------------------------------------ writing */

cusp_status cusp_chunk_encode(unsigned char **out, size_t *bytes, const cusp_chunked *chunked,
                              const void *data, size_t index) {
  size_t grid, plain_bytes;
  void *plain;
  *out = NULL;
  CUSP_TRY(cusp_chunked_grid(&grid, chunked));
  CUSP_TRY(cusp_chunked_bytes(&plain_bytes, chunked));
  if (index >= grid)
    return cusp_fail(CUSP_EVALUE, "chunk %zu was requested of %zu", index, grid);
  CUSP_TRY(cusp_alloc_zeroed(&plain, plain_bytes));
  box b = find_box(chunked, index, 0, chunked->shape.size[0]);
  copy_box(&b, plain, (unsigned char *)data, cusp_dtype_size(chunked->dtype), ROWS_TO_CHUNK);
  cusp_status status = cusp_filters_apply(chunked, out, bytes, plain, plain_bytes);
  cusp_free(plain);
  return status;
}
