/* The kernels of matmul: OpenBLAS and oneDNN, tiles of bfloat16, int8 and plain loops; others are
 * in few_rows.c and tiny_products.c. */
#include "matmul_kernels.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "../kernels/blas.h"
#include "../kernels/blas_plain.h"
#include "../kernels/int8.h"
#include "../kernels/product.h"
#include "../kernels/tiles.h"
#include "../kernels/vector.h"

#include <string.h>

/* ------------------------------------------------------------------ the plan of a call */

/** What is fixed of a call: one product's geometry, and the offsets of the others. */
typedef struct matmul_plan {
  cusp_gemm_task task;
  cusp_product *product; /* the same by oneDNN; NULL where it does not pay */
  cusp_plain_product plain;
  cusp_plain_fn plain_fn; /* integers; NULL: task */
  size_t in_size, out_size;
  cusp_batch batch;
} matmul_plan;

/** Whether BLAS can read the matrix as it lies: `trans` says that its columns, not its rows, are
 * without gaps. */
static bool blas_layout(const cusp_matrices *o, bool *trans, int64_t *ld) {
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
  cusp_matrices o = cusp_matrices_of(&x->shape, x->strides, input == 0);
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

cusp_batch cusp_batch_of(const cusp_call *call) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1], *c = &call->outputs[0];
  const int left = cusp_matrices_of(&a->shape, a->strides, true).batch_ndim,
            right = cusp_matrices_of(&b->shape, b->strides, false).batch_ndim;
  cusp_batch batch = {.ndim = left > right ? left : right, .count = 1};
  batch_steps(batch.a_step, a, left, &c->shape, batch.ndim);
  batch_steps(batch.b_step, b, right, &c->shape, batch.ndim);
  for (int i = 0; i < batch.ndim; i++)
    batch.count *= batch.size[i] = c->shape.size[i];
  return batch;
}

static void plan_geometry(matmul_plan *plan, const cusp_call *call, cusp_matrices *left,
                          cusp_matrices *right) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1];
  *left = cusp_matrices_of(&a->shape, a->strides, true);
  *right = cusp_matrices_of(&b->shape, b->strides, false);
  plan->batch = cusp_batch_of(call);
  plan->in_size = cusp_dtype_size(a->dtype);
  plan->out_size = cusp_dtype_size(call->outputs[0].dtype);
}

/** Where the right operand is one matrix and the left one's leading axes continue its rows, all is
 * one tall product. */
static void merge_batch_into_rows(cusp_batch *batch, cusp_matrices *left) {
  if (left->rows > 1 && left->column_step != 1 && left->columns > 1)
    return; /* stored by columns: its rows do not continue */
  while (batch->ndim > 0) {
    int last = batch->ndim - 1;
    bool continues = left->rows == 1 || batch->a_step[last] == left->row_step * left->rows;
    if (batch->size[last] != 1 && (batch->b_step[last] != 0 || !continues))
      return;
    if (batch->size[last] != 1 && left->rows == 1)
      left->row_step = batch->a_step[last];
    left->rows *= batch->size[last];
    batch->count = batch->size[last] > 0 ? batch->count / batch->size[last] : 0;
    batch->ndim = last;
  }
}

static cusp_status plan_new(matmul_plan **out) {
  CUSP_TRY(cusp_alloc_zeroed((void **)out, sizeof **out));
  return CUSP_OK;
}

static void fill_task(matmul_plan *plan, const cusp_matrices *left, const cusp_matrices *right,
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
  cusp_matrices left, right;
  CUSP_TRY(plan_new(&plan));
  plan_geometry(plan, call, &left, &right);
  cusp_matrices merged = left;
  const cusp_batch batch = plan->batch;
  merge_batch_into_rows(&plan->batch, &merged);
  bool trans;
  int64_t ld;
  if (blas_layout(&merged, &trans, &ld))
    left = merged;
  else
    plan->batch = batch;
  fill_task(plan, &left, &right, call->inputs[0].dtype);
  if (plan->batch.count == 1)
    plan->product = cusp_product_new(&plan->task);
  if (plan->product)
    call->workspace_bytes = cusp_product_workspace(plan->product);
  call->state = plan;
  return CUSP_OK;
}

static cusp_status plain_prepare(cusp_call *call) {
  matmul_plan *plan = NULL;
  cusp_matrices left, right;
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

/* ------------------------------------------------------------------ running */

typedef struct matmul_run {
  const matmul_plan *plan;
  const char *a, *b;
  char *c;
} matmul_run;

/** The operands of product `index` of the batch. */
static void locate(const matmul_run *run, int64_t index, const char **a, const char **b, char **c) {
  const matmul_plan *plan = run->plan;
  int64_t a_offset, b_offset;
  cusp_batch_offsets(&plan->batch, index, &a_offset, &b_offset);
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
  if (!plan->plain_fn && flops > 2e7 && plan->batch.count < 4 * cusp_get_num_threads()) {
    for (int64_t i = 0; i < plan->batch.count; i++) {
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
  cusp_parallel_for(plan->batch.count, (int64_t)(1.5e6 / (flops + 1e4)) + 1, run_products, &run);
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

static bool is_half(const cusp_call *call) {
  return cusp_dtype_is_float(call->inputs[0].dtype) && !is_blas_dtype(call);
}

static cusp_status half_prepare(cusp_call *call) {
  CUSP_TRY(blas_prepare(call));
  matmul_plan *plan = call->state;
  plan->task.dtype = CUSP_FLOAT32;
  plan->in_size = plan->out_size = sizeof(float);
  call->workspace_bytes = cusp_wide_bytes(&call->inputs[0]) + cusp_wide_bytes(&call->inputs[1]) +
                          cusp_wide_bytes(&call->outputs[0]);
  return CUSP_OK;
}

static cusp_status half_run(cusp_call *call) {
  CUSP_TRY(cusp_blas_ready());
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1], *c = &call->outputs[0];
  char *wide_a = call->workspace, *wide_b = wide_a + cusp_wide_bytes(a),
       *wide_c = wide_b + cusp_wide_bytes(b);
  cusp_vector_convert(a->dtype, a->data, CUSP_FLOAT32, wide_a, cusp_array_count(a));
  cusp_vector_convert(b->dtype, b->data, CUSP_FLOAT32, wide_b, cusp_array_count(b));
  run_plan(call->state, wide_a, wide_b, wide_c);
  cusp_vector_convert(CUSP_FLOAT32, wide_c, c->dtype, c->data, cusp_array_count(c));
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

static void multiply_tiles(const tiles_run *t, int64_t index, void *workspace) {
  const cusp_gemm_task *task = &t->run.plan->task;
  const char *a, *b;
  char *c;
  locate(&t->run, index, &a, &b, &c);
  cusp_tile_task product = {
      .m = task->m, .n = task->n, .k = task->k, .c = c, .c_dtype = t->to, .ldc = task->ldc};
  product.a = cusp_tile_matrix_of(a, CUSP_BFLOAT16, task->trans_a, task->lda);
  product.b = cusp_tile_matrix_of(b, CUSP_BFLOAT16, task->trans_b, task->ldb);
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
  if (plan->batch.count > 1 && tile_bytes(plan) <= TILE_STACK)
    cusp_parallel_for(plan->batch.count, (int64_t)(6e6 / (flops + 1e4)) + 1, multiply_small_tiles,
                      &t);
  else
    for (int64_t i = 0; i < plan->batch.count; i++)
      multiply_tiles(&t, i, call->workspace);
  return CUSP_OK;
}

double cusp_matmul_work(const cusp_call *call) {
  const cusp_shape *a = &call->inputs[0].shape;
  return 2.0 * (double)a->size[a->ndim - 1] * (double)cusp_shape_count(&call->outputs[0].shape);
}

/* int8 summed in int32, unless the product is too small to be worth its packing. */

#define LEAST_PACKED ((double)(1 << 15))

static bool is_int8(const cusp_call *call) {
  const cusp_shape *a = &call->inputs[0].shape;
  return call->inputs[0].dtype == CUSP_INT8 && call->inputs[1].dtype == CUSP_INT8 &&
         call->outputs[0].dtype == CUSP_INT32 && cusp_matmul_work(call) >= 2 * LEAST_PACKED &&
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
  for (int64_t i = 0; i < plan->batch.count; i++) {
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

static bool plain_can_run(const cusp_call *call) {
  return cusp_plain_find(call->inputs[0].dtype, call->outputs[0].dtype) != NULL;
}

const cusp_kernel cusp_matmul_kernels[] = {
    {.name = "panels",
     .can_run = cusp_few_rows_can_run,
     .prepare = cusp_few_rows_prepare,
     .run = cusp_few_rows_run,
     .release = cusp_few_rows_release,
     .keeps = true},
    {.name = "tiny",
     .can_run = cusp_tiny_can_run,
     .accepts = cusp_accepts_any,
     .prepare = cusp_tiny_prepare,
     .run = cusp_tiny_run,
     .release = cusp_tiny_release},
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
     .accepts = cusp_accepts_any,
     .prepare = int8_prepare,
     .run = int8_run,
     .release = plan_release},
    {.name = "plain",
     .can_run = plain_can_run,
     .accepts = cusp_accepts_any,
     .prepare = plain_prepare,
     .run = matmul_run_arrays,
     .release = plan_release},
    {0},
};
