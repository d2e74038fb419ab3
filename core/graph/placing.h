#ifndef CUSP_GRAPH_PLACING_H
#define CUSP_GRAPH_PLACING_H
/* Places in memory for values: in one arena for what lives within a run, by themselves for
 * results. */

#include "operands.h"
#include "plan_parts.h"

typedef struct cusp_block {
  int64_t offset, bytes;
} cusp_block;

/** Where root values are put, step by step: a first-fit list of free blocks of the arena. */
typedef struct cusp_placer {
  cusp_lowering *lowering;
  cusp_plan *plan;
  cusp_place *places; /* by value, for roots */
  int *last_use;      /* by value, for roots: the last step that reads it */
  int64_t *sizes;     /* bytes taken in the arena, by value */
  cusp_block *free_blocks;
  int n_free, free_capacity;
  int64_t in_use; /* bytes of the arena */
  int awaited;    /* of the steps that only begin something: how many have ended */
} cusp_placer;

/** Finds the last step that reads each value, and places leaves. */
CUSP_NODISCARD cusp_status cusp_find_last_uses(cusp_placer *placer);
/** Roots of outputs get memory of their own, one result slot each. */
CUSP_NODISCARD cusp_status cusp_place_results(cusp_placer *placer);
/** Places output `output` of step number `s`: in an input that dies there, or in free memory of the
 * arena. */
CUSP_NODISCARD cusp_status cusp_place_output(cusp_placer *placer, int s, const cusp_step *step,
                                             const cusp_operands *operands, int output);
/** Gives the memory of `value` back when no step after number `s` reads it. */
CUSP_NODISCARD cusp_status cusp_place_free_if_last(cusp_placer *placer, int s, int value);
/** Where a value lies that is placed, itself or as a view. */
cusp_place cusp_place_of(const cusp_placer *placer, int value);
/** Memory of the arena for a while: takes it at *offset, and gives it back. */
CUSP_NODISCARD cusp_status cusp_place_take(cusp_placer *placer, int64_t bytes, int64_t *offset);
CUSP_NODISCARD cusp_status cusp_place_give(cusp_placer *placer, int64_t offset, int64_t bytes);

#endif
