/* Products of many matrices of up to four rows and columns, such as rotations: a call of a library
 * for each would take ten times as long as its arithmetic. */
#include "matmul_kernels.h"

#include "../base/memory.h"
#include "../base/threads.h"

#define MOST 4   /* rows and columns */
#define LEAST 16 /* products that make it worth while */

typedef struct tiny_products {
  cusp_matrices left, right;
  cusp_batch batch;
  const void *a, *b;
  void *c;
} tiny_products;

bool cusp_tiny_can_run(const cusp_call *call) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1];
  if (a->shape.ndim < 2 || b->shape.ndim < 2 ||
      (a->dtype != CUSP_FLOAT32 && a->dtype != CUSP_FLOAT64) || call->outputs[0].dtype != a->dtype)
    return false;
  const cusp_matrices left = cusp_matrices_of(&a->shape, a->strides, true),
                      right = cusp_matrices_of(&b->shape, b->strides, false);
  return left.rows <= MOST && left.columns <= MOST && left.columns > 0 && right.columns <= MOST &&
         cusp_array_count(&call->outputs[0]) >= LEAST * left.rows * right.columns &&
         b->shape.ndim > 2;
}

cusp_status cusp_tiny_prepare(cusp_call *call) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1];
  tiny_products *t;
  CUSP_TRY(cusp_alloc_zeroed((void **)&t, sizeof *t));
  t->left = cusp_matrices_of(&a->shape, a->strides, true);
  t->right = cusp_matrices_of(&b->shape, b->strides, false);
  t->batch = cusp_batch_of(call);
  call->state = t;
  return CUSP_OK;
}

/* `k` is a constant wherever this is called. */
#define PRODUCT(type)                                                             \
  static inline __attribute__((always_inline)) void multiply_##type(              \
      const tiny_products *t, const type *a, const type *b, type *c, int64_t k) { \
    const int64_t a_step = t->left.column_step, b_step = t->right.row_step;       \
    for (int64_t row = 0; row < t->left.rows; row++, a += t->left.row_step)       \
      for (int64_t column = 0; column < t->right.columns; column++) {             \
        const type *right = b + column * t->right.column_step;                    \
        type sum = a[0] * right[0];                                               \
        for (int64_t i = 1; i < k; i++)                                           \
          sum += a[i * a_step] * right[i * b_step];                               \
        *c++ = sum;                                                               \
      }                                                                           \
  }                                                                               \
  static void run_##type(void *context, int64_t begin, int64_t end) {             \
    const tiny_products *t = context;                                             \
    const int64_t elements = t->left.rows * t->right.columns;                     \
    for (int64_t i = begin; i < end; i++) {                                       \
      int64_t a, b;                                                               \
      cusp_batch_offsets(&t->batch, i, &a, &b);                                   \
      const type *left = (const type *)t->a + a, *right = (const type *)t->b + b; \
      type *to = (type *)t->c + i * elements;                                     \
      switch (t->left.columns) {                                                  \
      case 1: multiply_##type(t, left, right, to, 1); break;                      \
      case 2: multiply_##type(t, left, right, to, 2); break;                      \
      case 3: multiply_##type(t, left, right, to, 3); break;                      \
      default: multiply_##type(t, left, right, to, 4);                            \
      }                                                                           \
    }                                                                             \
  }
PRODUCT(float)
PRODUCT(double)

cusp_status cusp_tiny_run(cusp_call *call) {
  tiny_products *t = call->state;
  t->a = call->inputs[0].data;
  t->b = call->inputs[1].data;
  t->c = call->outputs[0].data;
  const int64_t work = 4 + t->left.rows * t->left.columns * t->right.columns;
  cusp_parallel_for(t->batch.count, 1 + 8192 / work,
                    call->outputs[0].dtype == CUSP_FLOAT32 ? run_float : run_double, t);
  return CUSP_OK;
}

void cusp_tiny_release(cusp_call *call) {
  cusp_free(call->state);
  call->state = NULL;
}
