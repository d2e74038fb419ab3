#include "tfrecord.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "../io/crc32c.h"
#include "bytes.h"
#include "example.h"

#include <string.h>
#include <unistd.h>

#define HEADER_BYTES 12 /* the length, and its checksum */
#define FOOTER_BYTES 4  /* the checksum of the content */

typedef struct tfrecord_reader {
  cusp_reader base;
  int descriptor;
  char *path;
  int64_t size;     /* of the file when it was opened */
  int64_t *offsets; /* of the records' headers; one more for the end */
  int64_t capacity;
  cusp_feature *features;
  char *names;
} tfrecord_reader;

static void tfrecord_free(cusp_reader *reader) {
  tfrecord_reader *self = (tfrecord_reader *)reader;
  if (self->descriptor >= 0)
    close(self->descriptor);
  cusp_free(self->path);
  cusp_free(self->offsets);
  cusp_free(self->features);
  cusp_free(self->names);
}

static uint64_t little_endian(const unsigned char *bytes, int count) {
  uint64_t value = 0;
  for (int i = count; i-- > 0;)
    value = value << 8 | bytes[i];
  return value;
}

/* ------------------------------------------------------------------ finding the records */

static cusp_status add_offset(tfrecord_reader *self, int64_t offset) {
  if (self->base.rows + 1 >= self->capacity) {
    int64_t capacity = self->capacity ? 2 * self->capacity : 256, *larger;
    CUSP_TRY(cusp_alloc((void **)&larger, (size_t)capacity * sizeof *larger));
    if (self->base.rows)
      memcpy(larger, self->offsets, (size_t)self->base.rows * sizeof *larger);
    cusp_free(self->offsets);
    self->offsets = larger;
    self->capacity = capacity;
  }
  self->offsets[self->base.rows] = offset;
  return CUSP_OK;
}

static cusp_status fail_record(const tfrecord_reader *self, int64_t record, int64_t offset,
                               const char *what) {
  return cusp_fail(CUSP_EIO, "%s: record %lld (at byte %lld): %s", self->path,
                   (long long)record + 1, (long long)offset, what);
}

/* Where the record after the one at `offset` begins. */
static cusp_status next_offset(const tfrecord_reader *self, int64_t offset, int64_t *next) {
  unsigned char header[HEADER_BYTES];
  int64_t left = self->size - offset;
  if (left < HEADER_BYTES + FOOTER_BYTES)
    return fail_record(self, self->base.rows, offset, "the file ends within it");
  CUSP_TRY(cusp_read_exactly(self->descriptor, self->path, offset, header, sizeof header));
  if (cusp_crc32c_mask(cusp_crc32c(0, header, 8)) != little_endian(header + 8, 4))
    return fail_record(self, self->base.rows, offset, "the checksum of its length is wrong");
  uint64_t length = little_endian(header, 8);
  if (length > (uint64_t)(left - HEADER_BYTES - FOOTER_BYTES))
    return fail_record(self, self->base.rows, offset, "the file ends within it");
  *next = offset + HEADER_BYTES + (int64_t)length + FOOTER_BYTES;
  return CUSP_OK;
}

static cusp_status find_records(tfrecord_reader *self) {
  int64_t offset = 0;
  CUSP_TRY(add_offset(self, 0));
  while (offset < self->size) {
    if (cusp_interrupted())
      return cusp_fail(CUSP_EINTERRUPT, "interrupted!");
    CUSP_TRY(next_offset(self, offset, &offset));
    self->base.rows++;
    CUSP_TRY(add_offset(self, offset));
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ reading */

/* The bytes of a record, checked; cusp_free *out, from whose start the content is HEADER_BYTES
 * away. */
static cusp_status read_record(tfrecord_reader *self, int64_t row, unsigned char **out,
                               size_t *length) {
  size_t bytes = (size_t)(self->offsets[row + 1] - self->offsets[row]);
  *length = bytes - HEADER_BYTES - FOOTER_BYTES;
  CUSP_TRY(cusp_alloc((void **)out, bytes));
  cusp_status status =
      cusp_read_exactly(self->descriptor, self->path, self->offsets[row], *out, bytes);
  if (status == CUSP_OK && cusp_crc32c_mask(cusp_crc32c(0, *out + HEADER_BYTES, *length)) !=
                               little_endian(*out + HEADER_BYTES + *length, FOOTER_BYTES))
    status = fail_record(self, row, self->offsets[row], "the checksum of its content is wrong");
  if (status != CUSP_OK) {
    cusp_free(*out);
    *out = NULL;
  }
  return status;
}

static cusp_status read_row(cusp_reader *reader, int64_t row, void *const *out) {
  tfrecord_reader *self = (tfrecord_reader *)reader;
  unsigned char *record;
  size_t length;
  CUSP_TRY(read_record(self, row, &record, &length));
  cusp_status status =
      cusp_example_parse(record + HEADER_BYTES, length, self->base.n_columns, self->features, out);
  cusp_free(record);
  return status == CUSP_OK
             ? status
             : cusp_fail_prefix(status, "%s: record %lld: ", self->path, (long long)row + 1);
}

static cusp_status tfrecord_read(cusp_reader *reader, const int64_t *rows, int64_t count,
                                 void *const *out) {
  return cusp_reader_each_row(reader, rows, count, out, read_row);
}

/* ------------------------------------------------------------------ opening */

static cusp_status copy_features(tfrecord_reader *self, int count, const cusp_feature *features) {
  size_t bytes = 1;
  for (int k = 0; k < count; k++)
    bytes += strlen(features[k].name) + 1;
  CUSP_TRY(cusp_alloc((void **)&self->names, bytes));
  CUSP_TRY(cusp_alloc((void **)&self->features, (size_t)(count + 1) * sizeof *self->features));
  char *to = self->names;
  for (int k = 0; k < count; k++) {
    self->features[k] = features[k];
    self->features[k].name = strcpy(to, features[k].name);
    to += strlen(to) + 1;
    CUSP_TRY(cusp_column_set(&self->base.columns[k], features[k].dtype, &features[k].shape));
  }
  return CUSP_OK;
}

static cusp_status open_records(tfrecord_reader *self, const char *path, int count,
                                const cusp_feature *features) {
  CUSP_TRY(copy_features(self, count, features));
  CUSP_TRY(cusp_alloc((void **)&self->path, strlen(path) + 1));
  strcpy(self->path, path);
  CUSP_TRY(cusp_open_regular(&self->descriptor, &self->size, path));
  return find_records(self);
}

cusp_status cusp_reader_tfrecord(cusp_reader **out, const char *path, int n_features,
                                 const cusp_feature *features) {
  cusp_reader *made;
  *out = NULL;
  CUSP_TRY(cusp_reader_new(&made, sizeof(tfrecord_reader), n_features));
  tfrecord_reader *self = (tfrecord_reader *)made;
  self->descriptor = -1;
  made->read = tfrecord_read;
  made->free = tfrecord_free;
  cusp_status status = open_records(self, path, n_features, features);
  if (status != CUSP_OK)
    cusp_reader_release(made);
  else
    *out = made;
  return status;
}
