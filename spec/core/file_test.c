/* Tests of core/io: checksums, files read at offsets, files that appear whole. */
#include "base/memory.h"
#include "check.h"
#include "io/crc32c.h"
#include "io/file.h"
#include "io/writer.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/cusp-file-test-XXXXXX", path[64];

static void test_checksums(void) {
  static unsigned char data[40000];
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (unsigned char)(i * 7 + i / 251);
  CHECK(cusp_crc32c(0, "123456789", 9) == 0xe3069283u &&
        cusp_crc32c_portable(0, "123456789", 9) == 0xe3069283u);
  CHECK(cusp_crc32c(0, "", 0) == 0);
  bool same = true;
  for (size_t length = 0; length < sizeof data - 8; length += length < 1600 ? 1 : 997)
    for (size_t start = 0; start < 8; start += 3)
      same = same &&
             cusp_crc32c(5, data + start, length) == cusp_crc32c_portable(5, data + start, length);
  CHECK(same);
  CHECK(cusp_crc32c(cusp_crc32c(0, data, 12345), data + 12345, 20000) ==
        cusp_crc32c(0, data, 32345));
  CHECK(cusp_crc32c_mask(0) == 0xa282ead8u);
}

static void write_file(const void *bytes, size_t count) {
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL && fwrite(bytes, 1, count, file) == count);
  fclose(file);
}

static bool holds(const char *text) {
  char buffer[64] = "";
  FILE *file = fopen(path, "rb");
  size_t count = file ? fread(buffer, 1, sizeof buffer - 1, file) : 0;
  if (file)
    fclose(file);
  return count == strlen(text) && memcmp(buffer, text, count) == 0;
}

static void test_reading(void) {
  static const unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
  cusp_file *file;
  cusp_array array;
  char buffer[8];
  write_file(bytes, sizeof bytes);
  CHECK_OK(cusp_file_open(&file, path));
  CHECK(cusp_file_size(file) == 8 && strcmp(cusp_file_path(file), path) == 0);
  CHECK_OK(cusp_file_read(file, buffer, 3, 5));
  CHECK(memcmp(buffer, bytes + 3, 5) == 0);
  CHECK_FAILS(CUSP_EIO, "offset 4", cusp_file_read(file, buffer, 4, 5));
  CHECK_FAILS(CUSP_EIO, path, cusp_file_check_range(file, UINT64_MAX, 2));
  CHECK_FAILS(CUSP_EIO, path, cusp_file_check_range(file, 2, UINT64_MAX));
  CHECK_OK(
      cusp_file_read_array(&array, file, 0, CUSP_UINT16, &(cusp_shape){2, {2, 2}}, true, NULL));
  CHECK(((uint16_t *)array.data)[3] == 0x0708);
  cusp_array_release(&array);
  CHECK_FAILS(CUSP_EIO, "offset 0",
              cusp_file_read_array(&array, file, 0, CUSP_FLOAT64,
                                   &(cusp_shape){3, {1 << 30, 1 << 30, 1 << 30}}, false, NULL));
  CHECK(array.storage == NULL);
  CHECK(truncate(path, 4) == 0);
  CHECK_FAILS(CUSP_EIO, "became shorter", cusp_file_read(file, buffer, 0, 8));
  cusp_file_close(file);
  CHECK_FAILS(CUSP_EIO, "regular file", cusp_file_open(&file, "/tmp"));
  CHECK(file == NULL);
}

static void test_writing(void) {
  cusp_writer *writer;
  write_file("old", 3);
  CHECK_OK(cusp_writer_new(&writer, path));
  CHECK_OK(cusp_writer_write(writer, "new", 3));
  CHECK_OK(cusp_writer_write_at(writer, 1, "E", 1));
  CHECK(cusp_writer_position(writer) == 3 && holds("old"));
  CHECK_OK(cusp_writer_commit(1, &writer));
  CHECK(holds("nEw"));
  CHECK_FAILS(CUSP_EIO, "committed already", cusp_writer_write(writer, "x", 1));
  cusp_writer_free(writer);
  CHECK_OK(cusp_writer_new(&writer, path));
  cusp_writer_fail_after(2);
  CHECK_OK(cusp_writer_write(writer, "none", 4));
  CHECK_FAILS(CUSP_EIO, "No space left", cusp_writer_commit(1, &writer));
  cusp_writer_fail_after(0);
  CHECK_FAILS(CUSP_EIO, "after a failure", cusp_writer_write(writer, "x", 1));
  CHECK_FAILS(CUSP_EIO, "after a failure", cusp_writer_commit(1, &writer));
  CHECK(access(cusp_writer_temporary(writer), F_OK) == 0);
  char temporary[128];
  snprintf(temporary, sizeof temporary, "%s", cusp_writer_temporary(writer));
  cusp_writer_free(writer);
  CHECK(access(temporary, F_OK) != 0 && holds("nEw"));
}

/** A child that ends does not take its parent's file with it. */
static void test_forking(void) {
  cusp_writer *writer;
  CHECK_OK(cusp_writer_new(&writer, path));
  pid_t child = fork();
  if (child == 0) {
    cusp_writer_free(writer);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  CHECK_OK(cusp_writer_write(writer, "parent", 6));
  CHECK_OK(cusp_writer_commit(1, &writer));
  cusp_writer_free(writer);
  CHECK(holds("parent"));
}

/** A lent file is there under its hidden name, and afterwards nowhere. */
static void test_lending(void) {
  cusp_writer *writer;
  char temporary[128];
  write_file("old", 3);
  CHECK_OK(cusp_writer_new(&writer, path));
  cusp_writer_lend(writer);
  const size_t bytes = (size_t)9 << 20; /* more than is handed to the disk at once */
  char *data = calloc(bytes, 1);
  CHECK_OK(cusp_writer_write_at(writer, 0, data, bytes));
  snprintf(temporary, sizeof temporary, "%s", cusp_writer_temporary(writer));
  struct stat info;
  CHECK(stat(temporary, &info) == 0 && (size_t)info.st_size == bytes);
  cusp_writer_free(writer);
  CHECK(access(temporary, F_OK) != 0 && holds("old"));
  free(data);
}

static void test_memory(void) {
  uint64_t before = cusp_memory_live();
  cusp_file *file;
  cusp_writer *writer;
  cusp_array array;
  CHECK_OK(cusp_file_open(&file, path));
  cusp_memory_fail_after(0);
  CHECK(cusp_writer_new(&writer, path) == CUSP_ENOMEM && writer == NULL);
  CHECK(cusp_file_read_array(&array, file, 0, CUSP_UINT8, &(cusp_shape){1, {6}}, false, NULL) ==
        CUSP_ENOMEM);
  cusp_file *second;
  CHECK(cusp_file_open(&second, path) == CUSP_ENOMEM && second == NULL);
  cusp_memory_fail_after(-1);
  cusp_file_close(file);
  CHECK(cusp_memory_live() == before);
}

int main(void) {
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/data", folder);
  test_checksums();
  test_reading();
  test_writing();
  test_lending();
  test_forking();
  test_memory();
  unlink(path);
  CHECK(rmdir(folder) == 0);
  return check_summary();
}
