#ifndef CUSP_BASE_TRANSPORT_H
#define CUSP_BASE_TRANSPORT_H
/*
 * The processes that compute together, and what carries numbers between them. A native module
 * fills the table; without one there is one process, number 0 of 1.
 */

#include "status.h"

#include <stdint.h>

typedef enum cusp_transport_type {
  CUSP_TRANSPORT_FLOAT32,
  CUSP_TRANSPORT_FLOAT64,
  CUSP_TRANSPORT_INT32,
  CUSP_TRANSPORT_INT64
} cusp_transport_type;

/** Numbers that are to be replaced by their sum over all processes. */
typedef struct cusp_transport_sum {
  void *data; /* row-major, and left alone until the sum has been waited for */
  size_t count;
  cusp_transport_type type;
  size_t rows;       /* above 0: rows of zeros need not travel */
  _Bool as_bfloat16; /* float32 may travel in half the bytes */
} cusp_transport_sum;

/** When a sum travelled, in seconds of cusp_monotonic_seconds. */
typedef struct cusp_span {
  double begin, end;
} cusp_span;

typedef struct cusp_transport {
  int rank, size;
  /** Begins a sum over the processes that divide batches; returns its number, or 0 with a
   * message. */
  uint64_t (*start)(const cusp_transport_sum *sum, char *message, size_t bytes);
  /** Waits for a sum that was begun: once for each, in their order. On failure returns false and
   * writes a message; the sum's memory is left alone from then on. */
  _Bool (*wait)(uint64_t number, cusp_span *span, char *message, size_t bytes);
  /** Replaces `data` by its sum within a group, a part of the processes that the module has given a
   * number. On failure returns false and writes a message. */
  _Bool (*sum_group)(int group, void *data, size_t count, cusp_transport_type type, char *message,
                     size_t bytes);
  /** Puts what each of the `size` processes of a group has, `each` bytes, one after another. */
  _Bool (*gather_group)(int group, int size, const void *own, void *all, size_t each, char *message,
                        size_t bytes);
  /** Whether the user asked to stop (cusp_interrupted): for those who wait. */
  _Bool (*interrupted)(void);
} cusp_transport;

/** The transport in use; never NULL. */
const cusp_transport *cusp_transport_get(void);
/** Takes another one, which lives as long as the process, and fills in `interrupted`; NULL: one
 * process. */
void cusp_transport_set(cusp_transport *transport);

#endif
