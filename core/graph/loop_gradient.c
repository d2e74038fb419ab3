/*
 * The way back through a loop, whose number of rounds no shape tells: the same loop once more,
 * which keeps what is needed of each round, and for each of its passes, the last one first, a pass
 * back.
 */
#include "loop_gradient.h"

#include "../node/build.h"
#include "../node/state.h"
#include "round_back.h"

/** What flows back into something kept: a pass back keeps that of each round. */
typedef struct contribution {
  int pass, kept;      /* of which value it is the cotangent */
  int from, source;    /* the pass whose way back gives it, and its number there */
  cusp_node *stand_in; /* within the graphs that read it */
} contribution;

typedef struct backward {
  const cusp_gradient *g;
  const cusp_subgraphs *graphs;
  const cusp_pass *passes;
  int n, first_capture, n_captures; /* passes; captures among the graphs' inputs */
  int *first_carried, *first_kept;  /* by pass, among the graphs' inputs */
  cusp_round_back *back;            /* by pass */
  contribution *contributions;
  int n_contributions, contributions_capacity;
  cusp_pass *new_passes; /* 2 n */
  cusp_subgraphs *result;
  int column; /* of the result's inputs that is filled next */
  cusp_node **inputs;
  int n_row_inputs;
  cusp_arena arena;
} backward;

static cusp_status prepare(backward *b) {
  size_t n = (size_t)b->n + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&b->first_carried, &b->arena, n * sizeof(int)));
  CUSP_TRY(cusp_arena_alloc((void **)&b->first_kept, &b->arena, n * sizeof(int)));
  CUSP_TRY(cusp_arena_alloc((void **)&b->back, &b->arena, n * sizeof *b->back));
  CUSP_TRY(cusp_arena_alloc((void **)&b->new_passes, &b->arena, 2 * n * sizeof *b->new_passes));
  for (int p = 0; p < b->n; p++)
    b->first_carried[p + 1] = b->first_carried[p] + b->passes[p].n_carried;
  b->first_kept[0] = b->first_carried[b->n];
  for (int p = 0; p < b->n; p++)
    b->first_kept[p + 1] = b->first_kept[p] + b->passes[p].n_kept;
  b->first_capture = b->first_kept[b->n];
  b->n_captures = b->graphs->n_inputs - b->first_capture;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ differentiating the passes */

/* What later passes read of something that this one kept gives it a cotangent. */
static cusp_status add_kept_targets(backward *b, int p) {
  for (int k = 0; k < b->passes[p].n_kept; k++) {
    cusp_node *total = NULL;
    for (int i = 0; i < b->n_contributions; i++) {
      const contribution *c = &b->contributions[i];
      if (c->pass != p || c->kept != k)
        continue;
      total = total ? cusp_add(total, c->stand_in) : c->stand_in;
      CUSP_TRY(cusp_built(total));
    }
    if (total)
      cusp_round_back_target(&b->back[p], b->passes[p].n_carried + k, total);
  }
  return CUSP_OK;
}

static bool is_float_input(const backward *b, int p, int input) {
  const cusp_node *node = b->graphs->graphs[p].inputs[input];
  return node && cusp_dtype_is_float(node->type.dtype);
}

static cusp_status add_sources(backward *b, int p) {
  for (int i = 0; i < b->n_captures; i++)
    if (b->g->wanted[b->first_carried[b->n] + i] && is_float_input(b, p, b->first_capture + i))
      CUSP_TRY(cusp_round_back_source(&b->back[p], b->first_capture + i, true));
  for (int i = b->first_kept[0]; i < b->first_kept[p]; i++)
    if (is_float_input(b, p, i))
      CUSP_TRY(cusp_round_back_source(&b->back[p], i, false));
  return CUSP_OK;
}

static bool is_contribution(const cusp_round_back *back, int source) {
  return source >= back->n_flowing && !back->sums[source];
}

static cusp_status note_contributions(backward *b, int p) {
  const cusp_round_back *back = &b->back[p];
  for (int i = 0; i < back->n_sources; i++) {
    if (!is_contribution(back, i))
      continue;
    int q = 0;
    while (back->source_index[i] >= b->first_kept[q + 1])
      q++;
    CUSP_TRY(CUSP_GROW(b->contributions, b->contributions_capacity, b->n_contributions + 1));
    contribution *c = &b->contributions[b->n_contributions++];
    *c = (contribution){
        .pass = q, .kept = back->source_index[i] - b->first_kept[q], .from = p, .source = i};
    CUSP_TRY(cusp_subgraph_placeholder(&c->stand_in, &back->sources[i]->type, back->trace));
  }
  return CUSP_OK;
}

static cusp_status differentiate_pass(backward *b, int p, cusp_trace *trace) {
  cusp_round_back *back = &b->back[p];
  CUSP_TRY(cusp_round_back_new(back, b->graphs, p, trace));
  CUSP_TRY(cusp_round_back_flow(back, b->first_carried[p], b->passes[p].n_carried));
  CUSP_TRY(add_kept_targets(b, p));
  CUSP_TRY(add_sources(b, p));
  CUSP_TRY(cusp_round_back_differentiate(back, false));
  CUSP_TRY(cusp_round_back_keep(back, b->first_carried[p], b->passes[p].n_carried));
  return note_contributions(b, p);
}

/* ------------------------------------------------------------------ the graphs of the result */

static int back_of(const backward *b, int p) { return 2 * b->n - 1 - p; }

static int output_of(const backward *b, int p, const cusp_node *node) {
  const cusp_subgraph *graph = &b->graphs->graphs[p];
  for (int k = b->passes[p].n_carried; k < graph->n_outputs; k++)
    if (graph->outputs[k] == node)
      return k;
  return -1;
}

static bool is_carried_back(const cusp_round_back *back, int source) {
  return source < back->n_flowing || back->sums[source];
}

static void count_pass(backward *b, int p) {
  const cusp_round_back *back = &b->back[p];
  cusp_pass *forth = &b->new_passes[p], *way_back = &b->new_passes[back_of(b, p)];
  *forth = b->passes[p];
  for (int i = 0; i < back->n_kept; i++)
    forth->n_kept += output_of(b, p, back->kept[i]) < 0;
  way_back->reverse = !forth->reverse;
  for (int i = 0; i < back->n_sources; i++)
    if (is_carried_back(back, i))
      way_back->n_carried++;
    else
      way_back->n_kept++;
}

static cusp_status make_graphs(backward *b) {
  int n_inputs = b->n_captures, *outputs, n_graphs = 2 * b->n + 1;
  CUSP_TRY(cusp_arena_alloc((void **)&outputs, &b->arena, (size_t)n_graphs * sizeof *outputs));
  for (int p = 0; p < b->n; p++)
    count_pass(b, p);
  for (int p = 0; p < 2 * b->n; p++) {
    outputs[p] = b->new_passes[p].n_carried + b->new_passes[p].n_kept;
    n_inputs += outputs[p];
  }
  outputs[2 * b->n] = 1;
  CUSP_TRY(cusp_subgraphs_new(&b->result, n_inputs, n_graphs, outputs));
  CUSP_TRY(cusp_subgraphs_set_passes(b->result, 2 * b->n, b->new_passes));
  return cusp_arena_alloc((void **)&b->inputs, &b->arena,
                          (size_t)(n_inputs + 1) * sizeof *b->inputs);
}

static void set_input(backward *b, int graph, cusp_node *node) {
  if (node)
    cusp_node_retain(b->result->graphs[graph].inputs[b->column] = node);
}

static void set_output(backward *b, int graph, int *output, cusp_node *node) {
  cusp_node_retain(b->result->graphs[graph].outputs[(*output)++] = node);
}

/* The column of an input that the passes had: they and their ways back read it alike. */
static void copy_column(backward *b, int input) {
  for (int p = 0; p < b->n; p++) {
    set_input(b, p, b->graphs->graphs[p].inputs[input]);
    bool own = input >= b->first_carried[p] && input < b->first_carried[p + 1];
    if (!own)
      set_input(b, back_of(b, p), b->graphs->graphs[p].inputs[input]);
  }
  set_input(b, 2 * b->n, b->graphs->graphs[b->n].inputs[input]);
}

static void fill_carried(backward *b) {
  for (int i = 0; i < b->first_carried[b->n]; i++, b->column++)
    copy_column(b, i);
  for (int p = b->n - 1; p >= 0; p--) {
    const cusp_round_back *back = &b->back[p];
    for (int i = 0; i < back->n_sources; i++)
      if (is_carried_back(back, i)) {
        set_input(b, back_of(b, p), back->sums[i] ? back->sums[i] : back->cotangents[i]);
        b->column++;
      }
  }
}

/* What a pass kept before, then what its way back reads besides. */
static void fill_kept(backward *b, int p) {
  const cusp_round_back *back = &b->back[p];
  const cusp_subgraph *graph = &b->graphs->graphs[p];
  int output = 0;
  for (int k = 0; k < graph->n_outputs; k++)
    set_output(b, p, &output, graph->outputs[k]);
  for (int k = 0; k < b->passes[p].n_kept; k++, b->column++) {
    cusp_node *own = graph->outputs[b->passes[p].n_carried + k];
    copy_column(b, b->first_kept[p] + k);
    for (int i = 0; i < back->n_kept; i++)
      if (back->kept[i] == own)
        set_input(b, back_of(b, p), own);
  }
  for (int i = 0; i < back->n_kept; i++) {
    if (output_of(b, p, back->kept[i]) >= 0)
      continue;
    set_input(b, back_of(b, p), back->kept[i]);
    b->column++;
    set_output(b, p, &output, back->kept[i]);
  }
}

/* The graphs that read a contribution are those of the way back of the pass that kept the value. */
static void fill_contributions(backward *b, int p) {
  const cusp_round_back *back = &b->back[p];
  int output = 0;
  for (int i = 0; i < back->n_sources; i++)
    if (is_carried_back(back, i))
      set_output(b, back_of(b, p), &output, back->gradients[i]);
  for (int i = 0; i < b->n_contributions; i++) {
    const contribution *c = &b->contributions[i];
    if (c->from != p)
      continue;
    set_output(b, back_of(b, p), &output, back->gradients[c->source]);
    set_input(b, back_of(b, c->pass), c->stand_in);
    b->column++;
  }
}

static cusp_status fill_graphs(backward *b) {
  CUSP_TRY(make_graphs(b));
  fill_carried(b);
  for (int p = 0; p < b->n; p++)
    fill_kept(b, p);
  for (int p = b->n - 1; p >= 0; p--)
    fill_contributions(b, p);
  for (int i = 0; i < b->n_captures; i++, b->column++)
    copy_column(b, b->first_capture + i);
  int output = 0;
  set_output(b, 2 * b->n, &output, b->graphs->graphs[b->n].outputs[0]);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the row */

static cusp_status add_input(backward *b, cusp_node *node) {
  b->inputs[b->n_row_inputs++] = node;
  return cusp_built(node);
}

static cusp_status list_inputs(backward *b) {
  int captures = b->first_carried[b->n];
  for (int i = 0; i < captures; i++)
    CUSP_TRY(add_input(b, b->g->x[i]));
  for (int p = b->n - 1; p >= 0; p--) {
    const cusp_round_back *back = &b->back[p];
    for (int i = 0; i < back->n_sources; i++) {
      if (!is_carried_back(back, i))
        continue;
      cusp_node *flowing = back->sums[i] ? NULL : b->g->dy[back->source_index[i]];
      CUSP_TRY(add_input(
          b, flowing ? flowing
                     : cusp_zeros_like(back->sums[i] ? back->sums[i] : back->cotangents[i])));
    }
  }
  for (int i = 0; i < b->n_captures; i++)
    CUSP_TRY(add_input(b, b->g->x[captures + i]));
  return CUSP_OK;
}

static cusp_status list_types(const backward *b, cusp_type *types, int *count) {
  *count = 0;
  for (int p = 0; p < 2 * b->n; p++)
    for (int k = 0; k < b->new_passes[p].n_carried; k++)
      types[(*count)++] = b->result->graphs[p].outputs[k]->type;
  return CUSP_OK;
}

/* A capture that several passes read gets what all ways back give. */
static cusp_status give(backward *b, int input, cusp_node *gradient) {
  int captures = b->first_carried[b->n];
  cusp_node **dx = &b->g->dx[input < captures ? input : captures + input - b->first_capture];
  CUSP_TRY(cusp_built(gradient));
  *dx = *dx ? cusp_add(*dx, gradient) : gradient;
  return cusp_built(*dx);
}

static cusp_status give_gradients(backward *b, cusp_node *const *picks) {
  int at = b->first_carried[b->n];
  for (int p = b->n - 1; p >= 0; p--)
    for (int i = 0; i < b->back[p].n_sources; i++)
      if (is_carried_back(&b->back[p], i))
        CUSP_TRY(give(b, b->back[p].source_index[i], picks[at++]));
  return CUSP_OK;
}

static cusp_status make_row(backward *b) {
  size_t room = (size_t)b->result->n_inputs + 1;
  cusp_node **picks;
  cusp_type *types;
  int count;
  CUSP_TRY(cusp_arena_alloc((void **)&picks, &b->arena, room * sizeof *picks));
  CUSP_TRY(cusp_arena_alloc((void **)&types, &b->arena, room * sizeof *types));
  CUSP_TRY(list_inputs(b));
  CUSP_TRY(list_types(b, types, &count));
  CUSP_TRY(cusp_subgraphs_node(picks, "loop", b->n_row_inputs, b->inputs, b->result, count, types));
  cusp_status status = CUSP_OK;
  for (int i = 0; i < count; i++)
    if (!cusp_scope_adopt(picks[i]))
      status = cusp_error_status();
  return status == CUSP_OK ? give_gradients(b, picks) : status;
}

static cusp_status go_back(backward *b, cusp_trace *trace) {
  CUSP_TRY(prepare(b));
  for (int p = b->n - 1; p >= 0; p--)
    CUSP_TRY(differentiate_pass(b, p, trace));
  CUSP_TRY(fill_graphs(b));
  return make_row(b);
}

cusp_status cusp_loop_gradient(cusp_gradient *g) {
  const cusp_subgraphs *graphs = g->node->attrs[0].subgraphs;
  backward b = {.g = g, .graphs = graphs, .passes = graphs->passes, .n = graphs->n_passes};
  cusp_status status = go_back(&b, g->node->trace ? g->node->trace : cusp_state()->trace);
  for (int p = 0; b.back && p < b.n; p++)
    cusp_round_back_free(&b.back[p]);
  cusp_subgraphs_release(b.result);
  cusp_free(b.contributions);
  cusp_arena_free(&b.arena);
  return status;
}
