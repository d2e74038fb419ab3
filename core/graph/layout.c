/* Layout: where each value lives, which kernel each call uses, and the copies in between. */
#include "layout.h"
#include "../node/source.h"
#include "group.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

static cusp_status infer_contiguous(cusp_inference *inference) {
  inference->outputs[0] = inference->inputs[0];
  return CUSP_OK;
}

/* The copy that layout inserts; not in the table, since nobody calls it by name. */
static const cusp_op contiguous = {
    .name = "contiguous",
    .arguments = "x",
    .help = "The same elements in row-major order.",
    .flags = CUSP_OP_ELEMENTWISE | CUSP_OP_HIDDEN | CUSP_OP_NO_GRADIENT,
    .infer = infer_contiguous,
    .vector = CUSP_VECTOR_copy,
};

static cusp_status reserve_locations(cusp_lowering *l) {
  CUSP_TRY(CUSP_GROW(l->locations, l->locations_capacity, l->graph->n_values));
  while (l->n_locations < l->graph->n_values)
    l->locations[l->n_locations++] = (cusp_location){.unit = -1};
  return CUSP_OK;
}

static void locate_own(cusp_lowering *l, int value, int unit) {
  cusp_location *location = &l->locations[value];
  const cusp_type *type = &l->graph->values[value].type;
  *location = (cusp_location){.root = value, .unit = unit};
  location->array =
      (cusp_array){.dtype = type->dtype, .shape = type->shape, .data = (void *)CUSP_FAKE_BASE};
  cusp_strides_row_major(location->array.strides, &type->shape);
}

static void locate_leaves(cusp_lowering *l) {
  for (int i = 0; i < l->graph->n_leaves; i++) {
    const cusp_leaf *leaf = &l->graph->leaves[i];
    cusp_location *location = &l->locations[leaf->value];
    *location = (cusp_location){.array = leaf->array, .root = leaf->value, .unit = -1};
    location->array.data = (void *)CUSP_FAKE_BASE;
    location->array.storage = NULL;
  }
}

bool cusp_location_is_whole(const cusp_lowering *l, int value) {
  const cusp_location *location = &l->locations[value];
  return cusp_location_offset(location) == 0 && cusp_array_is_contiguous(&location->array) &&
         cusp_array_count(&location->array) ==
             cusp_shape_count(&l->graph->values[location->root].type.shape);
}

static cusp_status add_copy(cusp_lowering *l, int value, int *copy) {
  int operation = l->graph->n_operations;
  cusp_type type = l->graph->values[value].type; /* the list of values may move */
  CUSP_TRY(cusp_graph_add(l->graph, &contiguous, 1, &value, 0, NULL, 1, &type, copy));
  const cusp_operation *producer = cusp_graph_producer(l->graph, value);
  if (producer)
    l->graph->operations[operation].origin = producer->origin;
  l->graph->values[*copy].uses = 1; /* or a loop would write more than it has room for */
  CUSP_TRY(reserve_locations(l));
  return cusp_group_add(l, operation);
}

/* What strides cannot express is a view of a copy in row-major order. */
static cusp_status lay_view(cusp_lowering *l, int index) {
  cusp_operation *operation = &l->graph->operations[index];
  int value = operation->first_output, input = operation->inputs[0];
  cusp_array array;
  memset(&array, 0, sizeof array);
  const cusp_type type = l->graph->values[value].type;
  if (!operation->op->view(operation->attrs, &l->locations[input].array, &type, &array)) {
    CUSP_TRY(add_copy(l, input, &input));
    operation = &l->graph->operations[index];
    operation->inputs[0] = input;
    if (!operation->op->view(operation->attrs, &l->locations[input].array, &type, &array))
      return cusp_fail(CUSP_EUNSUPPORTED, "%s: no view of a row-major array", operation->op->name);
  }
  l->locations[value] =
      (cusp_location){.array = array, .root = l->locations[input].root, .unit = -1, .view = true};
  l->locations[value].array.storage = NULL;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ calls */

/* A leaf, or a view of one, that rarely changes. */
static bool is_steady(const cusp_lowering *l, int value) {
  const cusp_value *root = &l->graph->values[l->locations[value].root];
  return root->kind == CUSP_VALUE_LEAF && l->options->steady && l->options->steady[root->producer];
}

static cusp_status fill_call(cusp_lowering *l, const cusp_operation *operation, cusp_call *call) {
  *call = (cusp_call){.op = operation->op,
                      .name = operation->op->name,
                      .attrs = operation->attrs,
                      .n_inputs = operation->n_inputs,
                      .n_outputs = operation->n_outputs,
                      .recurs = l->options->recurs};
  CUSP_TRY(cusp_arena_alloc((void **)&call->inputs, &l->graph->arena,
                            (size_t)operation->n_inputs * sizeof *call->inputs));
  CUSP_TRY(cusp_arena_alloc((void **)&call->outputs, &l->graph->arena,
                            (size_t)operation->n_outputs * sizeof *call->outputs));
  for (int i = 0; i < operation->n_inputs; i++) {
    call->inputs[i] = l->locations[operation->inputs[i]].array;
    if (i < 64 && is_steady(l, operation->inputs[i]))
      call->steady |= (uint64_t)1 << i;
  }
  for (int i = 0; i < operation->n_outputs; i++)
    call->outputs[i] = l->locations[operation->first_output + i].array;
  if (operation->op->flags & CUSP_OP_IN_PLACE)
    call->in_place = 1;
  return CUSP_OK;
}

static bool forced_reference(void) { return getenv("CUSP_REFERENCE_KERNELS") != NULL; }

/* The first kernel that can run; with CUSP_REFERENCE_KERNELS set, the last one, which is the
 * readable one. */
static const cusp_kernel *choose(const cusp_call *call) {
  const cusp_kernel *chosen = NULL;
  for (const cusp_kernel *kernel = call->op->kernels; kernel && kernel->name; kernel++) {
    if (kernel->can_run && !kernel->can_run(call))
      continue;
    chosen = kernel;
    if (!forced_reference())
      break;
  }
  return chosen;
}

static bool reads_as_it_is(const cusp_kernel *kernel, const cusp_call *call, int input) {
  if (cusp_array_is_contiguous(&call->inputs[input]) || (call->op->flags & CUSP_OP_ANY_STRIDES))
    return true;
  return kernel->accepts && kernel->accepts(call, input);
}

/* Copies are inserted until the chosen kernel reads every input as it lies. */
static cusp_status settle_inputs(cusp_lowering *l, int index, cusp_call *call,
                                 const cusp_kernel **kernel) {
  for (;;) {
    const cusp_operation *operation = &l->graph->operations[index];
    CUSP_TRY(fill_call(l, operation, call));
    *kernel = choose(call);
    if (!*kernel)
      return cusp_fail(CUSP_EUNSUPPORTED, "%s: not defined for inputs of dtype %s",
                       operation->op->name,
                       operation->n_inputs ? cusp_dtype_name(call->inputs[0].dtype) : "none");
    int input = 0;
    while (input < operation->n_inputs && reads_as_it_is(*kernel, call, input))
      input++;
    if (input == operation->n_inputs)
      return CUSP_OK;
    int copy;
    CUSP_TRY(add_copy(l, operation->inputs[input], &copy));
    l->graph->operations[index].inputs[input] = copy;
  }
}

static cusp_status fail_at(const cusp_operation *operation, cusp_status status) {
  return cusp_fail_at_source(status, operation->op->name, &operation->origin);
}

/* Each comes after the one before it, so that all processes run them in one order. */
static cusp_status order_collective(cusp_lowering *l, int unit, const cusp_operation *operation) {
  if (!(operation->op->flags & CUSP_OP_COLLECTIVE))
    return CUSP_OK;
  int before = l->last_collective - 1;
  l->last_collective = unit + 1;
  return before < 0 ? CUSP_OK : cusp_unit_order(l, unit, before, true);
}

static cusp_status lay_call(cusp_lowering *l, int index) {
  for (int i = 0; i < l->graph->operations[index].n_outputs; i++)
    locate_own(l, l->graph->operations[index].first_output + i, -1);
  cusp_call call;
  const cusp_kernel *kernel;
  int unit;
  CUSP_TRY(settle_inputs(l, index, &call, &kernel));
  CUSP_TRY(cusp_unit_new(l, CUSP_UNIT_CALL, index, &unit));
  cusp_operation *operation = &l->graph->operations[index];
  for (int i = 0; i < operation->n_outputs; i++)
    l->locations[operation->first_output + i].unit = unit;
  l->units[unit].kernel = kernel;
  l->units[unit].call = call;
  if (kernel->finish)
    l->units[unit].begins = ++l->n_begun;
  CUSP_TRY(cusp_unit_connect(l, unit, index));
  CUSP_TRY(order_collective(l, unit, operation));
  if (kernel->prepare) {
    cusp_status status = kernel->prepare(&l->units[unit].call);
    if (status != CUSP_OK)
      return fail_at(operation, status);
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ outputs */

/* How many outputs lie in the memory of each value. */
static cusp_status count_sharers(const cusp_lowering *l, int **sharers) {
  CUSP_TRY(cusp_arena_alloc((void **)sharers, &l->graph->arena,
                            ((size_t)l->graph->n_values + 1) * sizeof **sharers));
  for (int i = 0; i < l->graph->n_outputs; i++)
    (*sharers)[l->locations[l->outputs[i]].root]++;
  return CUSP_OK;
}

/* Outputs that must not share memory are copied where they are leaves, views or given twice. */
static cusp_status own_outputs(cusp_lowering *l) {
  int *sharers;
  CUSP_TRY(count_sharers(l, &sharers));
  for (int i = 0; i < l->graph->n_outputs; i++) {
    if (!cusp_output_is_own(l, i))
      continue;
    const cusp_location *location = &l->locations[l->outputs[i]];
    int root = location->root;
    bool leaf = l->graph->values[root].kind == CUSP_VALUE_LEAF;
    if (leaf || location->view || sharers[root] > 1) {
      CUSP_TRY(add_copy(l, l->outputs[i], &l->outputs[i]));
      sharers[root]--;
    }
  }
  return CUSP_OK;
}

static bool always_view(const cusp_op *op) { return (op->flags & CUSP_OP_VIEW) && op->view; }

cusp_status cusp_lower_layout(cusp_lowering *l) {
  CUSP_TRY(reserve_locations(l));
  locate_leaves(l);
  /* copies are appended behind these and laid out where they are inserted */
  int count = l->graph->n_operations;
  for (int i = 0; i < count; i++) {
    const cusp_op *op = l->graph->operations[i].op;
    if (l->graph->operations[i].dead)
      continue;
    if (always_view(op))
      CUSP_TRY(lay_view(l, i));
    else if (op->flags & (CUSP_OP_ELEMENTWISE | CUSP_OP_REDUCTION))
      CUSP_TRY(cusp_group_add(l, i));
    else
      CUSP_TRY(lay_call(l, i));
  }
  return own_outputs(l);
}
