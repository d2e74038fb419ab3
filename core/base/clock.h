#ifndef CUSP_BASE_CLOCK_H
#define CUSP_BASE_CLOCK_H
/* Time that only goes forward. */

#include <stdint.h>

double cusp_monotonic_seconds(void);
int64_t cusp_monotonic_ns(void);
/** The same to some milliseconds, in less time. */
int64_t cusp_monotonic_coarse_ns(void);

#endif
