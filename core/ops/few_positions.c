/*
 * Convolutions at few positions, the last layers of a network, as products. For one image they take
 * as long as it takes to read the kernel; of several small ones, oneDNN reads it for each, and of
 * one for each of its bands. A kernel is kept in panels; for one position, and where it is very
 * large, it is read as it lies. So are windows of one position; others are gathered into rows.
 */

#include "../base/memory.h"
#include "../base/threads.h"
#include "../kernels/panels.h"
#include "convolution_kernels.h"
#include "kept_kernels.h"

#include <string.h>

/* Positions up to which panels were measured to be faster than oneDNN. */
#define MOST_ROWS 96     /* of all images, with any kernel but a small one */
#define MOST_OF_ALL 1536 /* of all images, with a large kernel, if an image has so few: */
#define MOST_OF_IMAGE 100
#define MOST_GATHERED 16 /* where windows are copied into rows */

/* Elements of a kernel. */
#define LARGE_KERNEL (1 << 18) /* oneDNN reads it again for each image of a batch, */
#define MEDIUM_KERNEL 200000   /* or for each band of a single one */
#define LEAST_KERNEL 4096      /* smaller ones stay in the cache whoever reads them */

/** The product that a call is; m is 0 where it is none. */
typedef struct product {
  int64_t m, k, n;
  int64_t row;    /* step from position to position of x */
  int64_t offset; /* of the kernel's element that is seen */
  int64_t of_image;
  bool gathered;  /* its rows are windows that are copied, */
  bool pointwise; /* of one element each */
} product;

/** Whether the windows of an axis see one position each, all of them or the first alone. */
static bool sees_one(const cusp_windows *w, int axis, bool first) {
  if (w->size[axis] != 1 || w->low[axis] != 0)
    return false;
  return first ? w->output[axis] == 1 : w->stride[axis] == 1 && w->output[axis] == w->input[axis];
}

static bool all_see_one(const cusp_windows *w, bool first) {
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++)
    if (!sees_one(w, axis, first))
      return false;
  return true;
}

/** The product of windows that see one position; its m is 0 where they see more. */
static product product_of_positions(const cusp_convolution *c) {
  cusp_windows trimmed = c->windows, *w = &trimmed;
  product p = {.k = c->channels, .n = c->filters, .of_image = cusp_window_count(w->output)};
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++) {
    const int64_t size = w->size[axis];
    p.offset = p.offset * size + cusp_window_trim(w, axis);
  }
  p.offset *= p.k * p.n;
  if (all_see_one(w, false))
    p.row = p.k;
  else if (all_see_one(w, true))
    p.row = p.k * cusp_window_count(w->input);
  p.m = p.row > 0 ? w->batch * p.of_image : 0;
  return p;
}

static product product_of_windows(const cusp_convolution *c) {
  const cusp_windows *w = &c->windows;
  const int64_t k = cusp_window_count(w->size) * c->channels,
                positions = cusp_window_count(w->output);
  return (product){.m = w->batch * positions,
                   .k = k,
                   .n = c->filters,
                   .row = k,
                   .of_image = positions,
                   .gathered = true,
                   .pointwise = k == c->channels};
}

static product product_of(const cusp_call *call) {
  const cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_FORWARD);
  if (c.groups != 1)
    return (product){0};
  const product p = product_of_positions(&c);
  return p.m > 0 ? p : product_of_windows(&c);
}

static int64_t kernel_of(const product *p) { return p->k * p->n; }

/** Of one image, oneDNN's bands of rows read the kernel once each. */
static bool gathering_pays(const product *p) {
  if (p->of_image > MOST_GATHERED || p->m > MOST_OF_ALL)
    return false;
  return p->m > p->of_image ? kernel_of(p) >= LARGE_KERNEL : kernel_of(p) >= MEDIUM_KERNEL;
}

static bool pays(const product *p) {
  const bool few = p->m <= MOST_ROWS && kernel_of(p) >= LEAST_KERNEL;
  if (p->m == 0)
    return false;
  if (p->gathered)
    return gathering_pays(p) || (few && p->pointwise);
  return few ||
         (p->m <= MOST_OF_ALL && p->of_image <= MOST_OF_IMAGE && kernel_of(p) >= LARGE_KERNEL);
}

bool cusp_few_positions_can_run(const cusp_call *call) {
  if (cusp_face_of(call) != CUSP_CONVOLUTION_FORWARD || call->inputs[0].dtype != CUSP_FLOAT32 ||
      !cusp_keeps_kernel(call) || !cusp_panel_loops_find())
    return false;
  const product p = product_of(call);
  return pays(&p);
}

typedef struct few_state {
  product product;
  cusp_kept_kernel kept;
} few_state;

cusp_status cusp_few_positions_prepare(cusp_call *call) {
  few_state *state;
  CUSP_TRY(cusp_alloc_zeroed((void **)&state, sizeof *state));
  const product p = state->product = product_of(call);
  if (p.gathered)
    call->workspace_bytes = (size_t)(p.m * p.k) * sizeof(float);
  call->kept_bytes = cusp_panels_read_plain(p.m, p.k, p.n) ? 0 : cusp_panels_bytes(p.k, p.n);
  call->state = state;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ rows of windows */

/* floats of a piece of work for a thread */
#define GATHER_PIECE 16384

typedef struct gathering {
  const cusp_windows *windows;
  int64_t channels, k;
  const float *x;
  float *rows;
} gathering;

/** The input under one window, zeros where it is padding. */
static void gather_window(const gathering *g, int64_t row) {
  const cusp_windows *w = g->windows;
  const cusp_position at = cusp_position_of(row, w->output);
  float *to = g->rows + row * g->k;
  const int64_t elements = cusp_window_count(w->size);
  for (int64_t i = 0; i < elements; i++, to += g->channels) {
    const cusp_position element = cusp_position_of(i, w->size);
    int64_t from[CUSP_WINDOW_AXES];
    if (cusp_window_input(w, at.at, element.at, from))
      memcpy(to, g->x + cusp_position_index(at.batch, from, w->input) * g->channels,
             (size_t)g->channels * sizeof *to);
    else
      memset(to, 0, (size_t)g->channels * sizeof *to);
  }
}

static void gather_range(void *context, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++)
    gather_window(context, row);
}

/** The left factor: x itself, or its windows in scratch memory. */
static const float *left_factor(const cusp_call *call, const product *p) {
  const float *x = call->inputs[0].data;
  if (!p->gathered)
    return x;
  const cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_FORWARD);
  gathering g = {&c.windows, c.channels, p->k, x, call->workspace};
  cusp_parallel_for(p->m, GATHER_PIECE / p->k + 1, gather_range, &g);
  return g.rows;
}

static const float *data_of(const cusp_array *array) { return array ? array->data : NULL; }

cusp_status cusp_few_positions_run(cusp_call *call) {
  few_state *state = call->state;
  const product *p = &state->product;
  const cusp_ending ending = cusp_ending_of(call);
  cusp_panels panels = {.m = p->m,
                        .k = p->k,
                        .n = p->n,
                        .a = {left_factor(call, p), p->row, 1},
                        .shift = data_of(ending.shift),
                        .c = call->outputs[0].data};
  if (cusp_panels_read_plain(p->m, p->k, p->n)) {
    panels.plain = (const float *)call->inputs[1].data + p->offset;
    panels.scale = data_of(ending.scale);
  } else {
    CUSP_TRY(cusp_panels_form(call, ending.scale, &state->kept, p->k, p->n, p->offset));
    panels.packed = cusp_form_bytes(state->kept.form);
  }
  cusp_panels_run(&panels);
  return CUSP_OK;
}

void cusp_few_positions_release(cusp_call *call) {
  few_state *state = call->state;
  if (state)
    cusp_form_release(state->kept.form);
  cusp_free(state);
  call->state = NULL;
}
