/*
 * Convolutions whose windows see one position, at few positions: the last layers of a network for
 * one image. They take as long as it takes to read the kernel, which is kept in panels.
 */

#include "../base/memory.h"
#include "../kernels/panels.h"
#include "convolution_kernels.h"

/* Positions up to which panels were measured to be faster than oneDNN. */
#define MOST_ROWS 96
/* Elements of a kernel below which the cache holds it anyway. */
#define LEAST_KERNEL 4096

/** The product that a call is; m is 0 where it is none. */
typedef struct product {
  int64_t m, k, n;
  int64_t row;    /* step from position to position of x */
  int64_t offset; /* of the kernel's element that is seen */
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

static product product_of(const cusp_call *call) {
  cusp_convolution c = cusp_convolution_of(call, CUSP_CONVOLUTION_FORWARD);
  cusp_windows *w = &c.windows;
  product p = {.k = c.channels, .n = c.filters};
  if (c.groups != 1)
    return p;
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++) {
    const int64_t size = w->size[axis];
    p.offset = p.offset * size + cusp_window_trim(w, axis);
  }
  p.offset *= p.k * p.n;
  if (all_see_one(w, false))
    p.row = p.k;
  else if (all_see_one(w, true))
    p.row = p.k * cusp_window_count(w->input);
  p.m = p.row > 0 ? w->batch * cusp_window_count(w->output) : 0;
  return p;
}

bool cusp_pointwise_can_run(const cusp_call *call) {
  if (cusp_face_of(call) != CUSP_CONVOLUTION_FORWARD || call->inputs[0].dtype != CUSP_FLOAT32 ||
      !cusp_keeps_kernel(call) || !cusp_panel_loops_find())
    return false;
  const product p = product_of(call);
  return p.m > 0 && p.m <= MOST_ROWS && p.k * p.n >= LEAST_KERNEL;
}

typedef struct pointwise_state {
  product product;
  cusp_form *form;
} pointwise_state;

cusp_status cusp_pointwise_prepare(cusp_call *call) {
  pointwise_state *state;
  CUSP_TRY(cusp_alloc_zeroed((void **)&state, sizeof *state));
  state->product = product_of(call);
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

static cusp_status refresh(cusp_call *call, pointwise_state *state) {
  const product *p = &state->product;
  const cusp_array *scale = cusp_ending_of(call).scale;
  bool fill;
  CUSP_TRY(cusp_panels_form(call, &state->form, p->k, p->n, p->offset, &fill));
  if (fill)
    cusp_panels_pack(p->k, p->n, (const float *)call->inputs[1].data + p->offset,
                     scale ? scale->data : NULL, cusp_form_bytes(state->form));
  return CUSP_OK;
}

cusp_status cusp_pointwise_run(cusp_call *call) {
  pointwise_state *state = call->state;
  const product *p = &state->product;
  const cusp_array *shift = cusp_ending_of(call).shift;
  CUSP_TRY(refresh(call, state));
  const cusp_panels panels = {.m = p->m,
                              .k = p->k,
                              .n = p->n,
                              .a = {call->inputs[0].data, p->row, 1},
                              .packed = cusp_form_bytes(state->form),
                              .shift = shift ? shift->data : NULL,
                              .c = call->outputs[0].data};
  cusp_panels_run(&panels);
  return CUSP_OK;
}

void cusp_pointwise_release(cusp_call *call) {
  pointwise_state *state = call->state;
  if (state)
    cusp_form_release(state->form);
  cusp_free(state);
  call->state = NULL;
}
