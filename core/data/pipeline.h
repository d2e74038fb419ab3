#ifndef CUSP_DATA_PIPELINE_H
#define CUSP_DATA_PIPELINE_H
/*
 * Batches made in the background: threads draw elements from a stream, read their rows, cast and
 * scale them, and put them into a bounded ring, from which they are taken in the stream's order.
 * Threads know neither Lua nor the graph: they hand over arrays that nobody else has seen. What
 * fails in a thread is reported when the element that failed is asked for.
 */

#include "reader.h"
#include "stream.h"
#include "transform.h"

typedef struct cusp_pipeline cusp_pipeline;

typedef struct cusp_pipeline_options {
  cusp_reader *reader;              /* retained */
  cusp_stream *stream;              /* taken over, also on failure */
  const cusp_transform *transforms; /* one for each column; copied */
  /* elements are lists of rows, with an axis for them; otherwise single rows */
  bool batched;
  int64_t keep; /* decoded rows that wait in the stream's shuffles; 0: none */
  bool single;  /* single rows are read one by one, so that one that fails takes no other along */
  int workers;  /* threads, at least 1 */
  int depth;    /* elements that may be ready at once; at least `workers` are */
} cusp_pipeline_options;

/** Starts the threads. *out is NULL on failure. */
CUSP_NODISCARD cusp_status cusp_pipeline_new(cusp_pipeline **out,
                                             const cusp_pipeline_options *options);
int cusp_pipeline_n_columns(const cusp_pipeline *pipeline);
/**
 * Waits for the next element and lends its arrays, one a column; they stay the pipeline's until
 * cusp_pipeline_take. *arrays is NULL at the end. CUSP_EINTERRUPT where Ctrl-C came meanwhile: the
 * element is still to come.
 */
CUSP_NODISCARD cusp_status cusp_pipeline_peek(cusp_pipeline *pipeline, const cusp_array **arrays);
/** Goes past the element that could not be made, after cusp_pipeline_peek has failed for it. False
 * where there is none, or none behind it. */
bool cusp_pipeline_skip(cusp_pipeline *pipeline);
/** Moves the arrays of the element that was peeked at to `arrays`. */
void cusp_pipeline_take(cusp_pipeline *pipeline, cusp_array *arrays);
/** Stops and joins the threads; NULL accepted. */
void cusp_pipeline_free(cusp_pipeline *pipeline);

#endif
