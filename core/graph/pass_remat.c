/*
 * Rematerialisation. What was made within a region (cusp_origin) may be computed again rather than
 * kept: whoever reads it from outside, as the way back does, reads a copy of its operation, and the
 * first one's memory is free once the region's outputs are made. Outputs are kept, and so is what
 * comes into a region from outside. Random rows carry their key as an input, so a copy draws the
 * same numbers.
 */
#include "graph.h"
#include "passes.h"

#include <string.h>

typedef struct remat {
  cusp_graph *graph;
  bool *kept;   /* values that leave their region */
  bool *wanted; /* values that are computed again */
  int *copies;  /* of values that are: their copies */
} remat;

static int region_of(const cusp_graph *graph, int value) {
  const cusp_operation *producer = cusp_graph_producer(graph, value);
  return producer && producer->origin.region > 0 ? producer->origin.region : 0;
}

static bool has_regions(const cusp_graph *graph) {
  for (int i = 0; i < graph->n_operations; i++)
    if (graph->operations[i].origin.region > 0)
      return true;
  return false;
}

static bool ends_region(const cusp_operation *operation) {
  return strcmp(operation->op->name, "region_output") == 0;
}

static void find_kept(remat *r) {
  for (int i = 0; i < r->graph->n_operations; i++)
    if (ends_region(&r->graph->operations[i]))
      r->kept[r->graph->operations[i].inputs[0]] = true;
  for (int i = 0; i < r->graph->n_outputs; i++)
    r->kept[r->graph->outputs[i]] = true;
}

static bool is_copied(const remat *r, const cusp_operation *operation) {
  for (int k = 0; k < operation->n_outputs; k++)
    if (r->wanted[operation->first_output + k])
      return true;
  return false;
}

/* Readers come after what they read, so that one walk from the end meets all of them first. */
static void find_wanted(remat *r) {
  for (int i = r->graph->n_operations - 1; i >= 0; i--) {
    const cusp_operation *reader = &r->graph->operations[i];
    const int region = reader->origin.region;
    bool again = region > 0 && is_copied(r, reader);
    for (int k = 0; k < reader->n_inputs; k++) {
      int value = reader->inputs[k], from = region_of(r->graph, value);
      if (from && !r->kept[value] && (from != region || again))
        r->wanted[value] = true;
    }
  }
}

static void replace_inputs(const remat *r, cusp_operation *operation) {
  for (int k = 0; k < operation->n_inputs; k++)
    if (r->wanted[operation->inputs[k]])
      operation->inputs[k] = r->copies[operation->inputs[k]];
}

static cusp_status copy_operation(remat *r, int index) {
  const cusp_operation from = r->graph->operations[index];
  cusp_type *types;
  int value;
  CUSP_TRY(
      cusp_arena_alloc((void **)&types, &r->graph->arena, (size_t)from.n_outputs * sizeof *types));
  for (int k = 0; k < from.n_outputs; k++)
    types[k] = r->graph->values[from.first_output + k].type;
  CUSP_TRY(cusp_graph_add(r->graph, from.op, from.n_inputs, from.inputs, from.n_attrs, from.attrs,
                          from.n_outputs, types, &value));
  cusp_operation *copy = cusp_graph_producer(r->graph, value);
  copy->origin = from.origin;
  copy->origin.region = -from.origin.region;
  replace_inputs(r, copy);
  for (int k = 0; k < from.n_outputs; k++)
    r->copies[from.first_output + k] = value + k;
  return CUSP_OK;
}

/* Readers outside of the region read the copies; those inside are in the order of the graph, so
 * the inputs of a copy are copied before it. */
static cusp_status copy_wanted(remat *r) {
  const int count = r->graph->n_operations;
  for (int i = 0; i < count; i++)
    if (is_copied(r, &r->graph->operations[i]))
      CUSP_TRY(copy_operation(r, i));
  for (int i = 0; i < count; i++) {
    cusp_operation *reader = &r->graph->operations[i];
    for (int k = 0; k < reader->n_inputs; k++) {
      int value = reader->inputs[k];
      if (r->wanted[value] && region_of(r->graph, value) != reader->origin.region)
        reader->inputs[k] = r->copies[value];
    }
  }
  return CUSP_OK;
}

cusp_status cusp_pass_remat(cusp_graph *graph) {
  if (!graph->traced || !has_regions(graph))
    return CUSP_OK;
  remat r = {.graph = graph};
  const size_t n = (size_t)graph->n_values + 1;
  cusp_status status = cusp_alloc_zeroed((void **)&r.kept, n * sizeof *r.kept);
  if (status == CUSP_OK)
    status = cusp_alloc_zeroed((void **)&r.wanted, n * sizeof *r.wanted);
  if (status == CUSP_OK)
    status = cusp_alloc_zeroed((void **)&r.copies, n * sizeof *r.copies);
  if (status == CUSP_OK) {
    find_kept(&r);
    find_wanted(&r);
    status = copy_wanted(&r);
  }
  if (status == CUSP_OK)
    status = cusp_graph_sort(graph);
  cusp_free(r.kept);
  cusp_free(r.wanted);
  cusp_free(r.copies);
  return status;
}
