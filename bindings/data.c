/* cusp.engine.data: readers of rows, the pipelines that make batches of them in the background, and
 * running plans over those. */
#include "data.h"
#include "binding.h"

#include <string.h>

static const char rows_kind[] = "cusp.Rows";
static const char pipeline_kind[] = "cusp.Pipeline";

typedef struct pipeline_box {
  const void *kind;
  cusp_pipeline *pipeline; /* NULL: closed */
} pipeline_box;

/* ------------------------------------------------------------------ arguments */

void cusp_lua_check_options(lua_State *L, int index, const char *function) {
  if (lua_type(L, index) != LUA_TTABLE)
    cusp_lua_error(L, "%s: expected a table, got %s", function, cusp_lua_got(L, index));
}

int64_t cusp_lua_integer_option(lua_State *L, int table, const char *name, int64_t absent,
                                int64_t least, const char *function) {
  int exact = 0, type = lua_getfield(L, table, name);
  lua_Integer value = type == LUA_TNUMBER ? lua_tointegerx(L, -1, &exact) : absent;
  if (type != LUA_TNIL && (!exact || value < least))
    cusp_lua_error(L, "%s: '%s' should be an integer of at least %lld, got %s", function, name,
                   (long long)least, cusp_lua_got(L, -1));
  lua_pop(L, 1);
  return value;
}

double cusp_lua_number_option(lua_State *L, int table, const char *name, double absent,
                              const char *function) {
  int type = lua_getfield(L, table, name);
  if (type != LUA_TNIL && type != LUA_TNUMBER)
    cusp_lua_error(L, "%s: '%s' should be a number, got %s", function, name, cusp_lua_got(L, -1));
  double value = type == LUA_TNIL ? absent : lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

bool cusp_lua_flag_option(lua_State *L, int table, const char *name, bool absent) {
  bool value = lua_getfield(L, table, name) == LUA_TNIL ? absent : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

const char *cusp_lua_string_option(lua_State *L, int table, const char *name,
                                   const char *function) {
  size_t length = 0;
  const char *text =
      lua_getfield(L, table, name) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  if (!text || strlen(text) != length)
    cusp_lua_error(L, "%s: '%s' should be a string without zero bytes, got %s", function, name,
                   cusp_lua_got(L, -1));
  return text; /* stays on the stack */
}

cusp_dtype cusp_lua_dtype_option(lua_State *L, int table, const char *name, const char *function) {
  cusp_dtype dtype = CUSP_FLOAT32;
  cusp_status status =
      cusp_dtype_parse_number(&dtype, cusp_lua_string_option(L, table, name, function));
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, function);
  lua_pop(L, 1);
  return dtype;
}

cusp_shape cusp_lua_shape_option(lua_State *L, int table, const char *name, const char *function) {
  cusp_shape shape = {0};
  if (lua_getfield(L, table, name) != LUA_TNIL) {
    luaL_checkstack(L, 8, NULL);
    cusp_status status = cusp_lua_to_shape(&shape, L, lua_gettop(L));
    if (status != CUSP_OK)
      cusp_lua_raise(L, status, function);
  }
  lua_pop(L, 1);
  return shape;
}

/* ------------------------------------------------------------------ readers */

cusp_lua_rows *cusp_lua_new_rows(lua_State *L) {
  cusp_lua_rows *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (cusp_lua_rows){rows_kind, NULL};
  luaL_setmetatable(L, rows_kind);
  return box;
}

static cusp_reader *check_rows(lua_State *L, int index, const char *function) {
  cusp_lua_rows *box = cusp_lua_test(L, index, rows_kind);
  if (!box || !box->reader)
    cusp_lua_error(L, "%s: expected a reader of rows, got %s", function, cusp_lua_got(L, index));
  return box->reader;
}

static int rows_release(lua_State *L) {
  cusp_lua_rows *box = cusp_lua_test(L, 1, rows_kind);
  if (box) {
    cusp_reader_release(box->reader);
    box->reader = NULL;
  }
  return 0;
}

static void push_types(lua_State *L, const cusp_reader *reader) {
  lua_createtable(L, reader->n_columns, 0);
  for (int k = 0; k < reader->n_columns; k++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, cusp_dtype_name(reader->columns[k].dtype));
    lua_setfield(L, -2, "dtype");
    cusp_lua_push_shape(L, &reader->columns[k].shape);
    lua_setfield(L, -2, "shape");
    lua_rawseti(L, -2, k + 1);
  }
}

/* Fields: rows, types ({{dtype =, shape =}, ...} of one row), in_memory, block_rows. */
static int rows_index(lua_State *L) {
  cusp_reader *reader = check_rows(L, 1, "index");
  const char *key = luaL_checkstring(L, 2);
  if (!strcmp(key, "rows"))
    lua_pushinteger(L, reader->rows);
  else if (!strcmp(key, "types"))
    push_types(L, reader);
  else if (!strcmp(key, "block_rows"))
    lua_pushinteger(L, reader->block_rows);
  else if (!strcmp(key, "in_memory"))
    lua_pushboolean(L, reader->in_memory);
  else
    lua_pushnil(L);
  return 1;
}

/** arrays{tensor, ...}: the rows of tensors along their first axes. */
static int arrays(lua_State *L) {
  cusp_lua_check_options(L, 1, "arrays");
  int count = (int)lua_rawlen(L, 1);
  luaL_checkstack(L, count + 8, NULL);
  cusp_array *list = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *list, 0);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, i + 1);
    list[i] = cusp_lua_check_value(L, lua_gettop(L), "arrays")->value;
  }
  cusp_lua_rows *box = cusp_lua_new_rows(L);
  cusp_status status = cusp_reader_arrays(&box->reader, count, list);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

/** windows(tensor, {start =, stride =, length =, rate =, rows =}) */
static int windows(lua_State *L) {
  cusp_lua_check_options(L, 2, "windows");
  cusp_window window = {.start = cusp_lua_integer_option(L, 2, "start", 0, 0, "windows"),
                        .stride = cusp_lua_integer_option(L, 2, "stride", 1, 1, "windows"),
                        .length = cusp_lua_integer_option(L, 2, "length", 1, 1, "windows"),
                        .rate = cusp_lua_integer_option(L, 2, "rate", 1, 1, "windows")};
  int64_t rows = cusp_lua_integer_option(L, 2, "rows", 0, 0, "windows");
  cusp_node *node = cusp_lua_check_value(L, 1, "windows");
  cusp_lua_rows *box = cusp_lua_new_rows(L);
  cusp_status status = cusp_reader_windows(&box->reader, &node->value, &window, rows);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

/** file_rows{path =, offset =, rows =, dtype =, shape =, big_endian =} */
static int file_rows(lua_State *L) {
  cusp_lua_check_options(L, 1, "file_rows");
  cusp_file_rows file = {.offset = cusp_lua_integer_option(L, 1, "offset", 0, 0, "file_rows"),
                         .rows = cusp_lua_integer_option(L, 1, "rows", 0, 0, "file_rows"),
                         .dtype = cusp_lua_dtype_option(L, 1, "dtype", "file_rows"),
                         .shape = cusp_lua_shape_option(L, 1, "shape", "file_rows"),
                         .swapped = cusp_lua_flag_option(L, 1, "big_endian", false) ==
                                    (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)};
  file.path = cusp_lua_string_option(L, 1, "path", "file_rows");
  cusp_lua_rows *box = cusp_lua_new_rows(L);
  cusp_status status = cusp_reader_file(&box->reader, &file);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

/* What the userdata on the top of the stack reads from lives as long as it does. */
static void keep_alive(lua_State *L, int index) {
  lua_pushvalue(L, index);
  lua_setiuservalue(L, -2, 1);
}

/** chunked(array, path): rows of an array in chunks (engine.files.chunked) of the file at
 * `path`. */
static int chunked(lua_State *L) {
  const cusp_chunked *array = cusp_lua_check_chunked(L, 1, "chunked");
  const char *path = luaL_checkstring(L, 2);
  cusp_lua_rows *box = cusp_lua_new_rows(L);
  keep_alive(L, 1); /* the places of the chunks are lent by it */
  cusp_status status = cusp_reader_chunked(&box->reader, array, path);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

/* The readers of the list at index 1, lent by it. */
static cusp_reader **check_list(lua_State *L, int *count, const char *function) {
  cusp_lua_check_options(L, 1, function);
  *count = (int)lua_rawlen(L, 1);
  if (*count < 1)
    cusp_lua_error(L, "%s: expected a list of readers, got an empty table", function);
  cusp_reader **readers = lua_newuserdatauv(L, (size_t)*count * sizeof *readers, 0);
  for (int i = 0; i < *count; i++) {
    lua_rawgeti(L, 1, i + 1);
    readers[i] = check_rows(L, lua_gettop(L), function);
    lua_pop(L, 1);
  }
  return readers;
}

static int join(lua_State *L, const char *function,
                cusp_status (*make)(cusp_reader **, int, cusp_reader *const *)) {
  int count;
  cusp_reader **readers = check_list(L, &count, function);
  cusp_lua_rows *box = cusp_lua_new_rows(L);
  keep_alive(L, 1);
  cusp_status status = make(&box->reader, count, readers);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

/** zip{rows, ...}: their columns side by side. */
static int zip(lua_State *L) { return join(L, "zip", cusp_reader_zip); }

/** concatenate{rows, ...}: one after another. */
static int concatenate(lua_State *L) { return join(L, "concatenate", cusp_reader_concatenate); }

/** cache(rows): kept in memory once they were read. */
static int cache(lua_State *L) {
  cusp_reader *reader = check_rows(L, 1, "cache");
  cusp_lua_rows *box = cusp_lua_new_rows(L);
  keep_alive(L, 1);
  cusp_status status = cusp_reader_cache(&box->reader, reader);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

/* ------------------------------------------------------------------ streams */

typedef enum stage_kind { SHUFFLE, REPEAT, TAKE, SKIP, SHARD, BATCH } stage_kind;

typedef struct stage {
  stage_kind kind;
  int64_t count, index;
  bool flag;
  int64_t window, block_rows; /* of a shuffle that goes by blocks; 0 otherwise */
} stage;

static const char *const stage_names[] = {"shuffle", "repeat", "take", "skip",
                                          "shard",   "batch",  NULL};

/* The table on the top of the stack: {kind, count, index or seed, flag, window, block_rows}. */
static stage read_stage(lua_State *L) {
  stage s;
  int table = lua_gettop(L);
  lua_rawgeti(L, table, 1);
  s.kind = (stage_kind)luaL_checkoption(L, -1, NULL, stage_names);
  lua_rawgeti(L, table, 2);
  s.count = luaL_checkinteger(L, -1);
  lua_rawgeti(L, table, 3);
  s.index = luaL_optinteger(L, -1, 0);
  lua_rawgeti(L, table, 4);
  s.flag = lua_toboolean(L, -1);
  lua_rawgeti(L, table, 5);
  s.window = luaL_optinteger(L, -1, 0);
  lua_rawgeti(L, table, 6);
  s.block_rows = luaL_optinteger(L, -1, 0);
  lua_settop(L, table);
  if ((s.kind == SHUFFLE || s.kind == SHARD || s.kind == BATCH) && s.count < 1)
    cusp_lua_error(L, "%s: expected a positive integer, got %lld", stage_names[s.kind],
                   (long long)s.count);
  return s;
}

/* The list `stages` of the table at index 1; the userdata stays on the stack. */
static stage *read_stages(lua_State *L, int *count, bool *batched) {
  lua_getfield(L, 1, "stages");
  cusp_lua_check_options(L, lua_gettop(L), "stages");
  int list = lua_gettop(L);
  *count = (int)lua_rawlen(L, list);
  *batched = false;
  stage *stages = lua_newuserdatauv(L, ((size_t)*count + 1) * sizeof *stages, 0);
  for (int i = 0; i < *count; i++) {
    lua_rawgeti(L, list, i + 1);
    cusp_lua_check_options(L, lua_gettop(L), "stages");
    stages[i] = read_stage(L);
    lua_pop(L, 1);
    if (stages[i].kind == BATCH && *batched)
      cusp_lua_error(L, "stages: batches cannot be batched again here");
    *batched = *batched || stages[i].kind == BATCH;
  }
  return stages;
}

static cusp_status add_shuffle(cusp_stream **stream, const stage *s) {
  cusp_shuffle options = {.buffer = s->count,
                          .seed = (uint64_t)s->index,
                          .reshuffle = s->flag,
                          .window = s->window,
                          .block_rows = s->block_rows};
  if (s->window > 0 && s->block_rows > 0)
    return cusp_stream_shuffle_blocks(stream, *stream, &options);
  return cusp_stream_shuffle(stream, *stream, s->count, (uint64_t)s->index, s->flag);
}

static cusp_status add_stage(cusp_stream **stream, const stage *s) {
  switch (s->kind) {
  case SHUFFLE: return add_shuffle(stream, s);
  case REPEAT: return cusp_stream_repeat(stream, *stream, s->count);
  case TAKE: return cusp_stream_take(stream, *stream, s->count);
  case SKIP: return cusp_stream_skip(stream, *stream, s->count);
  case SHARD: return cusp_stream_shard(stream, *stream, s->count, s->index);
  default: return cusp_stream_batch(stream, *stream, s->count, s->flag);
  }
}

static cusp_status make_stream(cusp_stream **stream, int64_t rows, int count, const stage *stages) {
  CUSP_TRY(cusp_stream_range(stream, rows));
  for (int i = 0; i < count; i++)
    CUSP_TRY(add_stage(stream, &stages[i]));
  return CUSP_OK;
}

/* ------------------------------------------------------------------ an order drawn beforehand */

/* Appends the rows of the stream's elements; *whole: all have as many, but for a shorter last
 * one. */
static cusp_status draw_order(cusp_stream *stream, int64_t *order, int64_t limit, int64_t *drawn,
                              bool *whole) {
  int64_t width = cusp_stream_width(stream), count = width, *rows;
  CUSP_TRY(cusp_alloc((void **)&rows, (size_t)width * sizeof *rows));
  cusp_status status = CUSP_OK;
  *whole = true;
  *drawn = 0;
  for (bool ended = false; status == CUSP_OK && *whole && !ended;) {
    bool last = count < width;
    status = cusp_stream_next(stream, rows, &count);
    ended = count == 0;
    *whole = ended || (!last && *drawn + count <= limit);
    if (!*whole || ended)
      continue;
    memcpy(order + *drawn, rows, (size_t)count * sizeof *rows);
    *drawn += count;
  }
  cusp_free(rows);
  return status;
}

/* The drawn part of `order` as a tensor. */
static cusp_status fill_order(cusp_lua_tensor *tensor, const int64_t *order, int64_t drawn) {
  cusp_array array;
  cusp_shape shape = {.ndim = 1, .size = {drawn}};
  CUSP_TRY(cusp_array_new(&array, CUSP_INT64, &shape));
  if (drawn)
    memcpy(array.data, order, (size_t)drawn * sizeof *order);
  return cusp_lua_fill_array(tensor, &array);
}

/**
 * order{rows =, stages =, limit =}: the rows of one pass over a stream as an int64 tensor; nil
 * where there are more than `limit`, or where another element than the last has fewer rows than the
 * others.
 */
static int order(lua_State *L) {
  cusp_lua_check_options(L, 1, "order");
  int64_t rows = cusp_lua_integer_option(L, 1, "rows", 0, 0, "order"),
          limit = cusp_lua_integer_option(L, 1, "limit", 0, 0, "order"), drawn = 0;
  int count;
  bool batched, whole = false;
  stage *stages = read_stages(L, &count, &batched);
  int64_t *numbers = lua_newuserdatauv(L, ((size_t)limit + 1) * sizeof *numbers, 0);
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_stream *stream = NULL;
  cusp_status status = make_stream(&stream, rows, count, stages);
  if (status == CUSP_OK)
    status = draw_order(stream, numbers, limit, &drawn, &whole);
  cusp_stream_free(stream);
  if (status == CUSP_OK && whole)
    status = fill_order(tensor, numbers, drawn);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, NULL);
  if (!whole)
    lua_pushnil(L);
  return 1;
}

/* ------------------------------------------------------------------ pipelines */

/* Reads the list `transforms` of the table at index 1: false, or {dtype =, scale =, offset =}, for
 * each column. */
static cusp_transform *read_transforms(lua_State *L, const cusp_reader *reader) {
  cusp_transform *transforms =
      lua_newuserdatauv(L, ((size_t)reader->n_columns + 1) * sizeof *transforms, 0);
  lua_getfield(L, 1, "transforms");
  int list = lua_gettop(L);
  for (int k = 0; k < reader->n_columns; k++) {
    cusp_dtype dtype = reader->columns[k].dtype;
    transforms[k] = (cusp_transform){dtype, dtype, 1, 0};
    if (lua_type(L, list) != LUA_TTABLE)
      continue;
    if (lua_rawgeti(L, list, k + 1) == LUA_TTABLE) {
      int options = lua_gettop(L);
      transforms[k].out = cusp_lua_dtype_option(L, options, "dtype", "transforms");
      transforms[k].scale = cusp_lua_number_option(L, options, "scale", 1, "transforms");
      transforms[k].offset = cusp_lua_number_option(L, options, "offset", 0, "transforms");
    }
    lua_settop(L, list);
  }
  return transforms;
}

/** pipeline{rows =, stages =, transforms =, workers =, depth =, keep =, single =} */
static int new_pipeline(lua_State *L) {
  cusp_lua_check_options(L, 1, "pipeline");
  lua_settop(L, 1);
  lua_getfield(L, 1, "rows");
  cusp_pipeline_options options = {
      .reader = check_rows(L, 2, "pipeline"),
      .workers = (int)cusp_lua_integer_option(L, 1, "workers", 1, 1, "pipeline"),
      .depth = (int)cusp_lua_integer_option(L, 1, "depth", 3, 1, "pipeline"),
      .keep = cusp_lua_integer_option(L, 1, "keep", 0, 0, "pipeline"),
      .single = cusp_lua_flag_option(L, 1, "single", false)};
  int count;
  stage *stages = read_stages(L, &count, &options.batched);
  options.transforms = read_transforms(L, options.reader);
  if (options.workers > 64)
    options.workers = 64;
  pipeline_box *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (pipeline_box){pipeline_kind, NULL};
  luaL_setmetatable(L, pipeline_kind);
  keep_alive(L, 2);
  cusp_status status = make_stream(&options.stream, options.reader->rows, count, stages);
  if (status == CUSP_OK)
    status = cusp_pipeline_new(&box->pipeline, &options);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

static pipeline_box *check_pipeline(lua_State *L, int index, const char *function) {
  pipeline_box *box = cusp_lua_test(L, index, pipeline_kind);
  if (!box || !box->pipeline)
    cusp_lua_error(L, "%s: expected an open pipeline, got %s", function,
                   box ? "one that is closed" : cusp_lua_got(L, index));
  return box;
}

static int pipeline_close(lua_State *L) {
  pipeline_box *box = cusp_lua_test(L, 1, pipeline_kind);
  if (box) {
    cusp_pipeline *pipeline = box->pipeline;
    box->pipeline = NULL;
    cusp_pipeline_free(pipeline);
  }
  return 0;
}

/* Moves the arrays of the next element into the empty tensors from stack index `first` on. */
static cusp_status take_element(lua_State *L, cusp_pipeline *pipeline, cusp_array *arrays,
                                int first) {
  cusp_pipeline_take(pipeline, arrays);
  return cusp_lua_fill_arrays(L, first, cusp_pipeline_n_columns(pipeline), arrays);
}

/** pipeline:next(): the tensors of the next element, nothing at the end. */
static int pipeline_next(lua_State *L) {
  pipeline_box *box = check_pipeline(L, 1, "next");
  int n = cusp_pipeline_n_columns(box->pipeline);
  const cusp_array *ready;
  cusp_lua_check_interrupt(L);
  luaL_checkstack(L, n + 8, NULL);
  cusp_array *arrays = lua_newuserdatauv(L, (size_t)n * sizeof *arrays, 0);
  int first = lua_gettop(L) + 1;
  for (int k = 0; k < n; k++)
    cusp_lua_new_tensor(L);
  cusp_status status = cusp_pipeline_peek(box->pipeline, &ready);
  if (status == CUSP_OK && !ready)
    return 0;
  if (status == CUSP_OK)
    status = take_element(L, box->pipeline, arrays, first);
  return status == CUSP_OK ? n : cusp_lua_raise(L, status, NULL);
}

/** pipeline:skip(): goes past an element that failed; whether there was one. */
static int pipeline_skip(lua_State *L) {
  lua_pushboolean(L, cusp_pipeline_skip(check_pipeline(L, 1, "skip")->pipeline));
  return 1;
}

/* ------------------------------------------------------------------ plans over pipelines */

/* Class ids that have to be below a number, or equal to one that is ignored. */
typedef struct label_check {
  int column;
  double classes, ignored;
} label_check;

static label_check *read_label_checks(lua_State *L, int options, int n_columns, int *count) {
  lua_getfield(L, options, "labels");
  int list = lua_gettop(L);
  *count = lua_type(L, list) == LUA_TTABLE ? (int)lua_rawlen(L, list) : 0;
  label_check *checks = lua_newuserdatauv(L, ((size_t)*count + 1) * sizeof *checks, 0);
  for (int i = 0; i < *count; i++) {
    lua_rawgeti(L, list, i + 1);
    int table = lua_gettop(L);
    cusp_lua_check_options(L, table, "run");
    checks[i].column = (int)cusp_lua_integer_option(L, table, "column", 1, 1, "run") - 1;
    checks[i].classes = (double)cusp_lua_integer_option(L, table, "classes", 1, 1, "run");
    checks[i].ignored = cusp_lua_number_option(L, table, "ignored", -1, "run");
    if (checks[i].column >= n_columns)
      cusp_lua_error(L, "run: there is no column %d", checks[i].column + 1);
    lua_pop(L, 1);
  }
  return checks;
}

static bool labels_fit(const cusp_array *arrays, int count, const label_check *checks) {
  for (int i = 0; i < count; i++) {
    const cusp_array *array = &arrays[checks[i].column];
    int64_t n = cusp_array_count(array);
    size_t size = cusp_dtype_size(array->dtype);
    for (int64_t k = 0; k < n; k++) {
      double label = cusp_load_double(array->dtype, (const char *)array->data + (size_t)k * size);
      if (label != checks[i].ignored && (label < 0 || label >= checks[i].classes))
        return false;
    }
  }
  return true;
}

static bool types_fit(const cusp_function *function, const cusp_array *arrays, int n) {
  for (int k = 0; k < n; k++) {
    const cusp_type *type = cusp_function_argument_type(function, k);
    if (type->dtype != arrays[k].dtype || !cusp_shape_equal(&type->shape, &arrays[k].shape))
      return false;
  }
  return true;
}

typedef struct run {
  cusp_function *function;
  cusp_pipeline *pipeline;
  int64_t count;
  double deadline;
  int n_checks;
  const label_check *checks;
  cusp_array *arguments;
} run;

static cusp_status run_element(run *r) {
  int n = cusp_pipeline_n_columns(r->pipeline);
  cusp_pipeline_take(r->pipeline, r->arguments);
  cusp_status status = cusp_function_run(r->function, n, r->arguments, NULL);
  for (int k = 0; k < n; k++)
    cusp_array_release(&r->arguments[k]);
  return status;
}

static cusp_status run_elements(run *r, int64_t *done) {
  int n = cusp_pipeline_n_columns(r->pipeline);
  for (*done = 0; *done < r->count; ++*done) {
    const cusp_array *arrays;
    if (cusp_interrupted())
      return cusp_fail(CUSP_EINTERRUPT, "interrupted!");
    if (*done > 0 && r->deadline > 0 && cusp_monotonic_seconds() >= r->deadline)
      return CUSP_OK;
    CUSP_TRY(cusp_pipeline_peek(r->pipeline, &arrays));
    if (!arrays || !types_fit(r->function, arrays, n) ||
        !labels_fit(arrays, r->n_checks, r->checks))
      return CUSP_OK;
    CUSP_TRY(run_element(r));
  }
  return CUSP_OK;
}

/**
 * pipeline:run(plan, {count =, deadline =, labels =}): runs a plan without results over up to
 * `count` elements, and returns how many were done. It ends before an element of another type than
 * the plan's or with labels (`{{column =, classes =, ignored =}, ...}`) out of range, which is then
 * the next one.
 */
static int pipeline_run(lua_State *L) {
  run r = {.pipeline = check_pipeline(L, 1, "run")->pipeline,
           .function = cusp_lua_check_function(L, 2, "run")};
  int n = cusp_pipeline_n_columns(r.pipeline);
  cusp_lua_check_options(L, 3, "run");
  if (cusp_function_n_results(r.function) != 0 || cusp_function_n_arguments(r.function) != n)
    return cusp_lua_error(
        L, "run: expected a plan of %d arguments without results, got one of %d with %d", n,
        cusp_function_n_arguments(r.function), cusp_function_n_results(r.function));
  cusp_lua_check_interrupt(L);
  cusp_lua_collect(L);
  r.count = cusp_lua_integer_option(L, 3, "count", 1, 0, "run");
  r.deadline = cusp_lua_number_option(L, 3, "deadline", 0, "run");
  r.checks = read_label_checks(L, 3, n, &r.n_checks);
  r.arguments = lua_newuserdatauv(L, (size_t)n * sizeof *r.arguments, 0);
  int64_t done = 0;
  cusp_status status = run_elements(&r, &done);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, NULL);
  lua_pushinteger(L, done);
  return 1;
}

/* ------------------------------------------------------------------ opening */

static const luaL_Reg functions[] = {
    {"arrays", arrays},   {"windows", windows}, {"file_rows", file_rows},
    {"chunked", chunked}, {"zip", zip},         {"concatenate", concatenate},
    {"cache", cache},     {"order", order},     {"pipeline", new_pipeline},
    {NULL, NULL}};

void cusp_lua_open_data(lua_State *L) {
  static const luaL_Reg rows_metamethods[] = {
      {"__gc", rows_release}, {"__close", rows_release}, {NULL, NULL}};
  static const luaL_Reg pipeline_metamethods[] = {
      {"__gc", pipeline_close}, {"__close", pipeline_close}, {NULL, NULL}};
  static const luaL_Reg pipeline_methods[] = {{"next", pipeline_next},
                                              {"run", pipeline_run},
                                              {"skip", pipeline_skip},
                                              {"close", pipeline_close},
                                              {NULL, NULL}};
  cusp_lua_new_class(L, rows_kind, rows_metamethods, NULL);
  lua_pushcfunction(L, rows_index);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  cusp_lua_new_class(L, pipeline_kind, pipeline_metamethods, pipeline_methods);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  cusp_lua_open_data_files(L);
  lua_setfield(L, -2, "data");
}
