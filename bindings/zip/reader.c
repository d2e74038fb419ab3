/*
 * Reading archives. What a member says of itself is not believed: sizes are held against the
 * archive's own, against what deflate can make of so many bytes, and against a limit on all that is
 * inflated; the checksum is compared at the member's end.
 */
#define _GNU_SOURCE
#include "zip.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READER "cusp.zip.Reader"

/* One bit of deflate's input makes at most 258 bytes / 2 bits: 1032 for 1, plus a little for blocks
 * that end. */
enum { DEFLATE_RATIO = 1032, DEFLATE_SLACK = 1 << 10, CHUNK = 1 << 18 };

typedef struct reader {
  zip_t *archive;
  cusp_zip_file *file; /* owned by the archive */
  /* open while its bytes are read: an error in between leaves it to the next call */
  zip_file_t *member;
  zip_uint64_t limit, inflated;
  bool *counted; /* which members are in `inflated` */
  int temporaries;
  char **temporary; /* extracted files, removed with the reader */
  pid_t owner;      /* the process that made them: a forked one leaves them alone */
} reader;

static void end_member(reader *r) {
  if (r->member)
    zip_fclose(r->member);
  r->member = NULL;
}

static int reader_close(lua_State *L) {
  reader *r = luaL_checkudata(L, 1, READER);
  end_member(r);
  if (r->archive)
    zip_discard(r->archive);
  r->archive = NULL;
  for (int i = 0; i < r->temporaries; i++) {
    if (r->owner == getpid())
      unlink(r->temporary[i]);
    free(r->temporary[i]);
  }
  r->temporaries = 0;
  free(r->temporary);
  r->temporary = NULL;
  free(r->counted);
  r->counted = NULL;
  return 0;
}

static reader *check_reader(lua_State *L) {
  reader *r = luaL_checkudata(L, 1, READER);
  luaL_argcheck(L, r->archive, 1, "the archive is closed");
  end_member(r);
  return r;
}

/** open(path, limit): limit 0 for one that grows with the archive. */
int cusp_zip_open_reader(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_Integer limit = luaL_checkinteger(L, 2);
  reader *r = lua_newuserdatauv(L, sizeof *r, 0);
  *r = (reader){.owner = getpid()};
  luaL_setmetatable(L, READER);
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = cusp_zip_open_file(&r->file, path, CUSP_ZIP_READ, &error);
  if (source == NULL)
    return cusp_zip_failed(L, &error);
  r->archive = zip_open_from_source(source, ZIP_RDONLY, &error);
  if (r->archive == NULL) {
    zip_source_free(source);
    return cusp_zip_failed(L, &error);
  }
  zip_int64_t count = zip_get_num_entries(r->archive, 0);
  r->counted = calloc((size_t)count + 1, sizeof *r->counted);
  if (r->counted == NULL)
    return cusp_zip_refused(L, "not enough memory");
  zip_uint64_t grown = 100 * cusp_zip_file_size(r->file), least = (zip_uint64_t)1 << 30;
  r->limit = limit > 0 ? (zip_uint64_t)limit : grown > least ? grown : least;
  return 1;
}

/** names(): in the archive's order. */
static int reader_names(lua_State *L) {
  reader *r = check_reader(L);
  zip_int64_t count = zip_get_num_entries(r->archive, 0);
  lua_createtable(L, count < INT_MAX ? (int)count : 0, 0);
  for (zip_int64_t i = 0; i < count; i++) {
    const char *name = zip_get_name(r->archive, (zip_uint64_t)i, ZIP_FL_ENC_GUESS);
    lua_pushstring(L, name ? name : "");
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/** The facts of member argument 2; false leaves nil and the reason on the stack. */
static bool find_member(lua_State *L, reader *r, zip_stat_t *stat) {
  const char *name = luaL_checkstring(L, 2);
  zip_int64_t index = zip_name_locate(r->archive, name, ZIP_FL_ENC_GUESS);
  if (index < 0) {
    lua_pushnil(L);
    lua_pushliteral(L, "there is no such member");
    return false;
  }
  const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                              ZIP_STAT_ENCRYPTION_METHOD | ZIP_STAT_CRC;
  if (zip_stat_index(r->archive, (zip_uint64_t)index, 0, stat) == 0 &&
      (stat->valid & needed) == needed) {
    stat->index = (zip_uint64_t)index;
    return true;
  }
  cusp_zip_refused(L, "its entry in the archive's directory is incomplete");
  return false;
}

/** Whether the member's entry can be true and its contents are welcome; false leaves nil and the
 * reason. */
static bool accept_member(lua_State *L, reader *r, const zip_stat_t *stat) {
  if (stat->encryption_method != ZIP_EM_NONE)
    cusp_zip_refused(L, "it is encrypted; write the archive without a password");
  else if (stat->comp_method != ZIP_CM_STORE && stat->comp_method != ZIP_CM_DEFLATE)
    cusp_zip_refused(
        L, "it is compressed by method %d; only stored (0) and deflated (8) members can be read",
        (int)stat->comp_method);
  else if (stat->comp_size > cusp_zip_file_size(r->file))
    cusp_zip_refused(L, "it claims %llu bytes of an archive of %llu",
                     (unsigned long long)stat->comp_size,
                     (unsigned long long)cusp_zip_file_size(r->file));
  else if (stat->comp_method == ZIP_CM_STORE && stat->size != stat->comp_size)
    cusp_zip_refused(L, "it is stored as it is, but claims %llu bytes and occupies %llu",
                     (unsigned long long)stat->size, (unsigned long long)stat->comp_size);
  else if (stat->size > stat->comp_size * DEFLATE_RATIO + DEFLATE_SLACK)
    cusp_zip_refused(L, "it claims %llu bytes, which its %llu compressed ones cannot hold",
                     (unsigned long long)stat->size, (unsigned long long)stat->comp_size);
  else if (!r->counted[stat->index] && stat->size > r->limit - r->inflated)
    cusp_zip_refused(L,
                     "with its %llu bytes more than %llu come out of this archive; if that is "
                     "meant, open it with a higher `limit`",
                     (unsigned long long)stat->size, (unsigned long long)r->limit);
  else
    return true;
  return false;
}

static void count_member(reader *r, const zip_stat_t *stat) {
  if (!r->counted[stat->index])
    r->inflated += stat->size;
  r->counted[stat->index] = true;
}

/** libzip would not open the member: pushes nil and the reason. */
static int cannot_open(lua_State *L, reader *r) {
  int code = zip_error_code_zip(zip_get_error(r->archive));
  if (code == ZIP_ER_INVAL || code == ZIP_ER_SEEK)
    return cusp_zip_refused(L, "its entry points outside the archive: the archive is damaged");
  return cusp_zip_refused(L, "%s", zip_strerror(r->archive));
}

/** Finds, checks and opens member argument 2; false leaves nil and the reason. */
static bool open_member(lua_State *L, reader *r, zip_stat_t *stat) {
  if (!find_member(L, r, stat) || !accept_member(L, r, stat))
    return false;
  count_member(r, stat);
  r->member = zip_fopen_index(r->archive, stat->index, 0);
  if (r->member == NULL)
    cannot_open(L, r);
  return r->member != NULL;
}

/** The member's bytes were not what its entry says: pushes nil and the reason. */
static int bad_contents(lua_State *L, reader *r) {
  zip_error_t *error = zip_file_get_error(r->member);
  switch (zip_error_code_zip(error)) {
  case ZIP_ER_CRC:
    cusp_zip_refused(L,
                     "its checksum (CRC-32) does not match its contents: the archive is damaged");
    break;
  case ZIP_ER_EOF: cusp_zip_refused(L, "the archive ends before it does"); break;
  case ZIP_ER_OK:
    cusp_zip_refused(L, "it does not have the size that the archive's directory says");
    break;
  default: cusp_zip_refused(L, "%s", zip_file_strerror(r->member));
  }
  end_member(r);
  return 2;
}

/** Whether the member ends here, which is also where its checksum is compared. */
static bool ends_here(reader *r) {
  char extra;
  return zip_fread(r->member, &extra, 1) == 0;
}

/** size(name): bytes once unpacked. */
static int reader_size(lua_State *L) {
  reader *r = check_reader(L);
  zip_stat_t stat;
  if (!find_member(L, r, &stat))
    return 2;
  lua_pushinteger(L, (lua_Integer)stat.size);
  return 1;
}

/** read(name, limit): the bytes as a string. */
static int reader_read(lua_State *L) {
  reader *r = check_reader(L);
  lua_Integer limit = luaL_checkinteger(L, 3);
  zip_stat_t stat;
  if (!open_member(L, r, &stat))
    return 2;
  if (stat.size > (zip_uint64_t)limit)
    return cusp_zip_refused(L, "it has %llu bytes, more than the %lld that are read at once",
                            (unsigned long long)stat.size, (long long)limit);
  luaL_Buffer buffer;
  char *bytes = luaL_buffinitsize(L, &buffer, (size_t)stat.size + 1);
  zip_int64_t count = zip_fread(r->member, bytes, stat.size);
  if (count < 0 || (zip_uint64_t)count != stat.size || !ends_here(r))
    return bad_contents(L, r);
  end_member(r);
  luaL_pushresultsize(&buffer, (size_t)count);
  return 1;
}

/** Copies the open member into `fd` (nowhere if -1). 0; -1 if the member is at fault, -2 if the
 * file is. */
static int copy_member(reader *r, zip_uint64_t size, int fd, void *chunk) {
  zip_uint64_t done = 0;
  while (done < size) {
    zip_int64_t count = zip_fread(r->member, chunk, CHUNK);
    if (count <= 0 || (zip_uint64_t)count > size - done)
      return -1;
    for (zip_int64_t at = 0; fd >= 0 && at < count;) {
      ssize_t written = write(fd, (char *)chunk + at, (size_t)(count - at));
      if (written < 0 && errno != EINTR)
        return -2;
      at += written > 0 ? written : 0;
    }
    done += (zip_uint64_t)count;
  }
  return ends_here(r) ? 0 : -1;
}

/** Makes an empty temporary file that the reader remembers; its descriptor, or -1 with errno. */
static int new_temporary(reader *r) {
  const char *folder = getenv("TMPDIR");
  char path[PATH_MAX];
  if (folder == NULL || *folder == '\0')
    folder = "/tmp";
  if (snprintf(path, sizeof path, "%s/cusp-XXXXXX", folder) >= (int)sizeof path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  char **grown = realloc(r->temporary, sizeof *grown * (size_t)(r->temporaries + 1));
  if (grown == NULL)
    return -1;
  r->temporary = grown;
  int fd = mkostemp(path, O_CLOEXEC);
  if (fd < 0)
    return -1;
  grown[r->temporaries] = strdup(path);
  if (grown[r->temporaries] == NULL) {
    unlink(path);
    close(fd);
    return -1;
  }
  r->temporaries++;
  return fd;
}

/** extract(name): the path of a temporary file with the bytes, there until the reader is closed. */
static int reader_extract(lua_State *L) {
  reader *r = check_reader(L);
  zip_stat_t stat;
  void *chunk = lua_newuserdatauv(L, CHUNK, 0);
  if (!open_member(L, r, &stat))
    return 2;
  int fd = new_temporary(r);
  if (fd < 0)
    return cusp_zip_refused(L, "no temporary file can be made for it (TMPDIR, or else /tmp): %s",
                            strerror(errno));
  int result = copy_member(r, stat.size, fd, chunk), reason = errno;
  if (close(fd) != 0 && result == 0) {
    result = -2;
    reason = errno;
  }
  if (result == 0) {
    end_member(r);
    lua_pushstring(L, r->temporary[r->temporaries - 1]);
    return 1;
  }
  r->temporaries--;
  unlink(r->temporary[r->temporaries]);
  free(r->temporary[r->temporaries]);
  return result == -1 ? bad_contents(L, r)
                      : cusp_zip_refused(L, "it cannot be written to a temporary file: %s",
                                         strerror(reason));
}

/** Where a stored member's bytes start: libzip has no function for it, but its reads go through our
 * file. */
static int push_offset(lua_State *L, reader *r, const zip_stat_t *stat) {
  char first;
  r->member = zip_fopen_index(r->archive, stat->index, ZIP_FL_COMPRESSED);
  if (r->member == NULL)
    return cannot_open(L, r);
  if (zip_fread(r->member, &first, 1) != 1)
    return bad_contents(L, r);
  end_member(r);
  lua_pushinteger(L, (lua_Integer)cusp_zip_file_last_read(r->file));
  lua_pushinteger(L, (lua_Integer)stat->size);
  return 2;
}

/** stored(name): offset and size of a stored member's bytes in the archive, once its checksum has
 * been compared; false if it is compressed. */
static int reader_stored(lua_State *L) {
  reader *r = check_reader(L);
  zip_stat_t stat;
  void *chunk = lua_newuserdatauv(L, CHUNK, 0);
  if (!open_member(L, r, &stat))
    return 2;
  if (stat.comp_method != ZIP_CM_STORE || stat.size == 0) {
    end_member(r);
    lua_pushboolean(L, 0);
    return 1;
  }
  if (copy_member(r, stat.size, -1, chunk) != 0)
    return bad_contents(L, r);
  end_member(r);
  return push_offset(L, r, &stat);
}

static const luaL_Reg metamethods[] = {
    {"__gc", reader_close}, {"__close", reader_close}, {NULL, NULL}};
static const luaL_Reg methods[] = {{"close", reader_close},
                                   {"names", reader_names},
                                   {"size", reader_size},
                                   {"read", reader_read},
                                   {"extract", reader_extract},
                                   {"stored", reader_stored},
                                   {NULL, NULL}};

void cusp_zip_reader_class(lua_State *L) { cusp_zip_class(L, READER, metamethods, methods); }
