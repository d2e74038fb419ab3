#define _GNU_SOURCE
#include "clock.h"

#include <time.h>

static int64_t read_clock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t cusp_monotonic_ns(void) { return read_clock(CLOCK_MONOTONIC); }
int64_t cusp_monotonic_coarse_ns(void) { return read_clock(CLOCK_MONOTONIC_COARSE); }
double cusp_monotonic_seconds(void) { return 1e-9 * (double)cusp_monotonic_ns(); }
