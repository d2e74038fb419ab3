#ifndef CUSP_DATA_STREAM_H
#define CUSP_DATA_STREAM_H
/*
 * The order in which rows are read: a chain of stages over row numbers. Shuffling, repeating,
 * taking, skipping and batching need no data, so they work on 8 bytes a row, and the rows
 * themselves are read once, straight into their batch. An element of a stream is a list of row
 * numbers: one of them before batching, up to a batch's size after it.
 */

#include "../base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cusp_stream cusp_stream;

/* Each constructor takes its input over, also on failure; *out is NULL then. */

/** 0, 1, ..., rows - 1. */
CUSP_NODISCARD cusp_status cusp_stream_range(cusp_stream **out, int64_t rows);
/**
 * A random one of the next `buffer` elements each time. The k-th pass since the stream was made
 * draws from (seed, k) where `reshuffle` is true, otherwise every pass has the same
 * order. */
CUSP_NODISCARD cusp_status cusp_stream_shuffle(cusp_stream **out, cusp_stream *input,
                                               int64_t buffer, uint64_t seed, bool reshuffle);
/** A shuffle of rows that come in blocks. */
typedef struct cusp_shuffle {
  int64_t buffer;
  uint64_t seed;
  bool reshuffle;
  int64_t window;     /* rows that are drawn from */
  int64_t block_rows; /* rows whose numbers divided by it agree are of one block */
} cusp_shuffle;
/**
 * Shuffles with few blocks open at once: a random one of the next `buffer` elements' blocks joins
 * the window where this has room, and a random element of the window is given. The input gives
 * single rows.
 */
CUSP_NODISCARD cusp_status cusp_stream_shuffle_blocks(cusp_stream **out, cusp_stream *input,
                                                      const cusp_shuffle *options);
/** `count` passes over the input; negative: without end. */
CUSP_NODISCARD cusp_status cusp_stream_repeat(cusp_stream **out, cusp_stream *input, int64_t count);
/** The first `count` elements; negative: all. */
CUSP_NODISCARD cusp_status cusp_stream_take(cusp_stream **out, cusp_stream *input, int64_t count);
/** All but the first `count` elements; negative: none. */
CUSP_NODISCARD cusp_status cusp_stream_skip(cusp_stream **out, cusp_stream *input, int64_t count);
/** Elements index, index + shards, index + 2 * shards, ... */
CUSP_NODISCARD cusp_status cusp_stream_shard(cusp_stream **out, cusp_stream *input, int64_t shards,
                                             int64_t index);
/** Lists of `size` rows from an input of single rows; a shorter last one is left out where
 * `drop_remainder`. */
CUSP_NODISCARD cusp_status cusp_stream_batch(cusp_stream **out, cusp_stream *input, int64_t size,
                                             bool drop_remainder);

/** The most rows that one element has. */
int64_t cusp_stream_width(const cusp_stream *stream);
/** The next element: rows[0 .. *count - 1], where `rows` has room for the stream's width. *count is
 * 0 at the end, and stays so. */
CUSP_NODISCARD cusp_status cusp_stream_next(cusp_stream *stream, int64_t *rows, int64_t *count);
/** Starts the next pass. */
void cusp_stream_restart(cusp_stream *stream);
void cusp_stream_free(cusp_stream *stream); /* with its inputs; NULL accepted */

#endif
