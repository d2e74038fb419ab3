/* The row `scan_graph`: a sub-graph that runs a known number of times, on one slice of its inputs
 * after the other. */
#include "../base/threads.h"
#include "../node/infer.h"
#include "../node/subgraphs.h"
#include "rounds_gradient.h"
#include "subplan.h"

#include <string.h>

static cusp_status infer_scan(cusp_inference *inference) {
  return cusp_infer_fail(inference, CUSP_EUNSUPPORTED, "made by scan, map and fori_loop only");
}

/* ------------------------------------------------------------------ running */

/** Where round after round lies: of a carried value one of two blocks, of others the next slice. */
typedef struct rounds_state {
  cusp_rounds rounds;
  cusp_subplan plan;
  int n_inputs;
  cusp_array *inputs; /* of the graph: types, and where the present round finds them */
  void **destinations;
  size_t *input_bytes, *output_bytes; /* of one round */
  size_t *offsets;                    /* of carried values in a block */
  size_t block_bytes;
  cusp_arena memory;
} rounds_state;

static bool can_run_rounds(const cusp_call *call) {
  return call->attrs[0].kind == CUSP_ATTR_SUBGRAPHS;
}

static size_t bytes_of(const cusp_type *type) {
  return (size_t)cusp_shape_count(&type->shape) * cusp_dtype_size(type->dtype);
}

static cusp_status allocate(rounds_state *s, int n_inputs, int n_outputs) {
  size_t in = (size_t)n_inputs + 1, out = (size_t)n_outputs + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&s->inputs, &s->memory, in * sizeof *s->inputs));
  CUSP_TRY(cusp_arena_alloc((void **)&s->input_bytes, &s->memory, in * sizeof *s->input_bytes));
  CUSP_TRY(cusp_arena_alloc((void **)&s->destinations, &s->memory, out * sizeof *s->destinations));
  CUSP_TRY(cusp_arena_alloc((void **)&s->output_bytes, &s->memory, out * sizeof *s->output_bytes));
  return cusp_arena_alloc((void **)&s->offsets, &s->memory, out * sizeof *s->offsets);
}

static void describe(rounds_state *s, const cusp_subgraph *graph, int n_outputs) {
  for (int i = 0; i < s->n_inputs; i++) {
    const cusp_type *type = &graph->inputs[i]->type;
    s->inputs[i] = (cusp_array){.dtype = type->dtype, .shape = type->shape};
    cusp_strides_row_major(s->inputs[i].strides, &type->shape);
    s->input_bytes[i] = bytes_of(type);
  }
  for (int k = 0; k < n_outputs; k++) {
    s->output_bytes[k] = bytes_of(&graph->outputs[k]->type);
    if (k >= s->rounds.n_carried)
      continue;
    s->offsets[k] = s->block_bytes;
    s->block_bytes += cusp_aligned_size(s->output_bytes[k]);
  }
}

static cusp_status prepare_rounds(cusp_call *call) {
  const cusp_subgraphs *graphs = call->attrs[0].subgraphs;
  rounds_state *s;
  CUSP_TRY(cusp_alloc_zeroed((void **)&s, sizeof *s));
  call->state = s;
  s->rounds = graphs->rounds;
  s->n_inputs = call->n_inputs;
  CUSP_TRY(allocate(s, call->n_inputs, call->n_outputs));
  describe(s, &graphs->graphs[0], call->n_outputs);
  call->workspace_bytes = 2 * s->block_bytes;
  return cusp_subplan_new_first(&s->plan, graphs, 0, call->n_outputs);
}

static void release_rounds(cusp_call *call) {
  rounds_state *s = call->state;
  if (!s)
    return;
  cusp_subplan_free(&s->plan);
  cusp_arena_free(&s->memory);
  cusp_free(s);
  call->state = NULL;
}

/* Carried values come from the row's inputs at first and go to its outputs at last. */
static void aim_carried(rounds_state *s, const cusp_call *call, int64_t round) {
  char *block = (char *)call->workspace + (round % 2 ? s->block_bytes : 0);
  for (int k = 0; k < s->rounds.n_carried; k++) {
    s->inputs[k].data = round ? s->destinations[k] : call->inputs[k].data;
    s->destinations[k] =
        round == s->rounds.count - 1 ? call->outputs[k].data : block + s->offsets[k];
  }
}

static void aim_slices(rounds_state *s, const cusp_call *call, int64_t round) {
  int first = s->rounds.n_carried, end = first + s->rounds.n_slices;
  size_t slice = (size_t)(s->rounds.reverse ? s->rounds.count - 1 - round : round);
  for (int i = first; i < end; i++)
    s->inputs[i].data = (char *)call->inputs[i].data + slice * s->input_bytes[i];
  for (int k = first; k < call->n_outputs; k++)
    s->destinations[k] = (char *)call->outputs[k].data + slice * s->output_bytes[k];
}

static cusp_status run_rounds(cusp_call *call) {
  rounds_state *s = call->state;
  for (int i = s->rounds.n_carried + s->rounds.n_slices; i < s->n_inputs; i++)
    s->inputs[i].data = call->inputs[i].data;
  for (int64_t round = 0; round < s->rounds.count; round++) {
    if (cusp_interrupted())
      return cusp_fail(CUSP_EINTERRUPT, "interrupted!");
    aim_carried(s, call, round);
    aim_slices(s, call, round);
    CUSP_TRY(cusp_subplan_run(&s->plan, s->inputs, s->destinations));
  }
  for (int k = 0; s->rounds.count == 0 && k < s->rounds.n_carried; k++)
    memcpy(call->outputs[k].data, call->inputs[k].data, s->output_bytes[k]);
  return CUSP_OK;
}

static const cusp_plan *inner_plan(const cusp_call *call, int index) {
  return index == 0 ? ((const rounds_state *)call->state)->plan.plan : NULL;
}

static const cusp_kernel rounds_kernels[] = {
    {.name = "rounds",
     .can_run = can_run_rounds,
     .prepare = prepare_rounds,
     .run = run_rounds,
     .release = release_rounds,
     .inner = inner_plan},
    {0},
};

const cusp_op cusp_ops_rounds[] = {
    {.name = "scan_graph",
     .arguments = "inputs..., graphs: int",
     .help = "A sub-graph repeated a number of times, along the first axis of its inputs.",
     .flags = CUSP_OP_HIDDEN | CUSP_OP_TRIMMED,
     .infer = infer_scan,
     .gradient = cusp_rounds_gradient,
     .kernels = rounds_kernels},
    {0},
};
