/*
 * Places in memory, step by step in order of running. First fit: a value takes the first free block
 * that is large enough, and gives it back after the last step that reads it, so that the arena
 * stays near what is alive at once.
 */
#include "placing.h"
#include "layout.h"

#include <string.h>

static int64_t rounded(int64_t bytes) {
  return (bytes + CUSP_ALIGNMENT - 1) & ~(int64_t)(CUSP_ALIGNMENT - 1);
}

cusp_status cusp_place_take(cusp_placer *p, int64_t bytes, int64_t *offset) {
  bytes = rounded(bytes);
  p->in_use += bytes;
  for (int i = 0; i < p->n_free; i++) {
    cusp_block *b = &p->free_blocks[i];
    if (b->bytes < bytes)
      continue;
    *offset = b->offset;
    b->offset += bytes;
    b->bytes -= bytes;
    return CUSP_OK;
  }
  *offset = (int64_t)p->plan->arena_bytes;
  p->plan->arena_bytes += (size_t)bytes;
  return CUSP_OK;
}

/* Neighbours become one block, since large values do not fit into many small ones. */
cusp_status cusp_place_give(cusp_placer *p, int64_t offset, int64_t bytes) {
  bytes = rounded(bytes);
  p->in_use -= bytes;
  for (int i = 0; i < p->n_free; i++) {
    cusp_block *b = &p->free_blocks[i];
    if (b->offset + b->bytes == offset) {
      b->bytes += bytes;
      return CUSP_OK;
    }
    if (offset + bytes == b->offset) {
      b->offset = offset;
      b->bytes += bytes;
      return CUSP_OK;
    }
  }
  CUSP_TRY(CUSP_GROW(p->free_blocks, p->free_capacity, p->n_free + 1));
  p->free_blocks[p->n_free++] = (cusp_block){offset, bytes};
  return CUSP_OK;
}

static int64_t value_bytes(const cusp_lowering *l, int value) {
  const cusp_type *type = &l->graph->values[value].type;
  return cusp_shape_count(&type->shape) * (int64_t)cusp_dtype_size(type->dtype);
}

cusp_place cusp_place_of(const cusp_placer *p, int value) {
  const cusp_location *location = &p->lowering->locations[value];
  cusp_place where = p->places[location->root];
  where.offset += cusp_location_offset(location);
  return where;
}

/* By root: a view keeps the memory of what it shows in use. */
cusp_status cusp_find_last_uses(cusp_placer *p) {
  const cusp_lowering *l = p->lowering;
  size_t n = (size_t)l->graph->n_values + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&p->places, &l->graph->arena, n * sizeof *p->places));
  CUSP_TRY(cusp_arena_alloc((void **)&p->sizes, &l->graph->arena, n * sizeof *p->sizes));
  CUSP_TRY(cusp_arena_alloc((void **)&p->last_use, &l->graph->arena, n * sizeof *p->last_use));
  memset(p->last_use, -1, n * sizeof *p->last_use);
  for (int s = 0; s < l->n_steps; s++) {
    const cusp_unit *unit = &l->units[l->steps[s]];
    for (int i = 0; i < unit->n_members; i++) {
      const cusp_operation *operation = &l->graph->operations[unit->members[i]];
      for (int k = 0; k < operation->n_inputs; k++)
        p->last_use[l->locations[operation->inputs[k]].root] = s;
    }
  }
  for (int i = 0; i < l->graph->n_leaves; i++)
    p->places[l->graph->leaves[i].value].slot = 1 + i;
  return CUSP_OK;
}

static bool is_leaf_value(const cusp_lowering *l, int value) {
  return l->graph->values[value].kind == CUSP_VALUE_LEAF;
}

/* Results outlive the run, so they get memory of their own and not a part of the arena. */
cusp_status cusp_place_results(cusp_placer *p) {
  const cusp_lowering *l = p->lowering;
  cusp_plan *plan = p->plan;
  CUSP_TRY(cusp_arena_alloc((void **)&plan->outputs, &plan->memory,
                            (size_t)l->graph->n_outputs * sizeof *plan->outputs));
  CUSP_TRY(cusp_arena_alloc((void **)&plan->result_bytes, &plan->memory,
                            (size_t)l->graph->n_outputs * sizeof *plan->result_bytes));
  for (int i = 0; i < l->graph->n_outputs; i++) {
    const cusp_location *location = &l->locations[l->outputs[i]];
    if (!is_leaf_value(l, location->root) && p->places[location->root].slot == 0) {
      p->places[location->root].slot = 1 + plan->n_leaves + plan->n_results;
      plan->result_bytes[plan->n_results++] = (size_t)value_bytes(l, location->root);
    }
    plan->outputs[i] =
        (cusp_plan_output){.array = location->array, .where = cusp_place_of(p, l->outputs[i])};
    plan->outputs[i].overwrites = l->overwrites[i];
    plan->outputs[i].own = cusp_output_is_own(l, i);
  }
  plan->n_outputs = l->graph->n_outputs;
  return CUSP_OK;
}

/* An output may take the memory of an input that dies in this step and is read element for
 * element. */
static bool can_take_over(const cusp_placer *p, int s, const cusp_step *st, const cusp_operands *o,
                          int output, int input) {
  const cusp_lowering *l = p->lowering;
  int from = o->inputs[input], to = o->outputs[output], root = l->locations[from].root;
  if (p->places[root].slot != 0 || p->last_use[root] != s || p->sizes[root] == 0 ||
      !cusp_location_is_whole(l, from))
    return false;
  if (cusp_dtype_size(l->locations[from].array.dtype) !=
          cusp_dtype_size(l->locations[to].array.dtype) ||
      value_bytes(l, to) != value_bytes(l, root))
    return false;
  for (int i = 0; i < o->n_inputs; i++)
    if (i != input && l->locations[o->inputs[i]].root == root)
      return false;
  if (!st->fused)
    return output == 0 && input < 64 && (st->call.in_place >> input & 1);
  const cusp_operation *producer = cusp_graph_producer(l->graph, to);
  return !(producer->op->flags & CUSP_OP_REDUCTION) &&
         cusp_shape_equal(&l->locations[from].array.shape, &l->locations[to].array.shape);
}

cusp_status cusp_place_output(cusp_placer *p, int s, const cusp_step *st, const cusp_operands *o,
                              int output) {
  int value = o->outputs[output];
  if (p->places[value].slot > 0)
    return CUSP_OK; /* a result, placed before */
  for (int i = 0; i < o->n_inputs; i++) {
    if (!can_take_over(p, s, st, o, output, i))
      continue;
    int root = p->lowering->locations[o->inputs[i]].root;
    p->places[value] = p->places[root];
    p->sizes[value] = p->sizes[root];
    p->sizes[root] = 0; /* the new value gives the block back */
    return CUSP_OK;
  }
  p->sizes[value] = value_bytes(p->lowering, value);
  p->sizes[value] = p->sizes[value] ? p->sizes[value] : 1;
  return cusp_place_take(p, p->sizes[value], &p->places[value].offset);
}

cusp_status cusp_place_free_if_last(cusp_placer *p, int s, int value) {
  int root = p->lowering->locations[value].root;
  if (p->places[root].slot != 0 || p->last_use[root] > s || p->sizes[root] == 0)
    return CUSP_OK;
  int64_t bytes = p->sizes[root];
  p->sizes[root] = 0;
  return cusp_place_give(p, p->places[root].offset, bytes);
}
