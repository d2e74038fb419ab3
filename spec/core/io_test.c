/* Tests of core/io: IDX files, whole, damaged and hostile; drawn digits. */
#include "base/memory.h"
#include "base/threads.h"
#include "check.h"
#include "io/digits.h"
#include "io/idx.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static char path[64];

static void write_plain(const void *bytes, size_t count) {
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL && fwrite(bytes, 1, count, file) == count);
  fclose(file);
}

static void write_gzip(const void *bytes, size_t count) {
  gzFile file = gzopen(path, "wb");
  CHECK(file != NULL && gzwrite(file, bytes, (unsigned)count) == (int)count);
  gzclose(file);
}

static void check_fails(const char *text) {
  cusp_array array;
  CHECK_FAILS(CUSP_EIO, text, cusp_idx_read(&array, path));
  CHECK(strstr(cusp_error_message(), path) != NULL && array.storage == NULL);
}

static const unsigned char bytes_2_3[] = {0, 0, 0x08, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};

static void check_2_3(void) {
  cusp_array array;
  CHECK_OK(cusp_idx_read(&array, path));
  CHECK(array.dtype == CUSP_UINT8 && array.shape.ndim == 2 && array.shape.size[0] == 2 &&
        array.shape.size[1] == 3);
  CHECK(memcmp(array.data, bytes_2_3 + 12, 6) == 0);
  cusp_array_release(&array);
}

static void test_reading(void) {
  write_plain(bytes_2_3, sizeof bytes_2_3);
  check_2_3();
  write_gzip(bytes_2_3, sizeof bytes_2_3);
  check_2_3();
  static const unsigned char shorts[] = {0, 0, 0x0b, 1, 0, 0, 0, 2, 0xff, 0xfe, 0x01, 0x02};
  cusp_array array;
  write_plain(shorts, sizeof shorts);
  CHECK_OK(cusp_idx_read(&array, path));
  CHECK(array.dtype == CUSP_INT16 && ((int16_t *)array.data)[0] == -2 &&
        ((int16_t *)array.data)[1] == 258);
  cusp_array_release(&array);
  static const unsigned char number[] = {0, 0, 0x0e, 0, 0xc0, 0x08, 0, 0, 0, 0, 0, 0};
  write_plain(number, sizeof number);
  CHECK_OK(cusp_idx_read(&array, path));
  CHECK(array.dtype == CUSP_FLOAT64 && array.shape.ndim == 0 && ((double *)array.data)[0] == -3);
  cusp_array_release(&array);
  static const unsigned char empty[] = {0, 0, 0x08, 2, 0, 0, 0, 0, 0, 0, 0, 9};
  write_plain(empty, sizeof empty);
  CHECK_OK(cusp_idx_read(&array, path));
  CHECK(cusp_array_count(&array) == 0);
  cusp_array_release(&array);
}

static void test_damage(void) {
  cusp_array array;
  CHECK_FAILS(CUSP_EIO, "/nowhere/at-all: No such file", cusp_idx_read(&array, "/nowhere/at-all"));
  CHECK_FAILS(CUSP_EIO, "not a regular file", cusp_idx_read(&array, "/"));
  for (size_t length = 0; length < sizeof bytes_2_3; length++) {
    write_plain(bytes_2_3, length);
    check_fails(length < 12 ? "the file ends within" : "");
  }
  unsigned char longer[sizeof bytes_2_3 + 1] = {0};
  memcpy(longer, bytes_2_3, sizeof bytes_2_3);
  write_plain(longer, sizeof longer);
  check_fails("offset 18: there are bytes behind");
  write_gzip(longer, sizeof longer);
  check_fails("there are bytes behind");
  write_plain("PNG, perhaps", 12);
  check_fails("not an IDX file");
  static const unsigned char bad_type[] = {0, 0, 0x0a, 1, 0, 0, 0, 0};
  write_plain(bad_type, sizeof bad_type);
  check_fails("not an IDX file");
  static const unsigned char many_axes[] = {0, 0, 0x08, 9};
  write_plain(many_axes, sizeof many_axes);
  check_fails("9 axes");
}

/** Headers that promise more than there is are refused before memory is asked for. */
static void test_hostile_sizes(void) {
  unsigned char huge[4 + 4 * 8];
  memset(huge, 0xff, sizeof huge);
  memcpy(huge, "\0\0\x0e\x08", 4);
  write_plain(huge, sizeof huge);
  check_fails("too many elements");
  static const unsigned char large[] = {0, 0, 0x08, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0, 1, 2, 3};
  cusp_memory_reset_peak();
  uint64_t before = cusp_memory_live();
  write_plain(large, sizeof large);
  check_fails("but the file has only 15");
  write_gzip(large, sizeof large);
  check_fails("but the file has only");
  CHECK(cusp_memory_get_stats().bytes_peak < before + 100000);
}

/** Every single flipped byte of a gzip file gives an array or an error, never a crash and never
 * other data. */
static void test_flipped_gzip(void) {
  write_gzip(bytes_2_3, sizeof bytes_2_3);
  unsigned char whole[200];
  FILE *file = fopen(path, "rb");
  size_t count = fread(whole, 1, sizeof whole, file);
  fclose(file);
  for (size_t i = 0; i < count; i++)
    for (int bit = 0; bit < 8; bit++) {
      whole[i] ^= (unsigned char)(1 << bit);
      write_plain(whole, count);
      cusp_array array;
      cusp_status status = cusp_idx_read(&array, path);
      CHECK(status == CUSP_OK || (status == CUSP_EIO && array.storage == NULL));
      if (status == CUSP_OK) /* gzip's header says little, and there are unused bits */
        CHECK(cusp_array_count(&array) == 6 && memcmp(array.data, bytes_2_3 + 12, 6) == 0);
      cusp_array_release(&array);
      whole[i] ^= (unsigned char)(1 << bit);
    }
  write_plain(whole, count - 4);
  check_fails("");
}

static void test_failing_allocations(void) {
  write_plain(bytes_2_3, sizeof bytes_2_3);
  cusp_array array, labels;
  uint64_t before = cusp_memory_live();
  cusp_memory_fail_after(0);
  CHECK_FAILS(CUSP_ENOMEM, "memory", cusp_idx_read(&array, path));
  CHECK_FAILS(CUSP_ENOMEM, "memory", cusp_draw_digits(&array, &labels, 10, 0));
  cusp_memory_fail_after(1);
  CHECK_FAILS(CUSP_ENOMEM, "memory", cusp_draw_digits(&array, &labels, 10, 0));
  cusp_memory_fail_after(-1);
  CHECK(cusp_memory_live() == before && array.storage == NULL && labels.storage == NULL);
}

static void test_digits(void) {
  enum { COUNT = 500, PIXELS = CUSP_DIGIT_SIZE * CUSP_DIGIT_SIZE };
  cusp_array images, labels, again, again_labels;
  int threads = cusp_get_num_threads(), seen[10] = {0}, empty = 0, crowded = 0;
  CHECK_OK(cusp_set_num_threads(1));
  CHECK_OK(cusp_draw_digits(&images, &labels, COUNT, 7));
  CHECK_OK(cusp_set_num_threads(4));
  CHECK_OK(cusp_draw_digits(&again, &again_labels, COUNT - 100, 7));
  CHECK_OK(cusp_set_num_threads(threads));
  CHECK(memcmp(images.data, again.data, (COUNT - 100) * PIXELS) == 0 &&
        memcmp(labels.data, again_labels.data, COUNT - 100) == 0);
  for (int i = 0; i < COUNT; i++) {
    int dark = 0;
    for (int j = 0; j < PIXELS; j++)
      dark += ((uint8_t *)images.data)[i * PIXELS + j] > 127;
    empty += dark < 12;
    crowded += dark > PIXELS / 2;
    seen[((uint8_t *)labels.data)[i]]++;
  }
  CHECK(empty == 0 && crowded == 0);
  for (int digit = 0; digit < 10; digit++)
    CHECK(seen[digit] > COUNT / 20);
  cusp_array_release(&again);
  cusp_array_release(&again_labels);
  CHECK_OK(cusp_draw_digits(&again, &again_labels, COUNT, 8));
  CHECK(memcmp(images.data, again.data, COUNT * PIXELS) != 0);
  cusp_array_release(&again);
  cusp_array_release(&again_labels);
  cusp_array_release(&images);
  cusp_array_release(&labels);
  CHECK_FAILS(CUSP_EVALUE, "-1", cusp_draw_digits(&images, &labels, -1, 0));
  CHECK_OK(cusp_draw_digits(&images, &labels, 0, 0));
  cusp_array_release(&images);
  cusp_array_release(&labels);
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/cusp-io-test-%d", (int)getpid());
  test_reading();
  test_damage();
  test_hostile_sizes();
  test_flipped_gzip();
  test_failing_allocations();
  test_digits();
  remove(path);
  return check_summary();
}
