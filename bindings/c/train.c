/* Training, and what it reports. */
#include "internal.h"

enum { MOST_METRICS = 64 };

typedef struct work {
  model *model;
  const char *what, *host, *options;
  ordered inputs, targets;
  double *loss;
  cusp_report report;
  void *data;
} work;

/* ------------------------------------------------------------------ compiling */

static int compile(lua_State *L) {
  const work *w = lua_touserdata(L, 1);
  cusp_c_push_host(L, "compile");
  cusp_c_push_model(L, w->model);
  lua_pushstring(L, w->options);
  lua_call(L, 2, 0);
  return 0;
}

CUSP_API cusp_result cusp_model_compile(cusp_model *handle, const char *options) {
  static const char what[] = "cusp_model_compile";
  work w = {.model = cusp_c_model(handle, what), .options = options};
  if (!w.model)
    return CUSP_ERROR_HANDLE;
  if (!options)
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the options are NULL", what);
  return cusp_c_call(w.model->context, compile, &w, what, CUSP_ERROR_VALUE);
}

/* ------------------------------------------------------------------ reports */

/* Names and values lie in lists at `names` and the index above; gives what the report says. */
static int report(lua_State *L, const work *w, int epoch, int names) {
  const char *list[MOST_METRICS];
  double values[MOST_METRICS];
  size_t count = (size_t)lua_rawlen(L, names);
  count = count < MOST_METRICS ? count : MOST_METRICS;
  luaL_checkstack(L, MOST_METRICS + 4, NULL);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, names, (lua_Integer)i + 1); /* stays on the stack: the text is lent */
    list[i] = lua_tostring(L, -1);
    lua_rawgeti(L, names + 1, (lua_Integer)i + 1);
    values[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  if (w->loss && count)
    *w->loss = values[0];
  return w->report ? w->report(w->data, epoch, count, list, values) : 0;
}

/* on_epoch(epoch, names, values); upvalue: the work. */
static int on_epoch(lua_State *L) {
  const work *w = lua_touserdata(L, lua_upvalueindex(1));
  lua_settop(L, 3);
  lua_pushboolean(L, report(L, w, (int)lua_tointeger(L, 1), 2));
  return 1;
}

/* ------------------------------------------------------------------ running */

static int run(lua_State *L) {
  work *w = lua_touserdata(L, 1);
  cusp_c_push_host(L, w->host);
  cusp_c_push_model(L, w->model);
  cusp_c_push_tensors(L, &w->inputs);
  cusp_c_push_tensors(L, &w->targets);
  if (w->options) {
    lua_pushstring(L, w->options);
    lua_pushlightuserdata(L, w);
    lua_pushcclosure(L, on_epoch, 1);
  }
  lua_call(L, w->options ? 5 : 3, 2);
  if (!w->options)
    report(L, w, 0, 2);
  return 0;
}

static cusp_result prepare(work *w, cusp_model *handle, const cusp_samples *s) {
  w->model = cusp_c_model(handle, w->what);
  if (!w->model)
    return CUSP_ERROR_HANDLE;
  if (!s || s->rows < 1)
    return cusp_c_fail(CUSP_ERROR_SHAPE, "%s: expected samples of 1 row or more, got %s", w->what,
                       s ? "fewer" : "NULL");
  CUSP_C_TRY(cusp_c_order(&w->inputs, &w->model->inputs, s->rows, s->inputs, s->n_inputs, w->what,
                          "input"));
  CUSP_C_TRY(cusp_c_check_data(&w->inputs, w->what, "input"));
  return cusp_c_order_targets(&w->targets, &w->model->outputs, s->rows, s->targets, s->n_targets,
                              w->what);
}

static cusp_result train(work *w, cusp_model *handle, const cusp_samples *samples) {
  CUSP_C_TRY(prepare(w, handle, samples));
  cusp_result result = cusp_c_call(w->model->context, run, w, w->what, CUSP_ERROR_LUA);
  atomic_fetch_add(&w->model->context->weights, 1);
  return result;
}

CUSP_API cusp_result cusp_model_train(cusp_model *handle, const cusp_samples *samples,
                                      double *loss) {
  work w = {.what = "cusp_model_train", .host = "train", .loss = loss};
  return train(&w, handle, samples);
}

CUSP_API cusp_result cusp_model_evaluate(cusp_model *handle, const cusp_samples *samples,
                                         cusp_report report_function, void *data) {
  work w = {
      .what = "cusp_model_evaluate", .host = "evaluate", .report = report_function, .data = data};
  return train(&w, handle, samples);
}

CUSP_API cusp_result cusp_model_fit(cusp_model *handle, const cusp_samples *samples,
                                    const char *options, cusp_report report_function, void *data) {
  work w = {.what = "cusp_model_fit",
            .host = "fit",
            .options = options ? options : "{}",
            .report = report_function,
            .data = data};
  return train(&w, handle, samples);
}
