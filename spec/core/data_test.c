/* Streams of row numbers, readers, transforms and the pipelines over them. */
#include "check.h"

#include "base/memory.h"
#include "data/csv.h"
#include "data/example.h"
#include "data/kept_rows.h"
#include "data/pipeline.h"
#include "data/tfrecord.h"
#include "io/crc32c.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------ streams */

static int64_t collect(cusp_stream *stream, int64_t *out, int64_t most) {
  int64_t total = 0, count = 1;
  while (total < most && count > 0) {
    CHECK_OK(cusp_stream_next(stream, out + total, &count));
    total += count;
  }
  return total;
}

static cusp_stream *range(int64_t rows) {
  cusp_stream *stream;
  CHECK_OK(cusp_stream_range(&stream, rows));
  return stream;
}

static void test_shuffle(void) {
  cusp_stream *stream = range(100);
  int64_t first[128], second[128], seen[100] = {0};
  CHECK_OK(cusp_stream_shuffle(&stream, stream, 1000, 7, true));
  CHECK(collect(stream, first, 128) == 100);
  for (int i = 0; i < 100; i++)
    seen[first[i]]++;
  bool once = true;
  for (int i = 0; i < 100; i++)
    once = once && seen[i] == 1;
  CHECK(once);
  cusp_stream_restart(stream);
  CHECK(collect(stream, second, 128) == 100);
  CHECK(memcmp(first, second, sizeof seen) != 0); /* reshuffled */
  cusp_stream_free(stream);
  stream = range(100);
  CHECK_OK(cusp_stream_shuffle(&stream, stream, 4, 7, false));
  CHECK(collect(stream, first, 128) == 100);
  bool near = true;
  for (int i = 0; i < 100; i++)
    near = near && first[i] <= i + 3; /* a buffer of 4 looks no further ahead */
  CHECK(near);
  cusp_stream_restart(stream);
  CHECK(collect(stream, second, 128) == 100);
  CHECK(memcmp(first, second, sizeof seen) == 0);
  cusp_stream_free(stream);
}

static void test_stages(void) {
  int64_t rows[64], count;
  cusp_stream *stream = range(10);
  CHECK_OK(cusp_stream_skip(&stream, stream, 2));
  CHECK_OK(cusp_stream_take(&stream, stream, 5));
  CHECK_OK(cusp_stream_shard(&stream, stream, 2, 1)); /* of 2 3 4 5 6: 3 5 */
  CHECK_OK(cusp_stream_repeat(&stream, stream, 3));
  CHECK_OK(cusp_stream_batch(&stream, stream, 4, false));
  CHECK(cusp_stream_width(stream) == 4);
  CHECK_OK(cusp_stream_next(stream, rows, &count));
  CHECK(count == 4 && rows[0] == 3 && rows[1] == 5 && rows[2] == 3 && rows[3] == 5);
  CHECK_OK(cusp_stream_next(stream, rows, &count));
  CHECK(count == 2);
  CHECK_OK(cusp_stream_next(stream, rows, &count));
  CHECK(count == 0);
  cusp_stream_free(stream);
  stream = range(10);
  CHECK_OK(cusp_stream_batch(&stream, stream, 4, true));
  CHECK(collect(stream, rows, 64) == 8);
  cusp_stream_free(stream);
  stream = range(0);
  CHECK_OK(cusp_stream_repeat(&stream, stream, -1)); /* nothing without end is nothing */
  CHECK(collect(stream, rows, 64) == 0);
  cusp_stream_free(stream);
}

static void test_shuffle_blocks(void) {
  int64_t rows[300], seen[200] = {0};
  cusp_stream *stream = range(200);
  cusp_shuffle options = {
      .buffer = 1000, .seed = 3, .reshuffle = true, .window = 20, .block_rows = 10};
  CHECK_OK(cusp_stream_skip(&stream, stream, 5));
  CHECK_OK(cusp_stream_shuffle_blocks(&stream, stream, &options));
  for (int pass = 1; pass <= 2; pass++) {
    bool opened[20] = {false};
    int blocks = 0;
    CHECK(collect(stream, rows, 300) == 195);
    for (int i = 0; i < 195; i++) {
      blocks += i < 20 && !opened[rows[i] / 10];
      opened[rows[i] / 10] = true;
      seen[rows[i]]++;
    }
    CHECK(blocks > 1 && blocks <= 6); /* what the window had and was given: 50 rows at most */
    for (int i = 5; i < 200; i++)
      CHECK(seen[i] == pass);
    cusp_stream_restart(stream);
  }
  cusp_stream_free(stream);
}

static void test_shuffle_blocks_repeated(void) {
  int64_t rows[64];
  cusp_stream *stream = range(1); /* one row again and again does not outgrow its block */
  cusp_shuffle options = {.buffer = 64, .seed = 3, .window = 2, .block_rows = 4};
  CHECK_OK(cusp_stream_repeat(&stream, stream, 50));
  CHECK_OK(cusp_stream_shuffle_blocks(&stream, stream, &options));
  CHECK(collect(stream, rows, 64) == 50);
  cusp_stream_free(stream);
}

static void test_kept_rows(void) {
  cusp_kept_rows *kept;
  char bytes[3];
  CHECK_OK(cusp_kept_rows_new(&kept, 100, 8, sizeof bytes, 10));
  for (int64_t row = 0; row < 10; row++) {
    memset(bytes, (int)row, sizeof bytes);
    CHECK_OK(cusp_kept_rows_put(kept, row, bytes));
  }
  CHECK(cusp_kept_rows_take(kept, 4)[2] == 4);
  CHECK(cusp_kept_rows_take(kept, 99) == NULL);
  memset(bytes, 99, sizeof bytes);
  CHECK_OK(cusp_kept_rows_put(kept, 99, bytes)); /* in place of 4, which was given */
  CHECK(cusp_kept_rows_take(kept, 4) == NULL);
  CHECK(cusp_kept_rows_take(kept, 99)[0] == 99);
  CHECK_OK(cusp_kept_rows_put(kept, 50, bytes)); /* in place of 99 */
  CHECK_OK(cusp_kept_rows_put(kept, 51, bytes)); /* of the one that waits longest */
  CHECK(cusp_kept_rows_take(kept, 0) == NULL);
  CHECK(cusp_kept_rows_take(kept, 1)[1] == 1);
  CHECK_OK(cusp_kept_rows_grow(kept, 12));
  CHECK_OK(cusp_kept_rows_put(kept, 60, bytes));
  CHECK(cusp_kept_rows_take(kept, 1)[1] == 1 && cusp_kept_rows_take(kept, 9)[1] == 9);
  cusp_kept_rows_free(kept);
  cusp_kept_rows_free(NULL);
}

/* ------------------------------------------------------------------ readers and pipelines */

static cusp_array numbers(int64_t rows, int64_t width) {
  cusp_array array;
  cusp_shape shape = {.ndim = 2, .size = {rows, width}};
  CHECK_OK(cusp_array_new(&array, CUSP_UINT8, &shape));
  for (int64_t i = 0; i < rows * width; i++)
    ((uint8_t *)array.data)[i] = (uint8_t)(i / width);
  return array;
}

static cusp_pipeline *open_pipeline(cusp_reader *reader, int64_t batch, int64_t repeat,
                                    int workers) {
  cusp_transform transforms[1] = {{CUSP_UINT8, CUSP_FLOAT32, 0.5, 1}};
  cusp_pipeline_options options = {.reader = reader,
                                   .transforms = transforms,
                                   .batched = batch > 0,
                                   .workers = workers,
                                   .depth = 3};
  cusp_pipeline *pipeline;
  options.stream = range(reader->rows);
  CHECK_OK(cusp_stream_repeat(&options.stream, options.stream, repeat));
  if (batch > 0)
    CHECK_OK(cusp_stream_batch(&options.stream, options.stream, batch, false));
  CHECK_OK(cusp_pipeline_new(&pipeline, &options));
  return pipeline;
}

static void test_pipeline(int workers) {
  cusp_array array = numbers(100, 3), taken;
  cusp_reader *reader;
  const cusp_array *ready;
  CHECK_OK(cusp_reader_arrays(&reader, 1, &array));
  cusp_pipeline *pipeline = open_pipeline(reader, 8, 20, workers);
  int64_t rows = 0;
  bool ordered = true;
  for (;;) {
    CHECK_OK(cusp_pipeline_peek(pipeline, &ready));
    if (!ready)
      break;
    cusp_pipeline_take(pipeline, &taken);
    const float *data = taken.data;
    for (int64_t i = 0; i < taken.shape.size[0]; i++, rows++)
      ordered = ordered && data[3 * i] == (float)(rows % 100) * 0.5f + 1 &&
                data[3 * i + 2] == data[3 * i];
    cusp_array_release(&taken);
  }
  CHECK(rows == 2000 && ordered);
  cusp_pipeline_free(pipeline);
  pipeline = open_pipeline(reader, 8, -1, workers); /* left in the middle */
  CHECK_OK(cusp_pipeline_peek(pipeline, &ready));
  cusp_pipeline_free(pipeline);
  pipeline = open_pipeline(reader, 0, 2, workers); /* single rows */
  for (rows = 0;; rows++) {
    CHECK_OK(cusp_pipeline_peek(pipeline, &ready));
    if (!ready)
      break;
    cusp_pipeline_take(pipeline, &taken);
    ordered =
        ordered && taken.shape.ndim == 1 && *(float *)taken.data == (float)(rows % 100) * 0.5f + 1;
    cusp_array_release(&taken);
  }
  CHECK(rows == 200 && ordered);
  cusp_pipeline_free(pipeline);
  cusp_reader_release(reader);
  cusp_array_release(&array);
}

typedef struct failing_reader {
  cusp_reader base;
  cusp_reader *inner;
} failing_reader;

static cusp_status read_some(cusp_reader *reader, const int64_t *rows, int64_t count,
                             void *const *out) {
  for (int64_t i = 0; i < count; i++)
    if (rows[i] == 50)
      return cusp_fail(CUSP_EIO, "row 50 is broken");
  failing_reader *self = (failing_reader *)reader;
  return self->inner->read(self->inner, rows, count, out);
}

static void free_failing(cusp_reader *reader) {
  cusp_reader_release(((failing_reader *)reader)->inner);
}

static void test_failure(int workers) {
  cusp_array array = numbers(100, 1), taken;
  cusp_reader *made;
  const cusp_array *ready;
  CHECK_OK(cusp_reader_new(&made, sizeof(failing_reader), 1));
  CHECK_OK(cusp_reader_arrays(&((failing_reader *)made)->inner, 1, &array));
  made->columns[0] = ((failing_reader *)made)->inner->columns[0];
  made->rows = 100;
  made->read = read_some;
  made->free = free_failing;
  cusp_pipeline *pipeline = open_pipeline(made, 10, 1, workers);
  for (int i = 0; i < 5; i++) {
    CHECK_OK(cusp_pipeline_peek(pipeline, &ready));
    cusp_pipeline_take(pipeline, &taken);
    cusp_array_release(&taken);
  }
  /* when its batch is asked for, and again */
  CHECK_FAILS(CUSP_EIO, "row 50 is broken", cusp_pipeline_peek(pipeline, &ready));
  CHECK_FAILS(CUSP_EIO, "row 50 is broken", cusp_pipeline_peek(pipeline, &ready));
  cusp_pipeline_free(pipeline);
  cusp_reader_release(made);
  cusp_array_release(&array);
}

/* Every allocation of a run fails once; nothing is lost whichever it is. */
static void test_memory(void) {
  uint64_t before = cusp_memory_live();
  cusp_array array = numbers(20, 2);
  for (int64_t n = 0; n < 200; n++) {
    cusp_reader *reader = NULL;
    cusp_pipeline *pipeline = NULL;
    cusp_stream *stream = NULL;
    cusp_transform transform = {CUSP_UINT8, CUSP_FLOAT32, 1, 0};
    cusp_memory_fail_after(n);
    cusp_status status = cusp_reader_arrays(&reader, 1, &array);
    if (status == CUSP_OK)
      status = cusp_stream_range(&stream, 20);
    if (status == CUSP_OK)
      status = cusp_stream_shuffle(&stream, stream, 10, 1, true);
    if (status == CUSP_OK)
      status = cusp_stream_batch(&stream, stream, 6, false);
    if (status == CUSP_OK) {
      cusp_pipeline_options options = {.reader = reader,
                                       .stream = stream,
                                       .transforms = &transform,
                                       .batched = true,
                                       .workers = 2};
      status = cusp_pipeline_new(&pipeline, &options);
      stream = NULL;
    }
    for (const cusp_array *ready = &array; status == CUSP_OK && ready;) {
      cusp_array taken = {0};
      status = cusp_pipeline_peek(pipeline, &ready);
      if (status == CUSP_OK && ready)
        cusp_pipeline_take(pipeline, &taken);
      cusp_array_release(&taken);
    }
    cusp_pipeline_free(pipeline);
    cusp_memory_fail_after(-1);
    cusp_stream_free(stream);
    cusp_reader_release(reader);
    CHECK(status == CUSP_OK || status == CUSP_ENOMEM);
  }
  cusp_array_release(&array);
  CHECK(cusp_memory_live() == before);
}

static void test_joined(void) {
  cusp_array a = numbers(5, 2), b = numbers(4, 2);
  cusp_reader *first, *second, *zipped, *joined, *cached;
  CHECK_OK(cusp_reader_arrays(&first, 1, &a));
  CHECK_OK(cusp_reader_arrays(&second, 1, &b));
  CHECK_OK(cusp_reader_zip(&zipped, 2, (cusp_reader *const[]){first, second}));
  CHECK(zipped->n_columns == 2 && zipped->rows == 4);
  CHECK_OK(cusp_reader_concatenate(&joined, 2, (cusp_reader *const[]){first, second}));
  CHECK(joined->rows == 9);
  CHECK_OK(cusp_reader_cache(&cached, joined));
  int64_t rows[] = {8, 0, 5, 4, 8};
  for (int pass = 0; pass < 2; pass++) {
    uint8_t got[10] = {0};
    CHECK_OK(cached->read(cached, rows, 5, (void *const[]){got}));
    CHECK(got[0] == 3 && got[2] == 0 && got[4] == 0 && got[6] == 4 && got[8] == 3);
  }
  cusp_reader_release(first);
  cusp_reader_release(second);
  cusp_reader_release(zipped);
  cusp_reader_release(joined);
  cusp_reader_release(cached);
  cusp_array_release(&a);
  cusp_array_release(&b);
}

static void test_windows(void) {
  cusp_array array = numbers(10, 1);
  cusp_reader *reader;
  cusp_window window = {.start = 1, .stride = 2, .length = 3, .rate = 2};
  uint8_t got[6];
  CHECK_FAILS(CUSP_EVALUE, "do not fit", cusp_reader_windows(&reader, &array, &window, 4));
  CHECK_OK(cusp_reader_windows(&reader, &array, &window, 3));
  CHECK_OK(reader->read(reader, (int64_t[]){2, 0}, 2, (void *const[]){got}));
  CHECK(got[0] == 5 && got[1] == 7 && got[2] == 9 && got[3] == 1 && got[4] == 3 && got[5] == 5);
  cusp_reader_release(reader);
  cusp_array_release(&array);
}

/* ------------------------------------------------------------------ files */

static void write_file(char *path, const void *bytes, size_t count) {
  strcpy(path, "/tmp/cusp-data-test-XXXXXX");
  int file = mkstemp(path);
  CHECK(file >= 0 && write(file, bytes, count) == (ssize_t)count);
  close(file);
}

static void test_file_rows(void) {
  char path[64];
  unsigned char bytes[] = {9, 0, 1, 0, 2, 0, 3, 0, 4};
  write_file(path, bytes, sizeof bytes);
  cusp_file_rows file = {
      .path = path, .offset = 1, .rows = 4, .dtype = CUSP_INT16, .swapped = true};
  cusp_reader *reader;
  int16_t got[3];
  CHECK_OK(cusp_reader_file(&reader, &file));
  CHECK_OK(reader->read(reader, (int64_t[]){3, 0, 1}, 3, (void *const[]){got}));
  CHECK(got[0] == 4 && got[1] == 1 && got[2] == 2);
  CHECK(truncate(path, 7) == 0);
  CHECK_FAILS(CUSP_EIO, "row 3", reader->read(reader, (int64_t[]){3}, 1, (void *const[]){got}));
  cusp_reader_release(reader);
  CHECK_FAILS(CUSP_EIO, "expected", cusp_reader_file(&reader, &file));
  file.rows = INT64_MAX / 2;
  CHECK_FAILS(CUSP_EIO, "expected", cusp_reader_file(&reader, &file));
  unlink(path);
}

static cusp_status open_csv(cusp_csv **csv, const char *text) {
  char path[64];
  write_file(path, text, strlen(text));
  cusp_status status = cusp_csv_open(
      csv, path, &(cusp_csv_options){.delimiter = ',', .quotes = true, .header = true, .na = "NA"});
  unlink(path);
  return status;
}

static void test_csv(void) {
  cusp_csv *csv;
  cusp_csv_record record = {0};
  CHECK_OK(open_csv(&csv, "\xef\xbb\xbf"
                          "a,b\r\n1,\"x \"\"y\"\"\nz\"\n\n2.5,NA\n,\n"));
  CHECK(cusp_csv_rows(csv) == 3 && cusp_csv_columns(csv) == 2 &&
        strcmp(cusp_csv_name(csv, 0), "a") == 0);
  CHECK(cusp_csv_column_type(csv, 0) == CUSP_CSV_FLOAT &&
        cusp_csv_column_type(csv, 1) == CUSP_CSV_TEXT);
  CHECK_OK(cusp_csv_read(csv, 0, &record));
  CHECK(record.count == 2 && strcmp(record.text + record.start[1], "x \"y\"\nz") == 0);
  CHECK_OK(cusp_csv_read(csv, 1, &record));
  CHECK(cusp_csv_is_missing(csv, record.text + record.start[1]) && cusp_csv_line(csv, 1) == 5);
  cusp_csv_record_free(&record);
  cusp_csv_release(csv);
  CHECK_FAILS(CUSP_EIO, ":3: got 3 fields, expected 2", open_csv(&csv, "a,b\n1,2\n1,2,3\n"));
  CHECK_FAILS(CUSP_EIO, ":2: a quoted field has no end", open_csv(&csv, "a,b\n\"1,2\n1,2\n"));
  CHECK_FAILS(CUSP_EIO, ":2: a quoted field is followed by 'x'", open_csv(&csv, "a,b\n\"1\"x,2\n"));
  CHECK_FAILS(CUSP_EIO, "empty", open_csv(&csv, "\n\n"));
}

static void test_example(void) {
  /* features { feature { key: "x" value { float_list { value: 1.5 } } } } */
  const unsigned char bytes[] = {0x0a, 0x0f, 0x0a, 0x0d, 0x0a, 0x01, 'x',  0x12, 0x08,
                                 0x12, 0x06, 0x0a, 0x04, 0x00, 0x00, 0xc0, 0x3f};
  cusp_feature feature = {.name = "x", .dtype = CUSP_FLOAT32, .required = true};
  float value = 0;
  CHECK_OK(cusp_example_parse(bytes, sizeof bytes, 1, &feature, (void *const[]){&value}));
  CHECK_NEAR(value, 1.5, 0);
  for (size_t length = 1; length < sizeof bytes; length++) {
    cusp_status status = cusp_example_parse(bytes, length, 1, &feature, (void *const[]){&value});
    CHECK(status == CUSP_EIO);
  }
  feature.name = "y";
  CHECK_FAILS(CUSP_EIO, "missing",
              cusp_example_parse(bytes, sizeof bytes, 1, &feature, (void *const[]){&value}));
}

/** What was being read before a fork is an error in the child, and a new loop works there. */
static void test_fork(void) {
  cusp_array array = numbers(100, 3);
  cusp_reader *reader;
  const cusp_array *ready;
  int status = 1;
  CHECK_OK(cusp_reader_arrays(&reader, 1, &array));
  cusp_pipeline *pipeline = open_pipeline(reader, 8, -1, 2);
  CHECK_OK(cusp_pipeline_peek(pipeline, &ready));
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    int before = check_failed;
    CHECK_OK(cusp_pipeline_peek(pipeline, &ready));
    cusp_array taken;
    cusp_pipeline_take(pipeline, &taken);
    CHECK_FAILS(CUSP_EUNSUPPORTED, "forked while", cusp_pipeline_peek(pipeline, &ready));
    cusp_pipeline_free(pipeline);
    pipeline = open_pipeline(reader, 8, 1, 2);
    CHECK_OK(cusp_pipeline_peek(pipeline, &ready));
    cusp_pipeline_free(pipeline);
    _exit(check_failed > before);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK_OK(cusp_pipeline_peek(pipeline, &ready));
  cusp_pipeline_free(pipeline);
  cusp_reader_release(reader);
  cusp_array_release(&array);
}

int main(void) {
  test_shuffle();
  test_stages();
  test_shuffle_blocks();
  test_shuffle_blocks_repeated();
  test_kept_rows();
  for (int workers = 1; workers <= 4; workers++) {
    test_pipeline(workers);
    test_failure(workers);
  }
  test_memory();
  test_fork();
  test_joined();
  test_windows();
  test_file_rows();
  test_csv();
  test_example();
  return check_summary();
}
