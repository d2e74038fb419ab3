/*
 * Predictions for any number of rows. Each model has a list of plans that only grows: a thread
 * takes one that is free and fits, and makes another where there is none. Plans that nobody has
 * used for long are made anew for other shapes once there are many.
 */
#include "internal.h"

#include <string.h>

enum { CHUNK = 32, MOST_PLANS = 64 };

typedef struct plan {
  struct plan *next;
  atomic_bool taken;
  atomic_uint_fast64_t key;  /* of the shapes; 0: there is no runner */
  unsigned weights, scripts; /* of the context, when it was made or refreshed */
  size_t count;
  cusp_shape *shapes;
  cusp_runner *runner;
  descriptions inputs, outputs;
  char *state;   /* scratch of a run, */
  char *dropped; /* and of outputs that nobody wants; NULL until one is left out */
} plan;

/* ------------------------------------------------------------------ plans */

static uint64_t key_of(const ordered *o) {
  uint64_t key = 0xcbf29ce484222325u;
  for (size_t i = 0; i < o->count; i++)
    for (int k = 0; k < o->shapes[i].ndim; k++)
      key = (key ^ (uint64_t)o->shapes[i].size[k]) * 0x100000001b3u + 1;
  return key | 1;
}

static bool fits(const plan *p, const ordered *o) {
  if (p->count != o->count)
    return false;
  for (size_t i = 0; i < o->count; i++)
    if (!cusp_shape_equal(&p->shapes[i], &o->shapes[i]) ||
        p->inputs.list[i].element != o->inputs[i]->element)
      return false;
  return true;
}

static bool take(plan *p) {
  bool free = false;
  return atomic_compare_exchange_strong_explicit(&p->taken, &free, true, memory_order_acquire,
                                                 memory_order_relaxed);
}

static void put_back(plan *p) { atomic_store_explicit(&p->taken, false, memory_order_release); }

/* Empties a plan that is taken; within the turn. */
static void clear(plan *p) {
  atomic_store_explicit(&p->key, 0, memory_order_relaxed);
  cusp_runner_free(p->runner);
  cusp_free(p->shapes);
  cusp_c_free_descriptions(&p->inputs);
  cusp_c_free_descriptions(&p->outputs);
  cusp_free(p->state);
  cusp_free(p->dropped);
  p->runner = NULL;
  p->shapes = NULL;
  p->state = p->dropped = NULL;
}

void cusp_c_free_plans(model *m) {
  for (plan *p = atomic_load(&m->plans), *next; p; p = next) {
    next = p->next;
    clear(p);
    cusp_free(p);
  }
}

/* Takes the values that weights have now, unless another thread changes them just now: then those
 * from before are right. */
static bool refresh(plan *p, context *c) {
  unsigned weights = atomic_load_explicit(&c->weights, memory_order_acquire),
           scripts = atomic_load_explicit(&c->scripts, memory_order_acquire);
  if ((p->weights == weights && p->scripts == scripts) || !cusp_c_try_enter(c))
    return true;
  bool usable = p->scripts == scripts;
  if (usable)
    cusp_runner_refresh(p->runner);
  else
    clear(p); /* a script may have changed what a layer does */
  p->weights = weights;
  cusp_c_leave(c);
  return usable;
}

static plan *find(model *m, const ordered *o, uint64_t key) {
  for (plan *p = atomic_load_explicit(&m->plans, memory_order_acquire); p; p = p->next) {
    if (atomic_load_explicit(&p->key, memory_order_relaxed) != key || !take(p))
      continue;
    if (atomic_load_explicit(&p->key, memory_order_relaxed) == key && fits(p, o) &&
        refresh(p, m->context))
      return p;
    put_back(p);
  }
  return NULL;
}

/* A plan to be filled: an empty one, one of many, or a new one; taken. */
static plan *find_room(model *m) {
  int count = 0;
  plan *other = NULL;
  for (plan *p = atomic_load_explicit(&m->plans, memory_order_acquire); p; p = p->next, count++) {
    if (atomic_load_explicit(&p->key, memory_order_relaxed) == 0 && take(p))
      return p;
    other = p; /* the last one is the oldest */
  }
  if (count >= MOST_PLANS && take(other))
    return other;
  plan *p;
  if (cusp_alloc_zeroed((void **)&p, sizeof *p) != CUSP_OK)
    return NULL;
  p->taken = true;
  p->next = atomic_load(&m->plans);
  while (!atomic_compare_exchange_weak(&m->plans, &p->next, p))
    ;
  return p;
}

static cusp_status keep(plan *p, const ordered *o) {
  p->count = o->count;
  CUSP_TRY(cusp_alloc((void **)&p->shapes, (o->count + 1) * sizeof *p->shapes));
  memcpy(p->shapes, o->shapes, o->count * sizeof *p->shapes);
  return cusp_alloc((void **)&p->state, cusp_runner_state_bytes(p->runner));
}

static cusp_result fill(plan *p, model *m, const ordered *o, uint64_t key, const char *what) {
  context *c = m->context;
  if (p->runner) {
    CUSP_C_TRY(cusp_c_enter(c, what));
    clear(p);
    cusp_c_leave(c);
  }
  p->weights = atomic_load(&c->weights);
  p->scripts = atomic_load(&c->scripts);
  CUSP_C_TRY(cusp_c_make_runner(&p->runner, m, o, false, false, what));
  if (!p->runner)
    return CUSP_SUCCESS;
  cusp_status status = keep(p, o);
  if (status != CUSP_OK)
    return cusp_c_fail_engine(status, what);
  CUSP_C_TRY(cusp_c_describe_runner(&p->inputs, &p->outputs, m, p->runner));
  atomic_store_explicit(&p->key, key, memory_order_relaxed);
  return CUSP_SUCCESS;
}

/* A plan that is this thread's until it is put back; *out is NULL where predictions need Lua. */
static cusp_result get_plan(plan **out, model *m, const ordered *o, const char *what) {
  uint64_t key = key_of(o);
  *out = find(m, o, key);
  if (*out)
    return CUSP_SUCCESS;
  plan *p = find_room(m);
  if (!p)
    return cusp_c_fail(CUSP_ERROR_MEMORY, "%s: out of memory", what);
  cusp_result result = fill(p, m, o, key, what);
  if (result == CUSP_SUCCESS && p->runner) {
    *out = p;
    return CUSP_SUCCESS;
  }
  put_back(p); /* empty, or to be emptied by whom finds it */
  return result;
}

/* ------------------------------------------------------------------ running */

/* What goes through all chunks of one call. */
typedef struct job {
  model *model;
  const char *what;
  int64_t rows;
  ordered inputs; /* of the whole */
  const cusp_output *outputs;
  size_t n_outputs;
} job;

static size_t dropped_bytes(const plan *p) {
  size_t bytes = 0;
  for (size_t i = 0; i < p->outputs.count; i++)
    bytes += (p->outputs.list[i].bytes + 63) / 64 * 64;
  return bytes;
}

/* Outputs that nobody wants go where nobody looks. */
static cusp_result drop_others(plan *p, void **data, const char *what) {
  char *at = p->dropped;
  for (size_t i = 0; i < p->outputs.count; i++) {
    if (data[i] || p->outputs.list[i].bytes == 0)
      continue;
    if (!at) {
      cusp_status status = cusp_alloc((void **)&p->dropped, dropped_bytes(p));
      if (status != CUSP_OK)
        return cusp_c_fail_engine(status, what);
      at = p->dropped;
    }
    data[i] = at;
    at += (p->outputs.list[i].bytes + 63) / 64 * 64;
  }
  return CUSP_SUCCESS;
}

/* Whether an output of a part goes to its rows of the whole. */
static cusp_result check_rows(const plan *p, int64_t part, const char *what) {
  for (size_t i = 0; i < p->outputs.count; i++)
    if (p->outputs.list[i].rank == 0 || p->outputs.list[i].shape[0] != part)
      return cusp_c_fail(CUSP_ERROR_UNSUPPORTED,
                         "%s: output %zu has no row for each of the inputs' rows: give at most %d "
                         "rows at once",
                         what, i + 1, CHUNK);
  return CUSP_SUCCESS;
}

static cusp_result bind_outputs(const job *j, plan *p, void **data, int64_t first, int64_t part) {
  if (part == j->rows) {
    CUSP_C_TRY(cusp_c_bind_outputs(data, &p->outputs, 1, j->outputs, j->n_outputs, j->what));
    return drop_others(p, data, j->what);
  }
  CUSP_C_TRY(check_rows(p, part, j->what));
  /* the bytes of the whole are those of a row times the rows */
  descriptions rows = p->outputs;
  cusp_description list[CUSP_C_MOST_BUFFERS];
  for (size_t i = 0; i < rows.count; i++) {
    list[i] = rows.list[i];
    list[i].bytes /= (size_t)part;
  }
  rows.list = list;
  CUSP_C_TRY(cusp_c_bind_outputs(data, &rows, j->rows, j->outputs, j->n_outputs, j->what));
  for (size_t i = 0; i < rows.count; i++)
    if (data[i])
      data[i] = (char *)data[i] + (size_t)first * list[i].bytes;
  return drop_others(p, data, j->what);
}

static cusp_result run(const job *j, plan *p, int64_t first, int64_t part) {
  const void *inputs[CUSP_C_MOST_BUFFERS];
  void *outputs[CUSP_C_MOST_BUFFERS];
  if (p->outputs.count > CUSP_C_MOST_BUFFERS)
    return cusp_c_fail(CUSP_ERROR_UNSUPPORTED, "%s: more than %d outputs", j->what,
                       CUSP_C_MOST_BUFFERS);
  for (size_t i = 0; i < p->count; i++)
    inputs[i] = (const char *)j->inputs.inputs[i]->data +
                (size_t)first * (p->inputs.list[i].bytes / (size_t)part);
  CUSP_C_TRY(bind_outputs(j, p, outputs, first, part));
  cusp_runner_start(p->runner, p->state);
  cusp_status status = cusp_runner_run(p->runner, inputs, outputs, p->state);
  return status == CUSP_OK ? CUSP_SUCCESS : cusp_c_fail_engine(status, j->what);
}

/* The inputs' shapes for a part of the rows. */
static void cut(ordered *part, const ordered *whole, int64_t rows) {
  part->count = whole->count;
  for (size_t i = 0; i < whole->count; i++) {
    part->inputs[i] = whole->inputs[i];
    part->shapes[i] = whole->shapes[i];
    part->shapes[i].size[0] = rows;
  }
}

/* Whether the model was made for one number of rows. */
static bool is_fixed(const model *m) {
  for (size_t i = 0; i < m->inputs.count; i++)
    if (m->inputs.list[i].rank > 0 && m->inputs.list[i].shape[0] >= 0)
      return true;
  return false;
}

static cusp_result predict(const job *j, bool *needs_lua) {
  int64_t step = j->rows > CHUNK && !is_fixed(j->model) ? CHUNK : j->rows;
  for (int64_t first = 0; first < j->rows; first += step) {
    int64_t part = j->rows - first < step ? j->rows - first : step;
    ordered inputs;
    plan *p;
    CUSP_C_TRY(cusp_c_check_interrupt(j->what));
    cut(&inputs, &j->inputs, part);
    CUSP_C_TRY(get_plan(&p, j->model, &inputs, j->what));
    *needs_lua = !p;
    if (!p)
      return CUSP_SUCCESS;
    cusp_result result = run(j, p, first, part);
    put_back(p);
    CUSP_C_TRY(result);
  }
  return CUSP_SUCCESS;
}

/* ------------------------------------------------------------------ through Lua */

static cusp_status copy_out(lua_State *L, int list, const descriptions *known, void *const *data) {
  for (size_t i = 0; i < known->count; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    cusp_lua_tensor *tensor = cusp_lua_test_tensor(L, lua_gettop(L));
    if (tensor && data[i] && known->list[i].bytes)
      memcpy(data[i], tensor->node->value.data, known->list[i].bytes);
    lua_pop(L, 1);
  }
  return CUSP_OK;
}

/* Types of the tensors in the list, without names but the model's. */
static void describe_tensors(lua_State *L, int list, const model *m, cusp_description *out,
                             size_t count) {
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    const cusp_array *value = &cusp_lua_check_value(L, lua_gettop(L), "predict")->value;
    out[i] = (cusp_description){.name = i < m->outputs.count ? m->outputs.list[i].name : "",
                                .element = (cusp_element)value->dtype,
                                .bytes = (size_t)cusp_array_count(value) *
                                         cusp_dtype_size(value->dtype)};
    if (value->dtype == CUSP_STRING)
      luaL_error(L, "output %d has strings, which are not given to programs in C", (int)i + 1);
    lua_pop(L, 1);
  }
}

static int predict_in_lua(lua_State *L) {
  const job *j = lua_touserdata(L, 1);
  void *data[CUSP_C_MOST_BUFFERS];
  cusp_description list[CUSP_C_MOST_BUFFERS];
  cusp_c_push_host(L, "predict");
  cusp_c_push_model(L, j->model);
  cusp_c_push_tensors(L, &j->inputs);
  lua_call(L, 2, 1);
  size_t count = (size_t)lua_rawlen(L, 2);
  if (count > CUSP_C_MOST_BUFFERS)
    return luaL_error(L, "more than %d outputs", CUSP_C_MOST_BUFFERS);
  describe_tensors(L, 2, j->model, list, count);
  descriptions known = {list, count};
  lua_pushinteger(L, cusp_c_bind_outputs(data, &known, 1, j->outputs, j->n_outputs, j->what));
  if (lua_tointeger(L, -1) != CUSP_SUCCESS)
    return luaL_error(L, "%s", cusp_last_error());
  copy_out(L, 2, &known, data);
  return 0;
}

/* ------------------------------------------------------------------ the function */

CUSP_API cusp_result cusp_model_predict(cusp_model *handle, int64_t rows, const cusp_input *inputs,
                                        size_t n_inputs, const cusp_output *outputs,
                                        size_t n_outputs) {
  static const char what[] = "cusp_model_predict";
  job j = {.what = what, .rows = rows, .outputs = outputs, .n_outputs = n_outputs};
  j.model = cusp_c_model(handle, what);
  if (!j.model)
    return CUSP_ERROR_HANDLE;
  if (rows < 1)
    return cusp_c_fail(CUSP_ERROR_SHAPE, "%s: expected 1 row or more, got %lld", what,
                       (long long)rows);
  CUSP_C_TRY(cusp_c_order(&j.inputs, &j.model->inputs, rows, inputs, n_inputs, what, "input"));
  CUSP_C_TRY(cusp_c_check_data(&j.inputs, what, "input"));
  if (outputs)
    CUSP_C_TRY(cusp_c_check_overlap(inputs, n_inputs, outputs, n_outputs, what));
  bool needs_lua = false;
  CUSP_C_TRY(predict(&j, &needs_lua));
  return needs_lua ? cusp_c_call(j.model->context, predict_in_lua, &j, what, CUSP_ERROR_LUA)
                   : CUSP_SUCCESS;
}
