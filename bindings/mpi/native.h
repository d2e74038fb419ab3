#ifndef CUSP_BINDINGS_MPI_NATIVE_H
#define CUSP_BINDINGS_MPI_NATIVE_H
/*
 * Shared by the files of the module cusp.native.mpi. What the processes do together is a job in a
 * queue, which all of them go through in one order. A thread of its own works at the queue while
 * the others compute; a thread that waits for a job works at it itself. One thread at a time calls
 * MPI: whoever holds the lock, or the one that runs the job at the head.
 */
#include "base/transport.h"

#include <lua.h>
#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum cusp_mpi_state_of {
  CUSP_MPI_QUEUED,
  CUSP_MPI_ARRIVING, /* waits for the others to come to it */
  CUSP_MPI_RUNNING,
  CUSP_MPI_DONE,
  CUSP_MPI_FAILED /* there is a message */
} cusp_mpi_stage;

typedef struct cusp_mpi_job cusp_mpi_job;

struct cusp_mpi_job {
  cusp_mpi_job *next;
  /** Does it, once all processes have come: calls of MPI that block. */
  bool (*run)(cusp_mpi_job *job);
  MPI_Comm among;  /* whom it is of; NULL: of all processes */
  char what[48];   /* it is, the same everywhere: "a sum of 10 float32" */
  bool ends;       /* the process ends with it, and may wait for ever */
  uint64_t number; /* from 1 */
  cusp_mpi_stage stage;
  MPI_Request arrival;
  int64_t prints[2];       /* the largest of all processes' fingerprints and of their negatives */
  double came, begin, end; /* when */
  char message[400];
};

typedef struct cusp_mpi {
  int rank, size;
  bool one_machine; /* all processes are on it */
  double timeout;   /* seconds that the others may take to come */
  double latency;   /* seconds that are added to each message, */
  double bandwidth; /* and bytes a second; 0: nothing is added */
  bool broken;      /* a job was given up: nothing more is sent */
  MPI_Comm asking;  /* questions about who waits, apart from all else */
  MPI_Comm sharers; /* the processes that divide batches among themselves */
} cusp_mpi;

extern cusp_mpi cusp_mpi_state;

/* ------------------------------------------------------------------ queue.c */

/** Seconds, as cusp_monotonic_seconds counts them. */
double cusp_mpi_seconds(void);
/** Starts the thread; false where there is none to have. */
bool cusp_mpi_open_queue(void);
/** Ends the thread. */
void cusp_mpi_close_queue(void);
/** Enters a job, which lives until it was waited for. */
void cusp_mpi_submit(cusp_mpi_job *job);
/** Waits for a job; whether it was done. Nothing touches it after that. */
bool cusp_mpi_wait(cusp_mpi_job *job);

/* ------------------------------------------------------------------ arrival.c */

/** Whom a job is of. */
MPI_Comm cusp_mpi_among(const cusp_mpi_job *job);
/** Says that this process has come to a job. */
void cusp_mpi_arrive(cusp_mpi_job *job);
/** Whether all have come, or it failed. After the timeout that names those who did not. */
bool cusp_mpi_all_came(cusp_mpi_job *job);

/* ------------------------------------------------------------------ sum.c */

/** The transport, once rank and size are known. */
cusp_transport *cusp_mpi_transport(void);
/** Adds up over the processes of a job, as a part of it. */
bool cusp_mpi_add_up(cusp_mpi_job *job, void *data, size_t count, cusp_transport_type type);
/** Reads "LATENCY_IN_MICROSECONDS,GBIT_PER_SECOND"; false where it is something else. */
bool cusp_mpi_set_delay(const char *text);

/* ------------------------------------------------------------------ groups.c */

/** sum_group and gather_group of a transport. */
bool cusp_mpi_sum_group(int group, void *data, size_t count, cusp_transport_type type,
                        char *message, size_t bytes);
bool cusp_mpi_gather_group(int group, int size, const void *own, void *all, size_t each,
                           char *message, size_t bytes);
/** split(colour, key) → the number of a new group: the processes that gave the same colour. */
int cusp_mpi_split(lua_State *L);
/** set_sharers([number]): the group whose processes sums are over; by default all. */
int cusp_mpi_set_sharers(lua_State *L);

#endif
