/* Reverse-mode differentiation, graph to graph: each row's rule builds nodes. */
#include "gradient.h"

#include "build.h"
#include "order.h"
#include "source.h"
#include "state.h"

#include <string.h>

/* One pass over the nodes between targets and sources. Cotangents belong to the scope that
 * cusp_gradients opens. */
typedef struct differentiation {
  cusp_order order;
  bool *needed; /* by index in order: a source is at or below this node */
  /* by index; of multi-output nodes NULL, their picks' cotangents are collected in `parts` */
  cusp_node **cotangents;
  cusp_node ***parts; /* by index: n_outputs cotangents, NULL until one arrives */
  cusp_arena arena;
} differentiation;

/* Whether gradients may flow on to the node's inputs, which are then in the order. */
static bool passes_on(const differentiation *d, const cusp_node *node) {
  return node->op && node->inputs && !(node->op->flags & CUSP_OP_NO_GRADIENT) &&
         !cusp_stops(d->order.stop, node);
}

static bool differentiable(const cusp_node *node) {
  return node->n_outputs > 1 || cusp_dtype_is_float(node->type.dtype);
}

static cusp_status mark_needed(differentiation *d, int n_sources, cusp_node *const *sources) {
  size_t count = (size_t)d->order.count;
  CUSP_TRY(cusp_arena_alloc((void **)&d->needed, &d->arena, count * sizeof *d->needed));
  CUSP_TRY(cusp_arena_alloc((void **)&d->cotangents, &d->arena, count * sizeof *d->cotangents));
  CUSP_TRY(cusp_arena_alloc((void **)&d->parts, &d->arena, count * sizeof *d->parts));
  for (int i = 0; i < n_sources; i++) {
    int index = cusp_map_get(&d->order.index, sources[i]);
    if (index >= 0)
      d->needed[index] = true;
  }
  for (int i = 0; i < d->order.count; i++) {
    cusp_node *node = d->order.nodes[i];
    if (!passes_on(d, node) || !differentiable(node))
      continue;
    for (int k = 0; k < node->n_inputs && !d->needed[i]; k++)
      d->needed[i] = d->needed[cusp_map_get(&d->order.index, node->inputs[k])];
  }
  return CUSP_OK;
}

static cusp_status accumulate(cusp_node **slot, cusp_node *cotangent) {
  *slot = *slot ? cusp_add(*slot, cotangent) : cotangent;
  return cusp_built(*slot);
}

/* The one place where broadcasting and casts of a rule's result are undone. */
static cusp_node *fit_to(cusp_node *gradient, const cusp_node *x) {
  if (x->n_outputs > 1)
    return gradient;
  return cusp_cast(cusp_sum_to(gradient, &x->type.shape), x->type.dtype);
}

static cusp_status collect_part(differentiation *d, const cusp_node *pick, cusp_node *cotangent) {
  cusp_node *tuple = pick->inputs[0];
  int index = cusp_map_get(&d->order.index, tuple);
  if (!d->parts[index])
    CUSP_TRY(cusp_arena_alloc((void **)&d->parts[index], &d->arena,
                              (size_t)tuple->n_outputs * sizeof(cusp_node *)));
  return accumulate(&d->parts[index][pick->output_index], cotangent);
}

static cusp_status fail_at(const cusp_node *node, cusp_status status) {
  cusp_fail_at_source(status, node->op->name, &node->origin);
  return cusp_fail_prefix(status, "gradient of ");
}

static cusp_status apply_rule(differentiation *d, cusp_node *node, cusp_node *const *dy,
                              cusp_node *const *y) {
  int n = node->n_inputs;
  bool *wanted;
  cusp_node **dx;
  CUSP_TRY(cusp_arena_alloc((void **)&wanted, &d->arena, (size_t)n * sizeof *wanted));
  CUSP_TRY(cusp_arena_alloc((void **)&dx, &d->arena, (size_t)n * sizeof *dx));
  bool any = false;
  for (int k = 0; k < n; k++) {
    wanted[k] = d->needed[cusp_map_get(&d->order.index, node->inputs[k])] &&
                differentiable(node->inputs[k]);
    any = any || wanted[k];
  }
  if (!any)
    return CUSP_OK; /* a source: what lies below it is not asked for */
  if (!node->op->gradient)
    return cusp_fail(CUSP_EUNSUPPORTED, "%s has no gradient", node->op->name);
  cusp_gradient g = {
      .node = node, .n_inputs = n, .x = node->inputs, .y = y, .dy = dy, .wanted = wanted, .dx = dx};
  CUSP_TRY(node->op->gradient(&g));
  for (int k = 0; k < n; k++) {
    if (!wanted[k] || !dx[k])
      continue;
    cusp_node *fitted = fit_to(dx[k], node->inputs[k]);
    CUSP_TRY(cusp_built(fitted));
    CUSP_TRY(accumulate(&d->cotangents[cusp_map_get(&d->order.index, node->inputs[k])], fitted));
  }
  return CUSP_OK;
}

static cusp_status differentiate_tuple(differentiation *d, int index, cusp_node *node) {
  cusp_node **y;
  CUSP_TRY(cusp_arena_alloc((void **)&y, &d->arena, (size_t)node->n_outputs * sizeof *y));
  for (int k = 0; k < node->n_outputs; k++) {
    CUSP_TRY(cusp_node_pick(&y[k], node, k));
    cusp_scope_adopt(y[k]);
  }
  return apply_rule(d, node, d->parts[index], y);
}

static cusp_status differentiate_node(differentiation *d, int index) {
  cusp_node *node = d->order.nodes[index];
  cusp_node *cotangent = d->cotangents[index];
  if (!d->needed[index] || !passes_on(d, node) || (!cotangent && !d->parts[index]))
    return CUSP_OK;
  if (node->n_outputs == 1 && node->inputs[0]->n_outputs > 1)
    return collect_part(d, node, cotangent);
  cusp_placement before = cusp_enter_backward(&node->origin);
  cusp_status status = node->n_outputs > 1 ? differentiate_tuple(d, index, node)
                                           : apply_rule(d, node, &cotangent, &node);
  cusp_leave_backward(&before);
  return status == CUSP_OK ? CUSP_OK : fail_at(node, status);
}

static cusp_status start(differentiation *d, int n_targets, cusp_node *const *targets,
                         cusp_node *const *cotangents) {
  for (int i = 0; i < n_targets; i++) {
    cusp_node *target = targets[i], *cotangent = cotangents ? cotangents[i] : NULL;
    if (!cusp_dtype_is_float(target->type.dtype))
      return cusp_fail(CUSP_EDTYPE, "gradient: target %d has dtype %s, expected a float dtype",
                       i + 1, cusp_dtype_name(target->type.dtype));
    if (!cotangent)
      cotangent = cusp_ones_like(target);
    else if (!cusp_shape_equal(&cotangent->type.shape, &target->type.shape))
      return cusp_fail(
          CUSP_ESHAPE, "gradient: output gradient %d has shape %s but its target has shape %s",
          i + 1, cusp_shape_text(&cotangent->type.shape), cusp_shape_text(&target->type.shape));
    cotangent = cusp_cast(cotangent, target->type.dtype);
    CUSP_TRY(cusp_built(cotangent));
    CUSP_TRY(accumulate(&d->cotangents[cusp_map_get(&d->order.index, target)], cotangent));
  }
  return CUSP_OK;
}

static cusp_status differentiate(differentiation *d, cusp_stop stop, int n_targets,
                                 cusp_node *const *targets, cusp_node *const *cotangents,
                                 int n_sources, cusp_node *const *sources) {
  CUSP_TRY(cusp_order_collect(&d->order, n_targets, targets, stop));
  CUSP_TRY(mark_needed(d, n_sources, sources));
  CUSP_TRY(start(d, n_targets, targets, cotangents));
  for (int i = d->order.count - 1; i >= 0; i--)
    CUSP_TRY(differentiate_node(d, i));
  return CUSP_OK;
}

cusp_status cusp_gradients(cusp_node **gradients, int n_targets, cusp_node *const *targets,
                           cusp_node *const *cotangents, int n_sources, cusp_node *const *sources) {
  return cusp_gradients_within((cusp_stop){0}, gradients, n_targets, targets, cotangents, n_sources,
                               sources);
}

cusp_status cusp_gradients_within(cusp_stop stop, cusp_node **gradients, int n_targets,
                                  cusp_node *const *targets, cusp_node *const *cotangents,
                                  int n_sources, cusp_node *const *sources) {
  memset(gradients, 0, (size_t)n_sources * sizeof *gradients);
  differentiation d = {0};
  cusp_scope scope = cusp_scope_open();
  cusp_status status = differentiate(&d, stop, n_targets, targets, cotangents, n_sources, sources);
  for (int i = 0; status == CUSP_OK && i < n_sources; i++) {
    int index = cusp_map_get(&d.order.index, sources[i]);
    gradients[i] =
        index >= 0 && cusp_dtype_is_float(sources[i]->type.dtype) ? d.cotangents[index] : NULL;
    if (gradients[i])
      cusp_node_retain(gradients[i]);
  }
  cusp_scope_close(scope);
  cusp_order_free(&d.order);
  cusp_arena_free(&d.arena);
  return status;
}
