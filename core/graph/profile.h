#ifndef CUSP_GRAPH_PROFILE_H
#define CUSP_GRAPH_PROFILE_H
/*
 * What the plans of one thread do, and for how long: a list of their steps, and a list of the times
 * at which each ran. Recording costs two readings of the clock for each step.
 */

#include "../base/collections.h"
#include "../node/op.h"
#include "../node/source.h"

typedef struct cusp_profile cusp_profile;

/** One of the operations of a fused step. */
typedef struct cusp_profile_part {
  const char *op;
  cusp_origin origin;
} cusp_profile_part;

/** A step of a plan, or the run of a plan as a whole (its `kernel` is NULL). */
typedef struct cusp_profile_step {
  const char *op, *kernel;
  const char *types; /* of its results and inputs, as text; lent */
  cusp_dtype dtype;
  cusp_origin origin;
  const cusp_profile_part *parts; /* of a fused step, in their order */
  int n_parts;
  int plan;            /* number of the plan in the profile, from 0 */
  double work, bytes;  /* floating point operations and memory traffic of one run, at least */
  int64_t arena_bytes; /* in use while it runs */
  int64_t runs;
  double seconds, own_seconds; /* of all runs; own: without those of the steps within */
} cusp_profile_step;

typedef enum cusp_profile_kind {
  CUSP_PROFILE_RUN,
  CUSP_PROFILE_TRAVEL, /* what the step began, beside other steps */
  CUSP_PROFILE_WAIT    /* for its end */
} cusp_profile_kind;

/** One run of a step. */
typedef struct cusp_profile_event {
  cusp_profile_kind kind;
  int step, depth; /* depth: 0 for a plan that runs by itself, 1 for its steps, ... */
  double start, seconds;
  uint64_t live_bytes; /* of the whole engine, when it ended */
} cusp_profile_event;

/** Begins to record on this thread; CUSP_EVALUE where that is done already. */
CUSP_NODISCARD cusp_status cusp_profile_start(void);
/** Ends that and gives what was recorded, to be freed; NULL: nothing was. */
cusp_profile *cusp_profile_stop(void);
bool cusp_profiling(void);
void cusp_profile_free(cusp_profile *profile);

int cusp_profile_n_steps(const cusp_profile *profile);
const cusp_profile_step *cusp_profile_get_step(const cusp_profile *profile, int step);
int cusp_profile_n_events(const cusp_profile *profile);
const cusp_profile_event *cusp_profile_get_event(const cusp_profile *profile, int event);
/** Runs that are counted in their steps' sums only, since there was no room for more events. */
int64_t cusp_profile_dropped(const cusp_profile *profile);

/* ------------------------------------------------------------------ for those who run plans */

typedef struct cusp_profile_frame {
  int step;
  double start, inner; /* inner: seconds of what ran before within the step around */
} cusp_profile_frame;

/** Makes the steps of a plan known, from place plan->profiled_first on: the plan, then each step.
 */
CUSP_NODISCARD cusp_status cusp_profile_add(cusp_profile *profile, cusp_plan *plan);
cusp_profile_frame cusp_profile_enter(cusp_profile *profile, int step);
/** What a step had begun went on from `span->begin` to its end, and was waited for since `start`.
 */
void cusp_profile_waited(cusp_profile *profile, int step, double start, const cusp_span *span);
void cusp_profile_leave(cusp_profile *profile, const cusp_profile_frame *frame);

#endif
