#ifndef CUSP_BASE_TRANSPORT_H
#define CUSP_BASE_TRANSPORT_H
/*
 * The processes that compute together, and what carries numbers between them. A native module
 * fills the table; without one there is one process, number 0 of 1.
 */

#include "status.h"

typedef enum cusp_transport_type {
  CUSP_TRANSPORT_FLOAT32,
  CUSP_TRANSPORT_FLOAT64,
  CUSP_TRANSPORT_INT32,
  CUSP_TRANSPORT_INT64
} cusp_transport_type;

typedef struct cusp_transport {
  int rank, size;
  /** Replaces `data` by its sum over all processes, in which every one takes part. On failure
   * returns false and writes a message. */
  _Bool (*sum)(void *data, size_t count, cusp_transport_type type, char *message, size_t bytes);
} cusp_transport;

/** The transport in use; never NULL. */
const cusp_transport *cusp_transport_get(void);
/** Takes another one, which lives as long as the process; NULL: one process. */
void cusp_transport_set(const cusp_transport *transport);

#endif
