/* Writing archives: members are named and kept until finish() writes them all, one after another,
 * into the file that is there. */
#include "zip.h"

#include "../lent.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define WRITER "cusp.zip.Writer"

/* 1 January 1980, 00:00:00, the first moment that the format knows: archives of equal members are
 * equal. */
enum { FIRST_DATE = 1 << 5 | 1, FIRST_TIME = 0, PERMISSIONS = 0100644 };

typedef struct writer {
  zip_t *archive;
  cusp_zip_file *file; /* owned by the archive */
} writer;

/** discard(): forgets everything; the file stays as it is. */
static int writer_discard(lua_State *L) {
  writer *w = luaL_checkudata(L, 1, WRITER);
  if (w->archive)
    zip_discard(w->archive);
  w->archive = NULL;
  return 0;
}

static writer *check_writer(lua_State *L) {
  writer *w = luaL_checkudata(L, 1, WRITER);
  luaL_argcheck(L, w->archive, 1, "the archive is closed");
  return w;
}

/** create(path): an archive in a file that is there, of which nothing is kept. */
int cusp_zip_open_writer(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  writer *w = lua_newuserdatauv(L, sizeof *w, 1);
  *w = (writer){0};
  luaL_setmetatable(L, WRITER);
  lua_newtable(L); /* what members are made of lives until the archive is written */
  lua_setiuservalue(L, -2, 1);
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = cusp_zip_open_file(&w->file, path, CUSP_ZIP_WRITE, &error);
  if (source == NULL)
    return cusp_zip_failed(L, &error);
  w->archive = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error);
  if (w->archive)
    return 1;
  zip_source_free(source);
  return cusp_zip_failed(L, &error);
}

/** Adds the source, which is taken over, as a member; pushes true, or nil and the reason. */
static int add_source(lua_State *L, writer *w, const char *name, zip_source_t *source,
                      bool compress) {
  zip_int64_t index = zip_file_add(w->archive, name, source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    return cusp_zip_refused(L, "%s", zip_strerror(w->archive));
  }
  zip_uint64_t member = (zip_uint64_t)index;
  if (zip_set_file_compression(w->archive, member, compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) !=
          0 ||
      zip_file_set_dostime(w->archive, member, FIRST_TIME, FIRST_DATE, 0) != 0 ||
      zip_file_set_external_attributes(w->archive, member, 0, ZIP_OPSYS_UNIX,
                                       (zip_uint32_t)PERMISSIONS << 16) != 0)
    return cusp_zip_refused(L, "%s", zip_strerror(w->archive));
  lua_pushboolean(L, 1);
  return 1;
}

enum { MOST_PIECES = 8 };

/** The bytes of a string or a lent tensor at `index`, kept from now on in the writer's list. */
static zip_buffer_fragment_t keep_piece(lua_State *L, int index) {
  zip_buffer_fragment_t piece = {0};
  const cusp_lent *lent = luaL_testudata(L, index, CUSP_LENT);
  size_t size = 0;
  const void *bytes = lent ? lent->bytes : luaL_checklstring(L, index, &size);
  piece.data = (zip_uint8_t *)bytes;
  piece.length = lent ? lent->size : size;
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
  return piece;
}

/** add(name, compress, piece, ...): the member is the pieces (strings, lent tensors) one after
 * another; they are not copied. */
static int writer_add(lua_State *L) {
  writer *w = check_writer(L);
  const char *name = luaL_checkstring(L, 2);
  bool compress = lua_toboolean(L, 3);
  int count = lua_gettop(L) - 3;
  luaL_argcheck(L, count <= MOST_PIECES, 4, "too many pieces");
  zip_buffer_fragment_t pieces[MOST_PIECES];
  for (int i = 0; i < count; i++)
    pieces[i] = keep_piece(L, 4 + i);
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = zip_source_buffer_fragment_create(pieces, (zip_uint64_t)count, 0, &error);
  if (source == NULL)
    return cusp_zip_failed(L, &error);
  return add_source(L, w, name, source, compress);
}

/** add_file(name, path, compress): the file is open from now on and may be removed. */
static int writer_add_file(lua_State *L) {
  writer *w = check_writer(L);
  const char *name = luaL_checkstring(L, 2), *path = luaL_checkstring(L, 3);
  bool compress = lua_toboolean(L, 4);
  cusp_zip_file *file;
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = cusp_zip_open_file(&file, path, CUSP_ZIP_READ, &error);
  if (source == NULL)
    return cusp_zip_failed(L, &error);
  return add_source(L, w, name, source, compress);
}

/** An archive without members is its end record alone, which libzip would rather not write. */
static bool write_empty(writer *w) {
  static const char end_record[22] = {'P', 'K', 5, 6};
  return cusp_zip_file_overwrite(w->file, end_record, sizeof end_record) == 0;
}

/** finish(): writes everything. true, or nil and the reason. */
static int writer_finish(lua_State *L) {
  writer *w = check_writer(L);
  if (zip_get_num_entries(w->archive, 0) == 0) {
    bool written = write_empty(w);
    int reason = errno;
    writer_discard(L);
    if (!written)
      return cusp_zip_refused(L, "%s", strerror(reason));
  } else if (zip_close(w->archive) != 0) {
    cusp_zip_refused(L, "%s", zip_strerror(w->archive));
    writer_discard(L);
    return 2;
  }
  w->archive = NULL;
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg metamethods[] = {
    {"__gc", writer_discard}, {"__close", writer_discard}, {NULL, NULL}};
static const luaL_Reg methods[] = {{"add", writer_add},
                                   {"add_file", writer_add_file},
                                   {"finish", writer_finish},
                                   {"discard", writer_discard},
                                   {NULL, NULL}};

void cusp_zip_writer_class(lua_State *L) { cusp_zip_class(L, WRITER, metamethods, methods); }
