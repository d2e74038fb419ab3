#include "reader.h"

#include "../base/memory.h"
#include "../base/threads.h"

#include <pthread.h>
#include <string.h>

cusp_status cusp_reader_new(cusp_reader **out, size_t bytes, int n_columns) {
  cusp_reader *reader;
  *out = NULL;
  CUSP_TRY(cusp_alloc_zeroed((void **)&reader, bytes));
  cusp_status status =
      cusp_alloc_zeroed((void **)&reader->columns, (size_t)n_columns * sizeof *reader->columns);
  if (status != CUSP_OK) {
    cusp_free(reader);
    return status;
  }
  reader->references = 1;
  reader->forks = cusp_fork_count();
  reader->n_columns = n_columns;
  *out = reader;
  return CUSP_OK;
}

cusp_status cusp_column_set(cusp_column *column, cusp_dtype dtype, const cusp_shape *shape) {
  int64_t count;
  CUSP_TRY(cusp_shape_count_checked(&count, shape));
  CUSP_TRY(cusp_multiply_size(&column->bytes, (size_t)count, cusp_dtype_size(dtype)));
  column->dtype = dtype;
  column->shape = *shape;
  return CUSP_OK;
}

cusp_status cusp_reader_check_fork(const cusp_reader *reader) {
  if (reader->forks == cusp_fork_count())
    return CUSP_OK;
  return cusp_fail(
      CUSP_EUNSUPPORTED,
      "this dataset was opened before the process was forked; open it again in the child");
}

cusp_status cusp_reader_each_row(cusp_reader *reader, const int64_t *rows, int64_t count,
                                 void *const *out, cusp_read_row *read_row) {
  void **places;
  CUSP_TRY(cusp_alloc((void **)&places, (size_t)(reader->n_columns + 1) * sizeof *places));
  cusp_status status = CUSP_OK;
  for (int64_t i = 0; status == CUSP_OK && i < count; i++) {
    for (int k = 0; k < reader->n_columns; k++)
      places[k] = (char *)out[k] + (size_t)i * reader->columns[k].bytes;
    status = read_row(reader, rows[i], places);
  }
  cusp_free(places);
  return status;
}

void cusp_reader_retain(cusp_reader *reader) {
  __atomic_add_fetch(&reader->references, 1, __ATOMIC_RELAXED);
}

void cusp_reader_release(cusp_reader *reader) {
  if (!reader || __atomic_sub_fetch(&reader->references, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  if (reader->free)
    reader->free(reader);
  cusp_free(reader->columns);
  cusp_free(reader);
}

/* ------------------------------------------------------------------ zip */

typedef struct joined {
  cusp_reader base;
  int count;
  cusp_reader **readers;
} joined;

static void joined_free(cusp_reader *reader) {
  joined *self = (joined *)reader;
  for (int i = 0; i < self->count; i++)
    cusp_reader_release(self->readers[i]);
  cusp_free(self->readers);
}

static void joined_keep(cusp_reader *reader, int64_t rows) {
  joined *self = (joined *)reader;
  for (int i = 0; i < self->count; i++)
    if (self->readers[i]->keep)
      self->readers[i]->keep(self->readers[i], rows);
}

static size_t row_bytes(const cusp_reader *reader) {
  size_t bytes = 0;
  for (int k = 0; k < reader->n_columns; k++)
    bytes += reader->columns[k].bytes;
  return bytes;
}

/* The blocks of the reader whose rows are largest, since those cost most. */
static int64_t dearest_blocks(int count, cusp_reader *const *readers) {
  const cusp_reader *dearest = NULL;
  for (int i = 0; i < count; i++)
    if (readers[i]->block_rows && (!dearest || row_bytes(readers[i]) > row_bytes(dearest)))
      dearest = readers[i];
  return dearest ? dearest->block_rows : 0;
}

static cusp_status new_joined(joined **out, int count, cusp_reader *const *readers, int n_columns) {
  cusp_reader *made;
  *out = NULL;
  CUSP_TRY(cusp_reader_new(&made, sizeof(joined), n_columns));
  joined *self = (joined *)made;
  made->free = joined_free;
  cusp_status status =
      cusp_alloc((void **)&self->readers, (size_t)(count + 1) * sizeof *self->readers);
  if (status != CUSP_OK) {
    cusp_reader_release(made);
    return status;
  }
  made->in_memory = true;
  made->keep = joined_keep;
  for (int i = 0; i < count; i++) {
    cusp_reader_retain(readers[i]);
    self->readers[self->count++] = readers[i];
    made->in_memory = made->in_memory && readers[i]->in_memory;
  }
  made->block_rows = dearest_blocks(count, readers);
  *out = self;
  return CUSP_OK;
}

static cusp_status zip_read(cusp_reader *reader, const int64_t *rows, int64_t count,
                            void *const *out) {
  joined *self = (joined *)reader;
  for (int i = 0; i < self->count; i++) {
    CUSP_TRY(self->readers[i]->read(self->readers[i], rows, count, out));
    out += self->readers[i]->n_columns;
  }
  return CUSP_OK;
}

cusp_status cusp_reader_zip(cusp_reader **out, int count, cusp_reader *const *readers) {
  joined *self;
  int n_columns = 0;
  *out = NULL;
  for (int i = 0; i < count; i++)
    n_columns += readers[i]->n_columns;
  CUSP_TRY(new_joined(&self, count, readers, n_columns));
  cusp_column *column = self->base.columns;
  self->base.rows = count ? readers[0]->rows : 0;
  for (int i = 0; i < count; i++) {
    memcpy(column, readers[i]->columns, (size_t)readers[i]->n_columns * sizeof *column);
    column += readers[i]->n_columns;
    if (readers[i]->rows < self->base.rows)
      self->base.rows = readers[i]->rows;
  }
  self->base.read = zip_read;
  *out = &self->base;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ concatenate */

/* Runs of neighbours in the same reader are read together. */
static cusp_status concatenated_read(cusp_reader *reader, const int64_t *rows, int64_t count,
                                     void *const *out) {
  joined *self = (joined *)reader;
  int64_t *own;
  void **places;
  CUSP_TRY(cusp_alloc((void **)&own,
                      (size_t)count * sizeof *own + (size_t)reader->n_columns * sizeof *places));
  places = (void **)(own + count);
  cusp_status status = CUSP_OK;
  for (int64_t done = 0; status == CUSP_OK && done < count;) {
    int which = 0;
    int64_t before = 0, run = 0;
    while (rows[done] >= before + self->readers[which]->rows)
      before += self->readers[which++]->rows;
    for (; done + run < count && rows[done + run] >= before &&
           rows[done + run] < before + self->readers[which]->rows;
         run++)
      own[run] = rows[done + run] - before;
    for (int k = 0; k < reader->n_columns; k++)
      places[k] = (char *)out[k] + (size_t)done * reader->columns[k].bytes;
    status = self->readers[which]->read(self->readers[which], own, run, places);
    done += run;
  }
  cusp_free(own);
  return status;
}

static cusp_status check_columns(const cusp_reader *a, const cusp_reader *b, int number) {
  if (a->n_columns != b->n_columns)
    return cusp_fail(CUSP_ESHAPE, "concatenate: part %d has %d columns, the first has %d", number,
                     b->n_columns, a->n_columns);
  for (int k = 0; k < a->n_columns; k++)
    if (a->columns[k].dtype != b->columns[k].dtype ||
        !cusp_shape_equal(&a->columns[k].shape, &b->columns[k].shape))
      return cusp_fail(CUSP_ESHAPE,
                       "concatenate: column %d of part %d is %s %s, that of the first is %s %s",
                       k + 1, number, cusp_dtype_name(b->columns[k].dtype),
                       cusp_shape_text(&b->columns[k].shape), cusp_dtype_name(a->columns[k].dtype),
                       cusp_shape_text(&a->columns[k].shape));
  return CUSP_OK;
}

cusp_status cusp_reader_concatenate(cusp_reader **out, int count, cusp_reader *const *readers) {
  joined *self;
  *out = NULL;
  for (int i = 1; i < count; i++)
    CUSP_TRY(check_columns(readers[0], readers[i], i + 1));
  CUSP_TRY(new_joined(&self, count, readers, readers[0]->n_columns));
  memcpy(self->base.columns, readers[0]->columns,
         (size_t)readers[0]->n_columns * sizeof *self->base.columns);
  for (int i = 0; i < count; i++)
    self->base.rows += readers[i]->rows;
  self->base.read = concatenated_read;
  *out = &self->base;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ cache */

typedef struct cache {
  cusp_reader base;
  cusp_reader *reader;
  pthread_mutex_t lock;
  unsigned char *known; /* by row */
  char **columns;       /* the rows that were read so far */
} cache;

static void cache_free(cusp_reader *reader) {
  cache *self = (cache *)reader;
  cusp_reader_release(self->reader);
  for (int k = 0; self->columns && k < reader->n_columns; k++)
    cusp_free(self->columns[k]);
  cusp_free(self->columns);
  cusp_free(self->known);
  pthread_mutex_destroy(&self->lock);
}

static bool is_known(cache *self, int64_t row) {
  pthread_mutex_lock(&self->lock);
  bool known = self->known[row];
  pthread_mutex_unlock(&self->lock);
  return known;
}

/* Two threads may read the same rows at once; the first to come back stores them. */
static void remember(cache *self, const int64_t *rows, int64_t count, void *const *data) {
  pthread_mutex_lock(&self->lock);
  for (int64_t i = 0; i < count; i++) {
    for (int k = 0; !self->known[rows[i]] && k < self->base.n_columns; k++) {
      size_t bytes = self->base.columns[k].bytes;
      memcpy(self->columns[k] + (size_t)rows[i] * bytes, (char *)data[k] + (size_t)i * bytes,
             bytes);
    }
    self->known[rows[i]] = 1;
  }
  pthread_mutex_unlock(&self->lock);
}

/* Reads `count` neighbours from `first` on. */
static cusp_status read_neighbours(cache *self, int64_t first, int64_t count, int64_t *rows,
                                   void **data) {
  for (int64_t i = 0; i < count; i++)
    rows[i] = first + i;
  for (int k = 0; k < self->base.n_columns; k++)
    CUSP_TRY(cusp_alloc(&data[k], (size_t)count * self->base.columns[k].bytes + 1));
  CUSP_TRY(self->reader->read(self->reader, rows, count, data));
  remember(self, rows, count, data);
  return CUSP_OK;
}

/* All rows of a block, since they cost as much as one of them. */
static cusp_status learn_block(cache *self, int64_t row) {
  int64_t size = self->reader->block_rows, first = row / size * size, *rows;
  int64_t count = self->base.rows - first < size ? self->base.rows - first : size;
  void **data;
  CUSP_TRY(cusp_alloc((void **)&rows, (size_t)count * sizeof *rows));
  cusp_status status =
      cusp_alloc_zeroed((void **)&data, (size_t)(self->base.n_columns + 1) * sizeof *data);
  if (status == CUSP_OK)
    status = read_neighbours(self, first, count, rows, data);
  for (int k = 0; data && k < self->base.n_columns; k++)
    cusp_free(data[k]);
  cusp_free(data);
  cusp_free(rows);
  return status;
}

static cusp_status learn_row(cache *self, int64_t row, void *const *out) {
  CUSP_TRY(self->reader->read(self->reader, &row, 1, out));
  remember(self, &row, 1, out);
  return CUSP_OK;
}

static cusp_status cached_row(cusp_reader *reader, int64_t row, void *const *out) {
  cache *self = (cache *)reader;
  if (!is_known(self, row)) {
    if (self->reader->block_rows <= 1)
      return learn_row(self, row, out);
    CUSP_TRY(learn_block(self, row));
  }
  for (int k = 0; k < self->base.n_columns; k++)
    memcpy(out[k], self->columns[k] + (size_t)row * self->base.columns[k].bytes,
           self->base.columns[k].bytes);
  return CUSP_OK;
}

static cusp_status cache_read(cusp_reader *reader, const int64_t *rows, int64_t count,
                              void *const *out) {
  CUSP_TRY(cusp_reader_check_fork(reader));
  return cusp_reader_each_row(reader, rows, count, out, cached_row);
}

static cusp_status make_room(cache *self) {
  cusp_reader *base = &self->base;
  CUSP_TRY(cusp_alloc_zeroed((void **)&self->known, (size_t)base->rows + 1));
  CUSP_TRY(cusp_alloc_zeroed((void **)&self->columns,
                             (size_t)(base->n_columns + 1) * sizeof *self->columns));
  for (int k = 0; k < base->n_columns; k++) {
    size_t bytes;
    CUSP_TRY(cusp_multiply_size(&bytes, (size_t)base->rows, base->columns[k].bytes));
    CUSP_TRY(cusp_alloc((void **)&self->columns[k], bytes));
  }
  return CUSP_OK;
}

cusp_status cusp_reader_cache(cusp_reader **out, cusp_reader *reader) {
  cusp_reader *made;
  *out = NULL;
  CUSP_TRY(cusp_reader_new(&made, sizeof(cache), reader->n_columns));
  cache *self = (cache *)made;
  memcpy(made->columns, reader->columns, (size_t)reader->n_columns * sizeof *made->columns);
  made->rows = reader->rows;
  made->read = cache_read;
  made->free = cache_free;
  pthread_mutex_init(&self->lock, NULL);
  self->reader = reader;
  cusp_reader_retain(reader);
  cusp_status status = make_room(self);
  if (status != CUSP_OK)
    cusp_reader_release(made);
  else
    *out = made;
  return status;
}
