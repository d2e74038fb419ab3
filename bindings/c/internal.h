#ifndef CUSP_BINDINGS_C_INTERNAL_H
#define CUSP_BINDINGS_C_INTERNAL_H
/* What the files of the library share: objects behind handles, and calls into Lua. */

#include "../binding.h"
#include "cusp.h"

#include <pthread.h>
#include <stdatomic.h>

/* ------------------------------------------------------------------ errors.c */

/** Leaves a message for cusp_last_error; returns `result`. */
cusp_result cusp_c_fail(cusp_result result, const char *format, ...) CUSP_PRINTF(2, 3);
/** The result of a failure of the engine, its message behind `what`. */
cusp_result cusp_c_fail_engine(cusp_status status, const char *what);
/** Leaves a message of Lua's; `other` is the result where the engine tells nothing better. */
cusp_result cusp_c_fail_lua(const char *message, const char *what, cusp_result other);

#define CUSP_C_TRY(expression)                    \
  do {                                            \
    cusp_result cusp_c_try_result = (expression); \
    if (cusp_c_try_result != CUSP_SUCCESS)        \
      return cusp_c_try_result;                   \
  } while (0)

/* ------------------------------------------------------------------ settings.c */

/** Whether the program has asked to stop; leaves the message. */
cusp_result cusp_c_check_interrupt(const char *what);
bool cusp_c_interrupted(void);
/** Lua's allocator. */
void *cusp_c_lua_alloc(void *data, void *block, size_t old_bytes, size_t bytes);

/* ------------------------------------------------------------------ handles.c */

typedef enum handle_kind {
  HANDLE_NONE,
  HANDLE_CONTEXT,
  HANDLE_MODEL,
  HANDLE_PREDICTOR
} handle_kind;

/** A handle for `object`; NULL without memory. */
void *cusp_c_handle_new(handle_kind kind, void *object);
/** The object; NULL, with a message naming `what`, for all but a handle of that kind. */
void *cusp_c_handle_get(const void *handle, handle_kind kind, const char *what);
/** Makes the handle one of nothing. */
void cusp_c_handle_free(void *handle);

/* ------------------------------------------------------------------ context.c */

typedef struct context {
  cusp_context *handle;
  lua_State *L;
  cusp_graph_state *graphs;
  pthread_mutex_t lock;
  _Atomic(const void *) owner; /* of the lock: the address of something of its thread */
  cusp_graph_state *outer;     /* what its thread worked on before */
  atomic_uint weights;         /* counts what may have changed weights, */
  atomic_uint scripts;         /* and what may have changed all else */
  struct model *models;
  cusp_on_warning warn;
  void *warn_data;
} context;

/** Takes the turn; CUSP_ERROR_BUSY within a call of the same thread. */
cusp_result cusp_c_enter(context *c, const char *what);
/** The same for what an interrupt does not concern. */
cusp_result cusp_c_enter_always(context *c, const char *what);
/** The same, unless some other thread has it. */
bool cusp_c_try_enter(context *c);
void cusp_c_leave(context *c);
/** Calls `f`, which gets `arguments` as a light userdata at index 1, within the turn; an error
 * leaves its message, `other` being its result by default. */
cusp_result cusp_c_call(context *c, lua_CFunction f, void *arguments, const char *what,
                        cusp_result other);
/** The same for what reads or writes files of models, one at a time in the process: libhdf5 knows
 * no threads. */
cusp_result cusp_c_call_files(context *c, lua_CFunction f, void *arguments, const char *what);
/** Pushes the function `name` of the room cusp.host. [-0, +1, e] */
void cusp_c_push_host(lua_State *L, const char *name);

/* ------------------------------------------------------------------ modules.c, plugins.c */

/** Lets require find the library's modules in this library; no file is looked at before. */
void cusp_c_open_modules(lua_State *L);
/** A searcher of native modules. */
int cusp_c_find_native(lua_State *L);

/* ------------------------------------------------------------------ model.c */

/** Inputs or outputs, each with its shape and name in `memory`. */
typedef struct descriptions {
  cusp_description *list;
  size_t count;
} descriptions;

typedef struct model {
  cusp_model *handle;
  context *context;
  struct model *next;
  descriptions inputs, outputs;
  _Atomic(struct plan *) plans; /* of cusp_model_predict */
  struct predictor *predictors;
} model;

/** Pushes a model's object. [-0, +1, -] */
void cusp_c_push_model(lua_State *L, const model *m);
/** Makes a handle of the model on the top of the stack, which it pops. [-1, +0, e] */
void cusp_c_adopt_model(lua_State *L, context *c, cusp_model **out);
/** Frees without Lua: the turn is the caller's. */
void cusp_c_free_model(model *m);
cusp_result cusp_c_describe_runner(descriptions *inputs, descriptions *outputs, const model *m,
                                   const cusp_runner *runner);
void cusp_c_free_descriptions(descriptions *d);
model *cusp_c_model(const cusp_model *handle, const char *what);

/* ------------------------------------------------------------------ buffers.c */

#define CUSP_C_MOST_BUFFERS 64

/** Inputs or targets in the order of their places, with their whole shapes. */
typedef struct ordered {
  size_t count;
  const cusp_input *inputs[CUSP_C_MOST_BUFFERS];
  cusp_shape shapes[CUSP_C_MOST_BUFFERS];
} ordered;

/** Orders a list, and checks names, types and shapes. `kind` is "input" or "target". */
cusp_result cusp_c_order(ordered *out, const descriptions *known, int64_t rows,
                         const cusp_input *list, size_t count, const char *what, const char *kind);
cusp_result cusp_c_order_targets(ordered *out, const descriptions *outputs, int64_t rows,
                                 const cusp_input *list, size_t count, const char *what);
/** Puts the buffers of outputs into `data` by place, NULL where one is left out; each should have
 * `factor` times the bytes of its description. */
cusp_result cusp_c_bind_outputs(void **data, const descriptions *known, int64_t factor,
                                const cusp_output *list, size_t count, const char *what);
/** Checks that no output overlaps an input or an output. */
cusp_result cusp_c_check_overlap(const cusp_input *inputs, size_t n_inputs,
                                 const cusp_output *outputs, size_t n_outputs, const char *what);
/** Checks that each buffer is there and has the bytes of its shape. */
cusp_result cusp_c_check_data(const ordered *inputs, const char *what, const char *kind);
/** Pushes a list of tensors with copies of the data. [-0, +1, e] (tensors.c) */
void cusp_c_push_tensors(lua_State *L, const ordered *inputs);

/* ------------------------------------------------------------------ predict.c, predictor.c */

/** A new runner for inputs of these shapes, by place; *out stays NULL where predictions of this
 * model need Lua. Within the turn. */
cusp_result cusp_c_make_runner(cusp_runner **out, model *m, const ordered *inputs, bool streams,
                               bool quiet, const char *what);
void cusp_c_free_plans(model *m);
void cusp_c_free_predictor(struct predictor *p);

#endif
