/* Passes: the graph before and after each. */
#include "check.h"

#include "graph/import.h"
#include "graph/passes.h"
#include "graph/plan.h"
#include "node/build.h"

#include <stdlib.h>
#include <string.h>

static cusp_node *leaf(int64_t rows, int64_t columns) {
  cusp_shape shape = {.ndim = 2, .size = {rows, columns}};
  cusp_array array;
  cusp_node *node = NULL;
  CHECK_OK(cusp_array_new(&array, CUSP_FLOAT32, &shape));
  for (int64_t i = 0; i < rows * columns; i++)
    ((float *)array.data)[i] = (float)i;
  CHECK_OK(cusp_node_leaf(&node, &array));
  cusp_array_release(&array);
  return cusp_scope_adopt(node);
}

/* The graph below `outputs`, constants included, before any pass. */
static cusp_graph graph_of(int n, cusp_node *const *outputs) {
  cusp_order order = {0};
  cusp_graph graph = {0};
  CHECK_OK(cusp_order_collect(&order, n, outputs, cusp_stop_at_leaves));
  CHECK_OK(cusp_graph_import(&graph, &order, true, n, outputs));
  cusp_order_free(&order);
  return graph;
}

static int live_operations(const cusp_graph *graph) {
  int count = 0;
  for (int i = 0; i < graph->n_operations; i++)
    count += !graph->operations[i].dead;
  return count;
}

static int steps_of(cusp_graph *graph) {
  cusp_plan *plan = NULL;
  cusp_plan_options options = {0};
  CHECK_OK(cusp_plan_new(&plan, graph, &options));
  int steps = plan ? cusp_plan_n_steps(plan) : -1;
  cusp_plan_free(plan);
  return steps;
}

static void test_simplify(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = leaf(2, 3);
  cusp_node *y = cusp_add(cusp_multiply(x, cusp_scalar_like(1, x)), cusp_scalar_like(0, x));
  cusp_graph graph = graph_of(1, &y);
  CHECK(live_operations(&graph) == 2);
  CHECK_OK(cusp_pass_simplify(&graph));
  CHECK_OK(cusp_pass_dead(&graph));
  CHECK(live_operations(&graph) == 0);
  CHECK(graph.values[graph.outputs[0]].kind == CUSP_VALUE_LEAF);
  cusp_graph_free(&graph);
  cusp_scope_close(scope);
}

static void test_simplify_keeps_what_changes_the_type(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = leaf(1, 3), *y = leaf(2, 3);
  cusp_node *z = cusp_multiply(x, cusp_ones_like(y)); /* broadcasts: not x */
  cusp_graph graph = graph_of(1, &z);
  CHECK_OK(cusp_pass_simplify(&graph));
  CHECK_OK(cusp_pass_dead(&graph));
  CHECK(live_operations(&graph) == 1);
  cusp_graph_free(&graph);
  cusp_scope_close(scope);
}

static void test_common(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = leaf(2, 3);
  cusp_node *y = cusp_add(cusp_apply_1("exp", x), cusp_apply_1("exp", x));
  cusp_graph graph = graph_of(1, &y);
  CHECK(live_operations(&graph) == 3);
  CHECK_OK(cusp_pass_common(&graph));
  CHECK_OK(cusp_pass_dead(&graph));
  CHECK(live_operations(&graph) == 2);
  CHECK_OK(cusp_graph_verify(&graph));
  cusp_graph_free(&graph);
  cusp_scope_close(scope);
}

static const cusp_operation *producer_of_output(const cusp_graph *graph, int output) {
  return cusp_graph_producer(graph, graph->outputs[output]);
}

/* In a compiled function the product and the sum are not rounded before they are converted. */
static void test_widen(bool traced) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = cusp_cast(leaf(3, 3), CUSP_BFLOAT16), *y = cusp_matmul(x, x);
  int64_t axis = 0;
  cusp_node *outputs[2] = {cusp_cast(y, CUSP_FLOAT32),
                           cusp_cast(cusp_sum_axes(x, &axis, 1, false), CUSP_FLOAT32)};
  cusp_graph graph = graph_of(2, outputs);
  graph.traced = traced;
  CHECK_OK(cusp_pass_widen(&graph));
  CHECK_OK(cusp_graph_verify(&graph));
  CHECK(strcmp(traced ? "matmul_float32" : "cast", producer_of_output(&graph, 0)->op->name) == 0);
  CHECK(strcmp(traced ? "sum" : "cast", producer_of_output(&graph, 1)->op->name) == 0);
  CHECK(graph.values[graph.outputs[0]].type.dtype == CUSP_FLOAT32);
  cusp_graph_free(&graph);
  cusp_scope_close(scope);
}

/* A product that others read too stays as it is. */
static void test_widen_keeps_what_is_read_twice(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = cusp_cast(leaf(3, 3), CUSP_BFLOAT16), *y = cusp_matmul(x, x);
  cusp_node *outputs[2] = {cusp_cast(y, CUSP_FLOAT32), cusp_negative(y)};
  cusp_graph graph = graph_of(2, outputs);
  graph.traced = true;
  CHECK_OK(cusp_pass_widen(&graph));
  CHECK(strcmp("cast", producer_of_output(&graph, 0)->op->name) == 0);
  cusp_graph_free(&graph);
  cusp_scope_close(scope);
}

/* Two loops that read one conversion get one each. */
static void test_widen_converts_apart(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = cusp_cast(leaf(3, 3), CUSP_BFLOAT16), *wide = cusp_cast(x, CUSP_FLOAT32);
  cusp_node *outputs[2] = {cusp_negative(wide), cusp_multiply(wide, wide)};
  cusp_graph graph = graph_of(2, outputs);
  CHECK(live_operations(&graph) == 4);
  CHECK_OK(cusp_pass_widen(&graph));
  CHECK_OK(cusp_graph_verify(&graph));
  CHECK(live_operations(&graph) == 5);
  CHECK(producer_of_output(&graph, 0)->inputs[0] != producer_of_output(&graph, 1)->inputs[0]);
  cusp_graph_free(&graph);
  cusp_scope_close(scope);
}

/** relu_gradient(select(mask, 0, dy), r) with the mask of a clipped r. */
static cusp_node *clipped_back(cusp_node *r) {
  cusp_node *zero = cusp_scalar_like(0, r), *above = cusp_greater(r, cusp_scalar_like(6, r));
  return cusp_apply_2("relu_gradient", cusp_where(above, zero, leaf(2, 3)), r);
}

/* The way back asks for a mask of the relu's input, not for the relu; only of a relu. */
static void test_masks(bool of_relu) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = leaf(2, 3), *back = clipped_back(of_relu ? cusp_apply_1("relu", x) : x);
  cusp_graph graph = graph_of(1, &back);
  graph.traced = true;
  CHECK_OK(cusp_pass_masks(&graph));
  CHECK_OK(cusp_pass_dead(&graph));
  CHECK_OK(cusp_graph_verify(&graph));
  const cusp_operation *last = producer_of_output(&graph, 0);
  CHECK(strcmp(last->op->name, of_relu ? "select_where" : "relu_gradient") == 0);
  CHECK(live_operations(&graph) == (of_relu ? 6 : 3));
  cusp_graph_free(&graph);
  cusp_scope_close(scope);
}

static void test_elementwise_runs_share_a_step(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = leaf(4, 6);
  int64_t axis = 1;
  cusp_node *y = cusp_apply_1("tanh", cusp_add(cusp_multiply(x, x), x));
  cusp_node *outputs[2] = {y, cusp_sum_axes(y, &axis, 1, false)};
  cusp_graph graph = graph_of(2, outputs);
  CHECK(steps_of(&graph) == 1); /* the sum is taken in the same loop */
  cusp_scope_close(scope);
}

static void test_no_cycle_through_a_product(void) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *x = leaf(3, 3);
  cusp_node *a = cusp_apply_1("exp", x);
  /* the sum cannot run with exp: the product lies between */
  cusp_node *y = cusp_add(cusp_matmul(a, a), a);
  cusp_graph graph = graph_of(1, &y);
  CHECK(steps_of(&graph) == 3);
  cusp_scope_close(scope);
}

int main(void) {
  test_simplify();
  test_simplify_keeps_what_changes_the_type();
  test_common();
  test_widen(true);
  test_widen(false);
  test_widen_keeps_what_is_read_twice();
  test_widen_converts_apart();
  test_masks(true);
  test_masks(false);
  test_elementwise_runs_share_a_step();
  test_no_cycle_through_a_product();
  return check_summary();
}
