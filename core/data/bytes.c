#include "bytes.h"

#include "../base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

cusp_status cusp_read_exactly(int descriptor, const char *path, int64_t offset, void *to,
                              size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    ssize_t got =
        pread(descriptor, (char *)to + done, bytes - done, (off_t)(offset + (int64_t)done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return cusp_fail(CUSP_EIO, "%s: offset %lld: %s", path, (long long)offset, strerror(errno));
    if (got == 0)
      return cusp_fail(CUSP_EIO, "%s: the file ends at offset %lld: expected %zu bytes, got %zu",
                       path, (long long)(offset + (int64_t)done), bytes, done);
    done += (size_t)got;
  }
  return CUSP_OK;
}

void cusp_swap_bytes(void *data, size_t bytes, size_t element) {
  unsigned char *byte = data;
  for (size_t i = 0; element > 1 && i + element <= bytes; i += element)
    for (size_t j = 0; j < element / 2; j++) {
      unsigned char kept = byte[i + j];
      byte[i + j] = byte[i + element - 1 - j];
      byte[i + element - 1 - j] = kept;
    }
}

static cusp_status read_opened(char **out, size_t *bytes, int descriptor, const char *path,
                               size_t most) {
  struct stat info;
  if (fstat(descriptor, &info) != 0)
    return cusp_fail(CUSP_EIO, "%s: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode))
    return cusp_fail(CUSP_EIO, "%s: not a regular file", path);
  if ((uint64_t)info.st_size > most)
    return cusp_fail(CUSP_EIO, "%s: the file has %lld bytes; at most %zu are read", path,
                     (long long)info.st_size, most);
  *bytes = (size_t)info.st_size;
  CUSP_TRY(cusp_alloc((void **)out, *bytes + 1));
  (*out)[*bytes] = 0;
  return cusp_read_exactly(descriptor, path, 0, *out, *bytes);
}

cusp_status cusp_read_file(char **out, size_t *bytes, const char *path, size_t most) {
  *out = NULL;
  /* a FIFO is refused rather than waited for */
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return cusp_fail(CUSP_EIO, "%s: %s", path, strerror(errno));
  cusp_status status = read_opened(out, bytes, descriptor, path, most);
  close(descriptor);
  if (status != CUSP_OK) {
    cusp_free(*out);
    *out = NULL;
  }
  return status;
}
