/*
 * Recurrent layers as one operation for a whole sequence. `lstm` brings its arguments to one dtype;
 * the hidden rows have the kernels, and take a list because a row's own inputs are limited in
 * number and cannot be absent in the middle.
 */

#include "../kernels/lstm.h"
#include "../base/memory.h"
#include "../kernels/blas.h"
#include "../node/build.h"
#include "../node/infer.h"

#include <string.h>

/* ------------------------------------------------------------------ the forward row */

/* Inputs of lstm_sequence: these, then bias and mask where the attributes say so. */
enum { X, H0, C0, KERNEL, RECURRENT, FIRST_OPTIONAL };
/* Its attributes. */
enum { HAS_BIAS, HAS_MASK, BACKWARDS };
/* Its outputs. */
enum { SEQUENCE, H, C, RESERVE, SEQUENCE_OUTPUTS };

/** What the rows have in common: x [batch, time, input], kernel [input, 4 * units],
 * recurrent_kernel [units, 4 * units]. */
static cusp_status check_weights(const cusp_inference *inference, int kernel,
                                 int recurrent_kernel) {
  const cusp_type *x = &inference->inputs[X];
  const cusp_shape *recurrent = &inference->inputs[recurrent_kernel].shape;
  CUSP_TRY(cusp_infer_float_or_double(inference));
  if (x->shape.ndim != 3)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "x must have shape [batch, time, input], got %s",
                           cusp_shape_text(&x->shape));
  if (recurrent->ndim != 2 || recurrent->size[0] > INT32_MAX)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "recurrent_kernel must have shape [units, 4 * units], got %s",
                           cusp_shape_text(recurrent));
  int64_t units = recurrent->size[0];
  CUSP_TRY(cusp_infer_expect(inference, recurrent_kernel, "recurrent_kernel", x->dtype,
                             (cusp_shape){2, {units, 4 * units}}));
  return cusp_infer_expect(inference, kernel, "kernel", x->dtype,
                           (cusp_shape){2, {x->shape.size[2], 4 * units}});
}

static cusp_status sequence_infer(cusp_inference *inference) {
  const cusp_type *x = &inference->inputs[X];
  bool has_bias = inference->attrs[HAS_BIAS].integer, has_mask = inference->attrs[HAS_MASK].integer;
  CUSP_TRY(cusp_infer_count(inference, FIRST_OPTIONAL + has_bias + has_mask));
  CUSP_TRY(check_weights(inference, KERNEL, RECURRENT));
  int64_t batch = x->shape.size[0], time = x->shape.size[1],
          units = inference->inputs[RECURRENT].shape.size[0], reserve;
  CUSP_TRY(cusp_infer_expect(inference, H0, "h0", x->dtype, (cusp_shape){2, {batch, units}}));
  CUSP_TRY(cusp_infer_expect(inference, C0, "c0", x->dtype, (cusp_shape){2, {batch, units}}));
  if (has_bias)
    CUSP_TRY(cusp_infer_expect(inference, FIRST_OPTIONAL, "bias", x->dtype,
                               (cusp_shape){1, {4 * units}}));
  if (has_mask)
    CUSP_TRY(cusp_infer_expect(inference, FIRST_OPTIONAL + has_bias, "mask", CUSP_BOOL,
                               (cusp_shape){2, {batch, time}}));
  CUSP_TRY(cusp_lstm_reserve(&reserve, batch, time, units));
  inference->n_outputs = SEQUENCE_OUTPUTS;
  inference->outputs[SEQUENCE] = (cusp_type){x->dtype, {3, {batch, time, units}}};
  inference->outputs[H] = inference->outputs[C] = (cusp_type){x->dtype, {2, {batch, units}}};
  inference->outputs[RESERVE] = (cusp_type){x->dtype, {1, {reserve}}};
  return CUSP_OK;
}

static cusp_lstm sequence_geometry(const cusp_call *call) {
  const cusp_shape *x = &call->inputs[X].shape;
  cusp_lstm l = {
      .dtype = call->inputs[X].dtype, .batch = x->size[0], .time = x->size[1], .input = x->size[2]};
  l.units = call->inputs[RECURRENT].shape.size[0];
  l.backwards = call->attrs[BACKWARDS].integer;
  return l;
}

static cusp_status sequence_prepare(cusp_call *call) {
  cusp_lstm l = sequence_geometry(call);
  call->workspace_bytes = cusp_lstm_workspace(&l);
  return CUSP_OK;
}

static cusp_status sequence_run(cusp_call *call) {
  CUSP_TRY(cusp_blas_ready());
  cusp_lstm l = sequence_geometry(call);
  const cusp_array *optional = call->inputs + FIRST_OPTIONAL;
  l.x = call->inputs[X].data;
  l.kernel = call->inputs[KERNEL].data;
  l.recurrent = call->inputs[RECURRENT].data;
  l.bias = call->attrs[HAS_BIAS].integer ? (optional++)->data : NULL;
  l.mask = call->attrs[HAS_MASK].integer ? optional->data : NULL;
  l.workspace = call->workspace;
  cusp_lstm_place(&l, call->outputs[RESERVE].data);
  cusp_lstm_forward(&l, call->inputs[H0].data, call->inputs[C0].data, call->outputs[SEQUENCE].data,
                    call->outputs[H].data, call->outputs[C].data);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the backward row */

/* Inputs of lstm_gradient: these, then the mask and the cotangents of sequence, h and c, where the
 * attributes say so. */
enum { G_X, G_KERNEL, G_RECURRENT, G_RESERVE, G_FIRST_OPTIONAL };
/* Its attributes. */
enum {
  G_HAS_MASK,
  G_HAS_SEQUENCE,
  G_HAS_H,
  G_HAS_C,
  G_HAS_BIAS,
  G_WANT_X,
  G_BACKWARDS,
  G_ATTRIBUTES
};
/* Its outputs, in the order of the forward row's inputs. dx is empty where it is not wanted. */
enum { G_DX, G_DH0, G_DC0, G_DKERNEL, G_DRECURRENT, G_DBIAS, G_OUTPUTS };

/** The mask and the cotangents, as many as the attributes say. */
static cusp_status check_optional(const cusp_inference *inference) {
  const cusp_attr *attrs = inference->attrs;
  const cusp_type *x = &inference->inputs[G_X];
  int64_t batch = x->shape.size[0], time = x->shape.size[1],
          units = inference->inputs[G_RECURRENT].shape.size[0];
  int at = G_FIRST_OPTIONAL;
  if (attrs[G_HAS_MASK].integer)
    CUSP_TRY(cusp_infer_expect(inference, at++, "mask", CUSP_BOOL, (cusp_shape){2, {batch, time}}));
  if (attrs[G_HAS_SEQUENCE].integer)
    CUSP_TRY(cusp_infer_expect(inference, at++, "dsequence", x->dtype,
                               (cusp_shape){3, {batch, time, units}}));
  if (attrs[G_HAS_H].integer)
    CUSP_TRY(cusp_infer_expect(inference, at++, "dh", x->dtype, (cusp_shape){2, {batch, units}}));
  if (attrs[G_HAS_C].integer)
    CUSP_TRY(cusp_infer_expect(inference, at++, "dc", x->dtype, (cusp_shape){2, {batch, units}}));
  return CUSP_OK;
}

static cusp_status check_gradient(const cusp_inference *inference) {
  const cusp_attr *attrs = inference->attrs;
  const cusp_type *x = &inference->inputs[G_X];
  int optional = (attrs[G_HAS_MASK].integer != 0) + (attrs[G_HAS_SEQUENCE].integer != 0) +
                 (attrs[G_HAS_H].integer != 0) + (attrs[G_HAS_C].integer != 0);
  int64_t reserve;
  CUSP_TRY(cusp_infer_count(inference, G_FIRST_OPTIONAL + optional));
  CUSP_TRY(check_weights(inference, G_KERNEL, G_RECURRENT));
  CUSP_TRY(cusp_lstm_reserve(&reserve, x->shape.size[0], x->shape.size[1],
                             inference->inputs[G_RECURRENT].shape.size[0]));
  CUSP_TRY(
      cusp_infer_expect(inference, G_RESERVE, "reserve", x->dtype, (cusp_shape){1, {reserve}}));
  return check_optional(inference);
}

static cusp_status gradient_infer(cusp_inference *inference) {
  CUSP_TRY(check_gradient(inference));
  const cusp_type *x = &inference->inputs[G_X];
  int64_t units = inference->inputs[G_RECURRENT].shape.size[0];
  cusp_type state = {x->dtype, {2, {x->shape.size[0], units}}};
  inference->n_outputs = G_OUTPUTS - !inference->attrs[G_HAS_BIAS].integer;
  inference->outputs[G_DX] =
      inference->attrs[G_WANT_X].integer ? *x : (cusp_type){x->dtype, {1, {0}}};
  inference->outputs[G_DH0] = inference->outputs[G_DC0] = state;
  inference->outputs[G_DKERNEL] = inference->inputs[G_KERNEL];
  inference->outputs[G_DRECURRENT] = inference->inputs[G_RECURRENT];
  inference->outputs[G_DBIAS] = (cusp_type){x->dtype, {1, {4 * units}}};
  return CUSP_OK;
}

static cusp_lstm gradient_geometry(const cusp_call *call) {
  const cusp_shape *x = &call->inputs[G_X].shape;
  cusp_lstm l = {.dtype = call->inputs[G_X].dtype,
                 .batch = x->size[0],
                 .time = x->size[1],
                 .input = x->size[2]};
  l.units = call->inputs[G_RECURRENT].shape.size[0];
  l.backwards = call->attrs[G_BACKWARDS].integer;
  return l;
}

static cusp_status gradient_prepare(cusp_call *call) {
  cusp_lstm l = gradient_geometry(call);
  call->workspace_bytes = cusp_lstm_gradient_workspace(&l);
  return CUSP_OK;
}

static cusp_status gradient_run(cusp_call *call) {
  CUSP_TRY(cusp_blas_ready());
  cusp_lstm l = gradient_geometry(call);
  const cusp_array *optional = call->inputs + G_FIRST_OPTIONAL;
  const cusp_attr *attrs = call->attrs;
  cusp_lstm_gradient g = {0};
  l.x = call->inputs[G_X].data;
  l.kernel = call->inputs[G_KERNEL].data;
  l.recurrent = call->inputs[G_RECURRENT].data;
  l.mask = attrs[G_HAS_MASK].integer ? (optional++)->data : NULL;
  l.workspace = call->workspace;
  cusp_lstm_place(&l, call->inputs[G_RESERVE].data);
  g.dsequence = attrs[G_HAS_SEQUENCE].integer ? (optional++)->data : NULL;
  g.dh = attrs[G_HAS_H].integer ? (optional++)->data : NULL;
  g.dc = attrs[G_HAS_C].integer ? optional->data : NULL;
  g.dx = attrs[G_WANT_X].integer ? call->outputs[G_DX].data : NULL;
  g.dh0 = call->outputs[G_DH0].data;
  g.dc0 = call->outputs[G_DC0].data;
  g.dkernel = call->outputs[G_DKERNEL].data;
  g.drecurrent = call->outputs[G_DRECURRENT].data;
  g.dbias = attrs[G_HAS_BIAS].integer ? call->outputs[G_DBIAS].data : NULL;
  cusp_lstm_backward(&l, &g);
  return CUSP_OK;
}

static cusp_status sequence_gradient(cusp_gradient *g) {
  const cusp_attr *forward = g->node->attrs;
  cusp_node *inputs[8] = {g->x[X], g->x[KERNEL], g->x[RECURRENT], g->y[RESERVE]},
            *outputs[CUSP_MAX_OUTPUTS];
  bool has_bias = forward[HAS_BIAS].integer, has_mask = forward[HAS_MASK].integer;
  int count = G_FIRST_OPTIONAL;
  cusp_attr attrs[G_ATTRIBUTES];
  if (has_mask)
    inputs[count++] = g->x[FIRST_OPTIONAL + has_bias];
  for (int i = SEQUENCE; i <= C; i++)
    if (g->dy[i])
      inputs[count++] = g->dy[i];
  attrs[G_HAS_MASK] = cusp_attr_bool(has_mask);
  attrs[G_HAS_SEQUENCE] = cusp_attr_bool(g->dy[SEQUENCE] != NULL);
  attrs[G_HAS_H] = cusp_attr_bool(g->dy[H] != NULL);
  attrs[G_HAS_C] = cusp_attr_bool(g->dy[C] != NULL);
  attrs[G_HAS_BIAS] = cusp_attr_bool(has_bias);
  attrs[G_WANT_X] = cusp_attr_bool(g->wanted[X]);
  attrs[G_BACKWARDS] = forward[BACKWARDS];
  if (!cusp_apply_many(outputs, "lstm_gradient", count, inputs, G_ATTRIBUTES, attrs))
    return cusp_built(NULL);
  for (int i = X; i < FIRST_OPTIONAL + has_bias; i++)
    if (g->wanted[i])
      g->dx[i] = outputs[i];
  return CUSP_OK;
}

static cusp_status no_second_gradient(cusp_gradient *g) {
  (void)g;
  return cusp_fail(CUSP_EUNSUPPORTED,
                   "lstm: a gradient of its gradient was asked for, which the whole-sequence "
                   "kernel does not have; "
                   "use a layer with unroll = true, which is made of differentiable operations");
}

#define KERNEL_ROW(prepare_, run_)                                \
  (const cusp_kernel[]) {                                         \
    {.name = "sequence", .prepare = prepare_, .run = run_}, { 0 } \
  }

/* ------------------------------------------------------------------ the public row */

/** All to one float dtype, 16-bit ones to float32; the mask to bool. */
CUSP_COMPOSE(lstm_compose) {
  cusp_node *list[7], *results[CUSP_MAX_OUTPUTS], *bias = n_inputs > 5 ? inputs[5] : NULL,
                                                  *mask = n_inputs > 6 ? inputs[6] : NULL;
  int count = 0;
  cusp_dtype dtype = inputs[X]->type.dtype;
  for (int i = 1; i < 6 && i < n_inputs; i++)
    dtype = inputs[i] ? cusp_dtype_promote(dtype, inputs[i]->type.dtype) : dtype;
  dtype = cusp_dtype_to_float(dtype);
  cusp_dtype wide = dtype == CUSP_FLOAT64 ? CUSP_FLOAT64 : CUSP_FLOAT32;
  for (int i = 0; i < FIRST_OPTIONAL; i++)
    list[count++] = cusp_cast(inputs[i], wide);
  if (bias)
    list[count++] = cusp_cast(bias, wide);
  if (mask)
    list[count++] = cusp_cast(mask, CUSP_BOOL);
  cusp_attr sequence_attrs[] = {cusp_attr_bool(bias != NULL), cusp_attr_bool(mask != NULL),
                                attrs[0]};
  *n_outputs = 3;
  if (!cusp_apply_many(results, "lstm_sequence", count, list, 3, sequence_attrs))
    return cusp_built(NULL);
  for (int i = 0; i < 3; i++)
    CUSP_TRY(cusp_built(outputs[i] = cusp_cast(results[i], dtype)));
  return CUSP_OK;
}

const cusp_op cusp_ops_lstm[] = {
    {.name = "lstm",
     .arguments = "x, h0, c0, kernel, recurrent_kernel, bias?, mask?, go_backwards: bool = false",
     .help = "An LSTM over sequences [batch, time, input]: its outputs [batch, time, units], the "
             "last output and cell state.",
     .compose = lstm_compose},
    {.name = "lstm_sequence",
     .arguments = "inputs..., has_bias: bool, has_mask: bool, go_backwards: bool",
     .help = "lstm of float32 or float64; also gives what its gradient needs.",
     .flags = CUSP_OP_HIDDEN,
     .infer = sequence_infer,
     .gradient = sequence_gradient,
     .kernels = KERNEL_ROW(sequence_prepare, sequence_run)},
    {.name = "lstm_gradient",
     .arguments = "inputs..., has_mask: bool, has_sequence: bool, has_h: bool, has_c: bool, "
                  "has_bias: bool, want_x: bool, "
                  "go_backwards: bool",
     .help = "Gradients of lstm_sequence with respect to its inputs.",
     .flags = CUSP_OP_HIDDEN,
     .infer = gradient_infer,
     .gradient = no_second_gradient,
     .kernels = KERNEL_ROW(gradient_prepare, gradient_run)},
    {0},
};
