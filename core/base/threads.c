#include "threads.h"

#include <omp.h>
#include <stdatomic.h>

#define MAX_THREADS 1024

static atomic_int thread_limit; /* 0: not asked yet */
static atomic_bool interrupted;
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
    return cusp_fail(CUSP_EVALUE, "the number of threads must be between 1 and %d, not %d", MAX_THREADS, count);
  atomic_store_explicit(&thread_limit, count, memory_order_relaxed);
  omp_set_num_threads(count); /* the libraries that share this OpenMP runtime follow */
  return CUSP_OK;
}

int cusp_thread_index(void) { return thread_index; }

/** Piece `index` of `pieces` nearly equal contiguous ones. */
static void run_piece(int64_t count, int64_t pieces, int64_t index, cusp_range_fn fn, void *context) {
  int64_t size = count / pieces, extra = count % pieces;
  int64_t begin = index * size + (index < extra ? index : extra);
  fn(context, begin, begin + size + (index < extra));
}

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
  if (pieces > threads)
    pieces = threads;
  if (pieces == 1) {
    fn(context, 0, count);
    return;
  }
#pragma omp parallel num_threads((int)pieces)
  {
    int team = omp_get_num_threads(); /* may be fewer than asked for */
    thread_index = omp_get_thread_num();
    in_parallel = true;
    for (int64_t piece = thread_index; piece < pieces; piece += team)
      run_piece(count, pieces, piece, fn, context);
    in_parallel = false;
    thread_index = 0;
  }
}

void cusp_interrupt(void) { atomic_store_explicit(&interrupted, true, memory_order_relaxed); }

bool cusp_interrupted(void) { return atomic_load_explicit(&interrupted, memory_order_relaxed); }

bool cusp_interrupt_take(void) { return atomic_exchange_explicit(&interrupted, false, memory_order_relaxed); }
