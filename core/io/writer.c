/* See writer.h. */
#define _GNU_SOURCE /* sync_file_range */
#include "writer.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUFFER ((size_t)1 << 16)
#define PIECE ((size_t)1 << 23) /* bytes handed to the kernel at a time */
/* bytes of the file's name that the hidden one repeats: 255 is the most for both together */
#define LONGEST_NAME 180

typedef enum writer_state { WRITER_OPEN, WRITER_FAILED, WRITER_DONE } writer_state;

struct cusp_writer {
  int descriptor;
  writer_state state;
  bool synced; /* nothing was written since */
  bool lent;   /* not meant for the disk */
  pid_t process;
  uint64_t written, buffered; /* bytes appended to the file; bytes in the buffer that follow them */
  char path[PATH_MAX], temporary[PATH_MAX];
  char buffer[BUFFER];
};

static uint64_t bytes_left = UINT64_MAX;

void cusp_writer_fail_after(uint64_t bytes) { bytes_left = bytes ? bytes : UINT64_MAX; }

/* ------------------------------------------------------------------ opening */

/** Where a rename should put the file: behind symbolic links. */
static cusp_status resolve(cusp_writer *writer, const char *path, mode_t *mode) {
  struct stat info;
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof writer->path)
    return cusp_fail(CUSP_EIO, "%.100s: %s", path, strerror(length ? ENAMETOOLONG : ENOENT));
  memcpy(writer->path, path, length + 1);
  *mode = 0;
  if (stat(path, &info) != 0)
    return path[length - 1] != '/' ? CUSP_OK
                                   : cusp_fail(CUSP_EIO, "%s: %s", path, strerror(EISDIR));
  if (!S_ISREG(info.st_mode))
    return cusp_fail(CUSP_EIO, "%s: cannot be replaced: it is %s", path,
                     S_ISDIR(info.st_mode) ? "a folder" : "a special file");
  *mode = info.st_mode & 07777;
  return realpath(path, writer->path) ? CUSP_OK
                                      : cusp_fail(CUSP_EIO, "%s: %s", path, strerror(errno));
}

static cusp_status open_temporary(cusp_writer *writer, mode_t mode) {
  static atomic_uint serial;
  const char *slash = strrchr(writer->path, '/'), *name = slash ? slash + 1 : writer->path;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  for (int attempt = 0; attempt < 100; attempt++) {
    int length = snprintf(writer->temporary, sizeof writer->temporary, "%.*s.%.*s.%ld-%lx-%x.tmp",
                          (int)(name - writer->path), writer->path, LONGEST_NAME, name,
                          (long)getpid(), (long)now.tv_nsec, atomic_fetch_add(&serial, 1));
    if (length < 0 || (size_t)length >= sizeof writer->temporary)
      return cusp_fail(CUSP_EIO, "%.100s...: %s", writer->path, strerror(ENAMETOOLONG));
    writer->descriptor = open(writer->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (writer->descriptor >= 0 || errno != EEXIST)
      break;
  }
  if (writer->descriptor < 0)
    return cusp_fail(CUSP_EIO, "%s: cannot be written: %s", writer->path, strerror(errno));
  if (mode)
    (void)!fchmod(writer->descriptor, mode); /* not ours to change on some file systems */
  return CUSP_OK;
}

cusp_status cusp_writer_new(cusp_writer **out, const char *path) {
  *out = NULL;
  cusp_writer *writer;
  CUSP_TRY(cusp_alloc((void **)&writer, sizeof *writer));
  writer->descriptor = -1;
  writer->state = WRITER_OPEN;
  writer->synced = writer->lent = false;
  writer->process = getpid();
  writer->written = writer->buffered = 0;
  mode_t mode = 0;
  cusp_status status = resolve(writer, path, &mode);
  if (status == CUSP_OK)
    status = open_temporary(writer, mode);
  if (status == CUSP_OK)
    *out = writer;
  else
    cusp_free(writer);
  return status;
}

void cusp_writer_free(cusp_writer *writer) {
  if (!writer)
    return;
  if (writer->descriptor >= 0)
    close(writer->descriptor);
  if (writer->state != WRITER_DONE && writer->process == getpid())
    unlink(writer->temporary);
  cusp_free(writer);
}

void cusp_writer_lend(cusp_writer *writer) { writer->lent = true; }

uint64_t cusp_writer_position(const cusp_writer *writer) {
  return writer->written + writer->buffered;
}
const char *cusp_writer_temporary(const cusp_writer *writer) { return writer->temporary; }
const char *cusp_writer_path(const cusp_writer *writer) { return writer->path; }

/* ------------------------------------------------------------------ writing */

static cusp_status fail(cusp_writer *writer, int code) {
  writer->state = WRITER_FAILED;
  return cusp_fail(CUSP_EIO, "%s: cannot be written: %s", writer->path, strerror(code));
}

static cusp_status check_open(cusp_writer *writer) {
  if (writer->state == WRITER_OPEN)
    return CUSP_OK;
  return cusp_fail(CUSP_EIO, "%s: %s", writer->path,
                   writer->state == WRITER_DONE ? "was committed already"
                                                : "nothing more can be written after a failure");
}

/** Bytes of `wanted` that tests let through; 0: the disk is full. */
static size_t allowed(size_t wanted) {
  if (bytes_left == UINT64_MAX)
    return wanted;
  size_t now = wanted < bytes_left ? wanted : (size_t)bytes_left;
  bytes_left -= now;
  return now;
}

/** The kernel is told to start writing what is there, so that little is left to wait for when the
 * file is synced. */
static void start_writeback(cusp_writer *writer, uint64_t offset, size_t bytes) {
#ifdef SYNC_FILE_RANGE_WRITE
  if (bytes >= PIECE && !writer->lent)
    (void)!sync_file_range(writer->descriptor, (off_t)offset, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
#else
  (void)writer, (void)offset, (void)bytes;
#endif
}

static cusp_status write_piece(cusp_writer *writer, uint64_t offset, const char *data,
                               size_t bytes) {
  while (bytes > 0) {
    size_t now = allowed(bytes);
    if (now == 0)
      return fail(writer, ENOSPC);
    ssize_t put = pwrite(writer->descriptor, data, now, (off_t)offset);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return fail(writer, errno);
    data += put;
    offset += (uint64_t)put;
    bytes -= (size_t)put;
  }
  return CUSP_OK;
}

static cusp_status write_through(cusp_writer *writer, uint64_t offset, const char *data,
                                 size_t bytes) {
  writer->synced = false;
  for (size_t done = 0; done < bytes;) {
    size_t piece = bytes - done < PIECE ? bytes - done : PIECE;
    if (cusp_interrupted()) {
      writer->state = WRITER_FAILED;
      return cusp_fail(CUSP_EINTERRUPT, "interrupted");
    }
    CUSP_TRY(write_piece(writer, offset + done, data + done, piece));
    start_writeback(writer, offset + done, piece);
    done += piece;
  }
  return CUSP_OK;
}

static cusp_status flush(cusp_writer *writer) {
  CUSP_TRY(write_through(writer, writer->written, writer->buffer, writer->buffered));
  writer->written += writer->buffered;
  writer->buffered = 0;
  return CUSP_OK;
}

cusp_status cusp_writer_write(cusp_writer *writer, const void *data, size_t bytes) {
  CUSP_TRY(check_open(writer));
  if (bytes > INT64_MAX - cusp_writer_position(writer))
    return fail(writer, EFBIG);
  if (writer->buffered + bytes > BUFFER)
    CUSP_TRY(flush(writer));
  if (bytes >= BUFFER) {
    CUSP_TRY(write_through(writer, writer->written, data, bytes));
    writer->written += bytes;
  } else if (bytes > 0) {
    memcpy(writer->buffer + writer->buffered, data, bytes);
    writer->buffered += bytes;
  }
  return CUSP_OK;
}

cusp_status cusp_writer_write_at(cusp_writer *writer, uint64_t offset, const void *data,
                                 size_t bytes) {
  CUSP_TRY(check_open(writer));
  if (offset > INT64_MAX || bytes > INT64_MAX - offset)
    return fail(writer, EFBIG);
  CUSP_TRY(flush(writer));
  return write_through(writer, offset, data, bytes);
}

/* ------------------------------------------------------------------ committing */

/** A library that writes by name may have put another file in the hidden one's place: that one is
 * synced. */
static cusp_status adopt_replacement(cusp_writer *writer) {
  struct stat mine, named;
  if (fstat(writer->descriptor, &mine) != 0 || stat(writer->temporary, &named) != 0)
    return fail(writer, errno);
  if (mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
    return CUSP_OK;
  int descriptor = open(writer->temporary, O_RDWR | O_CLOEXEC);
  if (descriptor < 0)
    return fail(writer, errno);
  (void)!fchmod(descriptor, mine.st_mode & 07777);
  close(writer->descriptor);
  writer->descriptor = descriptor;
  return CUSP_OK;
}

cusp_status cusp_writer_sync(cusp_writer *writer) {
  CUSP_TRY(check_open(writer));
  if (writer->buffered > 0)
    CUSP_TRY(flush(writer));
  if (writer->synced)
    return CUSP_OK;
  CUSP_TRY(adopt_replacement(writer));
  while (fsync(writer->descriptor) != 0)
    if (errno != EINTR)
      return fail(writer, errno);
  writer->synced = true;
  return CUSP_OK;
}

cusp_status cusp_writer_place(cusp_writer *writer) {
  CUSP_TRY(cusp_writer_sync(writer));
  if (rename(writer->temporary, writer->path) != 0)
    return fail(writer, errno);
  writer->state = WRITER_DONE;
  int descriptor = writer->descriptor;
  writer->descriptor = -1;
  return close(descriptor) == 0 ? CUSP_OK : fail(writer, errno);
}

static bool same_folder(const char *a, const char *b) {
  const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
  size_t length_a = end_a ? (size_t)(end_a - a) : 0, length_b = end_b ? (size_t)(end_b - b) : 0;
  return !end_a == !end_b && length_a == length_b && memcmp(a, b, length_a) == 0;
}

cusp_status cusp_writer_commit(int count, cusp_writer *const *writers) {
  for (int i = 0; i < count; i++)
    CUSP_TRY(cusp_writer_sync(writers[i]));
  for (int i = 0; i < count; i++)
    CUSP_TRY(cusp_writer_place(writers[i]));
  for (int i = 0; i < count; i++)
    if (i == 0 || !same_folder(writers[i - 1]->path, writers[i]->path))
      CUSP_TRY(cusp_sync_folder_of(writers[i]->path));
  return CUSP_OK;
}

cusp_status cusp_link_over(const char *from, const char *to) {
  char hidden[PATH_MAX];
  const char *slash = strrchr(to, '/'), *name = slash ? slash + 1 : to;
  int length = snprintf(hidden, sizeof hidden, "%.*s.%.*s.%ld.tmp", (int)(name - to), to,
                        LONGEST_NAME, name, (long)getpid());
  if (length < 0 || (size_t)length >= sizeof hidden)
    return cusp_fail(CUSP_EIO, "%.100s...: %s", to, strerror(ENAMETOOLONG));
  (void)!unlink(hidden); /* of a killed process that had the same number */
  if (link(from, hidden) != 0)
    return cusp_fail(CUSP_EUNSUPPORTED, "%s: cannot have a second name: %s", from, strerror(errno));
  if (rename(hidden, to) == 0)
    return CUSP_OK;
  cusp_status status = cusp_fail(CUSP_EIO, "%s: cannot be replaced: %s", to, strerror(errno));
  (void)!unlink(hidden);
  return status;
}
