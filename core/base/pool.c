#define _GNU_SOURCE
#include "pool.h"

#include "clock.h"
#include "subnormals.h"

#include <limits.h>
#include <linux/futex.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ------------------------------------------------------------------ waiting */

/* How long a thread looks for its turn before it sleeps: waking takes ten times as long as looking,
 * but on a busy machine somebody else could use the core. */
#define PATIENCE 40000LL /* nanoseconds */
#define LOOKS 64         /* between two readings of the clock */

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/** Looks whether `is_there(context)` for a while. */
static bool look_for(bool (*is_there)(void *context), void *context) {
  const int64_t end = cusp_monotonic_ns() + PATIENCE;
  do {
    for (int i = 0; i < LOOKS; i++) {
      if (is_there(context))
        return true;
      relax();
    }
  } while (cusp_monotonic_ns() < end);
  return false;
}

/** A bed: 1 while a thread sleeps in it. */
typedef atomic_int bed;

static void sleep_in(bed *place) {
  syscall(SYS_futex, place, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
}

static void wake(bed *place) {
  if (atomic_load(place) && atomic_exchange(place, 0))
    syscall(SYS_futex, place, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ------------------------------------------------------------------ the pool */

#define LINE 64 /* of a cache: who looks at one word should not wait for who writes another */

static struct {
  /* The number of the job, the threads that may work on it, its pieces (42, 11 and 11 bits). */
  _Alignas(LINE) _Atomic uint64_t posted;
  cusp_pool_job job;
  uint32_t arithmetic; /* the caller's mode: results must not depend on who has a piece */
  atomic_flag taken;   /* by a caller */
  int workers;         /* that run */
  _Alignas(LINE) atomic_int unfinished;
  bed caller;
  /* of each piece, the last job of which a thread took it */
  _Alignas(LINE) _Atomic uint64_t claims[CUSP_MOST_THREADS];
  bed beds[CUSP_MOST_THREADS];
} pool = {.taken = ATOMIC_FLAG_INIT};

static _Thread_local int thread_index;
static _Thread_local bool working;

static uint64_t number_of(uint64_t posted) { return posted >> 22; }
static int team_of(uint64_t posted) { return (int)(posted >> 11 & 0x7ff); }
static int pieces_of(uint64_t posted) { return (int)(posted & 0x7ff); }

bool cusp_pool_working(void) { return working; }

static void run_piece(const cusp_pool_job *job, int index) {
  const int64_t size = job->count / job->pieces, extra = job->count % job->pieces;
  const int64_t begin = index * size + (index < extra ? index : extra);
  job->fn(job->context, begin, begin + size + (index < extra));
}

/** Takes a piece for a job that may be over: numbers only grow, and of a job that is over all
 * pieces have been taken. */
static bool claim(int piece, uint64_t number) {
  uint64_t last = atomic_load_explicit(&pool.claims[piece], memory_order_relaxed);
  return last < number && atomic_compare_exchange_strong(&pool.claims[piece], &last, number);
}

/** Runs what nobody has taken, the own piece first. */
static void run_pieces(uint64_t posted) {
  const int pieces = pieces_of(posted);
  for (int i = 0, piece = thread_index % pieces; i < pieces; i++) {
    if (claim(piece, number_of(posted))) {
      cusp_set_arithmetic_mode(pool.arithmetic);
      run_piece(&pool.job, piece);
      if (atomic_fetch_sub(&pool.unfinished, 1) == 1 && thread_index > 0)
        wake(&pool.caller);
    }
    piece = piece + 1 < pieces ? piece + 1 : 0;
  }
}

/* ------------------------------------------------------------------ workers */

/** Who waits for a job, and the last that it saw. */
typedef struct watcher {
  int worker;
  uint64_t posted;
} watcher;

static bool sees_job(void *context) {
  watcher *w = context;
  const uint64_t posted = atomic_load(&pool.posted);
  if (number_of(posted) == number_of(w->posted) || w->worker >= team_of(posted))
    return false;
  w->posted = posted;
  return true;
}

static void await_job(watcher *w) {
  bed *own = &pool.beds[w->worker];
  bool seen = look_for(sees_job, w);
  while (!seen) {
    atomic_store(own, 1);
    seen = sees_job(w);
    if (!seen)
      sleep_in(own);
    atomic_store(own, 0);
  }
}

static void *work(void *index) {
  watcher self = {.worker = (int)(intptr_t)index};
  thread_index = self.worker;
  working = true;
  omp_set_num_threads(1); /* for the libraries that a piece calls */
  for (;;) {
    await_job(&self);
    run_pieces(self.posted);
  }
  return NULL;
}

/** Signals are for the program's own threads. */
static bool start_worker(int index) {
  sigset_t all, before;
  pthread_attr_t attributes;
  pthread_t thread;
  sigfillset(&all);
  if (pthread_attr_init(&attributes) != 0)
    return false;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int failure = pthread_create(&thread, &attributes, work, (void *)(intptr_t)index);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return failure == 0;
}

/** @return how many threads of a team there are */
static int start_workers(int team) {
  while (pool.workers + 1 < team && start_worker(pool.workers + 1))
    pool.workers++;
  return team <= pool.workers ? team : pool.workers + 1;
}

/* A child of a fork has none of the workers, and the job that they may have had is its parent's. */
static void forget_workers(void) {
  pool.workers = 0;
  atomic_store(&pool.caller, 0);
  for (int i = 0; i < CUSP_MOST_THREADS; i++)
    atomic_store(&pool.beds[i], 0);
  atomic_flag_clear(&pool.taken);
}

__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(NULL, NULL, forget_workers);
}

/* ------------------------------------------------------------------ callers */

static bool all_is_done(void *context) {
  (void)context;
  return atomic_load(&pool.unfinished) == 0;
}

static void await_others(void) {
  bool done = look_for(all_is_done, NULL);
  while (!done) {
    atomic_store(&pool.caller, 1);
    done = all_is_done(NULL);
    if (!done)
      sleep_in(&pool.caller);
    atomic_store(&pool.caller, 0);
  }
}

static uint64_t post(const cusp_pool_job *job, int team) {
  const uint64_t number = number_of(atomic_load(&pool.posted)) + 1;
  const uint64_t posted = number << 22 | (uint64_t)team << 11 | (uint64_t)job->pieces;
  pool.job = *job;
  pool.arithmetic = cusp_arithmetic_mode();
  atomic_store(&pool.unfinished, job->pieces);
  atomic_store(&pool.posted, posted);
  for (int worker = 1; worker < team; worker++)
    wake(&pool.beds[worker]);
  return posted;
}

static void run_alone(const cusp_pool_job *job) {
  for (int piece = 0; piece < job->pieces; piece++)
    run_piece(job, piece);
}

/** @return how long the caller waited beyond the time of its own pieces */
static int64_t run_together(const cusp_pool_job *job, int team) {
  const int64_t begun = cusp_monotonic_ns();
  run_pieces(post(job, team));
  if (all_is_done(NULL))
    return 0;
  const int64_t done = cusp_monotonic_ns();
  await_others();
  const int64_t late = cusp_monotonic_ns() - done - (done - begun);
  return late > 0 ? late : 0;
}

int64_t cusp_pool_run(const cusp_pool_job *job, int team) {
  int64_t late = 0;
  working = true;
  if (team <= 1 || job->pieces <= 1 || atomic_flag_test_and_set(&pool.taken)) {
    run_alone(job);
  } else {
    team = start_workers(team < job->pieces ? team : job->pieces);
    late = run_together(job, team);
    atomic_flag_clear(&pool.taken);
  }
  working = false;
  return late;
}
