#include "crowd.h"

#include "clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

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
  atomic_int resting;    /* threads that are not used now */
  _Atomic int64_t until; /* when to try more */
  atomic_flag looking;
  int64_t late, noted, rest; /* late: at the time of noted; rest: how long the next one is */
} crowd = {.looking = ATOMIC_FLAG_INIT, .rest = SHORT_REST};

static void set_resting(int resting, int64_t until) {
  atomic_store_explicit(&crowd.until, until, memory_order_relaxed);
  atomic_store_explicit(&crowd.resting, resting, memory_order_relaxed);
}

static int step_of(int threads) { return threads > 4 ? threads / 4 : 1; }

/** Of several callers at once, one is heard. */
static bool look_up(void) { return !atomic_flag_test_and_set(&crowd.looking); }

static void rest_some(int64_t now, int threads) {
  const int resting = atomic_load(&crowd.resting) + step_of(threads);
  set_resting(resting < threads ? resting : threads - 1, now + crowd.rest);
  crowd.rest = crowd.rest < LONG_REST ? 2 * crowd.rest : LONG_REST;
  crowd.late = 0;
}

void cusp_crowd_note(int64_t late, int threads) {
  if (!look_up())
    return;
  const int64_t now = cusp_monotonic_ns(), forgiven = (now - crowd.noted) / PART;
  crowd.late = (crowd.late > forgiven ? crowd.late - forgiven : 0) + late;
  crowd.noted = now;
  if (crowd.late >= PATIENCE)
    rest_some(now, threads);
  atomic_flag_clear(&crowd.looking);
}

static void try_more(int64_t now, int threads) {
  const int resting = atomic_load(&crowd.resting) - step_of(threads);
  if (resting + step_of(threads) <= 0)
    crowd.rest = SHORT_REST;
  set_resting(resting > 0 ? resting : 0, now + TRIAL);
}

int cusp_crowd_threads(int threads) {
  const int64_t now = cusp_monotonic_coarse_ns();
  if (now >= atomic_load_explicit(&crowd.until, memory_order_relaxed) && look_up()) {
    try_more(now, threads);
    atomic_flag_clear(&crowd.looking);
  }
  const int useful = threads - atomic_load_explicit(&crowd.resting, memory_order_relaxed);
  return useful > 1 ? useful : 1;
}

static void enter_child(void) { atomic_flag_clear(&crowd.looking); }

__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(NULL, NULL, enter_child);
}
