/* The graph: lazy values, gradients, tapes, variables, traces, plans. */
#include "check.h"

#include "cusp.h"

#include <stdlib.h>

static cusp_shape shape_of(int ndim, int64_t a, int64_t b) {
  return (cusp_shape){.ndim = ndim, .size = {a, b}};
}

/* A leaf [rows, columns] of 0, 1, 2, ... times `scale`. */
static cusp_node *counting(int64_t rows, int64_t columns, double scale) {
  cusp_shape shape = shape_of(2, rows, columns);
  cusp_array array;
  cusp_node *leaf = NULL;
  CHECK_OK(cusp_array_new(&array, CUSP_FLOAT32, &shape));
  for (int64_t i = 0; i < rows * columns; i++)
    ((float *)array.data)[i] = (float)((double)i * scale);
  CHECK_OK(cusp_node_leaf(&leaf, &array));
  cusp_array_release(&array);
  return cusp_scope_adopt(leaf);
}

static double element(cusp_node *node, int64_t index) {
  if (!node || cusp_evaluate(1, &node) != CUSP_OK)
    return NAN;
  cusp_array flat, copy;
  if (cusp_array_new(&copy, node->type.dtype, &node->type.shape) != CUSP_OK)
    return NAN;
  cusp_array_copy(&copy, &node->value);
  flat = copy;
  double value =
      cusp_load_double(flat.dtype, (char *)flat.data + (size_t)index * cusp_dtype_size(flat.dtype));
  cusp_array_release(&copy);
  return value;
}

static void test_lazy_values(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = counting(2, 3, 1);
  cusp_node *y = cusp_add(cusp_multiply(x, cusp_scalar_like(2, x)), cusp_scalar_like(1, x));
  CHECK(!cusp_node_evaluated(y));
  CHECK_NEAR(element(y, 5), 11, 0);
  CHECK(cusp_node_evaluated(y));
  CHECK(y->inputs == NULL);
  cusp_node *t = cusp_transpose(x, NULL);
  CHECK_NEAR(element(cusp_add(t, t), 1), 6, 0);
  CHECK_NEAR(element(cusp_matmul(x, t), 3), 50, 1e-5);
  int64_t axis = 0;
  CHECK_NEAR(element(cusp_sum_axes(cusp_multiply(x, x), &axis, 1, false), 2), 29, 1e-5);
  cusp_scope_close(scope);
}

static void test_equal_structures_share_a_plan(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = counting(3, 3, 1);
  element(cusp_subtract(cusp_multiply(x, x), x), 0);
  cusp_graph_stats before = cusp_graph_get_stats();
  for (int i = 0; i < 10; i++)
    element(cusp_subtract(cusp_multiply(x, x), x), 0);
  cusp_graph_stats after = cusp_graph_get_stats();
  CHECK(after.plans_made == before.plans_made);
  CHECK(after.plan_cache_hits == before.plan_cache_hits + 10);
  cusp_scope_close(scope);
}

static void test_gradients(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = counting(2, 3, 0.5), *w = counting(3, 2, 0.25), *gradients[2], *second[1];
  cusp_node *y =
      cusp_sum_axes(cusp_apply_1("square", cusp_matmul(x, w)), (int64_t[]){0, 1}, 2, false);
  CHECK_OK(cusp_gradients(gradients, 1, &y, NULL, 2, (cusp_node *[]){x, w}));
  cusp_scope_adopt(gradients[0]);
  cusp_scope_adopt(gradients[1]);
  cusp_node *total = cusp_sum_axes(gradients[0], (int64_t[]){0, 1}, 2, false);
  /* before evaluation lets go of the way back to x */
  CHECK_OK(cusp_gradients(second, 1, &total, NULL, 1, &x));
  cusp_scope_adopt(second[0]);
  /* y = sum (x w)^2: dy/dx = 2 (x w) w^T; x w = [[1.25, 1.625], [3.5, 5]] */
  CHECK_NEAR(element(gradients[0], 0), 2 * 1.625 * 0.25, 1e-5);
  CHECK_NEAR(element(gradients[1], 0), 2 * (3.5 * 1.5), 1e-4);
  /* d/dx_00 of the sum: 2 * sum_jk w_0k w_jk = 2 * 0.25 * (0.25 + 0.75 + 1.25) */
  CHECK_NEAR(element(second[0], 0), 2 * 0.25 * 2.25, 1e-4);
  cusp_scope_close(scope);
}

static void test_tape_keeps_inputs(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_tape *tape = NULL;
  cusp_node *x = counting(1, 3, 1), *gradient;
  CHECK_OK(cusp_tape_new(&tape, true));
  CHECK_OK(cusp_tape_watch(tape, x));
  cusp_node *y = cusp_multiply(x, x);
  CHECK_NEAR(element(y, 2), 4, 0);
  CHECK(y->inputs != NULL);
  CHECK_OK(cusp_tape_gradients(tape, &gradient, 1, &y, NULL, 1, &x));
  cusp_scope_adopt(gradient);
  CHECK_NEAR(element(gradient, 2), 4, 0);
  cusp_tape_free(tape);
  CHECK(y->inputs == NULL);
  cusp_scope_close(scope);
}

static void test_variables_keep_meaning(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_variable *v = NULL;
  cusp_node *now, *x = counting(1, 2, 3);
  CHECK_OK(cusp_variable_new(&v, x, true));
  CHECK_OK(cusp_variable_read(&now, v));
  cusp_node *y = cusp_multiply(now, cusp_scalar_like(2, now));
  CHECK_OK(cusp_variable_assign(v, cusp_zeros_like(x)));
  CHECK_NEAR(element(y, 1), 6, 0);
  CHECK_OK(cusp_variable_read(&now, v));
  CHECK_NEAR(element(now, 1), 0, 0);
  CHECK_FAILS(CUSP_ESHAPE, "[1, 2]", cusp_variable_assign(v, counting(2, 2, 1)));
  cusp_variable_release(v);
  cusp_scope_close(scope);
}

/* v <- v - 0.5 * x, and the sum of the old v comes back. */
static cusp_function *trace_step(cusp_variable *v) {
  cusp_scope scope = cusp_scope_open();
  cusp_trace *trace;
  cusp_node *x, *now;
  cusp_function *step = NULL;
  cusp_type type = {CUSP_FLOAT32, shape_of(2, 2, 2)};
  CHECK_OK(cusp_trace_begin(&trace));
  CHECK_OK(cusp_trace_placeholder(&x, trace, &type));
  CHECK_OK(cusp_variable_read(&now, v));
  cusp_node *sum = cusp_sum_axes(now, (int64_t[]){0, 1}, 2, false);
  CHECK_OK(cusp_variable_assign(v, cusp_subtract(now, cusp_multiply(x, cusp_scalar_like(0.5, x)))));
  CHECK_FAILS(CUSP_ETRACED, "traced", cusp_evaluate(1, &sum));
  CHECK_OK(cusp_function_new(&step, trace, 1, &sum));
  cusp_scope_close(scope);
  return step;
}

static void test_function_updates_in_place(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_variable *v = NULL;
  CHECK_OK(cusp_variable_new(
      &v, cusp_full(&(cusp_shape){.ndim = 2, .size = {2, 2}}, 1, CUSP_FLOAT32), true));
  cusp_function *step = trace_step(v);
  cusp_node *x = counting(2, 2, 1), *now;
  cusp_array sum;
  void *memory = v->value->value.data;
  CHECK_OK(cusp_function_run(step, 1, &x->value, &sum));
  CHECK_NEAR(*(float *)sum.data, 4, 0);
  cusp_array_release(&sum);
  CHECK(v->value->value.data == memory);
  CHECK_OK(cusp_variable_read(&now, v));
  CHECK_OK(cusp_function_run(step, 1, &x->value, &sum));
  CHECK_NEAR(*(float *)sum.data, 1, 0);
  cusp_array_release(&sum);
  CHECK_NEAR(element(now, 3), -0.5, 0); /* the reader keeps the value it read */
  CHECK_NEAR(element(v->value, 3), -2, 0);
  CHECK_FAILS(CUSP_ESHAPE, "[2, 2]",
              cusp_function_run(step, 1, &(cusp_array){.dtype = CUSP_FLOAT32}, &sum));
  cusp_function_free(step);
  cusp_variable_release(v);
  cusp_scope_close(scope);
}

static void test_batches(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_variable *v = NULL;
  CHECK_OK(cusp_variable_new(
      &v, cusp_full(&(cusp_shape){.ndim = 2, .size = {2, 2}}, 0, CUSP_FLOAT32), true));
  cusp_function *step = trace_step(v);
  cusp_node *x = counting(6, 2, 1);
  int64_t order[6] = {5, 4, 3, 2, 1, 0}, done;
  cusp_batches batches = {
      .n_arrays = 1, .arrays = &x->value, .order = order, .samples = 6, .batch_size = 2};
  CHECK_OK(cusp_function_run_batches(step, &batches, 0, 3, 0, &done, NULL));
  CHECK(done == 3);
  CHECK_NEAR(element(v->value, 0), -0.5 * (10 + 6 + 2), 0);
  CHECK_FAILS(CUSP_EVALUE, "do not exist",
              cusp_function_run_batches(step, &batches, 0, 4, 0, &done, NULL));
  cusp_function_free(step);
  cusp_variable_release(v);
  cusp_scope_close(scope);
}

static void test_softmax_like_graph_is_fused(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = counting(4, 5, 0.1);
  int64_t axis = 1;
  cusp_node *e = cusp_apply_1(
      "exp",
      cusp_subtract(x, CUSP_APPLY1("max", x, cusp_attr_ints(&axis, 1), cusp_attr_bool(true))));
  cusp_node *y = cusp_divide(e, cusp_sum_axes(e, &axis, 1, true));
  double sum = 0;
  for (int i = 0; i < 5; i++)
    sum += element(y, i);
  CHECK_NEAR(sum, 1, 1e-6);
  cusp_scope_close(scope);
}

static void test_nothing_is_left(void) {
  cusp_graph_stats stats = cusp_graph_get_stats();
  CHECK(stats.nodes_live == 0);
  CHECK(stats.pending == 0);
}

int main(void) {
  test_lazy_values();
  test_equal_structures_share_a_plan();
  test_gradients();
  test_tape_keeps_inputs();
  test_variables_keep_meaning();
  test_function_updates_in_place();
  test_batches();
  test_softmax_like_graph_is_fused();
  test_nothing_is_left();
  return check_summary();
}
