#ifndef CUSP_BINDINGS_MPI_NATIVE_H
#define CUSP_BINDINGS_MPI_NATIVE_H
/* Shared by the files of the module cusp.native.mpi. */
#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct cusp_mpi {
  int rank, size;
  double timeout;  /* seconds that a collective call may take */
  long calls;      /* collective calls begun so far */
  bool broken;     /* a call was given up: what it writes to is no longer there */
  MPI_Comm asking; /* questions about who waits, apart from all else */
} cusp_mpi;

extern cusp_mpi cusp_mpi_state;

/** Counts a collective call that is to begin; false, with a message, after one was given up. */
bool cusp_mpi_begin(char *message, size_t bytes);
/** Waits for a collective call that was begun. After the timeout returns false, with a message
 * that names the processes that did not come. */
bool cusp_mpi_wait(MPI_Request *request, char *message, size_t bytes);

#endif
