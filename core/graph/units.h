#ifndef CUSP_GRAPH_UNITS_H
#define CUSP_GRAPH_UNITS_H
/* Units and what they need of each other. */

#include "lower.h"

/** Makes a unit of one kernel call. */
CUSP_NODISCARD cusp_status cusp_unit_new(cusp_lowering *lowering, cusp_unit_kind kind,
                                         int operation, int *index);
/** The unit that `unit` has become part of. */
int cusp_unit_find(const cusp_lowering *lowering, int unit);
/** Lets `reader` run after `maker`, which must not need it. */
CUSP_NODISCARD cusp_status cusp_unit_order(cusp_lowering *lowering, int reader, int maker,
                                           bool hard);
/** Whether `reader` has a hard edge to `maker`. */
bool cusp_unit_hard_edge(const cusp_lowering *lowering, int reader, int maker);
/** Whether `unit` needs `other`, directly or through others; yes, too, where finding out takes too
 * long. */
bool cusp_unit_needs(cusp_lowering *lowering, int unit, int other);
/** The same, leaving out a direct edge. */
bool cusp_unit_needs_through_third(cusp_lowering *lowering, int unit, int other);
/** The edges of `from` become those of `into`; `from` is gone. */
void cusp_unit_absorb(cusp_lowering *lowering, int into, int from);

#endif
