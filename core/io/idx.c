#include "idx.h"

#include "../base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define PIECE ((size_t)1 << 26) /* gzread counts in unsigned int */
#define DEFLATE_RATIO 1032      /* no gzip file becomes larger than this many times its size */

typedef struct idx_file {
  const char *path;
  gzFile gz;        /* reads plain files as they are */
  uint64_t on_disk; /* bytes */
  uint64_t offset;  /* of what has been read, decompressed */
} idx_file;

static cusp_status fail(const idx_file *file, const char *what) {
  return cusp_fail(CUSP_EIO, "%s: offset %llu: %s", file->path, (unsigned long long)file->offset,
                   what);
}

static cusp_status open_file(idx_file *file, const char *path) {
  struct stat info;
  *file = (idx_file){.path = path};
  if (stat(path, &info) != 0)
    return cusp_fail(CUSP_EIO, "%s: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode))
    return cusp_fail(CUSP_EIO, "%s: not a regular file", path);
  file->on_disk = (uint64_t)info.st_size;
  file->gz = gzopen(path, "rb");
  if (file->gz == NULL)
    return cusp_fail(CUSP_EIO, "%s: %s", path, errno ? strerror(errno) : "out of memory");
  return CUSP_OK;
}

/** Reads exactly `bytes` bytes; `what` they are is for the message. */
static cusp_status read_exactly(idx_file *file, void *to, size_t bytes, const char *what) {
  for (size_t done = 0; done < bytes;) {
    size_t piece = bytes - done < PIECE ? bytes - done : PIECE;
    int got = gzread(file->gz, (char *)to + done, (unsigned)piece);
    int code = Z_OK;
    const char *reason = gzerror(file->gz, &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR))
      return fail(file, code == Z_ERRNO ? strerror(errno) : reason);
    done += (size_t)got;
    file->offset += (uint64_t)got;
    if (got == 0)
      return cusp_fail(CUSP_EIO,
                       "%s: offset %llu: the file ends within %s: expected %zu bytes, got %zu",
                       file->path, (unsigned long long)file->offset, what, bytes, done);
  }
  return CUSP_OK;
}

static bool dtype_of_code(unsigned char code, cusp_dtype *dtype) {
  switch (code) {
  case 0x08: *dtype = CUSP_UINT8; return true;
  case 0x09: *dtype = CUSP_INT8; return true;
  case 0x0b: *dtype = CUSP_INT16; return true;
  case 0x0c: *dtype = CUSP_INT32; return true;
  case 0x0d: *dtype = CUSP_FLOAT32; return true;
  case 0x0e: *dtype = CUSP_FLOAT64; return true;
  default: return false;
  }
}

/** Two zero bytes, a type, the number of axes, and four bytes for each size, most significant
 * first. */
static cusp_status read_header(idx_file *file, cusp_dtype *dtype, cusp_shape *shape) {
  unsigned char start[4], sizes[4 * CUSP_MAX_DIMS];
  CUSP_TRY(read_exactly(file, start, sizeof start, "the header"));
  if (start[0] != 0 || start[1] != 0 || !dtype_of_code(start[2], dtype))
    return cusp_fail(CUSP_EIO,
                     "%s: offset 0: not an IDX file: it begins with bytes %02x %02x %02x %02x",
                     file->path, start[0], start[1], start[2], start[3]);
  if (start[3] > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_EIO, "%s: offset 3: %d axes; at most %d are supported", file->path,
                     start[3], CUSP_MAX_DIMS);
  shape->ndim = start[3];
  CUSP_TRY(read_exactly(file, sizes, 4 * (size_t)shape->ndim, "the sizes in its header"));
  for (int i = 0; i < shape->ndim; i++)
    shape->size[i] = (int64_t)((uint32_t)sizes[4 * i] << 24 | (uint32_t)sizes[4 * i + 1] << 16 |
                               (uint32_t)sizes[4 * i + 2] << 8 | sizes[4 * i + 3]);
  return CUSP_OK;
}

/** Refuses a header that promises more than the file can hold, before memory is asked for. */
static cusp_status check_size(const idx_file *file, cusp_dtype dtype, const cusp_shape *shape) {
  int64_t count;
  size_t bytes;
  if (cusp_shape_count_checked(&count, shape) != CUSP_OK ||
      cusp_multiply_size(&bytes, (size_t)count, cusp_dtype_size(dtype)) != CUSP_OK)
    return cusp_fail_prefix(CUSP_EIO, "%s: ", file->path);
  uint64_t most = gzdirect(file->gz) ? file->on_disk : file->on_disk * DEFLATE_RATIO;
  /* rows without bytes: any number would seem to fit */
  if (count == 0 && shape->ndim > 0 && (uint64_t)shape->size[0] > most)
    return cusp_fail(CUSP_EIO, "%s: its header says %s of %s, rows that hold nothing", file->path,
                     cusp_shape_text(shape), cusp_dtype_name(dtype));
  if (bytes > most)
    return cusp_fail(
        CUSP_EIO, "%s: its header says %s of %s, %zu bytes, but the file has only %llu", file->path,
        cusp_shape_text(shape), cusp_dtype_name(dtype), bytes, (unsigned long long)file->on_disk);
  return CUSP_OK;
}

/** From most significant byte first to this machine's order. */
static void order_bytes(unsigned char *data, size_t bytes, size_t element) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  for (size_t i = 0; element > 1 && i < bytes; i += element)
    for (size_t j = 0; j < element / 2; j++) {
      unsigned char byte = data[i + j];
      data[i + j] = data[i + element - 1 - j];
      data[i + element - 1 - j] = byte;
    }
#else
  (void)data, (void)bytes, (void)element;
#endif
}

/** Nothing may follow; reading on makes zlib compare the checksum of a gzip file. */
static cusp_status check_end(idx_file *file) {
  char more;
  int got = gzread(file->gz, &more, 1), code = Z_OK;
  const char *reason = gzerror(file->gz, &code);
  if (got > 0)
    return fail(file, "there are bytes behind the data that the header describes");
  return got == 0 && (code == Z_OK || code == Z_STREAM_END) ? CUSP_OK : fail(file, reason);
}

static cusp_status read_array(idx_file *file, cusp_array *out) {
  cusp_dtype dtype = CUSP_UINT8;
  cusp_shape shape = {0};
  CUSP_TRY(read_header(file, &dtype, &shape));
  CUSP_TRY(check_size(file, dtype, &shape));
  CUSP_TRY(cusp_array_new(out, dtype, &shape));
  size_t element = cusp_dtype_size(dtype), bytes = (size_t)cusp_array_count(out) * element;
  CUSP_TRY(read_exactly(file, out->data, bytes, "the data"));
  order_bytes(out->data, bytes, element);
  return check_end(file);
}

cusp_status cusp_idx_read(cusp_array *out, const char *path) {
  idx_file file;
  memset(out, 0, sizeof *out);
  CUSP_TRY(open_file(&file, path));
  cusp_status status = read_array(&file, out);
  int closed = gzclose(file.gz); /* knows of a file that ends too early */
  if (status == CUSP_OK && closed != Z_OK)
    status = fail(&file, "the compressed data end too early");
  if (status != CUSP_OK)
    cusp_array_release(out);
  return status;
}
