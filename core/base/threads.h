#ifndef CUSP_BASE_THREADS_H
#define CUSP_BASE_THREADS_H
/* The one place where threads share work. Kernels are serial functions over a range. */

#include "status.h"

#include <stdbool.h>
#include <stdint.h>

#define CUSP_MOST_THREADS 1024

/** Works on the elements begin <= i < end of a range. Runs on several threads at once. */
typedef void (*cusp_range_fn)(void *context, int64_t begin, int64_t end);

/**
 * Calls `fn` over [0, count) in contiguous pieces of at least `grain` elements, one piece a thread.
 * With count <= grain, one thread, or from inside another cusp_parallel_for, it is one direct call:
 * choose `grain` so that a piece costs about 5 us or more (waking a thread costs 1 to
 * 2). */
void cusp_parallel_for(int64_t count, int64_t grain, cusp_range_fn fn, void *context);

/** Threads that cusp_parallel_for may use; at first the number of CPUs this process may run on, or
 * OMP_NUM_THREADS. */
int cusp_get_num_threads(void);
/** 1 <= count <= 1024, otherwise CUSP_EVALUE. */
CUSP_NODISCARD cusp_status cusp_set_num_threads(int count);

/** How often this process came out of a fork; its parent's threads, but for the one that forked,
 * are missing here. */
int cusp_fork_count(void);

/** Ctrl-C: cusp_interrupt is async-signal-safe; long loops poll cusp_interrupted;
 * cusp_interrupt_take reads and clears. */
void cusp_interrupt(void);
bool cusp_interrupted(void);
bool cusp_interrupt_take(void);

#endif
