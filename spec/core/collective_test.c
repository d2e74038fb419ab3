/* Sums over processes within plans: what begins early, ends late, and always ends. */
#include "check.h"

#include "cusp.h"

enum { MOST = 16 };

/* A transport of two processes that have the same: a sum is there once it was waited for. */
static char events[2 * MOST + 1];
static cusp_transport_sum sums[MOST + 1];
static uint64_t begun;
static uint64_t lost; /* the number of a sum whose wait fails; 0: none */

static uint64_t start(const cusp_transport_sum *sum, char *message, size_t bytes) {
  (void)message, (void)bytes;
  sums[++begun] = *sum;
  events[strlen(events)] = 's';
  return begun;
}

static bool wait_for(uint64_t number, cusp_span *span, char *message, size_t bytes) {
  *span = (cusp_span){0};
  events[strlen(events)] = (char)('0' + number);
  snprintf(message, bytes, "process 1 did not come");
  float *data = sums[number].data;
  for (size_t i = 0; i < sums[number].count; i++)
    data[i] *= 2;
  return number != lost;
}

static void reset(void) {
  memset(events, 0, sizeof events);
  begun = lost = 0;
}

static cusp_node *filled(int64_t size, double value) {
  cusp_shape shape = {.ndim = size ? 2 : 0, .size = {size, size}};
  cusp_array array;
  cusp_node *leaf = NULL;
  CHECK_OK(cusp_array_new(&array, CUSP_FLOAT32, &shape));
  for (int64_t i = 0; i < cusp_array_count(&array); i++)
    ((float *)array.data)[i] = (float)value;
  CHECK_OK(cusp_node_leaf(&leaf, &array));
  cusp_array_release(&array);
  return cusp_scope_adopt(leaf);
}

static cusp_node *all_reduce(cusp_node *x) {
  return CUSP_APPLY2("all_reduce", x, filled(0, 1), cusp_attr_bool(true));
}

static float first_of(const cusp_node *node) { return *(const float *)node->value.data; }

static void test_sums_begin_early_and_end_late(void) {
  cusp_scope scope = cusp_scope_open();
  reset();
  cusp_node *x = filled(4, 1), *one = filled(4, 1);
  cusp_node *a = cusp_matmul(x, x), *sum_a = all_reduce(a);
  cusp_node *b = cusp_matmul(a, x), *sum_b = all_reduce(b);
  /* asked for in the other order, and each used at once */
  cusp_node *results[] = {cusp_add(sum_b, one), cusp_add(sum_a, one)};
  CHECK_OK(cusp_evaluate(2, results));
  CHECK(strcmp(events, "ss12") == 0);
  CHECK_NEAR(first_of(results[0]), 33, 0);
  CHECK_NEAR(first_of(results[1]), 9, 0);
  cusp_scope_close(scope);
}

static void test_a_sum_of_a_sum_waits(void) {
  cusp_scope scope = cusp_scope_open();
  reset();
  cusp_node *x = filled(4, 1), *sum = all_reduce(cusp_add(x, x));
  cusp_node *result = all_reduce(cusp_multiply(sum, sum));
  CHECK_OK(cusp_evaluate(1, &result));
  CHECK(strcmp(events, "s1s2") == 0);
  CHECK_NEAR(first_of(result), 32, 0);
  cusp_scope_close(scope);
}

static void test_several_tensors_travel_together(void) {
  cusp_scope scope = cusp_scope_open();
  reset();
  cusp_node *inputs[] = {filled(0, 0.5), filled(2, 3), filled(3, 5)}, *gradient = NULL;
  cusp_node *sum = cusp_apply("all_reduce_list", 3, inputs, 0, NULL);
  CHECK(sum->type.shape.ndim == 1 && sum->type.shape.size[0] == 13);
  cusp_node *total = cusp_sum_axes(cusp_multiply(sum, sum), (int64_t[]){0}, 1, false);
  CHECK_OK(cusp_gradients(&gradient, 1, &total, NULL, 1, &inputs[2]));
  cusp_scope_adopt(gradient);
  CHECK_OK(cusp_evaluate(1, &gradient));
  CHECK_NEAR(first_of(gradient), 10, 0); /* of two processes with the half each: 2 * 5 */
  CHECK(gradient->type.shape.ndim == 2 && gradient->type.shape.size[0] == 3);
  cusp_scope_close(scope);
}

static cusp_node *out_of_range(cusp_node *x) {
  cusp_node *index = cusp_cast(filled(0, 1000), CUSP_INT32);
  return CUSP_APPLY2("take", x, index, cusp_attr_int(0));
}

/* What was begun writes into memory of the run: it ends before that is given back. */
static void test_all_that_began_ends(void) {
  cusp_scope scope = cusp_scope_open();
  reset();
  cusp_node *x = filled(4, 1), *a = cusp_matmul(x, x), *sums_of[3] = {all_reduce(a)};
  sums_of[1] = all_reduce(cusp_matmul(a, x));
  sums_of[2] = out_of_range(sums_of[0]);
  CHECK_FAILS(CUSP_EVALUE, "1000 is out of range", cusp_evaluate(3, sums_of));
  CHECK(strcmp(events, "ss12") == 0);

  reset();
  cusp_node *others[] = {all_reduce(cusp_add(x, x)), all_reduce(cusp_multiply(x, x))};
  lost = 1;
  CHECK_FAILS(CUSP_EBACKEND, "process 1 did not come", cusp_evaluate(2, others));
  CHECK(strcmp(events, "ss12") == 0);
  cusp_scope_close(scope);
}

int main(void) {
  static cusp_transport transport = {.rank = 0, .size = 2, .start = start, .wait = wait_for};
  cusp_transport_set(&transport);
  test_sums_begin_early_and_end_late();
  test_a_sum_of_a_sum_waits();
  test_several_tensors_travel_together();
  test_all_that_began_ends();
  cusp_transport_set(NULL);
  return check_summary();
}
