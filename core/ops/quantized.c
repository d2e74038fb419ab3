/* The hidden row of products with quantized matrices: rows of x become int8 on the way. */

#include "../kernels/int8.h"
#include "../node/build.h"
#include "../node/infer.h"

enum { X, KERNEL, SCALE };
enum { LOW, HIGH, EPSILON };

/* ------------------------------------------------------------------ types */

static cusp_status infer(cusp_inference *inference) {
  const cusp_type *x = inference->inputs;
  const cusp_shape *shape = &x[X].shape, *kernel = &x[KERNEL].shape;
  if (x[X].dtype != CUSP_FLOAT32 || x[KERNEL].dtype != CUSP_INT8 || x[SCALE].dtype != CUSP_FLOAT32)
    return cusp_infer_fail(inference, CUSP_EDTYPE,
                           "expected float32, int8 and float32, got %s, %s and %s",
                           cusp_dtype_name(x[X].dtype), cusp_dtype_name(x[KERNEL].dtype),
                           cusp_dtype_name(x[SCALE].dtype));
  if (shape->ndim < 1 || kernel->ndim != 2 || kernel->size[0] < 1 ||
      shape->size[shape->ndim - 1] != kernel->size[0])
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected [..., features] and [features, units], got %s and %s",
                           cusp_shape_text(shape), cusp_shape_text(kernel));
  CUSP_TRY(cusp_infer_expect(inference, SCALE, "scale", CUSP_FLOAT32,
                             (cusp_shape){1, {kernel->size[1]}}));
  inference->outputs[0] = x[X];
  inference->outputs[0].shape.size[shape->ndim - 1] = kernel->size[1];
  return CUSP_OK;
}

/* ------------------------------------------------------------------ gradient */

/** That of a product with the matrix that the integers stand for; rounding has none. */
static cusp_status gradient(cusp_gradient *g) {
  if (!g->wanted[X])
    return CUSP_OK;
  cusp_node *matrix = cusp_divide(cusp_cast(g->x[KERNEL], CUSP_FLOAT32), g->x[SCALE]);
  g->dx[X] = cusp_matmul(g->dy[0], cusp_transpose(matrix, (const int64_t[]){1, 0}));
  return cusp_built(g->dx[X]);
}

/* ------------------------------------------------------------------ kernel */

static cusp_int8_task task_of(const cusp_call *call) {
  const cusp_array *x = &call->inputs[X], *kernel = &call->inputs[KERNEL];
  cusp_int8_task task = {.k = kernel->shape.size[0], .n = kernel->shape.size[1]};
  task.m = cusp_array_count(x) / task.k;
  task.range = (cusp_int8_range){(float)call->attrs[LOW].number, (float)call->attrs[HIGH].number,
                                 (float)call->attrs[EPSILON].number};
  task.b_row = kernel->strides[0];
  task.b_column = kernel->strides[1];
  task.x = x->data;
  task.b = kernel->data;
  task.scale = call->inputs[SCALE].data;
  task.c = call->outputs[0].data;
  return task;
}

static cusp_status prepare(cusp_call *call) {
  const cusp_int8_task task = task_of(call);
  call->workspace_bytes = cusp_int8_workspace(&task);
  return CUSP_OK;
}

static cusp_status run(cusp_call *call) {
  const cusp_int8_task task = task_of(call);
  cusp_int8_multiply(&task, call->workspace);
  return CUSP_OK;
}

static bool accepts(const cusp_call *call, int input) {
  (void)call;
  return input == KERNEL;
}

static const cusp_kernel kernels[] = {
    {.name = "int8", .accepts = accepts, .prepare = prepare, .run = run}, {0}};

static double work(const cusp_call *call) {
  return 2.0 * (double)call->inputs[KERNEL].shape.size[0] *
         (double)cusp_shape_count(&call->outputs[0].shape);
}

const cusp_op cusp_ops_quantized[] = {
    {.name = "quantized_matmul",
     .arguments = "x, kernel, scale, low: float = -127, high: float = 127, epsilon: float = 1e-7",
     .help = "Product of x, quantized row by row, and an int8 matrix; scales are divided out.",
     .flags = CUSP_OP_HIDDEN,
     .infer = infer,
     .gradient = gradient,
     .kernels = kernels,
     .work = work},
    {0},
};
