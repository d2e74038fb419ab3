#define _GNU_SOURCE
#include "threads.h"

#include "pool.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static atomic_int thread_limit; /* 0: not asked yet */
static atomic_bool interrupted;
static atomic_bool team_started;
static atomic_int forks;

int cusp_get_num_threads(void) {
  int limit = atomic_load_explicit(&thread_limit, memory_order_relaxed);
  if (limit == 0) { /* OpenMP has read OMP_NUM_THREADS and the CPUs this process may run on */
    limit = omp_get_max_threads();
    limit = limit < 1 ? 1 : limit > CUSP_MOST_THREADS ? CUSP_MOST_THREADS : limit;
    atomic_store_explicit(&thread_limit, limit, memory_order_relaxed);
  }
  return limit;
}

cusp_status cusp_set_num_threads(int count) {
  if (count < 1 || count > CUSP_MOST_THREADS)
    return cusp_fail(CUSP_EVALUE, "the number of threads should be between 1 and %d, got %d",
                     CUSP_MOST_THREADS, count);
  atomic_store_explicit(&thread_limit, count, memory_order_relaxed);
  omp_set_num_threads(count); /* the libraries that share this OpenMP runtime follow */
  return CUSP_OK;
}

/* ------------------------------------------------------------------ busy machines */

/*
 * Threads that start and end together some ten thousand times a second need a core each. Where
 * other programs run on the cores, each of these meetings waits for the thread that was put aside,
 * and two threads take longer than one. So the time is added up for which the caller waited for
 * others longer than it worked: where it is more than a part of all time, fewer threads share the
 * pieces, and from time to time more are tried again. The pieces stay the same, and with them the
 * results.
 */
#define PART 4             /* one in so many nanoseconds may be late */
#define PATIENCE 4000000LL /* nanoseconds; those that are late beyond it count */
#define TRIAL 50000000LL   /* how long more threads are tried */
#define SHORT_REST 200000000LL
#define LONG_REST 3200000000LL

static struct {
  atomic_int resting; /* threads that are not used now */
  atomic_llong until; /* when to try more */
  atomic_flag looking;
  long long late, noted, rest; /* late: at the time of noted; rest: how long the next one is */
} crowd = {.looking = ATOMIC_FLAG_INIT, .rest = SHORT_REST};

static long long read_clock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void set_resting(int resting, long long until) {
  atomic_store_explicit(&crowd.until, until, memory_order_relaxed);
  atomic_store_explicit(&crowd.resting, resting, memory_order_relaxed);
}

static int step_of(int threads) { return threads > 4 ? threads / 4 : 1; }

static void note_late(long long late, int threads) {
  const long long now = read_clock(CLOCK_MONOTONIC), forgiven = (now - crowd.noted) / PART;
  crowd.late = (crowd.late > forgiven ? crowd.late - forgiven : 0) + late;
  crowd.noted = now;
  if (crowd.late < PATIENCE)
    return;
  const int resting = atomic_load(&crowd.resting) + step_of(threads);
  set_resting(resting < threads ? resting : threads - 1, now + crowd.rest);
  crowd.rest = crowd.rest < LONG_REST ? 2 * crowd.rest : LONG_REST;
  crowd.late = 0;
}

static void try_more(long long now, int threads) {
  const int resting = atomic_load(&crowd.resting) - step_of(threads);
  if (resting + step_of(threads) <= 0)
    crowd.rest = SHORT_REST;
  set_resting(resting > 0 ? resting : 0, now + TRIAL);
}

/** How many of the threads to use now. */
static int useful_threads(int threads) {
  const long long now = read_clock(CLOCK_MONOTONIC_COARSE);
  if (now >= atomic_load_explicit(&crowd.until, memory_order_relaxed) &&
      !atomic_flag_test_and_set(&crowd.looking)) {
    try_more(now, threads);
    atomic_flag_clear(&crowd.looking);
  }
  const int useful = threads - atomic_load_explicit(&crowd.resting, memory_order_relaxed);
  return useful > 1 ? useful : 1;
}

/* ------------------------------------------------------------------ forks */

/* OpenMP keeps the threads of a team for the next. A child would wait for them for ever: they are
 * sent home, new ones come on demand. */
static void leave_team(void) {
  if (atomic_load(&team_started))
    omp_pause_resource(omp_pause_hard, omp_get_initial_device());
}

static void enter_child(void) {
  atomic_fetch_add(&forks, 1);
  atomic_flag_clear(&crowd.looking);
}

__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(leave_team, NULL, enter_child);
}

int cusp_fork_count(void) { return atomic_load_explicit(&forks, memory_order_relaxed); }

void cusp_threads_started(void) {
  atomic_store_explicit(&team_started, true, memory_order_relaxed);
}

/* ------------------------------------------------------------------ loops */

void cusp_parallel_for(int64_t count, int64_t grain, cusp_range_fn fn, void *context) {
  if (count <= 0)
    return;
  int64_t pieces = count / (grain > 1 ? grain : 1);
  if (pieces <= 1 || cusp_pool_working()) {
    fn(context, 0, count);
    return;
  }
  const int threads = cusp_get_num_threads();
  if (pieces > threads)
    pieces = threads;
  const cusp_pool_job job = {fn, context, count, (int)pieces};
  const long long late = cusp_pool_run(&job, pieces > 1 ? useful_threads(threads) : 1);
  if (late > 0)
    note_late(late, threads);
}

void cusp_interrupt(void) { atomic_store_explicit(&interrupted, true, memory_order_relaxed); }

bool cusp_interrupted(void) { return atomic_load_explicit(&interrupted, memory_order_relaxed); }

bool cusp_interrupt_take(void) {
  return atomic_exchange_explicit(&interrupted, false, memory_order_relaxed);
}
