#include "chunk_reader.h"

#include "../base/memory.h"
#include "kept_rows.h"

#include <pthread.h>
#include <string.h>

#define KEPT_BYTES ((size_t)16 << 20)
#define MOST_BLOCKS 64

/* The rows that one row of chunks covers, decoded. */
typedef struct block {
  int64_t number; /* -1: empty */
  uint64_t used;  /* when it was asked for last */
  char *rows;
} block;

typedef struct chunk_reader {
  cusp_reader base;
  cusp_chunked chunked;
  int64_t block_rows;
  int n_blocks;
  block blocks[MOST_BLOCKS];
  uint64_t clock;
  int64_t wanted;       /* rows that all who read have asked to keep */
  cusp_kept_rows *kept; /* NULL: none */
  pthread_mutex_t lock; /* of all this; held while a block is decoded */
} chunk_reader;

static void chunk_reader_free(cusp_reader *reader) {
  chunk_reader *self = (chunk_reader *)reader;
  for (int i = 0; i < self->n_blocks; i++)
    cusp_free(self->blocks[i].rows);
  cusp_kept_rows_free(self->kept);
  cusp_file_close(self->chunked.file);
  pthread_mutex_destroy(&self->lock);
}

static block *oldest_block(chunk_reader *self) {
  block *oldest = &self->blocks[0];
  for (int i = 1; i < self->n_blocks; i++)
    if (self->blocks[i].used < oldest->used)
      oldest = &self->blocks[i];
  return oldest;
}

static cusp_status keep_block(chunk_reader *self, const block *b, int64_t first, int64_t count) {
  size_t bytes = self->base.columns[0].bytes;
  for (int64_t i = 0; self->kept && i < count; i++)
    CUSP_TRY(cusp_kept_rows_put(self->kept, first + i, b->rows + (size_t)i * bytes));
  return CUSP_OK;
}

static cusp_status decode(chunk_reader *self, block *b, int64_t number) {
  int64_t first = number * self->block_rows, left = self->base.rows - first;
  int64_t count = left < self->block_rows ? left : self->block_rows;
  b->number = -1;
  if (!b->rows)
    CUSP_TRY(cusp_alloc((void **)&b->rows, (size_t)self->block_rows * self->base.columns[0].bytes));
  CUSP_TRY(cusp_chunked_read(&self->chunked, first, count, b->rows, false));
  b->number = number;
  return keep_block(self, b, first, count);
}

static cusp_status find_block(chunk_reader *self, int64_t number, block **out) {
  *out = NULL;
  for (int i = 0; i < self->n_blocks && !*out; i++)
    if (self->blocks[i].number == number)
      *out = &self->blocks[i];
  if (!*out) {
    *out = oldest_block(self);
    CUSP_TRY(decode(self, *out, number));
  }
  (*out)->used = ++self->clock;
  return CUSP_OK;
}

/* Copies all rows that are asked for and lie in the block of row `first`, so that each block is
 * decoded once a batch. */
static cusp_status copy_block(chunk_reader *self, const int64_t *rows, int64_t count, int64_t first,
                              char *out, bool *done) {
  size_t bytes = self->base.columns[0].bytes;
  int64_t number = rows[first] / self->block_rows;
  block *b;
  CUSP_TRY(find_block(self, number, &b));
  for (int64_t i = first; i < count; i++)
    if (!done[i] && rows[i] / self->block_rows == number) {
      memcpy(out + (size_t)i * bytes, b->rows + (size_t)(rows[i] % self->block_rows) * bytes,
             bytes);
      done[i] = true;
      if (self->kept)
        cusp_kept_rows_take(self->kept, rows[i]);
    }
  return CUSP_OK;
}

static bool copy_kept(chunk_reader *self, int64_t row, char *to) {
  const char *from = self->kept ? cusp_kept_rows_take(self->kept, row) : NULL;
  if (from)
    memcpy(to, from, self->base.columns[0].bytes);
  return from != NULL;
}

static cusp_status chunked_rows(cusp_reader *reader, const int64_t *rows, int64_t count,
                                void *const *out) {
  chunk_reader *self = (chunk_reader *)reader;
  size_t bytes = reader->columns[0].bytes;
  bool *done;
  CUSP_TRY(cusp_reader_check_fork(reader));
  CUSP_TRY(cusp_alloc_zeroed((void **)&done, (size_t)count));
  pthread_mutex_lock(&self->lock);
  cusp_status status = CUSP_OK;
  for (int64_t i = 0; status == CUSP_OK && i < count; i++)
    if (!done[i] && !copy_kept(self, rows[i], (char *)out[0] + (size_t)i * bytes))
      status = copy_block(self, rows, count, i, out[0], done);
  pthread_mutex_unlock(&self->lock);
  cusp_free(done);
  return status;
}

/* Room for the rows of a block more than are wanted: those that come with the last of these. */
static cusp_status make_room(chunk_reader *self) {
  int64_t rows = self->base.rows, spare = 2 * self->block_rows;
  int64_t capacity = self->wanted > rows - spare ? rows : self->wanted + spare;
  if (self->kept)
    return cusp_kept_rows_grow(self->kept, capacity);
  return cusp_kept_rows_new(&self->kept, rows, self->block_rows, self->base.columns[0].bytes,
                            capacity);
}

/* Without memory for it, rows are decoded as often as it takes. */
static void chunked_keep(cusp_reader *reader, int64_t rows) {
  chunk_reader *self = (chunk_reader *)reader;
  if (cusp_reader_check_fork(reader) != CUSP_OK)
    return;
  pthread_mutex_lock(&self->lock);
  self->wanted += rows;
  if (self->wanted > 0 && make_room(self) != CUSP_OK)
    cusp_error_clear();
  if (self->wanted <= 0) {
    cusp_kept_rows_free(self->kept);
    self->kept = NULL;
  }
  pthread_mutex_unlock(&self->lock);
}

/* Rows of chunks that are too large to keep are read in smaller pieces, at the price of decoding
 * them for each. */
static void choose_blocks(chunk_reader *self) {
  size_t row = self->base.columns[0].bytes ? self->base.columns[0].bytes : 1;
  int64_t most = (int64_t)(KEPT_BYTES / row);
  self->block_rows = self->chunked.chunk.size[0];
  if (self->block_rows > most)
    self->block_rows = most < 1 ? 1 : most;
  size_t fit = KEPT_BYTES / (row * (size_t)self->block_rows);
  self->n_blocks = fit < 2 ? 2 : fit > MOST_BLOCKS ? MOST_BLOCKS : (int)fit;
  for (int i = 0; i < self->n_blocks; i++)
    self->blocks[i].number = -1;
}

cusp_status cusp_reader_chunked(cusp_reader **out, const cusp_chunked *chunked, const char *path) {
  cusp_reader *made;
  *out = NULL;
  CUSP_TRY(cusp_reader_new(&made, sizeof(chunk_reader), 1));
  chunk_reader *self = (chunk_reader *)made;
  cusp_shape row = {.ndim = chunked->shape.ndim - 1};
  memcpy(row.size, chunked->shape.size + 1, (size_t)row.ndim * sizeof *row.size);
  pthread_mutex_init(&self->lock, NULL);
  self->chunked = *chunked;
  self->chunked.file = NULL;
  made->rows = chunked->shape.size[0];
  made->read = chunked_rows;
  made->keep = chunked_keep;
  made->free = chunk_reader_free;
  cusp_status status = cusp_column_set(&made->columns[0], chunked->dtype, &row);
  if (status == CUSP_OK)
    status = cusp_file_open(&self->chunked.file, path);
  if (status != CUSP_OK) {
    cusp_reader_release(made);
    return status;
  }
  choose_blocks(self);
  made->block_rows = self->block_rows > 1 ? self->block_rows : 0;
  *out = made;
  return CUSP_OK;
}
