#ifndef CUSP_BINDINGS_DATA_H
#define CUSP_BINDINGS_DATA_H
/* What the files of cusp.engine.data share: readers as userdata, and options read from tables. */

#include "binding.h"

/** A reader of rows in Lua. */
typedef struct cusp_lua_rows {
  const void *kind;
  cusp_reader *reader; /* a reference; NULL: empty */
} cusp_lua_rows;
/** Pushes an empty one. [-0, +1, m] */
cusp_lua_rows *cusp_lua_new_rows(lua_State *L);

/* Fields of the table at an index; each raises "function: 'name' should be ..." for a value of
 * another kind. */

/** Raises unless there is a table at the index. */
void cusp_lua_check_options(lua_State *L, int index, const char *function);
int64_t cusp_lua_integer_option(lua_State *L, int table, const char *name, int64_t absent,
                                int64_t least, const char *function);
double cusp_lua_number_option(lua_State *L, int table, const char *name, double absent,
                              const char *function);
bool cusp_lua_flag_option(lua_State *L, int table, const char *name, bool absent);
/** A string without zero bytes, which stays on the stack. [-0, +1, e] */
const char *cusp_lua_string_option(lua_State *L, int table, const char *name, const char *function);
cusp_dtype cusp_lua_dtype_option(lua_State *L, int table, const char *name, const char *function);
/** A scalar's shape where there is none. */
cusp_shape cusp_lua_shape_option(lua_State *L, int table, const char *name, const char *function);

/** The description within an array in chunks (engine.files.chunked), lent by it. (chunks.c) */
const cusp_chunked *cusp_lua_check_chunked(lua_State *L, int index, const char *function);
/** Adds the readers of files to the table on the top of the stack. (data_files.c) */
void cusp_lua_open_data_files(lua_State *L);

#endif
