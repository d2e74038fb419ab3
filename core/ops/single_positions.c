/*
 * Convolutions whose windows are single positions, as products of matrices. At few positions while
 * training, oneDNN brings the kernel into its own order and back each time, which takes as long as
 * the products; and large products are faster on tiles (split_product.h).
 */

#include "../kernels/blas.h"
#include "../kernels/product.h"
#include "../kernels/split_product.h"
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

cusp_status cusp_single_positions_prepare(cusp_call *call) {
  if (call->inputs[0].dtype == CUSP_BFLOAT16)
    call->workspace_bytes = cusp_wide_bytes(&call->inputs[0]) + cusp_wide_bytes(&call->inputs[1]);
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
  cusp_vector_convert(x->dtype, x->data, CUSP_FLOAT32, room, cusp_array_count(x));
  return room;
}

cusp_status cusp_single_positions_run(cusp_call *call) {
  const cusp_convolution_face face = cusp_face_of(call);
  const cusp_convolution c = cusp_convolution_of(call, face);
  cusp_gemm_task task = task_of(&c, face);
  task.a = widened(&call->inputs[0], call->workspace);
  task.b = widened(&call->inputs[1], (char *)call->workspace + cusp_wide_bytes(&call->inputs[0]));
  task.c = call->outputs[0].data;
  cusp_gemm(&task);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ on tiles */

/* With fewer, packing the kernel takes longer than is won. */
#define LEAST_LARGE 256

/** The product; `m` is 0 where the call is none. */
static cusp_gemm_task large_task(const cusp_call *call) {
  const cusp_convolution_face face = cusp_face_of(call);
  const cusp_convolution c = cusp_convolution_of(call, face);
  if (c.groups != 1 || c.dtype != CUSP_FLOAT32 || c.result != CUSP_FLOAT32 ||
      !are_single(&c.windows) || positions_of(&c) < LEAST_LARGE)
    return (cusp_gemm_task){0};
  return task_of(&c, face);
}

bool cusp_large_positions_can_run(const cusp_call *call) {
  const cusp_gemm_task task = large_task(call);
  return task.m > 0 && cusp_split_product_pays(&task);
}

/** The product, and behind its workspace room for a scaled kernel. */
cusp_status cusp_large_positions_prepare(cusp_call *call) {
  const cusp_gemm_task task = large_task(call);
  cusp_product *product = cusp_product_new(&task);
  if (!product)
    return cusp_fail(CUSP_ENOMEM, "%s: no memory for a product", call->name);
  call->state = product;
  call->workspace_bytes = cusp_product_workspace(product);
  if (cusp_ending_of(call).scale)
    call->workspace_bytes += (size_t)(task.k * task.n) * sizeof(float);
  return CUSP_OK;
}

cusp_status cusp_large_positions_run(cusp_call *call) {
  const cusp_product *product = call->state;
  const cusp_ending ending = cusp_ending_of(call);
  const void *right = call->inputs[1].data;
  if (ending.scale) {
    float *scaled = (float *)((char *)call->workspace + cusp_product_workspace(product));
    cusp_scale_filters(&call->inputs[1], ending.scale, NULL, scaled);
    right = scaled;
  }
  float *out = call->outputs[0].data;
  CUSP_TRY(cusp_product_run(product, call->inputs[0].data, right, out, call->workspace));
  if (ending.shift)
    cusp_scale_filters(&call->outputs[0], NULL, ending.shift, out);
  return CUSP_OK;
}

void cusp_large_positions_release(cusp_call *call) {
  cusp_product_free(call->state);
  call->state = NULL;
}
