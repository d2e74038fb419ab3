/* cusp.engine.data: readers of pictures, CSV and TFRecord files. */
#include "data.h"

#include <string.h>
#include <sys/stat.h>

static const char csv_kind[] = "cusp.Csv";

typedef struct csv_box {
  const void *kind;
  cusp_csv *csv;          /* NULL: empty */
  cusp_csv_record record; /* what csv:row reads into */
} csv_box;

/* ------------------------------------------------------------------ pictures */

static cusp_image_layout check_layout(lua_State *L, int table, const char *function) {
  static const char *const names[] = {"nearest", "bilinear", "bicubic", "area", NULL};
  cusp_image_layout layout = {
      .height = cusp_lua_integer_option(L, table, "height", 1, 1, function),
      .width = cusp_lua_integer_option(L, table, "width", 1, 1, function),
      .channels = (int)cusp_lua_integer_option(L, table, "channels", 3, 1, function),
      .crop = cusp_lua_flag_option(L, table, "crop", false),
      .pad = cusp_lua_flag_option(L, table, "pad", false),
      .channels_first = cusp_lua_flag_option(L, table, "channels_first", false)};
  lua_getfield(L, table, "interpolation");
  layout.interpolation = (cusp_interpolation)luaL_checkoption(L, -1, "bilinear", names);
  lua_pop(L, 1);
  if ((layout.channels != 1 && layout.channels != 3 && layout.channels != 4) ||
      layout.height > 65535 || layout.width > 65535)
    cusp_lua_error(L, "%s: pictures of %lld x %lld pixels with %d channels are not supported",
                   function, (long long)layout.height, (long long)layout.width, layout.channels);
  return layout;
}

/** images{paths =, height =, width =, channels =, interpolation =, crop =, pad =, channels_first
 * =} */
static int images(lua_State *L) {
  cusp_lua_check_options(L, 1, "images");
  cusp_image_layout layout = check_layout(L, 1, "images");
  lua_getfield(L, 1, "paths");
  int list = lua_gettop(L);
  cusp_lua_check_options(L, list, "images");
  int64_t count = (int64_t)lua_rawlen(L, list);
  const char **paths = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *paths, 0);
  for (int64_t i = 0; i < count; i++) {
    if (lua_rawgeti(L, list, i + 1) != LUA_TSTRING)
      return cusp_lua_error(L, "images: path %lld should be a string, got %s", (long long)i + 1,
                            cusp_lua_got(L, -1));
    paths[i] = lua_tostring(L, -1); /* kept alive by the list */
    lua_pop(L, 1);
  }
  cusp_lua_rows *box = cusp_lua_new_rows(L);
  cusp_status status = cusp_reader_images(&box->reader, count, paths, &layout);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

/* The picture, in another size where `options` is given. */
static cusp_status fill_with_image(cusp_lua_tensor *tensor, cusp_image *image,
                                   const cusp_resample_options *options) {
  cusp_array array;
  cusp_resample_options same = {.height = image->height, .width = image->width};
  options = options ? options : &same;
  cusp_shape shape = {.ndim = 3, .size = {options->height, options->width, image->channels}};
  CUSP_TRY(cusp_array_new(&array, image->depth == 2 ? CUSP_UINT16 : CUSP_UINT8, &shape));
  cusp_status status = cusp_image_resample(image, options, array.data);
  if (status == CUSP_OK)
    return cusp_lua_fill_array(tensor, &array);
  cusp_array_release(&array);
  return status;
}

/** read_image(path, channels): uint8 [height, width, channels]; with 0 channels those that the file
 * has. */
static int read_image(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int channels = (int)luaL_optinteger(L, 2, 0);
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_image image;
  if (channels != 0 && channels != 1 && channels != 3 && channels != 4)
    return cusp_lua_error(L, "read_image: expected 0, 1, 3 or 4 channels, got %d", channels);
  cusp_status status = cusp_image_read(&image, path, CUSP_STYLE_TENSORFLOW, channels);
  if (status == CUSP_OK) {
    status = fill_with_image(tensor, &image, NULL);
    cusp_images_load()->release(&image);
  }
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

/* The options `height`, `width`, `interpolation` and `keep_aspect_ratio`; false without a size. */
static bool check_resampling(lua_State *L, int table, cusp_resample_options *options) {
  static const char *const names[] = {"nearest", "bilinear", "bicubic", "box",
                                      "hamming", "lanczos",  NULL};
  *options = (cusp_resample_options){
      .height = cusp_lua_integer_option(L, table, "height", 0, 1, "load_img"),
      .width = cusp_lua_integer_option(L, table, "width", 0, 1, "load_img"),
      .keep_aspect_ratio = cusp_lua_flag_option(L, table, "keep_aspect_ratio", false)};
  lua_getfield(L, table, "interpolation");
  options->filter = (cusp_resampling)luaL_checkoption(L, -1, "nearest", names);
  lua_pop(L, 1);
  if (options->height > 65535 || options->width > 65535)
    cusp_lua_error(L, "load_img: pictures of %lld x %lld pixels are not supported",
                   (long long)options->height, (long long)options->width);
  return options->height > 0 && options->width > 0;
}

/** load_image(path, channels, {height =, width =, interpolation =, keep_aspect_ratio =}): uint8, or
 * uint16 for 16-bit grey, `[height, width, channels]` with Pillow's pixels. */
static int load_image(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int channels = (int)luaL_checkinteger(L, 2);
  cusp_resample_options options;
  cusp_lua_check_options(L, 3, "load_img");
  bool resized = check_resampling(L, 3, &options);
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_image image;
  if (channels != 1 && channels != 3 && channels != 4)
    return cusp_lua_error(L, "load_img: expected 1, 3 or 4 channels, got %d", channels);
  cusp_status status = cusp_image_read(&image, path, CUSP_STYLE_PILLOW, channels);
  if (status == CUSP_OK) {
    status = fill_with_image(tensor, &image, resized ? &options : NULL);
    cusp_images_load()->release(&image);
  }
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "load_img");
}

/** is_link(path): whether the path itself is a symbolic link. */
static int is_link(lua_State *L) {
  struct stat info;
  lua_pushboolean(L, lstat(luaL_checkstring(L, 1), &info) == 0 && S_ISLNK(info.st_mode));
  return 1;
}

/* ------------------------------------------------------------------ CSV */

/** csv(path, {delimiter =, quotes =, header =, na =}): the file's records found, and what its
 * columns hold. */
static int csv(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  cusp_lua_check_options(L, 2, "csv");
  cusp_csv_options options = {.quotes = cusp_lua_flag_option(L, 2, "quotes", true),
                              .header = cusp_lua_flag_option(L, 2, "header", true)};
  options.delimiter = *cusp_lua_string_option(L, 2, "delimiter", "csv");
  options.na = cusp_lua_string_option(L, 2, "na", "csv");
  csv_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (csv_box){.kind = csv_kind};
  luaL_setmetatable(L, csv_kind);
  cusp_status status = cusp_csv_open(&box->csv, path, &options);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

static csv_box *check_csv(lua_State *L, const char *function) {
  csv_box *box = cusp_lua_test(L, 1, csv_kind);
  if (!box || !box->csv)
    cusp_lua_error(L, "%s: expected a CSV file, got %s", function, cusp_lua_got(L, 1));
  return box;
}

static int csv_release(lua_State *L) {
  csv_box *box = cusp_lua_test(L, 1, csv_kind);
  if (box) {
    cusp_csv_release(box->csv);
    cusp_csv_record_free(&box->record);
    box->csv = NULL;
  }
  return 0;
}

/** csv:describe(): the number of rows, and for each column {name =, type = "int32" | "int64" |
 * "float32" | "string"}. */
static int csv_describe(lua_State *L) {
  static const char *const types[] = {"int32", "int64", "float32", "string"};
  cusp_csv *file = check_csv(L, "describe")->csv;
  lua_pushinteger(L, cusp_csv_rows(file));
  lua_createtable(L, cusp_csv_columns(file), 0);
  for (int i = 0; i < cusp_csv_columns(file); i++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, cusp_csv_name(file, i));
    lua_setfield(L, -2, "name");
    lua_pushstring(L, types[cusp_csv_column_type(file, i)]);
    lua_setfield(L, -2, "type");
    lua_rawseti(L, -2, i + 1);
  }
  return 2;
}

static int64_t check_row(lua_State *L, const cusp_csv *file) {
  lua_Integer row = luaL_checkinteger(L, 2);
  if (row < 1 || row > cusp_csv_rows(file))
    cusp_lua_error(L, "row: expected 1 to %lld, got %lld", (long long)cusp_csv_rows(file),
                   (long long)row);
  return row - 1;
}

/** csv:row(i): the fields of row i, counted from 1, as strings; false for a missing one. */
static int csv_row(lua_State *L) {
  csv_box *box = check_csv(L, "row");
  cusp_status status = cusp_csv_read(box->csv, check_row(L, box->csv), &box->record);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, NULL);
  lua_createtable(L, box->record.count, 0);
  for (int i = 0; i < box->record.count; i++) {
    const char *field = box->record.text + box->record.start[i];
    if (cusp_csv_is_missing(box->csv, field))
      lua_pushboolean(L, 0);
    else
      lua_pushstring(L, field);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/** csv:line(i): the line of the file that row i starts in. */
static int csv_line(lua_State *L) {
  cusp_csv *file = check_csv(L, "line")->csv;
  lua_pushinteger(L, cusp_csv_line(file, check_row(L, file)));
  return 1;
}

static void check_cell(lua_State *L, cusp_csv_cell *cell, const cusp_csv *file) {
  int table = lua_gettop(L);
  cell->column = (int)cusp_lua_integer_option(L, table, "column", 1, 1, "rows") - 1;
  cell->required = cusp_lua_flag_option(L, table, "required", false);
  cell->missing = cusp_lua_number_option(L, table, "missing", 0, "rows");
  if (cell->column >= cusp_csv_columns(file))
    cusp_lua_error(L, "rows: there is no column %d", cell->column + 1);
}

static void check_output(lua_State *L, cusp_csv_output *output, const cusp_csv *file) {
  int table = lua_gettop(L);
  cusp_lua_check_options(L, table, "rows");
  output->dtype = cusp_lua_dtype_option(L, table, "dtype", "rows");
  output->vector = cusp_lua_flag_option(L, table, "vector", false);
  output->n_cells = (int)lua_rawlen(L, table);
  if (output->n_cells < 1 || (!output->vector && output->n_cells != 1))
    cusp_lua_error(L, "rows: an output has one cell, or is a vector of one or more");
  /* stays on the stack */
  cusp_csv_cell *cells = lua_newuserdatauv(L, (size_t)output->n_cells * sizeof *cells, 0);
  for (int i = 0; i < output->n_cells; i++) {
    lua_rawgeti(L, table, i + 1);
    cusp_lua_check_options(L, lua_gettop(L), "rows");
    check_cell(L, &cells[i], file);
    lua_pop(L, 1);
  }
  output->cells = cells;
}

/** csv:rows{{dtype =, vector =, {column =, required =, missing =}, ...}, ...}: a reader with one
 * column for each output. */
static int csv_rows(lua_State *L) {
  cusp_csv *file = check_csv(L, "rows")->csv;
  cusp_lua_check_options(L, 2, "rows");
  int count = (int)lua_rawlen(L, 2);
  cusp_csv_output *outputs = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *outputs, 0);
  luaL_checkstack(L, 2 * count + 8, NULL);
  for (int k = 0; k < count; k++) {
    lua_rawgeti(L, 2, k + 1);
    check_output(L, &outputs[k], file);
  }
  cusp_lua_rows *box = cusp_lua_new_rows(L);
  cusp_status status = cusp_reader_csv(&box->reader, file, count, outputs);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

/* ------------------------------------------------------------------ TFRecord */

static void check_feature(lua_State *L, cusp_feature *feature) {
  static const char *const kinds[] = {"numbers", "raw", "image", NULL};
  int table = lua_gettop(L);
  cusp_lua_check_options(L, table, "tfrecord");
  lua_getfield(L, table, "kind");
  feature->kind = (cusp_feature_kind)luaL_checkoption(L, -1, "numbers", kinds);
  lua_pop(L, 1);
  feature->missing = cusp_lua_number_option(L, table, "missing", 0, "tfrecord");
  feature->required = cusp_lua_flag_option(L, table, "required", true);
  if (feature->kind == CUSP_FEATURE_IMAGE) {
    const cusp_image_layout *l = &feature->layout;
    feature->layout = check_layout(L, table, "tfrecord");
    feature->dtype = CUSP_FLOAT32;
    feature->shape = (cusp_shape){.ndim = 3, .size = {l->height, l->width, l->channels}};
  } else {
    feature->dtype = cusp_lua_dtype_option(L, table, "dtype", "tfrecord");
    feature->shape = cusp_lua_shape_option(L, table, "shape", "tfrecord");
  }
  feature->name = cusp_lua_string_option(L, table, "name", "tfrecord"); /* stays on the stack */
}

/** tfrecord(path, {{name =, kind =, dtype =, shape =, required =, missing =, ...}, ...}): a reader
 * with one column for each feature. */
static int tfrecord(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  cusp_lua_check_options(L, 2, "tfrecord");
  int count = (int)lua_rawlen(L, 2);
  cusp_feature *features = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *features, 0);
  luaL_checkstack(L, 2 * count + 8, NULL);
  memset(features, 0, ((size_t)count + 1) * sizeof *features);
  for (int k = 0; k < count; k++) {
    lua_rawgeti(L, 2, k + 1);
    check_feature(L, &features[k]);
  }
  cusp_lua_rows *box = cusp_lua_new_rows(L);
  cusp_status status = cusp_reader_tfrecord(&box->reader, path, count, features);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, NULL);
}

void cusp_lua_open_data_files(lua_State *L) {
  static const luaL_Reg functions[] = {{"images", images},
                                       {"read_image", read_image},
                                       {"load_image", load_image},
                                       {"is_link", is_link},
                                       {"csv", csv},
                                       {"tfrecord", tfrecord},
                                       {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__gc", csv_release}, {"__close", csv_release}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"describe", csv_describe},
                                     {"row", csv_row},
                                     {"line", csv_line},
                                     {"rows", csv_rows},
                                     {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  cusp_lua_new_class(L, csv_kind, metamethods, methods);
  lua_pop(L, 1);
}
