#ifndef CUSP_ZIP_H
#define CUSP_ZIP_H
/* What the files of cusp.native.zip share. */

#include <lauxlib.h>
#include <lua.h>
#include <zip.h>

/** A file as libzip's source; see file.c. The source owns it. */
typedef struct cusp_zip_file cusp_zip_file;

/** What a file is opened for. */
typedef enum cusp_zip_mode { CUSP_ZIP_READ, CUSP_ZIP_WRITE } cusp_zip_mode;

/**
 * Makes a source of the file at `path` (opened here, without following a link where it is written).
 * NULL on failure, with *error set and errno's meaning in it. `*file` stays valid as long as the
 * source.
 */
zip_source_t *cusp_zip_open_file(cusp_zip_file **file, const char *path, cusp_zip_mode mode,
                                 zip_error_t *error);
/** Bytes in the file when it was opened. */
zip_uint64_t cusp_zip_file_size(const cusp_zip_file *file);
/** Where in the file the bytes of the last read were. */
zip_uint64_t cusp_zip_file_last_read(const cusp_zip_file *file);
/** Writes at the file's very beginning, past libzip. 0, or -1 with errno. */
int cusp_zip_file_overwrite(cusp_zip_file *file, const void *bytes, size_t count);

/** Pushes nil and the text of an error, which is finished. Returns 2. */
int cusp_zip_failed(lua_State *L, zip_error_t *error);
/** Pushes nil and a formatted reason. Returns 2. */
int cusp_zip_refused(lua_State *L, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Makes a metatable with these functions, and `methods` as its __index. */
void cusp_zip_class(lua_State *L, const char *name, const luaL_Reg *metamethods,
                    const luaL_Reg *methods);

/** open(path, limit), create(path); each file adds its metatable. */
int cusp_zip_open_reader(lua_State *L);
int cusp_zip_open_writer(lua_State *L);
void cusp_zip_reader_class(lua_State *L);
void cusp_zip_writer_class(lua_State *L);

#endif
