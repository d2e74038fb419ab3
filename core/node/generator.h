#ifndef CUSP_NODE_GENERATOR_H
#define CUSP_NODE_GENERATOR_H
/* Streams of random keys. */

#include "variable.h"

/** A stream of random keys: (seed, draw); each cusp_generator_next gives a fresh key node, and in a
 * trace advances the variable inside the plan. */
typedef struct cusp_generator cusp_generator;
CUSP_NODISCARD cusp_status cusp_generator_new(cusp_generator **out, uint64_t seed);
void cusp_generator_free(cusp_generator *generator);
CUSP_NODISCARD cusp_status cusp_generator_seed(cusp_generator *generator, uint64_t seed);
/* new reference, uint64[2] */
CUSP_NODISCARD cusp_status cusp_generator_next(cusp_node **key, cusp_generator *generator);
/* lent; for saving and restoring */
cusp_variable *cusp_generator_state(cusp_generator *generator);

#endif
