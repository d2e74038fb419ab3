/* The rows `loop` and `loop_gradient`: a body that is repeated while a condition holds, and its way
 * back. */
#include "../base/threads.h"
#include "../node/build.h"
#include "../node/gradient.h"
#include "../node/infer.h"
#include "../node/subgraphs.h"
#include "subplan.h"

#include <string.h>

/* The graphs of both rows, in this order. */
enum { BODY, CONDITION, BACK };

/* Inputs of the graphs: carried values, captures, and of the gradient's also cotangents of the
 * floating carried values and sums of the captures' gradients. The row's own inputs are all of
 * these but the sums; its outputs are the last two. */
typedef struct counts {
  int carried, captures, cotangents, sums;
} counts;

static counts counts_of(const cusp_subgraphs *graphs, int n_inputs, int n_outputs) {
  counts n = {.carried = graphs->graphs[BODY].n_outputs, .sums = graphs->n_inputs - n_inputs};
  n.cotangents = graphs->n_graphs > BACK ? n_outputs - n.sums : 0;
  n.captures = n_inputs - n.carried - n.cotangents;
  return n;
}

static cusp_status infer_loop(cusp_inference *inference) {
  return cusp_infer_fail(inference, CUSP_EUNSUPPORTED, "made by while_loop and fori_loop only");
}

/* ------------------------------------------------------------------ gradient */

typedef struct backward {
  const cusp_gradient *g;
  const cusp_subgraphs *graphs;
  counts n;
  int *carried;  /* n.cotangents: which carried values they are of */
  int *captures; /* n.sums: which inputs of the row they are of */
  cusp_node **targets, **cotangents, **sources, **gradients, **sums;
  cusp_subgraphs *result;
  cusp_arena arena;
} backward;

static cusp_status allocate_backward(backward *b) {
  size_t all = (size_t)b->graphs->n_inputs + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&b->carried, &b->arena, all * sizeof *b->carried));
  CUSP_TRY(cusp_arena_alloc((void **)&b->captures, &b->arena, all * sizeof *b->captures));
  cusp_node ***lists[] = {&b->targets, &b->cotangents, &b->sources, &b->gradients, &b->sums};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    CUSP_TRY(cusp_arena_alloc((void **)lists[i], &b->arena, all * sizeof **lists[i]));
  return CUSP_OK;
}

/* Carried floats pass a cotangent from round to round; captured values sum theirs over the rounds.
 */
static cusp_status find_flow(backward *b) {
  const cusp_subgraph *body = &b->graphs->graphs[BODY];
  cusp_trace *trace = b->g->node->trace;
  for (int k = 0; k < b->n.carried; k++) {
    if (!cusp_dtype_is_float(body->outputs[k]->type.dtype))
      continue;
    int i = b->n.cotangents++;
    b->carried[i] = k;
    b->targets[i] = body->outputs[k];
    b->sources[i] = body->inputs[k];
    CUSP_TRY(cusp_subgraph_placeholder(&b->cotangents[i], &body->outputs[k]->type, trace));
  }
  for (int k = b->n.carried; k < b->graphs->n_inputs; k++) {
    if (!b->g->wanted[k])
      continue;
    int i = b->n.sums++;
    b->captures[i] = k;
    b->sources[b->n.cotangents + i] = body->inputs[k];
    CUSP_TRY(cusp_subgraph_placeholder(&b->sums[i], &body->inputs[k]->type, trace));
  }
  return CUSP_OK;
}

static cusp_status differentiate_body(backward *b) {
  cusp_map inputs = {0};
  int total = b->n.cotangents + b->n.sums;
  cusp_status status = cusp_subgraph_map(&inputs, b->graphs, BODY);
  if (status == CUSP_OK)
    status = cusp_gradients_within(cusp_subgraph_stop(&inputs), b->gradients, b->n.cotangents,
                                   b->targets, b->cotangents, total, b->sources);
  cusp_map_free(&inputs);
  CUSP_TRY(status);
  for (int i = 0; i < total; i++) {
    if (b->gradients[i] && !cusp_scope_adopt(b->gradients[i]))
      status = cusp_error_status();
    if (i >= b->n.cotangents)
      b->gradients[i] = b->gradients[i] ? cusp_add(b->sums[i - b->n.cotangents], b->gradients[i])
                                        : b->sums[i - b->n.cotangents];
    else if (!b->gradients[i])
      b->gradients[i] = cusp_zeros_like(b->sources[i]);
    if (status == CUSP_OK)
      status = cusp_built(b->gradients[i]);
  }
  return status;
}

static void copy_graph(const backward *b, int graph) {
  const cusp_subgraph *from = &b->graphs->graphs[graph], *to = &b->result->graphs[graph];
  for (int i = 0; i < b->graphs->n_inputs; i++)
    if ((to->inputs[i] = from->inputs[i]))
      cusp_node_retain(to->inputs[i]);
  for (int k = 0; k < from->n_outputs; k++)
    cusp_node_retain(to->outputs[k] = from->outputs[k]);
}

static cusp_status fill_result(backward *b) {
  int forward = b->graphs->n_inputs, total = b->n.cotangents + b->n.sums;
  int outputs[] = {b->n.carried, 1, total};
  CUSP_TRY(cusp_subgraphs_new(&b->result, forward + total, 3, outputs));
  copy_graph(b, CONDITION);
  copy_graph(b, BODY);
  const cusp_subgraph *body = &b->graphs->graphs[BODY], *back = &b->result->graphs[BACK];
  for (int i = 0; i < forward; i++)
    if ((back->inputs[i] = body->inputs[i]))
      cusp_node_retain(back->inputs[i]);
  for (int i = 0; i < total; i++) {
    cusp_node_retain(back->inputs[forward + i] =
                         i < b->n.cotangents ? b->cotangents[i] : b->sums[i - b->n.cotangents]);
    cusp_node_retain(back->outputs[i] = b->gradients[i]);
  }
  return CUSP_OK;
}

static cusp_status gradient_node(backward *b) {
  const cusp_gradient *g = b->g;
  int forward = b->graphs->n_inputs, total = b->n.cotangents + b->n.sums,
      n_inputs = forward + b->n.cotangents;
  cusp_node **inputs, **picks;
  cusp_type *types;
  CUSP_TRY(cusp_arena_alloc((void **)&inputs, &b->arena, (size_t)n_inputs * sizeof *inputs));
  CUSP_TRY(cusp_arena_alloc((void **)&picks, &b->arena, (size_t)total * sizeof *picks));
  CUSP_TRY(cusp_arena_alloc((void **)&types, &b->arena, (size_t)total * sizeof *types));
  for (int i = 0; i < forward; i++)
    inputs[i] = g->x[i];
  for (int i = 0; i < b->n.cotangents; i++) {
    cusp_node *flowing = g->dy[b->carried[i]];
    inputs[forward + i] = flowing ? flowing : cusp_zeros_like(b->targets[i]);
    CUSP_TRY(cusp_built(inputs[forward + i]));
  }
  for (int i = 0; i < total; i++)
    types[i] = b->gradients[i]->type;
  CUSP_TRY(cusp_subgraphs_node(picks, "loop_gradient", n_inputs, inputs, b->result, total, types));
  for (int i = 0; i < total; i++)
    g->dx[i < b->n.cotangents ? b->carried[i] : b->captures[i - b->n.cotangents]] =
        cusp_scope_adopt(picks[i]);
  return CUSP_OK;
}

static cusp_status loop_backward(backward *b) {
  CUSP_TRY(allocate_backward(b));
  CUSP_TRY(find_flow(b));
  if (!b->n.cotangents)
    return CUSP_OK;
  CUSP_TRY(differentiate_body(b));
  CUSP_TRY(fill_result(b));
  return gradient_node(b);
}

static cusp_status loop_gradient(cusp_gradient *g) {
  backward b = {.g = g, .graphs = g->node->attrs[0].subgraphs};
  b.n.carried = b.graphs->graphs[BODY].n_outputs;
  b.n.captures = b.graphs->n_inputs - b.n.carried;
  cusp_status status = loop_backward(&b);
  cusp_subgraphs_release(b.result);
  cusp_arena_free(&b.arena);
  return status;
}

static cusp_status second_gradient(cusp_gradient *g) {
  (void)g;
  return cusp_fail(CUSP_EUNSUPPORTED, "a traced loop has no second gradient; run it uncompiled, or "
                                      "with a number of rounds that is known");
}

/* ------------------------------------------------------------------ running */

/** Where each of some arrays lies in one block. */
typedef struct bundle {
  int count;
  size_t *offsets, *sizes, bytes;
} bundle;

typedef struct loop_state {
  counts n;
  int n_graphs;
  cusp_subplan plans[3];
  bundle carried, back;
  cusp_array *inputs; /* scratch: those of the graphs */
  void **destinations;
  cusp_arena memory;
} loop_state;

static cusp_status lay_out(bundle *b, cusp_arena *memory, const cusp_subgraph *graph) {
  b->count = graph->n_outputs;
  CUSP_TRY(cusp_arena_alloc((void **)&b->offsets, memory, (size_t)b->count * sizeof *b->offsets));
  CUSP_TRY(cusp_arena_alloc((void **)&b->sizes, memory, (size_t)b->count * sizeof *b->sizes));
  for (int i = 0; i < b->count; i++) {
    const cusp_type *type = &graph->outputs[i]->type;
    b->offsets[i] = b->bytes;
    b->sizes[i] = (size_t)cusp_shape_count(&type->shape) * cusp_dtype_size(type->dtype);
    b->bytes += (b->sizes[i] + CUSP_ALIGNMENT - 1) / CUSP_ALIGNMENT * CUSP_ALIGNMENT;
  }
  return CUSP_OK;
}

static bool can_loop(const cusp_call *call) { return call->attrs[0].kind == CUSP_ATTR_SUBGRAPHS; }

/* The types of the graphs' inputs; their memory is known when the loop runs. */
static cusp_status describe_inputs(loop_state *s, const cusp_subgraphs *graphs) {
  const cusp_subgraph *widest = &graphs->graphs[graphs->n_graphs - 1];
  CUSP_TRY(cusp_arena_alloc((void **)&s->inputs, &s->memory,
                            ((size_t)graphs->n_inputs + 1) * sizeof *s->inputs));
  for (int i = 0; i < graphs->n_inputs; i++) {
    s->inputs[i] = (cusp_array){.dtype = widest->inputs[i]->type.dtype,
                                .shape = widest->inputs[i]->type.shape};
    cusp_strides_row_major(s->inputs[i].strides, &s->inputs[i].shape);
  }
  return CUSP_OK;
}

static cusp_status prepare_loop(cusp_call *call) {
  const cusp_subgraphs *graphs = call->attrs[0].subgraphs;
  loop_state *s;
  CUSP_TRY(cusp_alloc_zeroed((void **)&s, sizeof *s));
  call->state = s;
  s->n = counts_of(graphs, call->n_inputs, call->n_outputs);
  CUSP_TRY(lay_out(&s->carried, &s->memory, &graphs->graphs[BODY]));
  if (graphs->n_graphs > BACK)
    CUSP_TRY(lay_out(&s->back, &s->memory, &graphs->graphs[BACK]));
  call->workspace_bytes = 2 * (s->carried.bytes + s->back.bytes);
  size_t most = (size_t)(s->carried.count > s->back.count ? s->carried.count : s->back.count);
  CUSP_TRY(cusp_arena_alloc((void **)&s->destinations, &s->memory,
                            (most + 1) * sizeof *s->destinations));
  CUSP_TRY(describe_inputs(s, graphs));
  while (s->n_graphs < graphs->n_graphs) {
    int graph = s->n_graphs++;
    CUSP_TRY(cusp_subplan_new(&s->plans[graph], graphs, graph));
  }
  return CUSP_OK;
}

static void release_loop(cusp_call *call) {
  loop_state *s = call->state;
  if (!s)
    return;
  for (int i = 0; i < s->n_graphs; i++)
    cusp_subplan_free(&s->plans[i]);
  cusp_arena_free(&s->memory);
  cusp_free(s);
  call->state = NULL;
}

static void point_inputs(loop_state *s, int first, const bundle *b, char *block) {
  for (int i = 0; i < b->count; i++)
    s->inputs[first + i].data = block + b->offsets[i];
}

static void gather(const bundle *b, char *block, const cusp_array *arrays) {
  for (int i = 0; i < b->count; i++)
    memcpy(block + b->offsets[i], arrays[i].data, b->sizes[i]);
}

static void spread(const bundle *b, const char *block, const cusp_array *arrays) {
  for (int i = 0; i < b->count; i++)
    memcpy(arrays[i].data, block + b->offsets[i], b->sizes[i]);
}

/* One round of a graph from the inputs that are set, into `block`. */
static cusp_status round_into(loop_state *s, int graph, const bundle *b, char *block) {
  if (cusp_interrupted())
    return cusp_fail(CUSP_EINTERRUPT, "interrupted!");
  for (int i = 0; i < b->count; i++)
    s->destinations[i] = block + b->offsets[i];
  return cusp_subplan_run(&s->plans[graph], s->inputs, s->destinations);
}

static cusp_status goes_on(loop_state *s, char *carried, bool *go_on) {
  void *destination = go_on;
  point_inputs(s, 0, &s->carried, carried);
  return cusp_subplan_run(&s->plans[CONDITION], s->inputs, &destination);
}

/* Two blocks take turns: a round reads one and writes the other. */
static cusp_status run_loop(cusp_call *call) {
  loop_state *s = call->state;
  char *now = call->workspace, *next = now + s->carried.bytes;
  gather(&s->carried, now, call->inputs);
  for (int i = 0; i < s->n.captures; i++)
    s->inputs[s->n.carried + i].data = call->inputs[s->n.carried + i].data;
  for (;;) {
    bool go_on = false;
    CUSP_TRY(goes_on(s, now, &go_on));
    if (!go_on)
      break;
    CUSP_TRY(round_into(s, BODY, &s->carried, next));
    char *spare = now;
    now = next;
    next = spare;
  }
  spread(&s->carried, now, call->outputs);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ running back */

/** The carried values of each round. */
typedef struct history {
  char **rounds;
  int count, capacity;
} history;

static cusp_status add_round(history *h, size_t bytes) {
  CUSP_TRY(CUSP_GROW(h->rounds, h->capacity, h->count + 1));
  CUSP_TRY(cusp_alloc((void **)&h->rounds[h->count], bytes ? bytes : 1));
  h->count++;
  return CUSP_OK;
}

static void free_history(history *h) {
  for (int i = 0; i < h->count; i++)
    cusp_free(h->rounds[i]);
  cusp_free(h->rounds);
}

static cusp_status run_forth(loop_state *s, history *h) {
  for (;;) {
    bool go_on = false;
    char *now = h->rounds[h->count - 1];
    CUSP_TRY(goes_on(s, now, &go_on));
    if (!go_on)
      return CUSP_OK;
    CUSP_TRY(add_round(h, s->carried.bytes));
    CUSP_TRY(round_into(s, BODY, &s->carried, h->rounds[h->count - 1]));
  }
}

static cusp_status run_back(loop_state *s, const history *h, char **now, char **next) {
  int first = s->n.carried + s->n.captures;
  for (int round = h->count - 2; round >= 0; round--) {
    point_inputs(s, 0, &s->carried, h->rounds[round]);
    point_inputs(s, first, &s->back, *now);
    CUSP_TRY(round_into(s, BACK, &s->back, *next));
    char *spare = *now;
    *now = *next;
    *next = spare;
  }
  return CUSP_OK;
}

static cusp_status run_both_ways(cusp_call *call, history *h) {
  loop_state *s = call->state;
  char *now = call->workspace, *next = now + s->back.bytes;
  int forward = s->n.carried + s->n.captures;
  for (int i = s->n.carried; i < forward; i++)
    s->inputs[i].data = call->inputs[i].data;
  CUSP_TRY(add_round(h, s->carried.bytes));
  gather(&s->carried, h->rounds[0], call->inputs);
  CUSP_TRY(run_forth(s, h));
  memset(now, 0, s->back.bytes);
  for (int i = 0; i < s->n.cotangents; i++)
    memcpy(now + s->back.offsets[i], call->inputs[forward + i].data, s->back.sizes[i]);
  CUSP_TRY(run_back(s, h, &now, &next));
  spread(&s->back, now, call->outputs);
  return CUSP_OK;
}

/* Goes forth once more, keeping each round's values, and back through them. */
static cusp_status run_loop_gradient(cusp_call *call) {
  history h = {0};
  cusp_status status = run_both_ways(call, &h);
  free_history(&h);
  return status;
}

static const cusp_kernel loop_kernels[] = {
    {.name = "rounds",
     .can_run = can_loop,
     .prepare = prepare_loop,
     .run = run_loop,
     .release = release_loop},
    {0},
};

static const cusp_kernel loop_gradient_kernels[] = {
    {.name = "rounds",
     .can_run = can_loop,
     .prepare = prepare_loop,
     .run = run_loop_gradient,
     .release = release_loop},
    {0},
};

const cusp_op cusp_ops_loop[] = {
    {.name = "loop",
     .arguments = "inputs..., graphs: int",
     .help = "A sub-graph repeated while another one gives true.",
     .flags = CUSP_OP_HIDDEN,
     .infer = infer_loop,
     .gradient = loop_gradient,
     .kernels = loop_kernels},
    {.name = "loop_gradient",
     .arguments = "inputs..., graphs: int",
     .help = "The gradients of a loop's first values and of what it reads.",
     .flags = CUSP_OP_HIDDEN,
     .infer = infer_loop,
     .gradient = second_gradient,
     .kernels = loop_gradient_kernels},
    {0},
};
