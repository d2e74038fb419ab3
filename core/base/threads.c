#define _GNU_SOURCE
#include "threads.h"

#include "subnormals.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

#define MAX_THREADS 1024

static atomic_int thread_limit; /* 0: not asked yet */
static atomic_bool interrupted;
static atomic_bool team_started;
static atomic_int forks;
static _Thread_local int thread_index;
static _Thread_local bool in_parallel;

int cusp_get_num_threads(void) {
  int limit = atomic_load_explicit(&thread_limit, memory_order_relaxed);
  if (limit == 0) { /* OpenMP has read OMP_NUM_THREADS and the CPUs this process may run on */
    limit = omp_get_max_threads();
    limit = limit < 1 ? 1 : limit > MAX_THREADS ? MAX_THREADS : limit;
    atomic_store_explicit(&thread_limit, limit, memory_order_relaxed);
  }
  return limit;
}

cusp_status cusp_set_num_threads(int count) {
  if (count < 1 || count > MAX_THREADS)
    return cusp_fail(CUSP_EVALUE, "the number of threads should be between 1 and %d, got %d",
                     MAX_THREADS, count);
  atomic_store_explicit(&thread_limit, count, memory_order_relaxed);
  omp_set_num_threads(count); /* the libraries that share this OpenMP runtime follow */
  return CUSP_OK;
}

int cusp_thread_index(void) { return thread_index; }

/** Piece `index` of `pieces` nearly equal contiguous ones. */
static void run_piece(int64_t count, int64_t pieces, int64_t index, cusp_range_fn fn,
                      void *context) {
  int64_t size = count / pieces, extra = count % pieces;
  int64_t begin = index * size + (index < extra ? index : extra);
  fn(context, begin, begin + size + (index < extra));
}

/* ------------------------------------------------------------------ busy machines */

/*
 * Threads that start and end together some ten thousand times a second need a core each. Where
 * other programs run on the cores, each of these meetings waits for the thread that was put aside,
 * and a step on two threads takes four times as long as on one. So the threads' involuntary
 * switches are counted, and how much of the time the calling thread runs: while there are many and
 * it waits, fewer threads share the pieces, and from time to time more are tried again. The pieces
 * stay the same, and with them the results.
 */
#define WATCH_NS 50000000LL /* how long switches are counted */
#define MANY_SWITCHES 4     /* in that time */
/* of the time, the calling thread runs where nobody is in its way; it spins before it sleeps */
#define USUAL_PERCENT 93
#define SHORT_NS 200000000LL
#define LONG_NS 3200000000LL

static struct {
  atomic_int resting; /* threads that are not used now */
  atomic_llong until; /* when to look again */
  atomic_flag looking;
  bool watching;  /* the time until then is one of counting */
  long long hold; /* how long to leave threads resting the next time */
  long switches;  /* at the last look, as are: */
  long long looked, worked;
} crowd = {.looking = ATOMIC_FLAG_INIT, .hold = SHORT_NS};

static long long read_clock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/** Lets some more threads rest, or some fewer, and says when to look again. */
static void look_around(long long now, int threads) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0)
    return;
  int step = threads > 4 ? threads / 4 : 1;
  int resting = atomic_load_explicit(&crowd.resting, memory_order_relaxed);
  bool in_time = now - atomic_load_explicit(&crowd.until, memory_order_relaxed) < WATCH_NS;
  long long looked = read_clock(CLOCK_MONOTONIC), worked = read_clock(CLOCK_THREAD_CPUTIME_ID);
  bool waited = worked - crowd.worked < (looked - crowd.looked) / 100 * USUAL_PERCENT;
  bool crowded =
      crowd.watching && in_time && waited && usage.ru_nivcsw - crowd.switches >= MANY_SWITCHES;
  crowd.switches = usage.ru_nivcsw;
  crowd.looked = looked;
  crowd.worked = worked;
  /* one thread meets nobody: there is nothing to count */
  crowd.watching = !(crowded && resting + step >= threads - 1);
  if (crowded) {
    resting = resting + step < threads - 1 ? resting + step : threads - 1;
  } else if (resting > 0) {
    resting = resting > step ? resting - step : 0;
  } else {
    crowd.hold = SHORT_NS;
  }
  atomic_store_explicit(&crowd.resting, resting, memory_order_relaxed);
  atomic_store_explicit(&crowd.until, now + (crowd.watching ? WATCH_NS : crowd.hold),
                        memory_order_relaxed);
  if (!crowd.watching && crowd.hold < LONG_NS)
    crowd.hold *= 2;
}

/** How many of the threads to use now. */
static int useful_threads(int threads) {
  long long now = read_clock(CLOCK_MONOTONIC_COARSE);
  if (now >= atomic_load_explicit(&crowd.until, memory_order_relaxed) &&
      !atomic_flag_test_and_set(&crowd.looking)) {
    look_around(now, threads);
    atomic_flag_clear(&crowd.looking);
  }
  int useful = threads - atomic_load_explicit(&crowd.resting, memory_order_relaxed);
  return useful > 1 ? useful : 1;
}

static void run_pieces(int64_t count, int64_t pieces, int64_t first, int64_t step, cusp_range_fn fn,
                       void *context) {
  for (int64_t piece = first; piece < pieces; piece += step)
    run_piece(count, pieces, piece, fn, context);
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
  if (grain < 1)
    grain = 1;
  int64_t pieces = count / grain;
  if (pieces <= 1 || in_parallel || omp_in_parallel()) {
    fn(context, 0, count);
    return;
  }
  int threads = cusp_get_num_threads();
  if (threads > 1)
    cusp_threads_started();
  if (pieces > threads)
    pieces = threads;
  if (pieces == 1) {
    fn(context, 0, count);
    return;
  }
  int team = useful_threads(threads);
  if (team == 1) { /* in the same pieces as ever: results must not depend on who is busy */
    in_parallel = true;
    run_pieces(count, pieces, 0, 1, fn, context);
    in_parallel = false;
    return;
  }
  uint32_t mode = cusp_arithmetic_mode();
#pragma omp parallel num_threads((int)(pieces < team ? pieces : team))
  {
    uint32_t own = cusp_arithmetic_mode();
    cusp_set_arithmetic_mode(mode); /* results must not depend on which thread has a piece */
    thread_index = omp_get_thread_num();
    in_parallel = true;
    /* there may be fewer than asked for */
    run_pieces(count, pieces, thread_index, omp_get_num_threads(), fn, context);
    in_parallel = false;
    thread_index = 0;
    cusp_set_arithmetic_mode(own);
  }
}

void cusp_interrupt(void) { atomic_store_explicit(&interrupted, true, memory_order_relaxed); }

bool cusp_interrupted(void) { return atomic_load_explicit(&interrupted, memory_order_relaxed); }

bool cusp_interrupt_take(void) {
  return atomic_exchange_explicit(&interrupted, false, memory_order_relaxed);
}
