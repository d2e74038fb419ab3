/*
 * Coming to a job: before anything is sent, all processes say that they have come, and to what.
 * Who waits too long asks all others; those that wait as well answer with the number of their job,
 * and the silent ones are missing.
 */
#include "native.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUESTION = 1, ANSWER = 2 };
static const double GRACE = 1; /* seconds for answers */

/* ------------------------------------------------------------------ what they come to */

static int64_t fingerprint(const cusp_mpi_job *job) {
  uint64_t hash = 1469598103934665603U;
  for (const char *c = job->what; *c; c++)
    hash = (hash ^ (unsigned char)*c) * 1099511628211U;
  return (int64_t)(hash >> 1);
}

MPI_Comm cusp_mpi_among(const cusp_mpi_job *job) {
  return job->among ? job->among : MPI_COMM_WORLD;
}

void cusp_mpi_arrive(cusp_mpi_job *job) {
  job->prints[0] = fingerprint(job);
  job->prints[1] = -job->prints[0];
  if (MPI_Iallreduce(MPI_IN_PLACE, job->prints, 2, MPI_INT64_T, MPI_MAX, cusp_mpi_among(job),
                     &job->arrival) != MPI_SUCCESS)
    snprintf(job->message, sizeof job->message, "MPI could not begin a call");
}

/* ------------------------------------------------------------------ who is where */

typedef struct place {
  long long number; /* of the job it waits in; 0: no answer */
  char what[48];
} place;

static void send_place(const cusp_mpi_job *job, int to, int tag) {
  static place own; /* read by MPI after this call */
  MPI_Request request;
  own.number = (long long)job->number;
  memcpy(own.what, job->what, sizeof own.what);
  MPI_Isend(&own, sizeof own, MPI_BYTE, to, tag, cusp_mpi_state.asking, &request);
  MPI_Request_free(&request);
}

/* Takes one message of that tag, if there is one; returns who sent it, or -1. */
static int take(int tag, place *out) {
  int there = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, tag, cusp_mpi_state.asking, &there, &status);
  if (!there)
    return -1;
  MPI_Recv(out, sizeof *out, MPI_BYTE, status.MPI_SOURCE, tag, cusp_mpi_state.asking,
           MPI_STATUS_IGNORE);
  return status.MPI_SOURCE;
}

static void answer_questions(const cusp_mpi_job *job) {
  place theirs;
  for (int from = take(QUESTION, &theirs); from >= 0; from = take(QUESTION, &theirs))
    send_place(job, from, ANSWER);
}

/* Asks all others and gives them a little time, all of it: they may ask as well. */
static void ask(const cusp_mpi_job *job, place *places) {
  for (int i = 0; i < cusp_mpi_state.size; i++)
    if (i != cusp_mpi_state.rank)
      send_place(job, i, QUESTION);
  double end = cusp_mpi_seconds() + GRACE;
  for (; cusp_mpi_seconds() < end; sched_yield()) {
    place theirs;
    answer_questions(job);
    for (int from = take(ANSWER, &theirs); from >= 0; from = take(ANSWER, &theirs))
      places[from] = theirs;
  }
}

static bool is_one_of(const cusp_mpi_job *job, int rank) {
  MPI_Group all, some;
  int there = MPI_UNDEFINED;
  MPI_Comm_group(MPI_COMM_WORLD, &all);
  MPI_Comm_group(cusp_mpi_among(job), &some);
  MPI_Group_translate_ranks(all, 1, &rank, some, &there);
  MPI_Group_free(&all);
  MPI_Group_free(&some);
  return there != MPI_UNDEFINED;
}

static int describe(cusp_mpi_job *job, const place *places, int at) {
  char *message = job->message;
  const size_t bytes = sizeof job->message;
  for (int i = 0; i < cusp_mpi_state.size && at > 0 && (size_t)at < bytes; i++) {
    const place *other = &places[i];
    if (i == cusp_mpi_state.rank || !is_one_of(job, i))
      continue;
    if (other->number == 0)
      at += snprintf(message + at, bytes - (size_t)at, "; rank %d did not come", i);
    else if (strcmp(other->what, job->what) != 0)
      at += snprintf(message + at, bytes - (size_t)at, "; rank %d is in its call %lld, %s", i,
                     other->number, other->what);
  }
  return at;
}

static void explain(cusp_mpi_job *job, const char *problem, const char *advice) {
  place *places = calloc((size_t)cusp_mpi_state.size, sizeof *places);
  if (places)
    ask(job, places);
  int at = snprintf(job->message, sizeof job->message,
                    "rank %d of %d %s its collective call %llu, %s", cusp_mpi_state.rank,
                    cusp_mpi_state.size, problem, (unsigned long long)job->number, job->what);
  if (places)
    at = describe(job, places, at);
  if (at > 0 && (size_t)at < sizeof job->message)
    snprintf(job->message + at, sizeof job->message - (size_t)at, "%s", advice);
  free(places);
}

static bool is_late(const cusp_mpi_job *job) {
  return !job->ends && cusp_mpi_seconds() - job->came > cusp_mpi_state.timeout;
}

bool cusp_mpi_all_came(cusp_mpi_job *job) {
  int came = 0;
  if (job->message[0])
    return true;
  if (MPI_Test(&job->arrival, &came, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
    snprintf(job->message, sizeof job->message, "MPI failed while the processes came together");
    return true;
  }
  if (came && job->prints[0] != -job->prints[1])
    explain(job, "is in", "; all processes should make the same calls");
  if (came)
    return true;
  answer_questions(job);
  if (!is_late(job))
    return false;
  char problem[60];
  snprintf(problem, sizeof problem, "has waited %g seconds in", cusp_mpi_state.timeout);
  explain(job, problem, "");
  return true;
}
