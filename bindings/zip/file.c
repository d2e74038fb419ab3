/*
 * A libzip source over a file descriptor. Reading is pread straight into libzip's (or the caller's)
 * memory. Writing goes into the file itself: libzip writes 8 KB at a time, so they are gathered,
 * and it returns to a member's header once the member's checksum is known, so that each byte is
 * written once.
 */
#include "zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GATHERED = 1 << 18 };

struct cusp_zip_file {
  int fd;
  zip_uint64_t size;      /* when it was opened */
  zip_uint64_t position;  /* of the next read */
  zip_uint64_t last_read; /* position of the last one */
  zip_uint64_t written;   /* where the gathered bytes go */
  zip_uint64_t end;       /* behind the last byte ever written */
  size_t gathered;        /* how many there are */
  zip_uint8_t *bytes;     /* GATHERED of them; NULL for a file that is only read */
  zip_error_t error;
};

zip_uint64_t cusp_zip_file_size(const cusp_zip_file *file) { return file->size; }
zip_uint64_t cusp_zip_file_last_read(const cusp_zip_file *file) { return file->last_read; }

static int write_all(int fd, const zip_uint8_t *bytes, size_t count, zip_uint64_t offset) {
  while (count > 0) {
    ssize_t done = pwrite(fd, bytes, count, (off_t)offset);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return -1;
    bytes += done;
    count -= (size_t)done;
    offset += (zip_uint64_t)done;
  }
  return 0;
}

int cusp_zip_file_overwrite(cusp_zip_file *file, const void *bytes, size_t count) {
  return write_all(file->fd, bytes, count, 0);
}

static zip_int64_t fail(cusp_zip_file *file, int code) {
  zip_error_set(&file->error, code, errno);
  return -1;
}

static zip_int64_t read_file(cusp_zip_file *file, void *data, zip_uint64_t count) {
  ssize_t done;
  do
    done = pread(file->fd, data, count < SSIZE_MAX ? (size_t)count : (size_t)SSIZE_MAX,
                 (off_t)file->position);
  while (done < 0 && errno == EINTR);
  if (done < 0)
    return fail(file, ZIP_ER_READ);
  file->last_read = file->position;
  file->position += (zip_uint64_t)done;
  return done;
}

static zip_int64_t flush(cusp_zip_file *file) {
  if (write_all(file->fd, file->bytes, file->gathered, file->written) != 0)
    return fail(file, ZIP_ER_WRITE);
  file->written += file->gathered;
  file->gathered = 0;
  if (file->end < file->written)
    file->end = file->written;
  return 0;
}

static zip_int64_t write_file(cusp_zip_file *file, const zip_uint8_t *data, zip_uint64_t count) {
  zip_uint64_t left = count;
  while (left > 0) {
    if (file->gathered == GATHERED && flush(file) < 0)
      return -1;
    size_t part = left < GATHERED - file->gathered ? (size_t)left : GATHERED - file->gathered;
    memcpy(file->bytes + file->gathered, data, part);
    file->gathered += part;
    data += part;
    left -= part;
  }
  return (zip_int64_t)count;
}

/** The new position, from zip_source_args_seek; -1 if it is before the beginning. */
static zip_int64_t seek(cusp_zip_file *file, zip_uint64_t current, zip_uint64_t end, void *data,
                        zip_uint64_t length) {
  return zip_source_seek_compute_offset(current, end, data, length, &file->error);
}

static zip_int64_t seek_write(cusp_zip_file *file, void *data, zip_uint64_t length) {
  if (flush(file) < 0)
    return -1;
  zip_int64_t position = seek(file, file->written, file->end, data, length);
  if (position >= 0)
    file->written = (zip_uint64_t)position;
  return position < 0 ? -1 : 0;
}

static zip_int64_t describe(cusp_zip_file *file, zip_stat_t *stat) {
  zip_stat_init(stat);
  stat->size = file->size;
  stat->valid = ZIP_STAT_SIZE;
  return sizeof *stat;
}

static void free_file(cusp_zip_file *file) {
  zip_error_fini(&file->error);
  close(file->fd);
  free(file->bytes);
  free(file);
}

static zip_int64_t supported(const cusp_zip_file *file) {
  return (file->bytes ? ZIP_SOURCE_SUPPORTS_WRITABLE : ZIP_SOURCE_SUPPORTS_SEEKABLE) |
         ZIP_SOURCE_MAKE_COMMAND_BITMASK(ZIP_SOURCE_ACCEPT_EMPTY);
}

static zip_int64_t callback(void *state, void *data, zip_uint64_t length,
                            zip_source_cmd_t command) {
  cusp_zip_file *file = state;
  switch (command) {
  case ZIP_SOURCE_OPEN: file->position = 0; return 0;
  case ZIP_SOURCE_READ: return read_file(file, data, length);
  case ZIP_SOURCE_SEEK: {
    zip_int64_t position = seek(file, file->position, file->size, data, length);
    if (position < 0)
      return -1;
    file->position = (zip_uint64_t)position;
    return 0;
  }
  case ZIP_SOURCE_TELL: return (zip_int64_t)file->position;
  case ZIP_SOURCE_STAT: return describe(file, data);
  case ZIP_SOURCE_ERROR: return zip_error_to_data(&file->error, data, length);
  case ZIP_SOURCE_BEGIN_WRITE: file->written = file->end = file->gathered = 0; return 0;
  case ZIP_SOURCE_WRITE: return write_file(file, data, length);
  case ZIP_SOURCE_SEEK_WRITE: return seek_write(file, data, length);
  case ZIP_SOURCE_TELL_WRITE: return (zip_int64_t)(file->written + file->gathered);
  case ZIP_SOURCE_COMMIT_WRITE: return flush(file);
  case ZIP_SOURCE_CLOSE:
  case ZIP_SOURCE_ROLLBACK_WRITE: /* whoever made the file removes it */
  case ZIP_SOURCE_REMOVE: return 0;
  case ZIP_SOURCE_SUPPORTS: return supported(file);
  case ZIP_SOURCE_ACCEPT_EMPTY: return 0; /* an empty file is no archive */
  case ZIP_SOURCE_FREE: free_file(file); return 0;
  default: zip_error_set(&file->error, ZIP_ER_OPNOTSUPP, 0); return -1;
  }
}

static int open_regular(const char *path, cusp_zip_mode mode, zip_uint64_t *size) {
  /* O_NONBLOCK: opening a pipe is to fail in the test below rather than to wait for a writer. */
  int fd = open(path, mode == CUSP_ZIP_WRITE ? O_RDWR | O_CLOEXEC | O_NOFOLLOW
                                             : O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat facts = {0};
  if (fd < 0)
    return -1;
  if (fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode)) {
    *size = (zip_uint64_t)facts.st_size;
    return fd;
  }
  int reason = S_ISDIR(facts.st_mode) ? EISDIR : EINVAL;
  close(fd);
  errno = reason;
  return -1;
}

zip_source_t *cusp_zip_open_file(cusp_zip_file **file, const char *path, cusp_zip_mode mode,
                                 zip_error_t *error) {
  cusp_zip_file *made = calloc(1, sizeof *made);
  *file = NULL;
  if (made && mode == CUSP_ZIP_WRITE)
    made->bytes = malloc(GATHERED);
  if (made == NULL || (mode == CUSP_ZIP_WRITE && made->bytes == NULL)) {
    free(made);
    zip_error_set(error, ZIP_ER_MEMORY, 0);
    return NULL;
  }
  zip_error_init(&made->error);
  made->fd = open_regular(path, mode, &made->size);
  if (made->fd < 0) {
    zip_error_set(error, ZIP_ER_OPEN, errno);
    free(made->bytes);
    free(made);
    return NULL;
  }
  zip_source_t *source = zip_source_function_create(callback, made, error);
  if (source == NULL)
    free_file(made);
  else
    *file = made;
  return source;
}
