/* Rows of arrays in memory, and windows of them. */
#include "reader.h"

#include "../base/memory.h"

#include <string.h>

typedef struct memory_reader {
  cusp_reader base;
  cusp_array *arrays; /* row-major; their storage is retained */
  cusp_window window; /* of windows */
} memory_reader;

static void memory_free(cusp_reader *reader) {
  memory_reader *self = (memory_reader *)reader;
  for (int k = 0; self->arrays && k < reader->n_columns; k++)
    cusp_array_release(&self->arrays[k]);
  cusp_free(self->arrays);
}

static void copy_rows(char *to, const char *from, size_t bytes, const int64_t *rows,
                      int64_t count) {
  for (int64_t i = 0; i < count; i++)
    memcpy(to + (size_t)i * bytes, from + (size_t)rows[i] * bytes, bytes);
}

static cusp_status arrays_read(cusp_reader *reader, const int64_t *rows, int64_t count,
                               void *const *out) {
  memory_reader *self = (memory_reader *)reader;
  for (int k = 0; k < reader->n_columns; k++)
    copy_rows(out[k], self->arrays[k].data, reader->columns[k].bytes, rows, count);
  return CUSP_OK;
}

static cusp_shape row_shape(const cusp_shape *shape) {
  cusp_shape row = {.ndim = shape->ndim - 1};
  memcpy(row.size, shape->size + 1, (size_t)row.ndim * sizeof *row.size);
  return row;
}

static cusp_status fill_arrays(memory_reader *self, const cusp_array *arrays) {
  cusp_reader *base = &self->base;
  CUSP_TRY(cusp_alloc_zeroed((void **)&self->arrays,
                             (size_t)(base->n_columns + 1) * sizeof *self->arrays));
  for (int k = 0; k < base->n_columns; k++) {
    if (arrays[k].shape.ndim == 0)
      return cusp_fail(CUSP_ESHAPE, "part %d is a scalar, which has no rows", k + 1);
    if (arrays[k].shape.size[0] != arrays[0].shape.size[0])
      return cusp_fail(CUSP_ESHAPE, "part %d has %lld rows, part 1 has %lld", k + 1,
                       (long long)arrays[k].shape.size[0], (long long)arrays[0].shape.size[0]);
    cusp_shape row = row_shape(&arrays[k].shape);
    CUSP_TRY(cusp_column_set(&base->columns[k], arrays[k].dtype, &row));
    CUSP_TRY(cusp_array_keep_contiguous(&self->arrays[k], &arrays[k]));
  }
  return CUSP_OK;
}

static cusp_status new_memory(memory_reader **out, int count) {
  cusp_reader *made;
  CUSP_TRY(cusp_reader_new(&made, sizeof(memory_reader), count));
  made->free = memory_free;
  made->in_memory = true;
  *out = (memory_reader *)made;
  return CUSP_OK;
}

cusp_status cusp_reader_arrays(cusp_reader **out, int count, const cusp_array *arrays) {
  memory_reader *self;
  *out = NULL;
  CUSP_TRY(new_memory(&self, count));
  self->base.read = arrays_read;
  cusp_status status = fill_arrays(self, arrays);
  if (status != CUSP_OK) {
    cusp_reader_release(&self->base);
    return status;
  }
  self->base.rows = count ? arrays[0].shape.size[0] : 0;
  *out = &self->base;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ windows */

static cusp_status windows_read(cusp_reader *reader, const int64_t *rows, int64_t count,
                                void *const *out) {
  memory_reader *self = (memory_reader *)reader;
  const cusp_window *w = &self->window;
  size_t bytes = reader->columns[0].bytes / (size_t)w->length;
  char *to = out[0];
  for (int64_t i = 0; i < count; i++) {
    const char *from =
        (const char *)self->arrays[0].data + (size_t)(w->start + rows[i] * w->stride) * bytes;
    for (int64_t step = 0; step < w->length; step++, to += bytes)
      memcpy(to, from + (size_t)(step * w->rate) * bytes, bytes);
  }
  return CUSP_OK;
}

static cusp_status check_windows(const cusp_array *array, const cusp_window *w, int64_t rows) {
  if (array->shape.ndim == 0 || w->length < 1 || w->stride < 1 || w->rate < 1 || w->start < 0)
    return cusp_fail(
        CUSP_EVALUE,
        "windows need an array with a first axis, and a length, stride and rate of at least 1");
  int64_t last, reach;
  if (rows > 0 && (__builtin_mul_overflow(rows - 1, w->stride, &last) ||
                   __builtin_mul_overflow(w->length - 1, w->rate, &reach) ||
                   __builtin_add_overflow(last, reach, &last) ||
                   __builtin_add_overflow(last, w->start, &last) || last >= array->shape.size[0]))
    return cusp_fail(CUSP_EVALUE, "%lld windows of %lld steps do not fit into %lld",
                     (long long)rows, (long long)w->length, (long long)array->shape.size[0]);
  return CUSP_OK;
}

cusp_status cusp_reader_windows(cusp_reader **out, const cusp_array *array,
                                const cusp_window *window, int64_t rows) {
  memory_reader *self;
  *out = NULL;
  CUSP_TRY(check_windows(array, window, rows));
  CUSP_TRY(new_memory(&self, 1));
  cusp_shape shape = array->shape;
  shape.size[0] = window->length;
  cusp_status status = fill_arrays(self, array);
  if (status == CUSP_OK)
    status = cusp_column_set(&self->base.columns[0], array->dtype, &shape);
  if (status != CUSP_OK) {
    cusp_reader_release(&self->base);
    return status;
  }
  self->window = *window;
  self->base.read = windows_read;
  self->base.rows = rows;
  *out = &self->base;
  return CUSP_OK;
}
