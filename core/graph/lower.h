#ifndef CUSP_GRAPH_LOWER_H
#define CUSP_GRAPH_LOWER_H
/*
 * Lowering, the stages between a rewritten graph and a plan: layout (views resolved, kernels
 * chosen, copies inserted), grouping (elementwise work into fused units), scheduling (order,
 * updates in place), placing (memory).
 */

#include "../kernels/fused.h"
#include "graph.h"
#include "plan.h"

typedef enum cusp_unit_kind { CUSP_UNIT_FUSED, CUSP_UNIT_CALL } cusp_unit_kind;

/** `reader` runs after `maker`; both may have been merged into others since (cusp_unit_find). */
typedef struct cusp_edge {
  int reader, maker;
  /* what is read is no register of a common loop (a view, a reduction, a call) */
  bool hard;
  /* in the reader's list of makers, in the maker's list of readers; 0: the end */
  int next_maker, next_reader;
} cusp_edge;

typedef struct cusp_edges {
  int first, last; /* 0: none */
} cusp_edges;

/** What becomes one step. */
typedef struct cusp_unit {
  cusp_unit_kind kind;
  bool gone; /* merged into another unit: */
  int merged_into;
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
  int begins;     /* which of the calls that only begin something, from 1; 0: none */
  /* dependencies: */
  cusp_edges makers, readers;
  int level;  /* above the levels of the makers */
  int search; /* the last search that came by */
  bool waits; /* its readers' levels are to be looked at */
} cusp_unit;

/** Where a value lives. */
typedef struct cusp_location {
  /* shape, strides; data is CUSP_FAKE_BASE + offset in bytes into the root's memory */
  cusp_array array;
  int root; /* the value that owns the memory: itself, or what it is a view of */
  int unit; /* of computed values: the unit that makes it; -1: a leaf, or a view */
  bool view;
} cusp_location;

/* Stands for a root's memory, which is not known yet: views are computed on pointers. */
#define CUSP_FAKE_BASE ((uintptr_t)1 << 40)

typedef struct cusp_lowering {
  cusp_graph *graph;
  const cusp_plan_options *options;
  cusp_location *locations; /* by value */
  int n_locations, locations_capacity;
  cusp_unit *units;
  int n_units, units_capacity;
  /* the graph's outputs, replaced by copies where they need memory of their own */
  int *outputs;
  cusp_edge *edges; /* from the second on */
  int n_edges, edges_capacity;
  int *waiting; /* units to come to in a search, room for all */
  int waiting_capacity;
  int searches; /* begun so far */
  int *steps;   /* units in order of running */
  int n_steps;
  bool *overwrites;    /* by output */
  int last_collective; /* the unit of the latest one, plus 1; 0: none so far */
  int n_begun;         /* calls that only begin something */
} cusp_lowering;

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

#endif
