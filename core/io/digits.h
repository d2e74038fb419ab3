#ifndef CUSP_IO_DIGITS_H
#define CUSP_IO_DIGITS_H
/* Handwritten-looking digits drawn from strokes: data for demonstrations and tests that no one has
 * to download. */

#include "../tensor/array.h"

#define CUSP_DIGIT_SIZE 28

/**
 * Draws `count` digits: *images is uint8 [count, 28, 28], 0 the background and 255 full ink;
 * *labels is uint8 [count], 0 to 9. Both are new and yours to release. Digit i depends on (seed, i)
 * alone, whatever `count` and the number of threads. CUSP_EVALUE for a negative count; on failure
 * both are all zero.
 */
CUSP_NODISCARD cusp_status cusp_draw_digits(cusp_array *images, cusp_array *labels, int64_t count,
                                            uint64_t seed);

#endif
