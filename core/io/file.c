/* See file.h. */
#include "file.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* read at a time: what was read is in the cache when it is summed; Ctrl-C is seen in between */
#define PIECE ((size_t)1 << 20)

struct cusp_file {
  int descriptor;
  uint64_t size;
  char path[];
};

cusp_status cusp_file_open(cusp_file **out, const char *path) {
  *out = NULL;
  /* a pipe without a writer would be waited for */
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat info;
  if (descriptor < 0 || fstat(descriptor, &info) != 0) {
    cusp_status status = cusp_fail(CUSP_EIO, "%s: %s", path, strerror(errno));
    if (descriptor >= 0)
      close(descriptor);
    return status;
  }
  if (!S_ISREG(info.st_mode)) {
    close(descriptor);
    return cusp_fail(CUSP_EIO, "%s: expected a regular file, got %s", path,
                     S_ISDIR(info.st_mode) ? "a folder" : "a special file");
  }
  size_t length = strlen(path) + 1;
  cusp_status status = cusp_alloc((void **)out, sizeof **out + length);
  if (status != CUSP_OK) {
    close(descriptor);
    return status;
  }
  (*out)->descriptor = descriptor;
  (*out)->size = (uint64_t)info.st_size;
  memcpy((*out)->path, path, length);
  return CUSP_OK;
}

void cusp_file_close(cusp_file *file) {
  if (file)
    close(file->descriptor);
  cusp_free(file);
}

uint64_t cusp_file_size(const cusp_file *file) { return file->size; }
const char *cusp_file_path(const cusp_file *file) { return file->path; }
int cusp_file_descriptor(const cusp_file *file) { return file->descriptor; }

/* ------------------------------------------------------------------ reading */

cusp_status cusp_file_check_range(const cusp_file *file, uint64_t offset, uint64_t count) {
  if (count <= file->size && offset <= file->size - count)
    return CUSP_OK;
  return cusp_fail(CUSP_EIO,
                   "%s: offset %llu: expected %llu bytes there, but the file has only %llu bytes",
                   file->path, (unsigned long long)offset, (unsigned long long)count,
                   (unsigned long long)file->size);
}

/** Reads one piece, which lies within the size that the file had when it was opened. */
static cusp_status read_piece(cusp_file *file, char *to, uint64_t offset, size_t count) {
  if (cusp_interrupted())
    return cusp_fail(CUSP_EINTERRUPT, "interrupted");
  while (count > 0) {
    ssize_t got = pread(file->descriptor, to, count, (off_t)offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return cusp_fail(CUSP_EIO, "%s: offset %llu: %s", file->path, (unsigned long long)offset,
                       strerror(errno));
    if (got == 0)
      return cusp_fail(CUSP_EIO, "%s: offset %llu: the file became shorter while it was read",
                       file->path, (unsigned long long)offset);
    to += got;
    offset += (uint64_t)got;
    count -= (size_t)got;
  }
  return CUSP_OK;
}

static cusp_status read_and_sum(cusp_file *file, void *to, uint64_t offset, size_t count,
                                uint32_t *crc) {
  CUSP_TRY(cusp_file_check_range(file, offset, count));
  for (size_t done = 0; done < count;) {
    size_t piece = count - done < PIECE ? count - done : PIECE;
    CUSP_TRY(read_piece(file, (char *)to + done, offset + done, piece));
    if (crc)
      *crc = cusp_crc32c(*crc, (char *)to + done, piece);
    done += piece;
  }
  return CUSP_OK;
}

cusp_status cusp_file_read(cusp_file *file, void *to, uint64_t offset, size_t count) {
  return read_and_sum(file, to, offset, count, NULL);
}

cusp_status cusp_file_crc32c(uint32_t *crc, cusp_file *file, uint64_t offset, uint64_t count) {
  CUSP_TRY(cusp_file_check_range(file, offset, count));
  void *buffer;
  CUSP_TRY(cusp_alloc(&buffer, PIECE));
  cusp_status status = CUSP_OK;
  while (status == CUSP_OK && count > 0) {
    size_t piece = count < PIECE ? (size_t)count : PIECE;
    status = read_and_sum(file, buffer, offset, piece, crc);
    offset += piece;
    count -= piece;
  }
  cusp_free(buffer);
  return status;
}

/* ------------------------------------------------------------------ arrays */

void cusp_reverse_bytes(void *data, size_t count, size_t size) {
  unsigned char *bytes = data;
  if (size == 2) {
    for (size_t i = 0; i < count; i++, bytes += 2) {
      uint16_t word;
      memcpy(&word, bytes, 2);
      word = __builtin_bswap16(word);
      memcpy(bytes, &word, 2);
    }
  } else if (size == 4) {
    for (size_t i = 0; i < count; i++, bytes += 4) {
      uint32_t word;
      memcpy(&word, bytes, 4);
      word = __builtin_bswap32(word);
      memcpy(bytes, &word, 4);
    }
  } else if (size == 8) {
    for (size_t i = 0; i < count; i++, bytes += 8) {
      uint64_t word;
      memcpy(&word, bytes, 8);
      word = __builtin_bswap64(word);
      memcpy(bytes, &word, 8);
    }
  }
}

static void to_own_form(cusp_array *array, bool big_endian) {
  size_t count = (size_t)cusp_array_count(array);
  if (big_endian == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__))
    cusp_reverse_bytes(array->data, count, cusp_dtype_size(array->dtype));
  unsigned char *bools = array->data;
  for (size_t i = 0; array->dtype == CUSP_BOOL && i < count; i++)
    bools[i] = bools[i] != 0;
}

cusp_status cusp_file_read_array(cusp_array *out, cusp_file *file, uint64_t offset,
                                 cusp_dtype dtype, const cusp_shape *shape, bool big_endian,
                                 uint32_t *crc) {
  memset(out, 0, sizeof *out);
  int64_t count;
  size_t bytes;
  if (dtype == CUSP_STRING)
    return cusp_fail(CUSP_EDTYPE, "%s: bytes are not read as strings", file->path);
  if (cusp_shape_count_checked(&count, shape) != CUSP_OK ||
      cusp_multiply_size(&bytes, (size_t)count, cusp_dtype_size(dtype)) != CUSP_OK)
    return cusp_fail_prefix(CUSP_EIO, "%s: offset %llu: ", file->path, (unsigned long long)offset);
  CUSP_TRY(cusp_file_check_range(file, offset, bytes));
  CUSP_TRY(cusp_array_new(out, dtype, shape));
  cusp_status status = read_and_sum(file, out->data, offset, bytes, crc);
  if (status == CUSP_OK)
    to_own_form(out, big_endian);
  else
    cusp_array_release(out);
  return status;
}

/* ------------------------------------------------------------------ folders */

cusp_status cusp_make_directories(const char *path) {
  char part[PATH_MAX];
  size_t length = strlen(path);
  if (length >= sizeof part)
    return cusp_fail(CUSP_EIO, "%.100s...: %s", path, strerror(ENAMETOOLONG));
  for (size_t end = 1; end <= length; end++) {
    if (path[end] != '/' && path[end] != '\0')
      continue;
    memcpy(part, path, end);
    part[end] = '\0';
    struct stat info;
    if (mkdir(part, 0777) != 0 && (errno != EEXIST || stat(part, &info) != 0))
      return cusp_fail(CUSP_EIO, "%s: cannot make the folder: %s", part, strerror(errno));
  }
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
    return cusp_fail(CUSP_EIO, "%s: cannot make the folder: there is a file of that name", path);
  return CUSP_OK;
}

cusp_status cusp_sync_folder_of(const char *path) {
  char folder[PATH_MAX] = ".";
  const char *slash = strrchr(path, '/');
  size_t length = slash ? (size_t)(slash - path) : 0;
  if (length >= sizeof folder)
    return cusp_fail(CUSP_EIO, "%.100s...: %s", path, strerror(ENAMETOOLONG));
  if (slash) {
    memcpy(folder, path, length);
    strcpy(folder + length, length ? "" : "/");
  }
  int descriptor = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  if (descriptor < 0)
    /* may be written, not read */
    return errno == EACCES ? CUSP_OK : cusp_fail(CUSP_EIO, "%s: %s", folder, strerror(errno));
  /* some file systems cannot */
  int failed = fsync(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP ? errno : 0;
  close(descriptor);
  return failed ? cusp_fail(CUSP_EIO, "%s: %s", folder, strerror(failed)) : CUSP_OK;
}
