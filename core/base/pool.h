#ifndef CUSP_BASE_POOL_H
#define CUSP_BASE_POOL_H
/*
 * Threads that wait for work, and how a job's pieces come to them. Each thread has a piece of its
 * own, so that what it left in its cache is there for the next job; a thread that is done takes
 * those of threads that have not come.
 */

#include "threads.h"

/** The pieces of a job: nearly equal contiguous parts of the range [0, count). */
typedef struct cusp_pool_job {
  cusp_range_fn fn;
  void *context;
  int64_t count;
  int pieces; /* 1 to CUSP_MOST_THREADS */
} cusp_pool_job;

/**
 * Does a job on the calling thread and at most `team` - 1 others, which are started when first
 * needed; where they cannot be, or all work for another caller, on fewer.
 * @return how many nanoseconds the caller waited for others, beyond the time of its own pieces
 */
int64_t cusp_pool_run(const cusp_pool_job *job, int team);

/** Whether the calling thread works on a piece. */
bool cusp_pool_working(void);

#endif
