#ifndef CUSP_OPS_COLLECTIVE_H
#define CUSP_OPS_COLLECTIVE_H
/* What the rows share whose numbers travel between processes. */

#include "../base/transport.h"
#include "../tensor/dtype.h"

/** How the numbers of a dtype travel. */
cusp_transport_type cusp_transport_type_of(cusp_dtype dtype);

#endif
