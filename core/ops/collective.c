/*
 * The row by which processes that train together add up tensors. With a weight as each process's
 * share of the samples, the sum of weighted means is the mean over all of them, and the row is its
 * own gradient.
 */

#include "../base/transport.h"
#include "../node/build.h"
#include "../node/infer.h"

#include <string.h>

static cusp_status infer_all_reduce(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[0], *weight = &inference->inputs[1];
  bool known = x->dtype == CUSP_FLOAT32 || x->dtype == CUSP_FLOAT64 || x->dtype == CUSP_INT32 ||
               x->dtype == CUSP_INT64;
  if (!known)
    return cusp_fail(CUSP_EDTYPE, "expected float32, float64, int32 or int64, got %s",
                     cusp_dtype_name(x->dtype));
  if ((weight->dtype != CUSP_FLOAT32 && weight->dtype != CUSP_FLOAT64) || weight->shape.ndim != 0)
    return cusp_fail(CUSP_ESHAPE, "the weight should be a scalar of float32 or float64");
  return cusp_infer_same(inference);
}

#define SCALE(type)                         \
  do {                                      \
    const type *from = x->data;             \
    type *to = out->data;                   \
    for (int64_t i = 0; i < count; i++)     \
      to[i] = (type)((double)from[i] * by); \
  } while (0)

/* A process without samples adds exact zeros, whatever it computed of the rows that fill its
 * batch. */
static void contribute(const cusp_array *x, const cusp_array *out, double by, bool weighted) {
  int64_t count = cusp_array_count(x);
  size_t bytes = (size_t)count * cusp_dtype_size(x->dtype);
  if (by == 0) {
    memset(out->data, 0, bytes);
  } else if (!weighted) {
    memmove(out->data, x->data, bytes);
  } else if (x->dtype == CUSP_FLOAT32) {
    SCALE(float);
  } else if (x->dtype == CUSP_FLOAT64) {
    SCALE(double);
  }
}

static cusp_transport_type transport_type(cusp_dtype dtype) {
  switch (dtype) {
  case CUSP_FLOAT64: return CUSP_TRANSPORT_FLOAT64;
  case CUSP_INT32: return CUSP_TRANSPORT_INT32;
  case CUSP_INT64: return CUSP_TRANSPORT_INT64;
  default: return CUSP_TRANSPORT_FLOAT32;
  }
}

static cusp_status all_reduce_run(cusp_call *call) {
  const cusp_array *x = &call->inputs[0], *out = &call->outputs[0];
  char message[400] = "";
  const cusp_array *weight = &call->inputs[1];
  double by = weight->dtype == CUSP_FLOAT32 ? (double)*(const float *)weight->data
                                            : *(const double *)weight->data;
  contribute(x, out, by, call->attrs[0].integer != 0);
  size_t count = (size_t)cusp_array_count(x);
  if (!cusp_transport_get()->sum(out->data, count, transport_type(x->dtype), message,
                                 sizeof message))
    return cusp_fail(CUSP_EBACKEND, "%s", message);
  return CUSP_OK;
}

/* Each process's cotangent is of its own mean; the weights make them one. */
static cusp_status all_reduce_gradient(cusp_gradient *g) {
  if (!g->wanted[0])
    return CUSP_OK;
  return cusp_built(g->dx[0] = CUSP_APPLY2("all_reduce", g->dy[0], g->x[1], cusp_attr_bool(true)));
}

static const cusp_kernel kernels[] = {{.name = "all_reduce", .run = all_reduce_run}, {0}};

const cusp_op cusp_ops_collective[] = {
    {.name = "all_reduce",
     .arguments = "x, weight, weighted: bool = true",
     .help = "The sum over all processes of weight * x; x alone where weighted is false, of those "
             "whose weight is not 0.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_COLLECTIVE,
     .infer = infer_all_reduce,
     .gradient = all_reduce_gradient,
     .kernels = kernels},
    {0},
};
