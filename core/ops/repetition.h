#ifndef CUSP_OPS_REPETITION_H
#define CUSP_OPS_REPETITION_H
/* Repetition, built for compositions as build.h does. */

#include "../node/build.h"

/** An axis so many times: each element in turn, or the whole. */
cusp_node *cusp_repeat_axis(cusp_node *x, int axis, int64_t times, bool each_element);

#endif
