/*
 * The rows by which processes that train together add up tensors. With a weight as each process's
 * share of the samples, the sum of weighted means is the mean over all of them, and the rows are
 * their own gradients. They begin when their inputs are there and end when a plan needs the sums.
 */

#include "collective.h"
#include "../base/memory.h"
#include "../base/threads.h"
#include "../node/build.h"
#include "../node/infer.h"

#include <string.h>

/* Attributes of both rows. */
enum { WEIGHTED, AS_BFLOAT16, BY_ROWS };

static cusp_status check_number(const cusp_type *x) {
  bool known = x->dtype == CUSP_FLOAT32 || x->dtype == CUSP_FLOAT64 || x->dtype == CUSP_INT32 ||
               x->dtype == CUSP_INT64;
  if (!known)
    return cusp_fail(CUSP_EDTYPE, "expected float32, float64, int32 or int64, got %s",
                     cusp_dtype_name(x->dtype));
  return CUSP_OK;
}

static cusp_status check_weight(const cusp_type *weight) {
  if ((weight->dtype != CUSP_FLOAT32 && weight->dtype != CUSP_FLOAT64) || weight->shape.ndim != 0)
    return cusp_fail(CUSP_ESHAPE, "the weight should be a scalar of float32 or float64");
  return CUSP_OK;
}

static cusp_status infer_all_reduce(cusp_inference *inference) {
  CUSP_TRY(check_number(&inference->inputs[0]));
  CUSP_TRY(check_weight(&inference->inputs[1]));
  return cusp_infer_same(inference);
}

static cusp_status infer_all_reduce_list(cusp_inference *inference) {
  const cusp_type *inputs = inference->inputs;
  int64_t count = 0;
  CUSP_TRY(check_weight(&inputs[0]));
  if (inference->n_inputs < 2)
    return cusp_fail(CUSP_EVALUE, "expected a weight and at least one tensor");
  for (int i = 1; i < inference->n_inputs; i++) {
    CUSP_TRY(check_number(&inputs[i]));
    if (inputs[i].dtype != inputs[1].dtype)
      return cusp_fail(CUSP_EDTYPE, "expected tensors of one dtype, got %s and %s",
                       cusp_dtype_name(inputs[1].dtype), cusp_dtype_name(inputs[i].dtype));
    count += cusp_shape_count(&inputs[i].shape);
  }
  inference->outputs[0] = (cusp_type){inputs[1].dtype, {1, {count}}};
  return CUSP_OK;
}

/* ------------------------------------------------------------------ beginning */

#define SCALE(type)                         \
  do {                                      \
    const type *from = x->data;             \
    type *to = out;                         \
    for (int64_t i = 0; i < count; i++)     \
      to[i] = (type)((double)from[i] * by); \
  } while (0)

/* A process without samples adds exact zeros, whatever it computed of the rows that fill its
 * batch. */
static void contribute(const cusp_array *x, void *out, double by, bool weighted) {
  int64_t count = cusp_array_count(x);
  size_t bytes = (size_t)count * cusp_dtype_size(x->dtype);
  if (by == 0) {
    memset(out, 0, bytes);
  } else if (!weighted) {
    memmove(out, x->data, bytes);
  } else if (x->dtype == CUSP_FLOAT32) {
    SCALE(float);
  } else if (x->dtype == CUSP_FLOAT64) {
    SCALE(double);
  }
}

cusp_transport_type cusp_transport_type_of(cusp_dtype dtype) {
  switch (dtype) {
  case CUSP_FLOAT64: return CUSP_TRANSPORT_FLOAT64;
  case CUSP_INT32: return CUSP_TRANSPORT_INT32;
  case CUSP_INT64: return CUSP_TRANSPORT_INT64;
  default: return CUSP_TRANSPORT_FLOAT32;
  }
}

static double weight_of(const cusp_array *weight) {
  return weight->dtype == CUSP_FLOAT32 ? (double)*(const float *)weight->data
                                       : *(const double *)weight->data;
}

/* The numbers of the sums that a call has begun: one at a time. */
static cusp_status prepare(cusp_call *call) {
  return cusp_alloc_zeroed(&call->state, sizeof(uint64_t));
}

static void release(cusp_call *call) { cusp_free(call->state); }

static cusp_status start(cusp_call *call) {
  const cusp_array *out = &call->outputs[0];
  char message[400] = "";
  cusp_transport_sum sum = {.data = out->data,
                            .count = (size_t)cusp_array_count(out),
                            .type = cusp_transport_type_of(out->dtype),
                            .as_bfloat16 = call->attrs[AS_BFLOAT16].integer != 0};
  if (call->attrs[BY_ROWS].integer && out->shape.ndim > 1)
    sum.rows = (size_t)out->shape.size[0];
  uint64_t *number = call->state;
  *number = cusp_transport_get()->start(&sum, message, sizeof message);
  return *number ? CUSP_OK : cusp_fail(CUSP_EBACKEND, "%s", message);
}

static cusp_status finish(cusp_call *call, cusp_span *span) {
  char message[400] = "";
  const uint64_t *number = call->state;
  if (cusp_transport_get()->wait(*number, span, message, sizeof message))
    return CUSP_OK;
  if (cusp_interrupted())
    return cusp_fail(CUSP_EINTERRUPT, "interrupted!");
  return cusp_fail(CUSP_EBACKEND, "%s", message);
}

static cusp_status all_reduce_run(cusp_call *call) {
  contribute(&call->inputs[0], call->outputs[0].data, weight_of(&call->inputs[1]),
             call->attrs[WEIGHTED].integer != 0);
  return start(call);
}

static cusp_status all_reduce_list_run(cusp_call *call) {
  double weight = weight_of(&call->inputs[0]);
  char *to = call->outputs[0].data;
  for (int i = 1; i < call->n_inputs; i++) {
    const cusp_array *x = &call->inputs[i];
    contribute(x, to, weight, call->attrs[WEIGHTED].integer != 0);
    to += (size_t)cusp_array_count(x) * cusp_dtype_size(x->dtype);
  }
  return start(call);
}

/* ------------------------------------------------------------------ gradients */

/* Each process's cotangent is of its own mean; the weights make them one. */
static cusp_status all_reduce_gradient(cusp_gradient *g) {
  if (!g->wanted[0])
    return CUSP_OK;
  return cusp_built(g->dx[0] = CUSP_APPLY2("all_reduce", g->dy[0], g->x[1], cusp_attr_bool(true)));
}

static cusp_node *piece(cusp_node *flat, int64_t first, const cusp_shape *shape) {
  int64_t stop = first + cusp_shape_count(shape), one = 1;
  return cusp_reshape(CUSP_APPLY1("strided_slice", flat, cusp_attr_ints(&first, 1),
                                  cusp_attr_ints(&stop, 1), cusp_attr_ints(&one, 1)),
                      shape);
}

static cusp_status all_reduce_list_gradient(cusp_gradient *g) {
  cusp_node *all = CUSP_APPLY2("all_reduce", g->dy[0], g->x[0], cusp_attr_bool(true));
  int64_t first = 0;
  for (int i = 1; i < g->n_inputs; i++) {
    const cusp_shape *shape = &g->x[i]->type.shape;
    if (g->wanted[i])
      CUSP_TRY(cusp_built(g->dx[i] = piece(all, first, shape)));
    first += cusp_shape_count(shape);
  }
  return CUSP_OK;
}

#define KERNEL(row) \
  { .name = #row, .prepare = prepare, .run = row##_run, .finish = finish, .release = release }

static const cusp_kernel one[] = {KERNEL(all_reduce), {0}};
static const cusp_kernel several[] = {KERNEL(all_reduce_list), {0}};

const cusp_op cusp_ops_collective[] = {
    {.name = "all_reduce",
     .arguments = "x, weight, weighted: bool = true, as_bfloat16: bool = false, "
                  "by_rows: bool = false",
     .help = "The sum over all processes of weight * x; x alone where weighted is false, of those "
             "whose weight is not 0.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_COLLECTIVE | CUSP_OP_IN_PLACE,
     .infer = infer_all_reduce,
     .gradient = all_reduce_gradient,
     .kernels = one},
    {.name = "all_reduce_list",
     .arguments = "inputs..., weighted: bool = true, as_bfloat16: bool = false, "
                  "by_rows: bool = false",
     .help = "all_reduce of several tensors, behind their weight, side by side in one flat tensor.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_COLLECTIVE,
     .infer = infer_all_reduce_list,
     .gradient = all_reduce_list_gradient,
     .kernels = several},
    {0},
};
