#ifndef CUSP_GRAPH_LOWER_H
#define CUSP_GRAPH_LOWER_H
/*
 * Lowering, the stages between a rewritten graph and a plan: layout (views resolved, kernels chosen, copies inserted),
 * grouping (elementwise work into fused units), scheduling (order, updates in place), placing (memory).
 */

#include "../kernels/fused.h"
#include "graph.h"
#include "plan.h"

typedef enum cusp_unit_kind { CUSP_UNIT_FUSED, CUSP_UNIT_CALL } cusp_unit_kind;

/** What becomes one step. */
typedef struct cusp_unit {
  cusp_unit_kind kind;
  bool gone;    /* merged into another unit */
  int *members; /* operations: several for FUSED, one for CALL */
  int n_members, members_capacity;
  /* FUSED: */
  cusp_shape shape;     /* the iteration space */
  int n_inputs, n_open; /* bounds: distinct inputs at most; values with users outside */
  bool reduces;
  bool reduced_axis[CUSP_MAX_DIMS];
  /* CALL: */
  const cusp_kernel *kernel;
  cusp_call call; /* arrays in the arena of the lowering; state owned */
  /* dependencies, bitsets over units: */
  uint64_t *needs;  /* transitive */
  uint64_t *direct; /* the edges themselves */
  uint64_t *hard;   /* those edges that are no register of a common loop (views, reductions, calls) */
} cusp_unit;

/** Where a value lives. */
typedef struct cusp_location {
  cusp_array array; /* shape, strides; data is CUSP_FAKE_BASE + offset in bytes into the root's memory */
  int root;         /* the value that owns the memory: itself, or what it is a view of */
  int unit;         /* of computed values: the unit that makes it; -1: a leaf, or a view */
  bool view;
} cusp_location;

#define CUSP_FAKE_BASE ((uintptr_t)1 << 40)

typedef struct cusp_lowering {
  cusp_graph *graph;
  const cusp_plan_options *options;
  cusp_location *locations; /* by value */
  int n_locations, locations_capacity;
  cusp_unit *units;
  int n_units, units_capacity;
  int *outputs; /* the graph's outputs, replaced by copies where they need memory of their own */
  int words;    /* of a bitset */
  int *steps;   /* units in order of running */
  int n_steps;
  bool *overwrites; /* by output */
} cusp_lowering;

CUSP_NODISCARD cusp_status cusp_lower_layout(cusp_lowering *lowering);
CUSP_NODISCARD cusp_status cusp_lower_schedule(cusp_lowering *lowering);
void cusp_lowering_free(cusp_lowering *lowering);

/* between layout.c and group.c */
/** Puts an elementwise operation or a reduction (its inputs located) into a unit. */
CUSP_NODISCARD cusp_status cusp_group_add(cusp_lowering *lowering, int operation);
/** Makes a unit of one kernel call. */
CUSP_NODISCARD cusp_status cusp_unit_new(cusp_lowering *lowering, cusp_unit_kind kind, int operation, int *index);
/** Enters the edges from `unit` to the units that make the values of `operation`'s inputs. */
void cusp_unit_connect(cusp_lowering *lowering, int unit, int operation);

static inline bool cusp_bit(const uint64_t *bits, int i) { return bits[i >> 6] >> (i & 63) & 1; }
static inline void cusp_set_bit(uint64_t *bits, int i) { bits[i >> 6] |= (uint64_t)1 << (i & 63); }
/** The unit that makes the memory of `value`; -1 for leaves. */
static inline int cusp_unit_of(const cusp_lowering *lowering, int value) {
  return lowering->locations[lowering->locations[value].root].unit;
}
static inline int64_t cusp_location_offset(const cusp_location *location) {
  return (int64_t)((uintptr_t)location->array.data - CUSP_FAKE_BASE);
}
/** Whether output `output` needs memory that it shares with no other value. */
static inline bool cusp_output_is_own(const cusp_lowering *lowering, int output) {
  const cusp_plan_options *options = lowering->options;
  return options->own_outputs || (options->replaces && options->replaces[output] >= 0);
}
/** Whether a location is all of its root's memory in row-major order. */
bool cusp_location_is_whole(const cusp_lowering *lowering, int value);

#endif
