/* Eager values: what is pending below some nodes is planned (once for each structure) and run. */
#include "../base/text.h"
#include "../node/evaluator.h"
#include "../node/pending.h"
#include "../node/state.h"
#include "import.h"
#include "plan.h"
#include "plan_run.h"
#include "rewrite.h"

#include <string.h>

/* ------------------------------------------------------------------ the cache of plans */

enum { CACHE_SLOTS = 1024, CACHE_PLANS = 512 };
#define CACHE_BYTES ((size_t)64 << 20)

/** A plan and the structure it is for: words that two graphs share exactly when one plan serves
 * both. */
typedef struct cached_plan {
  struct cached_plan *next;          /* in its slot */
  struct cached_plan *older, *newer; /* by when they last ran */
  uint64_t hash;
  int n_words;
  uint64_t *words;
  cusp_plan *plan;
  size_t bytes;
} cached_plan;

typedef struct plan_cache {
  cached_plan *slots[CACHE_SLOTS];
  cached_plan *oldest, *newest;
  int count;
  size_t bytes;
} plan_cache;

static void unlink_age(plan_cache *c, cached_plan *entry) {
  *(entry->older ? &entry->older->newer : &c->oldest) = entry->newer;
  *(entry->newer ? &entry->newer->older : &c->newest) = entry->older;
}

static void link_newest(plan_cache *c, cached_plan *entry) {
  entry->older = c->newest;
  entry->newer = NULL;
  *(c->newest ? &c->newest->newer : &c->oldest) = entry;
  c->newest = entry;
}

static void drop_oldest(plan_cache *c) {
  cached_plan *entry = c->oldest, **link = &c->slots[entry->hash % CACHE_SLOTS];
  while (*link != entry)
    link = &(*link)->next;
  *link = entry->next;
  unlink_age(c, entry);
  c->count--;
  c->bytes -= entry->bytes;
  cusp_plan_free(entry->plan);
  cusp_free(entry->words);
  cusp_free(entry);
}

static void free_cache(void *cache) {
  plan_cache *c = cache;
  while (c->oldest)
    drop_oldest(c);
  cusp_free(c);
}

/* The cache of the graphs that this thread works on. */
static cusp_status find_cache(plan_cache **out) {
  cusp_graph_state *state = cusp_state();
  if (!state->plans) {
    CUSP_TRY(cusp_alloc_zeroed(&state->plans, sizeof(plan_cache)));
    state->free_plans = free_cache;
  }
  *out = state->plans;
  return CUSP_OK;
}

static cusp_plan *cache_find(plan_cache *c, uint64_t hash, const uint64_t *words, int n_words) {
  for (cached_plan *entry = c->slots[hash % CACHE_SLOTS]; entry; entry = entry->next)
    if (entry->hash == hash && entry->n_words == n_words &&
        memcmp(entry->words, words, (size_t)n_words * sizeof *words) == 0) {
      unlink_age(c, entry);
      link_newest(c, entry);
      return entry->plan;
    }
  return NULL;
}

/* Takes `words` and `plan` over, also on failure. */
static cusp_status cache_enter(plan_cache *c, uint64_t hash, uint64_t *words, int n_words,
                               cusp_plan *plan) {
  cached_plan *entry;
  while (c->count >= CACHE_PLANS || (c->count > 1 && c->bytes > CACHE_BYTES))
    drop_oldest(c);
  cusp_status status = cusp_alloc((void **)&entry, sizeof *entry);
  if (status != CUSP_OK) {
    cusp_free(words);
    cusp_plan_free(plan);
    return status;
  }
  *entry = (cached_plan){.next = c->slots[hash % CACHE_SLOTS],
                         .hash = hash,
                         .n_words = n_words,
                         .words = words,
                         .plan = plan};
  entry->bytes = sizeof *entry + cusp_block_size(words) + cusp_plan_bytes(plan);
  c->slots[hash % CACHE_SLOTS] = entry;
  link_newest(c, entry);
  c->count++;
  c->bytes += entry->bytes;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ the structure of what is
 * pending */

typedef struct structure {
  uint64_t *words;
  int count, capacity;
} structure;

static cusp_status put(structure *s, uint64_t word) {
  CUSP_TRY(CUSP_GROW(s->words, s->capacity, s->count + 1));
  s->words[s->count++] = word;
  return CUSP_OK;
}

static cusp_status put_leaf(structure *s, const cusp_array *array) {
  CUSP_TRY(put(s, (uint64_t)array->dtype << 8 | (uint64_t)array->shape.ndim | (uint64_t)1 << 63));
  for (int i = 0; i < array->shape.ndim; i++) {
    CUSP_TRY(put(s, (uint64_t)array->shape.size[i]));
    CUSP_TRY(put(s, (uint64_t)array->strides[i]));
  }
  return CUSP_OK;
}

static cusp_status put_attr(structure *s, const cusp_attr *attr) {
  CUSP_TRY(put(s, (uint64_t)attr->kind << 32 | (uint64_t)(uint32_t)attr->count));
  if (attr->kind == CUSP_ATTR_INTS) {
    for (int i = 0; i < attr->count; i++)
      CUSP_TRY(put(s, (uint64_t)attr->ints[i]));
  } else if (attr->kind == CUSP_ATTR_STRING) {
    CUSP_TRY(put(s, strlen(attr->string)));
    for (const char *c = attr->string; *c; c++)
      CUSP_TRY(put(s, (uint64_t)*c));
  } else {
    CUSP_TRY(put(s, (uint64_t)attr->integer));
  }
  return CUSP_OK;
}

static cusp_status put_node(structure *s, const cusp_order *order, const cusp_node *node,
                            bool output) {
  CUSP_TRY(put(s, (uint64_t)(uintptr_t)node->op << 1 | output));
  CUSP_TRY(put(s, (uint64_t)node->n_inputs << 32 | (uint64_t)node->n_attrs));
  for (int i = 0; i < node->n_inputs; i++)
    CUSP_TRY(put(s, (uint64_t)cusp_map_get(&order->index, node->inputs[i])));
  for (int i = 0; i < node->n_attrs; i++)
    CUSP_TRY(put_attr(s, &node->attrs[i]));
  return CUSP_OK;
}

static uint64_t hash_words(const structure *s) {
  uint64_t hash = 0x9E3779B97F4A7C15u;
  for (int i = 0; i < s->count; i++)
    hash = (hash ^ s->words[i]) * 0xD6E8FEB86659FD93u, hash ^= hash >> 32;
  return hash;
}

/* ------------------------------------------------------------------ evaluation */

typedef struct evaluation {
  cusp_order order;
  bool *asked; /* by place in the order: those requested; NULL where they are few */
  cusp_node **outputs;
  int n_outputs, outputs_capacity;
  structure structure;
  cusp_array *leaves, *results;
  int n_leaves, leaves_capacity;
} evaluation;

enum { FEW = 8 };

static cusp_status mark_asked(evaluation *e, int count, cusp_node *const *nodes) {
  if (count <= FEW)
    return CUSP_OK;
  CUSP_TRY(cusp_alloc_zeroed((void **)&e->asked, (size_t)e->order.count + 1));
  for (int k = 0; k < count; k++) {
    int place = cusp_map_get(&e->order.index, nodes[k]);
    if (place >= 0)
      e->asked[place] = true;
  }
  return CUSP_OK;
}

static bool is_asked(const evaluation *e, int place, int count, cusp_node *const *nodes) {
  if (e->asked)
    return e->asked[place];
  for (int k = 0; k < count; k++)
    if (nodes[k] == e->order.nodes[place])
      return true;
  return false;
}

/* Values that somebody will ask for: those requested, those users hold, those a tape keeps for the
 * way back. */
static cusp_status find_outputs(evaluation *e, int count, cusp_node *const *nodes) {
  CUSP_TRY(mark_asked(e, count, nodes));
  for (int i = 0; i < e->order.count; i++) {
    cusp_node *node = e->order.nodes[i];
    bool wanted = node->handles > 0 || node->keeps > 0 || is_asked(e, i, count, nodes);
    bool output = wanted && !cusp_is_leaf(node) && node->n_outputs == 1;
    if (cusp_is_leaf(node)) {
      CUSP_TRY(put_leaf(&e->structure, &node->value));
      CUSP_TRY(CUSP_GROW(e->leaves, e->leaves_capacity, e->n_leaves + 1));
      e->leaves[e->n_leaves++] = node->value;
      continue;
    }
    CUSP_TRY(put_node(&e->structure, &e->order, node, output));
    if (!output)
      continue;
    CUSP_TRY(CUSP_GROW(e->outputs, e->outputs_capacity, e->n_outputs + 1));
    e->outputs[e->n_outputs++] = node;
  }
  return CUSP_OK;
}

/* A kernel that is not the same in the next run is packed again, as it would be without. */
static cusp_status new_plan(const evaluation *e, cusp_plan **plan) {
  cusp_graph graph;
  bool *steady;
  CUSP_TRY(cusp_graph_import(&graph, &e->order, false, e->n_outputs, e->outputs));
  cusp_status status = cusp_graph_rewrite(&graph);
  if (status == CUSP_OK)
    status = cusp_arena_alloc((void **)&steady, &graph.arena, (size_t)graph.n_leaves + 1);
  if (status != CUSP_OK) {
    cusp_graph_free(&graph);
    return status;
  }
  memset(steady, true, (size_t)graph.n_leaves);
  const cusp_plan_options options = {.steady = steady};
  return cusp_plan_new(plan, &graph, &options);
}

static cusp_status make_plan(evaluation *e, plan_cache *cache, uint64_t hash, cusp_plan **plan) {
  CUSP_TRY(new_plan(e, plan));
  structure taken = e->structure;
  e->structure = (structure){0};
  return cache_enter(cache, hash, taken.words, taken.count, *plan);
}

/* A plan that other nodes made fails with their lines in its message: these nodes' own says it. */
static cusp_status fail_again(const evaluation *e, const cusp_plan_io *io) {
  cusp_plan *plan;
  CUSP_TRY(new_plan(e, &plan));
  cusp_status status = cusp_plan_run(plan, io);
  cusp_plan_free(plan);
  return status;
}

static cusp_status run(evaluation *e) {
  uint64_t hash = hash_words(&e->structure);
  plan_cache *cache;
  CUSP_TRY(find_cache(&cache));
  cusp_plan *plan = cache_find(cache, hash, e->structure.words, e->structure.count);
  bool found = plan != NULL;
  if (found)
    cusp_state()->stats.plan_cache_hits++;
  else
    CUSP_TRY(make_plan(e, cache, hash, &plan));
  CUSP_TRY(
      cusp_alloc_zeroed((void **)&e->results, ((size_t)e->n_outputs + 1) * sizeof *e->results));
  cusp_plan_io io = {.leaves = e->leaves, .results = e->results};
  cusp_status status = cusp_plan_run(plan, &io);
  bool by_data = status == CUSP_EVALUE || status == CUSP_EBACKEND;
  return by_data && found ? fail_again(e, &io) : status;
}

static void keep_values(evaluation *e) {
  for (int i = 0; i < e->n_outputs; i++) {
    cusp_node *node = e->outputs[i];
    cusp_pending_remove(node);
    node->value = e->results[i];
    cusp_node_retain(node); /* letting go of a later output's inputs may drop this one */
  }
  for (int i = 0; i < e->n_outputs; i++)
    cusp_node_let_go(e->outputs[i]);
  cusp_state()->stats.nodes_evaluated += (uint64_t)e->n_outputs;
  for (int i = 0; i < e->n_outputs; i++)
    cusp_node_release(e->outputs[i]);
}

/* ------------------------------------------------------------------ small views of values */

/* Copying as many elements costs less than looking for a plan; deeper chains are rare. */
enum { SMALL_VIEW = 1024, VIEW_DEPTH = 8 };

static bool is_view(const cusp_node *node) {
  return node->op && (node->op->flags & CUSP_OP_VIEW) && node->op->view && node->n_inputs == 1 &&
         node->n_outputs == 1;
}

/* What views of views show of a value; false where anything else is to be computed, or kept. */
static bool find_view(cusp_array *out, const cusp_node *node, int depth) {
  cusp_array input;
  if (cusp_node_evaluated(node)) {
    *out = node->value;
    return true;
  }
  if (depth == VIEW_DEPTH || (depth > 0 && (node->handles > 0 || node->keeps > 0)) ||
      !is_view(node) || !find_view(&input, node->inputs[0], depth + 1))
    return false;
  memset(out, 0, sizeof *out);
  return node->op->view(node->attrs, &input, &node->type, out);
}

/* A row or an element of a value needs no plan: a loop would make one for each index. */
static cusp_status evaluate_view(cusp_node *node, const cusp_array *view) {
  cusp_array value;
  CUSP_TRY(cusp_array_new(&value, node->type.dtype, &node->type.shape));
  cusp_array_copy(&value, view);
  cusp_pending_remove(node);
  node->value = value;
  cusp_node_let_go(node);
  cusp_state()->stats.nodes_evaluated++;
  return CUSP_OK;
}

static cusp_status evaluate_graph(int count, cusp_node *const *nodes) {
  evaluation e = {0};
  bool outermost = !cusp_state()->evaluating;
  cusp_state()->evaluating = true;
  cusp_status status = cusp_order_collect(&e.order, count, nodes, cusp_stop_at_leaves);
  if (status == CUSP_OK)
    status = find_outputs(&e, count, nodes);
  if (status == CUSP_OK)
    status = run(&e);
  if (status == CUSP_OK)
    keep_values(&e);
  if (outermost)
    cusp_state()->evaluating = false;
  cusp_order_free(&e.order);
  cusp_free(e.asked);
  cusp_free(e.outputs);
  cusp_free(e.structure.words);
  cusp_free(e.leaves);
  cusp_free(e.results);
  return status;
}

static cusp_status evaluate(int count, cusp_node *const *nodes) {
  cusp_array view;
  if (count == 1 && cusp_shape_count(&nodes[0]->type.shape) <= SMALL_VIEW &&
      find_view(&view, nodes[0], 0))
    return evaluate_view(nodes[0], &view);
  return evaluate_graph(count, nodes);
}

__attribute__((constructor)) static void install(void) { cusp_set_evaluator(evaluate); }
