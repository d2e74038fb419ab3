#include "stream.h"

#include "../base/memory.h"
#include "../base/philox.h"

#include <string.h>

typedef struct stream_kind {
  cusp_status (*next)(cusp_stream *stream, int64_t *rows, int64_t *count);
  /* of what the kind itself keeps; NULL: position = 0 is all */
  void (*restart)(cusp_stream *stream);
} stream_kind;

/* Rows of one block that follow each other in equal steps. */
typedef struct run {
  int64_t first, step, count;
} run;

struct cusp_stream {
  const stream_kind *kind;
  cusp_stream *input; /* NULL: a range */
  int64_t width;
  int64_t position;     /* elements given, or taken from the input, in this pass */
  int64_t limit, start; /* what the constructor was given */
  bool flag;            /* likewise */
  uint64_t seed, pass, draws;
  /* shuffle: `filled` elements of `width` rows, and how many rows each has */
  int64_t *buffer, *counts;
  int64_t filled, capacity;
  bool exhausted;
  /* shuffle_blocks: what waits outside the buffer, which is the window */
  int64_t window, block_rows;
  run *runs;
  int64_t n_runs, runs_capacity, waiting; /* `waiting`: rows of all runs */
  int64_t open;                           /* the run that neighbours may join; -1: none */
};

static cusp_status new_stream(cusp_stream **out, const stream_kind *kind, cusp_stream *input) {
  cusp_status status = cusp_alloc_zeroed((void **)out, sizeof **out);
  if (status != CUSP_OK) {
    cusp_stream_free(input);
    return status;
  }
  (*out)->kind = kind;
  (*out)->input = input;
  (*out)->width = input ? input->width : 1;
  return CUSP_OK;
}

int64_t cusp_stream_width(const cusp_stream *stream) { return stream->width; }

cusp_status cusp_stream_next(cusp_stream *stream, int64_t *rows, int64_t *count) {
  *count = 0;
  return stream->kind->next(stream, rows, count);
}

void cusp_stream_restart(cusp_stream *stream) {
  for (; stream; stream = stream->input) {
    stream->position = 0;
    if (stream->kind->restart)
      stream->kind->restart(stream);
  }
}

void cusp_stream_free(cusp_stream *stream) {
  while (stream) {
    cusp_stream *input = stream->input;
    cusp_free(stream->buffer);
    cusp_free(stream->counts);
    cusp_free(stream->runs);
    cusp_free(stream);
    stream = input;
  }
}

/* ------------------------------------------------------------------ range */

static cusp_status range_next(cusp_stream *s, int64_t *rows, int64_t *count) {
  if (s->position < s->limit) {
    rows[0] = s->position++;
    *count = 1;
  }
  return CUSP_OK;
}

cusp_status cusp_stream_range(cusp_stream **out, int64_t rows) {
  static const stream_kind kind = {range_next, NULL};
  CUSP_TRY(new_stream(out, &kind, NULL));
  (*out)->limit = rows;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ shuffle */

/* An integer in [0, bound): the high half of a 64-bit product, whose bias is below bound / 2^64. */
static int64_t draw_below(cusp_stream *s, int64_t bound) {
  cusp_philox_block block = cusp_philox(s->seed, s->flag ? s->pass : 0, s->draws++);
  uint64_t word = (uint64_t)block.word[0] << 32 | block.word[1];
  return (int64_t)((unsigned __int128)word * (uint64_t)bound >> 64);
}

static cusp_status grow(void **block, int64_t count, int64_t capacity, size_t item) {
  void *larger;
  size_t bytes;
  CUSP_TRY(cusp_multiply_size(&bytes, (size_t)capacity, item));
  CUSP_TRY(cusp_alloc(&larger, bytes));
  if (count)
    memcpy(larger, *block, (size_t)count * item);
  cusp_free(*block);
  *block = larger;
  return CUSP_OK;
}

/* A buffer may be asked to hold more than there is: it grows as it fills. */
static cusp_status reserve(cusp_stream *s) {
  if (s->filled < s->capacity)
    return CUSP_OK;
  int64_t capacity = s->capacity ? 2 * s->capacity : 64;
  if (capacity > s->limit)
    capacity = s->limit;
  CUSP_TRY(grow((void **)&s->buffer, s->filled, capacity, (size_t)s->width * sizeof *s->buffer));
  CUSP_TRY(grow((void **)&s->counts, s->filled, capacity, sizeof *s->counts));
  s->capacity = capacity;
  return CUSP_OK;
}

static cusp_status fill_buffer(cusp_stream *s) {
  while (!s->exhausted && s->filled < s->limit) {
    CUSP_TRY(reserve(s));
    CUSP_TRY(cusp_stream_next(s->input, s->buffer + s->filled * s->width, &s->counts[s->filled]));
    s->exhausted = s->counts[s->filled] == 0;
    s->filled += !s->exhausted;
  }
  return CUSP_OK;
}

static cusp_status shuffle_next(cusp_stream *s, int64_t *rows, int64_t *count) {
  CUSP_TRY(fill_buffer(s));
  if (s->filled == 0)
    return CUSP_OK;
  size_t bytes = (size_t)s->width * sizeof *rows;
  int64_t chosen = draw_below(s, s->filled), last = --s->filled;
  memcpy(rows, s->buffer + chosen * s->width, bytes);
  *count = s->counts[chosen];
  memmove(s->buffer + chosen * s->width, s->buffer + last * s->width, bytes);
  s->counts[chosen] = s->counts[last];
  return CUSP_OK;
}

static void shuffle_restart(cusp_stream *s) {
  s->pass++;
  s->draws = 0;
  s->filled = 0;
  s->exhausted = false;
}

cusp_status cusp_stream_shuffle(cusp_stream **out, cusp_stream *input, int64_t buffer,
                                uint64_t seed, bool reshuffle) {
  static const stream_kind kind = {shuffle_next, shuffle_restart};
  CUSP_TRY(new_stream(out, &kind, input));
  (*out)->limit = buffer;
  (*out)->seed = seed;
  (*out)->flag = reshuffle;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ shuffle by blocks */

static bool joins(const cusp_stream *s, int64_t row) {
  const run *r = &s->runs[s->open];
  return r->count < s->block_rows && row / s->block_rows == r->first / s->block_rows &&
         (r->count == 1 || row == r->first + r->count * r->step);
}

static cusp_status add_row(cusp_stream *s, int64_t row) {
  s->waiting++;
  if (s->open >= 0 && joins(s, row)) {
    run *r = &s->runs[s->open];
    if (r->count++ == 1)
      r->step = row - r->first;
    return CUSP_OK;
  }
  if (s->n_runs == s->runs_capacity) {
    int64_t capacity = s->runs_capacity ? 2 * s->runs_capacity : 64;
    CUSP_TRY(grow((void **)&s->runs, s->n_runs, capacity, sizeof *s->runs));
    s->runs_capacity = capacity;
  }
  s->open = s->n_runs;
  s->runs[s->n_runs++] = (run){row, 1, 1};
  return CUSP_OK;
}

static cusp_status read_ahead(cusp_stream *s) {
  while (!s->exhausted && s->filled + s->waiting < s->limit) {
    int64_t row, count;
    CUSP_TRY(cusp_stream_next(s->input, &row, &count));
    s->exhausted = count == 0;
    if (count > 0)
      CUSP_TRY(add_row(s, row));
  }
  return CUSP_OK;
}

/* Moves a random run into the window. */
static cusp_status open_run(cusp_stream *s) {
  int64_t chosen = draw_below(s, s->n_runs), last = --s->n_runs;
  run r = s->runs[chosen];
  s->runs[chosen] = s->runs[last];
  s->open = s->open == chosen ? -1 : s->open == last ? chosen : s->open;
  s->waiting -= r.count;
  if (s->filled + r.count > s->capacity) {
    int64_t capacity = s->window + s->block_rows;
    CUSP_TRY(grow((void **)&s->buffer, s->filled, capacity, sizeof *s->buffer));
    s->capacity = capacity;
  }
  for (int64_t i = 0; i < r.count; i++)
    s->buffer[s->filled++] = r.first + i * r.step;
  return CUSP_OK;
}

static cusp_status blocks_next(cusp_stream *s, int64_t *rows, int64_t *count) {
  CUSP_TRY(read_ahead(s));
  while (s->n_runs > 0 && s->filled < s->window)
    CUSP_TRY(open_run(s));
  if (s->filled == 0)
    return CUSP_OK;
  int64_t chosen = draw_below(s, s->filled);
  rows[0] = s->buffer[chosen];
  s->buffer[chosen] = s->buffer[--s->filled];
  *count = 1;
  return CUSP_OK;
}

static void blocks_restart(cusp_stream *s) {
  shuffle_restart(s);
  s->n_runs = s->waiting = 0;
  s->open = -1;
}

cusp_status cusp_stream_shuffle_blocks(cusp_stream **out, cusp_stream *input,
                                       const cusp_shuffle *options) {
  static const stream_kind kind = {blocks_next, blocks_restart};
  CUSP_TRY(new_stream(out, &kind, input));
  (*out)->limit = options->buffer;
  (*out)->seed = options->seed;
  (*out)->flag = options->reshuffle;
  (*out)->window = options->window;
  (*out)->block_rows = options->block_rows;
  (*out)->open = -1;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ repeat, take, skip, shard */

/* `position` counts passes, so that restarting begins with the first of them again. */
static cusp_status repeat_next(cusp_stream *s, int64_t *rows, int64_t *count) {
  if (s->limit >= 0 && s->position >= s->limit)
    return CUSP_OK;
  CUSP_TRY(cusp_stream_next(s->input, rows, count));
  if (*count > 0)
    return CUSP_OK;
  if (s->limit >= 0 && ++s->position >= s->limit)
    return CUSP_OK;
  cusp_stream_restart(s->input);
  /* a pass that gives nothing at once ends it: there is nothing to repeat */
  return cusp_stream_next(s->input, rows, count);
}

cusp_status cusp_stream_repeat(cusp_stream **out, cusp_stream *input, int64_t count) {
  static const stream_kind kind = {repeat_next, NULL};
  CUSP_TRY(new_stream(out, &kind, input));
  (*out)->limit = count;
  return CUSP_OK;
}

static cusp_status take_next(cusp_stream *s, int64_t *rows, int64_t *count) {
  if (s->limit >= 0 && s->position >= s->limit)
    return CUSP_OK;
  s->position++;
  return cusp_stream_next(s->input, rows, count);
}

cusp_status cusp_stream_take(cusp_stream **out, cusp_stream *input, int64_t count) {
  static const stream_kind kind = {take_next, NULL};
  CUSP_TRY(new_stream(out, &kind, input));
  (*out)->limit = count;
  return CUSP_OK;
}

static cusp_status skip_next(cusp_stream *s, int64_t *rows, int64_t *count) {
  for (; s->position < s->limit; s->position++) {
    CUSP_TRY(cusp_stream_next(s->input, rows, count));
    if (*count == 0)
      return CUSP_OK;
  }
  return cusp_stream_next(s->input, rows, count);
}

cusp_status cusp_stream_skip(cusp_stream **out, cusp_stream *input, int64_t count) {
  static const stream_kind kind = {skip_next, NULL};
  CUSP_TRY(new_stream(out, &kind, input));
  (*out)->limit = count;
  return CUSP_OK;
}

static cusp_status shard_next(cusp_stream *s, int64_t *rows, int64_t *count) {
  do
    CUSP_TRY(cusp_stream_next(s->input, rows, count));
  while (*count > 0 && s->position++ % s->limit != s->start);
  return CUSP_OK;
}

cusp_status cusp_stream_shard(cusp_stream **out, cusp_stream *input, int64_t shards,
                              int64_t index) {
  static const stream_kind kind = {shard_next, NULL};
  CUSP_TRY(new_stream(out, &kind, input));
  (*out)->limit = shards;
  (*out)->start = index;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ batch */

static cusp_status batch_next(cusp_stream *s, int64_t *rows, int64_t *count) {
  int64_t got = 0, one = 1;
  while (got < s->width && one > 0) {
    CUSP_TRY(cusp_stream_next(s->input, rows + got, &one));
    got += one;
  }
  *count = s->flag && got < s->width ? 0 : got;
  return CUSP_OK;
}

cusp_status cusp_stream_batch(cusp_stream **out, cusp_stream *input, int64_t size,
                              bool drop_remainder) {
  static const stream_kind kind = {batch_next, NULL};
  CUSP_TRY(new_stream(out, &kind, input));
  (*out)->width = size;
  (*out)->flag = drop_remainder;
  return CUSP_OK;
}
