/* The queue of jobs, and the threads that work at it. */
#include "native.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS = 50 };
static const double SHORT_REST = 20e-6, LONG_REST = 200e-6, /* seconds between looks */
    GRACE = 1;                                              /* seconds after an interrupt */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; /* by the monotonic clock */
static pthread_t worker;
static cusp_mpi_job *first, *last;
static uint64_t jobs;
static int waiting; /* threads that wait for a job, and work at the queue meanwhile */
static bool ends;

double cusp_mpi_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ------------------------------------------------------------------ the head of the queue */

static void leave(cusp_mpi_job *job, cusp_mpi_stage stage) {
  job->stage = stage;
  job->end = cusp_mpi_seconds();
  first = job->next;
  last = first ? last : NULL;
  cusp_mpi_state.broken |= stage == CUSP_MPI_FAILED;
  pthread_cond_broadcast(&changed);
}

static void run(cusp_mpi_job *job) {
  job->stage = CUSP_MPI_RUNNING;
  job->begin = cusp_mpi_seconds();
  pthread_mutex_unlock(&lock);
  bool done = job->run(job);
  pthread_mutex_lock(&lock);
  leave(job, done ? CUSP_MPI_DONE : CUSP_MPI_FAILED);
}

static void refuse(cusp_mpi_job *job) {
  snprintf(job->message, sizeof job->message,
           "rank %d gave up an earlier call; the job has to be started again", cusp_mpi_state.rank);
  leave(job, CUSP_MPI_FAILED);
}

/* Goes on with the job at the head; false where it cannot now. The lock is held. */
static bool advance(void) {
  cusp_mpi_job *job = first;
  if (!job || job->stage == CUSP_MPI_RUNNING)
    return false;
  if (cusp_mpi_state.broken) {
    refuse(job);
    return true;
  }
  if (job->stage == CUSP_MPI_QUEUED) {
    job->stage = CUSP_MPI_ARRIVING;
    job->came = cusp_mpi_seconds();
    cusp_mpi_arrive(job);
  }
  if (!cusp_mpi_all_came(job))
    return false;
  if (job->message[0])
    leave(job, CUSP_MPI_FAILED);
  else
    run(job);
  return true;
}

/* ------------------------------------------------------------------ resting */

static void sleep_until_changed(double seconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += (long)(seconds * 1e9);
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_cond_timedwait(&changed, &lock, &until);
}

/* Between two looks, the first of which come at once. It sleeps rather than yields: on a busy
 * machine, who yields gets its core back after all others, who sleeps before them. */
static void rest(int turns) {
  if (turns >= LOOKS || first->stage == CUSP_MPI_RUNNING)
    sleep_until_changed(turns < 100 * LOOKS ? SHORT_REST : LONG_REST);
}

/* ------------------------------------------------------------------ the thread */

/* While another thread waits, that one works; else there is time to look now and then. */
static void *work(void *unused) {
  (void)unused;
  int idle = 0;
  pthread_mutex_lock(&lock);
  while (!ends) {
    if (!first || waiting || first->stage == CUSP_MPI_RUNNING) {
      pthread_cond_wait(&changed, &lock);
      idle = 0;
    } else if (advance()) {
      idle = 0;
    } else {
      double seconds = SHORT_REST * (1 + idle++);
      sleep_until_changed(seconds < LONG_REST ? seconds : LONG_REST);
    }
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

bool cusp_mpi_open_queue(void) {
  pthread_condattr_t monotonic;
  sigset_t all, before;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool made = pthread_create(&worker, NULL, work, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return made;
}

void cusp_mpi_close_queue(void) {
  pthread_mutex_lock(&lock);
  ends = true;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(worker, NULL);
}

/* ------------------------------------------------------------------ jobs */

void cusp_mpi_submit(cusp_mpi_job *job) {
  pthread_mutex_lock(&lock);
  job->number = ++jobs;
  job->stage = CUSP_MPI_QUEUED;
  *(last ? &last->next : &first) = job;
  last = job;
  if (!waiting)
    pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static bool is_over(const cusp_mpi_job *job) {
  return job->stage == CUSP_MPI_DONE || job->stage == CUSP_MPI_FAILED;
}

/* What runs cannot be taken back: where a process was stopped in its midst, the job ends. */
static void end_if_stuck(const cusp_mpi_job *job) {
  const double limit = cusp_mpi_state.timeout + GRACE;
  if (job->stage != CUSP_MPI_RUNNING || cusp_mpi_seconds() - job->begin < limit)
    return;
  fprintf(stderr,
          "cusp: rank %d of %d: its collective call %llu, %s, has not ended in %g seconds,"
          " though all processes had come\n",
          cusp_mpi_state.rank, cusp_mpi_state.size, (unsigned long long)job->number, job->what,
          limit);
  _exit(EXIT_FAILURE);
}

/* Interrupted, it gives the others a little time, for what they have begun is not lost then. */
static bool is_given_up(double *since) {
  _Bool (*interrupted)(void) = cusp_mpi_transport()->interrupted;
  if (!interrupted || !interrupted())
    return false;
  double now = cusp_mpi_seconds();
  if (*since == 0)
    *since = now;
  return now - *since > GRACE;
}

bool cusp_mpi_wait(cusp_mpi_job *job) {
  double interrupted = 0;
  pthread_mutex_lock(&lock);
  waiting++;
  for (int turns = 0; !is_over(job);) {
    if (advance()) {
      turns = 0;
      continue;
    }
    rest(turns++);
    if (turns % 64 != 0 || is_over(job))
      continue;
    end_if_stuck(first);
    if (!job->ends && is_given_up(&interrupted) && first->stage != CUSP_MPI_RUNNING) {
      snprintf(first->message, sizeof first->message, "interrupted!");
      leave(first, CUSP_MPI_FAILED);
    }
  }
  waiting--;
  pthread_mutex_unlock(&lock);
  return job->stage == CUSP_MPI_DONE;
}
