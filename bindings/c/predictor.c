/* Predictors: plans of one size, with their state in the caller's memory. */
#include "internal.h"

#include <string.h>

typedef struct predictor {
  cusp_predictor *handle;
  model *model;
  struct predictor *next;
  cusp_runner *runner;
  descriptions inputs, outputs;
  int64_t rows;
  atomic_bool running;
  bool streams;
  char *state;   /* for runs that bring none, */
  char *dropped; /* and for outputs that nobody wants */
} predictor;

/* ------------------------------------------------------------------ making */

void cusp_c_free_predictor(predictor *p) {
  for (predictor **link = &p->model->predictors; *link; link = &(*link)->next)
    if (*link == p) {
      *link = p->next;
      break;
    }
  cusp_runner_free(p->runner);
  cusp_c_free_descriptions(&p->inputs);
  cusp_c_free_descriptions(&p->outputs);
  cusp_free(p->state);
  cusp_free(p->dropped);
  if (p->handle)
    cusp_c_handle_free(p->handle);
  cusp_free(p);
}

static size_t padded(size_t bytes) { return (bytes + 63) / 64 * 64; }

static cusp_status allocate(predictor *p) {
  size_t bytes = 0;
  for (size_t i = 0; i < p->outputs.count; i++)
    bytes += padded(p->outputs.list[i].bytes);
  CUSP_TRY(cusp_alloc((void **)&p->dropped, bytes));
  return cusp_alloc((void **)&p->state, cusp_runner_state_bytes(p->runner));
}

/* What the engine does once (opening OpenBLAS, starting threads) is done before the first run. */
static cusp_result warm_up(predictor *p, const char *what) {
  char *data[CUSP_C_MOST_BUFFERS] = {0};
  void *outputs[CUSP_C_MOST_BUFFERS], *at = p->dropped;
  cusp_status status = CUSP_OK;
  for (size_t i = 0; status == CUSP_OK && i < p->inputs.count; i++)
    status = cusp_alloc_zeroed((void **)&data[i], p->inputs.list[i].bytes);
  for (size_t i = 0; i < p->outputs.count; i++) {
    outputs[i] = at;
    at = (char *)at + padded(p->outputs.list[i].bytes);
  }
  cusp_runner_start(p->runner, p->state);
  if (status == CUSP_OK)
    status = cusp_runner_run(p->runner, (const void *const *)data, outputs, p->state);
  for (size_t i = 0; i < p->inputs.count; i++)
    cusp_free(data[i]);
  return status == CUSP_OK ? CUSP_SUCCESS : cusp_c_fail_engine(status, what);
}

static cusp_result finish(predictor *p, const char *what) {
  CUSP_C_TRY(cusp_c_describe_runner(&p->inputs, &p->outputs, p->model, p->runner));
  cusp_status status = allocate(p);
  if (status != CUSP_OK)
    return cusp_c_fail_engine(status, what);
  if (p->inputs.count > CUSP_C_MOST_BUFFERS || p->outputs.count > CUSP_C_MOST_BUFFERS)
    return cusp_c_fail(CUSP_ERROR_UNSUPPORTED, "%s: more than %d inputs or outputs", what,
                       CUSP_C_MOST_BUFFERS);
  CUSP_C_TRY(warm_up(p, what));
  p->handle = cusp_c_handle_new(HANDLE_PREDICTOR, p);
  return p->handle ? CUSP_SUCCESS : cusp_c_fail(CUSP_ERROR_MEMORY, "%s: out of memory", what);
}

static void discard(predictor *p) {
  cusp_c_enter_always(p->model->context, "cusp_predictor_new");
  cusp_c_free_predictor(p);
  cusp_c_leave(p->model->context);
}

/* Its place among the model's: within the turn. */
static void enlist(predictor *p) {
  cusp_c_enter_always(p->model->context, "cusp_predictor_new");
  p->next = p->model->predictors;
  p->model->predictors = p;
  cusp_c_leave(p->model->context);
}

static cusp_result make(cusp_predictor **out, model *m, const ordered *inputs, bool streams,
                        const char *what) {
  predictor *p;
  cusp_runner *runner;
  CUSP_C_TRY(cusp_c_make_runner(&runner, m, inputs, streams, true, what));
  if (!runner)
    return cusp_c_fail(CUSP_ERROR_UNSUPPORTED,
                       "%s: the model takes strings, or runs as plain Lua (run_eagerly): only "
                       "cusp_model_predict can run it",
                       what);
  cusp_status status = cusp_alloc_zeroed((void **)&p, sizeof *p);
  if (status != CUSP_OK) {
    cusp_c_enter_always(m->context, what);
    cusp_runner_free(runner);
    cusp_c_leave(m->context);
    return cusp_c_fail_engine(status, what);
  }
  *p = (predictor){.model = m, .runner = runner, .streams = streams};
  p->rows = inputs->count ? inputs->shapes[0].size[0] : 0;
  cusp_result result = finish(p, what);
  if (result != CUSP_SUCCESS) {
    discard(p);
    return result;
  }
  enlist(p);
  *out = p->handle;
  return CUSP_SUCCESS;
}

static cusp_result check_new(cusp_predictor **out, int64_t rows, const char *what) {
  if (!out)
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the place for the predictor is NULL", what);
  *out = NULL;
  return rows >= 1 ? CUSP_SUCCESS
                   : cusp_c_fail(CUSP_ERROR_SHAPE, "%s: expected 1 row or more, got %lld", what,
                                 (long long)rows);
}

/* Inputs as the model has them, where none are given. */
static size_t own_inputs(cusp_input *list, const model *m) {
  for (size_t i = 0; i < m->inputs.count && i < CUSP_C_MOST_BUFFERS; i++)
    list[i] = (cusp_input){.element = m->inputs.list[i].element};
  return m->inputs.count;
}

CUSP_API cusp_result cusp_predictor_new(cusp_predictor **out, cusp_model *handle, int64_t rows,
                                        const cusp_input *inputs, size_t n_inputs) {
  static const char what[] = "cusp_predictor_new";
  cusp_input own[CUSP_C_MOST_BUFFERS];
  ordered o;
  CUSP_C_TRY(check_new(out, rows, what));
  model *m = cusp_c_model(handle, what);
  if (!m)
    return CUSP_ERROR_HANDLE;
  if (!inputs && !n_inputs) {
    n_inputs = own_inputs(own, m);
    inputs = own;
  }
  CUSP_C_TRY(cusp_c_order(&o, &m->inputs, rows, inputs, n_inputs, what, "input"));
  return make(out, m, &o, false, what);
}

CUSP_API cusp_result cusp_predictor_new_stream(cusp_predictor **out, cusp_model *handle,
                                               int64_t rows, int64_t steps) {
  static const char what[] = "cusp_predictor_new_stream";
  CUSP_C_TRY(check_new(out, rows, what));
  model *m = cusp_c_model(handle, what);
  if (!m)
    return CUSP_ERROR_HANDLE;
  if (m->inputs.count != 1 || m->inputs.list[0].rank != 3 || m->inputs.list[0].shape[2] < 1)
    return cusp_c_fail(CUSP_ERROR_UNSUPPORTED,
                       "%s: streams are of models with one input [rows, steps, channels]", what);
  if (steps < 1 || steps > INT32_MAX || rows > INT32_MAX)
    return cusp_c_fail(CUSP_ERROR_SHAPE, "%s: %lld rows of %lld steps are out of range", what,
                       (long long)rows, (long long)steps);
  cusp_input input = {.element = m->inputs.list[0].element};
  ordered o = {.count = 1, .inputs = {&input}};
  o.shapes[0] = (cusp_shape){3, {rows, steps, m->inputs.list[0].shape[2]}};
  return make(out, m, &o, true, what);
}

static predictor *get(const cusp_predictor *handle, const char *what) {
  return cusp_c_handle_get(handle, HANDLE_PREDICTOR, what);
}

CUSP_API cusp_result cusp_predictor_free(cusp_predictor *handle) {
  if (!handle)
    return CUSP_SUCCESS;
  predictor *p = get(handle, "cusp_predictor_free");
  if (!p)
    return CUSP_ERROR_HANDLE;
  context *c = p->model->context;
  CUSP_C_TRY(cusp_c_enter_always(c, "cusp_predictor_free"));
  cusp_c_free_predictor(p);
  cusp_c_leave(c);
  return CUSP_SUCCESS;
}

/* ------------------------------------------------------------------ what it is */

static cusp_result give(const predictor *p, bool outputs, const cusp_description **list,
                        size_t *count, const char *what) {
  if (!p)
    return CUSP_ERROR_HANDLE;
  if (!list || !count)
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: a place for the result is NULL", what);
  *list = outputs ? p->outputs.list : p->inputs.list;
  *count = outputs ? p->outputs.count : p->inputs.count;
  return CUSP_SUCCESS;
}

CUSP_API cusp_result cusp_predictor_inputs(const cusp_predictor *handle,
                                           const cusp_description **list, size_t *count) {
  static const char what[] = "cusp_predictor_inputs";
  return give(get(handle, what), false, list, count, what);
}

CUSP_API cusp_result cusp_predictor_outputs(const cusp_predictor *handle,
                                            const cusp_description **list, size_t *count) {
  static const char what[] = "cusp_predictor_outputs";
  return give(get(handle, what), true, list, count, what);
}

CUSP_API cusp_result cusp_predictor_state_bytes(const cusp_predictor *handle, size_t *bytes) {
  static const char what[] = "cusp_predictor_state_bytes";
  const predictor *p = get(handle, what);
  if (!p)
    return CUSP_ERROR_HANDLE;
  if (!bytes)
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the place for the number is NULL", what);
  *bytes = cusp_runner_state_bytes(p->runner);
  return CUSP_SUCCESS;
}

static cusp_result check_state(const predictor *p, const void *state, size_t bytes,
                               const char *what) {
  size_t expected = cusp_runner_state_bytes(p->runner);
  if (bytes != expected || (!state && expected))
    return cusp_c_fail(CUSP_ERROR_SHAPE, "%s: the state has %zu bytes, got %s of %zu", what,
                       expected, state ? "a buffer" : "NULL", bytes);
  if ((uintptr_t)state % CUSP_ALIGNMENT)
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the state's address is no multiple of %d", what,
                       CUSP_ALIGNMENT);
  return CUSP_SUCCESS;
}

CUSP_API cusp_result cusp_predictor_start(const cusp_predictor *handle, void *state, size_t bytes) {
  static const char what[] = "cusp_predictor_start";
  const predictor *p = get(handle, what);
  if (!p)
    return CUSP_ERROR_HANDLE;
  CUSP_C_TRY(check_state(p, state, bytes, what));
  cusp_runner_start(p->runner, state);
  return CUSP_SUCCESS;
}

/* ------------------------------------------------------------------ running */

static cusp_result bind_outputs(const predictor *p, void **data, const cusp_output *outputs,
                                size_t count, const char *what) {
  CUSP_C_TRY(cusp_c_bind_outputs(data, &p->outputs, 1, outputs, count, what));
  char *at = p->dropped;
  for (size_t i = 0; i < p->outputs.count; i++) {
    if (!data[i])
      data[i] = at;
    at += padded(p->outputs.list[i].bytes);
  }
  return CUSP_SUCCESS;
}

static cusp_result run(predictor *p, const ordered *inputs, void *const *outputs, void *state,
                       const char *what) {
  const void *data[CUSP_C_MOST_BUFFERS];
  for (size_t i = 0; i < inputs->count; i++)
    data[i] = inputs->inputs[i]->data;
  if (!state) {
    state = p->state;
    cusp_runner_start(p->runner, state);
  }
  cusp_status status = cusp_runner_run(p->runner, data, outputs, state);
  return status == CUSP_OK ? CUSP_SUCCESS : cusp_c_fail_engine(status, what);
}

static cusp_result check_run(const predictor *p, ordered *o, void **data, const cusp_input *inputs,
                             size_t n_inputs, const cusp_output *outputs, size_t n_outputs,
                             const char *what) {
  CUSP_C_TRY(cusp_c_check_interrupt(what));
  CUSP_C_TRY(cusp_c_order(o, &p->inputs, p->rows, inputs, n_inputs, what, "input"));
  CUSP_C_TRY(cusp_c_check_data(o, what, "input"));
  CUSP_C_TRY(bind_outputs(p, data, outputs, n_outputs, what));
  return cusp_c_check_overlap(inputs, n_inputs, outputs, n_outputs, what);
}

CUSP_API cusp_result cusp_predictor_run(cusp_predictor *handle, const cusp_input *inputs,
                                        size_t n_inputs, const cusp_output *outputs,
                                        size_t n_outputs, void *state, size_t state_bytes) {
  static const char what[] = "cusp_predictor_run";
  ordered o;
  void *data[CUSP_C_MOST_BUFFERS];
  predictor *p = get(handle, what);
  if (!p)
    return CUSP_ERROR_HANDLE;
  CUSP_C_TRY(check_run(p, &o, data, inputs, n_inputs, outputs, n_outputs, what));
  if (state || state_bytes)
    CUSP_C_TRY(check_state(p, state, state_bytes, what));
  if (atomic_exchange_explicit(&p->running, true, memory_order_acquire))
    return cusp_c_fail(CUSP_ERROR_BUSY, "%s: another thread runs this predictor", what);
  cusp_result result = run(p, &o, data, state, what);
  atomic_store_explicit(&p->running, false, memory_order_release);
  return result;
}

CUSP_API cusp_result cusp_predictor_refresh(cusp_predictor *handle) {
  static const char what[] = "cusp_predictor_refresh";
  predictor *p = get(handle, what);
  if (!p)
    return CUSP_ERROR_HANDLE;
  if (p->streams)
    return cusp_c_fail(CUSP_ERROR_UNSUPPORTED,
                       "%s: a stream keeps its weights; make another, and go on with the state",
                       what);
  CUSP_C_TRY(cusp_c_enter(p->model->context, what));
  bool busy = atomic_exchange_explicit(&p->running, true, memory_order_acquire);
  if (!busy) {
    cusp_runner_refresh(p->runner);
    atomic_store_explicit(&p->running, false, memory_order_release);
  }
  cusp_c_leave(p->model->context);
  return busy ? cusp_c_fail(CUSP_ERROR_BUSY, "%s: another thread runs this predictor", what)
              : CUSP_SUCCESS;
}
