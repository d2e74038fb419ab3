#ifndef CUSP_BASE_CROWD_H
#define CUSP_BASE_CROWD_H
/* How many threads are worth using beside the other programs of a busy machine. */

#include <stdint.h>

/** Of `threads`, how many to use now. */
int cusp_crowd_threads(int threads);
/** Says that a job's caller waited `late` nanoseconds for others, beyond the time of its own
 * work. */
void cusp_crowd_note(int64_t late, int threads);

#endif
