/* Recording what plans do. */
#include "profile.h"
#include "../base/clock.h"
#include "../base/text.h"
#include "../node/state.h"
#include "plan_parts.h"
#include "work.h"

#include <stdio.h>
#include <string.h>

enum { MAX_EVENTS = 1 << 20 };

struct cusp_profile {
  int64_t number; /* of the profiles of this process */
  cusp_arena memory;
  cusp_profile_step *steps;
  int n_steps, steps_capacity;
  cusp_profile_event *events;
  int n_events, events_capacity;
  int64_t dropped;
  int n_plans, depth;
  double inner; /* seconds of what has run within the innermost step so far */
};

cusp_status cusp_profile_start(void) {
  static int64_t made;
  cusp_profile *profile;
  if (cusp_state()->profile)
    return cusp_fail(CUSP_EVALUE, "a profile is being recorded already");
  CUSP_TRY(cusp_alloc_zeroed((void **)&profile, sizeof *profile));
  profile->number = __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
  cusp_state()->profile = profile;
  return CUSP_OK;
}

cusp_profile *cusp_profile_stop(void) {
  cusp_profile *profile = cusp_state()->profile;
  cusp_state()->profile = NULL;
  return profile;
}

bool cusp_profiling(void) { return cusp_state()->profile != NULL; }

void cusp_profile_free(cusp_profile *profile) {
  if (!profile)
    return;
  cusp_arena_free(&profile->memory);
  cusp_free(profile->steps);
  cusp_free(profile->events);
  cusp_free(profile);
}

int cusp_profile_n_steps(const cusp_profile *profile) { return profile->n_steps; }
const cusp_profile_step *cusp_profile_get_step(const cusp_profile *profile, int step) {
  return &profile->steps[step];
}
int cusp_profile_n_events(const cusp_profile *profile) { return profile->n_events; }
const cusp_profile_event *cusp_profile_get_event(const cusp_profile *profile, int event) {
  return &profile->events[event];
}
int64_t cusp_profile_dropped(const cusp_profile *profile) { return profile->dropped; }

/* ------------------------------------------------------------------ steps */

/* A copy that lives as long as the profile: a plan may be gone before. */
static cusp_status keep_text(cusp_profile *profile, const char **out, const char *text) {
  char *copy;
  size_t length = strlen(text) + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&copy, &profile->memory, length));
  memcpy(copy, text, length);
  *out = copy;
  return CUSP_OK;
}

static void add_types(cusp_text *text, const cusp_array *arrays, int count) {
  for (int i = 0; i < count; i++) {
    cusp_text_add(text, "%s%s", i ? ", " : "", cusp_dtype_name(arrays[i].dtype));
    cusp_text_add(text, "%s", cusp_shape_text(&arrays[i].shape));
  }
}

static cusp_status describe_call(cusp_profile *profile, cusp_profile_step *out,
                                 const cusp_step *st) {
  cusp_text text = {0};
  char *types;
  const bool runs_plans = st->kernel->inner != NULL;
  out->op = st->name;
  out->dtype = st->call.n_outputs ? st->call.outputs[0].dtype : CUSP_FLOAT32;
  if (st->call.n_inputs) /* what it computes in: an output may be wider */
    out->dtype = st->call.inputs[0].dtype;
  out->work = runs_plans || st->empty ? 0 : cusp_work_of_call(&st->call);
  out->bytes = runs_plans || st->empty ? 0 : cusp_bytes_of_call(&st->call);
  add_types(&text, st->call.outputs, st->call.n_outputs);
  cusp_text_add(&text, " = ");
  add_types(&text, st->call.inputs, st->call.n_inputs);
  CUSP_TRY(cusp_text_take(&text, &types));
  cusp_status status = keep_text(profile, &out->types, types);
  cusp_free(types);
  return status == CUSP_OK ? keep_text(profile, &out->kernel, st->kernel->name) : status;
}

static cusp_status describe_fused(cusp_profile *profile, cusp_profile_step *out,
                                  const cusp_step *st) {
  const cusp_facts *facts = st->facts;
  cusp_profile_part *parts;
  CUSP_TRY(
      cusp_arena_alloc((void **)&parts, &profile->memory, (size_t)facts->n_parts * sizeof *parts));
  for (int i = 0; i < facts->n_parts; i++)
    parts[i] = (cusp_profile_part){facts->parts[i].op->name, facts->parts[i].origin};
  out->op = out->kernel = "fused";
  out->parts = parts;
  out->n_parts = facts->n_parts;
  out->dtype = facts->dtype;
  out->work = facts->work;
  out->bytes = facts->bytes;
  char text[256];
  snprintf(text, sizeof text, "%s%s", cusp_dtype_name(facts->dtype),
           cusp_shape_text(&facts->shape));
  return keep_text(profile, &out->types, text);
}

static cusp_status describe(cusp_profile *profile, cusp_profile_step *out, const cusp_step *st) {
  *out = (cusp_profile_step){
      .origin = st->origin, .arena_bytes = st->arena_in_use, .plan = profile->n_plans};
  return st->fused ? describe_fused(profile, out, st) : describe_call(profile, out, st);
}

cusp_status cusp_profile_add(cusp_profile *profile, cusp_plan *plan) {
  if (plan->profile == profile->number)
    return CUSP_OK;
  int first = profile->n_steps;
  CUSP_TRY(CUSP_GROW(profile->steps, profile->steps_capacity, first + 1 + plan->n_steps));
  profile->steps[first] = (cusp_profile_step){.op = "plan",
                                              .types = "",
                                              .plan = profile->n_plans,
                                              .arena_bytes = (int64_t)plan->arena_bytes};
  for (int i = 0; i < plan->n_steps; i++)
    CUSP_TRY(describe(profile, &profile->steps[first + 1 + i], &plan->steps[i]));
  profile->n_steps = first + 1 + plan->n_steps;
  profile->n_plans++;
  plan->profiled_first = first;
  plan->profile = profile->number;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ events */

cusp_profile_frame cusp_profile_enter(cusp_profile *profile, int step) {
  cusp_profile_frame frame = {.step = step, .inner = profile->inner};
  profile->inner = 0;
  profile->depth++;
  frame.start = cusp_monotonic_seconds();
  return frame;
}

static void note(cusp_profile *profile, cusp_profile_event event) {
  if (profile->n_events >= MAX_EVENTS ||
      CUSP_GROW(profile->events, profile->events_capacity, profile->n_events + 1) != CUSP_OK) {
    profile->dropped++;
    return;
  }
  event.depth = profile->depth;
  event.live_bytes = cusp_memory_live();
  profile->events[profile->n_events++] = event;
}

static void count_seconds(cusp_profile *profile, int step, double seconds, double inner) {
  profile->steps[step].seconds += seconds;
  profile->steps[step].own_seconds += seconds - inner;
}

void cusp_profile_leave(cusp_profile *profile, const cusp_profile_frame *frame) {
  double seconds = cusp_monotonic_seconds() - frame->start;
  cusp_profile_step *step = &profile->steps[frame->step];
  profile->depth--;
  step->runs++;
  count_seconds(profile, frame->step, seconds, profile->inner);
  profile->inner = frame->inner + seconds;
  note(profile,
       (cusp_profile_event){.step = frame->step, .start = frame->start, .seconds = seconds});
}

void cusp_profile_waited(cusp_profile *profile, int step, double start, const cusp_span *span) {
  double seconds = cusp_monotonic_seconds() - start;
  count_seconds(profile, step, seconds, 0);
  profile->inner += seconds;
  profile->depth++;
  note(profile, (cusp_profile_event){
                    .kind = CUSP_PROFILE_WAIT, .step = step, .start = start, .seconds = seconds});
  if (span->end > span->begin)
    note(profile, (cusp_profile_event){.kind = CUSP_PROFILE_TRAVEL,
                                       .step = step,
                                       .start = span->begin,
                                       .seconds = span->end - span->begin});
  profile->depth--;
}
