/*
 * Cusp in C and C++: load a model, predict, train, save.
 *
 *   cusp_context *context;
 *   cusp_model *model;
 *   if (cusp_context_new(&context) != CUSP_SUCCESS ||
 *       cusp_model_load(&model, context, "model.keras") != CUSP_SUCCESS)
 *     return fprintf(stderr, "%s\n", cusp_last_error()), 1;
 *   float image[784] = {...}, scores[10];
 *   cusp_input in = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, image, sizeof image);
 *   cusp_output out = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, scores, sizeof scores);
 *   if (cusp_model_predict(model, 1, &in, 1, &out, 1) != CUSP_SUCCESS)
 *     ...
 *
 * Every function that can fail returns a cusp_result, and leaves a text for cusp_last_error. None
 * of them ends the program, prints, or jumps past its caller. A handle that is NULL, was freed, or
 * is none at all is an error like others. Out parameters are set to NULL, or left alone, by calls
 * that fail; output buffers may hold anything then.
 *
 * Threads: any thread may call anything. Calls that run Lua (those of cusp_context; load, save,
 * compile, train, fit, evaluate; the first prediction for a number of rows) take turns within one
 * context. Predictions beyond the first run at once, without Lua. Free a handle when no other
 * thread uses it any more. Within a function that Cusp calls (cusp_report, cusp_on_warning), calls
 * that need Lua on the same context give CUSP_ERROR_BUSY.
 *
 * The symbols and structures of one soname (libcusp.so.0) keep their meaning.
 */
#ifndef CUSP_C_CUSP_H
#define CUSP_C_CUSP_H

#include <stddef.h>
#include <stdint.h>

#define CUSP_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ results */

typedef enum cusp_result {
  CUSP_SUCCESS = 0,
  CUSP_ERROR_MEMORY,      /* an allocation failed */
  CUSP_ERROR_SHAPE,       /* a shape, a number of rows or the size of a buffer does not fit */
  CUSP_ERROR_ELEMENT,     /* the type of elements is another */
  CUSP_ERROR_VALUE,       /* an argument is out of its range */
  CUSP_ERROR_NAME,        /* there is no input, output or global of that name */
  CUSP_ERROR_HANDLE,      /* NULL, freed, or no handle of this kind */
  CUSP_ERROR_FILE,        /* a file cannot be read or written, or holds something else */
  CUSP_ERROR_UNSUPPORTED, /* nothing implements this */
  CUSP_ERROR_BUSY,        /* called from within a call on the same context or predictor */
  CUSP_ERROR_INTERRUPTED, /* see cusp_set_interrupt */
  CUSP_ERROR_LUA          /* an error of a script, or of the library's part in Lua */
} cusp_result;

/** What went wrong in the last call of this thread that failed; "" before. Valid until the next
 * call that fails. */
CUSP_API const char *cusp_last_error(void);
/** "CUSP_ERROR_SHAPE"; never NULL. */
CUSP_API const char *cusp_result_name(cusp_result result);
/** "0.1.0" */
CUSP_API const char *cusp_version(void);

/* ------------------------------------------------------------------ the process */

/** Memory of the system; both functions may be called on several threads at once. */
typedef struct cusp_allocator {
  /** `bytes` bytes whose address is a multiple of `alignment` (a power of two), or NULL. */
  void *(*allocate)(void *data, size_t bytes, size_t alignment);
  void (*release)(void *data, void *block, size_t bytes);
  void *data;
} cusp_allocator;
/**
 * Where tensors, plans and Lua get their memory. Before anything else in the process, otherwise
 * CUSP_ERROR_VALUE. Libraries that Cusp calls (OpenBLAS, oneDNN, HDF5) keep to malloc.
 */
CUSP_API cusp_result cusp_set_allocator(const cusp_allocator *allocator);
/** Bytes of tensors and plans in use. */
CUSP_API uint64_t cusp_memory_in_use(void);

/** How many threads one call may use, 1 to 1024. At first as many as there are CPUs, or
 * OMP_NUM_THREADS. Where several threads predict at once, 1 is best. */
CUSP_API cusp_result cusp_set_threads(int count);
CUSP_API int cusp_get_threads(void);

/** Where not 0, running and later calls end with CUSP_ERROR_INTERRUPTED as soon as they can, until
 * it is set to 0. May be called in a signal handler. */
CUSP_API void cusp_set_interrupt(int interrupted);

/**
 * The folder of onednn.so and native/, which read some formats of files and compute convolutions;
 * they are loaded when first needed. Otherwise they are looked for in the environment's
 * CUSP_LIBRARY_DIR, and in the folder cusp/ beside libcusp.so (of a program linked to libcusp.a,
 * beside the program, or in ../lib/cusp).
 */
CUSP_API cusp_result cusp_set_library_dir(const char *folder);

/* ------------------------------------------------------------------ contexts: Lua */

/** A Lua state with Cusp in it, which models belong to. */
typedef struct cusp_context cusp_context;
CUSP_API cusp_result cusp_context_new(cusp_context **out);
/** Frees its models and their predictors, too. NULL is accepted. */
CUSP_API cusp_result cusp_context_free(cusp_context *context);

/** Runs Lua code, `name` being what messages call it; require "cusp" gives the library. Classes of
 * layers that it makes are known to models that are loaded later. */
CUSP_API cusp_result cusp_context_run(cusp_context *context, const char *code, const char *name);
/** Global variables of Lua, by which scripts and the program know the same objects. */
typedef struct cusp_model cusp_model;
CUSP_API cusp_result cusp_context_set_model(cusp_context *context, const char *name,
                                            cusp_model *model);
CUSP_API cusp_result cusp_context_set_number(cusp_context *context, const char *name, double value);
CUSP_API cusp_result cusp_context_set_text(cusp_context *context, const char *name,
                                           const char *value);
/** *out is a handle of its own, to be freed. */
CUSP_API cusp_result cusp_context_get_model(cusp_context *context, const char *name,
                                            cusp_model **out);
CUSP_API cusp_result cusp_context_get_number(cusp_context *context, const char *name, double *out);
/** Fills `text` with what Lua's tostring gives, ended by a zero byte and cut where `bytes` are not
 * enough; *length, unless NULL, is the whole length. */
CUSP_API cusp_result cusp_context_get_text(cusp_context *context, const char *name, char *text,
                                           size_t bytes, size_t *length);

/** Receives the warnings of the library, which are dropped otherwise; NULL: drop them again. */
typedef void (*cusp_on_warning)(void *data, const char *text);
CUSP_API cusp_result cusp_context_on_warning(cusp_context *context, cusp_on_warning function,
                                             void *data);

/* ------------------------------------------------------------------ models */

typedef enum cusp_element {
  CUSP_ELEMENT_BOOL = 0, /* a byte, 0 or 1 */
  CUSP_ELEMENT_INT8,
  CUSP_ELEMENT_INT16,
  CUSP_ELEMENT_INT32,
  CUSP_ELEMENT_INT64,
  CUSP_ELEMENT_UINT8,
  CUSP_ELEMENT_UINT16,
  CUSP_ELEMENT_UINT32,
  CUSP_ELEMENT_UINT64,
  CUSP_ELEMENT_FLOAT16,
  CUSP_ELEMENT_BFLOAT16,
  CUSP_ELEMENT_FLOAT32,
  CUSP_ELEMENT_FLOAT64,
  CUSP_ELEMENT_STRING /* a const char *, to bytes that end with a zero; of inputs alone */
} cusp_element;
/** Bytes of one element; 0 where there is no such type. */
CUSP_API size_t cusp_element_size(cusp_element element);

/** What an input or output is; lent while its model or predictor lives. */
typedef struct cusp_description {
  const char *name;
  cusp_element element;
  size_t rank;
  const int64_t *shape; /* the first size is the number of rows; -1: any */
  size_t bytes;         /* of the whole, 0 where a size is open */
} cusp_description;

/** Loads whatever Lua's load_model reads (.keras, .h5, folders of SavedModel) and .onnx files. */
CUSP_API cusp_result cusp_model_load(cusp_model **out, cusp_context *context, const char *path);
/** NULL is accepted. Frees the model's predictors, too. */
CUSP_API cusp_result cusp_model_free(cusp_model *model);
/** Writes the format that the path ends in: .keras, .h5, .onnx. The old file stays where that
 * fails. */
CUSP_API cusp_result cusp_model_save(cusp_model *model, const char *path);

/** Inputs and outputs in their order. Both lists are empty for a model of a class whose call alone
 * knows them; inputs are then given in its order, with their shapes. */
CUSP_API cusp_result cusp_model_inputs(const cusp_model *model, const cusp_description **list,
                                       size_t *count);
CUSP_API cusp_result cusp_model_outputs(const cusp_model *model, const cusp_description **list,
                                        size_t *count);

/* ------------------------------------------------------------------ predictions */

/** Numbers that a call reads: row-major, and aligned as their type asks. */
typedef struct cusp_input {
  const char *name; /* NULL: the input of this place in the list */
  cusp_element element;
  size_t rank;
  const int64_t *shape; /* with the number of rows; NULL, and rank 0, where the model says it all */
  const void *data;
  size_t bytes;
} cusp_input;

/** Where a call writes; no buffer may overlap another. */
typedef struct cusp_output {
  const char *name; /* NULL: the output of this place in the list */
  cusp_element element;
  void *data;
  size_t bytes; /* of the whole output exactly */
} cusp_output;

/** By place, with the model's own shape. */
#ifdef __cplusplus
#define CUSP_INPUT(element, data, bytes) \
  cusp_input { NULL, element, 0, NULL, data, bytes }
#define CUSP_OUTPUT(element, data, bytes) \
  cusp_output { NULL, element, data, bytes }
#else
#define CUSP_INPUT(element, data, bytes) \
  { NULL, element, 0, NULL, data, bytes }
#define CUSP_OUTPUT(element, data, bytes) \
  { NULL, element, data, bytes }
#endif

/**
 * Predicts for `rows` rows. Outputs that are not wanted may be left out where the others are named.
 * Up to 32 rows run at once; each such number of rows is planned at its first prediction, for each
 * thread that predicts at the same time. Later ones wait for nobody and allocate nothing, but for
 * what oneDNN needs within a convolution. Each call of a stateful model starts from the states that
 * the model has.
 */
CUSP_API cusp_result cusp_model_predict(cusp_model *model, int64_t rows, const cusp_input *inputs,
                                        size_t n_inputs, const cusp_output *outputs,
                                        size_t n_outputs);

/**
 * Predictions of one size, for programs that cannot wait: all memory is there beforehand, runs
 * allocate, lock and call the system for nothing (but for convolutions in groups, which oneDNN
 * computes, and for waking threads where cusp_set_threads allows more than one). One thread at a
 * time; make one for each thread.
 */
typedef struct cusp_predictor cusp_predictor;
/** Inputs say what sizes the model leaves open; of them, `data` and `bytes` are not looked at. With
 * NULL and 0 the number of rows is all that is open. */
CUSP_API cusp_result cusp_predictor_new(cusp_predictor **out, cusp_model *model, int64_t rows,
                                        const cusp_input *inputs, size_t n_inputs);
/**
 * Of a model between one input and one output [rows, steps, channels]: each run takes the next
 * `steps` steps of `rows` sequences, which causal and unpadded convolutions and recurrent layers go
 * on with. Layers that look ahead or at the whole sequence are an error.
 */
CUSP_API cusp_result cusp_predictor_new_stream(cusp_predictor **out, cusp_model *model,
                                               int64_t rows, int64_t steps);
/** NULL is accepted. */
CUSP_API cusp_result cusp_predictor_free(cusp_predictor *predictor);
/** As of models, with all sizes known. */
CUSP_API cusp_result cusp_predictor_inputs(const cusp_predictor *predictor,
                                           const cusp_description **list, size_t *count);
CUSP_API cusp_result cusp_predictor_outputs(const cusp_predictor *predictor,
                                            const cusp_description **list, size_t *count);

/** Bytes of what goes from run to run (of streams, of stateful layers, of random numbers); 0: there
 * is nothing. The memory is the caller's: plain data, at an address that 64 divides. It may be
 * copied, kept in files of the same machine, and changed for another between runs. */
CUSP_API cusp_result cusp_predictor_state_bytes(const cusp_predictor *predictor, size_t *bytes);
/** Fills a state with the beginning. */
CUSP_API cusp_result cusp_predictor_start(const cusp_predictor *predictor, void *state,
                                          size_t bytes);
/** Predicts. `state` is what the run before has left there, and changed for the next if all goes
 * well; NULL and 0: from the beginning, and forget. */
CUSP_API cusp_result cusp_predictor_run(cusp_predictor *predictor, const cusp_input *inputs,
                                        size_t n_inputs, const cusp_output *outputs,
                                        size_t n_outputs, void *state, size_t state_bytes);
/** Takes the weights that the model has now; a predictor keeps those of when it was made. Not of
 * streams. */
CUSP_API cusp_result cusp_predictor_refresh(cusp_predictor *predictor);

/* ------------------------------------------------------------------ training */

/** Rows with their targets, by name or in the order of the model's outputs. A target without a
 * shape has that of its output; one of another shape comes with it, such as labels: {rows}. */
typedef struct cusp_samples {
  int64_t rows;
  const cusp_input *inputs;
  size_t n_inputs;
  const cusp_input *targets;
  size_t n_targets;
} cusp_samples;

/** The loss and the metrics after an epoch (from 1); a result other than 0 ends the training. */
typedef int (*cusp_report)(void *data, int epoch, size_t count, const char *const *names,
                           const double *values);

/** Says how to train, as JSON: {"optimizer": "adam", "loss": "mse", "metrics": ["mae"]}. Objects
 * with settings are written as in Keras's files. Files of compiled models need no such call. */
CUSP_API cusp_result cusp_model_compile(cusp_model *model, const char *options);
/** One step on one batch; *loss may be NULL. */
CUSP_API cusp_result cusp_model_train(cusp_model *model, const cusp_samples *samples, double *loss);
/** Calls `report` once, with epoch 0. */
CUSP_API cusp_result cusp_model_evaluate(cusp_model *model, const cusp_samples *samples,
                                         cusp_report report, void *data);
/** Trains. `options` are arguments of Keras's fit as JSON, {"epochs": 5, "batch_size": 64}, or
 * NULL; `report` may be NULL. Predictions meanwhile see the weights from before. */
CUSP_API cusp_result cusp_model_fit(cusp_model *model, const cusp_samples *samples,
                                    const char *options, cusp_report report, void *data);

#ifdef __cplusplus
}
#endif

#endif
