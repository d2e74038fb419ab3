/*
 * A new HDF5 file, as Lua's methods of a userdata: its groups, attributes and datasets are laid out
 * by libhdf5 in memory, in the form that h5py gives them by default. Datasets of numbers only get
 * their place; the caller writes the numbers there. The arguments come from
 * lua/cusp/formats/hdf5/writer.lua, which has checked what the user gave.
 */
#include "native.h"

#include <stdlib.h>
#include <string.h>

#define CLASS "cusp.hdf5.new_file"

typedef struct new_file {
  cusp_hdf5_pages *pages;
  hid_t file; /* negative: closed */
} new_file;

/** What one method opens in libhdf5; closed when it returns or raises. */
typedef struct opened {
  hid_t type, space, properties, object;
  void *data;
} opened;

static int opened_release(lua_State *L) {
  opened *o = lua_touserdata(L, 1);
  if (o->object >= 0 && H5Iget_type(o->object) == H5I_ATTR)
    H5Aclose(o->object);
  else if (o->object >= 0)
    H5Oclose(o->object);
  if (o->properties >= 0)
    H5Pclose(o->properties);
  if (o->space >= 0)
    H5Sclose(o->space);
  if (o->type >= 0)
    H5Tclose(o->type);
  free(o->data);
  *o = (opened){-1, -1, -1, -1, NULL};
  H5Eclear2(H5E_DEFAULT);
  return 0;
}

/* libhdf5 does not survive that memory fails: what a call may need is asked for before. */
#define CALL_BYTES ((size_t)2 << 20)

static void check_memory(lua_State *L) {
  void *room = malloc(CALL_BYTES);
  if (!room)
    cusp_hdf5_fail(L, "out of memory");
  free(room);
}

static opened *push_opened(lua_State *L) {
  check_memory(L);
  opened *o = lua_newuserdatauv(L, sizeof *o, 0);
  *o = (opened){-1, -1, -1, -1, NULL};
  if (luaL_newmetatable(L, "cusp.hdf5.opened")) {
    lua_pushcfunction(L, opened_release);
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
  return o;
}

static int raise(lua_State *L, const char *what) {
  const char *reason = cusp_hdf5_reason();
  return cusp_hdf5_fail(L, "%s%s%s", what, *reason ? ": " : "", reason);
}

static hid_t check(lua_State *L, hid_t id, const char *what) {
  if (id < 0)
    raise(L, what);
  return id;
}

static new_file *check_file(lua_State *L) {
  new_file *f = luaL_checkudata(L, 1, CLASS);
  if (f->file < 0)
    cusp_hdf5_fail(L, "the file has been closed");
  return f;
}

/* ------------------------------------------------------------------ types and spaces */

static hid_t boolean_type(void) {
  signed char no = 0, yes = 1;
  hid_t type = H5Tenum_create(H5T_STD_I8LE);
  H5Tenum_insert(type, "FALSE", &no);
  H5Tenum_insert(type, "TRUE", &yes);
  return type;
}

static hid_t float16_type(void) {
  hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(type, 15, 10, 5, 0, 10);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, 15);
  return type;
}

/* As h5py writes ml_dtypes' bfloat16. */
static hid_t bfloat16_type(void) {
  hid_t type = H5Tcreate(H5T_OPAQUE, 2);
  H5Tset_tag(type, "");
  return type;
}

static hid_t number_type(lua_State *L, const char *dtype) {
  const struct {
    const char *dtype;
    hid_t type;
  } known[] = {{"int8", H5T_STD_I8LE},     {"int16", H5T_STD_I16LE},  {"int32", H5T_STD_I32LE},
               {"int64", H5T_STD_I64LE},   {"uint8", H5T_STD_U8LE},   {"uint16", H5T_STD_U16LE},
               {"uint32", H5T_STD_U32LE},  {"uint64", H5T_STD_U64LE}, {"float32", H5T_IEEE_F32LE},
               {"float64", H5T_IEEE_F64LE}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(dtype, known[i].dtype))
      return H5Tcopy(known[i].type);
  if (!strcmp(dtype, "bool"))
    return boolean_type();
  if (!strcmp(dtype, "float16"))
    return float16_type();
  return !strcmp(dtype, "bfloat16") ? bfloat16_type()
                                    : cusp_hdf5_fail(L, "there is no type for dtype %s", dtype);
}

/* "utf8" or "ascii" at `index`; at the next one the size of fixed strings, or nil for variable
 * ones. */
static hid_t string_type(lua_State *L, int index) {
  bool utf8 = !strcmp(luaL_checkstring(L, index), "utf8"), fixed = !lua_isnoneornil(L, index + 1);
  hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, fixed ? (size_t)luaL_checkinteger(L, index + 1) : H5T_VARIABLE);
  H5Tset_strpad(type, fixed ? H5T_STR_NULLPAD : H5T_STR_NULLTERM);
  H5Tset_cset(type, utf8 ? H5T_CSET_UTF8 : H5T_CSET_ASCII);
  return type;
}

/* A list of sizes at `index` ({}: a scalar) into `sizes`; returns how many. */
static int check_sizes(lua_State *L, int index, hsize_t *sizes) {
  luaL_checktype(L, index, LUA_TTABLE);
  int axes = (int)lua_rawlen(L, index);
  luaL_argcheck(L, axes <= H5S_MAX_RANK, index, "too many axes");
  for (int i = 0; i < axes; i++) {
    lua_rawgeti(L, index, i + 1);
    sizes[i] = (hsize_t)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
  }
  return axes;
}

static hid_t check_space(lua_State *L, int index) {
  hsize_t sizes[H5S_MAX_RANK];
  int axes = check_sizes(L, index, sizes);
  return check(L, axes == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(axes, sizes, NULL),
               "its shape is not accepted");
}

/* ------------------------------------------------------------------ values of strings */

/* The strings of the list at `index`, of `count`, as libhdf5 wants them: pointers, or `fixed` bytes
 * each, padded with NUL. */
static void *string_values(lua_State *L, int index, size_t count, size_t fixed) {
  char *data = calloc(count > 0 ? count : 1, fixed ? fixed : sizeof(char *));
  for (size_t i = 0; data && i < count; i++) {
    size_t length;
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    const char *text = lua_tolstring(L, -1, &length); /* the list keeps it */
    if (fixed)
      memcpy(data + i * fixed, text, length < fixed ? length : fixed);
    else
      ((const char **)data)[i] = text;
    lua_pop(L, 1);
  }
  return data;
}

static void take_strings(lua_State *L, opened *o, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  size_t count = lua_rawlen(L, index),
         fixed = H5Tis_variable_str(o->type) > 0 ? 0 : H5Tget_size(o->type);
  hssize_t room = H5Sget_simple_extent_npoints(o->space);
  luaL_argcheck(L, room >= 0 && (size_t)room == count, index,
                "expected as many strings as the shape has places");
  for (size_t i = 1; i <= count; i++) {
    luaL_argcheck(L, lua_rawgeti(L, index, (lua_Integer)i) == LUA_TSTRING, index,
                  "expected strings");
    lua_pop(L, 1);
  }
  o->data = string_values(L, index, count, fixed);
  if (!o->data)
    cusp_hdf5_fail(L, "out of memory");
}

/* ------------------------------------------------------------------ methods */

/** file:group(path) */
static int new_group(lua_State *L) {
  new_file *f = check_file(L);
  const char *path = luaL_checkstring(L, 2);
  opened *o = push_opened(L);
  o->object = check(L, H5Gcreate2(f->file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                    "it cannot be created");
  return 0;
}

/* Makes the dataset from the type and space that are there. Its storage is taken at once and never
 * filled: the caller fills it. */
static void make_dataset(lua_State *L, opened *o, hid_t file, const char *path, bool early) {
  H5Pset_obj_track_times(o->properties, false);
  if (early) {
    H5Pset_alloc_time(o->properties, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(o->properties, H5D_FILL_TIME_NEVER);
  }
  o->object =
      check(L, H5Dcreate2(file, path, o->type, o->space, H5P_DEFAULT, o->properties, H5P_DEFAULT),
            "it cannot be created");
}

/** file:dataset(path, dtype, shape) → where its numbers go; nil where it has none */
static int new_dataset(lua_State *L) {
  new_file *f = check_file(L);
  const char *path = luaL_checkstring(L, 2), *dtype = luaL_checkstring(L, 3);
  opened *o = push_opened(L);
  o->space = check_space(L, 4);
  o->type = number_type(L, dtype);
  o->properties = H5Pcreate(H5P_DATASET_CREATE);
  make_dataset(L, o, f->file, path, true);
  haddr_t offset = H5Dget_offset(o->object);
  if (offset == HADDR_UNDEF)
    lua_pushnil(L);
  else
    lua_pushinteger(L, (lua_Integer)offset);
  return 1;
}

/** file:chunked_dataset(path, dtype, shape, chunk, filters, level): filters is a list of "shuffle",
 * "gzip", "fletcher32" in this order */
static int new_chunked_dataset(lua_State *L) {
  new_file *f = check_file(L);
  const char *path = luaL_checkstring(L, 2), *dtype = luaL_checkstring(L, 3);
  hsize_t chunk[H5S_MAX_RANK];
  int axes = check_sizes(L, 5, chunk);
  luaL_checktype(L, 6, LUA_TTABLE);
  unsigned level = (unsigned)luaL_checkinteger(L, 7);
  opened *o = push_opened(L);
  o->space = check_space(L, 4);
  o->type = number_type(L, dtype);
  o->properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(o->properties, axes, chunk);
  for (size_t i = 1; i <= lua_rawlen(L, 6); i++) {
    lua_rawgeti(L, 6, (lua_Integer)i);
    const char *filter = luaL_checkstring(L, -1);
    if (!strcmp(filter, "shuffle"))
      H5Pset_shuffle(o->properties);
    else if (!strcmp(filter, "gzip"))
      H5Pset_deflate(o->properties, level);
    else
      H5Pset_fletcher32(o->properties);
  }
  make_dataset(L, o, f->file, path, false);
  return 0;
}

/** file:chunk(path, start, bytes) → where these bytes of the chunk that starts at an element
 * (counted from 0) go */
static int new_chunk(lua_State *L) {
  new_file *f = check_file(L);
  const char *path = luaL_checkstring(L, 2);
  hsize_t start[H5S_MAX_RANK];
  size_t bytes;
  check_sizes(L, 3, start);
  const char *data = luaL_checklstring(L, 4, &bytes);
  opened *o = push_opened(L);
  o->object = check(L, H5Dopen2(f->file, path, H5P_DEFAULT), "it cannot be opened");
  cusp_hdf5_pages_note_places(f->pages, true);
  herr_t status = H5Dwrite_chunk(o->object, H5P_DEFAULT, 0, start, bytes, data);
  cusp_hdf5_place place = cusp_hdf5_pages_noted_place(f->pages);
  cusp_hdf5_pages_note_places(f->pages, false);
  if (status < 0 || !place.known || place.bytes != bytes)
    raise(L, "a chunk cannot be written");
  lua_pushinteger(L, (lua_Integer)place.offset);
  return 1;
}

/** file:string_dataset(path, strings, shape, charset[, size]) */
static int new_string_dataset(lua_State *L) {
  new_file *f = check_file(L);
  const char *path = luaL_checkstring(L, 2);
  opened *o = push_opened(L);
  o->space = check_space(L, 4);
  o->type = string_type(L, 5);
  take_strings(L, o, 3);
  o->properties = H5Pcreate(H5P_DATASET_CREATE);
  make_dataset(L, o, f->file, path, false);
  if (H5Sget_simple_extent_npoints(o->space) > 0 &&
      H5Dwrite(o->object, o->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, o->data) < 0)
    raise(L, "its strings cannot be written");
  return 0;
}

/* Makes the attribute in place of one of that name. */
static void make_attribute(lua_State *L, opened *o, hid_t parent, const char *name,
                           const void *data) {
  if (H5Aexists(parent, name) > 0)
    H5Adelete(parent, name);
  o->object = H5Acreate2(parent, name, o->type, o->space, H5P_DEFAULT, H5P_DEFAULT);
  if (o->object < 0 || H5Awrite(o->object, o->type, data) < 0)
    raise(L, "it cannot be written");
}

static void open_parent(lua_State *L, opened *o, hid_t file) {
  o->object =
      check(L, H5Oopen(file, luaL_checkstring(L, 2), H5P_DEFAULT), "its object cannot be opened");
}

/** file:string_attribute(path, name, strings, shape, charset[, size]) */
static int new_string_attribute(lua_State *L) {
  new_file *f = check_file(L);
  const char *name = luaL_checkstring(L, 3);
  opened *parent = push_opened(L), *o = push_opened(L);
  open_parent(L, parent, f->file);
  o->space = check_space(L, 5);
  o->type = string_type(L, 6);
  take_strings(L, o, 4);
  make_attribute(L, o, parent->object, name, o->data);
  return 0;
}

/** file:attribute(path, name, bytes, dtype, shape): bytes of the numbers in this machine's order */
static int new_attribute(lua_State *L) {
  new_file *f = check_file(L);
  size_t bytes;
  const char *name = luaL_checkstring(L, 3), *data = luaL_checklstring(L, 4, &bytes),
             *dtype = luaL_checkstring(L, 5);
  opened *parent = push_opened(L), *o = push_opened(L);
  open_parent(L, parent, f->file);
  o->space = check_space(L, 6);
  o->type = number_type(L, dtype);
  hssize_t count = H5Sget_simple_extent_npoints(o->space);
  luaL_argcheck(L, count >= 0 && (size_t)count * H5Tget_size(o->type) == bytes, 4,
                "bytes do not fit the shape");
  make_attribute(L, o, parent->object, name, data);
  return 0;
}

/** file:finish() → the size of the file: it is laid out, and nothing can be added any more */
static int finish(lua_State *L) {
  new_file *f = check_file(L);
  check_memory(L);
  hid_t file = f->file;
  f->file = -1;
  herr_t status = H5Fclose(file);
  if (cusp_hdf5_pages_failed(f->pages))
    cusp_hdf5_fail(L, "out of memory");
  if (status < 0)
    raise(L, "libhdf5 cannot finish it");
  lua_pushinteger(L, (lua_Integer)cusp_hdf5_pages_end(f->pages));
  return 1;
}

/** file:page(offset) → the next written page at or after an offset: its offset and its bytes;
 * nothing at the end */
static int next_page(lua_State *L) {
  new_file *f = luaL_checkudata(L, 1, CLASS);
  uint64_t offset = (uint64_t)luaL_checkinteger(L, 2);
  size_t bytes;
  const void *page = f->pages ? cusp_hdf5_pages_next(f->pages, &offset, &bytes) : NULL;
  if (!page)
    return 0;
  lua_pushinteger(L, (lua_Integer)offset);
  lua_pushlstring(L, page, bytes);
  return 2;
}

static int new_file_release(lua_State *L) {
  new_file *f = luaL_checkudata(L, 1, CLASS);
  if (f->file >= 0)
    H5Fclose(f->file);
  H5Eclear2(H5E_DEFAULT);
  cusp_hdf5_pages_free(f->pages);
  *f = (new_file){NULL, -1};
  return 0;
}

static void push_class(lua_State *L) {
  static const luaL_Reg methods[] = {{"group", new_group},
                                     {"dataset", new_dataset},
                                     {"chunked_dataset", new_chunked_dataset},
                                     {"chunk", new_chunk},
                                     {"string_dataset", new_string_dataset},
                                     {"string_attribute", new_string_attribute},
                                     {"attribute", new_attribute},
                                     {"finish", finish},
                                     {"page", next_page},
                                     {"release", new_file_release},
                                     {"__gc", new_file_release},
                                     {NULL, NULL}};
  if (luaL_newmetatable(L, CLASS)) {
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
  }
}

int cusp_hdf5_create(lua_State *L) {
  new_file *f = lua_newuserdatauv(L, sizeof *f, 0);
  *f = (new_file){NULL, -1};
  push_class(L);
  lua_setmetatable(L, -2);
  check_memory(L);
  f->pages = cusp_hdf5_pages_new();
  f->file = f->pages ? cusp_hdf5_create_on(f->pages) : -1;
  if (f->file < 0)
    raise(L, "a new HDF5 file cannot be made");
  return 1;
}
