/*
 * Convolutions whose windows are single positions, at few of them, as products of matrices while
 * training: oneDNN brings the kernel into its own order and back each time, which takes as long as
 * the products.
 */

#include "../kernels/blas.h"
#include "../kernels/vector.h"
#include "convolution_kernels.h"

/* Up to these positions products were measured to be faster; a kernel's gradient gains more. */
#define MOST_POSITIONS 96
#define MOST_SUMMED 192
#define LEAST_KERNEL 4096 /* elements */

static bool are_single(const cusp_windows *w) {
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++)
    if (w->size[axis] != 1 || w->stride[axis] != 1 || w->low[axis] != 0 ||
        w->input[axis] != w->output[axis])
      return false;
  return true;
}

static int64_t positions_of(const cusp_convolution *c) {
  return c->windows.batch * cusp_window_count(c->windows.input);
}

static bool are_types(const cusp_convolution *c, cusp_convolution_face face) {
  return c->result == CUSP_FLOAT32 &&
         (c->dtype == CUSP_FLOAT32 ||
          (c->dtype == CUSP_BFLOAT16 && face == CUSP_CONVOLUTION_KERNEL_GRADIENT));
}

bool cusp_single_positions_can_run(const cusp_call *call) {
  const cusp_convolution_face face = cusp_face_of(call);
  const cusp_convolution c = cusp_convolution_of(call, face);
  const int64_t most = face == CUSP_CONVOLUTION_KERNEL_GRADIENT ? MOST_SUMMED : MOST_POSITIONS;
  return c.groups == 1 && are_types(&c, face) && are_single(&c.windows) && positions_of(&c) > 0 &&
         positions_of(&c) <= most && c.channels * c.filters >= LEAST_KERNEL;
}

static size_t wide_bytes(const cusp_array *x) {
  return ((size_t)cusp_array_count(x) * sizeof(float) + 63) / 64 * 64;
}

cusp_status cusp_single_positions_prepare(cusp_call *call) {
  if (call->inputs[0].dtype == CUSP_BFLOAT16)
    call->workspace_bytes = wide_bytes(&call->inputs[0]) + wide_bytes(&call->inputs[1]);
  return cusp_blas_ready();
}

/** Sizes of op(a) [m, k] times op(b) [k, n]; which of them are stored transposed. */
static cusp_gemm_task task_of(const cusp_convolution *c, cusp_convolution_face face) {
  const int64_t positions = positions_of(c);
  cusp_gemm_task t = {.dtype = CUSP_FLOAT32, .alpha = 1};
  switch (face) {
  case CUSP_CONVOLUTION_FORWARD: t.m = positions, t.k = c->channels, t.n = c->filters; break;
  case CUSP_CONVOLUTION_INPUT_GRADIENT:
    t.m = positions, t.k = c->filters, t.n = c->channels;
    t.trans_b = true;
    break;
  case CUSP_CONVOLUTION_KERNEL_GRADIENT:
    t.m = c->channels, t.k = positions, t.n = c->filters;
    t.trans_a = true;
  }
  t.lda = t.trans_a ? t.m : t.k;
  t.ldb = t.trans_b ? t.k : t.n;
  t.ldc = t.n;
  return t;
}

/** x as float32, in `room` where it is not. */
static const void *widened(const cusp_array *x, void *room) {
  if (x->dtype == CUSP_FLOAT32)
    return x->data;
  cusp_vector_find_cast(x->dtype, CUSP_FLOAT32)(cusp_array_count(x), room,
                                                (const void *[]){x->data}, (const int8_t[]){1});
  return room;
}

cusp_status cusp_single_positions_run(cusp_call *call) {
  const cusp_convolution_face face = cusp_face_of(call);
  const cusp_convolution c = cusp_convolution_of(call, face);
  cusp_gemm_task task = task_of(&c, face);
  task.a = widened(&call->inputs[0], call->workspace);
  task.b = widened(&call->inputs[1], (char *)call->workspace + wide_bytes(&call->inputs[0]));
  task.c = call->outputs[0].data;
  cusp_gemm(&task);
  return CUSP_OK;
}
