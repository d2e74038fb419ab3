#include "threads.h"

#include "crowd.h"
#include "pool.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_int thread_limit; /* 0: not asked yet */
static atomic_bool interrupted;
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
  return CUSP_OK;
}

/* ------------------------------------------------------------------ forks */

static void enter_child(void) { atomic_fetch_add(&forks, 1); }

__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(NULL, NULL, enter_child);
}

int cusp_fork_count(void) { return atomic_load_explicit(&forks, memory_order_relaxed); }

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
  const cusp_pool_job job = {fn, context, count, (int)(pieces < threads ? pieces : threads)};
  const int64_t late = cusp_pool_run(&job, job.pieces > 1 ? cusp_crowd_threads(threads) : 1);
  if (late > 0)
    cusp_crowd_note(late, threads);
}

void cusp_interrupt(void) { atomic_store_explicit(&interrupted, true, memory_order_relaxed); }

bool cusp_interrupted(void) { return atomic_load_explicit(&interrupted, memory_order_relaxed); }

bool cusp_interrupt_take(void) {
  return atomic_exchange_explicit(&interrupted, false, memory_order_relaxed);
}
