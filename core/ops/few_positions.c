/*
 * Convolutions at few positions, the last layers of a network, as products with a kernel that is
 * kept in panels. For one image they take as long as it takes to read the kernel; of several small
 * ones, oneDNN reads it for each. Windows of one position are read where they lie, others are
 * gathered into rows.
 */

#include "../base/memory.h"
#include "../base/threads.h"
#include "../kernels/panels.h"
#include "convolution_kernels.h"

#include <string.h>

/* Up to these positions panels were measured to be faster than oneDNN: all in all, and with a
 * kernel that no cache holds, those of an image and all. */
#define MOST_ROWS 96
#define MOST_OF_IMAGE 100
#define MOST_GATHERED 16
#define MOST_OF_ALL 1536
#define LARGE_KERNEL (1 << 18)
/* Elements of a kernel below which the cache holds it anyway. */
#define LEAST_KERNEL 4096

/** The product that a call is; m is 0 where it is none. */
typedef struct product {
  int64_t m, k, n;
  int64_t row;    /* step from position to position of x */
  int64_t offset; /* of the kernel's element that is seen */
  int64_t of_image;
  bool gathered; /* its rows are windows that are copied */
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
                   .gathered = true};
}

static product product_of(const cusp_call *call) {
  const cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_FORWARD);
  if (c.groups != 1)
    return (product){0};
  const product p = product_of_positions(&c);
  return p.m > 0 ? p : product_of_windows(&c);
}

static bool pays(const product *p) {
  const int64_t kernel = p->k * p->n;
  if (p->gathered)
    return p->m > p->of_image && p->of_image <= MOST_GATHERED && p->m <= MOST_OF_ALL &&
           kernel >= LARGE_KERNEL;
  return p->m > 0 &&
         ((p->m <= MOST_ROWS && kernel >= LEAST_KERNEL) ||
          (p->m <= MOST_OF_ALL && p->of_image <= MOST_OF_IMAGE && kernel >= LARGE_KERNEL));
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
  cusp_form *form;
} few_state;

cusp_status cusp_few_positions_prepare(cusp_call *call) {
  few_state *state;
  CUSP_TRY(cusp_alloc_zeroed((void **)&state, sizeof *state));
  state->product = product_of(call);
  if (state->product.gathered)
    call->workspace_bytes = (size_t)(state->product.m * state->product.k) * sizeof(float);
  call->kept_bytes = cusp_panels_bytes(state->product.k, state->product.n);
  call->state = state;
  return CUSP_OK;
}

cusp_status cusp_panels_form(cusp_call *call, cusp_form **form, int64_t k, int64_t n,
                             int64_t offset, bool *fill) {
  static const char panels[] = "panels";
  const struct {
    const char *name;
    int64_t k, n, offset;
  } manner = {panels, k, n, offset};
  return cusp_kernel_form(call, form, &manner, sizeof manner, call->kept_bytes, fill);
}

static cusp_status refresh(cusp_call *call, few_state *state) {
  const product *p = &state->product;
  const cusp_array *scale = cusp_ending_of(call).scale;
  bool fill;
  CUSP_TRY(cusp_panels_form(call, &state->form, p->k, p->n, p->offset, &fill));
  if (fill)
    cusp_panels_pack(p->k, p->n, (const float *)call->inputs[1].data + p->offset,
                     scale ? scale->data : NULL, cusp_form_bytes(state->form));
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

cusp_status cusp_few_positions_run(cusp_call *call) {
  few_state *state = call->state;
  const product *p = &state->product;
  const cusp_array *shift = cusp_ending_of(call).shift;
  CUSP_TRY(refresh(call, state));
  const cusp_panels panels = {.m = p->m,
                              .k = p->k,
                              .n = p->n,
                              .a = {left_factor(call, p), p->row, 1},
                              .packed = cusp_form_bytes(state->form),
                              .shift = shift ? shift->data : NULL,
                              .c = call->outputs[0].data};
  cusp_panels_run(&panels);
  return CUSP_OK;
}

void cusp_few_positions_release(cusp_call *call) {
  few_state *state = call->state;
  if (state)
    cusp_form_release(state->form);
  cusp_free(state);
  call->state = NULL;
}
