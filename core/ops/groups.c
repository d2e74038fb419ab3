/*
 * Rows for tensors that a group of processes divides among itself. Between them every process of
 * the group has the same numbers, so what each finds as a cotangent of such a tensor is whole:
 * `group_sum` and `group_copy` are each other's gradients, and `group_gather` and `group_part`.
 */

#include "../node/build.h"
#include "../node/infer.h"
#include "collective.h"

#include <string.h>

enum { GROUP, SIZE, RANK, AXIS }; /* attributes */

static cusp_status check_group(const cusp_inference *inference) {
  int64_t group = inference->attrs[GROUP].integer;
  if (group < 0 || group > INT32_MAX)
    return cusp_infer_fail(inference, CUSP_EVALUE, "there is no group %lld", (long long)group);
  return CUSP_OK;
}

static cusp_status infer_same(cusp_inference *inference) {
  CUSP_TRY(check_group(inference));
  return cusp_infer_same(inference);
}

static cusp_status infer_sum(cusp_inference *inference) {
  cusp_dtype dtype = inference->inputs[0].dtype;
  bool known =
      dtype == CUSP_FLOAT32 || dtype == CUSP_FLOAT64 || dtype == CUSP_INT32 || dtype == CUSP_INT64;
  if (!known)
    return cusp_infer_fail(inference, CUSP_EDTYPE,
                           "expected float32, float64, int32 or int64, got %s",
                           cusp_dtype_name(dtype));
  return infer_same(inference);
}

/* The size of the divided axis, in *at of the output. */
static cusp_status begin_axis(cusp_inference *inference, int64_t **at) {
  CUSP_TRY(check_group(inference));
  CUSP_TRY(cusp_infer_same(inference));
  cusp_attr *attrs = inference->attrs;
  int ndim = inference->inputs[0].shape.ndim, axis;
  CUSP_TRY(cusp_infer_axis(inference, attrs[AXIS].integer, ndim, &axis));
  int64_t size = attrs[SIZE].integer, rank = attrs[RANK].integer;
  if (size < 1 || size > INT32_MAX || rank < 0 || rank >= size)
    return cusp_infer_fail(inference, CUSP_EVALUE, "there is no process %lld of %lld",
                           (long long)rank, (long long)size);
  attrs[AXIS] = cusp_attr_int(axis);
  *at = &inference->outputs[0].shape.size[axis];
  return CUSP_OK;
}

static cusp_status infer_gather(cusp_inference *inference) {
  int64_t *at = NULL;
  CUSP_TRY(begin_axis(inference, &at));
  if (__builtin_mul_overflow(*at, inference->attrs[SIZE].integer, at))
    return cusp_infer_fail(inference, CUSP_ESHAPE, "the whole would be too large");
  return CUSP_OK;
}

static cusp_status infer_part(cusp_inference *inference) {
  int64_t *at = NULL;
  CUSP_TRY(begin_axis(inference, &at));
  int64_t size = inference->attrs[SIZE].integer;
  if (*at % size != 0)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "an axis of %lld has no %lld equal parts",
                           (long long)*at, (long long)size);
  *at /= size;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ kernels */

static cusp_status copy_run(cusp_call *call) {
  const cusp_array *x = &call->inputs[0];
  if (cusp_array_count(x) > 0)
    memmove(call->outputs[0].data, x->data,
            (size_t)cusp_array_count(x) * cusp_dtype_size(x->dtype));
  return CUSP_OK;
}

static cusp_status sum_run(cusp_call *call) {
  const cusp_array *out = &call->outputs[0];
  char message[400] = "";
  CUSP_TRY(copy_run(call));
  if (!cusp_transport_get()->sum_group((int)call->attrs[GROUP].integer, out->data,
                                       (size_t)cusp_array_count(out),
                                       cusp_transport_type_of(out->dtype), message, sizeof message))
    return cusp_fail(CUSP_EBACKEND, "%s", message);
  return CUSP_OK;
}

/* Blocks of the axes from the divided one on, and how many there are. */
typedef struct blocks {
  size_t count, part, whole; /* bytes of a block of one process, and of all together */
} blocks;

static blocks blocks_of(const cusp_call *call, const cusp_array *part) {
  blocks b = {.count = 1, .part = cusp_dtype_size(part->dtype)};
  for (int i = 0; i < part->shape.ndim; i++) {
    if (i < call->attrs[AXIS].integer)
      b.count *= (size_t)part->shape.size[i];
    else
      b.part *= (size_t)part->shape.size[i];
  }
  b.whole = b.part * (size_t)call->attrs[SIZE].integer;
  return b;
}

static cusp_status part_run(cusp_call *call) {
  blocks b = blocks_of(call, &call->outputs[0]);
  const char *from =
      (const char *)call->inputs[0].data + b.part * (size_t)call->attrs[RANK].integer;
  char *to = call->outputs[0].data;
  for (size_t i = 0; i < b.count; i++)
    memcpy(to + i * b.part, from + i * b.whole, b.part);
  return CUSP_OK;
}

static cusp_status gather(cusp_call *call, void *all, size_t each) {
  char message[400] = "";
  if (!cusp_transport_get()->gather_group((int)call->attrs[GROUP].integer,
                                          (int)call->attrs[SIZE].integer, call->inputs[0].data, all,
                                          each, message, sizeof message))
    return cusp_fail(CUSP_EBACKEND, "%s", message);
  return CUSP_OK;
}

/* The parts come one after another; in the whole their blocks alternate. */
static void interleave(const blocks *b, const char *parts, char *whole) {
  size_t size = b->part ? b->whole / b->part : 0;
  for (size_t p = 0; p < size; p++)
    for (size_t i = 0; i < b->count; i++)
      memcpy(whole + i * b->whole + p * b->part, parts + (p * b->count + i) * b->part, b->part);
}

static cusp_status gather_prepare(cusp_call *call) {
  blocks b = blocks_of(call, &call->inputs[0]);
  call->workspace_bytes = b.count > 1 ? b.count * b.whole : 0;
  return CUSP_OK;
}

static cusp_status gather_run(cusp_call *call) {
  blocks b = blocks_of(call, &call->inputs[0]);
  if (b.count <= 1)
    return gather(call, call->outputs[0].data, b.count * b.part);
  CUSP_TRY(gather(call, call->workspace, b.count * b.part));
  interleave(&b, call->workspace, call->outputs[0].data);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ gradients */

static cusp_status gradient_by(cusp_gradient *g, const char *row, int n_attrs) {
  if (!g->wanted[0])
    return CUSP_OK;
  return cusp_built(g->dx[0] = cusp_apply(row, 1, &g->dy[0], n_attrs, g->node->attrs));
}

static cusp_status sum_gradient(cusp_gradient *g) { return gradient_by(g, "group_copy", 1); }

/* Narrow floats travel as float32; the caller casts what comes back. */
static cusp_status copy_gradient(cusp_gradient *g) {
  cusp_node *dy = g->dy[0];
  if (!g->wanted[0])
    return CUSP_OK;
  if (cusp_dtype_size(dy->type.dtype) < 4)
    dy = cusp_cast(dy, CUSP_FLOAT32);
  return cusp_built(g->dx[0] = cusp_apply("group_sum", 1, &dy, 1, g->node->attrs));
}

static cusp_status gather_gradient(cusp_gradient *g) { return gradient_by(g, "group_part", 4); }
static cusp_status part_gradient(cusp_gradient *g) { return gradient_by(g, "group_gather", 4); }

/* ------------------------------------------------------------------ rows */

static const cusp_kernel sum_kernels[] = {{.name = "group_sum", .run = sum_run}, {0}};
static const cusp_kernel copy_kernels[] = {{.name = "group_copy", .run = copy_run}, {0}};
static const cusp_kernel part_kernels[] = {{.name = "group_part", .run = part_run}, {0}};
static const cusp_kernel gather_kernels[] = {
    {.name = "group_gather", .prepare = gather_prepare, .run = gather_run}, {0}};

const cusp_op cusp_ops_groups[] = {
    {.name = "group_sum",
     .arguments = "x, group: int",
     .help = "The sum over the processes of a group.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_COLLECTIVE,
     .infer = infer_sum,
     .gradient = sum_gradient,
     .kernels = sum_kernels},
    {.name = "group_copy",
     .arguments = "x, group: int",
     .help = "x, of which each process of a group computes a part of the gradient.",
     .flags = CUSP_OP_HIDDEN,
     .infer = infer_same,
     .gradient = copy_gradient,
     .kernels = copy_kernels},
    {.name = "group_gather",
     .arguments = "x, group: int, size: int, rank: int, axis: axis",
     .help = "The parts of all processes of a group, one after another along an axis.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_COLLECTIVE,
     .infer = infer_gather,
     .gradient = gather_gradient,
     .kernels = gather_kernels},
    {.name = "group_part",
     .arguments = "x, group: int, size: int, rank: int, axis: axis",
     .help = "This process's part of x along an axis.",
     .flags = CUSP_OP_HIDDEN,
     .infer = infer_part,
     .gradient = part_gradient,
     .kernels = part_kernels},
    {0},
};
