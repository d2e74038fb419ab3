/* Scripts, and the global variables through which they meet the program. */
#include "internal.h"

#include <string.h>

#define INSTRUCTIONS 10000 /* of Lua, between two looks at the interrupt */

typedef struct exchange {
  context *context;
  const char *code, *name;
  model *model; /* to be set */
  cusp_model *found;
  double number;
  const char *value;
  char *text;
  size_t bytes, length;
  lua_CFunction push; /* pushes the value of a global */
} exchange;

static exchange *arguments_of(lua_State *L) { return lua_touserdata(L, 1); }

/* ------------------------------------------------------------------ running */

static void look_for_interrupt(lua_State *L, lua_Debug *frame) {
  (void)frame;
  if (cusp_c_interrupted())
    luaL_error(L, "interrupted!");
}

static int run(lua_State *L) {
  const exchange *e = arguments_of(L);
  lua_sethook(L, look_for_interrupt, LUA_MASKCOUNT, INSTRUCTIONS);
  lua_pushfstring(L, "=%s", e->name);
  if (luaL_loadbufferx(L, e->code, strlen(e->code), lua_tostring(L, -1), "t") != LUA_OK)
    return lua_error(L);
  lua_call(L, 0, 0);
  return 0;
}

static cusp_result check_texts(const char *what, const char *a, const char *b) {
  return a && b ? CUSP_SUCCESS : cusp_c_fail(CUSP_ERROR_VALUE, "%s: a text is NULL", what);
}

CUSP_API cusp_result cusp_context_run(cusp_context *handle, const char *code, const char *name) {
  static const char what[] = "cusp_context_run";
  context *c = cusp_c_handle_get(handle, HANDLE_CONTEXT, what);
  if (!c)
    return CUSP_ERROR_HANDLE;
  CUSP_C_TRY(check_texts(what, code, name));
  exchange e = {.code = code, .name = name};
  cusp_result result = cusp_c_call(c, run, &e, what, CUSP_ERROR_LUA);
  atomic_fetch_add(&c->weights, 1);
  atomic_fetch_add(&c->scripts, 1);
  return result;
}

/* ------------------------------------------------------------------ globals */

static int set_global(lua_State *L) {
  const exchange *e = arguments_of(L);
  lua_settop(L, 1);
  e->push(L);
  lua_setglobal(L, e->name);
  return 0;
}

static int push_model(lua_State *L) {
  cusp_c_push_model(L, arguments_of(L)->model);
  return 1;
}

static int push_number(lua_State *L) {
  double number = arguments_of(L)->number;
  lua_Integer integer;
  if (lua_numbertointeger(number, &integer) && (double)integer == number)
    lua_pushinteger(L, integer);
  else
    lua_pushnumber(L, number);
  return 1;
}

static int push_text(lua_State *L) {
  lua_pushstring(L, arguments_of(L)->value);
  return 1;
}

static cusp_result exchange_global(cusp_context *handle, exchange *e, lua_CFunction f,
                                   const char *what) {
  e->context = cusp_c_handle_get(handle, HANDLE_CONTEXT, what);
  if (!e->context)
    return CUSP_ERROR_HANDLE;
  CUSP_C_TRY(check_texts(what, e->name, ""));
  return cusp_c_call(e->context, f, e, what, CUSP_ERROR_NAME);
}

CUSP_API cusp_result cusp_context_set_model(cusp_context *handle, const char *name,
                                            cusp_model *given) {
  static const char what[] = "cusp_context_set_model";
  exchange e = {.name = name, .push = push_model, .model = cusp_c_model(given, what)};
  if (!e.model)
    return CUSP_ERROR_HANDLE;
  if (e.model->context->handle != handle)
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the model belongs to another context", what);
  return exchange_global(handle, &e, set_global, what);
}

CUSP_API cusp_result cusp_context_set_number(cusp_context *handle, const char *name, double value) {
  exchange e = {.name = name, .push = push_number, .number = value};
  return exchange_global(handle, &e, set_global, "cusp_context_set_number");
}

CUSP_API cusp_result cusp_context_set_text(cusp_context *handle, const char *name,
                                           const char *value) {
  exchange e = {.name = name, .push = push_text, .value = value};
  CUSP_C_TRY(check_texts("cusp_context_set_text", value, ""));
  return exchange_global(handle, &e, set_global, "cusp_context_set_text");
}

static int get_model(lua_State *L) {
  exchange *e = arguments_of(L);
  cusp_c_push_host(L, "check");
  lua_getglobal(L, e->name);
  lua_pushstring(L, e->name);
  lua_call(L, 2, 1);
  cusp_c_adopt_model(L, e->context, &e->found);
  return 0;
}

CUSP_API cusp_result cusp_context_get_model(cusp_context *handle, const char *name,
                                            cusp_model **out) {
  exchange e = {.name = name};
  if (!out)
    return cusp_c_fail(CUSP_ERROR_VALUE, "cusp_context_get_model: the place for the model is NULL");
  *out = NULL;
  CUSP_C_TRY(exchange_global(handle, &e, get_model, "cusp_context_get_model"));
  *out = e.found;
  return CUSP_SUCCESS;
}

static int get_number(lua_State *L) {
  exchange *e = arguments_of(L);
  int is_number;
  lua_getglobal(L, e->name);
  e->number = lua_tonumberx(L, -1, &is_number);
  if (is_number)
    return 0;
  /* a tensor of one element is one, too */
  if (lua_type(L, -1) == LUA_TUSERDATA && luaL_getmetafield(L, -1, "__name") == LUA_TSTRING) {
    lua_pop(L, 1);
    lua_getfield(L, -1, "item");
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    e->number = luaL_checknumber(L, -1);
    return 0;
  }
  return luaL_error(L, "the global '%s' should be a number, got %s", e->name, luaL_typename(L, -1));
}

CUSP_API cusp_result cusp_context_get_number(cusp_context *handle, const char *name, double *out) {
  exchange e = {.name = name};
  if (!out)
    return cusp_c_fail(CUSP_ERROR_VALUE,
                       "cusp_context_get_number: the place for the number is NULL");
  CUSP_C_TRY(exchange_global(handle, &e, get_number, "cusp_context_get_number"));
  *out = e.number;
  return CUSP_SUCCESS;
}

static int get_text(lua_State *L) {
  exchange *e = arguments_of(L);
  if (lua_getglobal(L, e->name) == LUA_TNIL)
    return luaL_error(L, "there is no global '%s'", e->name);
  const char *text = luaL_tolstring(L, -1, &e->length);
  if (e->bytes) {
    size_t count = e->length < e->bytes ? e->length : e->bytes - 1;
    memcpy(e->text, text, count);
    e->text[count] = '\0';
  }
  return 0;
}

CUSP_API cusp_result cusp_context_get_text(cusp_context *handle, const char *name, char *text,
                                           size_t bytes, size_t *length) {
  exchange e = {.name = name, .text = text, .bytes = bytes};
  if (!text && bytes)
    return cusp_c_fail(CUSP_ERROR_VALUE, "cusp_context_get_text: the place for the text is NULL");
  CUSP_C_TRY(exchange_global(handle, &e, get_text, "cusp_context_get_text"));
  if (length)
    *length = e.length;
  return CUSP_SUCCESS;
}
