/*
 * Waiting for a collective call. Who waits too long asks all others; those that wait as well
 * answer with the number of their call, and the silent ones are missing.
 */
#include "native.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { QUESTION = 1, ANSWER = 2, SPINS = 2000 };
static const double GRACE = 1; /* seconds for answers */

static void rest(int turns) {
  if (turns < SPINS) {
    sched_yield();
    return;
  }
  nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static void send_call(int to, int tag) {
  MPI_Request request;
  static long number;
  number = cusp_mpi_state.calls;
  MPI_Isend(&number, 1, MPI_LONG, to, tag, cusp_mpi_state.asking, &request);
  MPI_Request_free(&request);
}

/* Takes one message of that tag, if there is one; returns who sent it, or -1. */
static int take(int tag, long *number) {
  int there = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, tag, cusp_mpi_state.asking, &there, &status);
  if (!there)
    return -1;
  MPI_Recv(number, 1, MPI_LONG, status.MPI_SOURCE, tag, cusp_mpi_state.asking, MPI_STATUS_IGNORE);
  return status.MPI_SOURCE;
}

static void answer_questions(void) {
  long number;
  for (int from = take(QUESTION, &number); from >= 0; from = take(QUESTION, &number))
    send_call(from, ANSWER);
}

/* Whether the call ended within so many seconds. */
static bool ends_within(MPI_Request *request, double seconds, long *calls) {
  double end = MPI_Wtime() + seconds;
  for (int turns = 0, done = 0;; turns++) {
    MPI_Test(request, &done, MPI_STATUS_IGNORE);
    if (done)
      return true;
    rest(turns);
    if (turns % 256 != 0)
      continue;
    answer_questions();
    long number;
    for (int from = calls ? take(ANSWER, &number) : -1; from >= 0; from = take(ANSWER, &number))
      calls[from] = number;
    if (MPI_Wtime() > end)
      return false;
  }
}

static void describe(const long *calls, char *message, size_t bytes) {
  int at = snprintf(
      message, bytes, "rank %d of %d has waited %g seconds in its collective call %ld",
      cusp_mpi_state.rank, cusp_mpi_state.size, cusp_mpi_state.timeout, cusp_mpi_state.calls);
  for (int i = 0; i < cusp_mpi_state.size && at > 0 && (size_t)at < bytes; i++) {
    if (calls[i] == 0)
      at += snprintf(message + at, bytes - (size_t)at, "; rank %d did not come", i);
    else if (calls[i] != cusp_mpi_state.calls)
      at += snprintf(message + at, bytes - (size_t)at, "; rank %d is in its call %ld", i, calls[i]);
  }
}

bool cusp_mpi_begin(char *message, size_t bytes) {
  cusp_mpi_state.calls++;
  if (cusp_mpi_state.broken)
    snprintf(message, bytes, "rank %d gave up an earlier call; the job has to be started again",
             cusp_mpi_state.rank);
  return !cusp_mpi_state.broken;
}

bool cusp_mpi_wait(MPI_Request *request, char *message, size_t bytes) {
  if (ends_within(request, cusp_mpi_state.timeout, NULL))
    return true;
  long *calls = calloc((size_t)cusp_mpi_state.size, sizeof *calls);
  if (!calls) {
    snprintf(message, bytes, "rank %d: not enough memory", cusp_mpi_state.rank);
    return false;
  }
  calls[cusp_mpi_state.rank] = cusp_mpi_state.calls;
  for (int i = 0; i < cusp_mpi_state.size; i++)
    if (i != cusp_mpi_state.rank)
      send_call(i, QUESTION);
  bool done = ends_within(request, GRACE, calls);
  cusp_mpi_state.broken = !done;
  if (!done)
    describe(calls, message, bytes);
  free(calls);
  return done;
}
