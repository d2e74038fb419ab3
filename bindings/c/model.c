/* Models: loaded, saved, and what their inputs and outputs are. */
#include "internal.h"

#include <string.h>

typedef struct loading {
  context *context;
  const model *model;
  const char *path;
  cusp_model *out;
} loading;

/* ------------------------------------------------------------------ descriptions */

void cusp_c_free_descriptions(descriptions *d) {
  for (size_t i = 0; d->list && i < d->count; i++) {
    cusp_free((void *)(uintptr_t)d->list[i].name);
    cusp_free((void *)(uintptr_t)d->list[i].shape);
  }
  cusp_free(d->list);
  *d = (descriptions){0};
}

static cusp_status fill(cusp_description *d, const char *name, cusp_dtype dtype,
                        const int64_t *sizes, int ndim) {
  char *kept_name;
  int64_t *shape, bytes = (int64_t)cusp_element_size((cusp_element)dtype);
  CUSP_TRY(cusp_alloc((void **)&kept_name, strlen(name) + 1));
  d->name = strcpy(kept_name, name);
  CUSP_TRY(cusp_alloc((void **)&shape, (size_t)(ndim + 1) * sizeof *shape));
  d->shape = shape;
  d->rank = (size_t)ndim;
  d->element = (cusp_element)dtype;
  for (int i = 0; i < ndim; i++) {
    shape[i] = sizes[i];
    bytes = bytes < 0 || sizes[i] < 0 ? -1 : bytes * sizes[i];
  }
  d->bytes = bytes < 0 ? 0 : (size_t)bytes;
  return CUSP_OK;
}

static cusp_status start(descriptions *d, size_t count) {
  d->count = count;
  return cusp_alloc_zeroed((void **)&d->list, (count + 1) * sizeof *d->list);
}

/* The item at the top: {name =, dtype =, shape =}. */
static cusp_status read_item(lua_State *L, cusp_description *d) {
  int64_t sizes[CUSP_MAX_DIMS];
  cusp_dtype dtype;
  int item = lua_gettop(L), ndim = 0;
  lua_getfield(L, item, "name");
  lua_getfield(L, item, "dtype");
  lua_getfield(L, item, "shape");
  CUSP_TRY(cusp_dtype_parse(&dtype, lua_tostring(L, -2)));
  for (; ndim < CUSP_MAX_DIMS && lua_rawgeti(L, item + 3, ndim + 1) != LUA_TNIL; lua_pop(L, 1))
    sizes[ndim++] = lua_tointeger(L, -1);
  cusp_status status = fill(d, lua_tostring(L, item + 1), dtype, sizes, ndim);
  lua_settop(L, item);
  return status;
}

static void read_list(lua_State *L, int index, descriptions *d) {
  size_t count = (size_t)lua_rawlen(L, index);
  cusp_status status = start(d, count);
  for (size_t i = 0; status == CUSP_OK && i < count; i++) {
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    status = read_item(L, &d->list[i]);
    lua_pop(L, 1);
  }
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, "describe");
}

static cusp_status describe_type(cusp_description *d, const descriptions *names, size_t index,
                                 const char *kind, const cusp_type *type) {
  char name[32];
  cusp_format(name, sizeof name, "%s_%zu", kind, index + 1);
  return fill(d, index < names->count ? names->list[index].name : name, type->dtype,
              type->shape.size, type->shape.ndim);
}

cusp_result cusp_c_describe_runner(descriptions *inputs, descriptions *outputs, const model *m,
                                   const cusp_runner *r) {
  int n_inputs = cusp_runner_n_inputs(r), n_outputs = cusp_runner_n_outputs(r);
  cusp_status status = start(inputs, (size_t)n_inputs);
  if (status == CUSP_OK)
    status = start(outputs, (size_t)n_outputs);
  for (int i = 0; status == CUSP_OK && i < n_inputs; i++)
    status = describe_type(&inputs->list[i], &m->inputs, (size_t)i, "input",
                           cusp_runner_input_type(r, i));
  for (int i = 0; status == CUSP_OK && i < n_outputs; i++)
    status = describe_type(&outputs->list[i], &m->outputs, (size_t)i, "output",
                           cusp_runner_output_type(r, i));
  return status == CUSP_OK ? CUSP_SUCCESS : cusp_c_fail_engine(status, "cusp");
}

/* ------------------------------------------------------------------ objects */

void cusp_c_push_model(lua_State *L, const model *m) { lua_rawgetp(L, LUA_REGISTRYINDEX, m); }

model *cusp_c_model(const cusp_model *handle, const char *what) {
  return cusp_c_handle_get(handle, HANDLE_MODEL, what);
}

void cusp_c_free_model(model *m) {
  for (model **link = &m->context->models; *link; link = &(*link)->next)
    if (*link == m) {
      *link = m->next;
      break;
    }
  while (m->predictors)
    cusp_c_free_predictor(m->predictors);
  cusp_c_free_plans(m);
  cusp_c_free_descriptions(&m->inputs);
  cusp_c_free_descriptions(&m->outputs);
  lua_pushnil(m->context->L); /* an assignment to a key that is there allocates nothing */
  lua_rawsetp(m->context->L, LUA_REGISTRYINDEX, m);
  cusp_c_handle_free(m->handle);
  cusp_free(m);
}

/* Below the top, a model that is freed where describing it fails. */
static int describe(lua_State *L) {
  model *m = lua_touserdata(L, 1);
  cusp_c_push_host(L, "describe");
  lua_pushvalue(L, 2);
  lua_call(L, 1, 2);
  read_list(L, 3, &m->inputs);
  read_list(L, 4, &m->outputs);
  return 0;
}

void cusp_c_adopt_model(lua_State *L, context *c, cusp_model **out) {
  model *m;
  cusp_status status = cusp_alloc_zeroed((void **)&m, sizeof *m);
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, NULL);
  m->context = c;
  m->handle = cusp_c_handle_new(HANDLE_MODEL, m);
  if (!m->handle) {
    cusp_free(m);
    luaL_error(L, "not enough memory");
  }
  m->next = c->models;
  c->models = m;
  lua_pushcfunction(L, describe);
  lua_pushlightuserdata(L, m);
  lua_pushvalue(L, -3);
  int failed = lua_pcall(L, 2, 0, 0);
  if (failed) {
    cusp_c_free_model(m);
    lua_error(L);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, m);
  *out = m->handle;
}

/* ------------------------------------------------------------------ functions */

#define WORTH_COLLECTING 16384 /* kilobytes that Lua has when a model is there */

/* Little of what loading makes is garbage: to look for it takes a fifth of the time. */
static int load(lua_State *L) {
  loading *l = lua_touserdata(L, 1);
  lua_gc(L, LUA_GCSTOP);
  cusp_c_push_host(L, "load");
  lua_pushstring(L, l->path);
  lua_call(L, 1, 1);
  cusp_c_adopt_model(L, l->context, &l->out);
  if (lua_gc(L, LUA_GCCOUNT) > WORTH_COLLECTING)
    lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

CUSP_API cusp_result cusp_model_load(cusp_model **out, cusp_context *handle, const char *path) {
  static const char what[] = "cusp_model_load";
  if (!out || !path)
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the %s is NULL", what,
                       out ? "path" : "place for the model");
  *out = NULL;
  loading l = {.context = cusp_c_handle_get(handle, HANDLE_CONTEXT, what), .path = path};
  if (!l.context)
    return CUSP_ERROR_HANDLE;
  CUSP_C_TRY(cusp_c_call_files(l.context, load, &l, what));
  *out = l.out;
  return CUSP_SUCCESS;
}

CUSP_API cusp_result cusp_model_free(cusp_model *handle) {
  if (!handle)
    return CUSP_SUCCESS;
  model *m = cusp_c_model(handle, "cusp_model_free");
  if (!m)
    return CUSP_ERROR_HANDLE;
  context *c = m->context;
  CUSP_C_TRY(cusp_c_enter_always(c, "cusp_model_free"));
  cusp_c_free_model(m);
  cusp_c_leave(c);
  return CUSP_SUCCESS;
}

static int save(lua_State *L) {
  const loading *l = lua_touserdata(L, 1);
  cusp_c_push_host(L, "save");
  cusp_c_push_model(L, l->model);
  lua_pushstring(L, l->path);
  lua_call(L, 2, 0);
  return 0;
}

CUSP_API cusp_result cusp_model_save(cusp_model *handle, const char *path) {
  static const char what[] = "cusp_model_save";
  loading l = {.model = cusp_c_model(handle, what), .path = path};
  if (!l.model)
    return CUSP_ERROR_HANDLE;
  if (!path)
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the path is NULL", what);
  return cusp_c_call_files(l.model->context, save, &l, what);
}

static cusp_result give(const descriptions *d, const cusp_description **list, size_t *count,
                        const char *what) {
  if (!list || !count)
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: a place for the result is NULL", what);
  *list = d->list;
  *count = d->count;
  return CUSP_SUCCESS;
}

CUSP_API cusp_result cusp_model_inputs(const cusp_model *handle, const cusp_description **list,
                                       size_t *count) {
  const model *m = cusp_c_model(handle, "cusp_model_inputs");
  return m ? give(&m->inputs, list, count, "cusp_model_inputs") : CUSP_ERROR_HANDLE;
}

CUSP_API cusp_result cusp_model_outputs(const cusp_model *handle, const cusp_description **list,
                                        size_t *count) {
  const model *m = cusp_c_model(handle, "cusp_model_outputs");
  return m ? give(&m->outputs, list, count, "cusp_model_outputs") : CUSP_ERROR_HANDLE;
}
