#ifndef CUSP_GRAPH_WORK_H
#define CUSP_GRAPH_WORK_H
/* What a call has to do at least: floating point operations, and bytes of memory. */

#include "../node/op.h"

/** Bytes of the elements of an array, each counted once however often it is repeated. */
double cusp_bytes_of(const cusp_array *array);
double cusp_bytes_of_call(const cusp_call *call);
double cusp_work_of_call(const cusp_call *call);

#endif
