/* The row `loop`: a body that is repeated while a condition holds, and further passes over the same
 * rounds that its gradients add. */
#include "../base/threads.h"
#include "../node/infer.h"
#include "../node/subgraphs.h"
#include "loop_gradient.h"
#include "subplan.h"

#include <string.h>

static cusp_status infer_loop(cusp_inference *inference) {
  return cusp_infer_fail(inference, CUSP_EUNSUPPORTED, "made by while_loop and fori_loop only");
}

/* ------------------------------------------------------------------ preparing */

/** Where each of some arrays lies in one block. */
typedef struct bundle {
  int count;
  size_t *offsets, *sizes, bytes;
} bundle;

/** A pass, the blocks between which its carried values go to and fro, and what it kept of each
 * round. */
typedef struct pass_state {
  cusp_subplan plan;
  bundle carried, kept;
  bool reverse;
  int first_carried, first_kept; /* among the inputs of the graphs; the former also the row's */
  char *blocks[2];
  char **rounds; /* by round; a block each */
  int n_rounds, rounds_capacity;
} pass_state;

typedef struct loop_state {
  int n_passes, n_made;
  pass_state *passes;
  cusp_subplan condition;
  int n_inputs, first_capture, first_row_capture;
  cusp_array *inputs; /* scratch: those of the graphs */
  void **destinations;
  size_t block_bytes; /* of the widest pass */
  cusp_arena memory;
} loop_state;

static bool can_loop(const cusp_call *call) { return call->attrs[0].kind == CUSP_ATTR_SUBGRAPHS; }

static cusp_status lay_out(bundle *b, cusp_arena *memory, int count, cusp_node *const *outputs) {
  b->count = count;
  CUSP_TRY(cusp_arena_alloc((void **)&b->offsets, memory, ((size_t)count + 1) * sizeof(size_t)));
  CUSP_TRY(cusp_arena_alloc((void **)&b->sizes, memory, ((size_t)count + 1) * sizeof(size_t)));
  for (int i = 0; i < count; i++) {
    const cusp_type *type = &outputs[i]->type;
    b->offsets[i] = b->bytes;
    b->sizes[i] = (size_t)cusp_shape_count(&type->shape) * cusp_dtype_size(type->dtype);
    b->bytes += cusp_aligned_size(b->sizes[i]);
  }
  return CUSP_OK;
}

/* The types of the graphs' inputs; their memory is known when the loop runs. */
static cusp_status describe_inputs(loop_state *s, const cusp_subgraphs *graphs) {
  CUSP_TRY(cusp_arena_alloc((void **)&s->inputs, &s->memory,
                            ((size_t)graphs->n_inputs + 1) * sizeof *s->inputs));
  for (int g = 0; g < graphs->n_graphs; g++)
    for (int i = 0; i < graphs->n_inputs; i++) {
      const cusp_node *node = graphs->graphs[g].inputs[i];
      if (!node)
        continue;
      s->inputs[i] = (cusp_array){.dtype = node->type.dtype, .shape = node->type.shape};
      cusp_strides_row_major(s->inputs[i].strides, &node->type.shape);
    }
  return CUSP_OK;
}

static cusp_status prepare_pass(loop_state *s, const cusp_subgraphs *graphs, int p) {
  pass_state *pass = &s->passes[p];
  const cusp_subgraph *graph = &graphs->graphs[p];
  const cusp_pass *shape = &graphs->passes[p];
  pass->reverse = shape->reverse;
  for (int q = 0; q < graphs->n_passes; q++) {
    pass->first_carried += q < p ? graphs->passes[q].n_carried : 0;
    pass->first_kept += graphs->passes[q].n_carried + (q < p ? graphs->passes[q].n_kept : 0);
  }
  CUSP_TRY(lay_out(&pass->carried, &s->memory, shape->n_carried, graph->outputs));
  CUSP_TRY(lay_out(&pass->kept, &s->memory, shape->n_kept, graph->outputs + shape->n_carried));
  if (pass->carried.bytes > s->block_bytes)
    s->block_bytes = pass->carried.bytes;
  s->n_made++;
  return cusp_subplan_new(&pass->plan, graphs, p);
}

static cusp_status prepare_loop(cusp_call *call) {
  const cusp_subgraphs *graphs = call->attrs[0].subgraphs;
  loop_state *s;
  int widest = 1;
  CUSP_TRY(cusp_alloc_zeroed((void **)&s, sizeof *s));
  call->state = s;
  s->n_passes = graphs->n_passes;
  CUSP_TRY(
      cusp_arena_alloc((void **)&s->passes, &s->memory, (size_t)s->n_passes * sizeof *s->passes));
  for (int g = 0; g < graphs->n_graphs; g++)
    widest = graphs->graphs[g].n_outputs > widest ? graphs->graphs[g].n_outputs : widest;
  CUSP_TRY(cusp_arena_alloc((void **)&s->destinations, &s->memory,
                            (size_t)widest * sizeof *s->destinations));
  CUSP_TRY(describe_inputs(s, graphs));
  for (int p = 0; p < s->n_passes; p++)
    CUSP_TRY(prepare_pass(s, graphs, p));
  const pass_state *last = &s->passes[s->n_passes - 1];
  s->n_inputs = graphs->n_inputs;
  s->first_row_capture = last->first_carried + last->carried.count;
  s->first_capture = last->first_kept + last->kept.count;
  call->workspace_bytes = 2 * s->block_bytes;
  return cusp_subplan_new(&s->condition, graphs, s->n_passes);
}

static void forget_rounds(loop_state *s) {
  for (int p = 0; p < s->n_made; p++) {
    pass_state *pass = &s->passes[p];
    for (int i = 0; i < pass->n_rounds; i++)
      cusp_free(pass->rounds[i]);
    cusp_free(pass->rounds);
    pass->rounds = NULL;
    pass->n_rounds = pass->rounds_capacity = 0;
  }
}

static void release_loop(cusp_call *call) {
  loop_state *s = call->state;
  if (!s)
    return;
  for (int p = 0; p < s->n_made; p++)
    cusp_subplan_free(&s->passes[p].plan);
  cusp_subplan_free(&s->condition);
  cusp_arena_free(&s->memory);
  cusp_free(s);
  call->state = NULL;
}

/* ------------------------------------------------------------------ running */

static void point_inputs(loop_state *s, int first, const bundle *b, char *block) {
  for (int i = 0; i < b->count; i++)
    s->inputs[first + i].data = block + b->offsets[i];
}

static void point_destinations(void **destinations, const bundle *b, char *block) {
  for (int i = 0; i < b->count; i++)
    destinations[i] = block + b->offsets[i];
}

static cusp_status add_round(pass_state *pass) {
  if (!pass->kept.count)
    return CUSP_OK;
  CUSP_TRY(CUSP_GROW(pass->rounds, pass->rounds_capacity, pass->n_rounds + 1));
  CUSP_TRY(
      cusp_alloc((void **)&pass->rounds[pass->n_rounds], pass->kept.bytes ? pass->kept.bytes : 1));
  pass->n_rounds++;
  return CUSP_OK;
}

/* Reads one block and writes the other, and what is kept. */
static cusp_status run_round(loop_state *s, int p, int64_t round) {
  pass_state *pass = &s->passes[p];
  if (cusp_interrupted())
    return cusp_fail(CUSP_EINTERRUPT, "interrupted!");
  point_inputs(s, pass->first_carried, &pass->carried, pass->blocks[0]);
  for (int q = 0; q < p; q++)
    if (s->passes[q].kept.count)
      point_inputs(s, s->passes[q].first_kept, &s->passes[q].kept, s->passes[q].rounds[round]);
  point_destinations(s->destinations, &pass->carried, pass->blocks[1]);
  if (pass->kept.count)
    point_destinations(s->destinations + pass->carried.count, &pass->kept, pass->rounds[round]);
  CUSP_TRY(cusp_subplan_run(&pass->plan, s->inputs, s->destinations));
  char *spare = pass->blocks[0];
  pass->blocks[0] = pass->blocks[1];
  pass->blocks[1] = spare;
  return CUSP_OK;
}

static cusp_status goes_on(loop_state *s, bool *go_on) {
  void *destination = go_on;
  point_inputs(s, 0, &s->passes[0].carried, s->passes[0].blocks[0]);
  return cusp_subplan_run(&s->condition, s->inputs, &destination);
}

static cusp_status run_while(loop_state *s, int64_t *count) {
  for (*count = 0;; ++*count) {
    bool go_on = false;
    CUSP_TRY(goes_on(s, &go_on));
    if (!go_on)
      return CUSP_OK;
    CUSP_TRY(add_round(&s->passes[0]));
    CUSP_TRY(run_round(s, 0, *count));
  }
}

static cusp_status run_again(loop_state *s, int p, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    CUSP_TRY(add_round(&s->passes[p]));
  for (int64_t i = 0; i < count; i++)
    CUSP_TRY(run_round(s, p, s->passes[p].reverse ? count - 1 - i : i));
  return CUSP_OK;
}

static cusp_status run_pass(loop_state *s, cusp_call *call, int p, int64_t *count) {
  pass_state *pass = &s->passes[p];
  const bundle *b = &pass->carried;
  pass->blocks[0] = call->workspace;
  pass->blocks[1] = pass->blocks[0] + s->block_bytes;
  for (int i = 0; i < b->count; i++)
    memcpy(pass->blocks[0] + b->offsets[i], call->inputs[pass->first_carried + i].data,
           b->sizes[i]);
  CUSP_TRY(p ? run_again(s, p, *count) : run_while(s, count));
  for (int i = 0; i < b->count; i++)
    memcpy(call->outputs[pass->first_carried + i].data, pass->blocks[0] + b->offsets[i],
           b->sizes[i]);
  return CUSP_OK;
}

static cusp_status run_loop(cusp_call *call) {
  loop_state *s = call->state;
  cusp_status status = CUSP_OK;
  int64_t count = 0;
  for (int i = s->first_capture; i < s->n_inputs; i++)
    s->inputs[i].data = call->inputs[s->first_row_capture + i - s->first_capture].data;
  for (int p = 0; status == CUSP_OK && p < s->n_passes; p++)
    status = run_pass(s, call, p, &count);
  forget_rounds(s);
  return status;
}

static const cusp_plan *inner_plan(const cusp_call *call, int index) {
  const loop_state *s = call->state;
  if (index > s->n_passes)
    return NULL;
  return index ? s->passes[index - 1].plan.plan : s->condition.plan;
}

static const cusp_kernel loop_kernels[] = {
    {.name = "rounds",
     .can_run = can_loop,
     .prepare = prepare_loop,
     .run = run_loop,
     .release = release_loop,
     .inner = inner_plan},
    {0},
};

const cusp_op cusp_ops_loop[] = {
    {.name = "loop",
     .arguments = "inputs..., graphs: int",
     .help = "A sub-graph repeated while another one gives true.",
     .flags = CUSP_OP_HIDDEN,
     .infer = infer_loop,
     .gradient = cusp_loop_gradient,
     .kernels = loop_kernels},
    {0},
};
