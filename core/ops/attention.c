/*
 * Dot-product attention. The public row brings its arguments to one float dtype and builds the
 * hidden row with the tiled kernel; where that cannot serve (an empty axis, the gradient of a bias,
 * gradients of gradients) the same is made of other rows.
 */

#include "../kernels/attention.h"
#include "../kernels/blas.h"
#include "../node/build.h"
#include "../node/gradient.h"
#include "../node/infer.h"

#include <math.h>

/* Inputs of the forward row: these, then bias and mask where the attributes say so. */
enum { QUERY, KEY, VALUE, FIRST_OPTIONAL };
/* Inputs of the backward row: these, then the same. */
enum { OUT = FIRST_OPTIONAL, SUMS, DOUT, G_FIRST_OPTIONAL };
/* Attributes of both. */
enum { HAS_BIAS, HAS_MASK, CAUSAL, SCALE, SOFT_CAP, NARROW, ATTRIBUTES };
#define TILES_ARGUMENTS                                                                         \
  "inputs..., has_bias: bool, has_mask: bool, is_causal: bool, scale: float, soft_cap: float, " \
  "narrow: bool = false"

/* ------------------------------------------------------------------ made of other rows */

/** Tensors and attributes of a call; bias and mask may be NULL. */
typedef struct operands {
  cusp_node *query, *key, *value, *bias, *mask;
  const cusp_attr *attrs;
} operands;

static cusp_node *grouped(cusp_node *x, int64_t groups, const int64_t *axes) {
  if (!x)
    return NULL;
  const int64_t *s = x->type.shape.size;
  return cusp_transpose(
      cusp_reshape(x, &(cusp_shape){5, {s[0], s[1], groups, s[2] / groups, s[3]}}), axes);
}

static cusp_node *hidden_like(cusp_node *mask, cusp_node *scores) {
  return cusp_where(mask, scores, cusp_scalar_like(CUSP_ATTENTION_HIDDEN, scores));
}

static cusp_node *causal_mask(int64_t targets, int64_t sources) {
  cusp_node *size = cusp_full(&(cusp_shape){2, {targets, sources}}, 1, CUSP_BOOL);
  return CUSP_APPLY1("tril", size, cusp_attr_int(0));
}

/** [B, H, T, S]. */
static cusp_node *scores_of(const operands *o) {
  const int64_t *q = o->query->type.shape.size, *k = o->key->type.shape.size;
  cusp_node *scores = cusp_matmul(grouped(o->query, k[2], (const int64_t[]){0, 2, 3, 1, 4}),
                                  grouped(o->key, k[2], (const int64_t[]){0, 2, 3, 4, 1}));
  if (!scores)
    return NULL;
  scores = cusp_reshape(scores, &(cusp_shape){4, {q[0], q[2], q[1], k[1]}});
  scores = cusp_scale(scores, o->attrs[SCALE].number);
  double cap = o->attrs[SOFT_CAP].number;
  if (cap != 0)
    scores = cusp_scale(cusp_apply_1("tanh", cusp_scale(scores, 1 / cap)), cap);
  if (o->bias)
    scores = cusp_add(scores, o->bias);
  if (o->mask)
    scores = hidden_like(o->mask, scores);
  return o->attrs[CAUSAL].integer ? hidden_like(causal_mask(q[1], k[1]), scores) : scores;
}

static cusp_node *unfused(const operands *o) {
  const int64_t *q = o->query->type.shape.size, *v = o->value->type.shape.size;
  cusp_node *weights = CUSP_APPLY1("softmax", scores_of(o), cusp_attr_ints((int64_t[]){-1}, 1));
  if (!weights)
    return NULL;
  weights = cusp_reshape(weights, &(cusp_shape){5, {q[0], v[2], q[2] / v[2], q[1], v[1]}});
  cusp_node *out = cusp_matmul(weights, grouped(o->value, v[2], (const int64_t[]){0, 2, 3, 1, 4}));
  out = cusp_transpose(out, (const int64_t[]){0, 3, 1, 2, 4});
  return cusp_reshape(out, &(cusp_shape){4, {q[0], q[1], q[2], v[3]}});
}

/* ------------------------------------------------------------------ types */

static cusp_status check_arrays(const cusp_inference *inference, int first) {
  const cusp_type *x = inference->inputs;
  bool bias = inference->attrs[HAS_BIAS].integer, mask = inference->attrs[HAS_MASK].integer;
  CUSP_TRY(cusp_infer_count(inference, first + bias + mask));
  CUSP_TRY(cusp_infer_float_or_double(inference));
  for (int i = QUERY; i <= VALUE; i++)
    if (x[i].shape.ndim != 4)
      return cusp_infer_fail(inference, CUSP_ESHAPE, "expected [batch, time, heads, size], got %s",
                             cusp_shape_text(&x[i].shape));
  const int64_t *q = x[QUERY].shape.size, *k = x[KEY].shape.size, *v = x[VALUE].shape.size;
  if (k[2] < 1 || q[2] % k[2] != 0 || cusp_shape_count(&x[QUERY].shape) == 0 ||
      cusp_shape_count(&x[KEY].shape) == 0 || cusp_shape_count(&x[VALUE].shape) == 0)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "shapes %s and %s do not fit",
                           cusp_shape_text(&x[QUERY].shape), cusp_shape_text(&x[KEY].shape));
  CUSP_TRY(cusp_infer_expect(inference, KEY, "key", x[QUERY].dtype,
                             (cusp_shape){4, {q[0], k[1], k[2], q[3]}}));
  return cusp_infer_expect(inference, VALUE, "value", x[QUERY].dtype,
                           (cusp_shape){4, {q[0], k[1], k[2], v[3]}});
}

static bool broadcasts(const cusp_shape *shape, const cusp_shape *to) {
  if (shape->ndim > to->ndim)
    return false;
  for (int i = 1; i <= shape->ndim; i++) {
    int64_t size = shape->size[shape->ndim - i];
    if (size != 1 && size != to->size[to->ndim - i])
      return false;
  }
  return true;
}

static cusp_shape grid_shape(const cusp_shape *query, const cusp_shape *key) {
  return (cusp_shape){4, {query->size[0], query->size[2], query->size[1], key->size[1]}};
}

static cusp_status check_grids(const cusp_inference *inference, int first) {
  const cusp_type *x = inference->inputs;
  const cusp_shape grid = grid_shape(&x[QUERY].shape, &x[KEY].shape);
  bool bias = inference->attrs[HAS_BIAS].integer, mask = inference->attrs[HAS_MASK].integer;
  for (int i = first; i < first + bias + mask; i++) {
    cusp_dtype dtype = bias && i == first ? x[QUERY].dtype : CUSP_BOOL;
    if (x[i].dtype != dtype || !broadcasts(&x[i].shape, &grid))
      return cusp_infer_fail(inference, CUSP_ESHAPE, "bias and mask should broadcast to %s, got %s",
                             cusp_shape_text(&grid), cusp_shape_text(&x[i].shape));
  }
  return CUSP_OK;
}

static cusp_type out_type(const cusp_type *x) {
  cusp_type out = x[QUERY];
  out.shape.size[3] = x[VALUE].shape.size[3];
  return out;
}

static cusp_type sums_type(const cusp_type *x) {
  const int64_t *q = x[QUERY].shape.size;
  return (cusp_type){x[QUERY].dtype, {4, {q[0], q[2], q[1], 2}}};
}

static cusp_status tiles_infer(cusp_inference *inference) {
  CUSP_TRY(check_arrays(inference, FIRST_OPTIONAL));
  CUSP_TRY(check_grids(inference, FIRST_OPTIONAL));
  inference->n_outputs = 2;
  inference->outputs[0] = out_type(inference->inputs);
  inference->outputs[1] = sums_type(inference->inputs);
  return CUSP_OK;
}

static cusp_status gradient_infer(cusp_inference *inference) {
  const cusp_type *x = inference->inputs;
  CUSP_TRY(check_arrays(inference, G_FIRST_OPTIONAL));
  CUSP_TRY(check_grids(inference, G_FIRST_OPTIONAL));
  const cusp_type out = out_type(x), sums = sums_type(x);
  CUSP_TRY(cusp_infer_expect(inference, OUT, "out", out.dtype, out.shape));
  CUSP_TRY(cusp_infer_expect(inference, SUMS, "sums", sums.dtype, sums.shape));
  CUSP_TRY(cusp_infer_expect(inference, DOUT, "dout", out.dtype, out.shape));
  inference->n_outputs = FIRST_OPTIONAL;
  for (int i = QUERY; i <= VALUE; i++)
    inference->outputs[i] = x[i];
  return CUSP_OK;
}

/* ------------------------------------------------------------------ kernels */

static cusp_attention_array array_of(const cusp_array *x) {
  return (cusp_attention_array){x->data, x->strides[0], x->strides[1], x->strides[2]};
}

static cusp_attention_grid grid_of(const cusp_array *x) {
  cusp_attention_grid grid = {.data = x->data};
  int missing = 4 - x->shape.ndim;
  for (int i = missing; i < 4; i++)
    grid.strides[i] = x->shape.size[i - missing] == 1 ? 0 : x->strides[i - missing];
  return grid;
}

static cusp_attention attention_of(const cusp_call *call, int first_optional) {
  const cusp_array *x = call->inputs;
  const int64_t *q = x[QUERY].shape.size, *k = x[KEY].shape.size;
  const cusp_attr *attrs = call->attrs;
  cusp_attention a = {.dtype = x[QUERY].dtype,
                      .batch = q[0],
                      .targets = q[1],
                      .sources = k[1],
                      .heads = q[2],
                      .groups = k[2],
                      .size = q[3],
                      .depth = x[VALUE].shape.size[3],
                      .scale = attrs[SCALE].number,
                      .soft_cap = attrs[SOFT_CAP].number,
                      .causal = attrs[CAUSAL].integer,
                      .narrow = attrs[NARROW].integer,
                      .query = array_of(&x[QUERY]),
                      .key = array_of(&x[KEY]),
                      .value = array_of(&x[VALUE]),
                      .workspace = call->workspace};
  if (attrs[HAS_BIAS].integer)
    a.bias = grid_of(&x[first_optional]);
  if (attrs[HAS_MASK].integer)
    a.mask = grid_of(&x[first_optional + (attrs[HAS_BIAS].integer != 0)]);
  return a;
}

/** BLAS wants rows without gaps that do not overlap. */
static bool accepts(const cusp_call *call, int input) {
  const cusp_array *x = &call->inputs[input];
  if (input > VALUE && input != DOUT)
    return cusp_array_is_contiguous(x);
  return x->shape.ndim == 4 && x->strides[3] == 1 && x->strides[1] >= x->shape.size[3];
}

/** The number of pieces, which is fixed with the workspace, is kept in the state. */
static cusp_status keep_pieces(cusp_call *call, cusp_attention *a) {
  a->pieces = cusp_attention_pieces(a);
  call->state = (void *)(intptr_t)a->pieces;
  return CUSP_OK;
}

static cusp_status tiles_prepare(cusp_call *call) {
  cusp_attention a = attention_of(call, FIRST_OPTIONAL);
  CUSP_TRY(keep_pieces(call, &a));
  call->workspace_bytes = cusp_attention_workspace(&a);
  return CUSP_OK;
}

static cusp_status tiles_run(cusp_call *call) {
  CUSP_TRY(cusp_blas_ready());
  cusp_attention a = attention_of(call, FIRST_OPTIONAL);
  a.pieces = (int)(intptr_t)call->state;
  a.out = call->outputs[0].data;
  a.sums = call->outputs[1].data;
  cusp_attention_forward(&a);
  return CUSP_OK;
}

static cusp_status gradient_prepare(cusp_call *call) {
  cusp_attention a = attention_of(call, G_FIRST_OPTIONAL);
  CUSP_TRY(keep_pieces(call, &a));
  call->workspace_bytes = cusp_attention_gradient_workspace(&a);
  return CUSP_OK;
}

static cusp_status gradient_run(cusp_call *call) {
  CUSP_TRY(cusp_blas_ready());
  cusp_attention a = attention_of(call, G_FIRST_OPTIONAL);
  a.pieces = (int)(intptr_t)call->state;
  a.out = call->inputs[OUT].data;
  a.sums = call->inputs[SUMS].data;
  cusp_attention_backward(
      &a, &(cusp_attention_gradient){array_of(&call->inputs[DOUT]), call->outputs[QUERY].data,
                                     call->outputs[KEY].data, call->outputs[VALUE].data});
  return CUSP_OK;
}

static const cusp_kernel tiles_kernels[] = {
    {.name = "tiles", .accepts = accepts, .prepare = tiles_prepare, .run = tiles_run}, {0}};
static const cusp_kernel gradient_kernels[] = {
    {.name = "tiles", .accepts = accepts, .prepare = gradient_prepare, .run = gradient_run}, {0}};

/* ------------------------------------------------------------------ gradients */

/** The operands by way of views of their own, at which a walk ends: two may be one tensor. */
typedef struct apart {
  operands o;
  cusp_node *dout;
  cusp_node *sources[5]; /* views of query, key, value, dout, and the bias where there is one */
  int count;
} apart;

static bool is_source(const void *context, const cusp_node *node) {
  const apart *p = context;
  for (int i = 0; i < p->count; i++)
    if (p->sources[i] == node)
      return true;
  return node == p->o.mask;
}

static cusp_status set_apart(apart *p, const cusp_gradient *g, cusp_node *dout, int optional) {
  const cusp_attr *attrs = g->node->attrs;
  bool bias = attrs[HAS_BIAS].integer;
  cusp_node *from[5] = {g->x[QUERY], g->x[KEY], g->x[VALUE], dout, bias ? g->x[optional] : NULL};
  p->count = 4 + bias;
  for (int i = 0; i < p->count; i++) {
    CUSP_TRY(cusp_built(p->sources[i] = cusp_expand_dims(from[i], 0)));
    CUSP_TRY(cusp_built(from[i] = cusp_reshape(p->sources[i], &from[i]->type.shape)));
  }
  p->o = (operands){from[QUERY],
                    from[KEY],
                    from[VALUE],
                    from[4],
                    attrs[HAS_MASK].integer ? g->x[optional + bias] : NULL,
                    attrs};
  p->dout = from[3];
  return CUSP_OK;
}

static cusp_status gradients_apart(const apart *p, cusp_node **gradients, int n_targets,
                                   cusp_node *const *targets, cusp_node *const *cotangents) {
  CUSP_TRY(cusp_gradients_within((cusp_stop){is_source, p}, gradients, n_targets, targets,
                                 cotangents, p->count, p->sources));
  const cusp_node *like[5] = {p->o.query, p->o.key, p->o.value, p->dout, p->o.bias};
  for (int i = 0; i < p->count; i++)
    if (gradients[i])
      gradients[i] = cusp_reshape(cusp_scope_adopt(gradients[i]), &like[i]->type.shape);
  return CUSP_OK;
}

/** A bias is not met in tiles on the way back: its gradient is the matrix of all scores. */
static cusp_status unfused_gradient(cusp_gradient *g) {
  apart p = {0};
  cusp_node *gradients[5];
  CUSP_TRY(set_apart(&p, g, g->dy[0], FIRST_OPTIONAL));
  cusp_node *out = unfused(&p.o);
  CUSP_TRY(cusp_built(out));
  CUSP_TRY(gradients_apart(&p, gradients, 1, &out, &p.dout));
  for (int i = QUERY; i <= VALUE; i++)
    g->dx[i] = gradients[i];
  g->dx[FIRST_OPTIONAL] = gradients[4];
  return CUSP_OK;
}

static cusp_status tiles_gradient(cusp_gradient *g) {
  const cusp_attr *attrs = g->node->attrs;
  int optional = (attrs[HAS_BIAS].integer != 0) + (attrs[HAS_MASK].integer != 0);
  if (!g->dy[0])
    return CUSP_OK;
  if (attrs[HAS_BIAS].integer && g->wanted[FIRST_OPTIONAL])
    return unfused_gradient(g);
  cusp_node *inputs[CUSP_MAX_INPUTS] = {g->x[QUERY], g->x[KEY], g->x[VALUE],
                                        g->y[0],     g->y[1],   g->dy[0]},
            *outputs[CUSP_MAX_OUTPUTS];
  for (int i = 0; i < optional; i++)
    inputs[G_FIRST_OPTIONAL + i] = g->x[FIRST_OPTIONAL + i];
  if (!cusp_apply_many(outputs, "attention_tiles_gradient", G_FIRST_OPTIONAL + optional, inputs,
                       ATTRIBUTES, attrs))
    return cusp_built(NULL);
  for (int i = QUERY; i <= VALUE; i++)
    g->dx[i] = outputs[i];
  return CUSP_OK;
}

/** Through the same gradient made of other rows; out and sums are functions of the rest. */
static cusp_status tiles_gradient_gradient(cusp_gradient *g) {
  apart p = {0};
  cusp_node *first[5], *second[5], *targets[3], *cotangents[3];
  int n_targets = 0;
  CUSP_TRY(set_apart(&p, g, g->x[DOUT], G_FIRST_OPTIONAL));
  cusp_node *out = unfused(&p.o);
  CUSP_TRY(cusp_built(out));
  CUSP_TRY(gradients_apart(&p, first, 1, &out, &p.dout));
  for (int i = QUERY; i <= VALUE; i++)
    if (g->dy[i] && first[i]) {
      targets[n_targets] = first[i];
      cotangents[n_targets++] = g->dy[i];
    }
  if (n_targets == 0)
    return CUSP_OK;
  CUSP_TRY(gradients_apart(&p, second, n_targets, targets, cotangents));
  for (int i = QUERY; i <= VALUE; i++)
    g->dx[i] = second[i];
  g->dx[DOUT] = second[3];
  if (p.o.bias)
    g->dx[G_FIRST_OPTIONAL] = second[4];
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the public row */

static const char *const names[] = {"query", "key", "value"};

static cusp_status check_operands(cusp_node *const *inputs) {
  for (int i = QUERY; i <= VALUE; i++)
    if (inputs[i]->type.shape.ndim != 4)
      return cusp_fail(CUSP_ESHAPE, "%s should have shape [batch, time, heads, size], got %s",
                       names[i], cusp_shape_text(&inputs[i]->type.shape));
  const int64_t *q = inputs[QUERY]->type.shape.size, *k = inputs[KEY]->type.shape.size,
                *v = inputs[VALUE]->type.shape.size;
  if (k[2] < 1 || q[2] % k[2] != 0)
    return cusp_fail(CUSP_ESHAPE,
                     "the number of query heads (%lld) should be a multiple of the key heads "
                     "(%lld)",
                     (long long)q[2], (long long)k[2]);
  if (q[3] != k[3] || k[1] != v[1] || k[2] != v[2])
    return cusp_fail(CUSP_ESHAPE,
                     "key should have the size of query, and the time and heads of value; got "
                     "query %s, key %s, value %s",
                     cusp_shape_text(&inputs[QUERY]->type.shape),
                     cusp_shape_text(&inputs[KEY]->type.shape),
                     cusp_shape_text(&inputs[VALUE]->type.shape));
  return CUSP_OK;
}

static cusp_status broadcast_batch(cusp_node **x) {
  int64_t batch = 1;
  for (int i = QUERY; i <= VALUE; i++) {
    int64_t size = x[i]->type.shape.size[0];
    if (size != batch && size != 1 && batch != 1)
      return cusp_fail(CUSP_ESHAPE,
                       "query, key and value should have one batch size, got %lld "
                       "and %lld",
                       (long long)batch, (long long)size);
    batch = size == 1 ? batch : size;
  }
  for (int i = QUERY; i <= VALUE; i++) {
    cusp_shape shape = x[i]->type.shape;
    shape.size[0] = batch;
    CUSP_TRY(cusp_built(x[i] = cusp_broadcast_to(x[i], &shape)));
  }
  return CUSP_OK;
}

static cusp_status check_grid(const char *name, const cusp_node *x, const operands *o) {
  const cusp_shape grid = grid_shape(&o->query->type.shape, &o->key->type.shape);
  if (!x || broadcasts(&x->type.shape, &grid))
    return CUSP_OK;
  return cusp_fail(CUSP_ESHAPE,
                   "%s should have a shape that broadcasts to [batch, heads, target, source] = %s, "
                   "got %s",
                   name, cusp_shape_text(&grid), cusp_shape_text(&x->type.shape));
}

static cusp_node *tiled(const operands *o) {
  cusp_node *inputs[5] = {o->query, o->key, o->value}, *outputs[CUSP_MAX_OUTPUTS];
  int count = FIRST_OPTIONAL;
  if (o->bias)
    inputs[count++] = o->bias;
  if (o->mask)
    inputs[count++] = o->mask;
  return cusp_apply_many(outputs, "attention_tiles", count, inputs, ATTRIBUTES, o->attrs)
             ? outputs[0]
             : NULL;
}

static bool is_empty(const cusp_node *x) { return cusp_shape_count(&x->type.shape) == 0; }

static cusp_status build(const operands *o, cusp_dtype dtype, cusp_node **out) {
  CUSP_TRY(check_grid("bias", o->bias, o));
  CUSP_TRY(check_grid("mask", o->mask, o));
  bool empty = is_empty(o->query) || is_empty(o->key) || is_empty(o->value);
  return cusp_built(*out = cusp_cast(empty ? unfused(o) : tiled(o), dtype));
}

enum { A_SCALE, A_CAUSAL, A_FLASH, A_SOFT_CAP };

CUSP_COMPOSE(compose_attention) {
  CUSP_TRY(check_operands(inputs));
  cusp_node *x[3];
  cusp_dtype dtype = inputs[QUERY]->type.dtype;
  for (int i = KEY; i <= VALUE; i++)
    dtype = cusp_dtype_promote(dtype, inputs[i]->type.dtype);
  dtype = cusp_dtype_to_float(dtype);
  cusp_dtype wide = dtype == CUSP_FLOAT64 ? CUSP_FLOAT64 : CUSP_FLOAT32;
  for (int i = QUERY; i <= VALUE; i++)
    CUSP_TRY(cusp_built(x[i] = cusp_cast(inputs[i], wide)));
  CUSP_TRY(broadcast_batch(x));
  cusp_node *bias = n_inputs > 3 ? inputs[3] : NULL, *mask = n_inputs > 4 ? inputs[4] : NULL;
  const double size = (double)x[QUERY]->type.shape.size[3];
  const cusp_attr attr[ATTRIBUTES] = {
      cusp_attr_bool(bias != NULL),
      cusp_attr_bool(mask != NULL),
      cusp_attr_bool(attrs[A_CAUSAL].integer),
      cusp_attr_float(attrs[A_SCALE].kind == CUSP_ATTR_FLOAT ? attrs[A_SCALE].number
                                                             : 1 / sqrt(size > 0 ? size : 1)),
      cusp_attr_float(attrs[A_SOFT_CAP].kind == CUSP_ATTR_FLOAT ? attrs[A_SOFT_CAP].number : 0),
      cusp_attr_bool(dtype == CUSP_BFLOAT16)};
  const operands o = {x[QUERY],
                      x[KEY],
                      x[VALUE],
                      bias ? cusp_cast(bias, wide) : NULL,
                      mask ? cusp_cast(mask, CUSP_BOOL) : NULL,
                      attr};
  return build(&o, dtype, &outputs[0]);
}

/* Scores and their sums of values; a causal mask hides half. */
static double tiles_work(const cusp_call *call) {
  const int64_t *q = call->inputs[QUERY].shape.size, *v = call->inputs[VALUE].shape.size;
  double work = 2.0 * (double)(q[0] * q[1] * q[2]) * (double)v[1] * (double)(q[3] + v[3]);
  return call->attrs[CAUSAL].integer ? work / 2 : work;
}

/* The scores again, and four products. */
static double gradient_work(const cusp_call *call) { return 2.5 * tiles_work(call); }

const cusp_op cusp_ops_attention[] = {
    {.name = "dot_product_attention",
     .arguments = "query, key, value, bias?, mask?, scale: float = nil, is_causal: bool = false, "
                  "flash_attention: bool = nil, attn_logits_soft_cap: float = nil",
     .help = "softmax(query key' scale + bias) value for each head; inputs [batch, time, heads, "
             "size].",
     .compose = compose_attention},
    {.name = "attention_tiles",
     .arguments = TILES_ARGUMENTS,
     .help = "dot_product_attention of float32 or float64; also gives what its gradient needs.",
     .flags = CUSP_OP_HIDDEN,
     .infer = tiles_infer,
     .gradient = tiles_gradient,
     .kernels = tiles_kernels,
     .work = tiles_work},
    {.name = "attention_tiles_gradient",
     .arguments = TILES_ARGUMENTS,
     .help = "Gradients of attention_tiles with respect to query, key and value.",
     .flags = CUSP_OP_HIDDEN,
     .infer = gradient_infer,
     .gradient = tiles_gradient_gradient,
     .kernels = gradient_kernels,
     .work = gradient_work},
    {0},
};
