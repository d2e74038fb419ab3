#include "bytes.h"

#include "../base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

cusp_status cusp_open_regular(int *descriptor, int64_t *bytes, const char *path) {
  struct stat info;
  cusp_status status = CUSP_OK;
  *descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (*descriptor < 0 || fstat(*descriptor, &info) != 0)
    status = cusp_fail(CUSP_EIO, "%s: %s", path, strerror(errno));
  else if (!S_ISREG(info.st_mode))
    status = cusp_fail(CUSP_EIO, "%s: not a regular file", path);
  if (status == CUSP_OK) {
    *bytes = info.st_size;
    return CUSP_OK;
  }
  if (*descriptor >= 0)
    close(*descriptor);
  *descriptor = -1;
  return status;
}

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

static cusp_status read_opened(char **out, size_t bytes, int descriptor, const char *path,
                               size_t most) {
  if (bytes > most)
    return cusp_fail(CUSP_EIO, "%s: the file has %zu bytes; at most %zu are read", path, bytes,
                     most);
  CUSP_TRY(cusp_alloc((void **)out, bytes + 1));
  (*out)[bytes] = 0;
  return cusp_read_exactly(descriptor, path, 0, *out, bytes);
}

cusp_status cusp_read_file(char **out, size_t *bytes, const char *path, size_t most) {
  int descriptor;
  int64_t size;
  *out = NULL;
  CUSP_TRY(cusp_open_regular(&descriptor, &size, path));
  *bytes = (size_t)size;
  cusp_status status = read_opened(out, *bytes, descriptor, path, most);
  close(descriptor);
  if (status != CUSP_OK) {
    cusp_free(*out);
    *out = NULL;
  }
  return status;
}
