#include "recurrent.h"

#include "../kernels/blas.h"
#include "../node/infer.h"

static const cusp_recurrent_rows *rows_of(const cusp_op *op) { return op->detail; }

/* Names of the states for messages, before a sequence and as cotangents after it. */
static const char *const first_states[CUSP_CELL_STATES] = {"h0", "c0"};
static const char *const state_cotangents[CUSP_CELL_STATES] = {"dh", "dc"};

/* ------------------------------------------------------------------ the forward row */

/* Inputs of a sequence row: x, the states, the two kernels, then bias and mask where the attributes
 * say so. */
enum { X, FIRST_STATE };
static int kernel_input(const cusp_cell *cell) { return FIRST_STATE + cell->states; }
static int recurrent_input(const cusp_cell *cell) { return kernel_input(cell) + 1; }
static int first_optional(const cusp_cell *cell) { return recurrent_input(cell) + 1; }
/* Its attributes. */
enum { HAS_BIAS, HAS_MASK, BACKWARDS, NARROW, ATTRIBUTES };
/* Its outputs: the sequence, the last states, and what the gradient needs. */
enum { SEQUENCE, H };
static int reserve_output(const cusp_cell *cell) { return H + cell->states; }

/** What the rows have in common: x [batch, time, input], kernel [input, gates * units],
 * recurrent_kernel [units, gates * units]. */
static cusp_status check_weights(const cusp_inference *inference, int kernel,
                                 int recurrent_kernel) {
  const cusp_type *x = &inference->inputs[X];
  const cusp_shape *recurrent = &inference->inputs[recurrent_kernel].shape;
  const int gates = rows_of(inference->op)->cell->gates;
  CUSP_TRY(cusp_infer_float_or_double(inference));
  if (x->shape.ndim != 3)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "x must have shape [batch, time, input], got %s",
                           cusp_shape_text(&x->shape));
  if (recurrent->ndim != 2 || recurrent->size[0] > INT32_MAX)
    return cusp_infer_fail(inference, CUSP_ESHAPE,
                           "recurrent_kernel must have shape [units, %d * units], got %s", gates,
                           cusp_shape_text(recurrent));
  int64_t units = recurrent->size[0];
  CUSP_TRY(cusp_infer_expect(inference, recurrent_kernel, "recurrent_kernel", x->dtype,
                             (cusp_shape){2, {units, gates * units}}));
  return cusp_infer_expect(inference, kernel, "kernel", x->dtype,
                           (cusp_shape){2, {x->shape.size[2], gates * units}});
}

/** Sizes alone, from x and the recurrent kernel. */
static cusp_recurrent geometry(const cusp_cell *cell, const cusp_type *x,
                               const cusp_shape *recurrent) {
  const int64_t *size = x->shape.size;
  return (cusp_recurrent){.cell = cell,
                          .dtype = x->dtype,
                          .batch = size[0],
                          .time = size[1],
                          .input = size[2],
                          .units = recurrent->size[0]};
}

/** The bias: [gates * units], or a row for each projection. */
static cusp_shape bias_shape(const cusp_recurrent *r) {
  int64_t rows = cusp_cell_biases(r->cell), columns = r->cell->gates * r->units;
  return rows == 1 ? (cusp_shape){1, {columns}} : (cusp_shape){2, {rows, columns}};
}

static cusp_status check_sequence(const cusp_inference *inference, const cusp_recurrent *r) {
  int next = first_optional(r->cell);
  for (int i = 0; i < r->cell->states; i++)
    CUSP_TRY(cusp_infer_expect(inference, FIRST_STATE + i, first_states[i], r->dtype,
                               (cusp_shape){2, {r->batch, r->units}}));
  if (inference->attrs[HAS_BIAS].integer)
    CUSP_TRY(cusp_infer_expect(inference, next++, "bias", r->dtype, bias_shape(r)));
  if (inference->attrs[HAS_MASK].integer)
    CUSP_TRY(cusp_infer_expect(inference, next, "mask", CUSP_BOOL,
                               (cusp_shape){2, {r->batch, r->time}}));
  return CUSP_OK;
}

cusp_status cusp_sequence_infer(cusp_inference *inference) {
  const cusp_cell *cell = rows_of(inference->op)->cell;
  const int weights = recurrent_input(cell);
  bool has_bias = inference->attrs[HAS_BIAS].integer, has_mask = inference->attrs[HAS_MASK].integer;
  CUSP_TRY(cusp_infer_count(inference, first_optional(cell) + has_bias + has_mask));
  CUSP_TRY(check_weights(inference, kernel_input(cell), weights));
  cusp_recurrent r = geometry(cell, &inference->inputs[X], &inference->inputs[weights].shape);
  int64_t reserve;
  CUSP_TRY(check_sequence(inference, &r));
  CUSP_TRY(cusp_recurrent_reserve(&reserve, &r));
  inference->n_outputs = reserve_output(cell) + 1;
  inference->outputs[SEQUENCE] = (cusp_type){r.dtype, {3, {r.batch, r.time, r.units}}};
  for (int i = 0; i < cell->states; i++)
    inference->outputs[H + i] = (cusp_type){r.dtype, {2, {r.batch, r.units}}};
  inference->outputs[reserve_output(cell)] = (cusp_type){r.dtype, {1, {reserve}}};
  return CUSP_OK;
}

static cusp_recurrent call_geometry(const cusp_call *call, int recurrent, int backwards) {
  const cusp_type x = {call->inputs[X].dtype, call->inputs[X].shape};
  cusp_recurrent r = geometry(rows_of(call->op)->cell, &x, &call->inputs[recurrent].shape);
  r.backwards = call->attrs[backwards].integer;
  r.narrow = call->attrs[backwards + 1].integer;
  r.x = call->inputs[X].data;
  r.recurrent = call->inputs[recurrent].data;
  r.workspace = call->workspace;
  return r;
}

static cusp_recurrent sequence_geometry(const cusp_call *call) {
  return call_geometry(call, recurrent_input(rows_of(call->op)->cell), BACKWARDS);
}

static cusp_status sequence_prepare(cusp_call *call) {
  cusp_recurrent r = sequence_geometry(call);
  call->workspace_bytes = cusp_recurrent_workspace(&r);
  return CUSP_OK;
}

static cusp_status sequence_run(cusp_call *call) {
  CUSP_TRY(cusp_blas_ready());
  cusp_recurrent r = sequence_geometry(call);
  const cusp_array *optional = call->inputs + first_optional(r.cell);
  const void *from[CUSP_CELL_STATES];
  void *to[CUSP_CELL_STATES];
  r.kernel = call->inputs[kernel_input(r.cell)].data;
  r.bias = call->attrs[HAS_BIAS].integer ? (optional++)->data : NULL;
  r.mask = call->attrs[HAS_MASK].integer ? optional->data : NULL;
  for (int i = 0; i < r.cell->states; i++) {
    from[i] = call->inputs[FIRST_STATE + i].data;
    to[i] = call->outputs[H + i].data;
  }
  cusp_recurrent_place(&r, call->outputs[reserve_output(r.cell)].data);
  cusp_recurrent_forward(&r, from, call->outputs[SEQUENCE].data, to);
  return CUSP_OK;
}

const cusp_kernel cusp_sequence_kernels[] = {
    {.name = "sequence", .prepare = sequence_prepare, .run = sequence_run}, {0}};

/* Products with both kernels in each step; gates are little beside them. */
static double work_of(const cusp_recurrent *r) {
  double products = (double)(r->input + r->units) * (double)(r->cell->gates * r->units);
  return 2.0 * (double)(r->batch * r->time) * products;
}

double cusp_sequence_work(const cusp_call *call) {
  cusp_recurrent r = sequence_geometry(call);
  return work_of(&r);
}

/* ------------------------------------------------------------------ the backward row */

/* Inputs of a gradient row: these, the first states, then bias, mask and the cotangents of sequence
 * and states, where the attributes say so. States and bias are for its own gradient. */
enum { G_X, G_KERNEL, G_RECURRENT, G_RESERVE, G_FIRST_STATE };
static int first_given(const cusp_cell *cell) { return G_FIRST_STATE + cell->states; }
/* Its attributes: has_mask, has_sequence, one for each state, has_bias, want_x, go_backwards and
 * narrow. */
enum { G_HAS_MASK, G_HAS_SEQUENCE, G_HAS_H };
static int has_bias_attribute(const cusp_cell *cell) { return G_HAS_H + cell->states; }
static int want_x_attribute(const cusp_cell *cell) { return has_bias_attribute(cell) + 1; }
static int backwards_attribute(const cusp_cell *cell) { return want_x_attribute(cell) + 1; }
static int narrow_attribute(const cusp_cell *cell) { return backwards_attribute(cell) + 1; }
#define G_MAX_ATTRIBUTES (G_HAS_H + CUSP_CELL_STATES + 4)
#define G_MAX_INPUTS (G_FIRST_STATE + 1 + G_HAS_H + 2 * CUSP_CELL_STATES)
/* Its outputs are in the order of the forward row's inputs. dx is empty where it is not wanted. */

/** The states, then bias, mask and cotangents, as many as the attributes say. */
static cusp_status check_given(const cusp_inference *inference, const cusp_recurrent *r) {
  const cusp_attr *attrs = inference->attrs;
  int at = first_given(r->cell);
  for (int i = 0; i < r->cell->states; i++)
    CUSP_TRY(cusp_infer_expect(inference, G_FIRST_STATE + i, first_states[i], r->dtype,
                               (cusp_shape){2, {r->batch, r->units}}));
  if (attrs[has_bias_attribute(r->cell)].integer)
    CUSP_TRY(cusp_infer_expect(inference, at++, "bias", r->dtype, bias_shape(r)));
  if (attrs[G_HAS_MASK].integer)
    CUSP_TRY(cusp_infer_expect(inference, at++, "mask", CUSP_BOOL,
                               (cusp_shape){2, {r->batch, r->time}}));
  if (attrs[G_HAS_SEQUENCE].integer)
    CUSP_TRY(cusp_infer_expect(inference, at++, "dsequence", r->dtype,
                               (cusp_shape){3, {r->batch, r->time, r->units}}));
  for (int i = 0; i < r->cell->states; i++)
    if (attrs[G_HAS_H + i].integer)
      CUSP_TRY(cusp_infer_expect(inference, at++, state_cotangents[i], r->dtype,
                                 (cusp_shape){2, {r->batch, r->units}}));
  return CUSP_OK;
}

static cusp_status check_gradient(const cusp_inference *inference, cusp_recurrent *r) {
  const cusp_cell *cell = rows_of(inference->op)->cell;
  int optional = inference->attrs[has_bias_attribute(cell)].integer != 0;
  int64_t reserve;
  for (int i = 0; i < G_HAS_H + cell->states; i++)
    optional += inference->attrs[i].integer != 0;
  CUSP_TRY(cusp_infer_count(inference, first_given(cell) + optional));
  CUSP_TRY(check_weights(inference, G_KERNEL, G_RECURRENT));
  *r = geometry(cell, &inference->inputs[G_X], &inference->inputs[G_RECURRENT].shape);
  CUSP_TRY(cusp_recurrent_reserve(&reserve, r));
  CUSP_TRY(
      cusp_infer_expect(inference, G_RESERVE, "reserve", r->dtype, (cusp_shape){1, {reserve}}));
  return check_given(inference, r);
}

cusp_status cusp_sequence_gradient_infer(cusp_inference *inference) {
  cusp_recurrent r;
  CUSP_TRY(check_gradient(inference, &r));
  cusp_type *outputs = inference->outputs;
  outputs[X] = inference->attrs[want_x_attribute(r.cell)].integer ? inference->inputs[G_X]
                                                                  : (cusp_type){r.dtype, {1, {0}}};
  for (int i = 0; i < r.cell->states; i++)
    outputs[FIRST_STATE + i] = (cusp_type){r.dtype, {2, {r.batch, r.units}}};
  outputs[kernel_input(r.cell)] = inference->inputs[G_KERNEL];
  outputs[recurrent_input(r.cell)] = inference->inputs[G_RECURRENT];
  outputs[first_optional(r.cell)] = (cusp_type){r.dtype, bias_shape(&r)};
  inference->n_outputs =
      first_optional(r.cell) + (inference->attrs[has_bias_attribute(r.cell)].integer != 0);
  return CUSP_OK;
}

static cusp_recurrent gradient_geometry(const cusp_call *call) {
  return call_geometry(call, G_RECURRENT, backwards_attribute(rows_of(call->op)->cell));
}

static cusp_status gradient_prepare(cusp_call *call) {
  cusp_recurrent r = gradient_geometry(call);
  call->workspace_bytes = cusp_recurrent_gradient_workspace(&r);
  return CUSP_OK;
}

/** Where the gradients go. */
static void gradient_outputs(const cusp_call *call, const cusp_cell *cell,
                             cusp_recurrent_gradient *g) {
  const cusp_array *outputs = call->outputs;
  const cusp_attr *attrs = call->attrs;
  g->dx = attrs[want_x_attribute(cell)].integer ? outputs[X].data : NULL;
  for (int i = 0; i < cell->states; i++)
    g->dstates0[i] = outputs[FIRST_STATE + i].data;
  g->dkernel = outputs[kernel_input(cell)].data;
  g->drecurrent = outputs[recurrent_input(cell)].data;
  g->dbias = attrs[has_bias_attribute(cell)].integer ? outputs[first_optional(cell)].data : NULL;
}

static cusp_status gradient_run(cusp_call *call) {
  CUSP_TRY(cusp_blas_ready());
  cusp_recurrent r = gradient_geometry(call);
  const cusp_array *optional = call->inputs + first_given(r.cell);
  cusp_recurrent_gradient g = {0};
  optional += call->attrs[has_bias_attribute(r.cell)].integer != 0;
  r.kernel = call->inputs[G_KERNEL].data;
  r.mask = call->attrs[G_HAS_MASK].integer ? (optional++)->data : NULL;
  cusp_recurrent_place(&r, call->inputs[G_RESERVE].data);
  g.dsequence = call->attrs[G_HAS_SEQUENCE].integer ? (optional++)->data : NULL;
  for (int i = 0; i < r.cell->states; i++)
    g.dstates[i] = call->attrs[G_HAS_H + i].integer ? (optional++)->data : NULL;
  gradient_outputs(call, r.cell, &g);
  cusp_recurrent_backward(&r, &g);
  return CUSP_OK;
}

const cusp_kernel cusp_sequence_gradient_kernels[] = {
    {.name = "sequence", .prepare = gradient_prepare, .run = gradient_run}, {0}};

double cusp_sequence_gradient_work(const cusp_call *call) {
  cusp_recurrent r = gradient_geometry(call);
  return 2 * work_of(&r);
}

cusp_status cusp_sequence_gradient(cusp_gradient *g) {
  const cusp_recurrent_rows *rows = rows_of(g->node->op);
  const cusp_cell *cell = rows->cell;
  const cusp_attr *forward = g->node->attrs;
  bool has_bias = forward[HAS_BIAS].integer, has_mask = forward[HAS_MASK].integer;
  cusp_node *inputs[G_MAX_INPUTS] = {g->x[X], g->x[kernel_input(cell)], g->x[recurrent_input(cell)],
                                     g->y[reserve_output(cell)]},
            *outputs[CUSP_MAX_OUTPUTS];
  int count = G_FIRST_STATE;
  cusp_attr attrs[G_MAX_ATTRIBUTES];
  for (int i = 0; i < cell->states; i++)
    inputs[count++] = g->x[FIRST_STATE + i];
  if (has_bias)
    inputs[count++] = g->x[first_optional(cell)];
  if (has_mask)
    inputs[count++] = g->x[first_optional(cell) + has_bias];
  attrs[G_HAS_MASK] = cusp_attr_bool(has_mask);
  for (int i = SEQUENCE; i < reserve_output(cell); i++) {
    attrs[G_HAS_SEQUENCE + i] = cusp_attr_bool(g->dy[i] != NULL);
    if (g->dy[i])
      inputs[count++] = g->dy[i];
  }
  attrs[has_bias_attribute(cell)] = cusp_attr_bool(has_bias);
  attrs[want_x_attribute(cell)] = cusp_attr_bool(g->wanted[X]);
  attrs[backwards_attribute(cell)] = forward[BACKWARDS];
  attrs[narrow_attribute(cell)] = forward[NARROW];
  if (!cusp_apply_many(outputs, rows->gradient, count, inputs, narrow_attribute(cell) + 1, attrs))
    return cusp_built(NULL);
  for (int i = X; i < first_optional(cell) + has_bias; i++)
    if (g->wanted[i])
      g->dx[i] = outputs[i];
  return CUSP_OK;
}

/* A node of its own for each leaf: what one is made of from another is none of the recurrence's. */
static cusp_node *leaf(cusp_step_leaves *leaves, cusp_node *x) {
  cusp_node *own = CUSP_APPLY1("cast", x, cusp_attr_dtype(x->type.dtype));
  return leaves->nodes[leaves->count++] = own;
}

/** The inputs of a gradient row as the recurrence that they are for. */
static void read_steps(const cusp_gradient *g, cusp_steps *s, cusp_step_leaves *leaves) {
  const cusp_cell *cell = rows_of(g->node->op)->cell;
  const cusp_attr *attrs = g->node->attrs;
  cusp_node *const *given = g->x + first_given(cell);
  s->backwards = attrs[backwards_attribute(cell)].integer;
  s->x = leaf(leaves, g->x[G_X]);
  for (int i = 0; i < cell->states; i++)
    s->states[i] = leaf(leaves, g->x[G_FIRST_STATE + i]);
  s->kernel = leaf(leaves, g->x[G_KERNEL]);
  s->recurrent = leaf(leaves, g->x[G_RECURRENT]);
  if (attrs[has_bias_attribute(cell)].integer)
    s->bias = leaf(leaves, *given++);
  leaves->n_inputs = leaves->count;
  if (attrs[G_HAS_MASK].integer)
    s->mask = *given++;
  for (int i = 0; i < 1 + cell->states; i++)
    if (attrs[G_HAS_SEQUENCE + i].integer)
      s->cotangents[i] = leaf(leaves, *given++);
}

/* The reserve is a function of the other inputs, by which what flows into it is counted. */
cusp_status cusp_sequence_second_gradient(cusp_gradient *g) {
  const cusp_cell *cell = rows_of(g->node->op)->cell;
  cusp_steps steps = {0};
  cusp_step_leaves leaves = {0};
  cusp_node *flowing[CUSP_STEP_LEAVES], *gradients[CUSP_STEP_LEAVES];
  read_steps(g, &steps, &leaves);
  for (int i = 0; i < leaves.count; i++)
    CUSP_TRY(cusp_built(leaves.nodes[i]));
  for (int i = 0; i < leaves.n_inputs; i++)
    flowing[i] = g->dy[i];
  CUSP_TRY(cusp_steps_second_gradient(rows_of(g->node->op), &steps, &leaves, flowing, gradients));
  int at = 0, given = first_given(cell);
  g->dx[G_X] = gradients[at++];
  for (int i = 0; i < cell->states; i++)
    g->dx[G_FIRST_STATE + i] = gradients[at++];
  g->dx[G_KERNEL] = gradients[at++];
  g->dx[G_RECURRENT] = gradients[at++];
  if (steps.bias)
    g->dx[given++] = gradients[at++];
  given += steps.mask != NULL;
  while (at < leaves.count)
    g->dx[given++] = gradients[at++];
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the public row */

/** All to one float dtype, 16-bit ones to float32 (of which products take bfloat16 where that
 * came); the mask to bool. */
cusp_status cusp_sequence_compose(const cusp_recurrent_rows *rows, cusp_node *const *inputs,
                                  int n_inputs, const cusp_attr *attrs, cusp_node **outputs,
                                  int *n_outputs) {
  const int required = first_optional(rows->cell);
  cusp_node *list[CUSP_MAX_INPUTS], *results[CUSP_MAX_OUTPUTS],
      *bias = n_inputs > required ? inputs[required] : NULL,
      *mask = n_inputs > required + 1 ? inputs[required + 1] : NULL;
  int count = 0;
  cusp_dtype dtype = inputs[X]->type.dtype;
  for (int i = 1; i < required + 1 && i < n_inputs; i++)
    dtype = inputs[i] ? cusp_dtype_promote(dtype, inputs[i]->type.dtype) : dtype;
  dtype = cusp_dtype_to_float(dtype);
  cusp_dtype wide = dtype == CUSP_FLOAT64 ? CUSP_FLOAT64 : CUSP_FLOAT32;
  for (int i = 0; i < required; i++)
    list[count++] = cusp_cast(inputs[i], wide);
  if (bias)
    list[count++] = cusp_cast(bias, wide);
  if (mask)
    list[count++] = cusp_cast(mask, CUSP_BOOL);
  cusp_attr sequence_attrs[ATTRIBUTES] = {cusp_attr_bool(bias != NULL),
                                          cusp_attr_bool(mask != NULL), attrs[0],
                                          cusp_attr_bool(dtype == CUSP_BFLOAT16)};
  *n_outputs = reserve_output(rows->cell);
  if (!cusp_apply_many(results, rows->sequence, count, list, ATTRIBUTES, sequence_attrs))
    return cusp_built(NULL);
  for (int i = 0; i < *n_outputs; i++)
    CUSP_TRY(cusp_built(outputs[i] = cusp_cast(results[i], dtype)));
  return CUSP_OK;
}
