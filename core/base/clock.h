#ifndef CUSP_BASE_CLOCK_H
#define CUSP_BASE_CLOCK_H
/* Time that only goes forward. */

double cusp_monotonic_seconds(void);

#endif
