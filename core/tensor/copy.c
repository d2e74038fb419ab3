/* Copies between strided arrays. */
#include "array.h"

#include "../base/threads.h"

#include <string.h>

/* rows and columns of a transposition's tile: both sides stay in L1 */
#define TILE 32
#define GRAIN_BYTES (1 << 16) /* about 5 us of copying */

/** Copies n elements of one size between steps given in elements. */
typedef void (*row_fn)(int64_t n, char *to, int64_t to_step, const char *from, int64_t from_step);

#define ROW_FUNCTION(name, type)                                                                \
  static void name(int64_t n, char *to, int64_t to_step, const char *from, int64_t from_step) { \
    type *t = (type *)to;                                                                       \
    const type *f = (const type *)from;                                                         \
    if (to_step == 1 && from_step == 1)                                                         \
      memcpy(t, f, (size_t)n * sizeof(type));                                                   \
    else if (to_step == 1 && from_step == 0)                                                    \
      for (int64_t i = 0; i < n; i++)                                                           \
        t[i] = f[0];                                                                            \
    else                                                                                        \
      for (int64_t i = 0; i < n; i++)                                                           \
        t[i * to_step] = f[i * from_step];                                                      \
  }

/** Copies `rows` rows of n elements; steps are those of rows and of elements. */
typedef void (*block_fn)(int64_t rows, int64_t n, char *to, const int64_t *to_steps,
                         const char *from, const int64_t *from_steps);

#define EACH_ROW(bytes)                                                \
  for (int64_t row = 0; row < rows; row++, t += to_row, f += from_row) \
    memcpy(t, f, bytes);

/* A call for each of the usual short rows would take longer than the copy. */
#define BLOCK_FUNCTION(name, row_name, type)                                                 \
  static void name(int64_t rows, int64_t n, char *t, const int64_t *to_steps, const char *f, \
                   const int64_t *from_steps) {                                              \
    const int64_t size = (int64_t)sizeof(type), to_row = to_steps[0] * size,                 \
                  from_row = from_steps[0] * size;                                           \
    const bool even = to_steps[1] == 1 && from_steps[1] == 1;                                \
    if (even && n * size == 64)                                                              \
      EACH_ROW(64)                                                                           \
    else if (even && n * size == 128)                                                        \
      EACH_ROW(128)                                                                          \
    else                                                                                     \
      for (int64_t row = 0; row < rows; row++, t += to_row, f += from_row)                   \
        row_name(n, t, to_steps[1], f, from_steps[1]);                                       \
  }

/**
 * Copies to[i * to_stride + j] = from[j * from_stride + i] for one tile. Through a buffer, because
 * a column of `to` or of `from` often lies at a power of two, where all its lines would fight for
 * one set of the cache.
 */
typedef void (*tile_fn)(int64_t rows, int64_t columns, char *to, int64_t to_stride,
                        const char *from, int64_t from_stride);

#define TILE_FUNCTION(name, type)                                                                \
  static void name(int64_t rows, int64_t columns, char *to, int64_t to_stride, const char *from, \
                   int64_t from_stride) {                                                        \
    type buffer[TILE][TILE];                                                                     \
    for (int64_t j = 0; j < columns; j++)                                                        \
      for (int64_t i = 0; i < rows; i++)                                                         \
        buffer[i][j] = ((const type *)from)[j * from_stride + i];                                \
    for (int64_t i = 0; i < rows; i++)                                                           \
      memcpy((type *)to + i * to_stride, buffer[i], (size_t)columns * sizeof(type));             \
  }

ROW_FUNCTION(copy_row_1, uint8_t)
ROW_FUNCTION(copy_row_2, uint16_t)
ROW_FUNCTION(copy_row_4, uint32_t)
ROW_FUNCTION(copy_row_8, uint64_t)
BLOCK_FUNCTION(copy_block_1, copy_row_1, uint8_t)
BLOCK_FUNCTION(copy_block_2, copy_row_2, uint16_t)
BLOCK_FUNCTION(copy_block_4, copy_row_4, uint32_t)
BLOCK_FUNCTION(copy_block_8, copy_row_8, uint64_t)
TILE_FUNCTION(copy_tile_1, uint8_t)
TILE_FUNCTION(copy_tile_2, uint16_t)
TILE_FUNCTION(copy_tile_4, uint32_t)
TILE_FUNCTION(copy_tile_8, uint64_t)

typedef struct copy_job {
  char *to;
  const char *from;
  row_fn copy_row;
  block_fn copy_block;
  tile_fn copy_tile;
  int64_t element; /* bytes */
  int ndim;
  int64_t size[CUSP_MAX_DIMS];
  int64_t strides[2][CUSP_MAX_DIMS]; /* to, from */
  int64_t tiles;                     /* along axis ndim - 2, when transposing */
} copy_job;

#define FUNCTIONS(job, bytes)             \
  (job)->copy_row = copy_row_##bytes;     \
  (job)->copy_block = copy_block_##bytes; \
  (job)->copy_tile = copy_tile_##bytes

static void choose_functions(copy_job *job) {
  switch (job->element) {
  case 1: FUNCTIONS(job, 1); break;
  case 2: FUNCTIONS(job, 2); break;
  case 4: FUNCTIONS(job, 4); break;
  default: FUNCTIONS(job, 8);
  }
}

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

static void swap_axes(copy_job *job, int i, int j) {
  int64_t size = job->size[i];
  job->size[i] = job->size[j];
  job->size[j] = size;
  for (int k = 0; k < 2; k++) {
    int64_t stride = job->strides[k][i];
    job->strides[k][i] = job->strides[k][j];
    job->strides[k][j] = stride;
  }
}

/** Orders axes by the target's strides, largest first: the order of copying is free, and writing is
 * best done in a row. */
static void sort_axes(copy_job *job) {
  for (int i = 1; i < job->ndim; i++)
    for (int j = i; j > 0 && magnitude(job->strides[0][j - 1]) < magnitude(job->strides[0][j]); j--)
      swap_axes(job, j - 1, j);
}

/** Element offsets of both arrays at index `index` of the first `axes` axes (row-major). */
static void offsets_at(const copy_job *job, int axes, int64_t index, int64_t *to, int64_t *from) {
  *to = *from = 0;
  for (int i = axes - 1; i >= 0; i--) {
    int64_t coordinate = index % job->size[i];
    index /= job->size[i];
    *to += coordinate * job->strides[0][i];
    *from += coordinate * job->strides[1][i];
  }
}

/** Copies a part of the last axis's rows; with one axis only, `begin` and `end` count its
 * elements. */
static void copy_rows(void *context, int64_t begin, int64_t end) {
  const copy_job *job = context;
  int last = job->ndim - 1;
  int64_t to_step = job->strides[0][last], from_step = job->strides[1][last];
  if (last == 0) {
    job->copy_row(end - begin, job->to + begin * to_step * job->element, to_step,
                  job->from + begin * from_step * job->element, from_step);
    return;
  }
  for (int64_t row = begin, n; row < end; row += n) {
    const int64_t left = job->size[last - 1] - row % job->size[last - 1];
    int64_t to, from;
    n = left < end - row ? left : end - row;
    offsets_at(job, last, row, &to, &from);
    job->copy_block(n, job->size[last], job->to + to * job->element, job->strides[0] + last - 1,
                    job->from + from * job->element, job->strides[1] + last - 1);
  }
}

/** Copies rows of tiles of the last two axes, where the target's unit stride is on the last and the
 * source's on the last but one. */
static void copy_tiles(void *context, int64_t begin, int64_t end) {
  const copy_job *job = context;
  int column = job->ndim - 1, row = column - 1;
  int64_t to_stride = job->strides[0][row], from_stride = job->strides[1][column];
  for (int64_t unit = begin; unit < end; unit++) {
    int64_t to, from, i = unit % job->tiles * TILE;
    offsets_at(job, row, unit / job->tiles, &to, &from);
    int64_t rows = i + TILE < job->size[row] ? TILE : job->size[row] - i;
    for (int64_t j = 0; j < job->size[column]; j += TILE) {
      int64_t columns = j + TILE < job->size[column] ? TILE : job->size[column] - j;
      job->copy_tile(rows, columns, job->to + (to + i * to_stride + j) * job->element, to_stride,
                     job->from + (from + i + j * from_stride) * job->element, from_stride);
    }
  }
}

/** Moves the axis where the source has stride 1 next to the last one; false where tiles would not
 * help. */
static bool make_transposition(copy_job *job) {
  int last = job->ndim - 1;
  if (job->ndim < 2 || job->strides[0][last] != 1 || magnitude(job->strides[1][last]) <= 1 ||
      job->size[last] < 4)
    return false;
  for (int i = 0; i < last; i++)
    if (job->strides[1][i] == 1 && job->size[i] >= 4) {
      swap_axes(job, i, last - 1);
      job->tiles = (job->size[last - 1] + TILE - 1) / TILE;
      return true;
    }
  return false;
}

static void run_job(copy_job *job, int64_t count) {
  int last = job->ndim - 1;
  if (make_transposition(job)) {
    int64_t units = count / (job->size[last] * job->size[last - 1]) * job->tiles;
    int64_t unit_bytes = job->size[last] * TILE * job->element;
    cusp_parallel_for(units, GRAIN_BYTES / unit_bytes + 1, copy_tiles, job);
  } else if (last == 0) {
    cusp_parallel_for(count, GRAIN_BYTES / job->element, copy_rows, job);
  } else {
    cusp_parallel_for(count / job->size[last], GRAIN_BYTES / (job->size[last] * job->element) + 1,
                      copy_rows, job);
  }
}

void cusp_array_copy(const cusp_array *to, const cusp_array *from) {
  int64_t count = cusp_array_count(to);
  if (count == 0)
    return;
  copy_job job = {.to = to->data,
                  .from = from->data,
                  .element = (int64_t)cusp_dtype_size(to->dtype),
                  .ndim = to->shape.ndim};
  choose_functions(&job);
  memcpy(job.size, to->shape.size, sizeof job.size);
  memcpy(job.strides[0], to->strides, sizeof job.strides[0]);
  memcpy(job.strides[1], from->strides, sizeof job.strides[1]);
  sort_axes(&job);
  job.ndim = cusp_collapse_axes(job.ndim, job.size, 2, job.strides);
  run_job(&job, count);
}

cusp_status cusp_array_keep_contiguous(cusp_array *kept, const cusp_array *array) {
  if (cusp_array_is_contiguous(array) && array->storage) {
    *kept = *array;
    cusp_storage_retain(array->storage);
    return CUSP_OK;
  }
  CUSP_TRY(cusp_array_new(kept, array->dtype, &array->shape));
  cusp_array_copy(kept, array);
  return CUSP_OK;
}
