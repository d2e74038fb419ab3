#ifndef CUSP_GRAPH_PLAN_PARTS_H
#define CUSP_GRAPH_PLAN_PARTS_H
/* What a plan consists of: shared by the files that make, run and print plans. */

#include "../kernels/fused.h"
#include "plan.h"
#include "scratch.h"

/** A place: memory `slot` (0: the arena, then leaves, then results) at an offset in bytes. */
typedef struct cusp_place {
  int slot;
  int64_t offset;
} cusp_place;

/** One of the operations that a fused step does. */
typedef struct cusp_part {
  const cusp_op *op;
  cusp_origin origin;
} cusp_part;

/** What a profile says of a fused step, whose graph is gone when it runs. */
typedef struct cusp_facts {
  cusp_part *parts;
  int n_parts;
  cusp_shape shape; /* the iteration space */
  cusp_dtype dtype;
  double work, bytes;
} cusp_facts;

typedef struct cusp_step {
  cusp_fused *fused; /* or a call: */
  const cusp_kernel *kernel;
  cusp_call call;
  int n_inputs, n_outputs;
  bool empty; /* no result has an element */
  int awaits; /* how many of the steps that only begin something have to have ended before it */
  cusp_place *inputs, *outputs;
  cusp_place workspace;
  const char *name;
  cusp_origin origin;
  const cusp_facts *facts; /* of a fused step */
  int64_t arena_in_use;    /* bytes, while it runs */
} cusp_step;

typedef struct cusp_plan_output {
  cusp_array array; /* shape and strides */
  cusp_place where;
  bool overwrites, own;
} cusp_plan_output;

/** An input of a step that keeps what it makes of a leaf which rarely changes. */
typedef struct cusp_keeper {
  int step, input, leaf;
} cusp_keeper;

struct cusp_plan {
  cusp_arena memory; /* holds the lists below */
  int n_leaves, n_results, n_outputs, n_steps;
  int *begun, n_begun;   /* steps that only begin something, in their order, */
  int n_running;         /* those that have run, */
  int n_ended;           /* and those that have ended too */
  cusp_array *constants; /* by leaf; data NULL: not a constant */
  size_t *result_bytes;  /* by result slot */
  cusp_plan_output *outputs;
  cusp_step *steps;
  cusp_keeper *keepers;
  int n_keepers;
  void **bases;         /* by slot */
  void **operands;      /* scratch for fused steps' pointers */
  cusp_storage **fresh; /* by result, during a run */
  size_t arena_bytes;
  void *arena; /* borrowed for a run, or */
  void *kept;  /* its own: see plans_keep_memory of the thread's state */
  /* its steps' first place in the lists of the profile with that number */
  int64_t profile;
  int profiled_first;
  cusp_scratch_user scratch;
};

#endif
