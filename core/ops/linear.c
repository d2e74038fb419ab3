/*
 * Products of matrices and vectors. `matmul` is the only row with kernels; the others reshape their
 * operands into it.
 */

#include "../base/memory.h"
#include "../base/threads.h"
#include "../kernels/blas.h"
#include "../kernels/blas_plain.h"
#include "../kernels/int8.h"
#include "../kernels/panels.h"
#include "../kernels/product.h"
#include "../kernels/tiles.h"
#include "../kernels/vector.h"
#include "../node/build.h"
#include "../node/infer.h"
#include "../node/promote.h"
#include "convolution_kernels.h"
#include "einsum.h"

#include <string.h>

/* ------------------------------------------------------------------ matmul: types */

/** An operand seen as a stack of matrices: a vector is a row on the left and a column on the
 * right. */
typedef struct operand {
  int batch_ndim;
  int64_t rows, columns;
  int64_t row_step, column_step; /* in elements; meaningful for arrays only */
} operand;

static operand see_operand(const cusp_shape *shape, const int64_t *strides, bool left) {
  int ndim = shape->ndim;
  if (ndim == 1) {
    int64_t size = shape->size[0], step = strides ? strides[0] : 1;
    return left ? (operand){0, 1, size, size * step, step} : (operand){0, size, 1, step, 1};
  }
  operand o = {
      .batch_ndim = ndim - 2, .rows = shape->size[ndim - 2], .columns = shape->size[ndim - 1]};
  o.row_step = strides ? strides[ndim - 2] : 0;
  o.column_step = strides ? strides[ndim - 1] : 0;
  return o;
}

static cusp_shape batch_shape(const cusp_shape *shape, int batch_ndim) {
  cusp_shape batch = *shape;
  batch.ndim = batch_ndim;
  return batch;
}

static cusp_status matmul_infer(cusp_inference *inference) {
  const cusp_type *a = &inference->inputs[0], *b = &inference->inputs[1];
  if (a->shape.ndim < 1 || b->shape.ndim < 1)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected operands with at least one axis, got shapes %s and %s",
                           cusp_shape_text(&a->shape), cusp_shape_text(&b->shape));
  operand left = see_operand(&a->shape, NULL, true), right = see_operand(&b->shape, NULL, false);
  cusp_shape batch_a = batch_shape(&a->shape, left.batch_ndim),
             batch_b = batch_shape(&b->shape, right.batch_ndim), out;
  if (left.columns != right.rows)
    return cusp_infer_fail(
        inference, CUSP_ESHAPE,
        "the last axis of x1 (%lld) and %s of x2 (%lld) must be equal, got shapes %s and %s",
        (long long)left.columns, b->shape.ndim == 1 ? "the axis" : "the last axis but one",
        (long long)right.rows, cusp_shape_text(&a->shape), cusp_shape_text(&b->shape));
  if (cusp_shape_broadcast(&out, &batch_a, &batch_b) != CUSP_OK)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "the leading axes of shapes %s and %s do not broadcast",
                           cusp_shape_text(&a->shape), cusp_shape_text(&b->shape));
  if (a->shape.ndim > 1)
    out.size[out.ndim++] = left.rows;
  if (b->shape.ndim > 1)
    out.size[out.ndim++] = right.columns;
  inference->outputs[0].shape = out;
  /* as Keras has it */
  inference->outputs[0].dtype =
      a->dtype == CUSP_INT8 && b->dtype == CUSP_INT8 ? CUSP_INT32 : b->dtype;
  return CUSP_OK;
}

static cusp_status wide_matmul_infer(cusp_inference *inference) {
  const cusp_dtype dtype = inference->inputs[0].dtype;
  if (!cusp_dtype_is_half(dtype) || inference->inputs[1].dtype != dtype)
    return cusp_infer_fail(inference, CUSP_EDTYPE,
                           "expected two operands of 16 bits, got %s and %s",
                           cusp_dtype_name(dtype), cusp_dtype_name(inference->inputs[1].dtype));
  CUSP_TRY(matmul_infer(inference));
  inference->outputs[0].dtype = CUSP_FLOAT32;
  return CUSP_OK;
}

/** int8 beside bool: the product is int8, where that of int8 alone is int32 (as Keras has it). */
static cusp_status int8_beside_bool(cusp_node **out, const cusp_op *op, int n_inputs,
                                    cusp_node *const *inputs, int n_attrs, const cusp_attr *attrs) {
  bool bools = false, ints = false;
  cusp_node *wide[CUSP_MAX_INPUTS], *product[CUSP_MAX_RESULTS];
  int n_outputs;
  if (n_inputs > CUSP_MAX_INPUTS)
    return CUSP_OK;
  for (int i = 0; i < n_inputs; i++) {
    bools = bools || inputs[i]->type.dtype == CUSP_BOOL;
    ints = ints || inputs[i]->type.dtype == CUSP_INT8;
    if (inputs[i]->weak ||
        (inputs[i]->type.dtype != CUSP_BOOL && inputs[i]->type.dtype != CUSP_INT8))
      return CUSP_OK;
  }
  if (!bools || !ints)
    return CUSP_OK;
  for (int i = 0; i < n_inputs; i++)
    CUSP_TRY(cusp_built(wide[i] = cusp_cast(inputs[i], CUSP_INT32)));
  CUSP_TRY(cusp_op_apply(product, &n_outputs, op, n_inputs, wide, n_attrs, attrs));
  cusp_status status = cusp_cast_node(out, product[0], CUSP_INT8);
  cusp_node_release(product[0]);
  return status;
}

/* ------------------------------------------------------------------ matmul: gradient */

static cusp_node *swap_last(cusp_node *x) {
  if (!x)
    return NULL;
  int64_t axes[CUSP_MAX_DIMS];
  int ndim = x->type.shape.ndim;
  for (int i = 0; i < ndim; i++)
    axes[i] = i;
  axes[ndim - 1] = ndim - 2;
  axes[ndim - 2] = ndim - 1;
  return cusp_transpose(x, axes);
}

/** x as a matrix: all axes but the last are its rows. */
static cusp_node *as_rows(cusp_node *x) {
  const cusp_shape *shape = &x->type.shape;
  int64_t columns = shape->size[shape->ndim - 1], rows = 1;
  for (int i = 0; i < shape->ndim - 1; i++)
    rows *= shape->size[i];
  return cusp_reshape(x, &(cusp_shape){2, {rows, columns}});
}

static cusp_node *as_matrices(cusp_node *x, bool left) {
  if (x->type.shape.ndim > 1)
    return x;
  int64_t size = x->type.shape.size[0];
  cusp_shape shape = {2, {left ? 1 : size, left ? size : 1}};
  return cusp_reshape(x, &shape);
}

/** The cotangent with the axes that a vector operand took out put back: [..., m, n]. */
static cusp_node *cotangent_matrices(cusp_node *dy, const cusp_node *a, const cusp_node *b) {
  cusp_shape shape = dy->type.shape;
  int batch = shape.ndim - (a->type.shape.ndim > 1) - (b->type.shape.ndim > 1);
  shape.ndim = batch;
  shape.size[shape.ndim++] = a->type.shape.ndim > 1 ? dy->type.shape.size[batch] : 1;
  shape.size[shape.ndim++] =
      b->type.shape.ndim > 1 ? dy->type.shape.size[dy->type.shape.ndim - 1] : 1;
  return cusp_reshape(dy, &shape);
}

static cusp_node *back_to(cusp_node *gradient, const cusp_node *matrices, const cusp_node *x) {
  return gradient ? cusp_reshape(cusp_sum_to(gradient, &matrices->type.shape), &x->type.shape)
                  : NULL;
}

static cusp_status matmul_gradient(cusp_gradient *g) {
  cusp_node *a = as_matrices(g->x[0], true), *b = as_matrices(g->x[1], false);
  cusp_node *dy = cotangent_matrices(g->dy[0], g->x[0], g->x[1]);
  if (!a || !b || !dy)
    return cusp_built(NULL);
  /* one product over all rows, not one a batch item and a sum */
  if (b->type.shape.ndim == 2 && a->type.shape.ndim > 2) {
    a = as_rows(a);
    dy = as_rows(dy);
  }
  if (!a || !dy)
    return cusp_built(NULL);
  if (g->wanted[0]) {
    g->dx[0] = back_to(cusp_matmul(dy, swap_last(b)), a, g->x[0]);
    CUSP_TRY(cusp_built(g->dx[0]));
  }
  if (g->wanted[1]) {
    g->dx[1] = back_to(cusp_matmul(swap_last(a), dy), b, g->x[1]);
    CUSP_TRY(cusp_built(g->dx[1]));
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ matmul: the plan of a call */

/** What is fixed of a call: one product's geometry, and the offsets of the others. */
typedef struct matmul_plan {
  cusp_gemm_task task;
  cusp_product *product; /* the same by oneDNN; NULL where it does not pay */
  cusp_plain_product plain;
  cusp_plain_fn plain_fn; /* integers; NULL: task */
  size_t in_size, out_size;
  int batch_ndim;
  int64_t batch_size[CUSP_MAX_DIMS], a_step[CUSP_MAX_DIMS], b_step[CUSP_MAX_DIMS];
  int64_t count;
} matmul_plan;

/** Whether BLAS can read the matrix as it lies: `trans` says that its columns, not its rows, are
 * without gaps. */
static bool blas_layout(const operand *o, bool *trans, int64_t *ld) {
  if ((o->column_step == 1 || o->columns <= 1) &&
      (o->rows <= 1 || o->row_step >= (o->columns > 1 ? o->columns : 1))) {
    *trans = false;
    *ld = o->rows <= 1 ? o->columns : o->row_step;
  } else if ((o->row_step == 1 || o->rows <= 1) &&
             (o->columns <= 1 || o->column_step >= (o->rows > 1 ? o->rows : 1))) {
    *trans = true;
    *ld = o->columns <= 1 ? o->rows : o->column_step;
  } else {
    return false;
  }
  if (*ld < 1)
    *ld = 1;
  return true;
}

static bool blas_accepts(const cusp_call *call, int input) {
  const cusp_array *x = &call->inputs[input];
  operand o = see_operand(&x->shape, x->strides, input == 0);
  bool trans;
  int64_t ld;
  return blas_layout(&o, &trans, &ld);
}

/** Steps of the leading axes of `x`, aligned to the right with the result's; 0 where it
 * broadcasts. */
static void batch_steps(int64_t *steps, const cusp_array *x, int x_batch, const cusp_shape *out,
                        int batch) {
  for (int i = 0; i < batch; i++) {
    int axis = i - (batch - x_batch);
    steps[i] = axis < 0 || (x->shape.size[axis] == 1 && out->size[i] != 1) ? 0 : x->strides[axis];
  }
}

static void plan_geometry(matmul_plan *plan, const cusp_call *call, operand *left, operand *right) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1], *c = &call->outputs[0];
  *left = see_operand(&a->shape, a->strides, true);
  *right = see_operand(&b->shape, b->strides, false);
  int batch = left->batch_ndim > right->batch_ndim ? left->batch_ndim : right->batch_ndim;
  batch_steps(plan->a_step, a, left->batch_ndim, &c->shape, batch);
  batch_steps(plan->b_step, b, right->batch_ndim, &c->shape, batch);
  plan->batch_ndim = batch;
  plan->count = 1;
  for (int i = 0; i < batch; i++)
    plan->count *= plan->batch_size[i] = c->shape.size[i];
  plan->in_size = cusp_dtype_size(a->dtype);
  plan->out_size = cusp_dtype_size(c->dtype);
}

/** Where the right operand is one matrix and the left one's leading axes continue its rows, all is
 * one tall product. */
static void merge_batch_into_rows(matmul_plan *plan, operand *left) {
  if (left->rows > 1 && left->column_step != 1 && left->columns > 1)
    return; /* stored by columns: its rows do not continue */
  while (plan->batch_ndim > 0) {
    int last = plan->batch_ndim - 1;
    bool continues = left->rows == 1 || plan->a_step[last] == left->row_step * left->rows;
    if (plan->batch_size[last] != 1 && (plan->b_step[last] != 0 || !continues))
      return;
    if (plan->batch_size[last] != 1 && left->rows == 1)
      left->row_step = plan->a_step[last];
    left->rows *= plan->batch_size[last];
    plan->count = plan->batch_size[last] > 0 ? plan->count / plan->batch_size[last] : 0;
    plan->batch_ndim = last;
  }
}

static cusp_status plan_new(matmul_plan **out) {
  CUSP_TRY(cusp_alloc_zeroed((void **)out, sizeof **out));
  return CUSP_OK;
}

static void fill_task(matmul_plan *plan, const operand *left, const operand *right,
                      cusp_dtype dtype) {
  cusp_gemm_task *t = &plan->task;
  *t = (cusp_gemm_task){
      .dtype = dtype, .m = left->rows, .n = right->columns, .k = left->columns, .alpha = 1};
  blas_layout(left, &t->trans_a, &t->lda);
  blas_layout(right, &t->trans_b, &t->ldb);
  t->ldc = t->n > 0 ? t->n : 1;
}

static cusp_status blas_prepare(cusp_call *call) {
  matmul_plan *plan = NULL;
  operand left, right;
  CUSP_TRY(plan_new(&plan));
  plan_geometry(plan, call, &left, &right);
  operand merged = left;
  matmul_plan before = *plan;
  merge_batch_into_rows(plan, &merged);
  bool trans;
  int64_t ld;
  if (blas_layout(&merged, &trans, &ld))
    left = merged;
  else
    *plan = before;
  fill_task(plan, &left, &right, call->inputs[0].dtype);
  if (plan->count == 1)
    plan->product = cusp_product_new(&plan->task);
  if (plan->product)
    call->workspace_bytes = cusp_product_workspace(plan->product);
  call->state = plan;
  return CUSP_OK;
}

static cusp_status plain_prepare(cusp_call *call) {
  matmul_plan *plan = NULL;
  operand left, right;
  CUSP_TRY(plan_new(&plan));
  plan_geometry(plan, call, &left, &right);
  plan->plain_fn = cusp_plain_find(call->inputs[0].dtype, call->outputs[0].dtype);
  plan->plain =
      (cusp_plain_product){.m = left.rows, .n = right.columns, .k = left.columns, .alpha = 1};
  plan->plain.a_row = left.row_step;
  plan->plain.a_column = left.column_step;
  plan->plain.b_row = right.row_step;
  plan->plain.b_column = right.column_step;
  plan->plain.c_row = right.columns;
  call->state = plan;
  return CUSP_OK;
}

static void plan_release(cusp_call *call) {
  if (call->state)
    cusp_product_free(((matmul_plan *)call->state)->product);
  cusp_free(call->state);
  call->state = NULL;
}

/* ------------------------------------------------------------------ matmul: running */

typedef struct matmul_run {
  const matmul_plan *plan;
  const char *a, *b;
  char *c;
} matmul_run;

/** The operands of product `index` of the batch. */
static void locate(const matmul_run *run, int64_t index, const char **a, const char **b, char **c) {
  const matmul_plan *plan = run->plan;
  int64_t a_offset = 0, b_offset = 0, rest = index;
  for (int i = plan->batch_ndim - 1; i >= 0; i--) {
    int64_t position = rest % plan->batch_size[i];
    rest /= plan->batch_size[i];
    a_offset += position * plan->a_step[i];
    b_offset += position * plan->b_step[i];
  }
  int64_t m = plan->plain_fn ? plan->plain.m : plan->task.m,
          n = plan->plain_fn ? plan->plain.n : plan->task.n;
  *a = run->a + a_offset * (int64_t)plan->in_size;
  *b = run->b + b_offset * (int64_t)plan->in_size;
  *c = run->c + index * m * n * (int64_t)plan->out_size;
}

static void run_products(void *context, int64_t begin, int64_t end) {
  const matmul_run *run = context;
  for (int64_t i = begin; i < end; i++) {
    cusp_gemm_task task = run->plan->task;
    cusp_plain_product plain = run->plan->plain;
    const char *a, *b;
    char *c;
    locate(run, i, &a, &b, &c);
    task.a = plain.a = a;
    task.b = plain.b = b;
    task.c = plain.c = c;
    if (run->plan->plain_fn)
      run->plan->plain_fn(&plain);
    else if (begin == 0 && end == 1)
      cusp_gemm(&task);
    else
      cusp_gemm_serial(&task);
  }
}

/** Products that are each large are split one after the other; many small ones are dealt out to the
 * threads. */
static void run_plan(const matmul_plan *plan, const void *a, const void *b, void *c) {
  matmul_run run = {plan, a, b, c};
  const cusp_gemm_task *t = &plan->task;
  double flops = plan->plain_fn
                     ? 60.0 * (double)plan->plain.m * (double)plan->plain.n * (double)plan->plain.k
                     : 2.0 * (double)t->m * (double)t->n * (double)t->k;
  if (!plan->plain_fn && flops > 2e7 && plan->count < 4 * cusp_get_num_threads()) {
    for (int64_t i = 0; i < plan->count; i++) {
      matmul_run one = run;
      const char *a_i, *b_i;
      locate(&run, i, &a_i, &b_i, &one.c);
      cusp_gemm_task task = *t;
      task.a = a_i;
      task.b = b_i;
      task.c = one.c;
      cusp_gemm(&task);
    }
    return;
  }
  cusp_parallel_for(plan->count, (int64_t)(1.5e6 / (flops + 1e4)) + 1, run_products, &run);
}

static cusp_status matmul_run_arrays(cusp_call *call) {
  const matmul_plan *plan = call->state;
  if (plan->product)
    return cusp_product_run(plan->product, call->inputs[0].data, call->inputs[1].data,
                            call->outputs[0].data, call->workspace);
  if (cusp_gemm_needs_blas(&plan->task))
    CUSP_TRY(cusp_blas_ready());
  run_plan(plan, call->inputs[0].data, call->inputs[1].data, call->outputs[0].data);
  return CUSP_OK;
}

static bool is_blas_dtype(const cusp_call *call) {
  return call->inputs[0].dtype == CUSP_FLOAT32 || call->inputs[0].dtype == CUSP_FLOAT64;
}

/* 16-bit floats: both operands are widened to float32, multiplied, and the result narrowed. */

static size_t rounded(int64_t floats) {
  return ((size_t)floats * sizeof(float) + CUSP_ALIGNMENT - 1) / CUSP_ALIGNMENT * CUSP_ALIGNMENT;
}

static bool is_half(const cusp_call *call) {
  return cusp_dtype_is_float(call->inputs[0].dtype) && !is_blas_dtype(call);
}

static cusp_status half_prepare(cusp_call *call) {
  CUSP_TRY(blas_prepare(call));
  matmul_plan *plan = call->state;
  plan->task.dtype = CUSP_FLOAT32;
  plan->in_size = plan->out_size = sizeof(float);
  call->workspace_bytes = rounded(cusp_array_count(&call->inputs[0])) +
                          rounded(cusp_array_count(&call->inputs[1])) +
                          rounded(cusp_array_count(&call->outputs[0]));
  return CUSP_OK;
}

typedef struct conversion {
  cusp_vector_fn fn;
  const char *from;
  char *to;
  size_t from_size, to_size;
} conversion;

static void convert_range(void *context, int64_t begin, int64_t end) {
  const conversion *c = context;
  c->fn(end - begin, c->to + (size_t)begin * c->to_size,
        (const void *[]){c->from + (size_t)begin * c->from_size}, (const int8_t[]){1});
}

static void convert(cusp_dtype from_dtype, const void *from, cusp_dtype to_dtype, void *to,
                    int64_t count) {
  conversion c = {cusp_vector_find_cast(from_dtype, to_dtype), from, to,
                  cusp_dtype_size(from_dtype), cusp_dtype_size(to_dtype)};
  cusp_parallel_for(count, 65536, convert_range, &c);
}

static cusp_status half_run(cusp_call *call) {
  CUSP_TRY(cusp_blas_ready());
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1], *c = &call->outputs[0];
  char *wide_a = call->workspace, *wide_b = wide_a + rounded(cusp_array_count(a)),
       *wide_c = wide_b + rounded(cusp_array_count(b));
  convert(a->dtype, a->data, CUSP_FLOAT32, wide_a, cusp_array_count(a));
  convert(b->dtype, b->data, CUSP_FLOAT32, wide_b, cusp_array_count(b));
  run_plan(call->state, wide_a, wide_b, wide_c);
  convert(CUSP_FLOAT32, wide_c, c->dtype, c->data, cusp_array_count(c));
  return CUSP_OK;
}

/* bfloat16 where the CPU multiplies it: as it lies, summed in float32. */

static bool has_tiles(const cusp_call *call) {
  return call->inputs[0].dtype == CUSP_BFLOAT16 && cusp_tiles_present();
}

/** Whether a product's packed factors fit a thread's stack, so that threads share out products. */
#define TILE_STACK ((size_t)128 << 10)

static size_t tile_bytes(const matmul_plan *plan) {
  return cusp_tiles_workspace(plan->task.m, plan->task.n, plan->task.k);
}

static cusp_status tiles_prepare(cusp_call *call) {
  CUSP_TRY(blas_prepare(call));
  call->workspace_bytes = tile_bytes(call->state);
  return CUSP_OK;
}

typedef struct tiles_run {
  matmul_run run;
  cusp_dtype to;
} tiles_run;

static cusp_tile_matrix tile_matrix(const void *data, bool trans, int64_t ld) {
  return (cusp_tile_matrix){data, CUSP_BFLOAT16, trans ? 1 : ld, trans ? ld : 1};
}

static void multiply_tiles(const tiles_run *t, int64_t index, void *workspace) {
  const cusp_gemm_task *task = &t->run.plan->task;
  const char *a, *b;
  char *c;
  locate(&t->run, index, &a, &b, &c);
  cusp_tile_task product = {
      .m = task->m, .n = task->n, .k = task->k, .c = c, .c_dtype = t->to, .ldc = task->ldc};
  product.a = tile_matrix(a, task->trans_a, task->lda);
  product.b = tile_matrix(b, task->trans_b, task->ldb);
  cusp_tiles_multiply(&product, workspace);
}

static void multiply_small_tiles(void *context, int64_t begin, int64_t end) {
  char workspace[TILE_STACK] __attribute__((aligned(CUSP_ALIGNMENT)));
  for (int64_t i = begin; i < end; i++)
    multiply_tiles(context, i, workspace);
}

static cusp_status tiles_run_arrays(cusp_call *call) {
  const matmul_plan *plan = call->state;
  tiles_run t = {{plan, call->inputs[0].data, call->inputs[1].data, call->outputs[0].data},
                 call->outputs[0].dtype};
  const double flops = 2.0 * (double)plan->task.m * (double)plan->task.n * (double)plan->task.k;
  if (plan->count > 1 && tile_bytes(plan) <= TILE_STACK)
    cusp_parallel_for(plan->count, (int64_t)(6e6 / (flops + 1e4)) + 1, multiply_small_tiles, &t);
  else
    for (int64_t i = 0; i < plan->count; i++)
      multiply_tiles(&t, i, call->workspace);
  return CUSP_OK;
}

static double matmul_work(const cusp_call *call) {
  const cusp_shape *a = &call->inputs[0].shape;
  return 2.0 * (double)a->size[a->ndim - 1] * (double)cusp_shape_count(&call->outputs[0].shape);
}

/* int8 summed in int32, unless the product is too small to be worth its packing. */

#define LEAST_PACKED ((double)(1 << 15))

static bool is_int8(const cusp_call *call) {
  const cusp_shape *a = &call->inputs[0].shape;
  return call->inputs[0].dtype == CUSP_INT8 && call->inputs[1].dtype == CUSP_INT8 &&
         call->outputs[0].dtype == CUSP_INT32 && matmul_work(call) >= 2 * LEAST_PACKED &&
         a->size[a->ndim - 1] > 0;
}

static cusp_int8_task int8_task(const matmul_plan *plan) {
  const cusp_plain_product *p = &plan->plain;
  return (cusp_int8_task){.m = p->m,
                          .n = p->n,
                          .k = p->k,
                          .a_row = p->a_row,
                          .a_column = p->a_column,
                          .b_row = p->b_row,
                          .b_column = p->b_column,
                          .a = (const int8_t[]){0}};
}

static cusp_status int8_prepare(cusp_call *call) {
  CUSP_TRY(plain_prepare(call));
  const cusp_int8_task task = int8_task(call->state);
  call->workspace_bytes = cusp_int8_workspace(&task);
  return CUSP_OK;
}

static cusp_status int8_run(cusp_call *call) {
  const matmul_plan *plan = call->state;
  const matmul_run run = {plan, call->inputs[0].data, call->inputs[1].data, call->outputs[0].data};
  for (int64_t i = 0; i < plan->count; i++) {
    const char *a, *b;
    char *c;
    locate(&run, i, &a, &b, &c);
    cusp_int8_task task = int8_task(plan);
    task.a = (const int8_t *)a;
    task.b = (const int8_t *)b;
    task.c = c;
    cusp_int8_multiply(&task, call->workspace);
  }
  return CUSP_OK;
}

static bool plain_accepts(const cusp_call *call, int input) {
  (void)call;
  (void)input;
  return true;
}

static bool plain_can_run(const cusp_call *call) {
  return cusp_plain_find(call->inputs[0].dtype, call->outputs[0].dtype) != NULL;
}

/* ------------------------------------------------------------------ matmul: few rows */

/* Sizes between which a right factor is worth keeping in panels, in elements: what is smaller stays
 * in a cache, and more memory than this should not be doubled. */
#define LEAST_KEPT ((int64_t)1 << 15)
#define MOST_KEPT ((int64_t)1 << 22)
#define MOST_ROWS 96

/** The product as one of panels, without its arrays; m is 0 where it is none. */
static cusp_panels panels_of(const cusp_call *call) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1];
  cusp_panels p = {0};
  if (a->shape.ndim < 1 || b->shape.ndim != 2 || !cusp_array_is_contiguous(a) ||
      !cusp_array_is_contiguous(b))
    return p;
  p.k = b->shape.size[0];
  p.n = b->shape.size[1];
  p.a = (cusp_panel_rows){.row = p.k, .column = 1};
  if (p.k * p.n >= LEAST_KEPT && p.k * p.n <= MOST_KEPT)
    p.m = cusp_array_count(a) / p.k;
  return p;
}

static bool panels_can_run(const cusp_call *call) {
  if (!call->recurs || !(call->steady & 2) || call->inputs[0].dtype != CUSP_FLOAT32 ||
      !cusp_panel_loops_find())
    return false;
  const cusp_panels p = panels_of(call);
  return p.m > 0 && p.m <= MOST_ROWS;
}

typedef struct panels_state {
  cusp_panels panels;
  cusp_form *form;
} panels_state;

static cusp_status panels_prepare(cusp_call *call) {
  panels_state *state;
  CUSP_TRY(cusp_alloc_zeroed((void **)&state, sizeof *state));
  state->panels = panels_of(call);
  call->kept_bytes = cusp_panels_bytes(state->panels.k, state->panels.n);
  call->state = state;
  return CUSP_OK;
}

static cusp_status panels_run(cusp_call *call) {
  panels_state *state = call->state;
  cusp_panels *p = &state->panels;
  bool fill;
  CUSP_TRY(cusp_panels_form(call, &state->form, p->k, p->n, 0, &fill));
  if (fill)
    cusp_panels_pack(p->k, p->n, call->inputs[1].data, NULL, cusp_form_bytes(state->form));
  p->a.a = call->inputs[0].data;
  p->packed = cusp_form_bytes(state->form);
  p->c = call->outputs[0].data;
  cusp_panels_run(p);
  return CUSP_OK;
}

static void panels_release(cusp_call *call) {
  panels_state *state = call->state;
  if (state)
    cusp_form_release(state->form);
  cusp_free(state);
  call->state = NULL;
}

static const cusp_kernel matmul_kernels[] = {
    {.name = "panels",
     .can_run = panels_can_run,
     .prepare = panels_prepare,
     .run = panels_run,
     .release = panels_release,
     .keeps = true},
    {.name = "blas",
     .can_run = is_blas_dtype,
     .accepts = blas_accepts,
     .prepare = blas_prepare,
     .run = matmul_run_arrays,
     .release = plan_release},
    {.name = "tiles",
     .can_run = has_tiles,
     .accepts = blas_accepts,
     .prepare = tiles_prepare,
     .run = tiles_run_arrays,
     .release = plan_release},
    {.name = "half",
     .can_run = is_half,
     .prepare = half_prepare,
     .run = half_run,
     .release = plan_release},
    {.name = "int8",
     .can_run = is_int8,
     .accepts = plain_accepts,
     .prepare = int8_prepare,
     .run = int8_run,
     .release = plan_release},
    {.name = "plain",
     .can_run = plain_can_run,
     .accepts = plain_accepts,
     .prepare = plain_prepare,
     .run = matmul_run_arrays,
     .release = plan_release},
    {0},
};

/* ------------------------------------------------------------------ compositions */

static cusp_node *flatten(cusp_node *x) {
  return x ? cusp_reshape(x, &(cusp_shape){1, {cusp_shape_count(&x->type.shape)}}) : NULL;
}

static cusp_status one_output(cusp_node *result, cusp_node **outputs, int *n_outputs) {
  outputs[0] = result;
  *n_outputs = 1;
  return cusp_built(result);
}

/**
 * Sums over pairs of axes (a_axes[i] of a with b_axes[i] of b, 0-based, not negative): the free
 * axes of a, then those of b.
 */
static cusp_node *contract(cusp_node *a, cusp_node *b, const int64_t *a_axes, const int64_t *b_axes,
                           int count) {
  const cusp_shape *sa = &a->type.shape, *sb = &b->type.shape;
  int64_t a_order[CUSP_MAX_DIMS], b_order[CUSP_MAX_DIMS], inner = 1, rows = 1, columns = 1;
  cusp_shape out = {0};
  int free_a = 0, free_b = 0;
  bool used_a[CUSP_MAX_DIMS] = {false}, used_b[CUSP_MAX_DIMS] = {false};
  if (sa->ndim + sb->ndim - 2 * count > CUSP_MAX_DIMS) {
    cusp_fail(CUSP_ESHAPE, "tensordot: the result of shapes %s and %s would have more than %d axes",
              cusp_shape_text(sa), cusp_shape_text(sb), CUSP_MAX_DIMS);
    return NULL;
  }
  for (int i = 0; i < count; i++) {
    used_a[a_axes[i]] = used_b[b_axes[i]] = true;
    inner *= sa->size[a_axes[i]];
  }
  for (int i = 0; i < sa->ndim; i++)
    if (!used_a[i]) {
      a_order[free_a++] = i;
      rows *= out.size[out.ndim++] = sa->size[i];
    }
  memcpy(a_order + free_a, a_axes, (size_t)count * sizeof *a_axes);
  memcpy(b_order, b_axes, (size_t)count * sizeof *b_axes);
  for (int i = 0; i < sb->ndim; i++)
    if (!used_b[i]) {
      b_order[count + free_b++] = i;
      columns *= out.size[out.ndim++] = sb->size[i];
    }
  cusp_node *left =
      cusp_reshape(sa->ndim ? cusp_transpose(a, a_order) : a, &(cusp_shape){2, {rows, inner}});
  cusp_node *right =
      cusp_reshape(sb->ndim ? cusp_transpose(b, b_order) : b, &(cusp_shape){2, {inner, columns}});
  cusp_node *product = cusp_cast(cusp_matmul(left, right), a->type.dtype);
  return product ? cusp_reshape(product, &out) : NULL;
}

static cusp_status check_pairs(const cusp_node *a, const cusp_node *b, const int64_t *a_axes,
                               const int64_t *b_axes, int count, const char *name) {
  for (int i = 0; i < count; i++) {
    int64_t x = a->type.shape.size[a_axes[i]], y = b->type.shape.size[b_axes[i]];
    if (x != y)
      return cusp_fail(CUSP_ESHAPE,
                       "%s: axis %lld of x1 and axis %lld of x2 must have one size, got %lld and "
                       "%lld (shapes %s and %s)",
                       name, (long long)a_axes[i] + 1, (long long)b_axes[i] + 1, (long long)x,
                       (long long)y, cusp_shape_text(&a->type.shape),
                       cusp_shape_text(&b->type.shape));
  }
  return CUSP_OK;
}

/** NumPy's dot and inner: a sum over the last axis of a and one axis of b; a scalar operand
 * multiplies. */
static cusp_status dot_over(cusp_node *a, cusp_node *b, bool inner, cusp_node **outputs,
                            int *n_outputs) {
  int a_ndim = a->type.shape.ndim, b_ndim = b->type.shape.ndim;
  if (a_ndim == 0 || b_ndim == 0)
    return one_output(cusp_multiply(a, b), outputs, n_outputs);
  int64_t a_axis = a_ndim - 1, b_axis = inner || b_ndim == 1 ? b_ndim - 1 : b_ndim - 2;
  CUSP_TRY(check_pairs(a, b, &a_axis, &b_axis, 1, inner ? "inner" : "dot"));
  /* matmul's own case: no reshapes to undo in the gradient */
  if (b_ndim <= 2 && !(inner && b_ndim == 2))
    return one_output(cusp_cast(cusp_matmul(a, b), a->type.dtype), outputs, n_outputs);
  return one_output(contract(a, b, &a_axis, &b_axis, 1), outputs, n_outputs);
}

static cusp_status dot_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                               cusp_node **outputs, int *n_outputs) {
  (void)n;
  (void)attrs;
  return dot_over(x[0], x[1], false, outputs, n_outputs);
}

static cusp_status inner_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                                 cusp_node **outputs, int *n_outputs) {
  (void)n;
  (void)attrs;
  return dot_over(x[0], x[1], true, outputs, n_outputs);
}

static cusp_status outer_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                                 cusp_node **outputs, int *n_outputs) {
  (void)n;
  (void)attrs;
  cusp_node *column =
      cusp_reshape(x[0], &(cusp_shape){2, {cusp_shape_count(&x[0]->type.shape), 1}});
  return one_output(cusp_multiply(column, flatten(x[1])), outputs, n_outputs);
}

static cusp_status vdot_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                                cusp_node **outputs, int *n_outputs) {
  (void)n;
  (void)attrs;
  int64_t a = cusp_shape_count(&x[0]->type.shape), b = cusp_shape_count(&x[1]->type.shape);
  if (a != b)
    return cusp_fail(CUSP_ESHAPE,
                     "vdot: operands must have as many elements as each other, got %lld and %lld "
                     "(shapes %s and %s)",
                     (long long)a, (long long)b, cusp_shape_text(&x[0]->type.shape),
                     cusp_shape_text(&x[1]->type.shape));
  return one_output(cusp_cast(cusp_matmul(flatten(x[0]), flatten(x[1])), x[0]->type.dtype), outputs,
                    n_outputs);
}

static cusp_status normalise_axes(int64_t *out, const cusp_attr *attr, const cusp_node *x,
                                  const char *which) {
  int ndim = x->type.shape.ndim;
  bool seen[CUSP_MAX_DIMS] = {false};
  for (int i = 0; i < attr->count; i++) {
    int64_t axis = attr->ints[i] < 0 ? attr->ints[i] + ndim : attr->ints[i];
    if (axis < 0 || axis >= ndim)
      return cusp_fail(CUSP_EVALUE, "tensordot: axis %lld of %s is out of range for shape %s",
                       (long long)(attr->ints[i] < 0 ? attr->ints[i] : attr->ints[i] + 1), which,
                       cusp_shape_text(&x->type.shape));
    if (seen[axis])
      return cusp_fail(CUSP_EVALUE, "tensordot: axis %lld of %s is named twice",
                       (long long)axis + 1, which);
    seen[axis] = true;
    out[i] = axis;
  }
  return CUSP_OK;
}

static cusp_status tensordot_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                                     cusp_node **outputs, int *n_outputs) {
  (void)n;
  int64_t a_axes[CUSP_MAX_DIMS], b_axes[CUSP_MAX_DIMS];
  int count = attrs[0].count;
  if (count != attrs[1].count || count > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_EVALUE, "tensordot: expected as many axes of x1 as of x2, got %d and %d",
                     count, attrs[1].count);
  CUSP_TRY(normalise_axes(a_axes, &attrs[0], x[0], "x1"));
  CUSP_TRY(normalise_axes(b_axes, &attrs[1], x[1], "x2"));
  CUSP_TRY(check_pairs(x[0], x[1], a_axes, b_axes, count, "tensordot"));
  return one_output(contract(x[0], x[1], a_axes, b_axes, count), outputs, n_outputs);
}

/** kron(a, b)[i * m + k, ...] = a[i, ...] * b[k, ...]: an outer product with the axes
 * interleaved. */
static cusp_status kron_compose(cusp_node *const *x, int n, const cusp_attr *attrs,
                                cusp_node **outputs, int *n_outputs) {
  (void)n;
  (void)attrs;
  const cusp_shape *sa = &x[0]->type.shape, *sb = &x[1]->type.shape;
  int ndim = sa->ndim > sb->ndim ? sa->ndim : sb->ndim;
  cusp_shape left = {.ndim = 2 * ndim}, right = {.ndim = 2 * ndim}, out = {.ndim = ndim};
  if (2 * ndim > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_EUNSUPPORTED,
                     "kron: expected operands of at most %d axes, got shapes %s and %s",
                     CUSP_MAX_DIMS / 2, cusp_shape_text(sa), cusp_shape_text(sb));
  for (int i = 0; i < ndim; i++) {
    int ia = i - (ndim - sa->ndim), ib = i - (ndim - sb->ndim);
    left.size[2 * i] = ia < 0 ? 1 : sa->size[ia];
    right.size[2 * i + 1] = ib < 0 ? 1 : sb->size[ib];
    left.size[2 * i + 1] = right.size[2 * i] = 1;
    out.size[i] = left.size[2 * i] * right.size[2 * i + 1];
  }
  cusp_node *product = cusp_multiply(cusp_reshape(x[0], &left), cusp_reshape(x[1], &right));
  return one_output(product ? cusp_reshape(product, &out) : NULL, outputs, n_outputs);
}

const cusp_op cusp_ops_linear[] = {
    {.name = "matmul",
     .arguments = "x1, x2",
     .help = "Product of matrices, stacks of matrices or vectors; leading axes broadcast.",
     .promotion = CUSP_PROMOTE_COMMON,
     .infer = matmul_infer,
     .gradient = matmul_gradient,
     .kernels = matmul_kernels,
     .work = matmul_work,
     .wide = "matmul_float32",
     .instead = int8_beside_bool},
    {.name = "matmul_float32",
     .arguments = "x1, x2",
     .help = "matmul of operands of 16 bits, not rounded to them.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_NO_GRADIENT,
     .infer = wide_matmul_infer,
     .kernels = matmul_kernels,
     .work = matmul_work},
    {.name = "dot",
     .arguments = "x1, x2",
     .help = "Sum over the last axis of x1 and the last but one of x2.",
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = dot_compose},
    {.name = "inner",
     .arguments = "x1, x2",
     .help = "Sum over the last axes of both tensors.",
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = inner_compose},
    {.name = "outer",
     .arguments = "x1, x2",
     .help = "Products of each element of x1 with each of x2, both flattened.",
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = outer_compose},
    {.name = "vdot",
     .arguments = "x1, x2",
     .help = "Dot product of the two tensors flattened.",
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = vdot_compose},
    {.name = "kron",
     .arguments = "x1, x2",
     .help = "Kronecker product.",
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = kron_compose},
    {.name = "tensordot_axes",
     .arguments = "x1, x2, axes1: axes, axes2: axes",
     .help = "Sum over pairs of axes; tensordot with both lists of axes given.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = tensordot_compose},
    {.name = "einsum_operands",
     .arguments = "operands..., subscripts: string",
     .help = "Einstein summation; einsum with its operands in a list.",
     .flags = CUSP_OP_HIDDEN,
     .promotion = CUSP_PROMOTE_COMMON,
     .compose = cusp_einsum_compose,
     .instead = int8_beside_bool},
    {0},
};
