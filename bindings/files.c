/* cusp.engine.files: readers with checked ranges, writers that replace a file whole, checksums, and
 * the few functions on folders. */
#include "binding.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char reader_kind[] = "cusp.FileReader", writer_kind[] = "cusp.FileWriter";

typedef struct reader_box {
  const void *kind;
  cusp_file *file; /* NULL: closed */
} reader_box;

typedef struct writer_box {
  const void *kind;
  cusp_writer *writer; /* NULL: committed or aborted */
} writer_box;

/* ------------------------------------------------------------------ arguments */

static const char *check_path(lua_State *L, int index, const char *function) {
  size_t length;
  const char *path = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &length) : NULL;
  if (!path)
    cusp_lua_error(L, "%s: expected a path, got %s", function, cusp_lua_got(L, index));
  if (strlen(path) != length)
    cusp_lua_error(L, "%s: a path cannot hold a zero byte, got %s", function,
                   cusp_lua_got(L, index));
  return path;
}

/* An integer of 0 or more. */
static uint64_t check_count(lua_State *L, int index, const char *what, const char *function) {
  int exact = 0;
  lua_Integer count = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &exact) : 0;
  if (!exact || count < 0)
    cusp_lua_error(L, "%s: %s should be an integer of 0 or more, got %s", function, what,
                   cusp_lua_got(L, index));
  return (uint64_t)count;
}

/** The bytes of a string, or of a tensor in row-major order; `copy` holds them where the tensor's
 * own do not lie so. */
typedef struct bytes_of {
  const void *data;
  size_t count;
  cusp_array copy;
} bytes_of;

/* Raises for anything else than a string or a tensor; computes the tensor. Nothing is held yet that
 * would leak. */
static void check_bytes(lua_State *L, int index, const char *function) {
  if (lua_type(L, index) == LUA_TSTRING)
    return;
  if (!cusp_lua_test_tensor(L, index) && !cusp_lua_test_variable(L, index))
    cusp_lua_error(L, "%s: expected a string or a tensor, got %s", function,
                   cusp_lua_got(L, index));
  cusp_lua_check_numbers(L, index, function);
}

/* After check_bytes. Release out->copy afterwards. Raises nothing. */
static cusp_status get_bytes(bytes_of *out, lua_State *L, int index, bool big_endian) {
  *out = (bytes_of){0};
  if (lua_type(L, index) == LUA_TSTRING) {
    out->data = lua_tolstring(L, index, &out->count);
    return CUSP_OK;
  }
  const cusp_array *value = &cusp_lua_test_tensor(L, index)->node->value;
  size_t elements = (size_t)cusp_array_count(value), element = cusp_dtype_size(value->dtype);
  bool swapped = element > 1 && big_endian == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  out->count = elements * element;
  out->data = value->data;
  if (!swapped && cusp_array_is_contiguous(value))
    return CUSP_OK;
  CUSP_TRY(cusp_array_new(&out->copy, value->dtype, &value->shape));
  cusp_array_copy(&out->copy, value);
  if (swapped)
    cusp_reverse_bytes(out->copy.data, elements, element);
  out->data = out->copy.data;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ readers */

cusp_file *cusp_lua_check_file(lua_State *L, int index, const char *function) {
  reader_box *box = cusp_lua_test(L, index, reader_kind);
  if (!box || !box->file)
    cusp_lua_error(L, "%s: expected a file's reader, got %s", function,
                   box ? "one that has been closed" : cusp_lua_got(L, index));
  return box->file;
}

static reader_box *check_reader(lua_State *L, const char *function) {
  cusp_lua_check_file(L, 1, function);
  return lua_touserdata(L, 1);
}

/** files.open(path): a reader of a regular file. */
static int open_reader(lua_State *L) {
  const char *path = check_path(L, 1, "files.open");
  reader_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (reader_box){reader_kind, NULL};
  luaL_setmetatable(L, reader_kind);
  cusp_status status = cusp_file_open(&box->file, path);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "");
}

static int reader_close(lua_State *L) {
  reader_box *box = cusp_lua_test(L, 1, reader_kind);
  if (box) {
    cusp_file_close(box->file);
    box->file = NULL;
  }
  return 0;
}

/** reader:read(offset, count): the bytes there. */
static int reader_read(lua_State *L) {
  reader_box *box = check_reader(L, "read");
  uint64_t offset = check_count(L, 2, "the offset", "read"),
           count = check_count(L, 3, "the count", "read");
  cusp_status status = cusp_file_check_range(box->file, offset, count);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, NULL);
  luaL_Buffer buffer;
  char *to = luaL_buffinitsize(L, &buffer, (size_t)count);
  status = cusp_file_read(box->file, to, offset, (size_t)count);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, NULL);
  luaL_pushresultsize(&buffer, (size_t)count);
  return 1;
}

/**
 * reader:tensor(offset, dtype, shape[, big_endian[, checksum]]): the tensor stored there in
 * row-major order, and, where `checksum` is true, the CRC-32C of its bytes as they are
 * stored. */
static int reader_tensor(lua_State *L) {
  reader_box *box = check_reader(L, "tensor");
  uint64_t offset = check_count(L, 2, "the offset", "tensor");
  cusp_dtype dtype = cusp_lua_check_dtype(L, 3, "tensor");
  bool big_endian = lua_toboolean(L, 5), summed = lua_toboolean(L, 6);
  cusp_shape shape;
  cusp_status status = cusp_lua_to_shape(&shape, L, 4);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, cusp_fail_prefix(status, "%s: ", cusp_file_path(box->file)), NULL);
  cusp_lua_tensor *tensor = cusp_lua_new_tensor(L);
  cusp_array array;
  uint32_t crc = 0;
  status = cusp_file_read_array(&array, box->file, offset, dtype, &shape, big_endian,
                                summed ? &crc : NULL);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, NULL);
  status = cusp_lua_fill_array(tensor, &array);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, "tensor");
  if (!summed)
    return 1;
  lua_pushinteger(L, crc);
  return 2;
}

/** reader:crc32c(offset, count): the checksum of the bytes there. */
static int reader_crc32c(lua_State *L) {
  reader_box *box = check_reader(L, "crc32c");
  uint32_t crc = 0;
  uint64_t offset = check_count(L, 2, "the offset", "crc32c"),
           count = check_count(L, 3, "the count", "crc32c");
  cusp_status status = cusp_file_crc32c(&crc, box->file, offset, count);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, NULL);
  lua_pushinteger(L, crc);
  return 1;
}

/* Fields: size, path, descriptor; otherwise a method. */
static int reader_index(lua_State *L) {
  reader_box *box = cusp_lua_test(L, 1, reader_kind);
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (box && box->file && !strcmp(key, "size"))
    lua_pushinteger(L, (lua_Integer)cusp_file_size(box->file));
  else if (box && box->file && !strcmp(key, "path"))
    lua_pushstring(L, cusp_file_path(box->file));
  else if (box && box->file && !strcmp(key, "descriptor"))
    lua_pushinteger(L, cusp_file_descriptor(box->file));
  else {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
  }
  return 1;
}

/* ------------------------------------------------------------------ writers */

static writer_box *check_writer(lua_State *L, int index, const char *function) {
  writer_box *box = cusp_lua_test(L, index, writer_kind);
  if (!box || !box->writer)
    cusp_lua_error(L, "%s: expected a file's writer, got %s", function,
                   box ? "one that was committed or aborted" : cusp_lua_got(L, index));
  return box;
}

/** files.create(path): a writer of a file that replaces `path` when it is committed. */
static int create(lua_State *L) {
  const char *path = check_path(L, 1, "files.create");
  writer_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (writer_box){writer_kind, NULL};
  luaL_setmetatable(L, writer_kind);
  cusp_status status = cusp_writer_new(&box->writer, path);
  return status == CUSP_OK ? 1 : cusp_lua_raise(L, status, "files.create");
}

/* abort, __gc and __close. */
static int writer_abort(lua_State *L) {
  writer_box *box = cusp_lua_test(L, 1, writer_kind);
  if (box) {
    cusp_writer_free(box->writer);
    box->writer = NULL;
  }
  return 0;
}

/** writer:lend(): the file will be read under its hidden name, and never be committed. */
static int writer_lend(lua_State *L) {
  cusp_writer_lend(check_writer(L, 1, "lend")->writer);
  return 0;
}

/** writer:write(string_or_tensor, ...): appends; returns the writer. */
static int writer_write(lua_State *L) {
  writer_box *box = check_writer(L, 1, "write");
  int last = lua_gettop(L);
  for (int i = 2; i <= last; i++)
    check_bytes(L, i, "write");
  for (int i = 2; i <= last; i++) {
    bytes_of bytes;
    cusp_status status = get_bytes(&bytes, L, i, false);
    if (status == CUSP_OK)
      status = cusp_writer_write(box->writer, bytes.data, bytes.count);
    cusp_array_release(&bytes.copy);
    if (status != CUSP_OK)
      return cusp_lua_raise(L, status, NULL);
  }
  lua_settop(L, 1);
  return 1;
}

/** writer:write_at(offset, string_or_tensor[, big_endian]): writes there; what is appended does not
 * move. */
static int writer_write_at(lua_State *L) {
  writer_box *box = check_writer(L, 1, "write_at");
  uint64_t offset = check_count(L, 2, "the offset", "write_at");
  bool big_endian = lua_toboolean(L, 4);
  check_bytes(L, 3, "write_at");
  bytes_of bytes;
  cusp_status status = get_bytes(&bytes, L, 3, big_endian);
  if (status == CUSP_OK)
    status = cusp_writer_write_at(box->writer, offset, bytes.data, bytes.count);
  cusp_array_release(&bytes.copy);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, NULL);
  lua_settop(L, 1);
  return 1;
}

/* What was committed is done with; the others, after a failure, are removed. */
static int finish(lua_State *L, int count, cusp_writer **writers) {
  cusp_status status = cusp_writer_commit(count, writers);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, NULL);
  return 0;
}

/** writer:commit(): syncs the file and puts it in its place. */
static int writer_commit(lua_State *L) {
  writer_box *box = check_writer(L, 1, "commit");
  finish(L, 1, &box->writer);
  return writer_abort(L);
}

/** writer:sync(): its bytes are on the disk afterwards, under the hidden name still. */
static int writer_sync(lua_State *L) {
  cusp_status status = cusp_writer_sync(check_writer(L, 1, "sync")->writer);
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, NULL);
}

/** writer:place(): syncs the file and puts it in its place; files.sync_folder_of(path) after
 * several. */
static int writer_place(lua_State *L) {
  cusp_status status = cusp_writer_place(check_writer(L, 1, "place")->writer);
  return status == CUSP_OK ? writer_abort(L) : cusp_lua_raise(L, status, NULL);
}

/** files.commit{writer, ...}: syncs all, then puts one after another in its place. */
static int commit(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  int count = (int)luaL_len(L, 1);
  cusp_writer **writers = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *writers, 0);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, i + 1);
    writers[i] = check_writer(L, 3, "files.commit")->writer;
    lua_settop(L, 2);
  }
  finish(L, count, writers);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, 1, i);
    writer_box *box = cusp_lua_test(L, 3, writer_kind);
    cusp_writer_free(box->writer); /* a writer listed twice was freed and emptied the first time */
    box->writer = NULL;
    lua_settop(L, 2);
  }
  return 0;
}

/* Fields: position, path, temporary; otherwise a method. */
static int writer_index(lua_State *L) {
  writer_box *box = cusp_lua_test(L, 1, writer_kind);
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (box && box->writer && !strcmp(key, "position"))
    lua_pushinteger(L, (lua_Integer)cusp_writer_position(box->writer));
  else if (box && box->writer && !strcmp(key, "path"))
    lua_pushstring(L, cusp_writer_path(box->writer));
  else if (box && box->writer && !strcmp(key, "temporary"))
    lua_pushstring(L, cusp_writer_temporary(box->writer));
  else {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
  }
  return 1;
}

/* ------------------------------------------------------------------ checksums */

/* Leaves the checksum of argument 1, continued from argument 2, in *crc. */
static void sum(lua_State *L, uint32_t *crc, const char *function) {
  *crc =
      lua_isnoneornil(L, 2) ? 0 : (uint32_t)check_count(L, 2, "the checksum to continue", function);
  check_bytes(L, 1, function);
  bytes_of bytes;
  cusp_status status = get_bytes(&bytes, L, 1, false);
  if (status == CUSP_OK)
    *crc = cusp_crc32c(*crc, bytes.data, bytes.count);
  cusp_array_release(&bytes.copy);
  if (status != CUSP_OK)
    cusp_lua_raise(L, status, function);
}

/** files.crc32c(string_or_tensor[, seed]): CRC-32C; `seed` is the checksum of what came before. */
static int crc32c(lua_State *L) {
  uint32_t crc;
  sum(L, &crc, "files.crc32c");
  lua_pushinteger(L, crc);
  return 1;
}

/** files.masked_crc32c(string_or_tensor[, seed]): as TensorFlow's files store it. */
static int masked_crc32c(lua_State *L) {
  uint32_t crc;
  sum(L, &crc, "files.masked_crc32c");
  lua_pushinteger(L, cusp_crc32c_mask(crc));
  return 1;
}

/* ------------------------------------------------------------------ folders */

static int raise_errno(lua_State *L, const char *function, const char *path) {
  return cusp_lua_error(L, "%s: %s: %s", function, path, strerror(errno));
}

/** files.make_directories(path): with those above it. */
static int make_directories(lua_State *L) {
  cusp_status status = cusp_make_directories(check_path(L, 1, "files.make_directories"));
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "files.make_directories");
}

static int exists(lua_State *L) {
  struct stat info;
  lua_pushboolean(L, stat(check_path(L, 1, "files.exists"), &info) == 0);
  return 1;
}

/** files.real_path(path): the path without links and steps up, or nil where there is nothing. */
static int real_path(lua_State *L) {
  char *path = realpath(check_path(L, 1, "files.real_path"), NULL);
  char copy[PATH_MAX];
  if (path)
    snprintf(copy, sizeof copy, "%s", path);
  free(path);
  if (path)
    lua_pushstring(L, copy);
  else
    lua_pushnil(L);
  return 1;
}

static int is_directory(lua_State *L) {
  struct stat info;
  lua_pushboolean(L, stat(check_path(L, 1, "files.is_directory"), &info) == 0 &&
                         S_ISDIR(info.st_mode));
  return 1;
}

/** files.modified(path): seconds since 1970, or nil where there is no such file. */
static int modified(lua_State *L) {
  struct stat info;
  if (stat(check_path(L, 1, "files.modified"), &info) == 0)
    lua_pushnumber(L, (lua_Number)info.st_mtim.tv_sec + (lua_Number)info.st_mtim.tv_nsec * 1e-9);
  else
    lua_pushnil(L);
  return 1;
}

/** files.remove(path): a file or an empty folder; false where there is none. */
static int remove_path(lua_State *L) {
  const char *path = check_path(L, 1, "files.remove");
  int failed = remove(path) != 0;
  if (failed && errno != ENOENT)
    return raise_errno(L, "files.remove", path);
  lua_pushboolean(L, !failed);
  return 1;
}

/** files.sync_folder_of(path): renames and removals in the folder that holds `path` are on the disk
 * afterwards. */
static int sync_folder_of(lua_State *L) {
  cusp_status status = cusp_sync_folder_of(check_path(L, 1, "files.sync_folder_of"));
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "files.sync_folder_of");
}

/** files.rename(from, to): replaces `to`; the folder is synced. */
static int rename_path(lua_State *L) {
  const char *from = check_path(L, 1, "files.rename"), *to = check_path(L, 2, "files.rename");
  if (rename(from, to) != 0)
    return cusp_lua_error(L, "files.rename: %s to %s: %s", from, to, strerror(errno));
  cusp_status status = cusp_sync_folder_of(to);
  return status == CUSP_OK ? 0 : cusp_lua_raise(L, status, "files.rename");
}

/** files.link(from, to): a second name of one file, in place of the file that has it; false where
 * the file system has no such thing. */
static int link_path(lua_State *L) {
  cusp_status status =
      cusp_link_over(check_path(L, 1, "files.link"), check_path(L, 2, "files.link"));
  if (status != CUSP_OK && status != CUSP_EUNSUPPORTED)
    return cusp_lua_raise(L, status, "files.link");
  lua_pushboolean(L, status == CUSP_OK);
  return 1;
}

/* The names in an open folder, sorted. The folder is closed by the caller, whatever happens
 * here. */
static int read_names(lua_State *L) {
  DIR *folder = lua_touserdata(L, 1);
  lua_newtable(L);
  lua_Integer count = 0;
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    lua_pushstring(L, entry->d_name);
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

/** files.list(path): the names in a folder, hidden ones too, sorted by their bytes. */
static int list(lua_State *L) {
  const char *path = check_path(L, 1, "files.list");
  luaL_checkstack(L, 8, NULL);
  lua_pushcfunction(L, read_names);
  DIR *folder = opendir(path);
  if (!folder)
    return raise_errno(L, "files.list", path);
  lua_pushlightuserdata(L, folder);
  int status = lua_pcall(L, 1, 1, 0);
  closedir(folder);
  if (status != LUA_OK)
    return lua_error(L);
  lua_getglobal(L, "table");
  lua_getfield(L, -1, "sort");
  lua_pushvalue(L, -3);
  lua_call(L, 1, 0);
  lua_pop(L, 1);
  return 1;
}

/** files.fail_after(bytes): writers fail as on a full disk after that many more bytes; 0: they do
 * not. For specs. */
static int fail_after(lua_State *L) {
  cusp_writer_fail_after(check_count(L, 1, "the number of bytes", "files.fail_after"));
  return 0;
}

/* ------------------------------------------------------------------ opening */

/* The class `kind`, whose fields come from `index` before its methods. Leaves nothing. */
static void new_class(lua_State *L, const char *kind, const luaL_Reg *metamethods,
                      const luaL_Reg *methods, lua_CFunction index) {
  cusp_lua_new_class(L, kind, metamethods, methods);
  lua_getfield(L, -1, "__index");
  lua_pushcclosure(L, index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void cusp_lua_open_files(lua_State *L) {
  static const luaL_Reg reader_metamethods[] = {
      {"__gc", reader_close}, {"__close", reader_close}, {NULL, NULL}};
  static const luaL_Reg reader_methods[] = {{"read", reader_read},
                                            {"tensor", reader_tensor},
                                            {"crc32c", reader_crc32c},
                                            {"close", reader_close},
                                            {NULL, NULL}};
  static const luaL_Reg writer_metamethods[] = {
      {"__gc", writer_abort}, {"__close", writer_abort}, {NULL, NULL}};
  static const luaL_Reg writer_methods[] = {{"write", writer_write}, {"write_at", writer_write_at},
                                            {"lend", writer_lend},   {"commit", writer_commit},
                                            {"sync", writer_sync},   {"place", writer_place},
                                            {"abort", writer_abort}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"open", open_reader},
                                       {"create", create},
                                       {"commit", commit},
                                       {"crc32c", crc32c},
                                       {"masked_crc32c", masked_crc32c},
                                       {"make_directories", make_directories},
                                       {"exists", exists},
                                       {"is_directory", is_directory},
                                       {"real_path", real_path},
                                       {"list", list},
                                       {"remove", remove_path},
                                       {"rename", rename_path},
                                       {"link", link_path},
                                       {"sync_folder_of", sync_folder_of},
                                       {"modified", modified},
                                       {"fail_after", fail_after},
                                       {NULL, NULL}};
  new_class(L, reader_kind, reader_metamethods, reader_methods, reader_index);
  new_class(L, writer_kind, writer_metamethods, writer_methods, writer_index);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "files");
}
