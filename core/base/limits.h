#ifndef CUSP_BASE_LIMITS_H
#define CUSP_BASE_LIMITS_H
/* How much memory there is. */

#include <stdint.h>

/** The bytes that this process may have: of the machine, of its control group or of its address
 * space, whichever are fewest. */
uint64_t cusp_memory_limit(void);

#endif
