/* cusp.engine.files: arrays that lie in a file in chunks (core/io/chunks.h), and tensors from the
 * bytes of a string. */
#include "binding.h"
#include "data.h"

#include <string.h>

static const char chunked_kind[] = "cusp.Chunked";

#define SMALL_ARRAY ((size_t)64 << 20) /* bytes that any file may ask for */
/* no deflated bytes become more than this many times as many */
#define DEFLATE_RATIO 1032

/** Its first user value is the file's reader, where there is one. */
typedef struct chunked_box {
  const void *kind;
  cusp_chunked chunked;
  cusp_chunk chunks[];
} chunked_box;

/* ------------------------------------------------------------------ what is asked for */

/* Pushes field `name` of the table at index 1. */
static int field(lua_State *L, const char *name) { return lua_getfield(L, 1, name); }

static void check_filters(lua_State *L, cusp_chunked *chunked) {
  /* ORDER of cusp_filter, from 1 */
  static const char *const names[] = {"gzip", "shuffle", "fletcher32", "lzf"};
  enum { COUNT = sizeof names / sizeof names[0] };
  if (field(L, "filters") == LUA_TTABLE)
    for (lua_Unsigned i = 1; i <= lua_rawlen(L, -1); i++) {
      lua_rawgeti(L, -1, (lua_Integer)i);
      int filter = 0;
      while (filter < COUNT && strcmp(names[filter], luaL_checkstring(L, -1)) != 0)
        filter++;
      if (filter == COUNT || chunked->filter_count == CUSP_MAX_FILTERS)
        cusp_lua_error(L, "files.chunked: %s",
                       filter == COUNT ? "filters are gzip, shuffle, fletcher32 and lzf"
                                       : "there are too many filters");
      chunked->filters[chunked->filter_count++] = (cusp_filter)(filter + 1);
      lua_pop(L, 1);
    }
  lua_pop(L, 1);
}

static void check_shape(lua_State *L, cusp_shape *shape, const char *name) {
  field(L, name);
  cusp_status status = cusp_lua_to_shape(shape, L, lua_gettop(L));
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, "files.chunked");
  lua_pop(L, 1);
}

static void check_fill(lua_State *L, cusp_chunked *chunked) {
  size_t bytes;
  if (field(L, "fill") == LUA_TSTRING) {
    const char *fill = lua_tolstring(L, -1, &bytes);
    if (bytes != cusp_dtype_size(chunked->dtype))
      cusp_lua_error(L, "files.chunked: the fill value has %d bytes", (int)bytes);
    memcpy(chunked->fill, fill, bytes);
    if (chunked->dtype == CUSP_BOOL)
      chunked->fill[0] = chunked->fill[0] != 0;
  }
  lua_pop(L, 1);
}

/* The places of the chunks, records of 16 bytes in a string; "": no chunk was ever written. */
static void check_index(lua_State *L, chunked_box *box, const char *index, size_t bytes) {
  size_t grid;
  cusp_status status = cusp_chunked_grid(&grid, &box->chunked);
  if (status == CUSP_OK && bytes != 0 && bytes != grid * sizeof *box->chunks)
    status = cusp_fail(CUSP_EIO, "the index of chunks has %zu bytes, expected those of %zu chunks",
                       bytes, grid);
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, NULL);
  if (bytes == 0)
    return;
  memcpy(box->chunks, index, bytes);
  box->chunked.chunks = box->chunks;
  box->chunked.chunk_count = grid;
}

/**
 * files.chunked{dtype =, shape =, chunk =, filters = {"shuffle", "gzip", "fletcher32"}, big_endian
 * =, fill =, index =, reader =, level =}: an array in chunks, to read (`reader`, `index`) or to
 * encode. Its filters are named in the order of writing.
 */
static int new_chunked(lua_State *L) {
  size_t bytes = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const char *index = field(L, "index") == LUA_TSTRING ? lua_tolstring(L, 2, &bytes) : "";
  chunked_box *box = lua_newuserdatauv(L, sizeof *box + bytes, 1);
  memset(box, 0, sizeof *box);
  box->kind = chunked_kind;
  luaL_setmetatable(L, chunked_kind);
  field(L, "dtype");
  cusp_status status = cusp_dtype_parse_number(&box->chunked.dtype, luaL_checkstring(L, -1));
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, "files.chunked");
  field(L, "big_endian");
  box->chunked.big_endian = lua_toboolean(L, -1);
  field(L, "level");
  box->chunked.level = (int)luaL_optinteger(L, -1, 4);
  check_shape(L, &box->chunked.shape, "shape");
  check_shape(L, &box->chunked.chunk, "chunk");
  check_filters(L, &box->chunked);
  check_fill(L, &box->chunked);
  check_index(L, box, index, bytes);
  field(L, "reader");
  lua_setiuservalue(L, 3, 1);
  lua_settop(L, 3);
  return 1;
}

static chunked_box *check_chunked(lua_State *L, const char *function) {
  chunked_box *box = cusp_lua_test(L, 1, chunked_kind);
  if (!box)
    cusp_lua_error(L, "%s: expected an array in chunks, got %s", function, cusp_lua_got(L, 1));
  return box;
}

const cusp_chunked *cusp_lua_check_chunked(lua_State *L, int index, const char *function) {
  chunked_box *box = cusp_lua_test(L, index, chunked_kind);
  if (!box)
    cusp_lua_error(L, "%s: expected an array in chunks, got %s", function, cusp_lua_got(L, index));
  return &box->chunked;
}

/* ------------------------------------------------------------------ reading */

/* A small file may hold a large array that was never written; one much larger than any file of that
 * size decompresses to is refused. */
static cusp_status check_size(const cusp_chunked *chunked, const cusp_shape *shape) {
  int64_t elements;
  size_t bytes;
  CUSP_TRY(cusp_shape_count_checked(&elements, shape));
  CUSP_TRY(cusp_multiply_size(&bytes, (size_t)elements, cusp_dtype_size(chunked->dtype)));
  if (bytes > SMALL_ARRAY && bytes / DEFLATE_RATIO > cusp_file_size(chunked->file))
    return cusp_fail(
        CUSP_EIO, "%s: %s of %s, %zu bytes, were requested, but the file has only %llu",
        cusp_file_path(chunked->file), cusp_shape_text(shape), cusp_dtype_name(chunked->dtype),
        bytes, (unsigned long long)cusp_file_size(chunked->file));
  return CUSP_OK;
}

static cusp_status read_rows(cusp_array *out, const cusp_chunked *chunked, int64_t first,
                             int64_t count) {
  cusp_shape shape = chunked->shape;
  shape.size[0] = count;
  memset(out, 0, sizeof *out);
  CUSP_TRY(check_size(chunked, &shape));
  CUSP_TRY(cusp_array_new(out, chunked->dtype, &shape));
  return cusp_chunked_read(chunked, first, count, out->data, true);
}

/** chunked:rows(first, count): `count` rows from the `first`, which counts from 0 */
static int chunked_rows(lua_State *L) {
  chunked_box *box = check_chunked(L, "rows");
  int64_t first = luaL_checkinteger(L, 2), count = luaL_checkinteger(L, 3);
  lua_getiuservalue(L, 1, 1);
  box->chunked.file = cusp_lua_check_file(L, lua_gettop(L), "rows");
  if (first < 0 || count < 0 || first > box->chunked.shape.size[0] - count)
    return cusp_lua_error(L, "rows: %lld rows from %lld on are not within %s", (long long)count,
                          (long long)first, cusp_shape_text(&box->chunked.shape));
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_array array;
  cusp_status status = read_rows(&array, &box->chunked, first, count);
  if (status == CUSP_OK)
    return (status = cusp_lua_fill_array(tensor, &array)) == CUSP_OK
               ? 1
               : cusp_lua_raise(L, status, "rows");
  cusp_array_release(&array);
  return cusp_lua_raise(L, status, NULL);
}

/* ------------------------------------------------------------------ writing */

/** chunked:encode(tensor, index): the bytes of a chunk of the grid, which counts from 0 */
static int chunked_encode(lua_State *L) {
  chunked_box *box = check_chunked(L, "encode");
  const cusp_array *value = &cusp_lua_check_value(L, 2, "encode")->value;
  lua_Integer index = luaL_checkinteger(L, 3);
  cusp_array copy = {0};
  unsigned char *encoded = NULL;
  size_t bytes = 0;
  if (!cusp_shape_equal(&value->shape, &box->chunked.shape) || value->dtype != box->chunked.dtype ||
      index < 0)
    return cusp_lua_error(L, "encode: expected a tensor %s %s, got %s %s",
                          cusp_shape_text(&box->chunked.shape), cusp_dtype_name(box->chunked.dtype),
                          cusp_shape_text(&value->shape), cusp_dtype_name(value->dtype));
  cusp_status status = CUSP_OK;
  bool row_major = cusp_array_is_contiguous(value);
  if (!row_major)
    status = cusp_array_new(&copy, value->dtype, &value->shape);
  if (!row_major && status == CUSP_OK)
    cusp_array_copy(&copy, value);
  if (status == CUSP_OK)
    status = cusp_chunk_encode(&encoded, &bytes, &box->chunked, row_major ? value->data : copy.data,
                               (size_t)index);
  cusp_array_release(&copy);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, "encode");
  luaL_Buffer buffer;
  memcpy(luaL_buffinitsize(L, &buffer, bytes), encoded, bytes);
  cusp_free(encoded);
  luaL_pushresultsize(&buffer, bytes);
  return 1;
}

/* ------------------------------------------------------------------ strings */

static cusp_status array_from_bytes(cusp_array *out, cusp_dtype dtype, const cusp_shape *shape,
                                    const char *data, size_t bytes, bool big_endian) {
  size_t element = cusp_dtype_size(dtype);
  int64_t count;
  memset(out, 0, sizeof *out);
  CUSP_TRY(cusp_shape_count_checked(&count, shape));
  if (bytes % element != 0 || bytes / element != (size_t)count)
    return cusp_fail(CUSP_ESHAPE, "%zu bytes are not %s of %s", bytes, cusp_shape_text(shape),
                     cusp_dtype_name(dtype));
  CUSP_TRY(cusp_array_new(out, dtype, shape));
  memcpy(out->data, data, bytes);
  if (big_endian == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__))
    cusp_reverse_bytes(out->data, (size_t)count, element);
  for (size_t i = 0; dtype == CUSP_BOOL && i < bytes; i++)
    ((unsigned char *)out->data)[i] = ((const unsigned char *)data)[i] != 0;
  return CUSP_OK;
}

/**
 * files.tensor_from_string(bytes, dtype, shape[, big_endian]): the tensor whose elements these
 * bytes are, in row-major order. Bytes of bools other than 0 become true. Raises where the bytes do
 * not fit the shape.
 */
static int tensor_from_string(lua_State *L) {
  size_t bytes;
  const char *data = luaL_checklstring(L, 1, &bytes);
  cusp_dtype dtype;
  cusp_shape shape;
  cusp_array array;
  cusp_status status = cusp_dtype_parse_number(&dtype, luaL_checkstring(L, 2));
  if (status == CUSP_OK)
    status = cusp_lua_to_shape(&shape, L, 3);
  bool big_endian = lua_toboolean(L, 4);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, "tensor_from_string");
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  status = array_from_bytes(&array, dtype, &shape, data, bytes, big_endian);
  if (status == CUSP_OK)
    status = cusp_lua_fill_array(tensor, &array);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "tensor_from_string");
}

/* ------------------------------------------------------------------ opening */

/** Adds its functions to the table `files` of the module on the top of the stack, which
 * cusp_lua_open_files made. */
void cusp_lua_open_chunks(lua_State *L) {
  static const luaL_Reg metamethods[] = {{NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"rows", chunked_rows}, {"encode", chunked_encode}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"chunked", new_chunked}, {"tensor_from_string", tensor_from_string}, {NULL, NULL}};
  cusp_lua_new_class(L, chunked_kind, metamethods, methods);
  lua_getfield(L, -2, "files");
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 2);
}
