/*
 * Sorting and searching. The kernels give indices, along the last axis; values are gathered by
 * them, so that gradients are those of the gathering.
 */

#include "../kernels/sort.h"
#include "../base/memory.h"
#include "../base/threads.h"
#include "../node/build.h"
#include "../node/infer.h"
#include "axes.h"

#include <string.h>

/* ------------------------------------------------------------------ kernels */

/** Rows are dealt out in at most so many pieces, each with scratch memory of its own. */
static int64_t piece_count(int64_t rows) {
  int threads = cusp_get_num_threads();
  return rows < 1 ? 1 : rows < threads ? rows : threads;
}

static int64_t row_length(const cusp_array *x) { return x->shape.size[x->shape.ndim - 1]; }

static int64_t row_count(const cusp_array *x) {
  cusp_shape rows = x->shape;
  rows.ndim--;
  return cusp_shape_count(&rows);
}

/** The plan's number of pieces, kept because the number of threads may change between prepare and
 * run. */
typedef struct sort_state {
  int64_t pieces;
} sort_state;

static cusp_status sort_prepare(cusp_call *call) {
  int64_t n = row_length(&call->inputs[0]),
          pieces = piece_count(n < 64 ? 1 : row_count(&call->inputs[0]));
  size_t records;
  sort_state *state = NULL;
  CUSP_TRY(cusp_multiply_size(&records, (size_t)n, 2 * (size_t)pieces));
  CUSP_TRY(cusp_multiply_size(&call->workspace_bytes, records, sizeof(cusp_sort_record)));
  CUSP_TRY(cusp_alloc((void **)&state, sizeof *state));
  state->pieces = pieces;
  call->state = state;
  return CUSP_OK;
}

static void sort_release(cusp_call *call) {
  cusp_free(call->state);
  call->state = NULL;
}

/** Row `row`: its elements, where its indices go, scratch memory. */
typedef void (*row_fn)(const cusp_call *call, const void *x, int32_t *out,
                       cusp_sort_record *scratch);

typedef struct row_task {
  const cusp_call *call;
  row_fn fn;
  int64_t pieces;
} row_task;

static void run_pieces(void *context, int64_t begin, int64_t end) {
  const row_task *task = context;
  const cusp_array *x = &task->call->inputs[0], *out = &task->call->outputs[0];
  int64_t n = row_length(x), rows = row_count(x), width = row_length(out);
  for (int64_t piece = begin; piece < end; piece++) {
    cusp_sort_record *scratch = (cusp_sort_record *)task->call->workspace + 2 * n * piece;
    for (int64_t row = rows * piece / task->pieces; row < rows * (piece + 1) / task->pieces; row++)
      task->fn(task->call, (const char *)x->data + (size_t)(row * n) * cusp_dtype_size(x->dtype),
               (int32_t *)out->data + row * width, scratch);
  }
}

static cusp_status run_by_rows(cusp_call *call, row_fn fn) {
  row_task task = {call, fn, ((const sort_state *)call->state)->pieces};
  bool small = cusp_array_count(&call->inputs[0]) < 4096;
  cusp_parallel_for(task.pieces, small ? task.pieces : 1, run_pieces, &task);
  return CUSP_OK;
}

static void argsort_row(const cusp_call *call, const void *x, int32_t *out,
                        cusp_sort_record *scratch) {
  cusp_argsort(call->inputs[0].dtype, row_length(&call->inputs[0]), x, out, scratch);
}
static cusp_status argsort_run(cusp_call *call) { return run_by_rows(call, argsort_row); }

static void top_k_row(const cusp_call *call, const void *x, int32_t *out,
                      cusp_sort_record *scratch) {
  cusp_top_k(call->inputs[0].dtype, row_length(&call->inputs[0]), call->attrs[0].integer, x, out,
             scratch);
}
static cusp_status top_k_run(cusp_call *call) { return run_by_rows(call, top_k_row); }

static void search_range(void *context, int64_t begin, int64_t end) {
  const cusp_call *call = context;
  const cusp_array *x = &call->inputs[0], *values = &call->inputs[1];
  size_t size = cusp_dtype_size(x->dtype);
  for (int64_t i = begin; i < end; i++)
    ((int32_t *)call->outputs[0].data)[i] = (int32_t)cusp_search_sorted(
        x->dtype, x->shape.size[0], x->data, (const char *)values->data + (size_t)i * size,
        call->attrs[0].integer != 0);
}

static cusp_status search_run(cusp_call *call) {
  cusp_parallel_for(cusp_array_count(&call->inputs[1]), 256, search_range, call);
  return CUSP_OK;
}

static const cusp_kernel argsort_kernels[] = {
    {.name = "radix", .prepare = sort_prepare, .run = argsort_run, .release = sort_release}, {0}};
static const cusp_kernel top_k_kernels[] = {
    {.name = "heap", .prepare = sort_prepare, .run = top_k_run, .release = sort_release}, {0}};
static const cusp_kernel search_kernels[] = {{.name = "bisection", .run = search_run}, {0}};

/* ------------------------------------------------------------------ types */

static cusp_status check_row(cusp_inference *inference) {
  const cusp_shape *shape = &inference->inputs[0].shape;
  if (shape->ndim < 1)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "expected at least one axis, got a scalar");
  if (shape->size[shape->ndim - 1] > INT32_MAX)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "at most %d elements along the axis, got %lld",
                           INT32_MAX, (long long)shape->size[shape->ndim - 1]);
  return CUSP_OK;
}

static cusp_status argsort_infer(cusp_inference *inference) {
  CUSP_TRY(check_row(inference));
  inference->outputs[0] = (cusp_type){CUSP_INT32, inference->inputs[0].shape};
  return CUSP_OK;
}

static cusp_status top_k_infer(cusp_inference *inference) {
  int64_t k = inference->attrs[0].integer;
  CUSP_TRY(check_row(inference));
  cusp_shape shape = inference->inputs[0].shape;
  if (k < 0 || k > shape.size[shape.ndim - 1])
    return cusp_infer_fail(inference, CUSP_EVALUE,
                           "k should be between 0 and the size of the last axis, %lld, got %lld",
                           (long long)shape.size[shape.ndim - 1], (long long)k);
  shape.size[shape.ndim - 1] = k;
  inference->outputs[0] = (cusp_type){CUSP_INT32, shape};
  return CUSP_OK;
}

static cusp_status search_infer(cusp_inference *inference) {
  CUSP_TRY(check_row(inference));
  if (inference->inputs[0].shape.ndim != 1)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "expected a sorted sequence of one axis, got shape %s",
                           cusp_shape_text(&inference->inputs[0].shape));
  inference->outputs[0] = (cusp_type){CUSP_INT32, inference->inputs[1].shape};
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the public rows */

static cusp_node *gather_last(cusp_node *x, cusp_node *indices) {
  return x && indices
             ? CUSP_APPLY2("take_along_axis", x, indices, cusp_attr_int(x->type.shape.ndim - 1))
             : NULL;
}

/** Sorts along the axis of attribute 0; gives the indices, or the elements. */
static cusp_status sorted(const char *name, cusp_node *x, const cusp_attr *attr, bool values,
                          cusp_node **out) {
  int axis;
  if (x->type.shape.ndim == 0 && values)
    return cusp_built(*out = x);
  if (x->type.shape.ndim == 0)
    x = cusp_reshape(x, &(cusp_shape){1, {1}});
  CUSP_TRY(cusp_axis_or_flat(&axis, name, attr, &x));
  int last = x->type.shape.ndim - 1;
  cusp_node *rows = cusp_move_axis(x, axis, last);
  cusp_node *result = cusp_apply_1("argsort_rows", rows);
  if (values)
    result = gather_last(rows, result);
  return cusp_built(*out = cusp_move_axis(result, last, axis));
}

CUSP_COMPOSE(sort_compose) {
  *n_outputs = 1;
  return sorted("sort", inputs[0], &attrs[0], true, outputs);
}

CUSP_COMPOSE(argsort_compose) {
  *n_outputs = 1;
  return sorted("argsort", inputs[0], &attrs[0], false, outputs);
}

/** A full sort puts element kth where it belongs, and the smaller ones before it. */
CUSP_COMPOSE(argpartition_compose) {
  *n_outputs = 1;
  return sorted("argpartition", inputs[0], &attrs[1], false, outputs);
}

CUSP_COMPOSE(top_k_compose) {
  *n_outputs = 2;
  outputs[1] = CUSP_APPLY1("top_k_rows", inputs[0], attrs[0]);
  outputs[0] = gather_last(inputs[0], outputs[1]);
  return cusp_built(outputs[0]);
}

CUSP_COMPOSE(searchsorted_compose) {
  const char *side = attrs[0].string;
  *n_outputs = 1;
  if (strcmp(side, "left") != 0 && strcmp(side, "right") != 0)
    return cusp_fail(CUSP_EVALUE, "searchsorted: side should be \"left\" or \"right\", got \"%s\"",
                     side);
  return cusp_built(outputs[0] = CUSP_APPLY2("search_sorted", inputs[0], inputs[1],
                                             cusp_attr_bool(side[0] == 'r')));
}

/**
 * A target is among the k largest where fewer than k predictions are larger: ties count as inside,
 * NaN, infinity and targets that are no class not. */
CUSP_COMPOSE(in_top_k_compose) {
  cusp_node *targets = inputs[0], *predictions = inputs[1];
  const cusp_shape *shape = &predictions->type.shape;
  *n_outputs = 1;
  if (shape->ndim != 2 || targets->type.shape.ndim != 1 ||
      targets->type.shape.size[0] != shape->size[0])
    return cusp_fail(CUSP_ESHAPE,
                     "in_top_k: targets of shape [batch] and predictions of [batch, classes] "
                     "expected, got %s and %s",
                     cusp_shape_text(&targets->type.shape), cusp_shape_text(shape));
  cusp_node *labels = cusp_labels(targets);
  cusp_node *chosen = cusp_apply_2("pick_label", predictions, labels);
  cusp_node *column = chosen ? cusp_expand_dims(chosen, 1) : NULL;
  int64_t last = 1;
  cusp_node *is_larger = cusp_greater(predictions, column);
  cusp_node *larger =
      is_larger ? cusp_sum_axes(cusp_cast(is_larger, CUSP_INT32), &last, 1, false) : NULL;
  cusp_node *inside = cusp_less(larger, cusp_scalar((double)attrs[0].integer, CUSP_INT32));
  cusp_node *known =
      cusp_apply_2("logical_and", cusp_greater_equal(labels, cusp_scalar(0, CUSP_INT32)),
                   cusp_less(labels, cusp_scalar((double)shape->size[1], CUSP_INT32)));
  cusp_node *valid = cusp_apply_2("logical_and", known, cusp_apply_1("isfinite", chosen));
  return cusp_built(outputs[0] = cusp_apply_2("logical_and", inside, valid));
}

const cusp_op cusp_ops_sort[] = {
    {.name = "sort",
     .arguments = "x, axis: axis = -1",
     .help = "x in ascending order along an axis; NaN comes last.",
     .flags = CUSP_OP_NULL_AXIS,
     .instead = cusp_over_flat,
     .compose = sort_compose},
    {.name = "argsort",
     .arguments = "x, axis: axis = -1",
     .help = "Indices that sort x along an axis; equal elements keep their order.",
     .flags = CUSP_OP_NO_GRADIENT | CUSP_OP_NULL_AXIS,
     .instead = cusp_over_flat,
     .compose = argsort_compose},
    {.name = "argpartition",
     .arguments = "x, kth: int, axis: axis = -1",
     .help = "Indices that put element kth in its sorted place, smaller ones before it.",
     .flags = CUSP_OP_NO_GRADIENT | CUSP_OP_NULL_AXIS,
     .instead = cusp_over_flat,
     .compose = argpartition_compose},
    {.name = "top_k",
     .arguments = "x, k: int, sorted: bool = true",
     .help = "The k largest elements along the last axis, and their indices.",
     .compose = top_k_compose},
    {.name = "in_top_k",
     .arguments = "targets, predictions, k: int",
     .help = "Whether each target is among the k largest predictions of its row.",
     .flags = CUSP_OP_NO_GRADIENT,
     .compose = in_top_k_compose},
    {.name = "searchsorted",
     .arguments = "sorted_sequence, values, side: string = \"left\"",
     .help = "Where values would be inserted into a sorted sequence.",
     .promotion = CUSP_PROMOTE_COMMON,
     .flags = CUSP_OP_NO_GRADIENT,
     .compose = searchsorted_compose},
    {.name = "argsort_rows",
     .arguments = "x",
     .help = "argsort along the last axis.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_NO_GRADIENT,
     .infer = argsort_infer,
     .kernels = argsort_kernels},
    {.name = "top_k_rows",
     .arguments = "x, k: int",
     .help = "Indices of the k largest elements along the last axis, the largest first.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_NO_GRADIENT,
     .infer = top_k_infer,
     .kernels = top_k_kernels},
    {.name = "search_sorted",
     .arguments = "sorted_sequence, values, or_equal: bool",
     .help = "How many elements of a sorted sequence are below each value, or not above it.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_NO_GRADIENT,
     .infer = search_infer,
     .kernels = search_kernels},
    {0},
};
