/* Rows side by side in a file: NumPy's arrays, IDX, and the contiguous datasets of HDF5. */
#include "reader.h"

#include "../base/memory.h"
#include "bytes.h"

#include <string.h>
#include <unistd.h>

typedef struct file_reader {
  cusp_reader base;
  int descriptor;
  int64_t offset;
  bool swapped;
  char *path;
} file_reader;

static void file_free(cusp_reader *reader) {
  file_reader *self = (file_reader *)reader;
  if (self->descriptor >= 0)
    close(self->descriptor);
  cusp_free(self->path);
}

/* Rows that follow each other in the file are read in one go. */
static cusp_status file_read(cusp_reader *reader, const int64_t *rows, int64_t count,
                             void *const *out) {
  file_reader *self = (file_reader *)reader;
  size_t bytes = reader->columns[0].bytes;
  for (int64_t done = 0; done < count;) {
    int64_t run = 1;
    while (done + run < count && rows[done + run] == rows[done] + run)
      run++;
    char *to = (char *)out[0] + (size_t)done * bytes;
    int64_t at = self->offset + rows[done] * (int64_t)bytes;
    cusp_status status =
        cusp_read_exactly(self->descriptor, self->path, at, to, (size_t)run * bytes);
    if (status != CUSP_OK)
      return cusp_fail_prefix(status, "row %lld: ", (long long)rows[done]);
    done += run;
  }
  if (self->swapped)
    cusp_swap_bytes(out[0], (size_t)count * bytes, cusp_dtype_size(reader->columns[0].dtype));
  for (size_t i = 0; reader->columns[0].dtype == CUSP_BOOL && i < (size_t)count * bytes; i++)
    ((unsigned char *)out[0])[i] = ((unsigned char *)out[0])[i] != 0;
  return CUSP_OK;
}

static cusp_status check_extent(const file_reader *self, const cusp_file_rows *file, int64_t size) {
  size_t bytes;
  CUSP_TRY(cusp_multiply_size(&bytes, (size_t)file->rows, self->base.columns[0].bytes));
  if (file->offset > size || bytes > (size_t)(size - file->offset))
    return cusp_fail(
        CUSP_EIO,
        "%s: expected %lld rows of %zu bytes from offset %lld, but the file has %lld bytes",
        file->path, (long long)file->rows, self->base.columns[0].bytes, (long long)file->offset,
        (long long)size);
  return CUSP_OK;
}

static cusp_status open_rows(file_reader *self, const cusp_file_rows *file) {
  int64_t size;
  if (file->offset < 0 || file->rows < 0)
    return cusp_fail(CUSP_EVALUE, "%s: %lld rows from offset %lld", file->path,
                     (long long)file->rows, (long long)file->offset);
  CUSP_TRY(cusp_column_set(&self->base.columns[0], file->dtype, &file->shape));
  CUSP_TRY(cusp_alloc((void **)&self->path, strlen(file->path) + 1));
  strcpy(self->path, file->path);
  CUSP_TRY(cusp_open_regular(&self->descriptor, &size, file->path));
  return check_extent(self, file, size);
}

cusp_status cusp_reader_file(cusp_reader **out, const cusp_file_rows *file) {
  cusp_reader *made;
  *out = NULL;
  CUSP_TRY(cusp_reader_new(&made, sizeof(file_reader), 1));
  file_reader *self = (file_reader *)made;
  self->descriptor = -1;
  self->offset = file->offset;
  self->swapped = file->swapped;
  made->rows = file->rows;
  made->read = file_read;
  made->free = file_free;
  cusp_status status = open_rows(self, file);
  if (status != CUSP_OK)
    cusp_reader_release(made);
  else
    *out = made;
  return status;
}
