/* Equal operations on equal inputs become one. Random rows carry their key as an input, so two
 * draws stay two; what is computed again to save memory (pass_remat.c) has a region of its own. */
#include "../node/attributes.h"
#include "../node/state.h"
#include "graph.h"
#include "passes.h"

#include <string.h>

static uint64_t mix(uint64_t hash, uint64_t word) {
  return (hash ^ word) * 0x9E3779B97F4A7C15u ^ (hash >> 29);
}

static uint64_t hash_attr(uint64_t hash, const cusp_attr *attr) {
  hash = mix(hash, attr->kind);
  if (attr->kind == CUSP_ATTR_INTS)
    for (int i = 0; i < attr->count; i++)
      hash = mix(hash, (uint64_t)attr->ints[i]);
  else if (attr->kind == CUSP_ATTR_STRING)
    for (const char *c = attr->string; *c; c++)
      hash = mix(hash, (uint64_t)*c);
  else
    hash = mix(hash, (uint64_t)attr->integer);
  return hash;
}

static uint64_t hash_operation(const cusp_operation *operation) {
  uint64_t hash = mix((uint64_t)operation->origin.region, (uint64_t)(uintptr_t)operation->op);
  for (int i = 0; i < operation->n_inputs; i++)
    hash = mix(hash, (uint64_t)operation->inputs[i]);
  for (int i = 0; i < operation->n_attrs; i++)
    hash = hash_attr(hash, &operation->attrs[i]);
  return hash;
}

static bool equal(const cusp_operation *a, const cusp_operation *b) {
  if (a->op != b->op || a->origin.region != b->origin.region || a->n_inputs != b->n_inputs ||
      a->n_attrs != b->n_attrs || a->n_outputs != b->n_outputs)
    return false;
  if (a->n_inputs && memcmp(a->inputs, b->inputs, (size_t)a->n_inputs * sizeof *a->inputs) != 0)
    return false;
  for (int i = 0; i < a->n_attrs; i++)
    if (!cusp_attr_equal(&a->attrs[i], &b->attrs[i]))
      return false;
  return true;
}

/* The earlier operation equal to `index`, or `index` itself, entered into the open-addressing
 * table. */
static int find_or_enter(const cusp_graph *graph, int *slots, size_t n_slots, int index) {
  const cusp_operation *operation = &graph->operations[index];
  size_t slot = (size_t)(hash_operation(operation) >> 16) & (n_slots - 1);
  while (slots[slot]) {
    int other = slots[slot] - 1;
    if (equal(operation, &graph->operations[other]))
      return other;
    slot = (slot + 1) & (n_slots - 1);
  }
  slots[slot] = index + 1;
  return index;
}

static bool constant_scalars_equal(const cusp_graph *graph, const cusp_leaf *a,
                                   const cusp_leaf *b) {
  double x, y;
  return a->array.dtype == b->array.dtype && cusp_shape_equal(&a->array.shape, &b->array.shape) &&
         cusp_graph_scalar(graph, a->value, &x) && cusp_graph_scalar(graph, b->value, &y) &&
         memcmp(&x, &y, sizeof x) == 0 && cusp_dtype_is_float(a->array.dtype);
}

/* Constants are few; the quadratic comparison is bounded. */
static void merge_constants(const cusp_graph *graph, int *replacement) {
  int n = graph->n_leaves < 256 ? graph->n_leaves : 256;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < i; k++)
      if (constant_scalars_equal(graph, &graph->leaves[i], &graph->leaves[k])) {
        replacement[graph->leaves[i].value] = replacement[graph->leaves[k].value];
        break;
      }
}

cusp_status cusp_pass_common(cusp_graph *graph) {
  size_t n_slots = 64;
  while (n_slots < (size_t)graph->n_operations * 2)
    n_slots *= 2;
  int *slots = NULL, *replacement = NULL;
  cusp_status status = cusp_alloc_zeroed((void **)&slots, n_slots * sizeof *slots);
  if (status == CUSP_OK)
    status = cusp_alloc((void **)&replacement, ((size_t)graph->n_values + 1) * sizeof *replacement);
  for (int i = 0; status == CUSP_OK && i < graph->n_values; i++)
    replacement[i] = i;
  if (status == CUSP_OK)
    merge_constants(graph, replacement);
  for (int i = 0; status == CUSP_OK && i < graph->n_operations; i++) {
    cusp_operation *operation = &graph->operations[i];
    if (operation->dead)
      continue;
    for (int k = 0; k < operation->n_inputs; k++)
      operation->inputs[k] = replacement[operation->inputs[k]];
    int first = find_or_enter(graph, slots, n_slots, i);
    for (int k = 0; first != i && k < operation->n_outputs; k++)
      replacement[operation->first_output + k] = graph->operations[first].first_output + k;
  }
  for (int i = 0; status == CUSP_OK && i < graph->n_outputs; i++)
    graph->outputs[i] = replacement[graph->outputs[i]];
  cusp_free(slots);
  cusp_free(replacement);
  return status;
}
